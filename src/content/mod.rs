//! Where images are read from and written to: registries and OCI image layouts.
//!
//! [`ContentSource`] and [`ContentSink`] have the operations of both. Operations that only a registry has, such as
//! uploads that continue after a break, mounts and tag listings, belong to [`registry::RegistryClient`].

mod error;
pub mod oci_layout;
pub mod registry;
mod registry_repository;
mod source_and_sink;
pub mod user_file_blob;

pub use crate::location::Location;
pub use error::{ContentError, LayoutError};
pub use registry_repository::RegistryRepository;
pub use source_and_sink::{ContentSink, ContentSource, Referrer};
