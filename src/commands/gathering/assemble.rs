//! From specs to drafts: which sources they need, what is taken of each, and what the spec says of it.
//!
//! The lines of a list stand in the spec's order, and what an index brings in the index's, its attestations among
//! them; so the same spec and the same images always give the same bytes.

use std::collections::{BTreeMap, HashSet};

use crate::args::{Attestations, PlatformArg, RefArg, Sources};
use crate::commands::error::CommandError;
use crate::commands::gathering::children::{self, is_picked};
use crate::commands::gathering::sources::{self, Gathering, Request, Source};
use crate::digest::Digest;
use crate::document::descriptor::Descriptor;
use crate::document::entry::attested;
use crate::document::list::{Form, Index};
use crate::document::{Draft, Entry};
use crate::plain;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::spec::{self, Spec, SpecEntry, Without};

/// The sources of several specs, each once.
#[derive(Default)]
pub(in crate::commands) struct Wanted {
    images: Vec<RefArg>,
    /// What is wanted of each.
    sources: Vec<Sources>,
    places: BTreeMap<Reference, usize>,
}

/// What a registry has for each of them; `None` where it has none and that does not matter.
pub(in crate::commands) struct Found(BTreeMap<Reference, Option<Source>>);

/// What a list is made of.
pub(in crate::commands) struct Parts {
    /// Its lines, in order.
    entries: Vec<Entry>,
    /// The one index that it is made of as a whole, if that is all.
    base: Option<Index>,
    /// What has to be said to whoever published it.
    pub(in crate::commands) warnings: Vec<String>,
}

impl Wanted {
    /// What these specs need.
    pub(in crate::commands) fn of(specs: &[Spec]) -> Wanted {
        let mut wanted = Wanted::default();
        for (spec, entry) in specs.iter().flat_map(|spec| spec.manifests.iter().map(move |entry| (spec, entry))) {
            wanted.add(entry, attestations(spec));
        }
        wanted
    }

    fn add(&mut self, entry: &SpecEntry, attestations: Attestations) {
        let pick = pick(entry);
        let place = *self.places.entry(entry.image.clone()).or_insert(self.images.len());
        if let Some(known) = self.sources.get_mut(place) {
            match pick {
                Some(pick) if !known.platforms.is_empty() => known.platforms.push(pick),
                _ => known.platforms.clear(),
            }
            if attestations == Attestations::Keep {
                known.attestations = attestations;
            }
            return;
        }
        self.images.push(RefArg { typed: entry.image.to_string(), parsed: Ok(entry.image.clone()) });
        self.sources.push(Sources { platforms: pick.into_iter().collect(), attestations });
    }

    /// Gets all of them, at once.
    ///
    /// # Errors
    /// What registries say; with `ignore_missing`, not that they have no such image.
    pub(in crate::commands) fn gather(
        &self,
        gathering: &Gathering<'_>,
        ignore_missing: bool,
    ) -> Result<Found, CommandError> {
        let requests = self.images.iter().zip(&self.sources).map(|(image, wanted)| Request { image, wanted });
        let found = gathering.gather_each(&requests.collect::<Vec<_>>(), ignore_missing)?;
        let names = self.images.iter().filter_map(|image| image.parsed.clone().ok());
        Ok(Found(names.zip(found).collect()))
    }
}

impl Found {
    /// The images of which their registries say that they have none.
    pub(in crate::commands) fn missing(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter(|(_, source)| source.is_none()).map(|(image, _)| image)
    }

