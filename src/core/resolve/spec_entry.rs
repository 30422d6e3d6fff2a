//! The images that an entry of a spec selects from its source, with the spec's description.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::request::PlatformFilter;
use crate::core::resolve::selection::{self, is_picked};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::digest::Digest;
use crate::model::Entry;
use crate::model::entry::attested;
use crate::model::spec::{EmptyFields, SpecEntry};
use crate::platform::Platform;
use crate::reference::Reference;

/// The platform that an entry selects from an index. CPU features are left out, because they usually describe the
/// image.
pub(super) fn pick(entry: &SpecEntry) -> Option<PlatformFilter> {
    let given = entry.platform.as_ref()?;
    let parsed = Platform { os_features: Vec::new(), features: Vec::new(), ..given.clone() };
    (parsed != Platform::default()).then(|| PlatformFilter { shown: given.to_string(), parsed })
}

pub(super) fn has_attestations(source: &ResolvedSource) -> bool {
    let descriptors = source.index.iter().flat_map(|index| &index.manifests);
    descriptors.filter_map(attested).next().is_some()
}

/// The entries that a spec entry takes from its source, with the spec's description.
pub(super) fn entries_of(
    entry: &SpecEntry,
    source: &ResolvedSource,
    keeps_attestations: bool,
) -> Result<Vec<Entry>, CommandError> {
    let parents = source.parents();
    if source.index.is_none() {
        let describe = |own: &Entry| if own.attests().is_some() { own.clone() } else { described(own, entry) };
        let own = source.entries.iter().map(describe);
        return Ok(own.filter(|own| keeps_attestations || own.attests().is_none()).collect());
    }
    let pick = pick(entry);
    let picked = picked(entry, source, pick.as_ref(), &parents);
    // A missing image without a platform may have been for this one.
    let may_be_missing = |pick: &PlatformFilter| {
        let own =
            source.missing.iter().map(|descriptor| descriptor.platform.as_ref().filter(|_| descriptor.has_platform()));
        own.into_iter().any(|own| own.is_none_or(|own| is_picked(own, &pick.parsed)))
    };
    if let (true, Some(pick)) = (picked.is_empty(), &pick)
        && !may_be_missing(pick)
    {
        return Err(CommandError::no_such_platform(&pick.shown, &source.location, source.platforms.clone()));
    }
    let mut digests: BTreeSet<&Digest> = picked.values().copied().collect();
    // A signature may refer to an attestation.
    selection::extend(&mut digests, |digests| {
        let belongs = |own: &&Entry| parents.get(&own.reference).is_some_and(|parent| digests.contains(parent));
        source.entries.iter().filter(belongs).map(|own| &own.descriptor.digest).collect()
    });
    let is_selected = |own: &&Entry| match parents.get(&own.reference) {
        Some(parent) => keeps_attestations && (pick.is_none() || digests.contains(parent)),
        None => picked.contains_key(&own.reference),
    };
    let describe = |own: &Entry| if parents.contains_key(&own.reference) { own.clone() } else { described(own, entry) };
    Ok(source.entries.iter().filter(is_selected).map(describe).collect())
}

/// The images of an index that an entry selects. CPU features decide only if an image has all of them.
fn picked<'a>(
    entry: &SpecEntry,
    source: &'a ResolvedSource,
    pick: Option<&PlatformFilter>,
    parents: &BTreeMap<Reference, Digest>,
) -> BTreeMap<&'a Reference, &'a Digest> {
    let images = source.entries.iter().filter(|own| !parents.contains_key(&own.reference));
    let named = |own: &'a Entry| (&own.reference, &own.descriptor.digest);
    let of = |platform: &Platform| -> BTreeMap<&'a Reference, &'a Digest> {
        let is_it = |own: &&Entry| own.descriptor.platform.as_ref().is_some_and(|own| is_picked(own, platform));
        images.clone().filter(is_it).map(named).collect()
    };
    let Some(pick) = pick else { return images.map(named).collect() };
    let exact = entry.platform.as_ref().map(&of).unwrap_or_default();
    if exact.is_empty() { of(&pick.parsed) } else { exact }
}

/// An image with the spec's description.
fn described(own: &Entry, entry: &SpecEntry) -> Entry {
    let mut described = own.clone();
    let descriptor = &mut described.descriptor;
    if entry.force {
        descriptor.platform.clone_from(&entry.platform);
    } else if entry.platform.is_some() || entry.without != EmptyFields::default() {
        let given = entry.platform.clone().unwrap_or_default();
        descriptor.platform = Some(overridden(descriptor.platform.take().unwrap_or_default(), given, entry.without));
    }
    descriptor.annotations.extend(entry.annotations.clone());
    if let Some(artifact_type) = &entry.artifact_type {
        descriptor.artifact_type.clone_from(artifact_type);
    }
    described
}

/// Overrides a platform field by field. A variant belongs to an architecture, a version and features to an operating
/// system: if the spec names another one, the image's own are dropped.
fn overridden(own: Platform, given: Platform, without: EmptyFields) -> Platform {
    let (normal_own, normal_given) = (own.normalized(), given.normalized());
    let same_architecture = given.architecture.is_empty() || normal_own.architecture == normal_given.architecture;
    let same_os = given.os.is_empty() || normal_own.os == normal_given.os;
    let text = |given: String, own: String| if given.is_empty() { own } else { given };
    let list = |given: Vec<String>, own: Vec<String>| if given.is_empty() { own } else { given };
    let mut platform = Platform {
        variant: if same_architecture { text(given.variant, own.variant) } else { given.variant },
        os_version: if same_os { text(given.os_version, own.os_version) } else { given.os_version },
        os_features: if same_os { list(given.os_features, own.os_features) } else { given.os_features },
        features: if same_architecture { list(given.features, own.features) } else { given.features },
        architecture: text(given.architecture, own.architecture),
        os: text(given.os, own.os),
    };
    if without.variant {
        platform.variant.clear();
    }
    if without.os_version {
        platform.os_version.clear();
    }
    if without.os_features {
        platform.os_features.clear();
    }
    platform
}
