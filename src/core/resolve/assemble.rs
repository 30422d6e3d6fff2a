//! Builds drafts from specs: which sources they need, which entries are taken, and how the spec describes them.
//!
//! The entries have the order of the spec. Entries of an index keep the index's order, with its attestations. So the
//! same spec and the same images always give the same bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use crate::core::error::CommandError;
use crate::core::missing_child::{MissingChild, NamedBy};
use crate::core::place::{ContentAccess, Place};
use crate::core::request::{ImageName, SourceFilter};
use crate::core::resolve::fetch;
use crate::core::resolve::selection;
use crate::core::resolve::source::ResolvedSource;
use crate::core::resolve::sources::{self, Resolver, SourceRequest};
use crate::core::resolve::spec_entry::{has_attestations, pick, taken};
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::draft::Line;
use crate::model::index::{Form, Index};
use crate::model::source::{Carried, SourceIndex};
use crate::model::spec::{Attestations, Spec, SpecEntry};
use crate::model::{Draft, Entry, EntryKey, media_type};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};
use crate::sanitize;

/// The sources of several specs, each once.
#[derive(Default)]
pub(crate) struct SpecSources {
    images: Vec<ImageName>,
    /// The filter of each source.
    sources: Vec<SourceFilter>,
    places: BTreeMap<Location, usize>,
}

/// The resolved sources; `None` for one that is not there, if that is no error.
pub(crate) struct ResolvedSources(BTreeMap<Location, Option<ResolvedSource>>);

/// The parts of a list.
pub(crate) struct ListParts {
    /// The entries, in order.
    entries: Vec<Entry>,
    /// The index that the list is built from, if it has no other source.
    base: Option<ResolvedSource>,
    /// The order of that index, if the list has all of it.
    whole: Option<Vec<EntryKey>>,
    /// Descriptors of whole indexes that name neither an image nor an index.
    carried: Vec<Carried>,
    /// The indexes that the spec names, and those nested in them.
    nested: Vec<SourceIndex>,
    /// The sources that are in layouts. What comes from them is going to be in the repository of the list.
    in_layouts: BTreeSet<Reference>,
    /// Warnings for the user.
    pub(crate) warnings: Vec<String>,
}

impl SpecSources {
    /// Collects the sources of these specs.
    pub(crate) fn of(specs: &[Spec]) -> SpecSources {
        let mut sources = SpecSources::default();
        for (spec, entry) in specs.iter().flat_map(|spec| spec.manifests.iter().map(move |entry| (spec, entry))) {
            sources.add(entry, attestations(spec), spec.attestations == Some(Attestations::Keep));
        }
        sources
    }

    fn add(&mut self, entry: &SpecEntry, attestations: Attestations, attestation_referrers: bool) {
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
            known.attestation_referrers |= attestation_referrers;
            return;
        }
        self.images.push(Ok(entry.image.clone()));
        let platforms = pick.into_iter().collect();
        self.sources.push(SourceFilter { platforms, attestations, attestation_referrers });
    }

    /// Resolves all sources in parallel.
    ///
    /// # Errors
    /// Errors of registries. With `ignore_missing`, a missing image is none.
    pub(crate) fn resolve(
        &self,
        resolver: &Resolver<'_>,
        ignore_missing: bool,
    ) -> Result<ResolvedSources, CommandError> {
        let requests = self.images.iter().zip(&self.sources).map(|(image, filter)| SourceRequest { image, filter });
        let found = resolver.resolve_each(&requests.collect::<Vec<_>>(), ignore_missing)?;
        let names = self.images.iter().filter_map(|image| image.clone().ok());
        Ok(ResolvedSources(names.zip(found).collect()))
    }
}

impl ResolvedSources {
    /// What an image is.
    pub(crate) fn get(&self, image: &Location) -> Option<&ResolvedSource> {
        self.0.get(image)?.as_ref()
    }

