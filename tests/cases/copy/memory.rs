//! Memory: a blob of a gigabyte passes through a client that stays small.

use std::io::{BufRead, Write};
use std::process::{Child, Command, Stdio};

use docker_manifest::registry::{Blob, Brought};
use testkit::loopback::{Big, Fault, Registry, Rule};

use super::super::client_bench::{Bench, digest, reference};

const SIZE: u64 = 1 << 30;
/// In kB, as /proc has it. Most of what this build takes is its own unoptimised code.
const PEAK_MAX: u64 = 16 * 1024;

/// The client, in a process of its own; run by the test below, which says on stdin what to copy.
#[test]
#[ignore = "the other half of the test below"]
fn child() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("text");
    let words: Vec<&str> = line.split_whitespace().collect();
    let [source, target, blob] = words[..] else { return };
    let (source, target, blob) = (reference(source), reference(target), digest(blob));
    let copied = Bench::new().registry.bring_blob(
        target.repository(),
        &[source.repository()],
        &Blob { digest: &blob, size: None },
        &|_| {},
    );
    assert_eq!(copied, Ok(Brought::Copied(SIZE)));
}

/// The most memory that a process has had so far, in kB.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_gigabyte_is_copied_within_16_mb() {
    let (from, to) = (Registry::start(), Registry::builder().sink_above(0).start());
    let big = Big::new(SIZE, 1);
    from.put_big("source", &big);
    // Held at its last request, the client has done all its work and can be looked at.
    to.fault(Rule::on("PUT", ""), Fault::Hang);
    let mut child = Command::new(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "cases::copy::memory::child", "--ignored"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let words = format!("{}/source {}/target {}\n", from.host(), to.host(), big.digest());
    child.stdin.take().expect("a pipe").write_all(words.as_bytes()).expect("it reads");
    to.wait_until(|requests| requests.iter().any(|request| request.method == "PUT"));
    let found = peak(&child);
    to.release();
    assert!(child.wait().expect("it ends").success());
    assert_eq!(to.blob_size("target", &big.digest()), Some(SIZE));
    assert!(found <= PEAK_MAX, "{found} kB, and {PEAK_MAX} are allowed");
}
