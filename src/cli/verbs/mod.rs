//! The commands, one file each: turn the arguments into a request, make one call of `core`, print.

pub mod add;
pub mod annotate;
pub mod apply;
pub mod copy;
pub mod create;
mod direct_push;
pub mod dry_run;
pub mod exists;
pub mod export;
pub mod ls;
pub mod man;
mod named_images;
pub mod platforms;
pub mod prune;
pub mod publish_and_report;
pub mod push;
pub mod remove;
pub mod rm;
pub mod shared_drafts;
pub mod shim;
pub mod version;
