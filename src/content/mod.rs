//! Where images are read from and written to.

pub mod registry;
