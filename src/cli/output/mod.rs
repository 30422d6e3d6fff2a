//! All output: data on stdout, messages on stderr.
//!
//! `streams` writes. `table`, `tree` and `json` format data, `human` formats sizes and ages. `progress` reports copies,
//! and `terminal` knows what a terminal can show.

pub mod github;
pub mod human;
pub mod json;
pub mod markdown;
mod progress;
pub mod result_files;
mod step_progress;
mod streams;
mod style;
mod table;
pub mod terminal;
mod tree;

pub use progress::CopyProgress;
pub use step_progress::{FetchProgress, StepProgress};
pub use streams::Streams;
pub use style::ColorChoice;
pub use table::Table;
pub use tree::Tree;
