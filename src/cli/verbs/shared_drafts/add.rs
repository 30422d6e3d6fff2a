//! `add --shared`: stores images as entries, and with `--if-complete` publishes the list if these were the last.

use serde::Serialize;

use crate::cli::args::{Add, PublishFormat};
use crate::cli::context::Context;
use crate::cli::verbs::annotate::annotate_entries;
use crate::cli::verbs::create;
use crate::cli::verbs::named_images::NamedImages;
use crate::cli::verbs::publish_and_report::StreamReporter;
use crate::cli::verbs::shared_drafts::publish_list::{self, SharedPush};
use crate::cli::verbs::shared_drafts::{SharedClient, pipeline_run_noting_absence};
use crate::core::error::CommandError;
use crate::core::push::options::PushContext;
use crate::core::resolve::amend;
use crate::core::resolve::previous_entries::PreviousDescriptors;
use crate::core::shared_draft_error::SharedDraftError;
use crate::core::shared_drafts::add::{self as shared_add, NewEntry};
use crate::core::shared_drafts::collect::JobEntry;
use crate::digest::Digest;
use crate::drafts::registry::entry::RESERVED_PREFIX;
use crate::drafts::registry::{SharedDraftStore, SharedStoreError, StoredEntry};
use crate::model::Draft;
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Add) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let run = pipeline_run_noting_absence(context, args.shared.run.as_deref())?;
    if let Some(reserved) = args.entry.annotations.iter().find(|annotation| annotation.key.starts_with(RESERVED_PREFIX))
    {
        return Err(SharedDraftError::ReservedAnnotation(reserved.key.clone()).into());
    }
    let allowed_entries = publish_list::read_and_check_files(context, &args.shared_publish, &args.publish)?;
    let client = SharedClient::new(context, &args.network, list.repository())?;
    client.registry.expect_access(list.repository(), crate::auth::Access::PullPush);
    let draft = fetch_images(&client, args, list)?;
    let drafts = SharedDraftStore::new(&client.registry, list.repository(), &run);
    let mut left_out = Vec::new();
    let entries = shared_add::make_entries(&drafts, &draft, args.key.as_ref(), &mut left_out)?;
    refuse_not_required(args, &entries)?;
    for left_out in left_out {
        context.streams.warning(format_args!("{left_out}; no entry contains it"));
    }
    if args.publish.dry_run {
        return print_dry_run(context, args, &entries);
    }
    let reporter = StreamReporter { context, is_quiet: args.publish.quiet, is_verbose: args.publish.verbose };
    let (registry, clock) = (&client.registry, &*context.clock);
    let push = PushContext { registry, layouts: &context.layouts, clock, reporter: &reporter };
    let (stored, warnings) = shared_add::copy_and_store(push, &drafts, &draft, &entries, &args.publish.options())?;
    let may_publish = args.shared_publish.if_complete;
    // If the list may be published, only that result is printed.
    let is_shown = !may_publish || args.publish.format.is_none() && !args.publish.quiet;
    let shown = if is_shown { print_entries(context, args, &entries, &stored) } else { Ok(()) };
    warnings.iter().for_each(|warning| context.streams.warning(warning));
    if !may_publish {
        return shown;
    }
    let job_entry = |(new, stored): (&NewEntry, &StoredEntry)| JobEntry {
        digest: stored.digest.clone(),
        name: Some(new.entry.name.clone()),
    };
    let shared_push = SharedPush {
        list,
        run: &run,
        shared: &args.shared_publish,
        publish: &args.publish,
        job_entries: entries.iter().zip(&stored).map(job_entry).collect(),
        purge: args.purge,
        allowed_entries: allowed_entries.as_ref(),
    };
    // The entry is stored, and it may be the last one: the list is published even if the entry cannot be printed.
    let published = publish_list::run(context, &client, &shared_push);
    CommandError::collect([shown, published]).map(drop)
}

/// A draft of the images, as the flags describe them.
fn fetch_images(client: &SharedClient<'_>, args: &Add, list: &Reference) -> Result<Draft, CommandError> {
    let named = NamedImages::read(client.context, &args.images, &args.image_flags, list.repository())?;
    let access = client.context.content_access(&client.registry);
    let (sources, _) = named.resolve(access, list.repository(), None, |_| true, &|_| {})?;
    let mut draft = Draft::new(list.clone());
    for source in &sources {
        amend::merge(&mut draft, source, &named.filter, &PreviousDescriptors::default());
    }
    create::print_source_changes_and_omissions(client.context, &[], &sources);
    let images: Vec<Reference> = draft
        .entries_in_key_order()
        .filter(|entry| !entry.is_attestation())
        .map(|entry| entry.reference.clone())
        .collect();
    annotate_entries(&mut draft, &images, &args.entry, |note| client.context.streams.message(note))?;
    Ok(draft)
}

/// Checks that each image has a required platform. With `--if-complete` any other would never be published.
fn refuse_not_required(args: &Add, entries: &[NewEntry]) -> Result<(), CommandError> {
    let require = &args.publish.require;
    let is_required = |new: &&NewEntry| {
        let platform = new.entry.image.platform.as_ref();
        platform.is_some_and(|platform| require.iter().any(|required| platform.matches(&required.parsed)))
    };
    match entries.iter().find(|new| !require.is_empty() && !is_required(new)) {
        Some(new) => Err(SharedDraftError::NotRequired { key: new.entry.name.key.to_string() }.into()),
        None => Ok(()),
    }
}

/// An entry as `--format json` shows it.
#[derive(Serialize)]
struct EntryJson<'a> {
    reference: String,
    digest: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
}

/// Shows what would be stored.
fn print_dry_run(context: &Context, args: &Add, entries: &[NewEntry]) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let mut stored = Vec::new();
    for new in entries {
        let reference = new.entry.name.reference(list).unwrap_or_else(|| list.clone());
        let invalid_entry = |source| SharedStoreError::InvalidEntry { reference: reference.to_string(), source };
        let digest = Digest::from_bytes(&new.entry.encode().map_err(invalid_entry)?);
        stored.push(StoredEntry { reference, digest });
    }
    if args.publish.format.is_none() && !args.publish.quiet {
        let lines = stored.iter().map(|stored| format!("Would store {}@{}", stored.reference, stored.digest));
        return Ok(lines.into_iter().try_for_each(|line| context.streams.line(line))?);
    }
    print_entries(context, args, entries, &stored)
}

fn print_entries(
    context: &Context,
    args: &Add,
    entries: &[NewEntry],
    stored: &[StoredEntry],
) -> Result<(), CommandError> {
    for (new, stored) in entries.iter().zip(stored) {
        let (reference, digest) = (stored.reference.to_string(), stored.digest.to_string());
        match args.publish.format {
            Some(PublishFormat::Json) => {
                let (key, run) = (new.entry.name.key.to_string(), new.entry.name.run.as_deref());
                context.streams.json(&EntryJson { reference, digest, key, run })?;
            }
            _ if args.publish.quiet => context.streams.line(digest)?,
            _ => context.streams.line(format_args!("{reference}@{digest}"))?,
        }
    }
    Ok(())
}
