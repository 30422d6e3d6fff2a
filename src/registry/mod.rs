//! The registry client: the part of the OCI distribution specification (and docker's registry API, its ancestor) that
//! building manifest lists needs.
//!
//! From the top: `client` is the public face, one method an operation, with `listing` for what only asks and `copy` for
//! blobs that go from one registry to another (from `source` through `stream` into `upload`); `session` sends a `call`
//! until it is answered (scheme, authorisation, redirects), at a `place` that the registry named too, and by way of
//! `retry` again where that may help, at the `pace` that the registry bears; `endpoint` knows where a registry is and how
//! it speaks; `transport` does one exchange, over the `line` to an origin; `connector` and `tls` make its connections.
//! `auth` answers challenges.
//!
//! Everything here can be used by several threads at once. A value of [`Registry`] lives for one command and holds its
//! connections, its tokens and what it found out about schemes.

mod answer;
mod auth;
mod body;
mod cache;
mod call;
mod certs_d;
mod challenge;
mod check;
mod client;
mod clock;
mod connector;
mod copy;
mod credentials;
mod deadline;
mod endpoint;
pub mod error;
mod failure;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod helper;
mod host;
mod identity;
mod line;
mod listing;
mod options;
mod pace;
mod place;
mod proxy;
mod reach;
mod redirect;
mod retry;
mod scope;
mod scrub;
mod session;
mod socket;
mod source;
mod spare;
mod stream;
mod tls;
mod token;
mod token_server;
mod transport;
mod upload;
mod url;
mod verifier;

pub use auth::Access;
pub use certs_d::folder as certificates_folder;
pub use client::{Fetched, Mount, Name, Registry};
pub use clock::{Clock, System as SystemClock};
pub use copy::{Blob, Brought};
pub use error::{Kind, RegistryError};
pub use options::{Login, Options};
pub use transport::Trace;
