//! Drafts in a registry: each entry is a small index under a tag of its own, so that many machines can build one list.
//! See `store-format.md`, "Shared drafts".

pub mod draft;
pub mod entry;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod name;
pub mod run;
pub mod store;

pub use entry::{EntryError, Expected, SharedEntry};
pub use name::{EntryName, SharedKey, TagParts};
pub use run::Run;
pub use store::{Deletion, EntryLookup, FoundEntry, RegistryDrafts, RejectedEntry, SharedStoreError, StoredEntry};
