//! `inspect --shared`: what a push would publish, and what is missing.

use crate::cli::args::Inspect;
use crate::cli::context::Context;
use crate::cli::inspect;
use crate::cli::verbs::shared_drafts::{SharedClient, pipeline_run};
use crate::core::error::CommandError;
use crate::core::push::shared_draft;
use crate::core::shared_draft_error::SharedDraftError;
use crate::drafts::registry::draft::assemble_draft;
use crate::model::Draft;

pub(crate) fn run(context: &Context, args: &Inspect) -> Result<(), CommandError> {
    inspect::show_draft(context, args, fetch_draft(context, args)?)
}

/// The draft that the entries make. What it lacks is said on stderr.
fn fetch_draft(context: &Context, args: &Inspect) -> Result<Draft, CommandError> {
    let list = args.image.reference()?;
    let run = pipeline_run(context, args.shared.run.as_deref())?;
    let client = SharedClient::new(context, &args.network, list.repository())?;
    let collected = client.collect_present_entries(list, &run, &args.require)?;
    if !collected.missing.is_empty() {
        context.streams.message(format_args!("missing: {}", collected.missing.join(", ")));
    }
    if collected.entries.is_empty() {
        return Err(SharedDraftError::NoEntries { list: list.to_string(), run: run.id }.into());
    }
    shared_draft::with_manifests(&client.registry, assemble_draft(list, &collected.entries))
}
