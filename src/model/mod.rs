//! Documents as values: manifests and lists of registries, the store's files, and the drafts that users build.
//!
//! Nothing here reads a file or a socket. Bytes from a registry are hashed, kept and sent unchanged; everything else is
//! derived from them.

pub mod build_output;
pub mod descriptor;
pub mod docker_entry_file;
pub mod draft;
mod draft_order;
pub mod entry;
mod entry_key;
pub mod error;
pub mod index;
mod index_edit;
pub mod json;
mod list_encoding;
pub mod manifest;
pub mod media_type;
mod raw_object;
pub mod referrers;
pub mod source_index;
pub mod spec;
pub mod template;

pub use draft::Draft;
pub use entry::Entry;
pub use entry_key::EntryKey;
pub use error::DocumentError;
