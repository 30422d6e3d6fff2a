//! Files that do not belong in the store are refused: they are not followed, not waited for and not changed. See
//! `store-format.md`, "What does not belong".

mod users;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox, SandboxCommand, tree_without_root_dot_names};
use testkit::skip::skipped_unsupported;

use super::OURS;

/// Far more than any answer here takes, far less than forever.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// A place in the store: its path, what belongs there, and whether commands that only read meet it.
struct StorePlace {
    path: &'static str,
    directory: bool,
    met_by_readers: bool,
}

const fn place(path: &'static str, directory: bool, met_by_readers: bool) -> StorePlace {
    StorePlace { path, directory, met_by_readers }
}

/// `{L}` is the list's directory, `{E}` an entry's file.
const PLACES: [StorePlace; 10] = [
    place("{L}/{E}", false, true),
    place("{L}/zzz", false, true),
    place("{L}", true, true),
    place(".docker-manifest", true, true),
    place(".docker-manifest/lists", true, true),
    place(".docker-manifest/lists/{L}", false, true),
    place(".docker-manifest/locks", true, false),
    place(".docker-manifest/locks/{L}", false, false),
    place(".docker-manifest/staging", true, false),
    place(".docker-manifest/staging/{L}", true, false),
];

/// What may stand there instead, and what the error calls it.
const REPLACEMENTS: [(&str, &str); 7] = [
    ("link", "a symbolic link"),
    ("dangling link", "a symbolic link"),
    ("FIFO", "a FIFO"),
    ("socket", "a socket"),
    ("device", "a device"),
    ("directory", "a directory"),
    ("file", "a file"),
];

/// A draft of two entries, and what can be done to it.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    fn new() -> Self {
        Self::in_sandbox(Sandbox::new())
    }

    fn in_sandbox(sandbox: Sandbox) -> Self {
        let fixture = Self { registry: Registry::start(), sandbox };
        for number in 0..3 {
            let image = Image::docker().platform("linux", "amd64").layer(format!("layer {number}")).build();
            fixture.registry.put_image("app", &number.to_string(), &image);
        }
        let _ = fixture.ours(&["create", "{LIST}", "{HOST}/app:0", "{HOST}/app:1"]).run().success();
        fixture.leave_staging_directory();
        fixture
    }

    /// As a killed holder of the lock leaves it; the next holder clears it.
    fn leave_staging_directory(&self) {
        fs::create_dir_all(self.path(".docker-manifest/staging/{L}")).expect("a staging directory");
    }

    fn ours(&self, args: &[&str]) -> SandboxCommand {
        self.sandbox.command(OURS).args(self.expand_args(args)).time_limit(TIME_LIMIT)
    }

    fn expand_args(&self, args: &[&str]) -> Vec<String> {
        let host = self.registry.host();
        args.iter().map(|word| word.replace("{LIST}", "{HOST}/list:1").replace("{HOST}", &host)).collect()
    }

    fn directory(&self) -> String {
        format!("{}_list-1", self.registry.host().replace(':', "-"))
    }

    fn path(&self, path: &str) -> PathBuf {
        let entry = format!("{}_app-0", self.registry.host().replace(':', "-"));
        self.sandbox.store().join(path.replace("{L}", &self.directory()).replace("{E}", &entry))
    }
}

const READERS: [&[&str]; 2] = [&["inspect", "-v", "{LIST}"], &["push", "{LIST}"]];
const WRITERS: [&[&str]; 3] = [
    &["annotate", "{LIST}", "{HOST}/app:1", "--variant", "v1"],
    &["create", "--amend", "{LIST}", "{HOST}/app:2"],
    &["rm", "{LIST}"],
];

/// Puts a thing at a place; the genuine one, kept aside, is what a link leads to. `None`: it cannot be made here.
fn put(thing: &str, place: &Path, genuine: &Path) -> Option<()> {
    let made_by = |program: &str, args: &[&str]| {
        let created = std::process::Command::new(program).arg(place).args(args).status();
        created.is_ok_and(|status| status.success()).then_some(())
    };
    match thing {
        "link" => symlink(genuine, place).ok(),
        "dangling link" => symlink("/nowhere/at/all", place).ok(),
        "FIFO" => made_by("mkfifo", &[]),
        "socket" => UnixListener::bind(place).map(drop).ok(),
        "device" => made_by("mknod", &["c", "1", "3"]),
        "directory" => fs::create_dir(place).ok(),
        _ => fs::write(place, "{}").ok(),
    }
}

fn remove(place: &Path) {
    let _ = fs::remove_file(place).or_else(|_| fs::remove_dir_all(place));
}