    /// The images that their registries and layouts do not have.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &Location> {
        self.0.iter().filter(|(_, source)| source.is_none()).map(|(image, _)| image)
    }

    /// Missing children of indexes: each index with those that the registry does not have.
    pub(crate) fn lost(&self) -> impl Iterator<Item = MissingChild> {
        let of = |source: &ResolvedSource| {
            let list = source.location.clone();
            let lines = source.lost.clone().into_iter();
            lines.map(move |line| MissingChild::new(&list, &[line], NamedBy::Published))
        };
        self.0.values().flatten().flat_map(of)
    }

    /// The parts of a spec's list.
    ///
    /// # Errors
    /// All platforms that an index does not have, and a list without any entry.
    pub(crate) fn parts(&self, spec: &Spec) -> Result<ListParts, CommandError> {
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
        let entries = merged(entries);
        let mut base = self.base(spec).cloned();
        let whole = base.as_ref().and_then(|base| whole(base, &entries));
        let carried = self.carried(spec, whole.is_some());
        let used: BTreeSet<&Location> = spec.manifests.iter().map(|entry| &entry.image).collect();
        let used = used.into_iter().filter_map(|image| self.0.get(image)?.as_ref());
        warnings.extend(used.flat_map(|source| source.left_out.clone()));
        if spec.form == Some(Form::Docker)
            && let Some(ResolvedSource { index: Some(index), .. }) = base.take_if(|base| is_beyond_docker(base))
        {
            let names: Vec<String> = index.annotations.keys().map(|name| sanitize::word(name)).collect();
            let subject = if index.subject.is_some() { " its subject" } else { "" };
            warnings.push(format!(
                "what the index says of itself is left out, a Docker manifest list has no place for it: {}{subject}",
                names.join(", ")
            ));
        }
        let images: BTreeSet<&Location> = spec.manifests.iter().map(|entry| &entry.image).collect();
        let forms = images.into_iter().filter_map(|image| self.0.get(image)?.as_ref()?.form.clone());
        let nested = forms.flat_map(|mut form| {
            let inner = std::mem::take(&mut form.nested);
            std::iter::once(form).chain(inner)
        });
        let nested = nested.collect();
        let layouts = self.0.values().flatten().filter(|source| source.location.layout().is_some());
        let in_layouts = layouts.map(|source| source.reference.with_digest(&source.digest)).collect();
        Ok(ListParts { entries, base, whole, carried, nested, in_layouts, warnings })
    }

    /// Carried descriptors of the indexes that the spec uses without selecting a platform.
    fn carried(&self, spec: &Spec, is_whole: bool) -> Vec<Carried> {
        let mut carried: Vec<Carried> = Vec::new();
        for entry in spec.manifests.iter().filter(|entry| is_whole || pick(entry).is_none()) {
            let own = self.0.get(&entry.image).and_then(Option::as_ref).into_iter().flat_map(|source| &source.carried);
            for own in own {
                if !carried.iter().any(|other| other.descriptor.digest == own.descriptor.digest) {
                    carried.push(own.clone());
                }
            }
        }
        carried
    }

    /// The index, if the list is built from it alone: its own members are taken over.
    fn base(&self, spec: &Spec) -> Option<&ResolvedSource> {
        let first = spec.manifests.first()?;
        let is_alone = spec.manifests.iter().all(|entry| entry.image == first.image);
        self.0.get(&first.image)?.as_ref().filter(|source| is_alone && source.index.is_some() && spec.source.is_none())
    }
}

