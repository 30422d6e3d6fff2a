//! Referrers: what signs an image, attests it or belongs to it without being in the index. `discover` finds them in a
//! source, `collect` chooses those that a push sends along.

pub mod collect;
pub mod discover;

pub(crate) use collect::Collector;
pub(crate) use discover::FoundReferrer;
