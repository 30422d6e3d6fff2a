//! `remove`: removes images from a draft, by name, index, platform or digest, together with their attestations.

use crate::cli::args::Remove;
use crate::cli::context::Context;
use crate::cli::verbs::one_step;
use crate::core::error::CommandError;
use crate::core::lookup;
use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};

pub(crate) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    if args.push {
        let mut lines = Vec::new();
        one_step::change(context, &args.network, &args.publish, list, |_, before| {
            let Chosen { entries, several } = chosen(before, &args.what)?;
            let mut draft = before.clone();
            let gone: Vec<Entry> = entries.iter().flat_map(|entry| draft.take_out(entry)).collect();
            lines = several.into_iter().chain(gone.iter().map(removed)).collect();
            Ok(draft)
        })?;
        // Only now: the first line of a failure is the failure.
        lines.iter().for_each(|line| context.streams.note(line));
        return Ok(());
    }
    let mut several = Vec::new();
    let store = context.store_within(args.network.timeout)?;
    let gone = store.remove_entries(list, &context.notice(), |draft| {
        let chosen = chosen(draft, &args.what)?;
        several = chosen.several;
        Ok::<_, CommandError>(chosen.entries)
    })?;
    let gone = gone.ok_or_else(|| CommandError::NotStored(list.to_string()))?;
    several.iter().for_each(|line| context.streams.note(line));
    for entry in &gone {
        context.streams.line(removed(entry))?;
    }
    Ok(())
}

fn removed(entry: &Entry) -> String {
    format!("Removed {}", entry.reference)
}

/// The entries that words select.
struct Chosen {
    entries: Vec<Entry>,
    /// A line for each word that selects several.
    several: Vec<String>,
}

/// Looks up each word in the unchanged draft, because two words may select the same image.
fn chosen(draft: &Draft, words: &[String]) -> Result<Chosen, CommandError> {
    let (mut chosen, mut failures) = (Chosen { entries: Vec::new(), several: Vec::new() }, Vec::new());
    for word in words {
        match meant(draft, word) {
            Ok(found) => {
                let (list, number) = (&draft.reference, found.len());
                let line = format!("{word} is {number} images of {list}: all of them are removed");
                chosen.several.extend((number > 1).then_some(line));
                chosen.entries.extend(found);
            }
            Err(error) => failures.push(error),
        }
    }
    if failures.is_empty() { Ok(chosen) } else { Err(CommandError::of(failures)) }
}

/// The entries that a word selects.
fn meant(draft: &Draft, word: &str) -> Result<Vec<Entry>, CommandError> {
    let found = lookup::entries(draft, word)?;
    if found.is_empty() {
        let (image, list) = (word.to_owned(), draft.reference.to_string());
        return Err(CommandError::NotInList { image, list, drafted: true, near: lookup::nearest_to(draft, word) });
    }
    Ok(found.into_iter().cloned().collect())
}
