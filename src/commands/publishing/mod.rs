//! Sending a list: what there is to do, doing it, and telling of it.

pub(super) mod changes;
pub(super) mod dry_run;
pub(super) mod plan;
pub(super) mod publish;
pub(super) mod result_files;
pub(super) mod served;
pub(super) mod summary;
pub(super) mod tags;
