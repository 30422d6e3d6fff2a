//! Fetches the children of the sources' indexes: those of all indexes in one batch, then those of the nested indexes.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::core::error::CommandError;
use crate::core::index_walk;
use crate::core::limits::{DEPTH_MAX, IndexBudget};
use crate::core::resolve::fetch::{self, ConfigPlatforms, ImageOrList};
use crate::core::resolve::resolved_source::{
    FetchEvent, SourceRequest, SourceWithImageSource, into_source_index, platform_of, reusable_entry,
};
use crate::core::resolve::selection::{self, SelectedChild};
use crate::model::index::Index;
use crate::model::source_index::SourceIndex;
use crate::model::{Draft, Entry};
use crate::platform::Platform;
use crate::reference::Reference;

/// Fetches the children of sources.
pub(super) struct ChildFetcher<'a> {
    pub(super) jobs: NonZeroUsize,
    /// The draft whose entries need not be fetched again.
    pub(super) existing: Option<&'a Draft>,
    pub(super) progress: &'a (dyn Fn(FetchEvent<'_>) + Sync),
    pub(super) platforms: &'a ConfigPlatforms,
    /// The requests, in the order of the sources.
    pub(super) requests: &'a [SourceRequest<'a>],
    /// Whether missing children are left out.
    pub(super) ignore_missing: bool,
}

/// The result for one child.
enum ResolvedChild {
    /// The entries of an image, and the platforms that its index does not state.
    Entries(Vec<Entry>, BTreeMap<Reference, Platform>),
    /// A nested index.
    Index(Box<Index>, SourceIndex),
    /// It is not in its registry or layout.
    Missing,
}

impl ChildFetcher<'_> {
    /// Adds the selected images of all indexes to their sources.
    ///
    /// # Errors
    /// Failed requests, invalid content, and exceeded limits.
    pub(super) fn fetch_all(&self, sources: &mut [Option<SourceWithImageSource<'_>>]) -> Result<(), CommandError> {
        let mut first = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            if let Some((source, _)) = source
                && let Some(index) = &source.index
            {
                first.extend(self.selected(number, &source.reference, index));
            }
        }
        let names: Vec<String> = sources
            .iter()
            .map(|source| source.as_ref().map(|(source, _)| source.location.to_string()).unwrap_or_default())
            .collect();
        let list = |child: &SelectedChild| names.get(child.source_number).cloned().unwrap_or_default();
        let budget = IndexBudget::default();
        index_walk::walk_levels(DEPTH_MAX, list, SelectedChild::count, first, |_, children| {
            self.fetch_level(sources, &children, &budget)
        })
    }

    /// The children of an index that the filter of its source selects.
    fn selected(&self, source_number: usize, source: &Reference, index: &Index) -> Vec<SelectedChild> {
        let filter = self.requests.get(source_number).map(|request| request.filter);
        filter.map(|filter| selection::selected_children(source_number, source, filter, index)).unwrap_or_default()
    }

    /// Fetches these children. Returns the children of those that are indexes.
    fn fetch_level(
        &self,
        sources: &mut [Option<SourceWithImageSource<'_>>],
        children: &[SelectedChild],
        budget: &IndexBudget,
    ) -> Result<Vec<SelectedChild>, CommandError> {
        let progress = self.progress;
        progress(FetchEvent::Queued(children.len()));
        let parents: &[Option<SourceWithImageSource<'_>>] = sources;
        let fetched =
            CommandError::collect_parallel(self.jobs, children, |child| match parents.get(child.source_number) {
                Some(Some(source)) => {
                    let fetched = self.fetch(child, source, budget);
                    progress(FetchEvent::Fetched(&source.1.location().at_digest(&child.descriptor.digest)));
                    match fetched {
                        Err(CommandError::MissingChild(_)) if self.ignore_missing => Ok(ResolvedChild::Missing),
                        fetched => fetched,
                    }
                }
                _ => Err(CommandError::EmptyList(child.reference.to_string())),
            })?;
        let mut next = Vec::new();
        for (child, fetched) in children.iter().zip(fetched) {
            let Some(Some((source, _))) = sources.get_mut(child.source_number) else { continue };
            match fetched {
                ResolvedChild::Entries(entries, config_platforms) => {
                    source.entries.extend(entries);
                    source.config_platforms.extend(config_platforms);
                }
                ResolvedChild::Missing => source.missing_children.push(child.descriptor.clone()),
                ResolvedChild::Index(index, nested) => {
                    if let Some(source_index) =
                        source.source_index.as_mut().filter(|source_index| !source_index.nested.contains(&nested))
                    {
                        source_index.nested.push(nested);
                    }
                    source.platforms.extend(index.manifests.iter().filter_map(platform_of));
                    next.extend(self.selected(child.source_number, &source.reference, &index));
                }
            }
        }
        Ok(next)
    }

    fn fetch(
        &self,
        child: &SelectedChild,
        (resolved, list): &SourceWithImageSource<'_>,
        budget: &IndexBudget,
    ) -> Result<ResolvedChild, CommandError> {
        let child_source = list.at_digest(&child.descriptor.digest);
        let source = &resolved.reference.with_digest(&resolved.digest);
        let invalid_document = CommandError::invalid_document(&child_source);
        let reused = reusable_entry(self.existing, &child.reference);
        let (image_format, bytes) = match reused.and_then(|entry| entry.image_format().zip(entry.verified_bytes().ok()))
        {
            Some((image_format, bytes)) => (image_format, bytes.into_owned()),
            None => match fetch::child(list, &child.descriptor)? {
                ImageOrList::Image(image_format, fetched) => (image_format, fetched.bytes),
                ImageOrList::List(fetched) => {
                    budget.count_bytes(list, &fetched.bytes, 1)?;
                    let index = Index::decode(&fetched.bytes).map_err(invalid_document)?;
                    return Ok(ResolvedChild::Index(Box::new(index), into_source_index(fetched)));
                }
            },
        };
        budget.count_bytes(list, &bytes, child.count())?;
        let (mut entries, mut config_platforms) = (Vec::new(), BTreeMap::new());
        for (reference, listed) in child.descriptors(source) {
            let mut descriptor = listed.clone();
            if descriptor.media_type.is_empty() {
                image_format.media_type().clone_into(&mut descriptor.media_type);
            }
            if !descriptor.has_non_empty_platform() {
                let platform = self.platforms.read(&child_source, &bytes)?;
                config_platforms.insert(reference.clone(), platform.clone());
                descriptor.platform = Some(platform);
            }
            entries.push(
                Entry::child_of_list(reference, image_format, bytes.clone(), descriptor, source.clone())
                    .map_err(invalid_document)?,
            );
        }
        Ok(ResolvedChild::Entries(entries, config_platforms))
    }
}
