//! Resolves sources to draft entries: one image, or the images of an index.
//!
//! All sources are requested in parallel, then the children of all indexes, then the children of nested indexes. A
//! child is described as its index describes it. BuildKit's attestations are included with their image.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Access;
use crate::content::registry::{Expected, FetchedManifest};
use crate::core::error::CommandError;
use crate::core::place::{ContentAccess, Place};
use crate::core::request::{ImageName, SourceFilter};
use crate::core::resolve::attestations;
use crate::core::resolve::carried;
use crate::core::resolve::fetch::{self, ConfigPlatforms, FetchedContent};
use crate::core::resolve::limits::{DEPTH_MAX, ResolvedSize};
use crate::core::resolve::selection::{ParentIndex, SelectedChild, picks};
use crate::core::resolve::source::ResolvedSource;
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::index::Index;
use crate::model::source::SourceIndex;
use crate::model::spec::Attestations;
use crate::model::{Draft, Entry, EntryKey, media_type};
use crate::net::tasks;
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

/// Resolves sources for one draft.
pub(crate) struct Resolver<'a> {
    /// What sources are read from.
    pub(crate) access: ContentAccess<'a>,
    /// Which platforms are used, and whether attestations are kept.
    pub(crate) wanted: &'a SourceFilter,
    /// The draft whose entries need not be fetched again.
    pub(crate) before: Option<&'a Draft>,
    /// The repositories of the lists that are built. Images of layouts get references in the first one.
    pub(crate) targets: Vec<&'a Repository>,
    /// What else is done while the sources are fetched, as the last of the first wave of requests.
    pub(crate) beside: Option<&'a (dyn Fn() + Sync)>,
    /// Called while the sources are fetched, by several threads.
    pub(crate) progress: &'a (dyn Fn(FetchEvent<'_>) + Sync),
}

/// What is told while sources are resolved.
pub(crate) enum FetchEvent<'a> {
    /// So many more manifests are to be fetched.
    More(usize),
    /// A manifest was fetched.
    Fetched(&'a Location),
}

/// One source with its filter.
pub(crate) struct SourceRequest<'a> {
    /// The source.
    pub(crate) image: &'a ImageName,
    /// Which platforms of an index are used, and whether attestations are kept. An empty field of a platform matches
    /// any value.
    pub(crate) wanted: &'a SourceFilter,
}

/// A source with its place.
type Found<'a> = (ResolvedSource, Place<'a>);

/// What is done in the first wave of requests.
enum FirstTask<'a> {
    Source(&'a SourceRequest<'a>),
    Beside(&'a (dyn Fn() + Sync)),
}

/// A source that is not requested, because the draft has it: it cannot have moved, or `--offline` is given.
pub(crate) struct Reused<'a> {
    /// The reference of the source.
    pub(crate) reference: &'a Reference,
    /// The draft's entries of the source.
    pub(crate) entries: Vec<&'a Entry>,
}

/// The result for one child.
enum ResolvedChild {
    Entries(Vec<Entry>, BTreeMap<Reference, Platform>),
    Index(Box<Index>, SourceIndex),
    /// It is not in its registry or layout.
    Missing,
}

