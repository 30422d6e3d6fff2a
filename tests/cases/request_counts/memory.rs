//! Memory: the push of a list of a thousand entries takes less than 10 MB beside the program itself.

use std::process::Stdio;

use testkit::loopback::{Fault, Rule};
use testkit::memory::peak_anonymous_kb;

use super::{Fixture, TARGET_REPOSITORY, have_arrived};

/// In kB; some 8,500 are taken.
const PEAK_KB_MAX: u64 = 10 * 1024;

#[test]
fn a_thousand_entries_are_pushed_within_10_mb() {
    let fixture = Fixture::new(1000).with_draft();
    // Held at its last request, the push has done all its work and can be looked at.
    fixture.registry.add_fault(Rule::on("PUT", &format!("{TARGET_REPOSITORY}/manifests/1")), Fault::Hang);
    // Each connection takes some 250 kB, so their number is fixed: this is about the entries.
    let push = fixture.push_command(&["--jobs", "16"]);
    let mut child = push.to_command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    fixture
        .registry
        .wait_until(|requests| have_arrived(requests, &format!("PUT /v2/{TARGET_REPOSITORY}/manifests/1"), 1));
    let found = peak_anonymous_kb(&child);
    fixture.registry.release();
    assert!(child.wait().expect("it ends").success());
    assert_eq!(fixture.take_request_lines().len(), 3 * 1000 + 3);
    assert!(found <= PEAK_KB_MAX, "{found} kB, and {PEAK_KB_MAX} are allowed");
}
