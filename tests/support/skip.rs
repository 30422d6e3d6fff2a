//! Saying loudly that a test could not run here, so that nobody takes its silence for success.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Prints `SKIPPED: WHAT` on stderr and appends the line to the file named by `DOCKER_MANIFEST_SKIPS`, where
/// that is set: `.ci/run` reads it, since a test runner shows no output of tests that pass.
#[allow(clippy::disallowed_methods)] // The tests' own switch, not the program's surroundings.
pub fn skip(what: &str) {
    let line = format!("SKIPPED: {what}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("DOCKER_MANIFEST_SKIPS").filter(|path| !path.is_empty()) {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
