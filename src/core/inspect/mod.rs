//! What `inspect` shows, as values.

pub mod node;
pub mod referrers;
pub(crate) mod template;
