//! What `--platform` and `--attestations` select: the children of an index to fetch, and then the entries that stay.
//! Also names the images that a list has more than once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::core::image_filters::SourceFilter;
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::digest::Digest;
use crate::model::Entry;
use crate::model::descriptor::Descriptor;
use crate::model::entry::{attested_digest, is_attestation};
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::model::spec::AttestationsPolicy;
use crate::platform::Platform;
use crate::reference::Reference;

/// A child of an index that must be fetched.
pub(crate) struct SelectedChild {
    /// The number of the source that it belongs to.
    pub(crate) source_number: usize,
    /// Its name: its digest in the index's repository.
    pub(crate) reference: Reference,
    /// The descriptor in the index.
    pub(crate) descriptor: Descriptor,
    /// Further descriptors of the same manifest in the index.
    repeated: Vec<Descriptor>,
}

impl SelectedChild {
    /// The number of its descriptors.
    pub(crate) fn count(&self) -> usize {
        1 + self.repeated.len()
    }

    /// Its descriptors, each with its own name. `source` is the index that was requested.
    pub(crate) fn descriptors<'a>(
        &'a self,
        source: &'a Reference,
    ) -> impl Iterator<Item = (Reference, &'a Descriptor)> {
        let names = (2..).map(|number| repeated_name(&self.reference, &self.descriptor.digest, source.tag(), number));
        std::iter::once((self.reference.clone(), &self.descriptor)).chain(names.zip(&self.repeated))
    }
}

/// The name of the `number`th descriptor (from 2 on) of one image in a list. Docker keeps one file per name, so the
/// second name has the list's tag beside the digest, and further ones a number, too. A pull by such a name gets the
/// same image. See `store-format.md`, "Names that docker mixes".
pub(crate) fn repeated_name(image: &Reference, digest: &Digest, tag: Option<&str>, number: usize) -> Reference {
    let tag: String = tag.unwrap_or("index").chars().take(100).collect();
    let suffix = if number == 2 { String::new() } else { format!("-{number}") };
    let name = format!("{}:{tag}{suffix}@{digest}", image.repository());
    Reference::parse_canonical(&name).unwrap_or_else(|_| image.repository().at_digest(digest))
}

/// The children of an index that must be fetched. Those that are known not to match the filter are left out.
/// `source_number` is the number of the source that the index is, or is nested in, and `source` its name.
pub(super) fn selected_children(
    source_number: usize,
    source: &Reference,
    filter: &SourceFilter,
    index: &Index,
) -> Vec<SelectedChild> {
    let mut children: Vec<SelectedChild> = Vec::new();
    let mut positions: BTreeMap<&Digest, usize> = BTreeMap::new();
    let mut seen: HashSet<&Descriptor> = HashSet::new();
    for descriptor in needed(filter, index).into_iter().filter(|descriptor| seen.insert(descriptor)) {
        let position = *positions.entry(&descriptor.digest).or_insert(children.len());
        match children.get_mut(position) {
            Some(child) => child.repeated.push(descriptor.clone()),
            None => children.push(SelectedChild {
                source_number,
                reference: source.repository().at_digest(&descriptor.digest),
                descriptor: descriptor.clone(),
                repeated: Vec::new(),
            }),
        }
    }
    children
}

/// The descriptors of an index that the filter selects, or may select once they are fetched.
fn needed<'a>(filter: &SourceFilter, index: &'a Index) -> Vec<&'a Descriptor> {
    let is_index = |descriptor: &Descriptor| ManifestKind::is_list(&descriptor.media_type);
    let is_selected = |descriptor: &Descriptor| {
        // A descriptor without a platform may be an image, or a referrer of one.
        is_index(descriptor)
            || !has_fully_known_platform(descriptor)
            || descriptor.platform.as_ref().is_none_or(|platform| selects_platform(filter, platform))
    };
    let known = || index.manifests.iter().filter(|descriptor| !is_opaque(descriptor));
    let images = known().filter(|descriptor| !is_attestation(descriptor) && is_selected(descriptor));
    let selected: BTreeSet<&Digest> = images.map(|descriptor| &descriptor.digest).collect();
    let has_index = index.manifests.iter().any(is_index);
    let listed: BTreeSet<&Digest> = index.manifests.iter().map(|descriptor| &descriptor.digest).collect();
    let may_be_nested = |image: &Digest| has_index && !listed.contains(image);
    let is_needed = |descriptor: &&Descriptor| match attested_digest(descriptor) {
        Some(_) if filter.attestations == AttestationsPolicy::Drop => false,
        Some(image) => filter.platforms.is_empty() || selected.contains(&image) || may_be_nested(&image),
        None => selected.contains(&descriptor.digest),
    };
    known().filter(is_needed).collect()
}

