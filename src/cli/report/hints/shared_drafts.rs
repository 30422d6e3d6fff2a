//! Hints about shared drafts.

use std::path::Path;

use super::registry;
use crate::core::shared_draft_error::SharedDraftError;
use crate::drafts::registry::SharedStoreError;
use crate::drafts::registry::entry::EntryCreationError;

pub(super) fn shared_draft_error(error: &SharedDraftError, certs_d: &Path) -> Vec<String> {
    let hint = match error {
        SharedDraftError::Store(SharedStoreError::Conflict { .. }) => {
            "entries of other runs are kept apart: name this run with --run".to_owned()
        }
        SharedDraftError::Store(SharedStoreError::Put { source, .. }) if source.is_missing_dependency() => {
            "the registry does not have the image: push it to the list's repository again".to_owned()
        }
        SharedDraftError::Store(SharedStoreError::Put { source, .. }) => {
            // The other format of the entry was tried already.
            return registry::refused_manifest("", source, certs_d);
        }
        SharedDraftError::Store(SharedStoreError::Registry(source)) => {
            return registry::failed_request(source, certs_d);
        }
        SharedDraftError::Store(SharedStoreError::EntryCreation(EntryCreationError::NoPlatform(_))) => {
            "set it with --os and --arch, or name the entry with --key".to_owned()
        }
        SharedDraftError::Store(SharedStoreError::EntryCreation(EntryCreationError::SameKey { .. })) => {
            "add one of them with --key NAME, or choose with --platform".to_owned()
        }
        SharedDraftError::NotRequired { key } => format!("name it in --require as well: {key}"),
        SharedDraftError::NoRunAttempt => "only GitHub Actions counts attempts: leave --fresh out".to_owned(),
        SharedDraftError::NoEntries { list, .. } => {
            format!("each machine adds its image with: add --shared {list} IMAGE; ls --shared {list} shows other runs")
        }
        SharedDraftError::NoEntry { list, .. } => format!("ls --shared {list} shows which there are"),
        SharedDraftError::NestedIndex { .. } => "add --shared makes no such entry: remove it".to_owned(),
        SharedDraftError::Store(SharedStoreError::InvalidEntry { .. })
        | SharedDraftError::KeyForManyImages(_)
        | SharedDraftError::ReservedAnnotation(_)
        | SharedDraftError::NotAllowed { .. }
        | SharedDraftError::AllowedFile { .. }
        | SharedDraftError::NotAnEntry { .. }
        | SharedDraftError::Run(_) => return Vec::new(),
    };
    vec![hint]
}

/// How the registry itself can delete entries that a client cannot delete.
pub(crate) fn entry_cleanup_hint(registry: &str) -> &'static str {
    if registry.ends_with(".amazonaws.com") {
        "a lifecycle rule on draft.* can delete it"
    } else if registry.ends_with(".pkg.dev") || registry == "gcr.io" || registry.ends_with(".gcr.io") {
        "a cleanup policy for tags that begin with draft. can delete it"
    } else if registry == "quay.io" {
        "an auto-prune policy for ^draft\\. can delete it"
    } else if registry.ends_with("gitlab.com") {
        "a cleanup policy for draft\\..* can delete it"
    } else if registry == "ghcr.io" {
        "GitHub's packages API can delete it"
    } else {
        "use the registry's own retention rules for tags that begin with draft."
    }
}
