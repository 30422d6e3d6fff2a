//! The command line: arguments, verbs, reports, output, the plugin protocol.

pub mod args;
mod build_output_files;
pub mod check;
pub mod compat;
pub mod context;
pub mod dispatch;
pub mod docker_interrupt;
pub mod inspect;
pub mod output;
pub mod plugin;
pub mod report;
mod spec_files;
pub mod verbs;
