//! Entries are untrusted input: everyone who may push to the repository can put any manifest under their tags.

use serde_json::{Value, json};
use testkit::image::{Index, OCI_INDEX};

use super::{AMD, ARM, BOTH, Fixture, RecordingClock, image, tag};

/// The entry for linux/arm64 of the list, changed.
fn add_and_change_entry(fixture: &Fixture, change: impl FnOnce(&mut Value)) {
    fixture.add(&[AMD, ARM]);
    let (_, bytes) = fixture.registry.manifest("app", &tag("linux-arm64")).expect("an entry");
    let mut entry: Value = serde_json::from_slice(&bytes).expect("JSON");
    change(&mut entry);
    let bytes = serde_json::to_vec(&entry).expect("JSON");
    fixture.registry.put_manifest("app", &tag("linux-arm64"), OCI_INDEX, &bytes);
}

/// Each of these is treated as if it was not there, with a warning that says why.
#[test]
fn foreign_tags_are_ignored_with_a_warning() {
    let note =
        |name: &'static str, value: &'static str| move |entry: &mut Value| entry["annotations"][name] = json!(value);
    type Change = Box<dyn FnOnce(&mut Value)>;
    let changes: Vec<(Change, &str)> = vec![
        (Box::new(note("org.docker-manifest.draft.list", "2")), "another list, run or platform"),
        (Box::new(note("org.docker-manifest.draft.run", "s")), "another list, run or platform"),
        (Box::new(note("org.docker-manifest.draft.key", "linux/amd64")), "another list, run or platform"),
        (Box::new(note("org.docker-manifest.draft", "9")), "format is"),
        (Box::new(|entry| drop(entry.as_object_mut().expect("an object").remove("annotations"))), "somebody else"),
        (Box::new(|entry| entry["manifests"][0]["platform"]["architecture"] = json!("amd64")), "is for linux/amd64"),
        (Box::new(|entry| entry["manifests"][0]["urls"] = json!(["https://x.example/"])), "urls"),
        (Box::new(|entry| entry["manifests"][0]["mediaType"] = json!(OCI_INDEX)), "no image manifest"),
        (Box::new(|entry| entry["manifests"][0]["annotations"] = json!({"org.docker-manifest.x": "1"})), "reserved"),
        (Box::new(|entry| entry["manifests"] = json!([])), "exactly one image"),
        (Box::new(|entry| entry["subject"] = entry["manifests"][0].clone()), "a subject"),
        (Box::new(|entry| entry["artifactType"] = json!("a/b")), "an artifact type"),
        (Box::new(|entry| entry["padding"] = json!("x".repeat(300_000))), "bytes, and an entry has up to"),
    ];
    for (change, reason) in changes {
        let fixture = Fixture::new();
        add_and_change_entry(&fixture, change);
        let failed = fixture.push(&["--require", BOTH]);
        assert_eq!(failed.code, 3, "{reason}: {}", failed.err());
        let warning = format!("warning: {}:{} is not used: ", fixture.registry.name("app"), tag("linux-arm64"));
        let stderr = failed.err();
        let stderr: Vec<&str> = stderr.lines().filter(|line| line.starts_with(&warning)).collect();
        assert!(stderr.len() == 1 && stderr[0].contains(reason), "{reason}: {stderr:?}");
        assert!(fixture.platforms("1").is_empty());
    }
}

/// A descriptor that calls an index an image: whoever pulls would get what nobody has looked at.
#[test]
fn push_refuses_an_index_as_an_entry_and_moves_no_tag() {
    let fixture = Fixture::new();
    let nested = Index::oci().image(&image("linux/s390x", "")).build();
    let digest = fixture.registry.put_index("app", &nested.digest(), &nested);
    add_and_change_entry(&fixture, |entry| {
        entry["manifests"][0]["digest"] = json!(digest);
        entry["manifests"][0]["size"] = json!(nested.manifest.len());
    });
    let failed = fixture.push(&["--require", BOTH]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("is an index, and an entry says that it is an image"), "{}", failed.err());
    assert!(fixture.platforms("1").is_empty());
}

/// A child that is only in another repository.
#[test]
fn push_reports_children_of_other_repositories_as_missing() {
    let fixture = Fixture::new();
    let foreign = image("linux/arm64", "foreign");
    let digest = fixture.registry.put_image("other", &foreign.digest(), &foreign);
    add_and_change_entry(&fixture, |entry| {
        entry["manifests"][0]["digest"] = json!(digest);
        entry["manifests"][0]["size"] = json!(foreign.manifest.len());
    });
    let failed = fixture
        .run_with_clock(RecordingClock::with(0.5, |_| {}), &["push", "--shared", "--require", BOTH, &fixture.list()]);
    assert_eq!(failed.code, 1, "{}", failed.err());
    assert!(fixture.platforms("1").is_empty());
}

