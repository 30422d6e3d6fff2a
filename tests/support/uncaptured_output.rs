//! Output past libtest's capture: figures that a long test is run for.

use std::io::Write;

/// Says a line on standard error, past libtest's capture.
pub fn print_uncaptured(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
