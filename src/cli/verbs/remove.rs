//! `remove`: removes images from a draft, by name, index, platform or digest, together with their attestations.

use crate::cli::args::Remove;
use crate::cli::context::Context;
use crate::cli::verbs::direct_push;
use crate::core::entry_lookup;
use crate::core::error::CommandError;
use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};

pub(crate) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    if args.push {
        let (mut lines, verb) = (Vec::new(), if args.publish.dry_run { "Would remove" } else { "Removed" });
        direct_push::change_published(context, &args.network, &args.publish, list, |_, published| {
            let (entries, notes) = select(published, &args.selectors)?;
            let mut draft = published.clone();
            let removed: Vec<Entry> = entries.iter().flat_map(|entry| draft.remove_with_dependents(entry)).collect();
            lines = notes.into_iter().chain(removed.iter().map(|entry| removed_line(entry, verb))).collect();
            Ok(draft)
        })?;
        // Not before: the first line of a failure must be the failure.
        lines.iter().for_each(|line| context.streams.message(line));
        return Ok(());
    }
    let mut notes = Vec::new();
    let store = context.store_with_timeout(args.network.timeout)?;
    let removed = store.remove_entries(list, &context.wait_notice(), |draft| {
        let (entries, ambiguous) = select(draft, &args.selectors)?;
        notes = ambiguous;
        Ok::<_, CommandError>(entries)
    })?;
    let removed = removed.ok_or_else(|| CommandError::NoSuchDraftOrImage(list.to_string()))?;
    notes.iter().for_each(|note| context.streams.message(note));
    for entry in &removed {
        context.streams.line(removed_line(entry, "Removed"))?;
    }
    Ok(())
}

fn removed_line(entry: &Entry, verb: &str) -> String {
    format!("{verb} {}", entry.reference)
}

/// The entries that selectors select, and a line for each selector that selects several.
type EntriesAndNotes = (Vec<Entry>, Vec<String>);

/// Looks up each selector in the unchanged draft, because two selectors may select the same image.
fn select(draft: &Draft, selectors: &[String]) -> Result<EntriesAndNotes, CommandError> {
    let found = CommandError::collect(selectors.iter().map(|selector| entries_of(draft, selector)))?;
    let note = |(selector, entries): (&String, &Vec<Entry>)| {
        let (list, number) = (&draft.reference, entries.len());
        (number > 1).then(|| format!("{selector} is {number} images of {list}: all of them are removed"))
    };
    let notes = selectors.iter().zip(&found).filter_map(note).collect();
    Ok((found.into_iter().flatten().collect(), notes))
}

/// The entries that a selector selects.
fn entries_of(draft: &Draft, selector: &str) -> Result<Vec<Entry>, CommandError> {
    let found = entry_lookup::entries(draft, selector)?;
    if found.is_empty() {
        let (image, list) = (selector.to_owned(), draft.reference.to_string());
        return Err(CommandError::ImageNotInList {
            image,
            list,
            has_draft: true,
            suggestion: entry_lookup::suggestion_for(draft, selector),
        });
    }
    Ok(found.into_iter().cloned().collect())
}