/// It failed at once with the path, what is there, and what to do.
fn check_refused(output: &Output, path: &Path, found: &str) -> Result<(), String> {
    let stderr = output.err();
    let first = output.first_err_line();
    let fits = output.code == 1
        && output.out().is_empty()
        && first.contains(&format!("{} {found}", path.display()))
        && stderr.contains("hint: ")
        && !stderr.contains("panicked");
    if fits { Ok(()) } else { Err(format!("{} {}{stderr}", output.code, output.out())) }
}

#[test]
#[allow(clippy::print_stdout, reason = "the counts are part of the test's output")]
fn foreign_file_types_are_refused_everywhere_in_the_store() {
    let fixture = Fixture::new();
    let kept = tree_without_root_dot_names(&fixture.sandbox.store());
    let (mut tried, mut wrong) = (0, Vec::new());
    for place in &PLACES {
        let path = fixture.path(place.path);
        for (thing, found) in
            REPLACEMENTS.iter().filter(|(thing, _)| *thing != if place.directory { "directory" } else { "file" })
        {
            let aside = fixture.sandbox.path().join("aside");
            fixture.leave_staging_directory();
            if fs::rename(&path, &aside).is_err() {
                // Nothing belongs there: a link leads to an entry like any other.
                fs::copy(fixture.path("{L}/{E}"), &aside).expect("a copy");
            }
            let is_made = put(thing, &path, &aside).is_some();
            if !is_made {
                skipped_unsupported(&format!("a {thing} in the store"), "it cannot be made here");
            }
            let before = fs::symlink_metadata(&path).map(|metadata| metadata.ino()).ok();
            let genuine = if aside.is_file() { fs::read(&aside).ok() } else { None };
            for command in READERS.iter().chain(&WRITERS).filter(|_| is_made) {
                tried += 1;
                let output = fixture.ours(command).run();
                let is_reader = READERS.contains(command);
                let answer = match is_reader && !place.met_by_readers {
                    true if output.code == 0 => Ok(()),
                    true => Err(output.err()),
                    false => check_refused(&output, &path, &format!("is {found}, where")),
                };
                wrong.extend(answer.err().map(|reason| format!("{} as a {thing}, {command:?}: {reason}", place.path)));
                let after = fs::symlink_metadata(&path).map(|metadata| metadata.ino()).ok();
                assert_eq!(after, before, "{} as a {thing}, {command:?}: it was touched", place.path);
            }
            assert_eq!(if aside.is_file() { fs::read(&aside).ok() } else { None }, genuine);
            remove(&path);
            match place.path {
                "{L}/zzz" => remove(&aside),
                _ => fs::rename(&aside, &path).expect("the genuine one comes back"),
            }
            assert_eq!(
                tree_without_root_dot_names(&fixture.sandbox.store()),
                kept,
                "{} as a {thing}: the draft was changed",
                place.path
            );
        }
    }
    println!("{tried} commands met something that does not belong");
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= 250, "{tried}");
    // With all of it gone the draft is as good as it was.
    let _ = fixture.ours(&["annotate", "{LIST}", "{HOST}/app:1", "--variant", "v1"]).run().success();
}

/// The two places that users do put elsewhere.
#[test]
fn the_configuration_directory_and_the_store_may_be_links() {
    let fixture = Fixture::new();
    for place in [fixture.sandbox.store(), fixture.sandbox.docker_config()] {
        let aside = fixture.sandbox.path().join(format!("elsewhere-{}", place.file_name().expect("a name").display()));
        fs::rename(&place, &aside).expect("it moves");
        symlink(&aside, &place).expect("a link");
        for command in [READERS[0], WRITERS[0], WRITERS[1]] {
            let _ = fixture.ours(command).run().success();
        }
        assert!(fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_symlink()));
    }
    let _ = fixture.ours(&["rm", "{LIST}"]).run().success();
    assert!(!fixture.path("{L}").exists());
    // A link to a place that is not there yet is the user's business too, and told as such.
    fs::remove_dir_all(fixture.sandbox.path().join("elsewhere-manifests")).expect("it goes");
    let refused = fixture.ours(&["create", "{LIST}", "{HOST}/app:0"]).run();
    assert_eq!(refused.code, 1);
    assert!(refused.first_err_line().contains(&fixture.sandbox.store().display().to_string()), "{}", refused.err());
}

#[test]
fn oversized_files_are_refused_unread() {
    let fixture = Fixture::new();
    let sparse = |path: &str| {
        let path = fixture.path(path);
        fs::File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        path
    };
    for path in ["{L}/zzz", ".docker-manifest/lists/{L}"] {
        let path = sparse(path);
        for command in READERS.iter().chain(&WRITERS) {
            check_refused(&fixture.ours(command).run(), &path, "is larger than the limit of 67108864 bytes")
                .expect("refused");
        }
        fs::remove_file(path).expect("it goes");
    }
    let _ = fixture.ours(READERS[0]).run().success();
}

