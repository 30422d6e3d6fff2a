//! Figures that a test is run for: they reach the terminal though libtest keeps what passing tests print to itself.

use std::io::Write;

/// Says a line on standard error, past libtest's capture.
pub fn told(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
