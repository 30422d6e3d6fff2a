//! Drafts in a registry: each entry is a small index under a tag of its own, so that many machines can build one list.
//! See `store-format.md`, "Shared drafts".

pub mod draft;
pub mod entry;
pub mod entry_tag;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod pipeline_run;
pub mod store;

pub use entry::{EntryError, ExpectedEntryName, SharedEntry};
pub use entry_tag::{EntryName, SharedEntryKey, TagParts};
pub use pipeline_run::PipelineRun;
pub use store::{Deletion, EntryLookup, FoundEntry, RejectedEntry, SharedDraftStore, SharedStoreError, StoredEntry};
