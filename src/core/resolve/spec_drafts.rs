//! Builds drafts from specs: which sources they need, which entries are taken, and how the spec describes them.
//!
//! The entries have the order of the spec. Entries of an index keep the index's order, with its attestations. So the
//! same spec and the same images always give the same bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::core::error::CommandError;
use crate::core::image_filters::{LocationResult, SourceFilter};
use crate::core::image_source::{ContentAccess, ImageSource};
use crate::core::missing_child::{MissingChild, ParentList};
use crate::core::resolve::fetch;
use crate::core::resolve::list_order;
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::resolver::{self, Resolver, SourceRequest};
use crate::core::resolve::spec_entry::{has_attestations, requested_platform, select_entries};
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::index::{Index, ListFormat};
use crate::model::source_index::{OpaqueDescriptor, SourceIndex};
use crate::model::spec::{AttestationsPolicy, Spec, SpecEntry};
use crate::model::{Draft, Entry, EntryKey, media_type};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};
use crate::sanitize;

/// The sources of several specs, each once.
#[derive(Default)]
pub(crate) struct UnresolvedSources {
    images: Vec<LocationResult>,
    /// The filter of each source.
    filters: Vec<SourceFilter>,
    positions: BTreeMap<Location, usize>,
}

/// The resolved sources; `None` for a missing one, if that is no error.
pub(crate) struct ResolvedSources(BTreeMap<Location, Option<ResolvedSource>>);

/// The parts of a list.
pub(crate) struct ListParts {
    /// The entries, in order.
    entries: Vec<Entry>,
    /// The index that the list is built from, if that is its only source.
    sole_source: Option<ResolvedSource>,
    /// The order of that index, if the list has all of it.
    whole_order: Option<Vec<EntryKey>>,
    /// Descriptors of whole indexes that name neither an image nor an index.
    opaque_descriptors: Vec<OpaqueDescriptor>,
    /// The indexes that the spec names, and those nested in them.
    source_indexes: Vec<SourceIndex>,
    /// The sources that are in layouts. What comes from them is going to be in the repository of the list.
    in_layouts: BTreeSet<Reference>,
    /// Warnings for the user.
    pub(crate) warnings: Vec<String>,
}

impl UnresolvedSources {
    /// Collects the sources of these specs.
    pub(crate) fn new(specs: &[Spec]) -> UnresolvedSources {
        let mut sources = UnresolvedSources::default();
        for (spec, entry) in specs.iter().flat_map(|spec| spec.manifests.iter().map(move |entry| (spec, entry))) {
            sources.add_source(entry, attestations_policy(spec), spec.attestations == Some(AttestationsPolicy::Keep));
        }
        sources
    }

    fn add_source(&mut self, entry: &SpecEntry, attestations: AttestationsPolicy, search_attestation_referrers: bool) {
        let requested = requested_platform(entry);
        let position = *self.positions.entry(entry.image.clone()).or_insert(self.images.len());
        if let Some(known) = self.filters.get_mut(position) {
            match requested {
                Some(requested) if !known.platforms.is_empty() => known.platforms.push(requested),
                _ => known.platforms.clear(),
            }
            if attestations == AttestationsPolicy::Keep {
                known.attestations = attestations;
            }
            known.search_attestation_referrers |= search_attestation_referrers;
            return;
        }
        self.images.push(Ok(entry.image.clone()));
        let platforms = requested.into_iter().collect();
        self.filters.push(SourceFilter { platforms, attestations, search_attestation_referrers });
    }

    /// Resolves all sources in parallel.
    ///
    /// # Errors
    /// Errors of registries. With `ignore_missing`, a missing image is no error.
    pub(crate) fn resolve(
        &self,
        resolver: &Resolver<'_>,
        ignore_missing: bool,
    ) -> Result<ResolvedSources, CommandError> {
        let requests = self.images.iter().zip(&self.filters).map(|(image, filter)| SourceRequest { image, filter });
        let found = resolver.resolve_each(&requests.collect::<Vec<_>>(), ignore_missing)?;
        let names = self.images.iter().filter_map(|image| image.clone().ok());
        Ok(ResolvedSources(names.zip(found).collect()))
    }
}

