//! `prune --shared`: deletes the entries that their lists serve already, those of a run, or all.

use crate::cli::args::{Prune, RefArg};
use crate::cli::context::Context;
use crate::cli::verbs::shared_drafts::{SharedClient, pipeline_run};
use crate::core::error::CommandError;
use crate::core::shared_drafts::clean_up;
use crate::core::shared_drafts::listing;
use crate::drafts::registry::FoundEntry;

pub(crate) fn run(context: &Context, args: &Prune, repository: &RefArg) -> Result<(), CommandError> {
    let repository = repository.reference()?.repository();
    let client = SharedClient::new(context, &args.network, repository)?;
    let run = pipeline_run(context, args.shared.run.as_deref())?;
    let listed = listing::list_entries(client.shared_draft_context(), repository, None)?;
    let entries: Vec<FoundEntry> = listed.into_iter().filter_map(Result::ok).collect();
    let chosen: Vec<FoundEntry> = if args.includes_unpublished {
        entries
    } else if args.shared.run.is_some() {
        entries.into_iter().filter(|found| found.entry.name.run == run.id).collect()
    } else {
        let served = clean_up::fetch_is_published_by_tag(client.shared_draft_context(), repository, &entries)?;
        entries.into_iter().filter(|found| served.get(&found.tag) == Some(&true)).collect()
    };
    if args.dry_run {
        for found in &chosen {
            context.streams.line(format_args!("Would remove {repository}:{}", found.tag))?;
        }
        return Ok(());
    }
    client.delete_and_print(repository, &run, &chosen)
}
