//! Resolves references to images: fetching, walking indexes, selecting platforms, amending drafts.

pub mod amend;
mod attestations;
mod children;
pub(crate) mod entries_of_same_image;
pub mod fetch;
pub(crate) mod list_order;
pub mod new_draft;
mod opaque_descriptors;
pub mod previous_entries;
pub mod resolved_source;
pub mod resolver;
pub mod selection;
pub mod spec_drafts;
pub mod spec_entry;
pub(crate) mod unique_entry_names;
