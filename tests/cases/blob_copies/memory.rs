//! Memory: a copy of a blob of a gigabyte takes no more memory than one of a small blob.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};

use docker_manifest::content::registry::{Blob, BlobCopy};
use testkit::loopback::{Fault, GeneratedBlob, Registry, Rule};
use testkit::memory::peak_anonymous_kb;

use super::super::client_fixture::{Fixture, parse_digest, reference};

/// Sent in the same way as the large one, and the least that is: smaller ones go out whole with the last request.
const SMALL: u64 = 16 << 20;
const LARGE: u64 = 1 << 30;
/// What the two may differ by, in kB: what the kernel rounds, and where buffers happen to lie.
const SLACK_KB: u64 = 512;
/// What either may take, in kB.
const PEAK_KB_MAX: u64 = 4 * 1024;

/// The client, in a process of its own; run by the test below, which says on stdin what to copy.
#[test]
#[ignore = "the other half of the test below"]
fn child() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("text");
    let words: Vec<&str> = line.split_whitespace().collect();
    let [source, target, blob, size] = words[..] else { return };
    let (source, target, blob) = (reference(source), reference(target), parse_digest(blob));
    let copied = Fixture::new().client.copy_blob(
        target.repository(),
        &[source.repository()],
        &Blob { digest: &blob, size: None },
        &|_| {},
    );
    assert_eq!(copied, Ok(BlobCopy::Copied(size.parse().expect("a number"))));
}

/// The most memory that a process holds that copies a blob of this size, in kB.
fn peak_of_copy(size: u64) -> u64 {
    let (from, to) = (Registry::start(), Registry::builder().discard_above(0).start());
    let blob = GeneratedBlob::new(size, 1);
    from.put_generated_blob("source", &blob);
    // Held at its last request, the client has done all its work and can be looked at.
    to.add_fault(Rule::on("PUT", ""), Fault::Hang);
    let mut child = Command::new(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "cases::blob_copies::memory::child", "--ignored"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let words = format!("{}/source {}/target {} {size}\n", from.host(), to.host(), blob.digest());
    child.stdin.take().expect("a pipe").write_all(words.as_bytes()).expect("it reads");
    to.wait_until(|requests| requests.iter().any(|request| request.method == "PUT"));
    let found = peak_anonymous_kb(&child);
    to.release();
    assert!(child.wait().expect("it ends").success());
    assert_eq!(to.blob_size("target", &blob.digest()), Some(size));
    found
}

#[test]
fn a_gigabyte_takes_no_more_memory_than_a_small_blob() {
    let (small, large) = (peak_of_copy(SMALL), peak_of_copy(LARGE));
    assert!(
        large <= small + SLACK_KB && small <= PEAK_KB_MAX,
        "{large} kB for {LARGE} bytes, and {small} kB for {SMALL}"
    );
}
