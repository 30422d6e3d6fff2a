//! `remove`: takes images out of a draft, by name, by digest or by platform, and what attests them with them.

use crate::args::Remove;
use crate::commands::error::CommandError;
use crate::commands::gathering::refresh::take_out;
use crate::commands::{Context, parsed};
use crate::document::{Draft, Entry};
use crate::platform::Platform;
use crate::reference::Reference;

/// The fewest digits of a digest that are taken for one.
const DIGITS_MIN: usize = 7;

pub(super) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = parsed(&args.list)?;
    let mut gone = Vec::new();
    context.store().change(list, &context.notice(), |before| {
        let mut draft = before.cloned().ok_or_else(|| CommandError::NotStored(list.to_string()))?;
        gone.clear();
        // Each word is held against the draft as it was: two words may well mean the same image.
        let mut chosen: Vec<Entry> = Vec::new();
        let mut failures = Vec::new();
        for word in &args.what {
            match meant(&draft, word) {
                Ok(found) => chosen.extend(found),
                Err(error) => failures.push(error),
            }
        }
        if !failures.is_empty() {
            return Err(CommandError::of(failures));
        }
        for entry in &chosen {
            gone.extend(take_out(&mut draft, entry));
        }
        Ok(Some(draft))
    })?;
    for entry in &gone {
        context.streams.line(format_args!("Removed {}", entry.reference))?;
    }
    Ok(())
}

/// The entries that a word means: an image in the draft, else a digest (or its first digits), else a platform.
fn meant(draft: &Draft, word: &str) -> Result<Vec<Entry>, CommandError> {
    let image = Reference::parse(word);
    if let Some(entry) = image.as_ref().ok().and_then(|image| draft.get(image)) {
        return Ok(vec![entry.clone()]);
    }
    let by_digest = with_digest(draft, word);
    if by_digest.len() > 1 && !is_whole_digest(word) {
        let digests = by_digest.iter().map(|entry| entry.descriptor.digest.to_string());
        return Err(CommandError::Ambiguous { word: word.to_owned(), meanings: digests.collect() });
    }
    if !by_digest.is_empty() {
        return Ok(by_digest);
    }
    let by_platform = match Platform::parse(word) {
        Ok(platform) => on_platform(draft, &platform),
        Err(_) => Vec::new(),
    };
    if by_platform.is_empty() {
        let list = draft.reference.to_string();
        return Err(CommandError::NotInList { image: word.to_owned(), list, drafted: true });
    }
    Ok(by_platform)
}

fn is_whole_digest(word: &str) -> bool {
    word.parse::<crate::digest::Digest>().is_ok()
}

fn with_digest(draft: &Draft, word: &str) -> Vec<Entry> {
    let digits = word.strip_prefix("sha256:").unwrap_or(word);
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let starts = |entry: &&Entry| {
        let digest = entry.descriptor.digest.as_str();
        digest == word
            || (is_hex
                && digits.len() >= DIGITS_MIN
                && digest.split_once(':').is_some_and(|(_, own)| own.starts_with(digits)))
    };
    draft.entries().filter(starts).cloned().collect()
}

fn on_platform(draft: &Draft, platform: &Platform) -> Vec<Entry> {
    let runs = |entry: &&Entry| entry.descriptor.platform.as_ref().is_some_and(|own| own.matches(platform));
    draft.entries().filter(|entry| entry.attests().is_none()).filter(runs).cloned().collect()
}
