//! Deletes entries of shared drafts. A registry that refuses to delete entries is no failure: its entries remain.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::image_source::ImageSource;
use crate::core::platform_match;
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::core::shared_drafts::collect::SharedDraftContext;
use crate::digest::Digest;
use crate::drafts::registry::{Deletion, FoundEntry, PipelineRun, SharedDraftStore};
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

/// The result of deleting several entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CleanUpResult {
    /// The deleted tags.
    pub(crate) deleted: Vec<String>,
    /// The entries that remain, for each reason.
    pub(crate) undeleted: Vec<UndeletedEntries>,
}

/// Entries that remain for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UndeletedEntries {
    /// Their tags.
    pub(crate) tags: Vec<String>,
    /// Why they were not deleted.
    pub(crate) reason: String,
}

/// Deletes these entries one after the other, because some registries fail at parallel deletions.
pub(crate) fn delete(
    context: SharedDraftContext<'_>,
    repository: &Repository,
    run: &PipelineRun,
    entries: &[FoundEntry],
) -> CleanUpResult {
    let drafts = SharedDraftStore::new(context.registry, repository, run);
    let mut result = CleanUpResult::default();
    let mut undeleted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for found in entries {
        let reason = match drafts.delete(found) {
            Ok(Deletion::Deleted) => {
                result.deleted.push(found.tag.clone());
                continue;
            }
            Ok(Deletion::AlreadyGone) => continue,
            Ok(Deletion::Refused(words)) => format!("{} does not delete it ({words})", repository.domain()),
            Ok(Deletion::NotAttempted(reason)) => reason.to_owned(),
            Err(error) => error.to_string(),
        };
        undeleted.entry(reason).or_default().push(found.tag.clone());
    }
    result.undeleted = undeleted.into_iter().map(|(reason, tags)| UndeletedEntries { tags, reason }).collect();
    result
}

/// For each tag, whether the list's tag serves everything that the entry names. One request (GET) for each list.
///
/// # Errors
/// Errors of the registry. A missing list is no error.
pub(crate) fn fetch_is_published_by_tag(
    context: SharedDraftContext<'_>,
    repository: &Repository,
    entries: &[FoundEntry],
) -> Result<BTreeMap<String, bool>, CommandError> {
    let lists: BTreeSet<&str> = entries.iter().map(|found| found.entry.name.list_tag.as_str()).collect();
    let lists: Vec<&str> = lists.into_iter().collect();
    let descriptors = CommandError::collect_parallel(context.registry.jobs(), &lists, |list| {
        fetch_descriptors(context, repository, list)
    })?;
    let descriptors: BTreeMap<&str, Vec<Descriptor>> = lists.iter().copied().zip(descriptors).collect();
    let is_served = |found: &FoundEntry| {
        let descriptors = descriptors.get(found.entry.name.list_tag.as_str());
        found
            .entry
            .descriptors()
            .all(|descriptor| descriptors.is_some_and(|descriptors| descriptors.contains(descriptor)))
    };
    Ok(entries.iter().map(|found| (found.tag.clone(), is_served(found))).collect())
}

fn fetch_descriptors(
    context: SharedDraftContext<'_>,
    repository: &Repository,
    list_tag: &str,
) -> Result<Vec<Descriptor>, CommandError> {
    let Ok(reference) = repository.at_tag(list_tag) else { return Ok(Vec::new()) };
    match fetch::manifest(&ImageSource::in_registry(context.registry, &reference)) {
        Ok(ImageOrList::List(fetched)) => Ok(fetched.decode_index(&reference)?.manifests),
        Ok(ImageOrList::Image(..)) | Err(CommandError::NoSuchManifest { .. } | CommandError::NotAManifest { .. }) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// The digest of the list's tag, if that list has all required platforms: then the entries may be missing because the
/// list was published and its entries deleted. `None` if the request fails. One request (GET).
pub(crate) fn fetch_possibly_published_digest(
    context: SharedDraftContext<'_>,
    list: &Reference,
    require: &[PlatformFilter],
) -> Option<Digest> {
    let fetched = fetch::manifest(&ImageSource::in_registry(context.registry, list)).ok()?;
    let ImageOrList::List(fetched) = fetched else { return None };
    let descriptors = Index::decode(&fetched.bytes).ok()?.manifests;
    let platforms: Vec<&Platform> = descriptors.iter().filter_map(platform_match::known_platform).collect();
    let has = |required: &PlatformFilter| platforms.iter().any(|platform| platform.matches(&required.parsed));
    require.iter().all(has).then_some(fetched.digest)
}
