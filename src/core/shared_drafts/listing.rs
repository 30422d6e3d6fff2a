//! All entries that a repository has, of any list and run.

use crate::core::error::CommandError;
use crate::core::shared_drafts::collect::SharedDraftContext;
use crate::drafts::registry::{
    EntryLookup, ExpectedEntryName, FoundEntry, PipelineRun, RejectedEntry, SharedDraftStore, TagParts,
};
use crate::reference::Repository;

/// An entry with annotations. Otherwise the rejected content and the parts of its tag, for example an entry in the
/// format of a Docker manifest list.
pub(crate) type ListedEntryResult = Result<FoundEntry, (RejectedEntry, TagParts)>;

/// Lists the entries of a repository; those of one list if its tag is given. One listing and a GET for each entry.
///
/// # Errors
/// Errors of the registry.
pub(crate) fn list_entries(
    context: SharedDraftContext<'_>,
    repository: &Repository,
    list_tag: Option<&str>,
) -> Result<Vec<ListedEntryResult>, CommandError> {
    let run = PipelineRun::default();
    let drafts = SharedDraftStore::new(context.registry, repository, &run);
    let tags = drafts.tags()?.into_iter().filter(|(_, parts)| list_tag.is_none_or(|list| parts.belongs_to_list(list)));
    let tags: Vec<(String, TagParts)> = tags.collect();
    let found = CommandError::collect_parallel(context.registry.jobs(), &tags, |(tag, _)| {
        drafts.lookup(tag, ExpectedEntryName::Any).map_err(CommandError::from)
    })?;
    Ok(tags
        .into_iter()
        .zip(found)
        .filter_map(|((_, parts), lookup)| match lookup {
            EntryLookup::Found(found) => Some(Ok(*found)),
            EntryLookup::Rejected(rejected) => Some(Err((rejected, parts))),
            EntryLookup::Absent => None,
        })
        .collect())
}
