//! `add`: adds images to an existing draft and describes them as the flags say.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::auth::Access;
use crate::cli::args::{Add, LocationArg, Publish};
use crate::cli::build_files;
use crate::cli::context::Context;
use crate::cli::verbs::annotate::{self, describe};
use crate::cli::verbs::create::{refuse_layouts, tell};
use crate::cli::verbs::one_step;
use crate::cli::verbs::publish::Reporter;
use crate::core::artifact::{Artifact, ArtifactFile};
use crate::core::build_outputs::BuildOutputs;
use crate::core::error::CommandError;
use crate::core::error_parts::SpecOrigin;
use crate::core::layouts::Layouts;
use crate::core::place::ContentAccess;
use crate::core::request::{ImageName, SourceFilter};
use crate::core::requirements::{self, Requirements};
use crate::core::resolve::amend;
use crate::core::resolve::previous::{self, PreviousEntries, SourceChange};
use crate::core::resolve::selection;
use crate::core::resolve::source::ResolvedSource;
use crate::core::resolve::sources::{self, Resolver};
use crate::drafts::DraftStore;
use crate::location::Location;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Add) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let from = || build_files::read(context, &args.from, &args.from_targets, list.repository());
    if args.push {
        let from = from()?;
        let mut told = None;
        one_step::change(context, &args.network, &args.publish, list, |access, before| {
            let addition = Addition::resolve(context, access, (args, &from), before)?;
            let mut draft = before.clone();
            let added = addition.apply(&mut draft, args)?;
            told = Some((addition, added));
            Ok(draft)
        })?;
        // Only now: the first line of a failure is the failure.
        if let Some((addition, added)) = &told {
            tell(context, &added.moves, &addition.sources);
            added.notes.iter().chain(&added.lines).for_each(|line| context.streams.note(line));
        }
        return Ok(());
    }
    let missing = || CommandError::NotStored(list.to_string());
    refuse_layouts(&args.images.iter().map(LocationArg::name).collect::<Vec<_>>())?;
    let store = context.store_within(args.network.timeout)?;
    let before = store.load(list)?.ok_or_else(missing)?;
    let from = from()?;
    let registry = context.registry(&args.network, list.repository())?;
    let access = ContentAccess { registry: &registry, layouts: &Layouts::default() };
    let addition = Addition::resolve(context, access, (args, &from), &before)?;
    let mut added = Added::default();
    let is_there = store.add(list, &context.notice(), |draft| {
        added = addition.apply(draft, args)?;
        Ok::<_, CommandError>(())
    })?;
    if !is_there {
        return Err(missing());
    }
    tell(context, &added.moves, &addition.sources);
    added.notes.iter().for_each(|note| context.streams.note(note));
    for line in added.lines {
        context.streams.line(line)?;
    }
    Ok(())
}

/// The images to add, as their registries serve them.
struct Addition {
    filter: SourceFilter,
    sources: Vec<ResolvedSource>,
    previous: PreviousEntries,
    /// Entries of the draft that were named and not requested.
    known: BTreeSet<Reference>,
    /// The artifact of the files, which the repository has.
    artifact: Option<Entry>,
}

/// What an addition changes.
#[derive(Default)]
struct Added {
    moves: Vec<SourceChange>,
    notes: BTreeSet<String>,
    /// A line for each entry that is new.
    lines: Vec<String>,
}

impl Addition {
    fn resolve(
        context: &Context,
        access: ContentAccess<'_>,
        (args, from): (&Add, &BuildOutputs),
        before: &Draft,
    ) -> Result<Addition, CommandError> {
        let packed = packed(context, args)?;
        if packed.is_some() {
            // One token is for the images and the artifact.
            access.registry.announce(before.reference.repository(), Access::PullPush);
        }
        let typed: Vec<ImageName> = args.images.iter().map(|word| context.image(word)).collect();
        let names: Vec<ImageName> = typed.iter().cloned().chain(from.names()).collect();
        let filter = args.sources.filter();
        let (wanted, targets) = (&filter, vec![before.reference.repository()]);
        let (before_it, beside, progress) = (Some(before), None, &context.fetches());
        let resolver = Resolver { access, wanted, before: before_it, targets, beside, progress };
        let is_asked = |image: &ImageName| {
            !args.offline
                || !image.as_ref().is_ok_and(|name| name.reference().is_some_and(|name| previous::knows(before, name)))
        };
        let (images, reused) = previous::split_known(Some(before), sources::distinct(&names), is_asked);
        let found = resolver.resolve(&images, &reused);
        let mut found = found.map_err(|failure| from.blame(access.registry, failure))?;
        let is_typed = |name: &Location| typed.iter().flatten().any(|own| own == name);
        from.settle(&mut found, &reused, is_typed, |platform| selection::picks(&filter, platform))?;
        let previous = PreviousEntries::resolve(access.registry, before, &found)?;
        let known = reused.iter().flat_map(|reused| &reused.entries).filter(|entry| is_meant(&filter, entry));
        let known = known.map(|entry| entry.reference.clone()).collect();
        let reporter = Reporter { context, is_quiet: args.publish.quiet };
        let send = |packed: Artifact| packed.push(access.registry, before.reference.repository(), &reporter);
        let artifact = packed.map(send).transpose()?;
        Ok(Addition { filter, sources: found, previous, known, artifact })
    }

    fn apply(&self, draft: &mut Draft, args: &Add) -> Result<Added, CommandError> {
        let (before, mut moves, mut named) = (draft.clone(), Vec::new(), self.known.clone());
        for source in &self.sources {
            moves.extend(amend::merge(draft, source, &self.filter, &self.previous));
            let images = source.entries.iter().filter(|entry| is_meant(&self.filter, entry));
            named.extend(images.flat_map(|image| amend::holders(draft, image)));
        }
        if let Some(artifact) = &self.artifact {
            named.insert(artifact.reference.clone());
            draft.insert(artifact.clone());
        }
        let notes = set(draft, &named, args)?;
        let (Publish { require, exact, strict, .. }, made) = (&args.publish, SpecOrigin::Images);
        requirements::check(draft, &Requirements { require, exact: *exact, strict: *strict, made })?;
        Ok(Added { moves, notes, lines: added(&before, draft) })
    }
}

/// The files of `--artifact`, read and not sent.
fn packed(context: &Context, args: &Add) -> Result<Option<Artifact>, CommandError> {
    let Some(artifact_type) = args.entry.artifact_type.as_ref().filter(|_| !args.artifacts.is_empty()) else {
        return Ok(None);
    };
    let own = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let file = |(place, path): (usize, &PathBuf)| ArtifactFile {
        path: context.env.typed(path).to_owned(),
        title: args.artifact_titles.get(place).cloned().unwrap_or_else(|| own(path)),
    };
    let files: Vec<ArtifactFile> = args.artifacts.iter().enumerate().map(file).collect();
    let file_type = args.artifact_media_type.as_deref().unwrap_or("application/octet-stream");
    Artifact::pack(&files, artifact_type, file_type).map(Some)
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
