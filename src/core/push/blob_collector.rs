//! The distinct blobs that a repository needs before manifests can be put there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::content::ContentSource;
use crate::content::registry::Blob;
use crate::core::error::CommandError;
use crate::core::image_source::ContentOrigin;
use crate::core::open_layouts::OpenLayout;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;

/// A blob that the target needs.
pub(crate) struct PlannedBlob<'a> {
    pub(crate) digest: Digest,
    /// The size in bytes; `None` if manifests disagree.
    pub(crate) size: Option<u64>,
    /// The repositories of the images that need it, each once, those in the target's registry first.
    pub(crate) sources: Vec<&'a Repository>,
    /// The layout of an image that needs it. Then it is taken from there.
    pub(crate) layout: Option<Arc<OpenLayout>>,
    /// Whether a failed mount is no error, as in docker: a foreign layer of Windows images in the same registry.
    pub(crate) is_optional: bool,
}

impl PlannedBlob<'_> {
    /// Whether its layout has it; there is nothing to check in a registry.
    ///
    /// # Errors
    /// A layout that lacks the blob, or cannot be read.
    pub(super) fn check_layout(&self) -> Result<(), CommandError> {
        let blob = Blob { digest: &self.digest, size: self.size };
        self.layout.as_ref().map_or(Ok(()), |layout| layout.check_blob(&blob)).map_err(CommandError::from)
    }

    /// Whether a mount is tried first.
    pub(super) fn is_mountable(&self, target: &Repository) -> bool {
        self.layout.is_none() && self.sources.first().is_some_and(|source| source.domain() == target.domain())
    }
}

/// Collects blobs.
pub(super) struct BlobCollector<'a> {
    blobs: Vec<PlannedBlob<'a>>,
    positions: BTreeMap<Digest, usize>,
    /// Whether foreign layers stay where they are, whatever registry they are in.
    skips_foreign: bool,
}

impl<'a> BlobCollector<'a> {
    /// A collector that has these blobs.
    pub(super) fn new(blobs: Vec<PlannedBlob<'a>>, skips_foreign: bool) -> BlobCollector<'a> {
        let positions = blobs.iter().enumerate().map(|(position, blob)| (blob.digest.clone(), position)).collect();
        BlobCollector { blobs, positions, skips_foreign }
    }

    /// Adds blobs of a manifest from `source`, and returns their indexes. Foreign layers are left out if the image
    /// comes from another registry; within one registry docker tries to mount them.
    pub(super) fn add_blobs(
        &mut self,
        blobs: Vec<Descriptor>,
        source: &ContentOrigin<'a>,
        target: &Repository,
        is_windows: bool,
    ) -> BTreeSet<usize> {
        let is_same_registry = source.is_in_registry_of(target);
        let mut blob_positions = BTreeSet::new();
        for descriptor in blobs {
            let is_foreign = descriptor.is_foreign_with_urls();
            if is_foreign && (self.skips_foreign || !is_same_registry) {
                continue;
            }
            let Descriptor { digest, size, .. } = descriptor;
            let is_optional = is_foreign && is_windows;
            let position = *self.positions.entry(digest.clone()).or_insert(self.blobs.len());
            if position == self.blobs.len() {
                let (size, sources) = (Some(size), Vec::new());
                self.blobs.push(PlannedBlob { digest, size, sources, layout: None, is_optional });
            }
            if let Some(blob) = self.blobs.get_mut(position) {
                blob.is_optional &= is_optional;
                blob.size = blob.size.filter(|known| *known == size);
                match source {
                    ContentOrigin::Repository(source) if !blob.sources.contains(source) => blob.sources.push(source),
                    ContentOrigin::Repository(_) => {}
                    ContentOrigin::Layout(layout) => drop(blob.layout.get_or_insert_with(|| Arc::clone(layout))),
                }
            }
            blob_positions.insert(position);
        }
        blob_positions
    }

    pub(super) fn finish(mut self, target: &Repository) -> Vec<PlannedBlob<'a>> {
        for blob in &mut self.blobs {
            // The sort is stable: within one registry they keep docker's order.
            blob.sources.sort_by_key(|source| source.domain() != target.domain());
        }
        self.blobs
    }
}

/// For each blob the one that is before it in the same compressed archive, if any. Such an archive is read from its
/// beginning, so that any other order would expand it again for each blob.
pub(super) fn archive_dependencies(blobs: &[&PlannedBlob<'_>]) -> Vec<Vec<usize>> {
    let ordered = blobs.iter().enumerate().filter_map(|(position, blob)| {
        let layout = blob.layout.as_deref()?;
        Some((layout, layout.content().read_position(&blob.digest)?, position))
    });
    let mut ordered: Vec<(&OpenLayout, u64, usize)> = ordered.collect();
    ordered.sort_unstable();
    let mut predecessors = vec![Vec::new(); blobs.len()];
    for pair in ordered.windows(2) {
        if let [(layout, _, first), (same, _, second)] = pair
            && layout == same
            && let Some(dependencies) = predecessors.get_mut(*second)
        {
            dependencies.push(*first);
        }
    }
    predecessors
}
