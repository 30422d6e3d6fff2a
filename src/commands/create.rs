//! `create`: all images or none. Everything is fetched before the draft is locked, so that a slow registry holds
//! nobody up, and the draft changes in one step.

use std::collections::BTreeSet;

use crate::args::{Create, RefArg};
use crate::commands::error::CommandError;
use crate::commands::fetch::{self, Found, Platforms};
use crate::commands::{Context, parsed, pool};
use crate::document::{Draft, Entry};
use crate::reference::Reference;
use crate::registry::{Access, Registry};

pub(super) fn run(context: &Context, args: &Create) -> Result<(), CommandError> {
    let list = args
        .list
        .parsed
        .as_ref()
        .map_err(|source| CommandError::CreateListName { typed: args.list.typed.clone(), source: source.clone() })?;
    let store = context.store();
    let before = store.draft(list)?;
    refuse_without_amend(args, list, before.as_ref())?;
    let entries = entries(context, args, before.as_ref())?;
    store.change(list, &context.notice(), |before| {
        refuse_without_amend(args, list, before)?;
        let mut draft = before.cloned().unwrap_or_else(|| Draft::new(list.clone()));
        for entry in &entries {
            // What came in meanwhile may have been annotated already; what is there stays, as docker has it.
            if !draft.get(&entry.reference).is_some_and(Entry::has_raw) {
                draft.insert(entry.clone())?;
            }
        }
        Ok::<_, CommandError>(Some(draft))
    })?;
    Ok(context.streams.line(format_args!("Created manifest list {list}"))?)
}

fn refuse_without_amend(args: &Create, list: &Reference, draft: Option<&Draft>) -> Result<(), CommandError> {
    match draft {
        Some(_) if !args.amend => Err(CommandError::Exists { list: list.to_string() }),
        _ => Ok(()),
    }
}

/// The entries in the order of the arguments: what the draft has stays, the rest is fetched, nothing twice.
fn entries(context: &Context, args: &Create, before: Option<&Draft>) -> Result<Vec<Entry>, CommandError> {
    let kept = |image: &Reference| before.and_then(|draft| draft.get(image)).filter(|entry| entry.has_raw());
    let mut seen = BTreeSet::new();
    let images: Vec<&RefArg> =
        args.images.iter().filter(|image| image.parsed.as_ref().map_or(true, |image| seen.insert(image))).collect();
    let registry = context.registry(args.network.insecure);
    let jobs = context.jobs(args.network.jobs)?;
    let wanted: Vec<&Reference> = seen.into_iter().filter(|image| kept(image).is_none()).collect();
    for image in &wanted {
        registry.announce(image.repository(), Access::Pull);
        let together = wanted.iter().filter(|other| other.repository().domain() == image.repository().domain());
        registry.expect(image.repository(), together.count().min(jobs.get()));
    }
    let platforms = Platforms::new(&registry);
    let entries = pool::in_order(jobs, &images, |image| {
        let image = parsed(image)?;
        match kept(image) {
            Some(entry) => Ok(entry.clone()),
            None => fetched(&registry, &platforms, image),
        }
    });
    entries.map_err(CommandError::of)
}

fn fetched(registry: &Registry, platforms: &Platforms<'_>, image: &Reference) -> Result<Entry, CommandError> {
    match fetch::manifest(registry, image)? {
        Found::Image(schema, fetched) => {
            let platform = platforms.of(image, &fetched.bytes)?;
            Ok(Entry::fetched(image.clone(), schema, fetched.bytes, Some(platform)))
        }
        Found::List(_) => Err(CommandError::IsList(image.to_string())),
    }
}
