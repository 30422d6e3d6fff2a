//! What a user wants done: no argv, no terminal, no environment.

pub(crate) mod apply;
pub(crate) mod artifact;
pub mod blob_error;
pub(crate) mod build_outputs;
pub mod copy;
pub mod description;
pub mod error;
mod error_conversions;
pub mod error_parts;
pub(crate) mod export;
mod combined_errors;
pub mod file_error;
pub(crate) mod image_source;
pub mod inspect;
pub(crate) mod layouts;
pub mod limit_error;
pub mod list_conflict;
pub(crate) mod index_walk;
pub mod limits;
pub mod list_metadata;
pub mod listing;
pub mod lookup;
pub(crate) mod manifest_blobs;
pub mod missing_child;
pub mod push;
pub mod referrers;
pub mod request;
pub mod requirements;
pub mod resolve;
pub mod shared;
pub mod shared_draft_error;
pub mod shim;
pub(crate) mod spec_names;

pub use error::CommandError;