impl ResolvedSources {
    /// The resolved source of an image.
    pub(crate) fn get(&self, image: &Location) -> Option<&ResolvedSource> {
        self.0.get(image)?.as_ref()
    }

    /// The images that their registries and layouts do not have.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &Location> {
        self.0.iter().filter(|(_, source)| source.is_none()).map(|(image, _)| image)
    }

    /// The missing children of all indexes, one for each error.
    pub(crate) fn missing_children(&self) -> impl Iterator<Item = MissingChild> {
        let errors_of = |source: &ResolvedSource| {
            let list = source.location.clone();
            let missing = source.missing_children.clone().into_iter();
            missing.map(move |child| MissingChild::new(&list, &[child], ParentList::Published))
        };
        self.0.values().flatten().flat_map(errors_of)
    }

    /// The parts of a spec's list.
    ///
    /// # Errors
    /// One error for each selected platform that an index does not have; a list without any entry.
    pub(crate) fn parts(&self, spec: &Spec) -> Result<ListParts, CommandError> {
        let keeps_attestations = attestations_policy(spec) == AttestationsPolicy::Keep;
        let (mut entries, mut errors, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for entry in &spec.manifests {
            let Some(source) = self.get(&entry.image) else { continue };
            match select_entries(entry, source, keeps_attestations) {
                Ok(selected) => entries.extend(selected),
                Err(error) => errors.push(error),
            }
            if spec.attestations.is_none() && !keeps_attestations && has_attestations(source) {
                let image = &entry.image;
                warnings.push(format!(
                    "the attestations of {image} are left out: a Docker manifest list has no place for them"
                ));
            }
        }
        CommandError::fail_if_any(errors)?;
        if entries.is_empty() {
            let target = spec.targets.first().map(ToString::to_string);
            return Err(CommandError::NoImageAvailable(target.unwrap_or_default()));
        }
        let entries = merge_entries(entries);
        let mut sole_source = self.sole_source(spec).cloned();
        let whole_order = sole_source.as_ref().and_then(|source| list_order::whole_order(source, &entries));
        let opaque_descriptors = self.opaque_descriptors(spec, whole_order.is_some());
        let used: BTreeSet<&Location> = spec.manifests.iter().map(|entry| &entry.image).collect();
        let used: Vec<&ResolvedSource> = used.into_iter().filter_map(|image| self.get(image)).collect();
        warnings.extend(used.iter().flat_map(|source| source.omissions.clone()));
        if spec.list_format == Some(ListFormat::Docker)
            && let Some(ResolvedSource { index: Some(index), .. }) =
                sole_source.take_if(|source| has_oci_only_fields(source))
        {
            let names: Vec<String> = index.annotations.keys().map(|name| sanitize::short_line(name)).collect();
            let subject = if index.subject.is_some() { " its subject" } else { "" };
            warnings.push(format!(
                "what the index says of itself is left out, a Docker manifest list has no place for it: {}{subject}",
                names.join(", ")
            ));
        }
        let indexes = used.iter().filter_map(|source| source.source_index.clone());
        let source_indexes = indexes.flat_map(|mut index| {
            let inner = std::mem::take(&mut index.nested);
            std::iter::once(index).chain(inner)
        });
        let source_indexes = source_indexes.collect();
        let layouts = self.0.values().flatten().filter(|source| source.location.layout().is_some());
        let in_layouts = layouts.map(|source| source.reference.with_digest(&source.digest)).collect();
        Ok(ListParts { entries, sole_source, whole_order, opaque_descriptors, source_indexes, in_layouts, warnings })
    }

    /// Opaque descriptors of the indexes that the spec uses without selecting a platform.
    fn opaque_descriptors(&self, spec: &Spec, is_whole: bool) -> Vec<OpaqueDescriptor> {
        let mut opaque: Vec<OpaqueDescriptor> = Vec::new();
        for entry in spec.manifests.iter().filter(|entry| is_whole || requested_platform(entry).is_none()) {
            let descriptors = self.get(&entry.image).into_iter().flat_map(|source| &source.opaque_descriptors);
            for descriptor in descriptors {
                if !opaque.iter().any(|other| other.descriptor.digest == descriptor.descriptor.digest) {
                    opaque.push(descriptor.clone());
                }
            }
        }
        opaque
    }

    /// The index, if the list is built from it alone: its own members are taken over.
    fn sole_source(&self, spec: &Spec) -> Option<&ResolvedSource> {
        let first = spec.manifests.first()?;
        let is_only_source = spec.manifests.iter().all(|entry| entry.image == first.image);
        self.get(&first.image)
            .filter(|source| is_only_source && source.index.is_some() && spec.source_location.is_none())
    }
}

