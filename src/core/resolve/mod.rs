//! Resolves references to images: fetching, walking indexes, selecting platforms, amending drafts.

pub mod amend;
pub mod assemble;
mod attestations;
pub mod index_order;
mod children;
pub mod fetch;
pub(crate) mod leaves;
pub mod new_draft;
pub mod previous;
pub mod selection;
pub mod resolved_source;
pub mod resolver;
pub mod spec_entry;
pub(crate) mod storable;
