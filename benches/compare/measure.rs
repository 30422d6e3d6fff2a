//! What one process costs: wall time, processor time and peak memory, from the kernel's own account of it.
//!
//! The account (`wait4`) starts a process's peak memory at that of the process that spawned it. So the bench, which is
//! large by the time, does not spawn tools itself: it runs itself again in a small mode that spawns one tool, waits,
//! and tells. That also keeps the bench's own threads out of the wall time.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use testkit::sandbox::Sandbox;
use wait4::Wait4;

/// The argument that makes the bench the small process: `MODE LIMIT-IN-MS PROGRAM ARGUMENTS…`.
pub(crate) const MODE: &str = "--measure-one";

/// What a process, or several one after another, took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// From before it was spawned until it was gone.
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// The most memory that it held at once, in bytes.
    pub(crate) peak: u64,
}

impl Usage {
    /// This, then the other.
    pub(crate) fn then(self, next: Usage) -> Usage {
        Usage { wall: self.wall + next.wall, cpu: self.cpu + next.cpu, peak: self.peak.max(next.peak) }
    }
}

/// Runs one command in a sandbox.
///
/// # Errors
/// The first line of what it said, where it failed; or that it took longer than the limit, and was ended.
pub(crate) fn process(sandbox: &Sandbox, command: &[String], limit: Duration) -> Result<Usage, String> {
    let itself = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = sandbox.command(itself).args([MODE.to_owned(), limit.as_millis().to_string()]).args(command.to_vec());
    let output = run.time_limit(limit + Duration::from_secs(30)).run();
    let stdout = output.out();
    let numbers: Vec<u64> = stdout.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, cpu, peak, code] = numbers[..] else {
        return Err(format!("cannot be measured: {}", output.first_err_line()));
    };
    match code {
        0 => Ok(Usage { wall: Duration::from_micros(wall), cpu: Duration::from_micros(cpu), peak }),
        _ if Duration::from_micros(wall) >= limit => Err(format!("ended after {} s", limit.as_secs())),
        _ => Err(format!("failed: {}", output.first_err_line())),
    }
}

/// The small process: runs the command and prints wall and processor µs, peak bytes and the exit code.
pub(crate) fn child(arguments: &[String]) -> ExitCode {
    let [_, limit, program, words @ ..] = arguments else { return ExitCode::from(125) };
    let Ok(limit) = limit.parse().map(Duration::from_millis) else { return ExitCode::from(125) };
    let mut command = Command::new(program);
    // A group of its own, so that what it spawned ends with it.
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{program}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (done, waiting) = channel::<()>();
    let group = format!("-{}", child.id());
    let watch = std::thread::spawn(move || {
        if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", "--", &group]).status();
        }
    });
    let waited = child.wait4();
    let wall = start.elapsed();
    drop(done);
    let _ = watch.join();
    match waited {
        Ok(used) => {
            let cpu = used.rusage.utime + used.rusage.stime;
            let code = used.status.code().unwrap_or(255);
            println!("{} {} {} {code}", wall.as_micros(), cpu.as_micros(), used.rusage.maxrss);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}
