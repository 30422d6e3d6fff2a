//! Documents as values: what a registry serves, what the store holds, and the draft that a user builds of them.

pub mod media_type;
