//! Publishes lists: the plan, the state of the target, execution, and the outcome.

pub mod blob_collector;
pub mod dry_run;
pub mod execute;
pub mod index_diff;
pub mod options;
pub mod outcome;
pub mod per_repository;
pub mod plan;
pub(crate) mod read_back;
pub mod read_lag;
pub mod referrers_tag;
pub mod remote_state;
pub mod reporter;
pub mod shared_draft;
mod tag_precondition;
pub mod tags;
pub(crate) mod to_layout;
pub mod to_registries;
pub mod verify;
