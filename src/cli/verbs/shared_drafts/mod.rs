//! The verbs with `--shared`: drafts in a registry, where many machines build one list.

pub mod add;
pub mod inspect;
pub mod ls;
pub mod prune;
pub mod publish_list;
pub mod push;
pub mod remove;

use std::time::Duration;

use crate::cli::args::NetworkFlags;
use crate::cli::context::Context;
use crate::cli::report;
use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::shared_draft_error::SharedDraftError;
use crate::core::shared_drafts::clean_up::{self, UndeletedEntries};
use crate::core::shared_drafts::collect::{self, CollectOptions, CollectedEntries, SharedDraftContext};
use crate::drafts::registry::{FoundEntry, PipelineRun};
use crate::reference::{Reference, Repository};

/// What the verbs need for one repository.
struct SharedClient<'a> {
    registry: RegistryClient,
    context: &'a Context,
    note: Box<dyn Fn(&str) + Sync + 'a>,
}

impl<'a> SharedClient<'a> {
    fn new(
        context: &'a Context,
        network: &NetworkFlags,
        repository: &Repository,
    ) -> Result<SharedClient<'a>, CommandError> {
        Ok(SharedClient {
            registry: context.registry_client(network, repository)?,
            context,
            note: Box::new(|line: &str| context.streams.message(line)),
        })
    }

    fn shared_draft_context(&self) -> SharedDraftContext<'_> {
        SharedDraftContext { registry: &self.registry, clock: &*self.context.clock, note: &*self.note }
    }

    /// The entries of a list, as they are now.
    fn collect_present_entries(
        &self,
        list: &Reference,
        run: &PipelineRun,
        require: &[PlatformFilter],
    ) -> Result<CollectedEntries, CommandError> {
        let (job_entries, wait) = (Vec::new(), Duration::ZERO);
        let options =
            CollectOptions { list, run, require, since_this_attempt: false, allowed_entries: None, job_entries, wait };
        collect::wait_and_collect(self.shared_draft_context(), &options)
    }

    /// Prints which entries remain, and how the registry itself can delete them.
    fn note_undeleted(&self, repository: &Repository, undeleted: &[UndeletedEntries]) {
        for UndeletedEntries { tags, reason } in undeleted {
            let verb = if tags.len() == 1 { "stays" } else { "stay" };
            let (tags, hint) = (tags.join(", "), report::entry_cleanup_hint(repository.domain()));
            self.context.streams.message(format_args!("{tags} in {repository} {verb}: {reason}; {hint}"));
        }
    }

    /// Deletes entries, and prints which.
    fn delete_and_print(
        &self,
        repository: &Repository,
        run: &PipelineRun,
        entries: &[FoundEntry],
    ) -> Result<(), CommandError> {
        let cleaned = clean_up::delete(self.shared_draft_context(), repository, run, entries);
        for tag in &cleaned.deleted {
            self.context.streams.line(format_args!("Removed {repository}:{tag}"))?;
        }
        self.note_undeleted(repository, &cleaned.undeleted);
        Ok(())
    }
}

/// The run of this process.
fn pipeline_run(context: &Context, named: Option<&str>) -> Result<PipelineRun, CommandError> {
    Ok(PipelineRun::from_env(named, &context.env).map_err(SharedDraftError::from)?)
}

/// The run of this process. Prints a note if there is none, because then the entries of all pipelines share their
/// names.
fn pipeline_run_noting_absence(context: &Context, named: Option<&str>) -> Result<PipelineRun, CommandError> {
    let run = pipeline_run(context, named)?;
    if run.id.is_none() {
        context.streams.message("no CI system was found: all runs share their entries; name this run with --run");
    }
    Ok(run)
}