impl ListParts {
    /// The draft to publish as `target`. `form` is the index that the spec names as its source.
    pub(crate) fn draft(&self, spec: &Spec, target: &Reference, form: Option<&ResolvedSource>) -> Draft {
        let mut draft = Draft::new(target.clone());
        if let Some(ResolvedSource { index: Some(index), form, .. }) = &self.base {
            draft.annotations.clone_from(&index.annotations);
            draft.artifact_type.clone_from(&index.artifact_type);
            draft.subject.clone_from(&index.subject);
            draft.source.clone_from(form);
        }
        draft.annotations.extend(spec.annotations.clone());
        if let Some(artifact_type) = &spec.artifact_type {
            draft.artifact_type.clone_from(artifact_type);
        }
        let derived = self.base.as_ref().map(|base| &base.derived);
        let mut keys = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let key = at(place);
            if let Some(platform) = derived.and_then(|derived| derived.get(&entry.reference)) {
                draft.platforms.insert(key.clone(), platform.clone());
            }
            keys.insert(EntryKey::of(&entry.reference), key.clone());
            draft.order.push(key.clone());
            draft.insert_keyed(key, self.at_home(entry, target));
        }
        draft.carried.clone_from(&self.carried);
        if let Some(form) = form {
            self.follow(&mut draft, form);
        }
        if let Some(order) = &self.whole {
            draft.order = order.iter().map(|name| keys.get(name).unwrap_or(name).clone()).collect();
        }
        for carried in draft.carried.iter_mut().filter(|carried| self.in_layouts.contains(&carried.source)) {
            carried.source = moved(&carried.source, target);
        }
        draft
    }

    /// An entry with the reference that it is going to have.
    fn at_home(&self, entry: &Entry, target: &Reference) -> Entry {
        let is_in_layout = |name: &Reference| self.in_layouts.contains(name);
        let mut entry = entry.clone();
        if is_in_layout(entry.source.as_ref().unwrap_or(&entry.reference)) {
            entry.reference = moved(&entry.reference, target);
            entry.source = entry.source.map(|source| moved(&source, target));
        }
        entry
    }
}

/// A reference with a digest, in the repository of `target`.
fn moved(reference: &Reference, target: &Reference) -> Reference {
    reference.digest().map_or_else(|| reference.clone(), |digest| target.repository().at_digest(digest))
}

impl ListParts {
    /// Gives a draft the form of the index that its spec names: the spec describes the images, and the index supplies
    /// what a spec cannot express.
    fn follow(&self, draft: &mut Draft, form: &ResolvedSource) {
        let Some(ResolvedSource { index: Some(index), form: Some(source), .. }) = Some(form) else { return };
        draft.source = Some(SourceIndex { nested: self.nested.clone(), ..source.clone() });
        draft.subject.clone_from(&index.subject);
        let mut lines: BTreeMap<&Digest, VecDeque<&Descriptor>> = BTreeMap::new();
        for line in &index.manifests {
            lines.entry(&line.digest).or_default().push_back(line);
        }
        let mut platforms = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let Some(line) = lines.get_mut(&entry.descriptor.digest).and_then(VecDeque::pop_front) else { continue };
            let (key, mut entry) = (at(place), self.at_home(entry, &draft.reference));
            entry.descriptor.urls.clone_from(&line.urls);
            entry.descriptor.data.clone_from(&line.data);
            if let Some(platform) = entry.descriptor.platform.as_ref().filter(|_| !line.has_platform()) {
                platforms.insert(key.clone(), platform.clone());
            }
            draft.insert_keyed(key, entry);
        }
        draft.platforms.extend(platforms);
        // A carried descriptor keeps its place before its successor.
        let mut order = Vec::new();
        let mut carried: VecDeque<(usize, &Carried)> = form
            .carried
            .iter()
            .filter_map(|own| {
                let place = index.manifests.iter().position(|line| line.digest == own.descriptor.digest)?;
                Some((place, own))
            })
            .collect();
        for (key, entry) in self.entries.iter().enumerate() {
            let place = index.manifests.iter().position(|line| line.digest == entry.descriptor.digest);
            while let Some((_, own)) = carried.front().filter(|(own, _)| place.is_some_and(|place| *own < place)) {
                order.push(own.key());
                carried.pop_front();
            }
            order.push(at(key));
        }
        draft.carried.clone_from(&form.carried);
        draft.order = order;
    }
}

/// The index that a spec names as the source of its list; `None` if the spec names none or it is not there. `targets`
/// are the repositories of the list.
///
/// # Errors
/// Errors of the registry or the layout, and content that is no index.
pub(crate) fn form_of(
    access: ContentAccess<'_>,
    spec: &Spec,
    targets: &[&Repository],
) -> Result<Option<ResolvedSource>, CommandError> {
    let Some(name) = &spec.source else { return Ok(None) };
    let found = Place::open(access, name).map_err(CommandError::from);
    match found.and_then(|place| sources::index_of(&place, targets)) {
        Err(error) if fetch::is_missing(&error) => Ok(None),
        found => found.map(Some),
    }
}

