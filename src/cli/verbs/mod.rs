//! The verbs, one a file: check what was asked, make one domain call, print.

pub mod add;
pub mod annotate;
pub mod apply;
pub mod create;
pub mod exists;
pub mod export;
pub mod inspect;
pub mod ls;
pub mod platforms;
pub mod prune;
pub mod push;
pub mod remove;
pub mod rm;
