//! The distinct blobs that a repository needs before manifests can be put there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::content::ContentSource;
use crate::content::registry::Blob;
use crate::core::error::CommandError;
use crate::core::image_source::ContentOrigin;
use crate::core::layouts::OpenLayout;
use crate::digest::Digest;
use crate::model::Entry;
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;

/// The operating system whose foreign layers may stay where they are.
const WINDOWS: &str = "windows";

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
    pub(crate) may_stay: bool,
}

impl PlannedBlob<'_> {
    /// Whether its layout has it; there is nothing to check in a registry.
    ///
    /// # Errors
    /// A layout that lacks the blob, or cannot be read.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        let blob = Blob { digest: &self.digest, size: self.size };
        self.layout.as_ref().map_or(Ok(()), |layout| layout.check_blob(&blob)).map_err(CommandError::from)
    }

    /// Whether a mount is tried first.
    pub(super) fn is_near(&self, target: &Repository) -> bool {
        self.layout.is_none() && self.sources.first().is_some_and(|source| source.domain() == target.domain())
    }
}

/// Collects blobs.
pub(super) struct BlobCollector<'a> {
    blobs: Vec<PlannedBlob<'a>>,
    places: BTreeMap<Digest, usize>,
    /// Whether foreign layers stay where they are, whatever registry they are in.
    leaves_foreign: bool,
}

impl<'a> BlobCollector<'a> {
    /// A collector that has these blobs.
    pub(super) fn of(blobs: Vec<PlannedBlob<'a>>, leaves_foreign: bool) -> BlobCollector<'a> {
        let places = blobs.iter().enumerate().map(|(place, blob)| (blob.digest.clone(), place)).collect();
        BlobCollector { blobs, places, leaves_foreign }
    }

    /// Adds the blobs of an image and returns their indexes. Foreign layers are left out if the image comes from
    /// another registry; within one registry docker tries to mount them.
    pub(super) fn add(
        &mut self,
        entry: &'a Entry,
        source: &ContentOrigin<'a>,
        target: &Repository,
    ) -> Result<BTreeSet<usize>, CommandError> {
        let is_windows = entry.descriptor.platform.as_ref().is_some_and(|platform| platform.os == WINDOWS);
        Ok(self.add_all(entry.blobs()?, source, target, is_windows))
    }

    /// Adds blobs of a manifest from `source`.
    pub(super) fn add_all(
        &mut self,
        blobs: Vec<Descriptor>,
        source: &ContentOrigin<'a>,
        target: &Repository,
        is_windows: bool,
    ) -> BTreeSet<usize> {
        let is_near = source.is_near(target);
        let mut needs = BTreeSet::new();
        for descriptor in blobs {
            let is_foreign = descriptor.is_foreign();
            if is_foreign && (self.leaves_foreign || !is_near) {
                continue;
            }
            let Descriptor { digest, size, .. } = descriptor;
            let may_stay = is_foreign && is_windows;
            let place = *self.places.entry(digest.clone()).or_insert(self.blobs.len());
            if place == self.blobs.len() {
                let (size, sources) = (Some(size), Vec::new());
                self.blobs.push(PlannedBlob { digest, size, sources, layout: None, may_stay });
            }
            if let Some(blob) = self.blobs.get_mut(place) {
                blob.may_stay &= may_stay;
                blob.size = blob.size.filter(|known| *known == size);
                match source {
                    ContentOrigin::Repository(source) if !blob.sources.contains(source) => blob.sources.push(source),
                    ContentOrigin::Repository(_) => {}
                    ContentOrigin::Layout(layout) => drop(blob.layout.get_or_insert_with(|| Arc::clone(layout))),
                }
            }
            needs.insert(place);
        }
        needs
    }

    pub(super) fn done(mut self, target: &Repository) -> Vec<PlannedBlob<'a>> {
        for blob in &mut self.blobs {
            // The sort is stable: within one registry they keep docker's order.
            blob.sources.sort_by_key(|source| source.domain() != target.domain());
        }
        self.blobs
    }
}

/// For each blob the one that is before it in the same compressed archive, if any. Such an archive is read from its
/// beginning, so that any other order would expand it again for each blob.
pub(super) fn before_in_archives(blobs: &[&PlannedBlob<'_>]) -> Vec<Vec<usize>> {
    let ordered = blobs.iter().enumerate().filter_map(|(place, blob)| {
        let layout = blob.layout.as_deref()?;
        Some((layout, layout.content().order(&blob.digest)?, place))
    });
    let mut ordered: Vec<(&OpenLayout, u64, usize)> = ordered.collect();
    ordered.sort_unstable();
    let mut before = vec![Vec::new(); blobs.len()];
    for pair in ordered.windows(2) {
        if let [(layout, _, first), (same, _, second)] = pair
            && layout == same
            && let Some(own) = before.get_mut(*second)
        {
            own.push(*first);
        }
    }
    before
}
