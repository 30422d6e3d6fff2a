//! Memory: a list of a thousand entries is pushed within 10 MB beside the program itself.

use std::process::{Child, Stdio};

use testkit::loopback::{Fault, Rule};

use super::{TARGET, World, arrived};

/// In kB, as /proc has it.
const PEAK_MAX: u64 = 10 * 1024;

/// The most memory that a process has had so far, in kB, without what is mapped of its own unoptimised code.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the process runs");
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    field("VmHWM:") - field("RssFile:")
}

#[test]
fn a_thousand_entries_are_pushed_within_10_mb() {
    let world = World::new(1000).created();
    // Held at its last request, the push has done all its work and can be looked at.
    world.registry.fault(Rule::on("PUT", &format!("{TARGET}/manifests/1")), Fault::Hang);
    let mut child = world.push_command(&[]).to_command().stdout(Stdio::null()).spawn().expect("it starts");
    world.registry.wait_until(|requests| arrived(requests, &format!("PUT /v2/{TARGET}/manifests/1"), 1));
    let found = peak(&child);
    world.registry.release();
    assert!(child.wait().expect("it ends").success());
    assert_eq!(world.take_lines().len(), 3 * 1000 + 3);
    assert!(found <= PEAK_MAX, "{found} kB, and {PEAK_MAX} are allowed");
}
