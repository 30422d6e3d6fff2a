//! Documents as values: what a registry serves, what the store holds, and the draft that a user builds of them.
//!
//! Nothing here reads a file or a socket. Raw bytes are the truth: what came from a registry is hashed, kept and sent
//! on as the bytes that came, and everything else is a view of them.

pub mod descriptor;
pub mod draft;
mod editing;
pub mod entry;
mod entry_key;
pub mod error;
pub mod index;
pub mod json;
pub mod manifest;
pub mod media_type;
pub mod referrers;
mod rendering;
pub mod source;
pub mod spec;

pub use draft::Draft;
pub use entry::Entry;
pub use entry_key::EntryKey;
pub use error::DocumentError;
