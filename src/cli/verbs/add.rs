//! `add`: adds images to an existing draft and describes them as the flags say.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::auth::Access;
use crate::cli::args::{Add, LocationArg};
use crate::cli::context::Context;
use crate::cli::verbs::annotate::annotate_entries;
use crate::cli::verbs::create::{print_source_changes_and_omissions, refuse_layouts};
use crate::cli::verbs::direct_push;
use crate::cli::verbs::named_images::NamedImages;
use crate::cli::verbs::publish_and_report::StreamReporter;
use crate::core::artifact::{Artifact, ArtifactFile};
use crate::core::error::CommandError;
use crate::core::image_filters::{LocationResult, SourceFilter};
use crate::core::image_source::ContentAccess;
use crate::core::requirements;
use crate::core::resolve::amend;
use crate::core::resolve::entries_of_same_image;
use crate::core::resolve::previous_entries::{self, PreviousDescriptors, SourceChange};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::selection;
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::DraftStore;
use crate::location::Location;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Add) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let named = || NamedImages::read(context, &args.images, &args.image_flags, list.repository());
    if args.push {
        let named = named()?;
        let mut applied = None;
        direct_push::change_published(context, &args.network, &args.publish, list, |access, published| {
            let addition = Addition::resolve_and_push_artifact(context, access, (args, &named), published)?;
            let mut draft = published.clone();
            let mut added = addition.apply(&mut draft, args)?;
            let duplicates = amend::remove_duplicates(published, &mut draft);
            added.lines = added_lines(published, &draft, if args.publish.dry_run { "Would add" } else { "Added" });
            added.lines.extend(duplicates.iter().map(|duplicate| format!("{duplicate} is in {list} already")));
            applied = Some((addition, added));
            Ok(draft)
        })?;
        // Not before: the first line of a failure must be the failure.
        if let Some((addition, added)) = &applied {
            print_source_changes_and_omissions(context, &added.source_changes, &addition.sources);
            added.notes.iter().chain(&added.lines).for_each(|line| context.streams.message(line));
        }
        return Ok(());
    }
    let missing = || CommandError::NoSuchDraftOrImage(list.to_string());
    refuse_layouts(&args.images.iter().map(LocationArg::location_result).collect::<Vec<_>>())?;
    let store = context.store_with_timeout(args.network.timeout)?;
    let existing = store.load(list)?.ok_or_else(missing)?;
    let named = named()?;
    let registry = context.registry_client(&args.network, list.repository())?;
    let access = context.content_access(&registry);
    let addition = Addition::resolve_and_push_artifact(context, access, (args, &named), &existing)?;
    let mut added = AdditionResult::default();
    let is_stored = store.add_entries(list, &context.wait_notice(), |draft| {
        added = addition.apply(draft, args)?;
        Ok::<_, CommandError>(())
    })?;
    if !is_stored {
        return Err(missing());
    }
    print_source_changes_and_omissions(context, &added.source_changes, &addition.sources);
    added.notes.iter().for_each(|note| context.streams.message(note));
    for line in added.lines {
        context.streams.line(line)?;
    }
    Ok(())
}

/// The images to add, as their registries serve them.
struct Addition {
    filter: SourceFilter,
    sources: Vec<ResolvedSource>,
    previous: PreviousDescriptors,
    /// Entries of the draft that were named but not requested.
    reused: BTreeSet<Reference>,
    /// The artifact with the files of `--artifact`. It is in the repository.
    artifact: Option<Entry>,
}

/// What an addition changes.
#[derive(Default)]
struct AdditionResult {
    source_changes: Vec<SourceChange>,
    notes: BTreeSet<String>,
    /// A line for each entry that is new.
    lines: Vec<String>,
}

