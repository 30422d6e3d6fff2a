//! argv, environment and streams in; exit code out.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use docker_manifest::env::{self, Env};
use docker_manifest::output::Streams;

fn main() -> ExitCode {
    let streams = Arc::new(Streams::new(io::stdout(), io::stderr()));
    ExitCode::from(docker_manifest::run(&env::arguments(), Env::from_process(), streams))
}
