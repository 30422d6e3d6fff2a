//! The registry client.

pub mod error;

pub use error::{Kind, RegistryError};
