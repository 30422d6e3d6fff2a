//! Locks of drafts that another process holds (here the test): which commands wait for them, and for how long.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use testkit::image::Image;
use testkit::sandbox::on_path;
use testkit::skip::skipped;

use super::OURS;
use super::fixture::Fixture;

impl Fixture {
    /// With an image, and drafts of it under these tags.
    fn with_drafts(tags: &[&str]) -> Fixture {
        let fixture = Fixture::new();
        fixture.registry.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
        for tag in tags {
            let _ = fixture.run(&["create", &format!("@app:{tag}"), "@app:amd64"]).success();
        }
        fixture
    }

    fn has_draft_of(&self, tag: &str) -> bool {
        self.has_draft(&format!("@app:{tag}"))
    }

    /// The file of a draft's lock.
    fn lock_file(&self, tag: &str) -> File {
        let directory = self.draft_directory(&format!("app:{tag}"));
        let path = self.sandbox.store().join(".docker-manifest/locks").join(directory.file_name().expect("a name"));
        OpenOptions::new().read(true).write(true).open(path).expect("the lock of a draft")
    }

    /// Holds the lock, with this process's number in it, until the file is dropped.
    fn held_lock(&self, tag: &str) -> File {
        let mut file = self.lock_file(tag);
        fs2::FileExt::try_lock_exclusive(&file).expect("a lock that nobody holds");
        write!(file, "{}", std::process::id()).expect("a lock file that can be written");
        file
    }
}

#[test]
fn the_lock_file_is_private_to_the_user() {
    let fixture = Fixture::with_drafts(&["1"]);
    let mode = fixture.lock_file("1").metadata().expect("the file is open").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn prune_skips_and_reports_locked_drafts() {
    let fixture = Fixture::with_drafts(&["1", "2"]);
    let held = fixture.held_lock("1");
    let pruned = fixture.command(&["prune", "--older-than", "0s"]).run().success();
    let process = std::process::id();
    let expected = format!(
        "skipping {}: another docker-manifest in process {process} is using it\n",
        fixture.registry.name("app:1")
    );
    assert_eq!(pruned.err(), expected);
    assert!(pruned.out().contains(&format!("Removed {}", fixture.registry.name("app:2"))), "{}", pruned.out());
    assert_eq!((fixture.has_draft_of("1"), fixture.has_draft_of("2")), (true, false));
    drop(held);
    let _ = fixture.command(&["prune", "--older-than", "0s"]).run().success();
    assert!(!fixture.has_draft_of("1"));
}

#[test]
fn apply_waits_for_a_locked_draft_until_the_timeout() {
    let fixture = Fixture::with_drafts(&["1"]);
    let spec = fixture.registry.expand_names(&["@app:1", "@app:amd64"]);
    let spec = format!("image: {}\nmanifests: [{{image: {}}}]\n", spec[0], spec[1]);
    let _held = fixture.held_lock("1");
    let failed = fixture.command(&["apply", "--draft", "--timeout", "1s", "-f", "-"]).stdin(spec).run();
    let expected = format!("another docker-manifest (process {}) is still busy with", std::process::id());
    assert!(failed.code == 1 && failed.err().contains(&expected), "{}", failed.err());
    // The list itself is published.
    assert!(fixture.registry.tags("app").contains(&"1".to_owned()));
}

#[test]
fn apply_replaces_a_draft_that_cannot_be_read() {
    let fixture = Fixture::with_drafts(&["1"]);
    let name = format!("{}_app-1", fixture.registry.host().replace(':', "-"));
    let directory = fixture.sandbox.store().join(name);
    let entry = std::fs::read_dir(&directory).expect("the draft").next().expect("an entry").expect("an entry").path();
    std::fs::write(&entry, "{").expect("a damaged entry");
    assert_eq!(fixture.command(&["inspect", "--local", "@app:1"]).run().code, 1);
    let spec = fixture.registry.expand_names(&["@app:1", "@app:amd64"]);
    let spec = format!("image: {}\nmanifests: [{{image: {}}}]\n", spec[0], spec[1]);
    let applied = fixture.command(&["apply", "--draft", "-f", "-"]).stdin(spec).run().success();
    let expected = format!("the draft {} is replaced", fixture.registry.name("app:1"));
    assert!(applied.err().lines().any(|line| line == expected), "{}", applied.err());
    let _ = fixture.command(&["inspect", "--local", "@app:1"]).run().success();
}

/// A disk can take a hundredth of a second for each sync, so what a removal costs is their number.
#[test]
fn a_removal_syncs_once_for_each_draft() {
    const DRAFTS: usize = 40;
    if !on_path("strace") {
        return skipped("the number of syncs of a removal", "strace is not on the PATH");
    }
    let tags: Vec<String> = (0..DRAFTS).map(|number| number.to_string()).collect();
    let fixture = Fixture::with_drafts(&tags.iter().map(String::as_str).collect::<Vec<_>>());
    let log = fixture.sandbox.path().join("syncs.log");
    let names: Vec<String> = tags.iter().map(|tag| format!("@app:{tag}")).collect();
    let words: Vec<&str> = ["rm"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let traced = fixture.sandbox.command("strace").args(["-f", "-qq", "-e", "trace=fsync,fdatasync,sync,syncfs"]);
    let traced = traced.arg("-o").arg(&log).arg(OURS).args(fixture.registry.expand_names(&words));
    assert_eq!(traced.run().code, 0);
    assert!(tags.iter().all(|tag| !fixture.has_draft_of(tag)));
    let seen = std::fs::read_to_string(&log).expect("what strace saw");
    let syncs = seen.lines().filter(|line| line.contains("sync(")).count();
    assert!((DRAFTS..DRAFTS + 4).contains(&syncs), "{syncs} syncs for {DRAFTS} drafts");
}
