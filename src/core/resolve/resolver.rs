//! Resolves sources to draft entries: one image, or the images of an index.
//!
//! All sources are requested in parallel, then the children of all indexes, then the children of nested indexes. A
//! child is described as its index describes it. BuildKit's attestations are included with their image.

use std::collections::BTreeSet;

use crate::auth::Access;
use crate::content::registry::ExpectedConnections;
use crate::core::error::CommandError;
use crate::core::image_filters::{LocationResult, SourceFilter};
use crate::core::image_source::{ContentAccess, ImageSource};
use crate::core::resolve::attestations;
use crate::core::resolve::children::ChildFetcher;
use crate::core::resolve::fetch::{self, ConfigPlatforms, ImageOrList};
use crate::core::resolve::opaque_descriptors;
use crate::core::resolve::resolved_source::{
    self, ResolvedSource, SourceWithImageSource, into_source_index, platform_of,
};
pub(crate) use crate::core::resolve::resolved_source::{FetchEvent, SourceRequest};
use crate::core::resolve::selection::remove_unselected;
use crate::digest::Digest;
use crate::location::Location;
use crate::model::{Draft, Entry, EntryKey};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

/// Resolves sources for one draft.
pub(crate) struct Resolver<'a> {
    /// What sources are read from.
    pub(crate) content_access: ContentAccess<'a>,
    /// Which platforms are used, and whether attestations are kept.
    pub(crate) filter: &'a SourceFilter,
    /// The draft whose entries need not be fetched again.
    pub(crate) existing: Option<&'a Draft>,
    /// The repositories of the lists that are built. Images of layouts get references in the first one.
    pub(crate) targets: Vec<&'a Repository>,
    /// A further task that runs while the sources are fetched: the last one of the first batch of requests.
    pub(crate) concurrent_task: Option<&'a (dyn Fn() + Sync)>,
    /// Called while the sources are fetched, by several threads.
    pub(crate) progress: &'a (dyn Fn(FetchEvent<'_>) + Sync),
}

/// A source that is not requested, because the draft has it: it cannot have moved, or `--offline` is given.
pub(crate) struct ReusedSource<'a> {
    /// The reference of the source.
    pub(crate) reference: &'a Reference,
    /// The draft's entries of the source.
    pub(crate) entries: Vec<&'a Entry>,
}

