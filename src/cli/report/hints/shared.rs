//! Advice on shared drafts.

use std::path::Path;

use super::registry;
use crate::core::shared_failure::SharedFailure;
use crate::drafts::registry::SharedStoreError;
use crate::drafts::registry::entry::NoEntry;

pub(super) fn shared_failure(failure: &SharedFailure, certificates: &Path) -> Vec<String> {
    let hint = match failure {
        SharedFailure::Store(SharedStoreError::Conflict { .. }) => {
            "entries of other runs are kept apart: name this run with --run".to_owned()
        }
        SharedFailure::Store(SharedStoreError::Put { source, .. }) if source.is_of_unknown_content() => {
            "the registry does not have the image: push it to the list's repository again".to_owned()
        }
        SharedFailure::Store(SharedStoreError::Put { source, .. }) => {
            // The other format of the entry was tried already.
            return registry::refused_manifest("", source, certificates);
        }
        SharedFailure::Store(SharedStoreError::Registry(source)) => {
            return registry::failed_request(source, certificates);
        }
        SharedFailure::Store(SharedStoreError::NoEntry(NoEntry::NoPlatform(_))) => {
            "set it with --os and --arch, or name the entry with --key".to_owned()
        }
        SharedFailure::Store(SharedStoreError::NoEntry(NoEntry::SameKey { .. })) => {
            "add one of them with --key NAME, or choose with --platform".to_owned()
        }
        SharedFailure::NotRequired { key } => format!("name it in --require as well: {key}"),
        SharedFailure::NoAttempt => "only GitHub Actions counts attempts: leave --fresh out".to_owned(),
        SharedFailure::NoEntries { list, .. } => {
            format!("each machine adds its image with: add --shared {list} IMAGE; ls --shared {list} shows other runs")
        }
        SharedFailure::NoEntry { list, .. } => format!("ls --shared {list} shows which there are"),
        SharedFailure::NestedIndex { .. } => "add --shared makes no such entry: remove it".to_owned(),
        SharedFailure::Store(SharedStoreError::Entry { .. })
        | SharedFailure::ManyImages(_)
        | SharedFailure::Reserved(_)
        | SharedFailure::NotAllowed { .. }
        | SharedFailure::AllowedFile { .. }
        | SharedFailure::NotAnEntry { .. }
        | SharedFailure::Run(_) => return Vec::new(),
    };
    vec![hint]
}
