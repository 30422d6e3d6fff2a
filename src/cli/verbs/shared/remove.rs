//! `remove --shared`: takes entries back, by platform or by key.

use std::collections::BTreeSet;

use crate::cli::args::Remove;
use crate::cli::context::Context;
use crate::cli::verbs::shared::{Client, run_of};
use crate::core::error::CommandError;
use crate::core::request::PlatformFilter;
use crate::core::shared::clean_up;
use crate::core::shared::gather::{self, GatherOptions};
use crate::core::shared_failure::SharedFailure;
use crate::drafts::registry::FoundEntry;

pub(crate) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let run = run_of(context, args.shared.run.as_deref())?;
    let client = Client::new(context, &args.network, list.repository())?;
    let options = GatherOptions {
        list,
        run: &run,
        require: &[],
        is_fresh: false,
        only_from: None,
        own: Vec::new(),
        wait: std::time::Duration::ZERO,
    };
    let there = gather::gather(client.gather(), &options)?.entries;
    let (mut chosen, mut seen, mut failures) = (Vec::new(), BTreeSet::new(), Vec::<CommandError>::new());
    for word in &args.what {
        let meant: Vec<&FoundEntry> = there.iter().filter(|found| is_meant(word, found)).collect();
        if meant.is_empty() {
            failures.push(SharedFailure::NoEntry { list: list.to_string(), key: word.clone() }.into());
        }
        chosen.extend(meant.into_iter().filter(|found| seen.insert(found.tag.clone())).cloned());
    }
    if !failures.is_empty() {
        return Err(CommandError::of(failures));
    }
    let cleaned = clean_up::delete(client.gather(), list.repository(), &run, &chosen);
    for tag in &cleaned.deleted {
        context.streams.line(format_args!("Removed {}:{tag}", list.repository()))?;
    }
    cleaned.notes.iter().for_each(|note| context.streams.note(note));
    Ok(())
}

/// Whether a word means an entry: its key, its tag or its platform.
fn is_meant(word: &str, found: &FoundEntry) -> bool {
    let key = &found.entry.name.key;
    let is_platform = || {
        let wanted = PlatformFilter::any(word).ok();
        wanted.is_some_and(|wanted| found.entry.image.platform.as_ref().is_some_and(|own| own.matches(&wanted.parsed)))
    };
    word == key.as_str() || word == found.tag || key.is_platform() && is_platform()
}