/// Removes the entries that the filter does not select, together with their attestations and referrers. All platforms
/// of the source are known now.
pub(super) fn remove_unselected(filter: &SourceFilter, source: &mut ResolvedSource) {
    let drops_attestations = filter.attestations == AttestationsPolicy::Drop;
    if filter.platforms.is_empty() && !drops_attestations {
        return;
    }
    let subjects = source.subjects_by_dependent();
    let is_image = |entry: &Entry| {
        let is_in_filter = entry.descriptor.platform.as_ref().is_none_or(|platform| selects_platform(filter, platform));
        !subjects.contains_key(&entry.reference) && is_in_filter
    };
    let images = source.entries.iter().filter(|entry| is_image(entry));
    let mut selected: BTreeSet<Digest> = images.map(|entry| entry.descriptor.digest.clone()).collect();
    let belongs = |entry: &Entry, selected: &BTreeSet<Digest>| {
        subjects.get(&entry.reference).is_some_and(|subject| !drops_attestations && selected.contains(subject))
    };
    // A signature may refer to an attestation.
    extend_transitively(&mut selected, |selected| {
        let more = source.entries.iter().filter(|entry| belongs(entry, selected));
        more.map(|entry| entry.descriptor.digest.clone()).collect()
    });
    let before = source.entries.len();
    source.entries.retain(|entry| is_image(entry) || belongs(entry, &selected));
    source.is_complete &= source.entries.len() == before;
}

/// Adds to a set the members that `find_dependents` finds for it, until it finds no more.
pub(crate) fn extend_transitively<T: Ord>(set: &mut BTreeSet<T>, find_dependents: impl Fn(&BTreeSet<T>) -> Vec<T>) {
    let mut before = None;
    while before != Some(set.len()) {
        before = Some(set.len());
        set.extend(find_dependents(set));
    }
}

/// Whether a descriptor names a platform.
fn has_fully_known_platform(descriptor: &Descriptor) -> bool {
    let is_known = |platform: &Platform| platform.os != "unknown" && platform.architecture != "unknown";
    descriptor.non_empty_platform().is_some_and(is_known)
}

/// Whether a descriptor names neither an image nor an index. Without a media type, it may be either.
pub(crate) fn is_opaque(descriptor: &Descriptor) -> bool {
    !descriptor.media_type.is_empty() && ManifestKind::from_media_type(&descriptor.media_type).is_none()
}

/// Whether the filter selects `platform`.
pub(crate) fn selects_platform(filter: &SourceFilter, platform: &Platform) -> bool {
    filter.platforms.is_empty() || filter.platforms.iter().any(|requested| matches_partial(platform, &requested.parsed))
}

/// Whether the filter selects the image of a descriptor. A descriptor without a platform is selected only if the filter
/// names no platform.
pub(crate) fn selects_descriptor(filter: &SourceFilter, descriptor: &Descriptor) -> bool {
    let is_selected = |platform: &Platform| selects_platform(filter, platform);
    filter.platforms.is_empty() || descriptor.non_empty_platform().is_some_and(is_selected)
}

/// Whether `platform` matches `requested`. An empty operating system or architecture matches any.
pub(crate) fn matches_partial(platform: &Platform, requested: &Platform) -> bool {
    let or_own = |text: &String, other: &String| if text.is_empty() { other.clone() } else { text.clone() };
    let os = or_own(&requested.os, &platform.os);
    let architecture = or_own(&requested.architecture, &platform.architecture);
    platform.matches(&Platform { os, architecture, ..requested.clone() })
}
