//! `create`: adds all images or none. Everything is fetched before the draft is locked, so that a slow registry blocks
//! no other process. The draft then changes in one step.

use crate::cli::args::{Create, Publish};
use crate::cli::build_files;
use crate::cli::context::Context;
use crate::cli::verbs::{list_flags, one_step};
use crate::content::registry::{ManifestName, Registry};
use crate::core::error::CommandError;
use crate::core::error_parts::{NameRole, SpecOrigin};
use crate::core::layouts::Layouts;
use crate::core::listing::Listing;
use crate::core::place::ContentAccess;
use crate::core::request::ImageName;
use crate::core::requirements::{self, Requirements};
use crate::core::resolve::new_draft::DraftSources;
use crate::core::resolve::previous::{self, PreviousEntries, SourceChange};
use crate::core::resolve::selection;
use crate::core::resolve::source::ResolvedSource;
use crate::core::resolve::sources::{self, Resolver};
use crate::drafts::DraftStore;
use crate::location::Location;
use crate::model::Draft;
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Create) -> Result<(), CommandError> {
    let list = args.list.reference_as(NameRole::CreateList)?;
    let store = context.store_within(args.network.timeout)?;
    // A draft that is replaced need not be readable.
    let stored = if args.replace { None } else { store.load(list)? };
    refuse_without_amend(args, list, stored.as_ref())?;
    let before = stored.as_ref();
    let from = build_files::read(context, &args.from, &args.from_targets, list.repository())?;
    let registry = context.registry(&args.network, list.repository())?;
    if args.push && args.publish.to.is_none() {
        one_step::announce(&registry, list, &args.publish);
    }
    let access = ContentAccess { registry: &registry, layouts: &Layouts::default() };
    let named: Vec<ImageName> = args.images.iter().map(|word| context.image(word)).collect();
    if !args.push {
        refuse_layouts(&named)?;
    }
    let names: Vec<ImageName> = named.iter().cloned().chain(from.names()).collect();
    let filter = args.sources.filter();
    let (images, reused) = previous::split_known(before, sources::distinct(&names), |image| asks(args, before, image));
    let (targets, wanted, fetches) = (vec![list.repository()], &filter, context.fetches());
    let progress = &fetches;
    let resolver = Resolver { access, wanted, before, targets, beside: None, progress };
    let found = resolver.resolve(&images, &reused);
    drop(fetches);
    let mut found = found.map_err(|failure| from.blame(&registry, failure))?;
    let is_named = |name: &Location| named.iter().flatten().any(|own| own == name);
    from.settle(&mut found, &reused, is_named, |platform| selection::picks(&filter, platform))?;
    let previous = match before {
        Some(draft) => PreviousEntries::resolve(&registry, draft, &found)?,
        None => PreviousEntries::default(),
    };
    let made = DraftSources { filter: &filter, sources: &found, previous: &previous };
    let is_published =
        args.amend && stored.is_none() && !args.offline && !names_itself(args, list) && is_there(&registry, list);
    let mut outcome = None;
    let subject = list_flags::subject(&registry, list, args.list_flags.subject.as_ref())?;
    let describe = |draft: &mut Draft| list_flags::apply(&args.list_flags, subject.as_ref(), draft);
    if args.push {
        let (mut draft, _) = made.draft(list, None);
        describe(&mut draft)?;
        require(&draft, args)?;
        one_step::publish_new(context, access, &draft, &args.publish)?;
        tell(context, &[], &found);
        return Ok(());
    }
    if args.replace {
        let (mut draft, moves) = made.draft(list, None);
        describe(&mut draft)?;
        require(&draft, args)?;
        store.replace(&draft, &context.notice())?;
        outcome = Some((draft, moves));
    } else {
        store.change(list, &context.notice(), |before| {
            refuse_without_amend(args, list, before)?;
            let (mut draft, moves) = made.draft(list, before);
            describe(&mut draft)?;
            require(&draft, args)?;
            outcome = Some((draft.clone(), moves));
            Ok::<_, CommandError>(Some(draft))
        })?;
    }
    let Some((draft, moves)) = outcome else { return Ok(()) };
    tell(context, &moves, &found);
    if is_published {
        context.streams.note(format_args!(
            "{list} is published, but there was no draft of it to amend: this one has only the images that were named. \
             A draft of what is published is made with: create {list} {list}"
        ));
    }
    match args.publish.format {
        Some(_) => Ok(context.streams.json(&Listing::of(&draft, registry.requests())?)?),
        None => Ok(context.streams.line(format_args!("Created manifest list {list}"))?),
    }
}

/// Whether the draft will have all platforms that it must have: where it lacks one, there is no draft.
fn require(draft: &Draft, args: &Create) -> Result<(), CommandError> {
    let (Publish { require, exact, strict, .. }, made) = (&args.publish, SpecOrigin::Images);
    requirements::check(draft, &Requirements { require, exact: *exact, strict: *strict, made }).map(drop)
}

fn refuse_without_amend(args: &Create, list: &Reference, draft: Option<&Draft>) -> Result<(), CommandError> {
    match draft {
        Some(_) if !args.amend => Err(CommandError::Exists { list: list.to_string() }),
        _ => Ok(()),
    }
}

/// Whether the list is one of its own sources.
fn names_itself(args: &Create, list: &Reference) -> bool {
    args.images.iter().any(|image| image.name().is_ok_and(|name| name.reference() == Some(list)))
}

/// Whether the registry has the list. A failed request counts as no.
fn is_there(registry: &Registry, list: &Reference) -> bool {
    let name = match (list.tag(), list.digest()) {
        (Some(tag), _) => ManifestName::Tag(tag.to_owned()),
        (None, Some(digest)) => ManifestName::Digest(digest.clone()),
        (None, None) => return false,
    };
    registry.has_manifest(list.repository(), &name).is_ok_and(|found| found.is_some())
}

/// A draft names what registries have: an image in a layout has no reference yet.
///
/// # Errors
/// The first image that is in a layout.
pub(crate) fn refuse_layouts(images: &[ImageName]) -> Result<(), CommandError> {
    match images.iter().flatten().find(|image| image.layout().is_some()) {
        Some(layout) => Err(CommandError::Location {
            typed: layout.to_string(),
            why:
                "a draft names only what a registry has; publish layouts in one step with create --push, or send this \
                  one to a registry with copy"
                    .to_owned(),
        }),
        None => Ok(()),
    }
}

/// Whether to request an image from its registry. A draft's entry is reused if its reference cannot have moved, or with
/// `--offline`.
fn asks(args: &Create, before: Option<&Draft>, image: &ImageName) -> bool {
    let Some(image) = image.as_ref().ok().and_then(Location::reference) else { return true };
    let is_known = before.is_some_and(|draft| previous::knows(draft, image));
    let is_fixed = image.digest().is_some() && before.is_some_and(|draft| draft.get(image).is_some());
    !(is_known && (args.offline || is_fixed))
}

/// Prints which tags have moved since the draft was made, and what could not be carried over.
pub(crate) fn tell(context: &Context, moves: &[SourceChange], found: &[ResolvedSource]) {
    for left_out in found.iter().flat_map(|source| &source.left_out) {
        context.streams.note(format_args!("warning: {left_out}"));
    }
    for SourceChange { reference, old, new } in moves {
        context.streams.note(format_args!("{reference} moved: {old} → {new}"));
    }
}
