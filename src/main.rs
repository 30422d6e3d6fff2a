//! argv, environment and streams in; exit code out.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use docker_manifest::env::{self, Env};
use docker_manifest::output::{Streams, terminal};

fn main() -> ExitCode {
    let env = Env::from_process();
    let draws = io::stderr().is_terminal() && terminal::can_draw(&env);
    let streams = Arc::new(Streams::new(io::stdout(), io::stderr()).with_terminal(draws));
    ExitCode::from(docker_manifest::run(&env::arguments(), env, streams))
}
