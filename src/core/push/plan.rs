//! The plan of a push: the list, the blobs and manifests that its repository may lack, and the tags. Planning sends no
//! request, so a dry run and a push use the same plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::image_source::ContentOrigin;
use crate::core::manifest_blobs;
use crate::core::open_layouts::Layouts;
use crate::core::push::blob_collector::{BlobCollector, PlannedBlob, archive_dependencies};
use crate::core::push::tags;
use crate::core::referrers::CollectedReferrer;
use crate::digest::Digest;
use crate::model::index::{EncodedManifest, Index, ListFormat};
use crate::model::manifest::ManifestKind;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// The operating system whose foreign layers may stay where they are.
const WINDOWS: &str = "windows";

/// The manifest size that every registry accepts, in bytes (distribution-spec, "Pushing Manifests"). Some registries
/// accept more, but clients may not read it.
const LIST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The plan for publishing a draft in one repository.
pub(crate) struct PushPlan<'a> {
    /// The list's name in the repository.
    pub(crate) target: &'a Reference,
    /// The list itself.
    pub(crate) list: EncodedManifest,
    /// The children of the list, in its order.
    pub(crate) children: Vec<PlannedChild<'a>>,
    /// The distinct blobs of children from other repositories, in docker's order.
    pub(crate) blobs: Vec<PlannedBlob<'a>>,
    /// The distinct children from other repositories, in docker's order.
    pub(crate) manifests: Vec<PlannedManifest<'a>>,
    /// The tags in the order in which they move; empty if the list has only a digest.
    pub(crate) tags: Vec<Reference>,
    /// Whether the list must be complete before a tag moves: it is put by its digest first. Set if there are tags
    /// beside the list's own. An error then names the digest, and says which tags have moved.
    pub(crate) is_complete_before_tags: bool,
    /// Whether the list is written into a layout, with all that it names.
    pub(super) is_for_layout: bool,
}

/// A child of the list.
pub(crate) struct PlannedChild<'a> {
    /// The draft's entry.
    pub(crate) entry: &'a Entry,
    /// The index in [`PushPlan::manifests`], if it comes from another repository.
    pub(crate) manifest: Option<usize>,
}

/// A manifest to put by its digest.
pub(crate) struct PlannedManifest<'a> {
    pub(crate) reference: Reference,
    pub(crate) media_type: &'a str,
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Where it comes from.
    pub(crate) source: ContentOrigin<'a>,
    /// The indexes of its blobs in [`PushPlan::blobs`].
    pub(crate) blob_positions: BTreeSet<usize>,
    /// Whether it is a nested index, which must be put after all manifests before it.
    pub(crate) is_index: bool,
    /// Whether the list does not name it: it refers to the list or to one of its images.
    pub(crate) is_referrer: bool,
    /// Cosign's tags, which it has instead of its digest.
    pub(crate) tags: Vec<Reference>,
}

/// A step before the list is put.
pub(crate) enum PushStep<'p, 'a> {
    /// A blob to mount or copy.
    Blob(&'p PlannedBlob<'a>),
    /// A manifest to put.
    Put(&'p PlannedManifest<'a>),
}

