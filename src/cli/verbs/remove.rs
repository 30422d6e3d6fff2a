//! `remove`: removes images from a draft, by name, index, platform or digest, together with their attestations.

use crate::cli::args::Remove;
use crate::cli::context::Context;
use crate::core::error::CommandError;
use crate::core::lookup;
use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};

pub(crate) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let mut several = Vec::new();
    let store = context.store_within(args.timeout)?;
    let gone = store.remove_entries(list, &context.notice(), |draft| {
        several.clear();
        // Each word is looked up in the unchanged draft, because two words may select the same image.
        let mut chosen: Vec<Entry> = Vec::new();
        let mut failures = Vec::new();
        for word in &args.what {
            match meant(draft, word) {
                Ok(found) => {
                    several.extend((found.len() > 1).then_some((word, found.len())));
                    chosen.extend(found);
                }
                Err(error) => failures.push(error),
            }
        }
        if failures.is_empty() { Ok(chosen) } else { Err(CommandError::of(failures)) }
    })?;
    let gone = gone.ok_or_else(|| CommandError::NotStored(list.to_string()))?;
    for (word, number) in several {
        context.streams.note(format_args!("{word} is {number} images of {list}: all of them are removed"));
    }
    for entry in &gone {
        context.streams.line(format_args!("Removed {}", entry.reference))?;
    }
    Ok(())
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