impl<'r> Resolver<'r> {
    /// Resolves all images or fails, each source once, in the order of `images`. A selected platform may also be among
    /// the reused entries in `reused`.
    pub(crate) fn resolve(
        &self,
        images: &[&ImageName],
        reused: &[Reused<'_>],
    ) -> Result<Vec<ResolvedSource>, CommandError> {
        let requests: Vec<SourceRequest<'_>> =
            images.iter().map(|image| SourceRequest { image, wanted: self.wanted }).collect();
        let mut sources: Vec<ResolvedSource> = self.resolve_each(&requests, false)?.into_iter().flatten().collect();
        sources.iter_mut().for_each(|source| choose(self.wanted, source));
        self.check_platforms(&sources, reused)?;
        Ok(sources)
    }

    /// Resolves sources that have a filter each. A filter applies to indexes only, and the caller checks whether an
    /// index has the selected platforms. With `ignore_missing` the result is `None` for a source that its registry or
    /// layout does not have, and missing children of an index are left out.
    pub(crate) fn resolve_each(
        &self,
        requests: &[SourceRequest<'_>],
        ignore_missing: bool,
    ) -> Result<Vec<Option<ResolvedSource>>, CommandError> {
        self.announce(requests);
        let platforms = ConfigPlatforms::default();
        (self.progress)(FetchEvent::More(requests.len()));
        let first = |request: &SourceRequest<'_>| {
            let image = named(request.image)?;
            let found = self.first(&platforms, image);
            (self.progress)(FetchEvent::Fetched(image));
            match found {
                Err(error) if ignore_missing && fetch::is_missing(&error) => Ok(None),
                found => found.map(Some),
            }
        };
        let beside = self.beside.iter().map(|beside| FirstTask::Beside(*beside));
        let wave: Vec<FirstTask<'_>> = requests.iter().map(FirstTask::Source).chain(beside).collect();
        let found = tasks::in_order(self.access.registry.jobs(), &wave, |task| match task {
            FirstTask::Source(request) => first(request),
            FirstTask::Beside(work) => {
                work();
                Ok(None)
            }
        });
        let mut sources = found.map_err(CommandError::of)?;
        sources.truncate(requests.len());
        let images = sources.iter_mut().zip(requests).filter_map(|(source, request)| {
            let is_wanted = request.wanted.attestation_referrers;
            let (source, place) = source.as_mut().filter(|(source, _)| is_wanted && source.index.is_none())?;
            Some((source, &*place))
        });
        let mut images: Vec<(&mut ResolvedSource, &Place<'_>)> = images.collect();
        attestations::add(self.access.registry, &mut images)?;
        let (mut children, mut size) = (Vec::new(), ResolvedSize::default());
        for (place, (source, request)) in sources.iter().zip(requests).enumerate() {
            if let Some((source @ ResolvedSource { index: Some(index), .. }, _)) = source {
                let within = ParentIndex { place, source, wanted: request.wanted };
                children.extend(within.children(index, &mut size)?);
            }
        }
        for depth in 0.. {
            let Some(child) = children.first() else { break };
            if depth >= DEPTH_MAX {
                let source = sources.get(child.source).and_then(Option::as_ref);
                let list = source.map(|(source, _)| source.location.to_string()).unwrap_or_default();
                return Err(CommandError::TooDeep { list, depth: DEPTH_MAX });
            }
            children = self.fetch_children(&platforms, requests, &mut sources, &children, &mut size, ignore_missing)?;
        }
        for (source, request) in sources.iter_mut().zip(requests) {
            let Some((source, place)) = source else { continue };
            source.leave_out_orphans();
            let own: Vec<String> = source.entries.iter().filter_map(|own| runs_on(&own.descriptor)).collect();
            source.platforms.extend(own);
            let is_elsewhere = |target: &&Repository| *target != source.reference.repository();
            let is_sent = place.is_layout() || self.targets.iter().any(is_elsewhere);
            carried::arrange(place, source, request.wanted, is_sent)?;
            if source.index.is_some() {
                choose(request.wanted, source);
            }
        }
        Ok(sources.into_iter().map(|source| source.map(|(source, _)| source)).collect())
    }

    /// Announces the requests, so that one token and enough connections are ready for them.
    fn announce(&self, requests: &[SourceRequest<'_>]) {
        let wanted = requests.iter().filter_map(|request| request.image.as_ref().ok());
        let wanted: Vec<&Reference> = wanted.filter_map(Location::reference).collect();
        for image in &wanted {
            self.access.registry.announce(image.repository(), Access::Pull);
            let together = wanted.iter().filter(|other| other.repository().domain() == image.repository().domain());
            let reads = together.count().min(self.access.registry.jobs().get());
            self.access.registry.expect(image.repository(), Expected::reads(reads));
        }
    }

    fn first(&self, platforms: &ConfigPlatforms, location: &Location) -> Result<Found<'r>, CommandError> {
        let place = Place::open(self.access, location)?;
        let unnamed = || CommandError::Location { typed: location.to_string(), why: "there is no list".to_owned() };
        let image = &place.reference_in(self.targets.first().copied()).ok_or_else(unnamed)?;
        let source = |digest: &Digest| ResolvedSource::new(location.clone(), image, digest);
        let found = match fetch::manifest(&place)? {
            FetchedContent::Image(schema, fetched) => {
                let digest = fetched.digest.clone();
                let reused = self.before.and_then(|draft| draft.get(image)).filter(|entry| entry.has_raw());
                let entry = match reused.filter(|entry| entry.descriptor.digest == digest) {
                    Some(entry) => entry.clone(),
                    None => {
                        let platform = platforms.of(&place, &fetched.bytes)?;
                        Entry::fetched(image.clone(), schema, fetched.bytes, Some(platform))
                    }
                };
                let order = vec![EntryKey::of(image)];
                ResolvedSource { entries: vec![entry], order, ..source(&digest) }
            }
            FetchedContent::List(fetched) => {
                let served = |source| CommandError::Served { reference: place.to_string(), source };
                let index = Index::decode(&fetched.bytes).map_err(served)?;
                if index.manifests.is_empty() {
                    return Err(CommandError::EmptyList(place.to_string()));
                }
                let platforms = index.manifests.iter().filter_map(runs_on).collect();
                let digest = fetched.digest.clone();
                let form = Some(form(fetched));
                ResolvedSource { index: Some(index), platforms, form, ..source(&digest) }
            }
        };
        Ok((found, place))
    }

    /// Fetches these children. Returns the children of those that are indexes.
    fn fetch_children(
        &self,
        platforms: &ConfigPlatforms,
        requests: &[SourceRequest<'_>],
        sources: &mut [Option<Found<'r>>],
        children: &[SelectedChild],
        size: &mut ResolvedSize,
        ignore_missing: bool,
    ) -> Result<Vec<SelectedChild>, CommandError> {
        let (within, size_so_far): (&[Option<Found<'r>>], &ResolvedSize) = (sources, size);
        (self.progress)(FetchEvent::More(children.len()));
        let results = tasks::in_order(self.access.registry.jobs(), children, |child| match within.get(child.source) {
            Some(Some(source)) => {
                let found = self.child(platforms, child, source, size_so_far);
                (self.progress)(FetchEvent::Fetched(&source.1.location().at_digest(&child.descriptor.digest)));
                match found {
                    Err(CommandError::MissingChild(_)) if ignore_missing => Ok(ResolvedChild::Missing),
                    found => found,
                }
            }
            _ => Err(CommandError::EmptyList(child.reference.to_string())),
        });
        let mut next = Vec::new();
        for (child, results) in children.iter().zip(results.map_err(CommandError::of)?) {
            let wanted = requests.get(child.source).map(|request| request.wanted);
            match (results, sources.get_mut(child.source), wanted) {
                (ResolvedChild::Entries(entries, derived), Some(Some((source, _))), _) => {
                    source.entries.extend(entries);
                    source.derived.extend(derived);
                }
                (ResolvedChild::Missing, Some(Some((source, _))), _) => source.lost.push(child.descriptor.clone()),
                (ResolvedChild::Index(index, nested), Some(Some((source, _))), Some(wanted)) => {
                    if let Some(form) = source.form.as_mut().filter(|form| !form.nested.contains(&nested)) {
                        form.nested.push(nested);
                    }
                    source.platforms.extend(index.manifests.iter().filter_map(runs_on));
                    let within = ParentIndex { place: child.source, source, wanted };
                    next.extend(within.children(&index, size)?);
                }
                _ => {}
            }
        }
        Ok(next)
    }

    fn child(
        &self,
        platforms: &ConfigPlatforms,
        child: &SelectedChild,
        (resolved, list): &Found<'_>,
        size: &ResolvedSize,
    ) -> Result<ResolvedChild, CommandError> {
        let place = list.at_digest(&child.descriptor.digest);
        let source = &resolved.reference.with_digest(&resolved.digest);
        let served = |error| CommandError::Served { reference: place.to_string(), source: error };
        let reused = self.before.and_then(|draft| draft.get(&child.reference)).filter(|entry| entry.has_raw());
        let (schema, bytes) = match reused.and_then(|entry| entry.schema().zip(entry.bytes().ok())) {
            Some((schema, bytes)) => (schema, bytes.into_owned()),
            None => match fetch::listed(list, &child.descriptor)? {
                FetchedContent::Image(schema, fetched) => (schema, fetched.bytes),
                FetchedContent::List(fetched) => {
                    size.check_bytes(list, &fetched.bytes, 1)?;
                    let index = Index::decode(&fetched.bytes).map_err(served)?;
                    return Ok(ResolvedChild::Index(Box::new(index), form(fetched)));
                }
            },
        };
        size.check_bytes(list, &bytes, child.count())?;
        let (mut entries, mut derived) = (Vec::new(), BTreeMap::new());
        for (reference, line) in child.lines(source) {
            let mut descriptor = line.clone();
            if descriptor.media_type.is_empty() {
                schema.media_type().clone_into(&mut descriptor.media_type);
            }
            if !descriptor.has_platform() {
                let platform = platforms.of(&place, &bytes)?;
                derived.insert(reference.clone(), platform.clone());
                descriptor.platform = Some(platform);
            }
            entries.push(Entry::listed(reference, schema, bytes.clone(), descriptor, source.clone()).map_err(served)?);
        }
        Ok(ResolvedChild::Entries(entries, derived))
    }

    /// Checks that every selected platform exists, and that every requested source has at least one entry.
    fn check_platforms(&self, sources: &[ResolvedSource], reused: &[Reused<'_>]) -> Result<(), CommandError> {
        let picks = &self.wanted.platforms;
        let asked = sources.iter().flat_map(|source| &source.entries);
        let found: Vec<&Platform> = asked
            .chain(reused.iter().flat_map(|reused| reused.entries.iter().copied()))
            .filter(|entry| entry.attests().is_none())
            .filter_map(|entry| entry.descriptor.platform.as_ref())
            .collect();
        if let Some(pick) = picks.iter().find(|pick| !found.iter().any(|own| own.matches(&pick.parsed))) {
            let names = sources.iter().map(|source| source.location.to_string());
            let names: Vec<String> = names.chain(reused.iter().map(|reused| reused.reference.to_string())).collect();
            let reused =
                reused.iter().flat_map(|reused| &reused.entries).filter_map(|entry| runs_on(&entry.descriptor));
            let there: BTreeSet<String> = platforms_of(sources).into_iter().chain(reused).collect();
            return Err(CommandError::NoSuchPlatform {
                platform: pick.shown.clone(),
                sources: names.join(", "),
                there: there.into_iter().collect(),
            });
        }
        match sources.iter().find(|source| source.entries.is_empty() && source.carried.is_empty()) {
            Some(source) if picks.is_empty() => Err(CommandError::EmptyList(source.location.to_string())),
            Some(source) => {
                let picks: Vec<&str> = picks.iter().map(|pick| pick.shown.as_str()).collect();
                Err(CommandError::NoSuchPlatform {
                    platform: picks.join(","),
                    sources: source.location.to_string(),
                    there: platforms_of(std::slice::from_ref(source)),
                })
            }
            None => Ok(()),
        }
    }
}

/// Fetches an index without its images. `targets` are the repositories that its carried content must be in.
///
/// # Errors
/// Errors of the registry or the layout, and content that is no index.
pub(crate) fn index_of(place: &Place<'_>, targets: &[&Repository]) -> Result<ResolvedSource, CommandError> {
    let FetchedContent::List(fetched) = fetch::manifest(place)? else {
        return Err(CommandError::NotAList(place.to_string()));
    };
    let served = |source| CommandError::Served { reference: place.to_string(), source };
    let index = Some(Index::decode(&fetched.bytes).map_err(served)?);
    let digest = fetched.digest.clone();
    let Some(name) = place.reference_in(targets.first().copied()) else {
        return Err(CommandError::NotAList(place.to_string()));
    };
    let is_sent = place.is_layout() || targets.iter().any(|target| *target != name.repository());
    let source = ResolvedSource::new(place.location(), &name, &digest);
    let mut source = ResolvedSource { index, form: Some(form(fetched)), ..source };
    carried::arrange(place, &mut source, &SourceFilter::default(), is_sent)?;
    Ok(source)
}

/// An index as the registry serves it.
fn form(fetched: FetchedManifest) -> SourceIndex {
    let media_type = media_type::essence(&fetched.media_type).to_owned();
    SourceIndex { media_type, digest: fetched.digest, raw: fetched.bytes, nested: Vec::new() }
}

/// Removes the entries that the filter does not select, once all platforms are known, together with their attestations
/// and referrers.
fn choose(wanted: &SourceFilter, source: &mut ResolvedSource) {
    let is_dropped = wanted.attestations == Attestations::Drop;
    if wanted.platforms.is_empty() && !is_dropped {
        return;
    }
    let parents = source.parents();
    let is_image = |entry: &Entry| {
        let is_picked = entry.descriptor.platform.as_ref().is_none_or(|platform| picks(wanted, platform));
        !parents.contains_key(&entry.reference) && is_picked
    };
    let images = source.entries.iter().filter(|entry| is_image(entry));
    let mut reused: BTreeSet<Digest> = images.map(|entry| entry.descriptor.digest.clone()).collect();
    let belongs = |entry: &Entry, reused: &BTreeSet<Digest>| {
        parents.get(&entry.reference).is_some_and(|parent| !is_dropped && reused.contains(parent))
    };
    // A signature may refer to an attestation.
    loop {
        let before = reused.len();
        let more: Vec<&Entry> = source.entries.iter().filter(|entry| belongs(entry, &reused)).collect();
        reused.extend(more.into_iter().map(|entry| entry.descriptor.digest.clone()));
        if reused.len() == before {
            break;
        }
    }
    let stays: BTreeSet<Reference> = source
        .entries
        .iter()
        .filter(|entry| is_image(entry) || belongs(entry, &reused))
        .map(|entry| entry.reference.clone())
        .collect();
    let before = source.entries.len();
    source.entries.retain(|entry| stays.contains(&entry.reference));
    source.is_whole &= source.entries.len() == before;
}

/// The platforms of the sources, for the message about a missing one.
pub(crate) fn platforms_of(sources: &[ResolvedSource]) -> Vec<String> {
    let names: BTreeSet<&String> = sources.iter().flat_map(|source| &source.platforms).collect();
    names.into_iter().cloned().collect()
}

/// The platform of a descriptor. Attestations have none.
fn runs_on(own: &Descriptor) -> Option<String> {
    let platform = own.platform.as_ref().filter(|_| own.has_platform() && attested(own).is_none());
    platform.map(ToString::to_string)
}

/// The first mention of each image. Invalid names are kept, so that their errors are reported.
pub(crate) fn distinct(images: &[ImageName]) -> Vec<&ImageName> {
    let mut seen: BTreeMap<&Location, ()> = BTreeMap::new();
    images.iter().filter(|image| image.as_ref().map_or(true, |image| seen.insert(image, ()).is_none())).collect()
}

fn named(image: &ImageName) -> Result<&Location, CommandError> {
    image.as_ref().map_err(|invalid| invalid.clone().into())
}
