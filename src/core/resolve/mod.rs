//! Resolves references to images: fetching, walking indexes, selecting platforms, amending drafts.

pub mod amend;
pub mod assemble;
mod attestations;
mod children;
pub mod fetch;
pub mod index_order;
pub(crate) mod leaves;
pub mod new_draft;
pub mod previous;
pub mod resolved_source;
pub mod resolver;
pub mod selection;
pub mod spec_entry;
pub(crate) mod storable;
