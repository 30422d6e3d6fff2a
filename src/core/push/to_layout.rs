//! `--to`: writes a list, with everything that it names, into an OCI layout. Nothing is sent to the list's registry.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::content::oci_layout::{Layout, LayoutSink, LockWait};
use crate::content::registry::{Blob, BlobCopy, ManifestName};
use crate::content::{ContentError, ContentSink, ContentSource, Referrer, RegistryRepository};
use crate::core::error::CommandError;
use crate::core::json_output::{PlannedTransfer, TransferMethod};
use crate::core::push::blob_collector::{PlannedBlob, archive_dependencies};
use crate::core::push::index_diff;
use crate::core::push::options::{PushContext, PushOptions};
use crate::core::push::outcome::{
    CopiedBlobs, DryRun, PlannedTagChange, PlannedTagChangeKind, PushOutcome, ReadBackCounts,
};
use crate::core::push::plan::{PlannedManifest, PushPlan};
use crate::core::push::read_back::ReadBack;
use crate::core::push::reporter::TransferProgress;
use crate::core::push::tags::TagArg;
use crate::core::push::to_registries::report_referrers;
use crate::core::referrers::{CollectedReferrer, ReferrerCollector};
use crate::core::requirements;
use crate::core::spec_origin::SpecOrigin;
use crate::digest::Digest;
use crate::location::LayoutReference;
use crate::model::Draft;
use crate::model::index::Index;
use crate::net::{RegistryErrorKind, tasks};
use crate::sanitize;

/// A list that is written into a layout.
pub(crate) struct LayoutPush<'a> {
    pub(crate) context: PushContext<'a>,
    pub(crate) draft: &'a Draft,
    pub(crate) options: &'a PushOptions,
    /// The layout, with the name that the list gets there, if the user gave one.
    pub(crate) layout: &'a LayoutReference,
}

/// The content of the layout before the push.
struct LayoutState {
    /// The digest of each name, in the order of the names.
    name_digests: Vec<Option<Digest>>,
    /// The blobs and manifests.
    present: BTreeSet<Digest>,
}

