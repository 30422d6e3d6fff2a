//! What `inspect` and `platforms` show, as values.

pub mod node;
pub(crate) mod platforms;
pub(crate) mod published;
pub mod referrers;
pub(crate) mod template;