impl<'a> PushPlan<'a> {
    /// The plan for the list's own repository.
    ///
    /// # Errors
    /// An empty draft, a draft that cannot become a list of this form, an invalid tag, and a name with the digest of
    /// another list.
    pub(crate) fn new(
        draft: &'a Draft,
        format: ListFormat,
        more_tags: &[String],
        layouts: &Layouts,
    ) -> Result<PushPlan<'a>, CommandError> {
        PushPlan::for_target(draft, &draft.reference, format, more_tags, layouts, false)
    }

    /// The plan for the repository of `target`, or for a layout.
    ///
    /// # Errors
    /// Those of [`PushPlan::new`].
    pub(super) fn for_target(
        draft: &'a Draft,
        target: &'a Reference,
        format: ListFormat,
        more_tags: &[String],
        layouts: &Layouts,
        is_for_layout: bool,
    ) -> Result<PushPlan<'a>, CommandError> {
        if draft.is_empty() {
            return Err(CommandError::EmptyDraft(target.to_string()));
        }
        let tags = tags::in_move_order(target, more_tags)?;
        let is_complete_before_tags = tags.iter().any(|tag| tag.tag() != target.tag());
        let list = draft.encode(format)?;
        let size = list.bytes.len() as u64;
        if size > LIST_BYTES_MAX {
            return Err(CommandError::ListTooLarge { list: target.to_string(), size, max: LIST_BYTES_MAX });
        }
        if target.digest().is_some_and(|expected| !expected.verifies(&list.bytes)) {
            return Err(CommandError::OtherDigestInName { target: target.to_string(), digest: list.digest });
        }
        let (children, blobs, manifests) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan =
            PushPlan { target, list, children, blobs, manifests, tags, is_complete_before_tags, is_for_layout };
        plan.blobs = plan.add_children(draft, layouts, BlobCollector::new(Vec::new(), is_for_layout))?;
        plan.blobs.iter().try_for_each(PlannedBlob::check_layout)?;
        Ok(plan)
    }

    fn add_children(
        &mut self,
        draft: &'a Draft,
        layouts: &Layouts,
        mut blobs: BlobCollector<'a>,
    ) -> Result<Vec<PlannedBlob<'a>>, CommandError> {
        let mut positions: BTreeMap<&Digest, usize> = BTreeMap::new();
        for entry in draft.entries_in_list_order() {
            let digest = &entry.descriptor.digest;
            let source = ContentOrigin::find(entry.reference.repository(), digest, layouts);
            if self.target_has(&source) {
                self.children.push(PlannedChild { entry, manifest: None });
                continue;
            }
            let is_windows = entry.descriptor.platform.as_ref().is_some_and(|platform| platform.os == WINDOWS);
            let blob_positions = blobs.add_blobs(entry.blobs()?, &source, self.target.repository(), is_windows);
            let bytes = entry.verified_bytes()?;
            let position = *positions.entry(digest).or_insert(self.manifests.len());
            if position == self.manifests.len() {
                let reference = self.target.repository().at_digest(digest);
                let media_type = entry.content_type();
                self.manifests.push(PlannedManifest::new(reference, media_type, bytes, source, blob_positions));
            }
            self.children.push(PlannedChild { entry, manifest: Some(position) });
        }
        self.add_opaque_descriptors(draft, layouts, &mut blobs)?;
        self.add_nested(draft, layouts)?;
        Ok(blobs.finish(self.target.repository()))
    }

    /// Whether the target has the content of this origin already.
    fn target_has(&self, source: &ContentOrigin<'_>) -> bool {
        !self.is_for_layout && source.is_in(self.target.repository())
    }

    /// Adds the manifests of the opaque descriptors of an index in another repository. Those that could not be fetched
    /// are no longer in the draft.
    fn add_opaque_descriptors(
        &mut self,
        draft: &'a Draft,
        layouts: &Layouts,
        blobs: &mut BlobCollector<'a>,
    ) -> Result<(), CommandError> {
        for opaque in &draft.opaque_descriptors {
            let (source, target) = (opaque.source.repository(), self.target.repository());
            let source = ContentOrigin::find(source, &opaque.descriptor.digest, layouts);
            let Some(raw) = opaque.raw.as_ref().filter(|_| !self.target_has(&source)) else { continue };
            let blob_positions = blobs.add_blobs(manifest_blobs::blobs(raw)?, &source, target, false);
            let reference = target.at_digest(&opaque.descriptor.digest);
            let media_type = opaque.descriptor.media_type.as_str();
            let bytes = Cow::Borrowed(raw.as_slice());
            self.manifests.push(PlannedManifest::new(reference, media_type, bytes, source, blob_positions));
        }
        Ok(())
    }

    /// Adds nested indexes, the innermost first.
    fn add_nested(&mut self, draft: &'a Draft, layouts: &Layouts) -> Result<(), CommandError> {
        let Some(source_index) = draft.source.as_ref().filter(|source_index| !source_index.nested.is_empty()) else {
            return Ok(());
        };
        let is_source_index = |source: &&Reference| source.digest() == Some(&source_index.digest);
        let source = draft.entries_in_key_order().filter_map(|entry| entry.source.as_ref()).find(is_source_index);
        let source = source.map_or(self.target.repository(), Reference::repository);
        let mut named: BTreeSet<Digest> = child_digests(&self.list.bytes)?;
        let mut nested = Vec::new();
        // An index precedes its nested indexes.
        for inner in &source_index.nested {
            if named.remove(&inner.digest) {
                named.extend(child_digests(&inner.raw)?);
                nested.push(inner);
            }
        }
        for inner in nested.into_iter().rev() {
            let source = ContentOrigin::find(source, &inner.digest, layouts);
            if self.target_has(&source) {
                continue;
            }
            let reference = self.target.repository().at_digest(&inner.digest);
            let bytes = Cow::Borrowed(inner.raw.as_slice());
            let blob_positions = BTreeSet::new();
            let manifest = PlannedManifest::new(reference, &inner.media_type, bytes, source, blob_positions);
            self.manifests.push(PlannedManifest { is_index: true, ..manifest });
        }
        Ok(())
    }

    /// Adds the manifests that refer to the list or its images, from other repositories and from layouts.
    ///
    /// # Errors
    /// A manifest among them that cannot be read, and a layout that lacks one of their blobs.
    pub(crate) fn add_referrers(&mut self, found: &'a [CollectedReferrer<'a>]) -> Result<(), CommandError> {
        let target = self.target.repository();
        let mut blobs = BlobCollector::new(std::mem::take(&mut self.blobs), self.is_for_layout);
        for referrer in found {
            let is_known = self.manifests.iter().any(|manifest| manifest.reference.digest() == Some(&referrer.digest));
            if is_known || self.target_has(&referrer.origin) {
                continue;
            }
            let source = referrer.origin.clone();
            let needed = if referrer.is_index() { Vec::new() } else { manifest_blobs::blobs(&referrer.bytes)? };
            let blob_positions = blobs.add_blobs(needed, &source, target, false);
            let (reference, bytes) = (target.at_digest(&referrer.digest), Cow::Borrowed(referrer.bytes.as_slice()));
            let tags = referrer.tags.iter().filter_map(|tag| tags::with_tag(self.target, tag)).collect();
            let manifest = PlannedManifest::new(reference, &referrer.media_type, bytes, source, blob_positions);
            self.manifests.push(PlannedManifest { is_index: referrer.is_index(), is_referrer: true, tags, ..manifest });
        }
        self.blobs = blobs.finish(target);
        self.blobs.iter().try_for_each(PlannedBlob::check_layout)
    }

    /// The manifests that refer to the list or its images, and that the list does not name.
    pub(crate) fn referrers(&self) -> impl Iterator<Item = &PlannedManifest<'a>> {
        self.manifests.iter().filter(|manifest| manifest.is_referrer)
    }

    /// The manifests to put if these exist.
    pub(crate) fn manifests_to_send(&self, present: &BTreeSet<Digest>) -> impl Iterator<Item = &PlannedManifest<'a>> {
        self.manifests
            .iter()
            .filter(|manifest| manifest.reference.digest().is_none_or(|digest| !present.contains(digest)))
    }

    /// The steps that are left if these manifests exist, each with the indexes of the steps that it depends on.
    pub(crate) fn steps(&self, present: &BTreeSet<Digest>) -> Vec<(PushStep<'_, 'a>, Vec<usize>)> {
        let needed: BTreeSet<usize> =
            self.manifests_to_send(present).flat_map(|manifest| manifest.blob_positions.iter().copied()).collect();
        let new_positions: BTreeMap<usize, usize> = needed.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let blobs: Vec<&PlannedBlob<'a>> = needed.iter().filter_map(|position| self.blobs.get(*position)).collect();
        let dependencies = archive_dependencies(&blobs);
        let blobs = blobs.into_iter().map(PushStep::Blob).zip(dependencies);
        let manifests = self.manifests_to_send(present).enumerate().map(|(before, manifest)| {
            let blobs = manifest.blob_positions.iter().filter_map(|position| new_positions.get(position).copied());
            let preceding_manifests = if manifest.is_index { before } else { 0 };
            (PushStep::Put(manifest), blobs.chain(needed.len()..needed.len() + preceding_manifests).collect())
        });
        blobs.chain(manifests).collect()
    }

    /// The list as an index. A single image that is published without a list counts as an index of itself.
    ///
    /// # Errors
    /// None for a list that was made here.
    pub(crate) fn index(&self) -> Result<Index, CommandError> {
        if ManifestKind::is_list(self.list.media_type) {
            return Ok(Index::decode(&self.list.bytes)?);
        }
        let manifests = self.children.iter().map(|child| child.entry.descriptor.clone()).collect();
        Ok(Index { media_type: self.list.media_type.to_owned(), manifests, ..Index::default() })
    }

    /// Whether the tag of the draft was last seen with this list. The draft knows nothing about other repositories.
    pub(super) fn matches_remote_digest(&self, draft: &Draft) -> bool {
        let is_own_repository = self.target.repository() == draft.reference.repository();
        is_own_repository && draft.remote_digest.as_ref() == Some(&self.list.digest)
    }

    /// Whether this is the list's own name: its tag, or its digest if it has no tag, as in docker.
    pub(crate) fn is_own_name(&self, tag: &Reference) -> bool {
        tag.tag() == self.target.tag()
    }
}

impl<'a> PlannedManifest<'a> {
    /// A manifest that the list names, or that can be reached from one that it names.
    pub(crate) fn new(
        reference: Reference,
        media_type: &'a str,
        bytes: Cow<'a, [u8]>,
        source: ContentOrigin<'a>,
        blob_positions: BTreeSet<usize>,
    ) -> PlannedManifest<'a> {
        let (is_index, is_referrer, tags) = (false, false, Vec::new());
        PlannedManifest { reference, media_type, bytes, source, blob_positions, is_index, is_referrer, tags }
    }

    /// The tags that it goes by, without the repository.
    pub(super) fn tag_names(&self) -> Vec<String> {
        self.tags.iter().filter_map(Reference::tag).map(str::to_owned).collect()
    }
}

/// The children of a list.
fn child_digests(list: &[u8]) -> Result<BTreeSet<Digest>, CommandError> {
    Ok(Index::decode(list)?.manifests.into_iter().map(|child| child.digest).collect())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
