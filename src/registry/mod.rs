//! The registry client.

mod auth;
mod cache;
mod challenge;
mod credentials;
pub mod error;
mod helper;
mod host;
mod proxy;
mod scope;
mod token;

pub use auth::Access;
pub use error::{Kind, RegistryError};
