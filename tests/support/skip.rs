//! Reports of checks that were left out: they must not look like checks that passed.

use std::io::Write;

/// Says on standard error (past libtest's capture) that something was not checked, and adds the line to the file
/// that `DOCKER_MANIFEST_SKIPS` names, which `.ci/run` reads.
pub fn skipped(check: &str, reason: &str) {
    print_skip(&format!("SKIPPED: {check}: {reason}\n"));
}

/// Says the same of a check that no package makes possible: it needs root, a mount, a file system or another version of
/// a tool. `.ci/run` lists these and does not fail.
pub fn skipped_unsupported(check: &str, reason: &str) {
    print_skip(&format!("NOT POSSIBLE HERE: {check}: {reason}\n"));
}

fn print_skip(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(file) = skips_file() {
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
        let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

#[allow(clippy::disallowed_methods, reason = "test support has no Env; this is its one variable")]
fn skips_file() -> Option<std::ffi::OsString> {
    std::env::var_os("DOCKER_MANIFEST_SKIPS").filter(|name| !name.is_empty())
}
