//! What `inspect` and `platforms` show, as values.

pub mod node;
pub(crate) mod platforms;
pub mod referrers;
pub(crate) mod remote;
pub(crate) mod template;
