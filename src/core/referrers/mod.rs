//! Referrers: what signs an image, attests it or belongs to it without being in the index. `discover` finds them in the
//! places of `search`, `collect` chooses those that a push sends along.

pub mod collect;
pub mod discover;
pub(crate) mod outcome;
pub mod search;

pub(crate) use collect::{CollectedReferrer, ReferrerCollector};
pub(crate) use discover::FoundReferrer;
