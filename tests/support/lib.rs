//! What the tests, the demo and the benches share: images made in memory, registries to push them to
//! (a scripted one on loopback and the real docker-registry), certificates, and sandboxes to run a client in.
//!
//! It knows nothing of the crate under test, so that a bug there cannot hide here.

#[cfg(feature = "certificates")]
pub mod certs;
pub mod client;
pub mod image;
pub mod latency_link;
pub mod loopback;
pub mod memory;
pub mod netns;
pub mod real;
pub mod registry_filesystem;
pub mod relay;
pub mod sandbox;
pub mod schema;
pub mod skip;
mod tcp_proxy;
#[cfg(feature = "certificates")]
pub mod token_server;
pub mod uncaptured_output;
