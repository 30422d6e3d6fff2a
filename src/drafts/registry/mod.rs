//! Drafts in a registry: each entry is a small index under a tag of its own, so that many machines can build one list.
//! See `store-format.md`, "Shared drafts".

pub mod entry;
pub mod name;
pub mod run;
pub mod store;

pub use entry::{EntryError, Expected, SharedEntry};
pub use name::{EntryKey, EntryName, TagParts};
pub use run::Run;
pub use store::{
    Deletion, EntryLookup, FoundEntry, RegistryDrafts, RejectedEntry, SharedStoreError, StoredEntry,
};
