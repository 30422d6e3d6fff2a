//! Deleting entries: those that were published, those that a list serves already, or one that is taken back. A registry
//! that does not delete is no failure: its entries stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::place::Place;
use crate::core::resolve::fetch::{self, FetchedContent};
use crate::core::shared::gather::GatherContext;
use crate::digest::Digest;
use crate::drafts::registry::{Deletion, FoundEntry, RegistryDrafts, Run};
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::net::tasks;
use crate::reference::{Reference, Repository};

/// What became of several entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CleanedUp {
    /// The tags that are gone.
    pub(crate) deleted: Vec<String>,
    /// A line for each kind of entry that stays, with the reason.
    pub(crate) notes: Vec<String>,
}

/// Deletes these entries. Registries delete one manifest at a time, and some fail at two at once.
pub(crate) fn delete(
    context: GatherContext<'_>,
    repository: &Repository,
    run: &Run,
    entries: &[FoundEntry],
) -> CleanedUp {
    let drafts = RegistryDrafts::new(context.registry, repository, run);
    let mut cleaned = CleanedUp::default();
    let mut kept: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for found in entries {
        let why = match drafts.delete(found) {
            Ok(Deletion::Deleted) => {
                cleaned.deleted.push(found.tag.clone());
                continue;
            }
            Ok(Deletion::Gone) => continue,
            Ok(Deletion::Refused(words)) => format!("{} does not delete it ({words})", repository.domain()),
            Ok(Deletion::Kept(why)) => why.to_owned(),
            Err(error) => error.to_string(),
        };
        kept.entry(why).or_default().push(&found.tag);
    }
    for (why, tags) in kept {
        cleaned.notes.push(format!("{} in {repository} stays: {why}{}", tags.join(", "), means(repository.domain())));
    }
    cleaned
}

/// What a registry has of its own for entries that it does not let a client delete.
fn means(registry: &str) -> &'static str {
    if registry.ends_with(".amazonaws.com") {
        "; a lifecycle rule on draft.* can delete it"
    } else if registry.ends_with(".pkg.dev") || registry == "gcr.io" || registry.ends_with(".gcr.io") {
        "; a cleanup policy for tags that begin with draft. can delete it"
    } else if registry == "quay.io" {
        "; an auto-prune policy for ^draft\\. can delete it"
    } else if registry.ends_with("gitlab.com") {
        "; a cleanup policy for draft\\..* can delete it"
    } else if registry == "ghcr.io" {
        "; GitHub's packages API can delete it"
    } else {
        "; use the registry's own retention rules for tags that begin with draft."
    }
}

/// Which of these entries their lists serve already: the tag of the list names all that is in the entry. One request
/// (GET) for each list.
///
/// # Errors
/// What a registry says, but for a list that is not there.
pub(crate) fn served(
    context: GatherContext<'_>,
    repository: &Repository,
    entries: &[FoundEntry],
) -> Result<BTreeMap<String, bool>, CommandError> {
    let lists: BTreeSet<&str> = entries.iter().map(|found| found.entry.name.list.as_str()).collect();
    let lists: Vec<&str> = lists.into_iter().collect();
    let lines = tasks::in_order(context.registry.jobs(), &lists, |list| lines_of(context, repository, list));
    let lines: BTreeMap<&str, Vec<Descriptor>> = lists.iter().copied().zip(lines.map_err(CommandError::of)?).collect();
    let is_served = |found: &FoundEntry| {
        let lines = lines.get(found.entry.name.list.as_str());
        found.entry.descriptors().all(|own| lines.is_some_and(|lines| lines.contains(own)))
    };
    Ok(entries.iter().map(|found| (found.tag.clone(), is_served(found))).collect())
}

fn lines_of(context: GatherContext<'_>, repository: &Repository, list: &str) -> Result<Vec<Descriptor>, CommandError> {
    let Ok(reference) = repository.at_tag(list) else { return Ok(Vec::new()) };
    match fetch::manifest(&Place::in_registry(context.registry, &reference)) {
        Ok(FetchedContent::List(served)) => {
            Ok(Index::decode(&served.bytes).map_err(CommandError::served(&reference))?.manifests)
        }
        Ok(FetchedContent::Image(..)) | Err(CommandError::NotServed { .. } | CommandError::NotAManifest { .. }) => {
            Ok(Vec::new())
        }
        Err(failure) => Err(failure),
    }
}

/// The digest that the list's tag has now, if it has one. A look that fails shows nothing.
pub(crate) fn now_at(context: GatherContext<'_>, list: &Reference) -> Option<Digest> {
    context.registry.digest_before_push(list.repository(), list.tag()?).ok().flatten()
}
