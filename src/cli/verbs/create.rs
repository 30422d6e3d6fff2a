//! `create`: adds all images or none. Everything is fetched before the draft is locked, so that a slow registry blocks
//! no other process. The draft then changes in one step.

use crate::cli::args::Create;
use crate::cli::context::Context;
use crate::cli::verbs::direct_push;
use crate::cli::verbs::named_images::NamedImages;
use crate::cli::verbs::publish_and_report::DraftOrigin;
use crate::content::registry::{ManifestName, RegistryClient};
use crate::core::error::CommandError;
use crate::core::error_parts::NameRole;
use crate::core::image_filters::LocationResult;
use crate::core::json_output::ManifestJson;
use crate::core::requirements;
use crate::core::resolve::new_draft::DraftSources;
use crate::core::resolve::previous_entries::{self, PreviousDescriptors, SourceChange};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::DraftStore;
use crate::location::Location;
use crate::model::Draft;
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Create) -> Result<(), CommandError> {
    let list = args.list.reference_as(NameRole::CreateList)?;
    let store = context.store_with_timeout(args.network.timeout)?;
    // A draft that is replaced need not be readable.
    let stored = if args.replace { None } else { store.load(list)? };
    refuse_without_amend(args, list, stored.as_ref())?;
    let existing = stored.as_ref();
    let named = NamedImages::read(context, &args.images, &args.image_flags, list.repository())?;
    let registry = context.registry_client(&args.network, list.repository())?;
    if args.push && args.publish.to.is_none() {
        direct_push::expect_repositories(&registry, list, &args.publish);
    }
    let access = context.content_access(&registry);
    if !args.push {
        refuse_layouts(&named.arguments)?;
    }
    let is_requested = |image: &LocationResult| needs_fetch(args, existing, image);
    let (sources, _) = named.resolve(access, list.repository(), existing, is_requested, &context.fetch_progress())?;
    let previous = match existing {
        Some(draft) => PreviousDescriptors::resolve(&registry, draft, &sources)?,
        None => PreviousDescriptors::default(),
    };
    let draft_sources = DraftSources { filter: &named.filter, sources: &sources, previous: &previous };
    let may_be_published = args.amend && stored.is_none() && !args.image_flags.offline;
    let is_published = may_be_published && !is_own_source(args, list) && has_published_list(&registry, list);
    let edits = args.list_flags.edits()?;
    let subject = edits.fetch_subject(&registry, list)?;
    let build = |existing: Option<&Draft>| {
        let (mut draft, source_changes) = draft_sources.build(list, existing);
        edits.apply(subject.as_ref(), &mut draft)?;
        requirements::check(&draft, &args.publish.requirements(SpecOrigin::Images))?;
        Ok::<_, CommandError>((draft, source_changes))
    };
    if args.push {
        let (draft, _) = build(None)?;
        direct_push::publish_and_print(context, access, &draft, &args.publish, DraftOrigin::New)?;
        print_source_changes_and_omissions(context, &[], &sources);
        return Ok(());
    }
    let mut built = None;
    if args.replace {
        let (draft, _) = &*built.insert(build(None)?);
        store.replace(draft, &context.wait_notice())?;
    } else {
        store.change(list, &context.wait_notice(), |existing| {
            refuse_without_amend(args, list, existing)?;
            let (draft, _) = &*built.insert(build(existing)?);
            Ok::<_, CommandError>(Some(draft.clone()))
        })?;
    }
    let Some((draft, source_changes)) = built else { return Ok(()) };
    print_source_changes_and_omissions(context, &source_changes, &sources);
    if is_published {
        context.streams.message(format_args!(
            "{list} is published, but there was no draft of it to amend: the new draft has only the images that were \
             named. Make a draft of the published list with: create {list} {list}"
        ));
    }
    match args.publish.format {
        Some(_) => Ok(context
            .streams
            .json(&ManifestJson { requests: registry.requests(), ..ManifestJson::from_draft(&draft)? })?),
        None => Ok(context.streams.line(format_args!("Created manifest list {list}"))?),
    }
}

fn refuse_without_amend(args: &Create, list: &Reference, draft: Option<&Draft>) -> Result<(), CommandError> {
    match draft {
        Some(_) if !args.amend => Err(CommandError::DraftExists { list: list.to_string(), is_push: args.push }),
        _ => Ok(()),
    }
}

/// Whether the list is one of its own sources.
fn is_own_source(args: &Create, list: &Reference) -> bool {
    args.images.iter().any(|image| image.location_result().is_ok_and(|name| name.reference() == Some(list)))
}

/// Whether the registry has the list. A failed request counts as no.
fn has_published_list(registry: &RegistryClient, list: &Reference) -> bool {
    let name = match (list.tag(), list.digest()) {
        (Some(tag), _) => ManifestName::Tag(tag.to_owned()),
        (None, Some(digest)) => ManifestName::Digest(digest.clone()),
        (None, None) => return false,
    };
    registry.manifest_digest(list.repository(), &name).is_ok_and(|found| found.is_some())
}

/// Refuses images in layouts. A draft names only images in registries.
///
/// # Errors
/// The first image that is in a layout.
pub(crate) fn refuse_layouts(images: &[LocationResult]) -> Result<(), CommandError> {
    match images.iter().flatten().find(|image| image.layout().is_some()) {
        Some(layout) => Err(CommandError::InvalidLocation {
            typed: layout.to_string(),
            reason:
                "a draft names only what a registry has; publish layouts in one step with create --push, or send this \
                  one to a registry with copy"
                    .to_owned(),
        }),
        None => Ok(()),
    }
}

/// Whether to request an image from its registry. A draft's entry is reused if its reference cannot have moved, or with
/// `--offline`.
fn needs_fetch(args: &Create, existing: Option<&Draft>, image: &LocationResult) -> bool {
    let Some(image) = image.as_ref().ok().and_then(Location::reference) else { return true };
    let is_known = existing.is_some_and(|draft| previous_entries::can_reuse_source(draft, image));
    let is_fixed = image.digest().is_some() && existing.is_some_and(|draft| draft.get(image).is_some());
    !(is_known && (args.image_flags.offline || is_fixed))
}

/// Prints which tags have moved since the draft was made, and what the draft cannot contain.
pub(crate) fn print_source_changes_and_omissions(
    context: &Context,
    source_changes: &[SourceChange],
    sources: &[ResolvedSource],
) {
    sources.iter().flat_map(|source| &source.omissions).for_each(|omission| context.streams.warning(omission));
    for SourceChange { reference, old, new } in source_changes {
        context.streams.message(format_args!("{reference} moved: {old} → {new}"));
    }
}
