//! The registry client: the parts of the OCI distribution-spec (and of docker's registry API, its predecessor) that
//! manifest lists need.
//!
//! `client` is the public interface. Its methods are in `client` (manifests and uploads), `existence` (HEAD requests),
//! `tags`, `referrers` and `deletion`; `pagination` follows their pages. `blobs` copies blobs between repositories:
//! `blob_reader` downloads, `verifying_reader` hashes, and `upload` sends. `session` sends a `request`: it chooses the
//! protocol, `login` responds to challenges, redirects are followed, and failures are retried. `server_named_urls`
//! sends requests to URLs that a registry named. `response` checks responses.
//!
//! All types may be used by several threads at once. A [`RegistryClient`] lives for one command and keeps its
//! connections, its tokens and the registries' protocols.

pub mod blobs;
pub mod client;
mod deletion;
mod existence;
pub(crate) mod expected_connections;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod login;
pub(crate) mod pagination;
pub mod referrers;
pub mod request;
pub mod response;
pub mod server_named_urls;
pub mod session;
pub mod tags;
pub mod upload;

pub use blobs::blob_reader::BlobReader;
pub use blobs::copy::{Blob, BlobCopy};
pub(crate) use blobs::is_mount_refused;
pub use client::{FetchedManifest, ManifestName, RegistryClient, StoredManifest};
pub(crate) use expected_connections::ExpectedConnections;
