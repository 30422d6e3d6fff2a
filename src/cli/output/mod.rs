//! What the program says: data on stdout, talk on stderr.
//!
//! `streams` is the way out. `table`, `tree` and `json` give data its form, `human` the sizes and ages in it;
//! `progress` is the talk while blobs are copied, and `terminal` knows what the other end can show.

pub mod human;
pub mod json;
pub mod listing;
mod progress;
pub mod result_files;
mod steps;
mod streams;
mod table;
pub mod terminal;
mod tree;

pub use progress::{Bar, Progress};
pub use steps::Steps;
pub use streams::Streams;
pub use table::Table;
pub use tree::{Strokes, Tree};
