//! What `inspect` shows, as values.

pub mod node;
