//! `add`: adds images to an existing draft and describes them as the flags say.

use std::collections::BTreeSet;

use crate::cli::args::{Add, RefArg};
use crate::cli::build_files;
use crate::cli::context::Context;
use crate::cli::verbs::annotate::{self, describe};
use crate::cli::verbs::create::tell;
use crate::core::error::CommandError;
use crate::core::error_parts::SpecOrigin;
use crate::core::request::{ImageName, SourceFilter};
use crate::core::requirements::{self, Requirements};
use crate::core::resolve::amend;
use crate::core::resolve::previous::{self, PreviousEntries};
use crate::core::resolve::selection;
use crate::core::resolve::sources::{self, Resolver};
use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Add) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let missing = || CommandError::NotStored(list.to_string());
    let store = context.store_within(args.network.timeout)?;
    let before = store.load(list)?.ok_or_else(missing)?;
    let from = build_files::read(context, &args.from, &args.from_targets, list.repository())?;
    let registry = context.registry(&args.network, list.repository())?;
    let jobs = context.jobs(args.network.jobs)?;
    let typed: Vec<ImageName> = args.images.iter().map(RefArg::name).collect();
    let names: Vec<ImageName> = typed.iter().cloned().chain(from.names()).collect();
    let filter = args.sources.filter();
    let (wanted, targets) = (&filter, vec![list.repository()]);
    let resolver = Resolver { registry: &registry, jobs, wanted, before: Some(&before), targets, beside: None };
    let is_asked =
        |image: &ImageName| !args.offline || !image.as_ref().is_ok_and(|name| previous::knows(&before, name));
    let (images, reused) = previous::split_known(Some(&before), sources::distinct(&names), is_asked);
    let found = resolver.resolve(&images, &reused);
    let mut found = found.map_err(|failure| from.blame(&registry, failure))?;
    let is_typed = |name: &Reference| typed.iter().flatten().any(|own| own == name);
    from.settle(&mut found, &reused, is_typed, |platform| selection::picks(&filter, platform))?;
    let previous = PreviousEntries::resolve(&registry, &before, &found)?;
    let known = reused.iter().flat_map(|reused| &reused.entries).filter(|entry| is_meant(&filter, entry));
    let known: BTreeSet<Reference> = known.map(|entry| entry.reference.clone()).collect();
    let (mut moves, mut notes, mut lines) = (Vec::new(), BTreeSet::new(), Vec::new());
    let is_there = store.add(list, &context.notice(), |draft| {
        let before = draft.clone();
        moves.clear();
        let mut named = known.clone();
        for source in &found {
            moves.extend(amend::merge(draft, source, &filter, &previous));
            let images = source.entries.iter().filter(|entry| is_meant(&filter, entry));
            named.extend(images.flat_map(|image| amend::holders(draft, image)));
        }
        notes = set(draft, &named, args)?;
        let (require, made) = (args.require.as_slice(), SpecOrigin::Images);
        requirements::check(draft, &Requirements { require, exact: false, strict: false, made })?;
        lines = added(&before, draft);
        Ok::<_, CommandError>(())
    })?;
    if !is_there {
        return Err(missing());
    }
    tell(context, &moves, &found);
    notes.iter().for_each(|note| context.streams.note(note));
    for line in lines {
        context.streams.line(line)?;
    }
    Ok(())
}

/// Whether the flags apply to an entry: not to an attestation, and not to an image that the filter left out.
fn is_meant(filter: &SourceFilter, entry: &Entry) -> bool {
    let platform = entry.descriptor.platform.as_ref();
    entry.attests().is_none() && platform.is_none_or(|own| selection::picks(filter, own))
}

/// Applies the flags to every image that was named, under whatever name the draft has it. Returns the lines to print.
fn set(draft: &mut Draft, named: &BTreeSet<Reference>, args: &Add) -> Result<BTreeSet<String>, CommandError> {
    let mut notes = BTreeSet::new();
    if !annotate::says_anything(&args.entry) {
        return Ok(notes);
    }
    for name in named {
        if let Some(mut entry) = draft.get(name).cloned() {
            notes.extend(describe(&mut entry, &args.entry)?);
            draft.insert(entry);
        }
    }
    Ok(notes)
}

fn added(before: &Draft, after: &Draft) -> Vec<String> {
    let is_new = |reference| before.get(reference).is_none();
    let new = after.entries().filter(|entry| is_new(&entry.reference));
    new.map(|entry| match (entry.attests(), &entry.descriptor.platform) {
        (Some(digest), _) => format!("Added {} (attestation of {digest})", entry.reference),
        (None, Some(platform)) if entry.descriptor.has_platform() => format!("Added {} ({platform})", entry.reference),
        (None, _) => format!("Added {}", entry.reference),
    })
    .collect()
}
