//! The images that an entry of a spec selects from its source, with the spec's description.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::selection::{self, matches_partial};
use crate::digest::Digest;
use crate::model::Entry;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested_digest;
use crate::model::spec::{EmptyFields, SpecEntry};
use crate::platform::Platform;
use crate::reference::Reference;

/// The platform that an entry selects from an index. CPU features are left out, because they usually describe the
/// image.
pub(super) fn requested_platform(entry: &SpecEntry) -> Option<PlatformFilter> {
    let given = entry.platform.as_ref()?;
    let parsed = Platform { os_features: Vec::new(), features: Vec::new(), ..given.clone() };
    (parsed != Platform::default()).then(|| PlatformFilter { text: given.to_string(), parsed })
}

pub(super) fn has_attestations(source: &ResolvedSource) -> bool {
    let descriptors = source.index.iter().flat_map(|index| &index.manifests);
    descriptors.filter_map(attested_digest).next().is_some()
}

/// The entries that a spec entry takes from its source, with the spec's description.
pub(super) fn select_entries(
    entry: &SpecEntry,
    source: &ResolvedSource,
    keeps_attestations: bool,
) -> Result<Vec<Entry>, CommandError> {
    let subjects = source.subjects_by_dependent();
    if source.index.is_none() {
        let describe = |source_entry: &Entry| {
            if source_entry.is_attestation() { source_entry.clone() } else { described(source_entry, entry) }
        };
        let entries = source.entries.iter().map(describe);
        return Ok(entries.filter(|source_entry| keeps_attestations || !source_entry.is_attestation()).collect());
    }
    let requested = requested_platform(entry);
    let selected = selected_images(entry, source, requested.as_ref(), &subjects);
    // A missing image without a platform may have been for this one.
    let may_be_missing = |requested: &PlatformFilter| {
        source
            .missing_children
            .iter()
            .map(Descriptor::non_empty_platform)
            .any(|platform| platform.is_none_or(|platform| matches_partial(platform, &requested.parsed)))
    };
    if let (true, Some(requested)) = (selected.is_empty(), &requested)
        && !may_be_missing(requested)
    {
        return Err(CommandError::no_such_platform(&requested.text, &source.location, source.platforms.clone()));
    }
    let mut digests: BTreeSet<&Digest> = selected.values().copied().collect();
    // A signature may refer to an attestation.
    selection::extend_transitively(&mut digests, |digests| {
        let belongs = |source_entry: &&Entry| {
            subjects.get(&source_entry.reference).is_some_and(|subject| digests.contains(subject))
        };
        source.entries.iter().filter(belongs).map(|source_entry| &source_entry.descriptor.digest).collect()
    });
    let is_selected = |source_entry: &&Entry| match subjects.get(&source_entry.reference) {
        Some(subject) => keeps_attestations && (requested.is_none() || digests.contains(subject)),
        None => selected.contains_key(&source_entry.reference),
    };
    let describe = |source_entry: &Entry| {
        if subjects.contains_key(&source_entry.reference) {
            source_entry.clone()
        } else {
            described(source_entry, entry)
        }
    };
    Ok(source.entries.iter().filter(is_selected).map(describe).collect())
}

/// The images of an index that an entry selects. CPU features decide only if an image has all of them.
fn selected_images<'a>(
    entry: &SpecEntry,
    source: &'a ResolvedSource,
    requested: Option<&PlatformFilter>,
    subjects: &BTreeMap<Reference, Digest>,
) -> BTreeMap<&'a Reference, &'a Digest> {
    let images = source.entries.iter().filter(|source_entry| !subjects.contains_key(&source_entry.reference));
    let named = |source_entry: &'a Entry| (&source_entry.reference, &source_entry.descriptor.digest);
    let images_for = |platform: &Platform| -> BTreeMap<&'a Reference, &'a Digest> {
        let matches = |source_entry: &&Entry| {
            source_entry.descriptor.platform.as_ref().is_some_and(|image| matches_partial(image, platform))
        };
        images.clone().filter(matches).map(named).collect()
    };
    let Some(requested) = requested else { return images.map(named).collect() };
    let exact = entry.platform.as_ref().map(&images_for).unwrap_or_default();
    if exact.is_empty() { images_for(&requested.parsed) } else { exact }
}

/// An image with the spec's description.
fn described(image_entry: &Entry, entry: &SpecEntry) -> Entry {
    let mut described = image_entry.clone();
    let descriptor = &mut described.descriptor;
    if entry.force {
        descriptor.platform.clone_from(&entry.platform);
    } else if entry.platform.is_some() || entry.explicitly_empty != EmptyFields::default() {
        let given = entry.platform.clone().unwrap_or_default();
        descriptor.platform =
            Some(overridden(descriptor.platform.take().unwrap_or_default(), given, entry.explicitly_empty));
    }
    descriptor.annotations.extend(entry.annotations.clone());
    if let Some(artifact_type) = &entry.artifact_type {
        descriptor.artifact_type.clone_from(artifact_type);
    }
    described
}

/// Overrides a platform field by field. A variant belongs to an architecture, a version and features to an operating
/// system: if the spec names another one, the image's own are dropped.
fn overridden(image: Platform, spec: Platform, explicitly_empty: EmptyFields) -> Platform {
    let (normal_own, normal_given) = (image.normalized_for_comparison(), spec.normalized_for_comparison());
    let same_architecture = spec.architecture.is_empty() || normal_own.architecture == normal_given.architecture;
    let same_os = spec.os.is_empty() || normal_own.os == normal_given.os;
    let text = |spec: String, image: String| if spec.is_empty() { image } else { spec };
    let list = |spec: Vec<String>, image: Vec<String>| if spec.is_empty() { image } else { spec };
    let mut platform = Platform {
        variant: if same_architecture { text(spec.variant, image.variant) } else { spec.variant },
        os_version: if same_os { text(spec.os_version, image.os_version) } else { spec.os_version },
        os_features: if same_os { list(spec.os_features, image.os_features) } else { spec.os_features },
        features: if same_architecture { list(spec.features, image.features) } else { spec.features },
        architecture: text(spec.architecture, image.architecture),
        os: text(spec.os, image.os),
    };
    if explicitly_empty.variant {
        platform.variant.clear();
    }
    if explicitly_empty.os_version {
        platform.os_version.clear();
    }
    if explicitly_empty.os_features {
        platform.os_features.clear();
    }
    platform
}
