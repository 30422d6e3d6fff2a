//! docker-manifest as a library.

pub mod args;
pub mod digest;
pub mod document;
pub mod env;
pub mod platform;
pub mod reference;
pub mod registry;
pub mod secret;
pub mod store;