/// Where a stranger may push entries and not the final tag, a file says which entries are meant.
#[test]
fn only_from_refuses_entries_that_are_not_in_the_file() {
    let fixture = Fixture::new();
    let mut lines = String::new();
    for platform in [AMD, ARM] {
        lines += &fixture.run(&["add", "--shared", &fixture.list(), &fixture.put_image(platform)]).success().out();
    }
    let file = fixture.sandbox.write("entries.txt", &lines).display().to_string();
    let _ = fixture.push(&["--require", BOTH, "--only-from", &file]).success();
    let foreign_image = fixture.put_another_image(ARM, "evil");
    let _ = fixture.run(&["add", "--shared", &fixture.list(), &foreign_image]).success();
    let before = fixture.digest("1");
    for flags in [&["--require", BOTH][..], &[]] {
        let failed = fixture.push(&[flags, &["--only-from", &file]].concat());
        assert_eq!(failed.code, 1);
        assert!(failed.err().contains("is not among the entries in"), "{}", failed.err());
        assert_eq!(fixture.digest("1"), before);
    }
    let empty = fixture.sandbox.write("empty.txt", "\n").display().to_string();
    assert_eq!(fixture.push(&["--only-from", &empty]).code, 1);
    let invalid_file = fixture.sandbox.write("wrong.txt", "no digest\n").display().to_string();
    let failed = fixture.push(&["--only-from", &invalid_file]);
    assert!(failed.err().contains("line 1 has no digest"), "{}", failed.err());
}

/// CI passes that file around, too: nothing is waited for, and no link is followed.
#[test]
fn only_from_reads_a_regular_file_alone() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let fixture = Fixture::new();
    let added = fixture.run(&["add", "--shared", &fixture.list(), &fixture.put_image(AMD)]).success().out();
    let file = fixture.sandbox.write("entries.txt", &added);
    let root = fixture.sandbox.path();
    std::os::unix::fs::symlink(&file, root.join("link")).expect("a link");
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
    fixture.sandbox.write("binary", [0xff, 0xfe]);
    let large = std::fs::File::create(root.join("large")).expect("a file");
    large.set_len((4 << 20) + 1).expect("its size");
    let in_root = |name: &str| root.join(name).display().to_string();
    for (path, reason) in [
        (in_root("link"), "is a symbolic link: only a file is read"),
        (in_root("fifo"), "is a FIFO: only a file is read"),
        (in_root("."), "is a directory: only a file is read"),
        ("/dev/zero".to_owned(), "is a device: only a file is read"),
        (in_root("large"), "has more than 4194304 bytes"),
        (in_root("binary"), "it is not UTF-8"),
    ] {
        let failed = fixture.push(&["--require", AMD, "--only-from", &path]);
        assert_eq!((failed.code, failed.out().as_str()), (1, ""), "{path}");
        let first = failed.first_err_line();
        assert!(first.contains(path.trim_end_matches("/.")) && first.ends_with(reason), "{path}: {first}");
    }
    assert!(fixture.platforms("1").is_empty());
    let _ = fixture.push(&["--require", AMD, "--only-from", &in_root("entries.txt")]).success();
}

/// None of our annotations reaches the list, and nobody else can set one.
#[test]
fn published_lists_have_no_annotations_of_entries() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let _ = fixture.push(&["--require", BOTH]).success();
    let (_, list) = fixture.registry.manifest("app", "1").expect("the list");
    assert!(!String::from_utf8_lossy(&list).contains("org.docker-manifest"));
    let note = "org.docker-manifest.draft=1";
    let failed = fixture.run(&["add", "--shared", "--annotation", note, &fixture.list(), &fixture.put_image(AMD)]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("reserved"), "{}", failed.err());
}

/// What a registry says of a run or a key cannot steer a terminal.
#[test]
fn texts_of_foreign_entries_are_sanitized() {
    let fixture = Fixture::new();
    add_and_change_entry(&fixture, |entry| {
        entry["annotations"]["org.docker-manifest.draft.key"] = json!("linux/arm64\u{1b}[31m");
        entry["annotations"]["org.docker-manifest.draft"] = json!("\u{1b}[2J");
    });
    for words in [
        vec!["ls", "--shared", &fixture.registry.name("app")],
        vec!["push", "--shared", "--require", BOTH, &fixture.list()],
    ] {
        let output = fixture.run(&words);
        assert!(!output.out().contains('\u{1b}') && !output.err().contains('\u{1b}'), "{words:?}");
    }
}
