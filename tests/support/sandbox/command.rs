//! A command in a sandbox, and its output.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a client may run before it is killed and the test fails.
pub const HANG_TIMEOUT: Duration = Duration::from_secs(60);

/// A command being put together.
#[derive(Debug, Clone)]
pub struct SandboxCommand {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    dir: PathBuf,
    stdin: Vec<u8>,
    time_limit: Duration,
}

impl SandboxCommand {
    /// The program without arguments, in this environment and this directory, given nothing to read.
    pub(super) fn new(program: OsString, env: BTreeMap<OsString, OsString>, dir: PathBuf) -> Self {
        Self { program, args: Vec::new(), env, dir, stdin: Vec::new(), time_limit: HANG_TIMEOUT }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for this run only.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// What the program reads on its standard input; nothing unless set.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Another working directory than the sandbox's root.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Another limit than [`HANG_TIMEOUT`].
    #[must_use]
    pub fn time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// The command itself with its cleared environment, for tests that must hold the child themselves.
    #[must_use]
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(&self.env).current_dir(&self.dir);
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When the program cannot be started, or when it has not ended within the guard: it is killed first.
    #[must_use]
    pub fn run(&self) -> Output {
        let mut command = self.to_command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {:?}: {error}", self.program));
        let mut stdin = child.stdin.take().expect("piped");
        let input = self.stdin.clone();
        // A program may end without reading its input, so a broken pipe is no failure.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = collect(child.stdout.take().expect("piped"));
        let stderr = collect(child.stderr.take().expect("piped"));
        let deadline = Instant::now() + self.time_limit;
        let stdout = self.receive(&mut child, &stdout, deadline);
        let stderr = self.receive(&mut child, &stderr, deadline);
        // Its streams are closed, so it is ending: this waits for moments.
        let status = loop {
            match child.try_wait().expect("the child can be waited for") {
                Some(status) => break status,
                None if Instant::now() > deadline => self.kill_hung(&mut child),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let output = Output { code, stdout, stderr };
        // The system's own numbers help nobody. Docker's client never prints them, and neither do we.
        assert!(!output.err().contains("(os error "), "{:?} {:?}: {}", self.program, self.args, output.err());
        output
    }

    fn receive(&self, child: &mut Child, stream: &Receiver<Vec<u8>>, deadline: Instant) -> Vec<u8> {
        match stream.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => bytes,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.kill_hung(child),
        }
    }

    fn kill_hung(&self, child: &mut Child) -> ! {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{:?} {:?} did not end within {:?}; it was killed", self.program, self.args, self.time_limit)
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// How a program ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; 128 + the signal where a signal ended it.
    pub code: i32,
    /// Standard output, exact.
    pub stdout: Vec<u8>,
    /// Standard error, exact.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The first line of standard error without its end, empty when there is none.
    #[must_use]
    pub fn first_err_line(&self) -> String {
        self.err().lines().next().unwrap_or_default().to_owned()
    }

    /// Itself, when it ended well.
    ///
    /// # Panics
    /// When the exit code is not 0, showing what was said.
    #[must_use]
    pub fn success(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out(), self.err());
        self
    }
}
