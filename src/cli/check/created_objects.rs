//! The objects that a check created in a registry and has not deleted yet.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::check::sample_manifest::SampleManifest;
use crate::content::registry::ManifestName;
use crate::digest::Digest;
use crate::reference::Repository;

/// The objects that were created and not deleted yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CreatedObjects {
    /// The tags, and the digests that they name.
    pub(crate) tags: BTreeMap<String, Digest>,
    /// The manifests and their priorities of deletion.
    pub(crate) manifests: BTreeMap<Digest, u8>,
    /// The blobs that were uploaded or mounted.
    pub(crate) blobs: BTreeSet<(Repository, Digest)>,
}

impl CreatedObjects {
    /// Records a manifest that was put.
    pub(crate) fn add_manifest(&mut self, name: &ManifestName, manifest: &SampleManifest) {
        if let ManifestName::Tag(tag) = name {
            self.tags.insert(tag.clone(), manifest.digest.clone());
        }
        self.manifests.insert(manifest.digest.clone(), manifest.deletion_priority);
    }

    /// Records a deleted manifest; its tags are gone with it.
    pub(crate) fn remove_manifest(&mut self, digest: &Digest) {
        self.manifests.remove(digest);
        self.tags.retain(|_, tagged| tagged != digest);
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.manifests.is_empty() && self.blobs.is_empty()
    }

    /// The manifests by their priorities of deletion, the highest last.
    pub(crate) fn by_deletion_priority(&self) -> BTreeMap<u8, Vec<Digest>> {
        let mut by_priority: BTreeMap<u8, Vec<Digest>> = BTreeMap::new();
        for (digest, deletion_priority) in &self.manifests {
            by_priority.entry(*deletion_priority).or_default().push(digest.clone());
        }
        by_priority
    }
}