#[test]
fn too_many_files_are_refused_without_counting_all() {
    let fixture = Fixture::in_sandbox(Sandbox::in_memory());
    let file = fixture.sandbox.write("empty", "");
    // Links of one file: a filesystem has room for these, but allows only so many of one.
    let mut source = file;
    for number in 0..100_001 {
        let path = fixture.path(&format!("{{L}}/{number:06}"));
        match number % 30_000 {
            0 => fs::write(&path, "").expect("a file"),
            _ => fs::hard_link(&source, &path).expect("a link"),
        }
        if number % 30_000 == 0 {
            source = path;
        }
    }
    for command in READERS.iter().chain(&WRITERS) {
        check_refused(&fixture.ours(command).run(), &fixture.path("{L}"), "has over 100000 files").expect("refused");
    }
}

/// Entries and sidecars that are text of the worst kinds: an error that names the file, or a right answer.
#[test]
fn malformed_files_cause_an_error_or_are_read_correctly() {
    let fixture = Fixture::new();
    let entry = fixture.path("{L}/{E}");
    let original = fs::read_to_string(&entry).expect("an entry");
    let deep = |unit: &str| unit.repeat(1_000_000);
    let with = |from: &str, to: &str| {
        assert!(original.contains(from), "{from}");
        original.replacen(from, to, 1).into_bytes()
    };
    let malformed: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("null", b"null".to_vec()),
        ("zeros", vec![0; 4096]),
        ("no UTF-8", b"{\"Ref\":\"\xff\"}".to_vec()),
        ("deep arrays", deep("[").into_bytes()),
        ("deep objects", deep("{\"a\":").into_bytes()),
        ("a deep descriptor", with("\"Descriptor\":{", &format!("\"Descriptor\":{{\"x\":{}{},", deep("["), deep("]")))),
        ("a huge size", with("\"size\":", "\"size\":9e99,\"s\":")),
        ("a size below zero", with("\"size\":", "\"size\":-1,\"s\":")),
        ("a size of many digits", with("\"size\":", &format!("\"size\":{},\"s\":", "9".repeat(100_000)))),
        ("a null reference", with("\"Ref\":", "\"Ref\":null,\"R\":")),
        ("half a surrogate pair as reference", with("\"Ref\":", "\"Ref\":\"\\ud800\",\"R\":")),
        ("a reference that leads elsewhere", with("\"Ref\":\"", "\"Ref\":\"../../../etc/")),
        ("a source that is none", with("{\"Ref\"", "{\"Source\":\"\\ud800\",\"Ref\"")),
        ("no base64", with("\"Raw\":\"", "\"Raw\":\"\u{2028}")),
    ];
    for (what, bytes) in &malformed {
        fs::write(&entry, bytes).expect("a bad file");
        for command in [READERS[0], WRITERS[0]] {
            check_named(&fixture.ours(command).run(), &entry)
                .unwrap_or_else(|reason| panic!("{what}, {command:?}: {reason}"));
        }
        assert_eq!(fs::read(&entry).expect("it is there"), *bytes, "{what}");
    }
    let fine: [(&str, Vec<u8>); 4] = [
        ("a member twice", with("{\"Ref\"", "{\"Ref\":\"x\",\"Ref\"")),
        ("null members", with("{\"Ref\"", "{\"Digest\":null,\"Source\":null,\"Platform\":null,\"Ref\"")),
        (
            "an unknown deep member",
            with("{\"Ref\"", &format!("{{\"x\":{}{},\"Ref\"", "[".repeat(100), "]".repeat(100))),
        ),
        ("space without end", original.replacen('{', &format!("{{{}", " ".repeat(1_000_000)), 1).into_bytes()),
    ];
    for (what, bytes) in fine {
        fs::write(&entry, bytes).expect("a file");
        let shown = fixture.ours(READERS[0]).run();
        assert_eq!(shown.code, 0, "{what}: {}", shown.err());
    }
}

/// The first line has the path, and a hint follows.
fn check_named(output: &Output, path: &Path) -> Result<(), String> {
    let fits = output.code == 1
        && output.first_err_line().contains(&path.display().to_string())
        && output.err().contains("hint: ")
        && !output.err().contains("panicked");
    if fits { Ok(()) } else { Err(format!("{} {}", output.code, output.err())) }
}

/// The test's own premise: the things are what they are called.
#[test]
fn the_replacements_have_the_kind_of_their_name() {
    let sandbox = Sandbox::new();
    let path = sandbox.path().join("thing");
    put("FIFO", &path, &path).expect("a FIFO");
    assert!(fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.file_type().is_fifo()));
    remove(&path);
    put("socket", &path, &path).expect("a socket");
    assert!(fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.file_type().is_socket()));
}