/// The draft with the names that a store needs. An image that has several entries, for several platforms, gets its
/// digest as its second name, and then the names of [`selection::name_again`].
pub(crate) fn storable(draft: &Draft) -> Draft {
    let mut stored = Draft::new(draft.reference.clone());
    stored.annotations.clone_from(&draft.annotations);
    stored.artifact_type.clone_from(&draft.artifact_type);
    stored.subject.clone_from(&draft.subject);
    stored.source.clone_from(&draft.source);
    stored.carried.clone_from(&draft.carried);
    let mut order = Vec::new();
    let mut seen: HashSet<(&Reference, &Descriptor)> = HashSet::new();
    // The number of names that are in use for each image.
    let mut places: BTreeMap<Reference, usize> = BTreeMap::new();
    for line in draft.lines() {
        let Line::Entry(key, entry) = line else {
            order.push(line.key());
            continue;
        };
        if !seen.insert((&entry.reference, &entry.descriptor)) {
            continue;
        }
        let mut named = entry.clone();
        let digest = &entry.descriptor.digest;
        let by_digest = entry.reference.repository().at_digest(digest);
        let place = places.entry(by_digest.clone()).or_insert(0);
        while stored.get(&named.reference).is_some() {
            *place += 1;
            named.reference = match *place {
                1 => by_digest.clone(),
                place => selection::name_again(&by_digest, digest, draft.reference.tag(), place),
            };
        }
        let name = EntryKey::of(&named.reference);
        if let Some(platform) = draft.platforms.get(key) {
            stored.platforms.insert(name.clone(), platform.clone());
        }
        order.push(name);
        stored.insert(named);
    }
    // A draft of plain images has docker's order.
    if stored.source.is_some() || !stored.carried.is_empty() || stored.entries().any(|entry| entry.source.is_some()) {
        stored.order = order;
    }
    stored
}

/// The key of a line by its place in a list.
fn at(place: usize) -> EntryKey {
    EntryKey::named(format!("{place:08}"))
}

/// Merges entries of one image for one platform.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    let mut places: HashMap<(Repository, Digest, Option<Platform>), usize> = HashMap::new();
    for entry in entries {
        let descriptor = &entry.descriptor;
        let repository = entry.reference.repository().clone();
        let key = (repository, descriptor.digest.clone(), descriptor.platform.clone());
        let place = *places.entry(key).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(first) => first.descriptor.annotations.extend(entry.descriptor.annotations),
            None => merged.push(entry),
        }
    }
    merged
}

/// The order of an index, if these entries are all of it.
fn whole(base: &ResolvedSource, entries: &[Entry]) -> Option<Vec<EntryKey>> {
    let there: BTreeSet<&Reference> = entries.iter().map(|entry| &entry.reference).collect();
    let is_whole = base.is_whole
        && base.entries.len() == there.len()
        && base.entries.iter().all(|own| there.contains(&own.reference));
    is_whole.then(|| base.order.clone())
}

/// Whether an OCI index has own members that a Docker manifest list cannot hold.
fn is_beyond_docker(base: &ResolvedSource) -> bool {
    let is_docker = base.form.as_ref().is_some_and(|form| form.media_type == media_type::DOCKER_LIST);
    let says_more = |index: &Index| !index.annotations.is_empty() || index.subject.is_some();
    !is_docker && base.index.as_ref().is_some_and(says_more)
}

/// Whether attestations are kept. A Docker manifest list cannot mark them, so they are dropped there unless the spec
/// asks for them.
fn attestations(spec: &Spec) -> Attestations {
    match (spec.attestations, spec.form) {
        (Some(Attestations::Drop), _) | (None, Some(Form::Docker)) => Attestations::Drop,
        (Some(Attestations::Keep), _) | (None, _) => Attestations::Keep,
    }
}
