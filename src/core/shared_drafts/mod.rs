//! Shared drafts: lists that many machines build together, each with entries of its own in the registry.

pub mod add;
pub(crate) mod allowed_entries;
pub mod clean_up;
pub mod collect;
pub mod listing;