    /// What a spec's list is made of.
    ///
    /// # Errors
    /// A platform that an index has not, and a list of which nothing is left; all of them.
    pub(in crate::commands) fn parts(&self, spec: &Spec) -> Result<Parts, CommandError> {
        let keeps = attestations(spec) == Attestations::Keep;
        let (mut entries, mut failures, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for entry in &spec.manifests {
            let Some(Some(source)) = self.0.get(&entry.image) else { continue };
            match taken(entry, source, keeps) {
                Ok(taken) => entries.extend(taken),
                Err(failure) => failures.push(failure),
            }
            if spec.attestations.is_none() && !keeps && has_attestations(source) {
                let image = &entry.image;
                warnings.push(format!(
                    "the attestations of {image} are left out: a Docker manifest list has no place for them"
                ));
            }
        }
        if !failures.is_empty() {
            return Err(CommandError::of(failures));
        }
        if entries.is_empty() {
            let target = spec.targets.first().map(ToString::to_string);
            return Err(CommandError::NoneLeft(target.unwrap_or_default()));
        }
        let mut base = self.base(spec).cloned();
        if spec.form == Some(Form::Docker)
            && let Some(index) = base.take_if(|index| !index.annotations.is_empty() || index.subject.is_some())
        {
            let names: Vec<String> = index.annotations.keys().map(|name| plain::word(name)).collect();
            let subject = if index.subject.is_some() { " its subject" } else { "" };
            warnings.push(format!(
                "what the index says of itself is left out, a Docker manifest list has no place for it: {}{subject}",
                names.join(", ")
            ));
        }
        Ok(Parts { entries, base, warnings })
    }

    /// The index, where the spec is that index and no part of it: what that says of itself comes along.
    fn base(&self, spec: &Spec) -> Option<&Index> {
        match spec.manifests.as_slice() {
            [only] if only.platform.is_none() => self.0.get(&only.image)?.as_ref()?.index.as_ref(),
            _ => None,
        }
    }
}

impl Parts {
    /// The draft that is published as `target`.
    pub(in crate::commands) fn draft(&self, spec: &Spec, target: &Reference) -> Draft {
        let mut draft = Draft::new(target.clone());
        if let Some(base) = &self.base {
            draft.annotations.clone_from(&base.annotations);
            draft.artifact_type.clone_from(&base.artifact_type);
            draft.subject.clone_from(&base.subject);
        }
        draft.annotations.extend(spec.annotations.clone());
        if let Some(artifact_type) = &spec.artifact_type {
            draft.artifact_type.clone_from(artifact_type);
        }
        for (place, entry) in self.entries.iter().enumerate() {
            draft.insert_keyed(format!("{place:08}"), entry.clone());
        }
        draft
    }
}

/// The same draft as a store keeps it: by the images' names. An image that stands in it more than once, for several
/// platforms, goes by its digest the second time, and then as one that an index lists again, by the list's tag.
///
/// # Errors
/// Where docker's store has one file for two of the images.
pub(in crate::commands) fn storable(draft: &Draft) -> Result<Draft, CommandError> {
    let mut stored = Draft::new(draft.reference.clone());
    stored.annotations.clone_from(&draft.annotations);
    stored.artifact_type.clone_from(&draft.artifact_type);
    stored.subject.clone_from(&draft.subject);
    let mut seen: HashSet<(&Reference, &Descriptor)> = HashSet::new();
    // How many names of each image are taken for sure.
    let mut places: BTreeMap<Reference, usize> = BTreeMap::new();
    for entry in draft.entries().filter(|entry| seen.insert((&entry.reference, &entry.descriptor))) {
        let mut named = entry.clone();
        let digest = &entry.descriptor.digest;
        let by_digest = entry.reference.repository().at_digest(digest);
        let place = places.entry(by_digest.clone()).or_insert(0);
        while stored.get(&named.reference).is_some() {
            *place += 1;
            named.reference = match *place {
                1 => by_digest.clone(),
                place => children::name_again(&by_digest, digest, draft.reference.tag(), place),
            };
        }
        stored.insert(named)?;
    }
    Ok(stored)
}

/// What becomes of attestations. In Docker's list, where they have no place, they stay behind unless somebody asks.
fn attestations(spec: &Spec) -> Attestations {
    match (spec.attestations, spec.form) {
        (Some(spec::Attestations::Drop), _) | (None, Some(Form::Docker)) => Attestations::Drop,
        (Some(spec::Attestations::Keep), _) | (None, _) => Attestations::Keep,
    }
}

/// What an entry picks from an index: its platform, but for features, which are rather said of an image.
fn pick(entry: &SpecEntry) -> Option<PlatformArg> {
    let given = entry.platform.as_ref()?;
    let parsed = Platform { os_features: Vec::new(), features: Vec::new(), ..given.clone() };
    (parsed != Platform::default()).then(|| PlatformArg { typed: given.to_string(), parsed })
}

fn has_attestations(source: &Source) -> bool {
    let lines = source.index.iter().flat_map(|index| &index.manifests);
    lines.filter_map(attested).next().is_some()
}

/// What an entry of a spec takes of its source, described as it says.
fn taken(entry: &SpecEntry, source: &Source, keeps: bool) -> Result<Vec<Entry>, CommandError> {
    if source.index.is_none() {
        let own = source.entries.iter().map(|own| described(own, entry));
        return Ok(own.filter(|own| keeps || own.attests().is_none()).collect());
    }
    let pick = pick(entry);
    let picked = picked(entry, source, pick.as_ref());
    if let (true, Some(pick)) = (picked.is_empty(), &pick) {
        return Err(CommandError::NoSuchPlatform {
            platform: pick.typed.clone(),
            sources: source.reference.to_string(),
            there: sources::there(std::slice::from_ref(source)),
        });
    }
    let is_taken = |own: &&Entry| match own.attests() {
        Some(digest) => keeps && (pick.is_none() || picked.values().any(|own| **own == digest)),
        None => picked.contains_key(&own.reference),
    };
    let describe = |own: &Entry| if own.attests().is_some() { own.clone() } else { described(own, entry) };
    Ok(source.entries.iter().filter(is_taken).map(describe).collect())
}

/// The images of an index that an entry picks. Features decide only where there is an image that has them all.
fn picked<'a>(
    entry: &SpecEntry,
    source: &'a Source,
    pick: Option<&PlatformArg>,
) -> BTreeMap<&'a Reference, &'a Digest> {
    let images = source.entries.iter().filter(|own| own.attests().is_none());
    let named = |own: &'a Entry| (&own.reference, &own.descriptor.digest);
    let of = |wanted: &Platform| -> BTreeMap<&'a Reference, &'a Digest> {
        let is_it = |own: &&Entry| own.descriptor.platform.as_ref().is_some_and(|own| is_picked(own, wanted));
        images.clone().filter(is_it).map(named).collect()
    };
    let Some(pick) = pick else { return images.map(named).collect() };
    let exact = entry.platform.as_ref().map(&of).unwrap_or_default();
    if exact.is_empty() { of(&pick.parsed) } else { exact }
}

/// An image as the spec has it.
fn described(own: &Entry, entry: &SpecEntry) -> Entry {
    let mut described = own.clone();
    let line = &mut described.descriptor;
    if entry.platform.is_some() || entry.without != Without::default() {
        let given = entry.platform.clone().unwrap_or_default();
        line.platform = Some(overridden(line.platform.take().unwrap_or_default(), given, entry.without));
    }
    line.annotations.extend(entry.annotations.clone());
    if let Some(artifact_type) = &entry.artifact_type {
        line.artifact_type.clone_from(artifact_type);
    }
    described
}

/// Field by field. A variant is one of an architecture, a version and features are of an operating system: where the
/// spec names another, the image's own say nothing.
fn overridden(own: Platform, given: Platform, without: Without) -> Platform {
    let (mine, theirs) = (own.normalized(), given.normalized());
    let same_architecture = given.architecture.is_empty() || mine.architecture == theirs.architecture;
    let same_os = given.os.is_empty() || mine.os == theirs.os;
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
