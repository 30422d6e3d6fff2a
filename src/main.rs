//! Passes argv, the environment and the streams to the library, and its exit code to the system.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use docker_manifest::cli::output::{Streams, terminal};
use docker_manifest::cli::plugin;
use docker_manifest::env::{self, Env};

fn main() -> ExitCode {
    let env = Env::from_process();
    let arguments = env::raw_arguments();
    if let Some(failure) = plugin::run_as_shim::pass_to_docker(&arguments, &env) {
        Streams::new(io::stdout(), io::stderr()).message(failure.text);
        return ExitCode::from(failure.exit_code);
    }
    let [out, err] = [io::stdout().is_terminal(), io::stderr().is_terminal()]
        .map(|is_terminal| is_terminal && terminal::allows_escape_sequences(&env));
    let streams = Streams::new(io::stdout(), io::stderr()).with_stderr_terminal(err).with_color(out, err);
    let streams = Arc::new(streams.with_stdout_width(terminal::stdout_width()));
    ExitCode::from(docker_manifest::run(&env::lossy_strings(&arguments), env, streams))
}
