//! How much memory another process takes, from the kernel's own account of it.

use std::process::Child;

/// The most memory that a running process has held so far, in kB, without the pages of files that are mapped: those are
/// the program itself, which is many times as large in a build for tests, and can be reclaimed by the kernel.
///
/// # Panics
/// When the process has ended, or this is not Linux.
#[must_use]
pub fn peak_anonymous_kb(child: &Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} {status}"));
        line.trim().trim_end_matches(" kB").parse().unwrap_or_else(|_| panic!("{name} {line}"))
    };
    field("VmHWM:").saturating_sub(field("RssFile:"))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    /// The peak of a shell that has held so many bytes of text, and holds them no more.
    fn shell_peak_after(bytes: u64) -> u64 {
        let script = format!("x=$(head -c {bytes} /dev/zero | tr '\\0' x); x=; echo done; read y");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().expect("sh runs");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let found = peak_anonymous_kb(&shell);
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
        found
    }

    #[test]
    fn the_peak_of_a_process_includes_freed_memory() {
        let (small, large) = (shell_peak_after(1), shell_peak_after(32 << 20));
        assert!(small < 8 << 10 && large > small + (30 << 10), "{small} kB, {large} kB");
    }
}