impl ListParts {
    /// The draft to publish as `target`. `spec_source` is the index that the spec names as its source.
    pub(crate) fn draft(&self, spec: &Spec, target: &Reference, spec_source: Option<&ResolvedSource>) -> Draft {
        let mut draft = Draft::new(target.clone());
        if let Some(ResolvedSource { index: Some(index), source_index, .. }) = &self.sole_source {
            draft.annotations.clone_from(&index.annotations);
            draft.artifact_type.clone_from(&index.artifact_type);
            draft.subject.clone_from(&index.subject);
            draft.source.clone_from(source_index);
        }
        draft.annotations.extend(spec.annotations.clone());
        if let Some(artifact_type) = &spec.artifact_type {
            draft.artifact_type.clone_from(artifact_type);
        }
        let config_platforms = self.sole_source.as_ref().map(|sole_source| &sole_source.config_platforms);
        let mut keys = BTreeMap::new();
        for (position, entry) in self.entries.iter().enumerate() {
            let key = position_key(position);
            if let Some(platform) = config_platforms.and_then(|known| known.get(&entry.reference)) {
                draft.config_platforms.insert(key.clone(), platform.clone());
            }
            keys.insert(EntryKey::from_reference(&entry.reference), key.clone());
            draft.order.push(key.clone());
            draft.insert_with_key(key, self.moved_to_target(entry, target));
        }
        draft.opaque_descriptors.clone_from(&self.opaque_descriptors);
        if let Some(source) = spec_source {
            self.take_over_source_index(&mut draft, source);
        }
        if let Some(order) = &self.whole_order {
            draft.order = order.iter().map(|name| keys.get(name).unwrap_or(name).clone()).collect();
        }
        for opaque in draft.opaque_descriptors.iter_mut().filter(|opaque| self.in_layouts.contains(&opaque.source)) {
            opaque.source = in_repository_of(&opaque.source, target);
        }
        draft
    }

    /// An entry with the reference that it is going to have.
    fn moved_to_target(&self, entry: &Entry, target: &Reference) -> Entry {
        let is_in_layout = |name: &Reference| self.in_layouts.contains(name);
        let mut entry = entry.clone();
        if is_in_layout(entry.source.as_ref().unwrap_or(&entry.reference)) {
            entry.reference = in_repository_of(&entry.reference, target);
            entry.source = entry.source.map(|source| in_repository_of(&source, target));
        }
        entry
    }
}

/// A reference with a digest, in the repository of `target`.
fn in_repository_of(reference: &Reference, target: &Reference) -> Reference {
    reference.digest().map_or_else(|| reference.clone(), |digest| target.repository().at_digest(digest))
}

