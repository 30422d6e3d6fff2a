//! `remove`: removes images from a draft, by name, index, platform or digest, together with their attestations.

use crate::cli::args::Remove;
use crate::cli::context::Context;
use crate::cli::verbs::direct_push;
use crate::core::error::CommandError;
use crate::core::lookup;
use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};

pub(crate) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    if args.push {
        let (mut lines, verb) = (Vec::new(), if args.publish.dry_run { "Would remove" } else { "Removed" });
        direct_push::change_published(context, &args.network, &args.publish, list, |_, published| {
            let (entries, notes) = select(published, &args.words)?;
            let mut draft = published.clone();
            let removed: Vec<Entry> = entries.iter().flat_map(|entry| draft.remove_with_dependents(entry)).collect();
            lines = notes.into_iter().chain(removed.iter().map(|entry| removed_line(entry, verb))).collect();
            Ok(draft)
        })?;
        // Not before: the first line of a failure must be the failure.
        lines.iter().for_each(|line| context.streams.note(line));
        return Ok(());
    }
    let mut notes = Vec::new();
    let store = context.store_with_timeout(args.network.timeout)?;
    let removed = store.remove_entries(list, &context.wait_notice(), |draft| {
        let (entries, ambiguous) = select(draft, &args.words)?;
        notes = ambiguous;
        Ok::<_, CommandError>(entries)
    })?;
    let removed = removed.ok_or_else(|| CommandError::NotStored(list.to_string()))?;
    notes.iter().for_each(|note| context.streams.note(note));
    for entry in &removed {
        context.streams.line(removed_line(entry, "Removed"))?;
    }
    Ok(())
}

fn removed_line(entry: &Entry, verb: &str) -> String {
    format!("{verb} {}", entry.reference)
}

/// The entries that words select, and a line for each word that selects several.
type Selection = (Vec<Entry>, Vec<String>);

/// Looks up each word in the unchanged draft, because two words may select the same image.
fn select(draft: &Draft, words: &[String]) -> Result<Selection, CommandError> {
    let found = CommandError::collect(words.iter().map(|word| entries_of(draft, word)))?;
    let note = |(word, entries): (&String, &Vec<Entry>)| {
        let (list, number) = (&draft.reference, entries.len());
        (number > 1).then(|| format!("{word} is {number} images of {list}: all of them are removed"))
    };
    let notes = words.iter().zip(&found).filter_map(note).collect();
    Ok((found.into_iter().flatten().collect(), notes))
}

/// The entries that a word selects.
fn entries_of(draft: &Draft, word: &str) -> Result<Vec<Entry>, CommandError> {
    let found = lookup::entries(draft, word)?;
    if found.is_empty() {
        let (image, list) = (word.to_owned(), draft.reference.to_string());
        return Err(CommandError::NotInList {
            image,
            list,
            has_draft: true,
            suggestion: lookup::suggestion_for(draft, word),
        });
    }
    Ok(found.into_iter().cloned().collect())
}
