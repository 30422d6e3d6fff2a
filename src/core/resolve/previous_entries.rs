//! Finds the previous entries of a source in a draft, matches them with its new ones, and fetches their previous
//! descriptors. The user's changes are the differences from those.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_filters::LocationResult;
use crate::core::image_source::ImageSource;
use crate::core::resolve::fetch::{self, ConfigPlatforms, ImageOrList};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::resolver::ReusedSource;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::{Draft, Entry};
use crate::net::RegistryErrorKind;
use crate::platform::Platform;
use crate::reference::Reference;

/// A source that names another manifest than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceChange {
    /// The tag that moved.
    pub(crate) reference: Reference,
    /// The digest that it named.
    pub(crate) old: Digest,
    /// The digest that it names now.
    pub(crate) new: Digest,
}

/// The descriptors that sources stated before. If an entry has none, all its members count as changes of the user.
#[derive(Debug, Default)]
pub(crate) struct PreviousDescriptors {
    /// Images that the user named, by digest.
    images: BTreeMap<Digest, Descriptor>,
    /// The indexes that entries were taken from, by digest.
    indexes: BTreeMap<Digest, Index>,
}

impl PreviousDescriptors {
    /// The index with this digest.
    pub(crate) fn index(&self, digest: &Digest) -> Option<&Index> {
        self.indexes.get(digest)
    }

    /// The descriptor that the source of this entry stated before.
    pub(crate) fn previous_source_descriptor(&self, entry: &Entry) -> Option<&Descriptor> {
        let known = entry.source.as_ref().map(|list| list.digest());
        match known {
            Some(digest) => {
                digest.and_then(|digest| self.indexes.get(digest)).and_then(|index| descriptor_of(index, entry))
            }
            None => {
                let listed = || self.indexes.values().find_map(|index| descriptor_of(index, entry));
                self.images.get(&entry.descriptor.digest).or_else(listed)
            }
        }
    }

    /// Fetches the previous descriptors of entries that will be replaced, as far as they are needed and still exist.
    ///
    /// # Errors
    /// Errors of registries. A manifest that no longer exists is no error.
    pub(crate) fn resolve(
        registry: &RegistryClient,
        draft: &Draft,
        sources: &[ResolvedSource],
    ) -> Result<PreviousDescriptors, CommandError> {
        let mut previous = PreviousDescriptors::default();
        let platforms = ConfigPlatforms::default();
        for source in sources {
            let old_entries = previous_entries(draft, &source.reference, &previous);
            if source_change(&old_entries, source).is_none() {
                continue;
            }
            if needs_index(draft, &old_entries, source, &previous) {
                let lists: BTreeSet<&Reference> = old_entries.iter().filter_map(|old| old.source.as_ref()).collect();
                for list in lists {
                    previous.fetch_index(registry, list)?;
                }
            }
            let old_entries = previous_entries(draft, &source.reference, &previous);
            let pairs = match_entries(&old_entries, &source.entries, &previous);
            for (old, new) in pairs.into_iter().zip(&source.entries) {
                if let Some(old) = old.filter(|old| old.source.is_none() && !is_same_description(old, new))
                    && previous.previous_source_descriptor(old).is_none()
                    && let Some(image) = if_exists(descriptor_from_config(&platforms, registry, old))?
                {
                    previous.images.insert(old.descriptor.digest.clone(), image);
                }
            }
        }
        Ok(previous)
    }

    fn fetch_index(&mut self, registry: &RegistryClient, list: &Reference) -> Result<(), CommandError> {
        let Some(digest) = list.digest().filter(|digest| !self.indexes.contains_key(digest)) else { return Ok(()) };
        let image_source = ImageSource::in_registry(registry, &list.repository().at_digest(digest));
        if let Some(ImageOrList::List(fetched)) = if_exists(fetch::manifest(&image_source))? {
            self.indexes.insert(digest.clone(), fetched.decode_index(&list)?);
        }
        Ok(())
    }
}

