//! Selects the children of an index to fetch, and names images that a list has more than once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::core::error::CommandError;
use crate::core::request::SourceFilter;
use crate::core::resolve::limits::ResolvedSize;
use crate::core::resolve::source::ResolvedSource;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::model::spec::Attestations;
use crate::platform::Platform;
use crate::reference::Reference;

/// A child of an index that must be fetched.
pub(crate) struct SelectedChild {
    /// The number of the source that it belongs to.
    pub(crate) source: usize,
    /// Its name: its digest in the index's repository.
    pub(crate) reference: Reference,
    /// The descriptor in the index.
    pub(crate) descriptor: Descriptor,
    /// Further descriptors of the same manifest in the index.
    again: Vec<Descriptor>,
}

impl SelectedChild {
    /// The number of its descriptors.
    pub(crate) fn count(&self) -> usize {
        1 + self.again.len()
    }

    /// Its descriptors, each with its own name. `source` is the index that was requested.
    pub(crate) fn lines<'a>(&'a self, source: &'a Reference) -> impl Iterator<Item = (Reference, &'a Descriptor)> {
        let names = (2..).map(|place| name_again(&self.reference, &self.descriptor.digest, source.tag(), place));
        std::iter::once((self.reference.clone(), &self.descriptor)).chain(names.zip(&self.again))
    }
}

/// The name of the `place`th descriptor (from 2 on) of one image in a list. Docker keeps one file per name, so it gets
/// the list's tag beside the digest, and from the third on a number. A pull by such a name gets the same image. See
/// `store-format.md`, "Names that docker mixes".
pub(crate) fn name_again(image: &Reference, digest: &Digest, tag: Option<&str>, place: usize) -> Reference {
    let tag: String = tag.unwrap_or("index").chars().take(100).collect();
    let number = if place == 2 { String::new() } else { format!("-{place}") };
    let name = format!("{}:{tag}{number}@{digest}", image.repository());
    Reference::parse_canonical(&name).unwrap_or_else(|_| image.repository().at_digest(digest))
}

/// An index whose children are about to be fetched.
pub(crate) struct ParentIndex<'a> {
    /// The number of the source that it is, or is nested in.
    pub(crate) place: usize,
    /// That source.
    pub(crate) source: &'a ResolvedSource,
    /// The filter for its images.
    pub(crate) wanted: &'a SourceFilter,
}

impl ParentIndex<'_> {
    /// The children that must be fetched. Those that are known not to match the filter are left out.
    ///
    /// # Errors
    /// A limit is exceeded.
    pub(crate) fn children(&self, index: &Index, size: &mut ResolvedSize) -> Result<Vec<SelectedChild>, CommandError> {
        let mut children: Vec<SelectedChild> = Vec::new();
        let mut places: BTreeMap<&Digest, usize> = BTreeMap::new();
        let mut seen: HashSet<&Descriptor> = HashSet::new();
        for line in self.needed(index).into_iter().filter(|line| seen.insert(line)) {
            size.count_descriptor(&self.source.location)?;
            let place = *places.entry(&line.digest).or_insert(children.len());
            match children.get_mut(place) {
                Some(child) => child.again.push(line.clone()),
                None => {
                    let reference = self.source.reference.repository().at_digest(&line.digest);
                    children.push(SelectedChild {
                        source: self.place,
                        reference,
                        descriptor: line.clone(),
                        again: Vec::new(),
                    });
                }
            }
        }
        Ok(children)
    }

    fn needed<'a>(&self, index: &'a Index) -> Vec<&'a Descriptor> {
        let wanted = self.wanted;
        let is_index = |line: &Descriptor| ManifestKind::is_list(&line.media_type);
        let is_wanted = |line: &Descriptor| {
            // A descriptor without a platform may be an image, or a referrer of one.
            is_index(line) || !has_known_platform(line) || line.platform.as_ref().is_none_or(|own| picks(wanted, own))
        };
        let known = || index.manifests.iter().filter(|line| !is_unknown(line));
        let images = known().filter(|line| attested(line).is_none() && is_wanted(line));
        let picked: BTreeSet<&Digest> = images.map(|line| &line.digest).collect();
        // Its image may be in a nested index.
        let has_index = index.manifests.iter().any(is_index);
        let here: BTreeSet<&Digest> = index.manifests.iter().map(|line| &line.digest).collect();
        let is_elsewhere = |digest: &Digest| has_index && !here.contains(digest);
        let is_needed = |line: &&Descriptor| match attested(line) {
            Some(_) if wanted.attestations == Attestations::Drop => false,
            Some(digest) => wanted.platforms.is_empty() || picked.contains(&digest) || is_elsewhere(&digest),
            None => picked.contains(&line.digest),
        };
        known().filter(is_needed).collect()
    }
}

/// Whether a descriptor names a platform.
fn has_known_platform(line: &Descriptor) -> bool {
    let is_unknown = |own: &Platform| own.os == "unknown" || own.architecture == "unknown";
    line.has_platform() && !line.platform.as_ref().is_some_and(is_unknown)
}

/// Whether a descriptor names neither an image nor an index. Without a media type, the registry decides.
pub(crate) fn is_unknown(line: &Descriptor) -> bool {
    !line.media_type.is_empty() && ManifestKind::of(&line.media_type).is_none()
}

/// Whether the filter selects `platform`.
pub(crate) fn picks(wanted: &SourceFilter, platform: &Platform) -> bool {
    wanted.platforms.is_empty() || wanted.platforms.iter().any(|pick| is_picked(platform, &pick.parsed))
}

/// Whether `own` matches `pick`. An empty operating system or architecture matches any.
pub(crate) fn is_picked(own: &Platform, pick: &Platform) -> bool {
    let or_own = |said: &String, own: &String| if said.is_empty() { own.clone() } else { said.clone() };
    let os = or_own(&pick.os, &own.os);
    let architecture = or_own(&pick.architecture, &own.architecture);
    own.matches(&Platform { os, architecture, ..pick.clone() })
}
