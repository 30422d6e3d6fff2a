//! What a source brought: its entries, their order, and what an index says of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::model::Entry;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::source::{Carried, SourceIndex};
use crate::platform::Platform;
use crate::reference::Reference;

/// A source as the registry serves it now.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedSource {
    /// Its name, as it was asked for.
    pub(crate) reference: Reference,
    /// The digest of what the registry serves under that name.
    pub(crate) digest: Digest,
    /// The index, where it is one.
    pub(crate) index: Option<Index>,
    /// What it brings into the draft.
    pub(crate) entries: Vec<Entry>,
    /// What it has images for, also those that were not picked.
    pub(crate) platforms: BTreeSet<String>,
    /// The index's bytes, and those of the indexes in it.
    pub(crate) form: Option<SourceIndex>,
    /// What the index names that is neither an image nor an index.
    pub(crate) carried: Vec<Carried>,
    /// The platforms that the index does not say, read from the images.
    pub(crate) derived: BTreeMap<Reference, Platform>,
    /// The order of what it brings: keys of a draft.
    pub(crate) order: Vec<String>,
    /// Whether every image of the index is among the entries.
    pub(crate) is_whole: bool,
    /// What cannot come along, for the user.
    pub(crate) left_out: Vec<String>,
    /// What the index names and the registry does not have, where that does not matter.
    pub(crate) lost: Vec<Descriptor>,
}

impl ResolvedSource {
    /// What belongs to another manifest of this source, with that one's digest: what attests it, or refers to it as its
    /// subject.
    pub(crate) fn parents(&self) -> BTreeMap<Reference, Digest> {
        let there: BTreeSet<&Digest> = self.entries.iter().map(|entry| &entry.descriptor.digest).collect();
        let parent = |entry: &Entry| {
            let subject = || entry.subject().filter(|subject| there.contains(subject));
            Some((entry.reference.clone(), entry.attests().or_else(subject)?))
        };
        self.entries.iter().filter_map(parent).collect()
    }

    /// Leaves out what belongs to a lost image: what attests it or refers to it as its subject, and what belongs to
    /// that.
    pub(crate) fn leave_out_orphans(&mut self) {
        let mut gone: BTreeSet<Digest> = self.lost.iter().map(|line| line.digest.clone()).collect();
        loop {
            let is_orphan = |entry: &mut Entry| {
                entry.attests().or_else(|| entry.subject()).is_some_and(|parent| gone.contains(&parent))
            };
            let orphans: Vec<Entry> = self.entries.extract_if(.., is_orphan).collect();
            if orphans.is_empty() {
                return;
            }
            gone.extend(orphans.into_iter().map(|entry| entry.descriptor.digest));
        }
    }

    /// Nothing yet.
    pub(crate) fn new(reference: &Reference, digest: &Digest) -> ResolvedSource {
        ResolvedSource {
            reference: reference.clone(),
            digest: digest.clone(),
            index: None,
            entries: Vec::new(),
            platforms: BTreeSet::new(),
            form: None,
            carried: Vec::new(),
            derived: BTreeMap::new(),
            order: Vec::new(),
            is_whole: true,
            left_out: Vec::new(),
            lost: Vec::new(),
        }
    }
}