impl Addition {
    fn resolve_and_push_artifact(
        context: &Context,
        content_access: ContentAccess<'_>,
        (args, named): (&Add, &NamedImages),
        existing: &Draft,
    ) -> Result<Addition, CommandError> {
        let artifact = pack_artifact(context, args)?;
        if artifact.is_some() {
            // One token is for the images and the artifact.
            content_access.registry.expect_access(existing.reference.repository(), Access::PullPush);
        }
        let is_requested = |image: &LocationResult| {
            let reference = image.as_ref().ok().and_then(Location::reference);
            !args.image_flags.offline
                || !reference.is_some_and(|name| previous_entries::can_reuse_source(existing, name))
        };
        let target = existing.reference.repository();
        let (sources, reused) =
            named.resolve(content_access, target, Some(existing), is_requested, &context.fetch_progress())?;
        let filter = named.filter.clone();
        let previous = PreviousDescriptors::resolve(content_access.registry, existing, &sources)?;
        let reused = reused.iter().flat_map(|reused| &reused.entries).filter(|entry| takes_entry_flags(&filter, entry));
        let reused = reused.map(|entry| entry.reference.clone()).collect();
        let reporter = StreamReporter { context, is_quiet: args.publish.quiet, is_verbose: args.publish.verbose };
        let push = |artifact: Artifact| artifact.push(content_access.registry, &*context.clock, target, &reporter);
        let artifact = artifact.map(push).transpose()?;
        Ok(Addition { filter, sources, previous, reused, artifact })
    }

    fn apply(&self, draft: &mut Draft, args: &Add) -> Result<AdditionResult, CommandError> {
        let (before, mut source_changes, mut described) = (draft.clone(), Vec::new(), self.reused.clone());
        for source in &self.sources {
            source_changes.extend(amend::merge(draft, source, &self.filter, &self.previous));
            let images = source.entries.iter().filter(|entry| takes_entry_flags(&self.filter, entry));
            described.extend(images.flat_map(|image| entries_of_same_image::names_in_draft(draft, image)));
        }
        if let Some(artifact) = &self.artifact {
            described.insert(artifact.reference.clone());
            draft.insert(artifact.clone());
        }
        let mut notes = BTreeSet::new();
        annotate_entries(draft, &described, &args.entry, |note| _ = notes.insert(note))?;
        requirements::check(draft, &args.publish.requirements(SpecOrigin::Images))?;
        Ok(AdditionResult { source_changes, notes, lines: added_lines(&before, draft, "Added") })
    }
}

/// Reads the files of `--artifact` and packs them. Sends nothing.
fn pack_artifact(context: &Context, args: &Add) -> Result<Option<Artifact>, CommandError> {
    let Some(artifact_type) = args.entry.artifact_type.as_ref().filter(|_| !args.artifacts.is_empty()) else {
        return Ok(None);
    };
    let file_name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let file = |(number, path): (usize, &PathBuf)| ArtifactFile {
        path: context.env.original_path(path).to_owned(),
        title: args.artifact_titles.get(number).cloned().unwrap_or_else(|| file_name(path)),
    };
    let files: Vec<ArtifactFile> = args.artifacts.iter().enumerate().map(file).collect();
    let file_type = args.artifact_media_type.as_deref().unwrap_or("application/octet-stream");
    Artifact::pack(&files, artifact_type, file_type).map(Some)
}

/// Whether the flags apply to an entry. They do not apply to attestations and to images that the filter leaves out.
fn takes_entry_flags(filter: &SourceFilter, entry: &Entry) -> bool {
    let platform = entry.descriptor.platform.as_ref();
    !entry.is_attestation() && platform.is_none_or(|platform| selection::selects_platform(filter, platform))
}

/// A line for each entry that is new.
fn added_lines(before: &Draft, after: &Draft, verb: &str) -> Vec<String> {
    let is_new = |reference| before.get(reference).is_none();
    let new = after.entries_in_key_order().filter(|entry| is_new(&entry.reference));
    new.map(|entry| match (entry.attested_digest(), &entry.descriptor.platform) {
        (Some(digest), _) => format!("{verb} {} (attestation of {digest})", entry.reference),
        (None, Some(platform)) if entry.descriptor.has_non_empty_platform() => {
            format!("{verb} {} ({platform})", entry.reference)
        }
        (None, _) => format!("{verb} {}", entry.reference),
    })
    .collect()
}