impl<'r> Resolver<'r> {
    /// Resolves all images or fails, each source once, in the order of `images`. A selected platform may also be among
    /// the reused entries in `reused`.
    pub(crate) fn resolve(
        &self,
        images: &[&LocationResult],
        reused: &[ReusedSource<'_>],
    ) -> Result<Vec<ResolvedSource>, CommandError> {
        let requests: Vec<SourceRequest<'_>> =
            images.iter().map(|image| SourceRequest { image, filter: self.filter }).collect();
        let mut sources: Vec<ResolvedSource> = self.resolve_each(&requests, false)?.into_iter().flatten().collect();
        sources.iter_mut().for_each(|source| remove_unselected(self.filter, source));
        self.check_selection(&sources, reused)?;
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
        self.expect_sources(requests);
        let platforms = ConfigPlatforms::default();
        (self.progress)(FetchEvent::Queued(requests.len()));
        let resolve_request = |request: &SourceRequest<'_>| {
            let image = request.image.as_ref().map_err(Clone::clone)?;
            let found = self.resolve_one(&platforms, image);
            (self.progress)(FetchEvent::Fetched(image));
            match found {
                Err(error) if ignore_missing && fetch::is_missing(&error) => Ok(None),
                found => found.map(Some),
            }
        };
        // The concurrent task is the last one.
        let first_batch: Vec<Option<&SourceRequest<'_>>> =
            requests.iter().map(Some).chain(self.concurrent_task.map(|_| None)).collect();
        let found =
            CommandError::collect_parallel(
                self.content_access.registry.jobs(),
                &first_batch,
                |request| match request {
                    Some(request) => resolve_request(request),
                    None => {
                        self.concurrent_task.inspect(|task| task());
                        Ok(None)
                    }
                },
            );
        let mut sources = found?;
        sources.truncate(requests.len());
        let images = sources.iter_mut().zip(requests).filter_map(|(source, request)| {
            let is_searched = request.filter.search_attestation_referrers;
            let (source, image_source) = source.as_mut().filter(|(source, _)| is_searched && source.index.is_none())?;
            Some((source, &*image_source))
        });
        let mut images: Vec<(&mut ResolvedSource, &ImageSource<'_>)> = images.collect();
        attestations::add(self.content_access, &mut images)?;
        let fetcher = ChildFetcher {
            jobs: self.content_access.registry.jobs(),
            existing: self.existing,
            progress: self.progress,
            platforms: &platforms,
            requests,
            ignore_missing,
        };
        fetcher.fetch_all(&mut sources)?;
        for (source, request) in sources.iter_mut().zip(requests) {
            let Some((source, image_source)) = source else { continue };
            source.remove_dependents_of_missing();
            let platforms: Vec<String> =
                source.entries.iter().filter_map(|entry| platform_of(&entry.descriptor)).collect();
            source.platforms.extend(platforms);
            let must_be_sent = Self::must_be_sent(image_source, &source.reference, &self.targets);
            opaque_descriptors::order_and_add_opaque_descriptors(image_source, source, request.filter, must_be_sent)?;
            if source.index.is_some() {
                remove_unselected(request.filter, source);
            }
        }
        Ok(sources.into_iter().map(|source| source.map(|(source, _)| source)).collect())
    }

    /// Records the requests to come, so that one token and enough connections are ready for them.
    fn expect_sources(&self, requests: &[SourceRequest<'_>]) {
        let images = requests.iter().filter_map(|request| request.image.as_ref().ok());
        let images: Vec<&Reference> = images.filter_map(Location::reference).collect();
        for image in &images {
            self.content_access.registry.expect_access(image.repository(), Access::Pull);
            let same_registry =
                images.iter().filter(|other| other.repository().domain() == image.repository().domain());
            let reads = same_registry.count().min(self.content_access.registry.jobs().get());
            self.content_access
                .registry
                .expect_parallel_requests(image.repository(), ExpectedConnections::reads(reads));
        }
    }

    fn resolve_one(
        &self,
        platforms: &ConfigPlatforms,
        location: &Location,
    ) -> Result<SourceWithImageSource<'r>, CommandError> {
        let image_source = ImageSource::open(self.content_access, location)?;
        let unnamed =
            || CommandError::InvalidLocation { typed: location.to_string(), reason: "there is no list".to_owned() };
        let image = &image_source.reference_in(self.targets.first().copied()).ok_or_else(unnamed)?;
        let source = |digest: &Digest| ResolvedSource::new(location.clone(), image, digest);
        let found = match fetch::manifest(&image_source)? {
            ImageOrList::Image(image_format, fetched) => {
                let digest = fetched.digest.clone();
                let entry = match resolved_source::reusable_entry(self.existing, image)
                    .filter(|entry| entry.descriptor.digest == digest)
                {
                    Some(entry) => entry.clone(),
                    None => {
                        let platform = platforms.read(&image_source, &fetched.bytes)?;
                        Entry::fetched(image.clone(), image_format, fetched.bytes, Some(platform))
                    }
                };
                let order = vec![EntryKey::from_reference(image)];
                ResolvedSource { entries: vec![entry], order, ..source(&digest) }
            }
            ImageOrList::List(fetched) => {
                let index = fetched.decode_index(&image_source)?;
                if index.manifests.is_empty() {
                    return Err(CommandError::EmptyList(image_source.to_string()));
                }
                let platforms = index.manifests.iter().filter_map(platform_of).collect();
                let digest = fetched.digest.clone();
                let source_index = Some(into_source_index(fetched));
                ResolvedSource { index: Some(index), platforms, source_index, ..source(&digest) }
            }
        };
        Ok((found, image_source))
    }

    /// Whether the content of a list's source must be sent to a repository of the list.
    fn must_be_sent(image_source: &ImageSource<'_>, name: &Reference, targets: &[&Repository]) -> bool {
        image_source.is_layout() || targets.iter().any(|target| *target != name.repository())
    }

    /// Checks that every selected platform exists, and that every requested source has at least one entry.
    fn check_selection(&self, sources: &[ResolvedSource], reused: &[ReusedSource<'_>]) -> Result<(), CommandError> {
        let requested = &self.filter.platforms;
        let resolved = sources.iter().flat_map(|source| &source.entries);
        let found: Vec<&Platform> = resolved
            .chain(reused.iter().flat_map(|reused| reused.entries.iter().copied()))
            .filter(|entry| !entry.is_attestation())
            .filter_map(|entry| entry.descriptor.platform.as_ref())
            .collect();
        if let Some(filter) =
            requested.iter().find(|filter| !found.iter().any(|platform| platform.matches(&filter.parsed)))
        {
            let names = sources.iter().map(|source| source.location.to_string());
            let names: Vec<String> = names.chain(reused.iter().map(|reused| reused.reference.to_string())).collect();
            let reused =
                reused.iter().flat_map(|reused| &reused.entries).filter_map(|entry| platform_of(&entry.descriptor));
            let resolved = sources.iter().flat_map(|source| source.platforms.iter().cloned());
            let available: BTreeSet<String> = resolved.chain(reused).collect();
            return Err(CommandError::no_such_platform(&filter.text, &names.join(", "), available));
        }
        match sources.iter().find(|source| source.entries.is_empty() && source.opaque_descriptors.is_empty()) {
            Some(source) if requested.is_empty() => Err(CommandError::EmptyList(source.location.to_string())),
            Some(source) => {
                let names: Vec<&str> = requested.iter().map(|filter| filter.text.as_str()).collect();
                Err(CommandError::no_such_platform(&names.join(","), &source.location, source.platforms.clone()))
            }
            None => Ok(()),
        }
    }
}

/// Fetches an index without its images. `targets` are the repositories that the content of its opaque descriptors
/// must be in.
///
/// # Errors
/// Errors of the registry or the layout, and content that is no index.
pub(crate) fn fetch_index(
    image_source: &ImageSource<'_>,
    targets: &[&Repository],
) -> Result<ResolvedSource, CommandError> {
    let ImageOrList::List(fetched) = fetch::manifest(image_source)? else {
        return Err(CommandError::NotAList(image_source.to_string()));
    };
    let index = Some(fetched.decode_index(&image_source)?);
    let digest = fetched.digest.clone();
    let Some(name) = image_source.reference_in(targets.first().copied()) else {
        return Err(CommandError::NotAList(image_source.to_string()));
    };
    let must_be_sent = Resolver::must_be_sent(image_source, &name, targets);
    let source = ResolvedSource::new(image_source.location(), &name, &digest);
    let mut source = ResolvedSource { index, source_index: Some(into_source_index(fetched)), ..source };
    opaque_descriptors::order_and_add_opaque_descriptors(
        image_source,
        &mut source,
        &SourceFilter::default(),
        must_be_sent,
    )?;
    Ok(source)
}

/// The first mention of each image. Invalid names are kept, so that their errors are reported.
pub(crate) fn distinct(images: &[LocationResult]) -> Vec<&LocationResult> {
    let mut seen: BTreeSet<&Location> = BTreeSet::new();
    images.iter().filter(|image| image.as_ref().map_or(true, |image| seen.insert(image))).collect()
}