/// The draft's entries of a source: the image of that name, entries taken from the index of that name, and entries
/// whose source docker has removed since, if that index is known.
pub(crate) fn previous_entries<'a>(
    draft: &'a Draft,
    name: &Reference,
    previous: &PreviousDescriptors,
) -> Vec<&'a Entry> {
    let is_source = |source: &Reference| match name.tag() {
        Some(_) => source.repository() == name.repository() && source.tag() == name.tag(),
        None => source.repository() == name.repository() && source.digest() == name.digest(),
    };
    let indexes_named =
        draft.entries_in_key_order().filter_map(|entry| entry.source.as_ref()).filter(|source| is_source(source));
    let indexes: Vec<&Index> =
        indexes_named.filter_map(Reference::digest).filter_map(|list| previous.index(list)).collect();
    let comes_from_source = |entry: &Entry| match &entry.source {
        Some(source) => is_source(source),
        None => may_lack_source(entry, name) && indexes.iter().any(|index| descriptor_of(index, entry).is_some()),
    };
    draft.entries_in_key_order().filter(|entry| entry.reference == *name || comes_from_source(entry)).collect()
}

/// Whether the draft has an entry of this source, so that it need not be requested.
pub(crate) fn can_reuse_source(draft: &Draft, name: &Reference) -> bool {
    let previous_entries = previous_entries(draft, name, &PreviousDescriptors::default());
    // A name with a tag and a digest also matches the entries that were taken from that tag before.
    let has_named_digest = |entry: &&Entry| match (name.digest(), &entry.source) {
        (Some(digest), Some(index)) => index.digest() == Some(digest),
        _ => true,
    };
    !previous_entries.is_empty() && previous_entries.iter().all(|entry| entry.has_raw() && has_named_digest(entry))
}

/// Splits the images into those to request, and those to reuse with the draft's entries.
pub(crate) fn split_known<'a>(
    before: Option<&'a Draft>,
    images: Vec<&'a LocationResult>,
    is_requested: impl Fn(&LocationResult) -> bool,
) -> (Vec<&'a LocationResult>, Vec<ReusedSource<'a>>) {
    let (requested, known): (Vec<_>, Vec<_>) = images.into_iter().partition(|image| is_requested(image));
    let reused = known.into_iter().filter_map(|image| {
        let (reference, draft) = (image.as_ref().ok()?.reference()?, before?);
        Some(ReusedSource { reference, entries: previous_entries(draft, reference, &PreviousDescriptors::default()) })
    });
    (requested, reused.collect())
}

/// Whether an entry may come from an index in the repository of `name` although it does not state its source.
fn may_lack_source(entry: &Entry, name: &Reference) -> bool {
    entry.source.is_none() && entry.reference.digest().is_some() && entry.reference.repository() == name.repository()
}

/// The change, if the source names another manifest than when one of the draft's entries was taken.
pub(crate) fn source_change(previous_entries: &[&Entry], source: &ResolvedSource) -> Option<SourceChange> {
    source.reference.tag()?;
    let known = |entry: &&Entry| match &entry.source {
        Some(list) => list.digest().cloned(),
        None => Some(entry.descriptor.digest.clone()).filter(|_| entry.reference == source.reference),
    };
    let known = previous_entries.iter().filter(|entry| entry.has_raw()).filter_map(known);
    let old = known.into_iter().find(|old| *old != source.digest)?;
    Some(SourceChange { reference: source.reference.clone(), old, new: source.digest.clone() })
}

