//! The registry client: the part of the OCI distribution specification (and docker's registry API, its ancestor) that
//! building manifest lists needs.
//!
//! From the top: `client` is the public face, one method an operation, with `listing` for what only asks and the folder
//! `blobs` for what goes from one registry to another (from `source` through `stream` into `upload`); `session` sends a
//! `call` until it is answered (scheme, authorisation, redirects), at a `place` that the registry named too, and by way
//! of `retry` again where that may help, at the `pace` that the registry bears; `transport` does one exchange. The folder
//! `connection` knows where a registry is, how it speaks, and how to get there; `trust` whom to believe over TLS; `auth`
//! answers challenges.
//!
//! Everything here can be used by several threads at once. A value of [`Registry`] lives for one command and holds its
//! connections, its tokens and what it found out about schemes.

mod answer;
mod auth;
mod blobs;
mod body;
mod call;
mod check;
mod client;
mod clock;
mod connection;
mod deadline;
pub mod error;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod host;
mod listing;
mod options;
mod pace;
mod permission;
mod place;
mod redirect;
mod retry;
mod scrub;
mod session;
mod transport;
mod trust;
mod upload;
mod url;

pub use auth::authenticator::Access;
pub use blobs::copy::{Blob, Brought};
pub use client::{Fetched, Mount, Name, Registry};
pub use clock::{Clock, System as SystemClock};
pub use error::{Address, AddressSource, ErrorBody, FailedRequest, Kind, RegistryError};
pub use options::{Login, Options};
pub use transport::Trace;
pub use trust::certs_d::folder as certificates_folder;
