//! docker-manifest as a library.

pub mod args;
pub mod commands;
pub mod digest;
pub mod document;
pub mod env;
pub mod output;
pub mod platform;
pub mod plugin;
pub mod reference;
pub mod registry;
pub mod report;
pub mod secret;
pub mod store;
