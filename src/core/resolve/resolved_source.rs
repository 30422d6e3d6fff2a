//! A resolved source: its entries, their order, and the index that describes them.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::registry::FetchedManifest;
use crate::core::image_filters::{LocationResult, SourceFilter};
use crate::core::image_source::ImageSource;
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::entry::is_attestation;
use crate::model::index::Index;
use crate::model::source_index::{OpaqueDescriptor, SourceIndex};
use crate::model::{Draft, Entry, EntryKey, media_type};
use crate::platform::Platform;
use crate::reference::Reference;

/// A source as it is now.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedSource {
    /// Where it is, as the user named it.
    pub(crate) location: Location,
    /// Its reference in a draft: the one that was requested; for a layout, the reference that the manifest is going to
    /// have in the repository of the list.
    pub(crate) reference: Reference,
    /// The digest of the manifest that the name selects.
    pub(crate) digest: Digest,
    /// The index, if the source is one.
    pub(crate) index: Option<Index>,
    /// The entries for the draft.
    pub(crate) entries: Vec<Entry>,
    /// All platforms of the source, including those that the filter does not select.
    pub(crate) platforms: BTreeSet<String>,
    /// The bytes of the index and of its nested indexes.
    pub(crate) source_index: Option<SourceIndex>,
    /// Descriptors of the index that name neither an image nor an index.
    pub(crate) opaque_descriptors: Vec<OpaqueDescriptor>,
    /// Platforms that the index does not state, read from the images' configurations.
    pub(crate) config_platforms: BTreeMap<Reference, Platform>,
    /// The order of the entries, as keys of a draft.
    pub(crate) order: Vec<EntryKey>,
    /// Whether every descriptor of the index is among the entries and the opaque descriptors.
    pub(crate) is_complete: bool,
    /// What cannot be included, as lines for the user.
    pub(crate) omissions: Vec<String>,
    /// Children that the registry does not have, if that is no error.
    pub(crate) missing_children: Vec<Descriptor>,
}

impl ResolvedSource {
    /// The digest of the subject for each entry that is about another manifest of this source: an attestation, or a
    /// referrer.
    pub(crate) fn subjects_by_dependent(&self) -> BTreeMap<Reference, Digest> {
        let digests: BTreeSet<&Digest> = self.entries.iter().map(|entry| &entry.descriptor.digest).collect();
        let subject_of = |entry: &Entry| {
            let subject = || entry.subject().filter(|subject| digests.contains(subject));
            Some((entry.reference.clone(), entry.attested_digest().or_else(subject)?))
        };
        self.entries.iter().filter_map(subject_of).collect()
    }

    /// Removes the attestations and referrers of missing images, and the referrers of those.
    pub(crate) fn remove_dependents_of_missing(&mut self) {
        let mut missing: BTreeSet<Digest> =
            self.missing_children.iter().map(|descriptor| descriptor.digest.clone()).collect();
        loop {
            let is_orphan = |entry: &mut Entry| {
                entry.attested_digest().or_else(|| entry.subject()).is_some_and(|subject| missing.contains(&subject))
            };
            let orphans: Vec<Entry> = self.entries.extract_if(.., is_orphan).collect();
            if orphans.is_empty() {
                return;
            }
            missing.extend(orphans.into_iter().map(|entry| entry.descriptor.digest));
        }
    }

    /// A source without entries.
    pub(crate) fn new(location: Location, reference: &Reference, digest: &Digest) -> ResolvedSource {
        ResolvedSource {
            location,
            reference: reference.clone(),
            digest: digest.clone(),
            index: None,
            entries: Vec::new(),
            platforms: BTreeSet::new(),
            source_index: None,
            opaque_descriptors: Vec::new(),
            config_platforms: BTreeMap::new(),
            order: Vec::new(),
            is_complete: true,
            omissions: Vec::new(),
            missing_children: Vec::new(),
        }
    }
}

/// The progress while sources are resolved.
pub(crate) enum FetchEvent<'a> {
    /// The number of further manifests that are going to be fetched.
    Queued(usize),
    /// A manifest was fetched.
    Fetched(&'a Location),
}

/// One source with its filter.
pub(crate) struct SourceRequest<'a> {
    /// The source.
    pub(crate) image: &'a LocationResult,
    /// Which platforms of an index are used, and whether attestations are kept. An empty field of a platform matches
    /// any value.
    pub(crate) filter: &'a SourceFilter,
}

/// A source, and the repository or layout that it was read from.
pub(super) type SourceWithImageSource<'a> = (ResolvedSource, ImageSource<'a>);

/// The bytes of an index, to be kept with a draft.
pub(super) fn into_source_index(fetched: FetchedManifest) -> SourceIndex {
    let media_type = media_type::essence(&fetched.media_type).to_owned();
    SourceIndex { media_type, digest: fetched.digest, raw: fetched.bytes, nested: Vec::new() }
}

/// The platform of a descriptor. Attestations have none.
pub(super) fn platform_of(descriptor: &Descriptor) -> Option<String> {
    descriptor.non_empty_platform().filter(|_| !is_attestation(descriptor)).map(ToString::to_string)
}

/// The entry of the draft that need not be fetched again, if it has the bytes of its manifest.
pub(super) fn reusable_entry<'d>(existing: Option<&'d Draft>, image: &Reference) -> Option<&'d Entry> {
    existing.and_then(|draft| draft.get(image)).filter(|entry| entry.has_raw())
}
