//! Files of CI are untrusted input: anything but a regular file is refused, and size, number and depth are bounded.

use super::*;

/// The first line on stderr for a path.
fn refusal(fixture: &Fixture, path: &str) -> String {
    let refused = fixture.run_recorded(&["create", "--from", path, "@app:1"]);
    assert_eq!((refused.code, fixture.request_lines()), (1, Vec::new()), "{path}: {}", refused.err());
    refused.err().lines().next().unwrap_or_default().to_owned()
}

#[cfg(unix)]
#[test]
fn links_devices_and_fifos_are_refused_and_nothing_is_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    let fixture = Fixture::new();
    let only = "only files and directories are read";
    let root = fixture.sandbox.path();
    fixture.sandbox.write("digest", fixture.amd64.digest());
    fixture.write_digest_files("d", &[&fixture.amd64]);
    symlink("digest", root.join("link")).expect("a link");
    symlink("d", root.join("directory-link")).expect("a link");
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("a socket");
    for (path, found) in [
        ("link", "a symbolic link"),
        ("directory-link", "a symbolic link"),
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
        ("/dev/null", "a device"),
    ] {
        assert_eq!(refusal(&fixture, path), format!("{path} is {found}: {only}"));
    }
    // The same within a directory, where a link could lead anywhere.
    symlink("/etc/hostname", root.join("d/inside")).expect("a link");
    assert_eq!(refusal(&fixture, "d"), format!("d/inside is a symbolic link: {only}"));
}

#[test]
fn a_directory_has_digests_and_nothing_else() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.sandbox.path().join("empty")).expect("a directory");
    assert_eq!(refusal(&fixture, "empty"), "empty is an empty directory: it should have a file named by a digest");
    fixture.write_digest_files("d", &[&fixture.amd64]);
    std::fs::create_dir(fixture.sandbox.path().join("d/leg")).expect("a directory");
    assert_eq!(refusal(&fixture, "d"), "d/leg is an empty directory: it should have a file named by a digest");
    let stray = "is not an empty file named by a digest, as all files of the directory have to be";
    for (name, content) in [("README", ""), (hex(&fixture.arm64.digest()), "not empty"), (".hidden", "")] {
        let path = fixture.sandbox.write(format!("e/{name}"), content);
        assert_eq!(refusal(&fixture, "e"), format!("e/{name} {stray}"));
        std::fs::remove_file(path).expect("the file");
    }
    fixture.sandbox.write(format!("f/a/b/{}", hex(&fixture.amd64.digest())), "");
    assert_eq!(refusal(&fixture, "f"), format!("f/a/b {stray}"));
}

/// `--from .` in a working directory.
#[test]
fn a_directory_of_other_files_is_one_message() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64]);
    (1..=12).for_each(|number| drop(fixture.sandbox.write(format!("d/file{number:02}"), "x")));
    std::fs::create_dir(fixture.sandbox.path().join("d/out")).expect("a directory");
    let refused = fixture.run_recorded(&["create", "--from=d", "@app:1"]).err();
    let lines = [
        "d is not a directory of digests: 13 of its 14 files are not empty files named by a digest: out (an empty \
         directory), file01, file02, file03, file04, file05, file06, file07 and 5 more",
        "hint: keep the digests in a directory of their own; files with digests in them are named one by one, each \
         with --from",
    ];
    assert_eq!(refused.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn size_number_and_depth_of_build_outputs_are_bounded() {
    let fixture = Fixture::new();
    let path = fixture.sandbox.write("large", fixture.amd64.digest());
    // Sparse: a hole is read as zeros.
    std::fs::File::options().append(true).open(path).expect("the file").set_len((16 << 20) + 1).expect("its length");
    assert_eq!(refusal(&fixture, "large"), "large has more than 16777216 bytes");
    for number in 0..=10_000 {
        fixture.sandbox.write(format!("many/{number:064x}"), "");
    }
    assert_eq!(refusal(&fixture, "many"), "many has more than 10000 files");
    fixture.sandbox.write("deep", "[".repeat(100_000));
    assert!(refusal(&fixture, "deep").starts_with("deep: the file is not JSON: recursion limit exceeded"));
    fixture.sandbox.write("wide", format!("[{}1]", "1,".repeat(600_000)));
    assert_eq!(refusal(&fixture, "wide"), "wide: the file is not JSON: more than 500000 values");
}

/// Nothing that a file says steers a terminal.
#[test]
fn texts_of_build_outputs_are_shown_as_one_sanitized_line() {
    let fixture = Fixture::new();
    fixture.sandbox.write("odd\n\u{1b}[2Jname", "sha256:\u{1b}[31mred\u{202e}");
    let refused = fixture.run_recorded(&["create", "--from=odd\n\u{1b}[2Jname", "@app:1"]).err();
    let first = "odd??[2Jname: line 1 is neither a digest nor a reference with a digest: sha256:?[31mred?";
    assert_eq!(refused.lines().next(), Some(first), "{refused:?}");
}
