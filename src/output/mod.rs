//! What the program says: data on stdout, talk on stderr.

mod streams;

pub use streams::Streams;
