//! Resolves references to images: fetching, walking indexes, selecting platforms, amending drafts.

pub mod amend;
pub mod assemble;
mod attestations;
pub mod carried;
mod children;
pub(crate) mod descend;
pub mod fetch;
pub(crate) mod leaves;
pub mod limits;
pub mod new_draft;
pub mod previous;
pub mod selection;
pub mod source;
pub mod sources;
pub mod spec_entry;
pub(crate) mod storable;
