//! What `inspect` shows, as values.

pub mod node;
pub(crate) mod template;