/// The previous entry for each new one: the one with the same name, or else the nearest one for its platform. The
/// platforms are those that the source stated, not the user's.
pub(crate) fn match_entries<'a>(
    previous_entries: &[&'a Entry],
    new: &[Entry],
    previous: &PreviousDescriptors,
) -> Vec<Option<&'a Entry>> {
    let platform = |descriptor: Option<&Descriptor>| {
        let platform = descriptor.and_then(|descriptor| descriptor.platform.as_ref());
        platform.map(Platform::normalized_for_comparison).unwrap_or_default()
    };
    let images: Vec<(&Entry, Platform)> = previous_entries
        .iter()
        .filter(|old| !old.is_attestation())
        .map(|old| (*old, platform(Some(previous.previous_source_descriptor(old).unwrap_or(&old.descriptor)))))
        .collect();
    let machine_of =
        |platform: &Platform| (platform.os.clone(), platform.architecture.clone(), platform.variant.clone());
    // A build of Windows gets a new revision every month.
    let build_of = |platform: &Platform| platform.os_version.split('.').take(3).map(str::to_owned).collect::<Vec<_>>();
    let is_match_at = |level: u8, old: &Platform, new: &Platform| match level {
        0 => old == new,
        1 => machine_of(old) == machine_of(new) && build_of(old) == build_of(new),
        _ => machine_of(old) == machine_of(new),
    };
    let named = |new: &Entry| previous_entries.iter().copied().find(|old| old.reference == new.reference);
    let mut pairs: Vec<Option<&Entry>> = new.iter().map(named).collect();
    let mut matched: BTreeSet<&Reference> = pairs.iter().flatten().map(|old| &old.reference).collect();
    for level in 0..3 {
        for (pair, new) in pairs.iter_mut().zip(new).filter(|(pair, new)| pair.is_none() && !new.is_attestation()) {
            let new_platform = platform(Some(&new.descriptor));
            let is_match = |(old, old_platform): &&(&Entry, Platform)| {
                !matched.contains(&old.reference) && is_match_at(level, old_platform, &new_platform)
            };
            *pair = images.iter().find(is_match).map(|(old, _)| *old);
            matched.extend(pair.map(|old| &old.reference));
        }
    }
    pairs
}

/// The descriptor of an entry in an index. If the image has several, the one that equals the entry.
fn descriptor_of<'a>(index: &'a Index, entry: &Entry) -> Option<&'a Descriptor> {
    let descriptors = || index.manifests.iter().filter(|descriptor| descriptor.digest == entry.descriptor.digest);
    descriptors().find(|descriptor| descriptor.platform == entry.descriptor.platform).or_else(|| descriptors().next())
}

/// Whether the previous index must be fetched: the user may have described one of its entries or the list, or docker
/// may have removed an entry's source.
fn needs_index(draft: &Draft, old_entries: &[&Entry], source: &ResolvedSource, previous: &PreviousDescriptors) -> bool {
    let pairs = match_entries(old_entries, &source.entries, previous);
    let differs = |(old, new): (&Option<&Entry>, &Entry)| old.is_some_and(|old| !is_same_description(old, new));
    let is_paired = |old: &&Entry| pairs.iter().flatten().any(|paired| paired.reference == old.reference);
    let is_unmatched = |old: &&Entry| !old.is_attestation() && !is_paired(old);
    draft.has_oci_only_fields()
        || source.index.as_ref().is_some_and(has_oci_only_fields)
        || pairs.iter().zip(&source.entries).any(differs)
        || old_entries.iter().any(is_unmatched)
        || draft.entries_in_key_order().any(|entry| may_lack_source(entry, &source.reference))
}

fn has_oci_only_fields(index: &Index) -> bool {
    !index.annotations.is_empty() || !index.artifact_type.is_empty() || index.subject.is_some()
}

/// Whether both agree on everything that a user can describe.
fn is_same_description(old: &Entry, new: &Entry) -> bool {
    let (old, new) = (&old.descriptor, &new.descriptor);
    old.platform == new.platform && old.annotations == new.annotations && old.artifact_type == new.artifact_type
}

/// The previous descriptor of an image that the user named. Of its description it has only the platform, which its
/// configuration states.
fn descriptor_from_config(
    platforms: &ConfigPlatforms,
    registry: &RegistryClient,
    old: &Entry,
) -> Result<Descriptor, CommandError> {
    let bytes = old.verified_bytes()?;
    let platform = platforms.read(&ImageSource::in_registry(registry, &old.reference), &bytes)?;
    let plain = Descriptor::new(&old.descriptor.media_type, old.descriptor.digest.clone(), old.descriptor.size);
    Ok(Descriptor { platform: Some(platform), ..plain })
}

/// `None` for content that the registry no longer has.
fn if_exists<T>(found: Result<T, CommandError>) -> Result<Option<T>, CommandError> {
    match found {
        Err(CommandError::NoSuchManifest { .. }) => Ok(None),
        Err(CommandError::Registry(error)) if error.kind == RegistryErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
