//! The objects that a check created in a registry and has not deleted yet.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::check::document::Document;
use crate::content::registry::ManifestName;
use crate::digest::Digest;
use crate::reference::Repository;

/// The objects that were created and not deleted yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CreatedObjects {
    /// The tags, and the digests that they name.
    tags: BTreeMap<String, Digest>,
    /// The manifests and their ranks.
    manifests: BTreeMap<Digest, u8>,
    blobs: BTreeSet<(Repository, Digest)>,
}

impl CreatedObjects {
    /// Records a blob that was uploaded or mounted.
    pub(crate) fn blob(&mut self, repository: &Repository, digest: Digest) {
        self.blobs.insert((repository.clone(), digest));
    }

    /// Records a manifest that was put.
    pub(crate) fn manifest(&mut self, name: &ManifestName, document: &Document) {
        if let ManifestName::Tag(tag) = name {
            self.tags.insert(tag.clone(), document.digest.clone());
        }
        self.manifests.insert(document.digest.clone(), document.rank);
    }

    /// Records a deleted tag.
    pub(crate) fn remove_tag(&mut self, tag: &str) {
        self.tags.remove(tag);
    }

    /// Records a deleted blob.
    pub(crate) fn remove_blob(&mut self, blob: &(Repository, Digest)) {
        self.blobs.remove(blob);
    }

    /// Records again those tags of `before` that still exist, as `is_there` says.
    pub(crate) fn restore_tags(&mut self, before: &CreatedObjects, is_there: impl Fn(&str) -> bool) {
        let tags = before.tags.iter().filter(|(tag, _)| is_there(tag));
        self.tags.extend(tags.map(|(tag, digest)| (tag.clone(), digest.clone())));
    }

    /// Records a deleted manifest; its tags are gone with it.
    pub(crate) fn remove_manifest(&mut self, digest: &Digest) {
        self.manifests.remove(digest);
        self.tags.retain(|_, tagged| tagged != digest);
    }

    /// The tags that exist.
    pub(crate) fn tags(&self) -> Vec<String> {
        self.tags.keys().cloned().collect()
    }

    /// The manifests that exist.
    pub(crate) fn manifests(&self) -> Vec<Digest> {
        self.manifests.keys().cloned().collect()
    }

    /// The blobs that exist, and their repositories.
    pub(crate) fn blobs(&self) -> Vec<(Repository, Digest)> {
        self.blobs.iter().cloned().collect()
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.manifests.is_empty() && self.blobs.is_empty()
    }

    /// The manifests by their ranks, the highest last.
    pub(crate) fn by_rank(&self) -> BTreeMap<u8, Vec<Digest>> {
        let mut ranks: BTreeMap<u8, Vec<Digest>> = BTreeMap::new();
        for (digest, rank) in &self.manifests {
            ranks.entry(*rank).or_default().push(digest.clone());
        }
        ranks
    }
}
