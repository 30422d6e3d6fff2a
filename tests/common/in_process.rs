//! Runs the program in this process, for tests that run it thousands of times.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use docker_manifest::cli::output::Streams;
use docker_manifest::env::Env;
use docker_manifest::net::Clock;
use testkit::sandbox::{Output, Sandbox};

/// Runs it by this name, in this environment; retries wait by this clock. A panic is code 101.
pub(super) fn run(program: &str, args: &[String], env: Env, clock: Arc<dyn Clock>) -> Output {
    let (out, err) = (OutputBuffer::default(), OutputBuffer::default());
    let streams = Arc::new(Streams::new(out.clone(), err.clone()));
    let argv: Vec<String> = [program.to_owned()].into_iter().chain(args.iter().cloned()).collect();
    let run = AssertUnwindSafe(|| docker_manifest::run_with_clock(&argv, env, streams, clock));
    let code = catch_unwind(run).map_or(101, i32::from);
    Output { code, stdout: out.take(), stderr: err.take() }
}

/// The environment of a sandbox: its home and docker's configuration there, no certificates of this machine, and
/// retries as users have them.
pub(super) fn variables(sandbox: &Sandbox) -> [(&'static str, String); 4] {
    let text = |path: PathBuf| path.display().to_string();
    [
        ("HOME", text(sandbox.home())),
        ("DOCKER_CONFIG", text(sandbox.docker_config())),
        // Hides the certificates and cgroups of this machine.
        ("ROOTLESSKIT_STATE_DIR", text(sandbox.home())),
        ("XDG_CONFIG_HOME", text(sandbox.home())),
    ]
}

/// A writer whose content can be read back.
#[derive(Clone, Default)]
struct OutputBuffer(Arc<Mutex<Vec<u8>>>);

impl OutputBuffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for OutputBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
