//! The registry client: the parts of the OCI distribution-spec (and of docker's registry API, its predecessor) that
//! manifest lists need.
//!
//! `client` is the public interface, with `tags` for queries and deletions, and `blobs` for copies between repositories
//! (`source` and `stream` read, `upload` writes). `session` sends a `request` until it is answered: it chooses the
//! protocol, answers challenges, follows redirects and retries. `location` sends requests to URLs that a registry
//! named. `response` checks what came back.
//!
//! All types may be used by several threads at once. A [`Registry`] lives for one command and keeps its connections,
//! its tokens and the registries' protocols.

pub mod blobs;
pub mod client;
mod deletion;
mod existence;
pub(crate) mod expected;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod server_urls;
mod login;
pub(crate) mod pagination;
pub mod referrers;
pub mod request;
pub mod response;
pub mod session;
pub mod tags;
pub mod upload;

pub use blobs::copy::{Blob, BlobCopy};
pub(crate) use blobs::is_mount_refused;
pub use blobs::source::BlobReader;
pub use client::{FetchedManifest, ManifestName, MountResult, Registry, StoredManifest};
pub(crate) use expected::ExpectedRequests;
