//! The program as a `docker` in front of docker: by that name it runs `docker manifest`, and becomes the next docker on
//! the PATH for everything else. [`crate::core::shim`] puts it in place.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::cli::args;
use crate::cli::report::{self, Report};
use crate::core::shim;
use crate::env::{Env, lossy_strings};
use crate::io_message::io_message;

/// The name by which the program is the shim.
pub(super) const DOCKER: &str = "docker";

/// The command that the shim runs itself.
pub(super) const MANIFEST: &str = "manifest";

/// A shell's exit codes for a program that cannot be started, and for one that is not found.
const EXIT_NOT_STARTED: u8 = 126;
const EXIT_NOT_FOUND: u8 = 127;

/// Becomes the next docker on the PATH if the program was called `docker` and not for `docker manifest`. Then it
/// returns only what went wrong; otherwise it returns nothing.
pub fn pass_to_docker(argv: &[OsString], env: &Env) -> Option<Report> {
    let (called, words) = argv.split_first()?;
    if super::program_name(&called.to_string_lossy()) != DOCKER || is_docker_manifest(&lossy_strings(words)) {
        return None;
    }
    let called = Path::new(called);
    let failure = match shim::next_docker_or_preceding(&env.search_path(), called) {
        Ok(docker) => {
            let error = exec(&docker, words);
            let exit_code = if error.kind() == io::ErrorKind::NotFound { EXIT_NOT_FOUND } else { EXIT_NOT_STARTED };
            Report { text: format!("docker: cannot run {}: {}", docker.display(), io_message(&error)), exit_code }
        }
        Err(earlier) => {
            let mut text = format!("docker: there is no other docker after {} on the PATH", called.display());
            if let Some(earlier) = earlier {
                text.push_str(&format!("\nhint: {}", report::docker_before_shim_on_path(&earlier)));
            }
            Report { text, exit_code: EXIT_NOT_FOUND }
        }
    };
    Some(failure)
}

/// Whether docker's arguments mean `docker manifest`, its help or its completion.
fn is_docker_manifest(words: &[String]) -> bool {
    // Docker itself reports arguments that it cannot read.
    let after_flags =
        |words: &[String]| args::leading_flags(DOCKER, words).map(|leading| leading.rest).unwrap_or_default();
    let words = after_flags(words);
    match words.split_first() {
        Some((first, _)) if first == MANIFEST => true,
        Some((first, topic)) if first == "help" => after_flags(topic).first().is_some_and(|word| word == MANIFEST),
        Some((first, line)) if first == "__complete" || first == "__completeNoDesc" => {
            let before = line.split_last().map(|(_, before)| before).unwrap_or_default();
            after_flags(before).first().is_some_and(|word| word == MANIFEST)
        }
        _ => false,
    }
}

/// Replaces this process by another program. Returns only why that failed.
#[cfg(unix)]
fn exec(program: &Path, words: &[OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;
    std::process::Command::new(program).args(words).exec()
}

#[cfg(not(unix))]
fn exec(_: &Path, _: &[OsString]) -> io::Error {
    io::ErrorKind::Unsupported.into()
}
