//! argv, environment and streams in; exit code out.
fn main() {}