impl ListParts {
    /// Lets a draft take over the index that its spec names: the spec describes the images, and the index supplies
    /// what a spec cannot express.
    fn take_over_source_index(&self, draft: &mut Draft, source: &ResolvedSource) {
        let ResolvedSource { index: Some(index), source_index: Some(source_index), .. } = source else {
            return;
        };
        draft.source = Some(SourceIndex { nested: self.source_indexes.clone(), ..source_index.clone() });
        draft.subject.clone_from(&index.subject);
        let mut descriptors: BTreeMap<&Digest, VecDeque<&Descriptor>> = BTreeMap::new();
        for descriptor in &index.manifests {
            descriptors.entry(&descriptor.digest).or_default().push_back(descriptor);
        }
        let mut platforms = BTreeMap::new();
        for (position, entry) in self.entries.iter().enumerate() {
            let listed = descriptors.get_mut(&entry.descriptor.digest).and_then(VecDeque::pop_front);
            let Some(listed) = listed else { continue };
            let (key, mut entry) = (position_key(position), self.moved_to_target(entry, &draft.reference));
            entry.descriptor.urls.clone_from(&listed.urls);
            entry.descriptor.data.clone_from(&listed.data);
            if let Some(platform) = entry.descriptor.platform.as_ref().filter(|_| !listed.has_non_empty_platform()) {
                platforms.insert(key.clone(), platform.clone());
            }
            draft.insert_with_key(key, entry);
        }
        draft.config_platforms.extend(platforms);
        let entries = self.entries.iter().enumerate();
        let entries = entries.map(|(number, entry)| (position_key(number), &entry.descriptor.digest));
        draft.order = list_order::with_opaque_descriptors(entries, &index.manifests, &source.opaque_descriptors);
        draft.opaque_descriptors.clone_from(&source.opaque_descriptors);
    }
}

/// The index that a spec names as the source of its list; `None` if the spec names none or it is missing. `targets`
/// are the repositories of the list.
///
/// # Errors
/// Errors of the registry or the layout, and content that is no index.
pub(crate) fn fetch_spec_source(
    content_access: ContentAccess<'_>,
    spec: &Spec,
    targets: &[&Repository],
) -> Result<Option<ResolvedSource>, CommandError> {
    let Some(name) = &spec.source_location else { return Ok(None) };
    let found = ImageSource::open(content_access, name).map_err(CommandError::from);
    match found.and_then(|image_source| resolver::fetch_index(&image_source, targets)) {
        Err(error) if fetch::is_missing(&error) => Ok(None),
        found => found.map(Some),
    }
}

/// The key of an entry by its position in the list.
fn position_key(position: usize) -> EntryKey {
    EntryKey::from_text(format!("{position:08}"))
}

/// Merges entries of one image for one platform.
fn merge_entries(entries: Vec<Entry>) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    let mut positions: HashMap<(Repository, Digest, Option<Platform>), usize> = HashMap::new();
    for entry in entries {
        let descriptor = &entry.descriptor;
        let repository = entry.reference.repository().clone();
        let key = (repository, descriptor.digest.clone(), descriptor.platform.clone());
        let position = *positions.entry(key).or_insert(merged.len());
        match merged.get_mut(position) {
            Some(first) => first.descriptor.annotations.extend(entry.descriptor.annotations),
            None => merged.push(entry),
        }
    }
    merged
}

/// Whether an OCI index has fields of its own that a Docker manifest list cannot hold.
fn has_oci_only_fields(source: &ResolvedSource) -> bool {
    let is_docker =
        source.source_index.as_ref().is_some_and(|source_index| source_index.media_type == media_type::DOCKER_LIST);
    let has_own_fields = |index: &Index| !index.annotations.is_empty() || index.subject.is_some();
    !is_docker && source.index.as_ref().is_some_and(has_own_fields)
}

/// Whether attestations are kept. A Docker manifest list cannot mark them, so they are dropped there unless the spec
/// asks for them.
fn attestations_policy(spec: &Spec) -> AttestationsPolicy {
    match (spec.attestations, spec.list_format) {
        (Some(AttestationsPolicy::Drop), _) | (None, Some(ListFormat::Docker)) => AttestationsPolicy::Drop,
        (Some(AttestationsPolicy::Keep), _) | (None, _) => AttestationsPolicy::Keep,
    }
}
