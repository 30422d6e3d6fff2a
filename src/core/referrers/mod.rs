//! Referrers: manifests that refer to an image by their `subject` or by cosign's tags, such as signatures and
//! attestations. `discover` finds them in `searched_places`, and `collect` finds those that a push sends along.

pub mod collect;
pub mod discover;
pub(crate) mod outcome;
pub mod searched_places;

pub(crate) use collect::{CollectedReferrer, ReferrerCollector};
pub(crate) use discover::FoundReferrer;
