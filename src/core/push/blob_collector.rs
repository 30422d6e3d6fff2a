//! The distinct blobs that a repository needs before manifests can be put there.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
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
    /// Whether a failed mount is no error, as in docker: a foreign layer of Windows images in the same registry.
    pub(crate) may_stay: bool,
}

/// Collects blobs.
#[derive(Default)]
pub(super) struct BlobCollector<'a> {
    blobs: Vec<PlannedBlob<'a>>,
    places: BTreeMap<Digest, usize>,
}

impl<'a> BlobCollector<'a> {
    pub(super) fn of(blobs: Vec<PlannedBlob<'a>>) -> BlobCollector<'a> {
        let places = blobs.iter().enumerate().map(|(place, blob)| (blob.digest.clone(), place)).collect();
        BlobCollector { blobs, places }
    }

    /// Adds the blobs of an image and returns their indexes. Foreign layers are left out if the image comes from
    /// another registry; within one registry docker tries to mount them.
    pub(super) fn add(&mut self, entry: &'a Entry, target: &Repository) -> Result<BTreeSet<usize>, CommandError> {
        let is_windows = entry.descriptor.platform.as_ref().is_some_and(|platform| platform.os == WINDOWS);
        Ok(self.add_all(entry.blobs()?, entry.reference.repository(), target, is_windows))
    }

    /// Adds blobs of the repository `source`.
    pub(super) fn add_all(
        &mut self,
        blobs: Vec<Descriptor>,
        source: &'a Repository,
        target: &Repository,
        is_windows: bool,
    ) -> BTreeSet<usize> {
        let is_near = source.domain() == target.domain();
        let mut needs = BTreeSet::new();
        for descriptor in blobs {
            let is_foreign = descriptor.is_foreign();
            if is_foreign && !is_near {
                continue;
            }
            let Descriptor { digest, size, .. } = descriptor;
            let may_stay = is_foreign && is_windows;
            let place = *self.places.entry(digest.clone()).or_insert(self.blobs.len());
            if place == self.blobs.len() {
                self.blobs.push(PlannedBlob { digest, size: Some(size), sources: Vec::new(), may_stay });
            }
            if let Some(blob) = self.blobs.get_mut(place) {
                blob.may_stay &= may_stay;
                blob.size = blob.size.filter(|known| *known == size);
                if !blob.sources.contains(&source) {
                    blob.sources.push(source);
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
