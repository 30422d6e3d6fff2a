//! What each command does, as functions of plain requests: no argv, no terminal, no environment.
//!
//! `resolve` turns references into the entries of a draft, `push` publishes a draft, `copy` copies an image, `inspect`
//! describes one, `shared_drafts` builds a list on several machines, and `referrers` finds signatures and attestations.

pub(crate) mod apply;
pub(crate) mod artifact;
pub mod blob_error;
pub(crate) mod build_outputs;
mod combined_errors;
mod command_failure_data;
pub mod copy;
pub mod entry_lookup;
pub mod error;
mod error_conversions;
pub mod error_parts;
pub(crate) mod export;
pub mod failure_data;
pub mod file_error;
pub mod image_filters;
pub(crate) mod image_source;
pub(crate) mod index_leaves;
pub(crate) mod index_walk;
pub mod inspect;
pub mod json_output;
pub mod limits;
pub mod list_conflict;
pub mod list_metadata;
pub(crate) mod list_names;
pub(crate) mod manifest_blobs;
pub mod missing_child;
pub(crate) mod open_layouts;
pub(crate) mod platform_match;
pub mod push;
pub mod referrers;
pub mod requirements;
pub mod resolve;
pub mod shared_draft_error;
pub mod shared_drafts;
pub mod shim;
pub mod spec_origin;

pub use error::CommandError;

/// Warnings for the user, one line each.
pub(crate) type Warnings = Vec<String>;
