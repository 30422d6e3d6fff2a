//! Where images are read from and written to: registries and OCI image layouts.
//!
//! [`ContentSource`] and [`ContentSink`] have the operations of both. Operations that only a registry has, such as
//! uploads that continue after a break, mounts and tag listings, belong to [`registry::RegistryClient`].

mod access;
mod error;
pub mod file_blob;
pub mod oci_layout;
pub mod registry;
mod repository;

pub use crate::location::Location;
pub use access::{ContentSink, ContentSource, Referrer};
pub use error::{ContentError, LayoutError};
pub use repository::RegistryRepository;
