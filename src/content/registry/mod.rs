//! The registry client: the part of the OCI distribution specification (and docker's registry API, its ancestor) that
//! building manifest lists needs.
//!
//! From the top: `client` is the public face, one method an operation, with `listing` for what only asks and the folder
//! `blobs` for what goes from one registry to another (from `source` through `stream` into `upload`); `session` sends a
//! `call` until it is answered (scheme, authorisation, redirects), at a `place` that the registry named too, and by way
//! of `retry` again where that may help, at the `pace` that the registry bears; `transport` does one exchange. The
//! folder `connection` knows where a registry is, how it speaks, and how to get there; `trust` whom to believe over
//! TLS; `auth` answers challenges.
//!
//! Everything here can be used by several threads at once. A value of [`Registry`] lives for one command and holds its
//! connections, its tokens and what it found out about schemes.

pub mod blobs;
pub mod client;
pub(crate) mod expected;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod location;
mod login;
pub mod referrers;
pub mod request;
pub mod response;
pub mod session;
pub mod tags;
pub mod upload;

pub(crate) use blobs::copy::is_about_mount;
pub use blobs::copy::{Blob, BlobCopy};
pub use client::{FetchedManifest, ManifestName, MountResult, Registry, StoredManifest};
pub(crate) use expected::Expected;
