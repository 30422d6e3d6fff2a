//! `remove --shared`: takes entries back, by platform or by key.

use std::collections::BTreeSet;

use crate::cli::args::Remove;
use crate::cli::context::Context;
use crate::cli::verbs::shared_drafts::{SharedClient, pipeline_run};
use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::shared_draft_error::SharedDraftError;
use crate::drafts::registry::FoundEntry;

pub(crate) fn run(context: &Context, args: &Remove) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let run = pipeline_run(context, args.shared.run.as_deref())?;
    let client = SharedClient::new(context, &args.network, list.repository())?;
    let entries = client.collect_present_entries(list, &run, &[])?.entries;
    let select = |selector: &String| {
        let selected: Vec<&FoundEntry> = entries.iter().filter(|entry| is_selected(selector, entry)).collect();
        let none = || SharedDraftError::NoEntry { list: list.to_string(), key: selector.clone() }.into();
        if selected.is_empty() { Err(none()) } else { Ok(selected) }
    };
    let selected = CommandError::collect(args.selectors.iter().map(select))?;
    let mut seen = BTreeSet::new();
    let selected = selected.into_iter().flatten().filter(|entry| seen.insert(&entry.tag)).cloned();
    client.delete_and_print(list.repository(), &run, &selected.collect::<Vec<_>>())
}

/// Whether a selector matches an entry: by its key, its tag or its platform.
fn is_selected(selector: &str, found: &FoundEntry) -> bool {
    let key = &found.entry.name.key;
    let is_platform = || {
        let filter = PlatformFilter::parse(selector).ok();
        filter.is_some_and(|filter| {
            found.entry.image.platform.as_ref().is_some_and(|platform| platform.matches(&filter.parsed))
        })
    };
    selector == key.as_str() || selector == found.tag || key.is_platform() && is_platform()
}