impl LayoutPush<'_> {
    /// Writes the list; a dry run only reports what would be written. The name is written last.
    ///
    /// # Errors
    /// A draft that cannot become the requested list; the sources; a layout that cannot be written.
    pub(crate) fn run(&self) -> Result<PushOutcome, CommandError> {
        let PushContext { registry, layouts, reporter, .. } = self.context;
        let requests_before = registry.requests();
        let warnings = requirements::check(self.draft, &self.options.requirements(SpecOrigin::Draft))?;
        let names = self.names()?;
        // A draft may lack the bytes of opaque manifests that are in its own repository.
        let draft = self.fetch_opaque_manifests()?;
        let mut plan = PushPlan::for_target(&draft, &draft.reference, self.options.list_format, &[], layouts, true)?;
        if let Some(note) = &plan.list.note {
            reporter.note(&sanitize::line(note).to_string());
        }
        if let Some(digest) = self.layout.digest.as_ref().filter(|digest| **digest != plan.list.digest) {
            let target = format!("{} ({digest})", self.layout.typed_layout());
            return Err(CommandError::OtherDigestInName { target, digest: plan.list.digest.clone() });
        }
        let (filter, list) = (&self.options.referrers, plan.list.digest.clone());
        let collector = ReferrerCollector::new(self.context.content_access(), filter, &draft, &list, Vec::new());
        let referrers = collector.collect()?;
        plan.add_referrers(&referrers)?;
        let notice = |line: &str| reporter.note(line);
        let lock_wait = LockWait { limit: registry.time_limit(), notice: &notice };
        let sink = LayoutSink::open(self.layout, lock_wait)?;
        let state = self.read_state(&sink, &plan, &names)?;
        let is_unchanged = state.name_digests.iter().all(|now| now.as_ref() == Some(&plan.list.digest))
            && plan
                .manifests
                .iter()
                .all(|manifest| manifest.reference.digest().is_some_and(|digest| state.present.contains(digest)))
            && plan.blobs.iter().all(|blob| state.present.contains(&blob.digest));
        let mut outcome = self.outcome(&draft, &plan, &names);
        outcome.unchanged = is_unchanged;
        outcome.warnings = warnings;
        if self.options.dry_run {
            self.preview(&plan, &state, &names, &mut outcome)?;
        } else if !is_unchanged {
            outcome.copied = self.send((sink, lock_wait), &plan, &state, &names)?;
        }
        if self.options.verify {
            outcome.verified = Some(self.verify(&plan, &names)?);
        }
        let referrers: Vec<&CollectedReferrer<'_>> = referrers.iter().collect();
        report_referrers(self.context, &collector, self.options, &referrers, &mut outcome);
        outcome.requests = registry.requests().saturating_sub(requests_before);
        Ok(outcome)
    }

    /// The names that the list gets: that of the layout's name, else the list's tag; then those of `--tag`.
    fn names(&self) -> Result<Vec<String>, CommandError> {
        let own_name =
            self.layout.tag.as_deref().or(self.draft.reference.tag().filter(|_| self.layout.digest.is_none()));
        let mut names: Vec<String> = own_name.map(str::to_owned).into_iter().collect();
        for tag in &self.options.tags {
            match tag {
                TagArg::Tag(tag) if !names.contains(tag) => names.push(tag.clone()),
                TagArg::Tag(_) => {}
                TagArg::Reference(reference) => {
                    let reason = format!("{reference} is in a registry, and --to writes into a layout alone");
                    return Err(CommandError::InvalidLocation { typed: self.layout.to_string(), reason });
                }
            }
        }
        Ok(names)
    }

    /// The draft with the bytes of the manifests of all opaque descriptors.
    fn fetch_opaque_manifests(&self) -> Result<Cow<'_, Draft>, CommandError> {
        if self.draft.opaque_descriptors.iter().all(|opaque| opaque.raw.is_some()) {
            return Ok(Cow::Borrowed(self.draft));
        }
        let mut draft = self.draft.clone();
        for opaque in draft.opaque_descriptors.iter_mut().filter(|opaque| opaque.raw.is_none()) {
            let name = opaque.source.repository().at_digest(&opaque.descriptor.digest);
            opaque.raw = Some(self.context.registry.manifest(&name)?.bytes);
        }
        Ok(Cow::Owned(draft))
    }

    fn read_state(
        &self,
        sink: &LayoutSink<'_>,
        plan: &PushPlan<'_>,
        names: &[String],
    ) -> Result<LayoutState, CommandError> {
        let by_digest = ManifestName::Digest(plan.list.digest.clone());
        let queries: Vec<ManifestName> = match names {
            [] => vec![by_digest],
            names => names.iter().cloned().map(ManifestName::Tag).collect(),
        };
        let digests = queries.iter().map(|name| sink.current_digest(name)).collect::<Result<_, _>>()?;
        let manifests = plan.manifests.iter().filter(|manifest| !manifest.is_referrer);
        let manifests =
            manifests.filter_map(|manifest| Some((manifest.reference.digest()?, Some(manifest.bytes.len() as u64))));
        let blobs = plan.blobs.iter().map(|blob| (&blob.digest, blob.size));
        let needed: Vec<Blob<'_>> = manifests.chain(blobs).map(|(digest, size)| Blob { digest, size }).collect();
        let has = |blob: &Blob<'_>| sink.has_blob(blob).map_err(CommandError::from);
        let found = CommandError::collect_parallel(self.context.registry.jobs(), &needed, has)?;
        let present = needed.iter().zip(found).filter(|(_, is_present)| *is_present);
        let mut present: BTreeSet<Digest> = present.map(|(blob, _)| blob.digest.clone()).collect();
        for referrer in plan.referrers() {
            let Some(digest) = referrer.reference.digest() else { continue };
            let tags = referrer.tag_names();
            let mut is_present = sink.has_referrer(&to_referrer(referrer, digest, &tags))?;
            for tag in tags {
                is_present &= sink.current_digest(&ManifestName::Tag(tag))?.as_ref() == Some(digest);
            }
            present.extend(is_present.then(|| digest.clone()));
        }
        Ok(LayoutState { name_digests: digests, present })
    }

    fn outcome(&self, draft: &Draft, plan: &PushPlan<'_>, names: &[String]) -> PushOutcome {
        let mut outcome = PushOutcome::from_plan(draft, plan);
        for (image, child) in outcome.platforms.iter_mut().zip(&plan.children) {
            image.reference = self.layout.at_digest(&child.entry.descriptor.digest).to_string();
        }
        let name = names.first().map_or_else(String::new, |name| format!(":{name}"));
        outcome.reference = format!("{}{name}", self.layout.typed_layout());
        outcome.tags = names.to_vec();
        outcome.pushed_refs = Vec::new();
        outcome
    }

    /// Adds to the outcome what would be copied, and the present content of the names.
    fn preview(
        &self,
        plan: &PushPlan<'_>,
        state: &LayoutState,
        names: &[String],
        outcome: &mut PushOutcome,
    ) -> Result<(), CommandError> {
        let is_missing = |blob: &&PlannedBlob<'_>| !state.present.contains(&blob.digest);
        let bytes = |blobs: &mut dyn Iterator<Item = &PlannedBlob<'_>>| {
            blobs.filter_map(|blob| blob.size).fold(0, u64::saturating_add)
        };
        let missing: Vec<&PlannedBlob<'_>> = plan.blobs.iter().filter(is_missing).collect();
        outcome.copied = CopiedBlobs { blobs: missing.len() as u64, bytes: bytes(&mut missing.iter().copied()) };
        for (image, child) in outcome.platforms.iter_mut().zip(&plan.children) {
            let Some(manifest) = child.manifest.and_then(|position| plan.manifests.get(position)) else { continue };
            let is_present = state.present.contains(&child.entry.descriptor.digest);
            let how = if is_present { TransferMethod::InPlace } else { TransferMethod::Copy };
            let mut blob_positions =
                manifest.blob_positions.iter().filter_map(|position| plan.blobs.get(*position)).filter(is_missing);
            let origin = if is_present { self.layout.typed_layout().to_owned() } else { manifest.source.to_string() };
            image.transfer = Some(PlannedTransfer { how, repository: origin, bytes: bytes(&mut blob_positions) });
        }
        let change = |(tag, now): (&String, &Option<Digest>)| {
            let change = match now {
                None => PlannedTagChangeKind::New,
                Some(now) if *now == plan.list.digest => PlannedTagChangeKind::Unchanged,
                Some(_) => PlannedTagChangeKind::Moved,
            };
            PlannedTagChange { tag: tag.clone(), change, now: now.as_ref().map(Digest::to_string) }
        };
        let tag_changes = names.iter().zip(&state.name_digests).map(change).collect();
        let current = state.name_digests.first().and_then(Option::as_ref);
        let before = current.map(|digest| self.index(digest)).transpose()?;
        let changes = index_diff::compare(before.as_ref(), &plan.index()?);
        outcome.dry_run = true;
        outcome.preview = Some(DryRun { tag_changes, referrers_tags: Vec::new(), changes });
        Ok(())
    }

    /// The index that a name selects now; an empty one for an image.
    fn index(&self, digest: &Digest) -> Result<Index, CommandError> {
        let fetched = Layout::open(self.layout)?.manifest(&ManifestName::Digest(digest.clone()))?;
        let index = Index::decode(&fetched.bytes).unwrap_or_default();
        Ok(Index { media_type: fetched.media_type, ..index })
    }

    /// Writes the blobs, then the manifests, then the names.
    fn send(
        &self,
        (sink, lock_wait): (LayoutSink<'_>, LockWait<'_>),
        plan: &PushPlan<'_>,
        state: &LayoutState,
        names: &[String],
    ) -> Result<CopiedBlobs, CommandError> {
        let PushContext { registry, reporter, .. } = self.context;
        let jobs = registry.jobs();
        let progress = reporter.transfers();
        let missing: Vec<&PlannedBlob<'_>> =
            plan.blobs.iter().filter(|blob| !state.present.contains(&blob.digest)).collect();
        let bytes = missing.iter().filter_map(|blob| blob.size).fold(0, u64::saturating_add);
        progress.set_total(bytes, missing.len());
        let steps: Vec<_> = missing.iter().copied().zip(archive_dependencies(&missing)).collect();
        let copies = tasks::run_with_dependencies(jobs, &steps, |blob| self.copy_blob(&sink, &*progress, blob))
            .map_err(CommandError::combine);
        progress.finish();
        let mut copied = CopiedBlobs::default();
        copies?.into_iter().flatten().for_each(|bytes| copied.add(bytes));
        let listed = plan.manifests.iter().filter(|manifest| !manifest.is_referrer);
        let (indexes, images): (Vec<_>, Vec<_>) = listed.partition(|manifest| manifest.is_index);
        CommandError::collect_parallel(jobs, &images, |manifest| self.put_manifest(&sink, manifest))?;
        // An index is written after its children.
        indexes.into_iter().try_for_each(|manifest| self.put_manifest(&sink, manifest))?;
        // Referrers are ordered: the children of an index precede it.
        plan.referrers().try_for_each(|referrer| self.put_referrer(&sink, referrer, state))?;
        let (mut sink, list) = (Some(sink), &plan.list);
        let by_digest = || vec![ManifestName::Digest(list.digest.clone())];
        let tags: Vec<ManifestName> = names.iter().cloned().map(ManifestName::Tag).collect();
        for name in if tags.is_empty() { by_digest() } else { tags } {
            // Publishing a name consumes the sink, because it moves a new archive into place.
            let sink = sink.take().map_or_else(|| LayoutSink::open(self.layout, lock_wait), Ok)?;
            sink.publish(&name, list.media_type, &list.bytes)?;
        }
        self.context.reporter.step(format_args!("published: {}@{}", self.layout.typed_layout(), list.digest));
        Ok(copied)
    }

    /// Reads back what was written.
    fn verify(&self, plan: &PushPlan<'_>, names: &[String]) -> Result<ReadBackCounts, CommandError> {
        let (layout, digest) = (Layout::open(self.layout)?, &plan.list.digest);
        let (source, source_name, jobs) = (&layout, self.layout.typed_layout(), self.context.registry.jobs());
        let read_back = ReadBack { source, source_name, jobs };
        let mut named: Vec<ManifestName> = names.iter().cloned().map(ManifestName::Tag).collect();
        named.push(ManifestName::Digest(digest.clone()));
        let named: Vec<(ManifestName, Digest)> = named.into_iter().map(|name| (name, digest.clone())).collect();
        let children = plan.index()?.manifests.into_iter().map(|child| child.digest);
        let referrers = plan.referrers().filter_map(|referrer| referrer.reference.digest().cloned());
        // The digest is read back too. It counts as a name only if there is no other name.
        let verified =
            ReadBackCounts { names: names.len().max(1), ..read_back.run(&named, children.chain(referrers).collect())? };
        self.context.reporter.note(&verified.to_string());
        Ok(verified)
    }

    /// Copies a blob from the first source that has it. Returns the number of bytes; `None` if the layout had it.
    fn copy_blob(
        &self,
        sink: &LayoutSink<'_>,
        progress: &dyn TransferProgress,
        blob: &PlannedBlob<'_>,
    ) -> Result<Option<u64>, CommandError> {
        let named = Blob { digest: &blob.digest, size: blob.size };
        let repositories: Vec<RegistryRepository<'_>> =
            blob.sources.iter().map(|source| RegistryRepository::new(self.context.registry, source)).collect();
        let layout = blob.layout.iter().map(|layout| (layout.content() as &dyn ContentSource, layout.to_string()));
        let repositories = repositories.iter().zip(&blob.sources).map(|(source, name)| (source as _, name.to_string()));
        let mut first_error = None;
        for (source, name) in layout.chain(repositories) {
            let bar = progress.blob(&blob.digest, blob.size, &format!("{name} -> {}", self.layout.typed_layout()));
            match sink.copy_blob(source, &named, &|bytes| bar.set_bytes(bytes)) {
                Ok(copied) => {
                    bar.done(&copied);
                    return Ok(if let BlobCopy::Copied(bytes) = copied { Some(bytes) } else { None });
                }
                Err(ContentError::Registry(error)) if error.kind == RegistryErrorKind::NotFound => {
                    first_error = first_error.or(Some(error.into()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (path, digest) = (self.layout.path.clone(), blob.digest.clone());
        Err(first_error.unwrap_or_else(|| crate::content::LayoutError::NoBlob { path, digest }.into()))
    }

    fn put_manifest(&self, sink: &LayoutSink<'_>, manifest: &PlannedManifest<'_>) -> Result<(), CommandError> {
        let Some(digest) = manifest.reference.digest() else { return Ok(()) };
        sink.put_by_digest(digest, manifest.media_type, &manifest.bytes)?;
        self.context.reporter.step(format_args!("put {}@{digest}", self.layout.typed_layout()));
        Ok(())
    }

    /// Writes a referrer, unless it is there and listed under its subject.
    fn put_referrer(
        &self,
        sink: &LayoutSink<'_>,
        referrer: &PlannedManifest<'_>,
        state: &LayoutState,
    ) -> Result<(), CommandError> {
        let digest = referrer.reference.digest().filter(|digest| !state.present.contains(*digest));
        let Some(digest) = digest else { return Ok(()) };
        sink.put_referrer(&to_referrer(referrer, digest, &referrer.tag_names()))?;
        self.context.reporter.step(format_args!("put {}@{digest}", self.layout.typed_layout()));
        Ok(())
    }
}

fn to_referrer<'p>(referrer: &'p PlannedManifest<'_>, digest: &'p Digest, tags: &'p [String]) -> Referrer<'p> {
    Referrer { digest, media_type: referrer.media_type, bytes: &referrer.bytes, tags }
}
