//! Publishing a shared draft, for `push --shared` and `add --shared --if-complete`.

use std::path::Path;

use serde_json::json;

use crate::auth::Access;
use crate::cli::args::{PublishFlags, PublishFormat, SharedPublishFlags};
use crate::cli::build_output_files;
use crate::cli::context::Context;
use crate::cli::verbs::publish_and_report::{self, StreamReporter};
use crate::cli::verbs::shared_drafts::SharedClient;
use crate::core::error::CommandError;
use crate::core::open_layouts::Layouts;
use crate::core::push::options::PushContext;
use crate::core::push::outcome::PushOutcome;
use crate::core::push::shared_draft;
use crate::core::shared_draft_error::SharedDraftError;
use crate::core::shared_drafts::allowed_entries::AllowedEntries;
use crate::core::shared_drafts::clean_up;
use crate::core::shared_drafts::collect::{self, CollectOptions, CollectedEntries, JobEntry};
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::registry::{FoundEntry, PipelineRun};
use crate::reference::Reference;

/// How long `--if-complete` waits for entries that the registry does not serve at once.
const DEFAULT_IF_COMPLETE_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// The largest file of digests, in bytes.
const ALLOWED_ENTRIES_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A push of a shared draft.
pub(super) struct SharedPush<'a> {
    pub(super) list: &'a Reference,
    pub(super) run: &'a PipelineRun,
    pub(super) shared: &'a SharedPublishFlags,
    pub(super) publish: &'a PublishFlags,
    pub(super) job_entries: Vec<JobEntry>,
    pub(super) purge: bool,
    pub(super) allowed_entries: Option<&'a AllowedEntries>,
}

/// Reads the file of the digests that entries may have, and tries whether the results can be written, before any entry
/// is stored or waited for.
pub(super) fn read_and_check_files(
    context: &Context,
    shared: &SharedPublishFlags,
    publish: &PublishFlags,
) -> Result<Option<AllowedEntries>, CommandError> {
    publish_and_report::check_result_files(context, publish)?;
    shared.allowed_entries_file.as_deref().map(|file| read_allowed_entries(context, file)).transpose()
}

pub(super) fn run(
    context: &Context,
    client: &SharedClient<'_>,
    shared_push: &SharedPush<'_>,
) -> Result<(), CommandError> {
    let SharedPush { list, run, shared, publish, purge, allowed_entries, .. } = *shared_push;
    let default_wait = if shared.if_complete { DEFAULT_IF_COMPLETE_WAIT } else { std::time::Duration::ZERO };
    let (since_this_attempt, wait) = (shared.since_this_attempt, shared.wait.unwrap_or(default_wait));
    let (require, job_entries) = (publish.require.as_slice(), shared_push.job_entries.clone());
    let options = CollectOptions { list, run, require, since_this_attempt, allowed_entries, job_entries, wait };
    client.registry.expect_access(list.repository(), Access::PullPush);
    let collected = collect::wait_and_collect(client.shared_draft_context(), &options)?;
    if publish.require.is_empty() {
        context.streams.message("warning: without --require it is not known whether an entry is missing");
    }
    if !collected.missing.is_empty() && shared.if_complete {
        return print_unpublished(context, shared_push, &collected);
    }
    if !collected.missing.is_empty() || collected.entries.is_empty() {
        return Err(check_published_and_explain(context, client, shared_push, collected));
    }
    let refetch = |before: &[FoundEntry]| collect::refetch_and_compare(client.shared_draft_context(), &options, before);
    let print = |published: &PushOutcome| publish_and_report::print_result(context, published, publish);
    let mut entries = Vec::new();
    let published = publish_and_report::push_and_report(context, publish, print, || {
        let reporter = StreamReporter { context, is_quiet: publish.quiet, is_verbose: publish.verbose };
        // The images of all entries are in the registry, also those that this command has read from a layout.
        let (registry, layouts) = (&client.registry, &Layouts::default());
        let push = PushContext { registry, layouts, clock: &*context.clock, reporter: &reporter };
        let outcome = shared_draft::publish(push, list, &publish.options(), collected.entries, &refetch)?;
        entries = outcome.entries;
        Ok(PushOutcome { requests: registry.requests(), ..outcome.push })
    })?;
    if purge && !published.dry_run {
        let cleaned = clean_up::delete(client.shared_draft_context(), list.repository(), run, &entries);
        client.note_undeleted(list.repository(), &cleaned.undeleted);
    }
    publish_and_report::print_tags_and_warnings(context, std::slice::from_ref(&published), publish);
    Ok(())
}

/// Prints which entries are missing. This is not a failure.
fn print_unpublished(
    context: &Context,
    shared_push: &SharedPush<'_>,
    collected: &CollectedEntries,
) -> Result<(), CommandError> {
    let (all, missing) = (shared_push.publish.require.len(), &collected.missing);
    let present = shared_push.publish.require.iter().filter(|platform| !missing.contains(&platform.text)).count();
    let list = shared_push.list;
    context.streams.message(format_args!(
        "{list} is not published: waiting for {} ({present} of {all} there)",
        missing.join(", ")
    ));
    if shared_push.publish.format == Some(PublishFormat::Json) {
        context.streams.json(&json!({ "published": false, "missing": missing }))?;
    }
    Ok(())
}

/// The failure that entries are missing. Prints a note if a list with all required platforms is published: its entries
/// may have been purged since.
fn check_published_and_explain(
    context: &Context,
    client: &SharedClient<'_>,
    shared_push: &SharedPush<'_>,
    collected: CollectedEntries,
) -> CommandError {
    let list = shared_push.list;
    if let Some(digest) =
        clean_up::fetch_possibly_published_digest(client.shared_draft_context(), list, &shared_push.publish.require)
    {
        context.streams.message(format_args!(
            "{list} ({digest}) has all required platforms; it may have been published already and its entries purged"
        ));
    }
    if collected.missing.is_empty() {
        return SharedDraftError::NoEntries { list: list.to_string(), run: shared_push.run.id.clone() }.into();
    }
    let (list, missing) = (list.to_string(), collected.missing);
    CommandError::Incomplete { list, origin: SpecOrigin::SharedDraft, missing, extra: Vec::new() }
}

/// Reads the digests that entries may have. The file is as little trusted as those of `--from`.
fn read_allowed_entries(context: &Context, file: &Path) -> Result<AllowedEntries, CommandError> {
    let bytes = build_output_files::read_input(context.env.original_path(file), ALLOWED_ENTRIES_FILE_BYTES_MAX)?;
    let shown = file.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => AllowedEntries::parse(&shown, &text),
        Err(_) => Err(SharedDraftError::AllowedFile { file: shown, reason: "it is not UTF-8".to_owned() }.into()),
    }
}
