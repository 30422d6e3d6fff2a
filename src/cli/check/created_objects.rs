//! What a check has put into a registry and not taken away since.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::check::samples::Document;
use crate::content::registry::ManifestName;
use crate::digest::Digest;
use crate::reference::Repository;

/// What was put and not taken away since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CreatedObjects {
    /// Tags, and what they were put on.
    tags: BTreeMap<String, Digest>,
    /// Manifests and their ranks.
    manifests: BTreeMap<Digest, u8>,
    blobs: BTreeSet<(Repository, Digest)>,
}

impl CreatedObjects {
    /// A blob was uploaded or mounted.
    pub(crate) fn blob(&mut self, repository: &Repository, digest: Digest) {
        self.blobs.insert((repository.clone(), digest));
    }

    /// A manifest was put.
    pub(crate) fn manifest(&mut self, name: &ManifestName, document: &Document) {
        if let ManifestName::Tag(tag) = name {
            self.tags.insert(tag.clone(), document.digest.clone());
        }
        self.manifests.insert(document.digest.clone(), document.rank);
    }

    /// A tag is gone.
    pub(crate) fn no_tag(&mut self, tag: &str) {
        self.tags.remove(tag);
    }

    /// A blob is gone.
    pub(crate) fn no_blob(&mut self, blob: &(Repository, Digest)) {
        self.blobs.remove(blob);
    }

    /// Tags that are there all the same: those of `before` that `is_there` says so of.
    pub(crate) fn tags_again(&mut self, before: &CreatedObjects, is_there: impl Fn(&str) -> bool) {
        let tags = before.tags.iter().filter(|(tag, _)| is_there(tag));
        self.tags.extend(tags.map(|(tag, digest)| (tag.clone(), digest.clone())));
    }

    /// A manifest is gone, and its tags with it.
    pub(crate) fn no_manifest(&mut self, digest: &Digest) {
        self.manifests.remove(digest);
        self.tags.retain(|_, tagged| tagged != digest);
    }

    /// The tags that are there.
    pub(crate) fn tags(&self) -> Vec<String> {
        self.tags.keys().cloned().collect()
    }

    /// The manifests that are there.
    pub(crate) fn manifests(&self) -> Vec<Digest> {
        self.manifests.keys().cloned().collect()
    }

    /// The blobs that are there, and their repositories.
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
