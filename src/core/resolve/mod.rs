//! Resolves references to images: fetching, walking indexes, selecting platforms, amending drafts.

pub mod amend;
pub mod assemble;
mod attestations;
mod children;
pub(crate) mod equivalent_entries;
pub mod fetch;
pub(crate) mod leaves;
pub(crate) mod list_order;
pub mod new_draft;
mod opaque_descriptors;
pub mod previous;
pub mod resolved_source;
pub mod resolver;
pub mod selection;
pub mod spec_entry;
pub(crate) mod stored_names;
