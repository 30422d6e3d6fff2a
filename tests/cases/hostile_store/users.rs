//! Files and directories of other users in the store of a program that is not root.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use testkit::sandbox::{Output, on_path};
use testkit::skip::skipped_unsupported;

use super::{Fixture, PLACES, READERS, TIME_LIMIT, WRITERS, check_refused};
use crate::cases::OURS;

/// Who runs the program where it must not be root, and somebody else; neither needs a name.
const OWN_USER: u32 = 40_001;
const OTHER_USER: u32 = 40_002;

/// The program as `OWN_USER`, in a home that is `OWN_USER`'s.
struct Users {
    fixture: Fixture,
    program: PathBuf,
}

impl Users {
    /// `None`, said loudly, where the test may not change users.
    fn new() -> Option<Self> {
        let fixture = Fixture::new();
        let root = fixture.sandbox.path().to_owned();
        let program = root.join("docker-manifest");
        // Not by this process: a file that it had open for writing while it forks cannot be run.
        let copied = std::process::Command::new("cp").arg(OURS).arg(&program).status();
        assert!(copied.is_ok_and(|status| status.success()));
        if !on_path("setpriv") || change_owner_recursively(&root, OWN_USER).is_err() {
            skipped_unsupported("another user's files in the store", "only root, with setpriv, can make them");
            return None;
        }
        Some(Self { fixture, program })
    }

    fn run(&self, args: &[&str]) -> Output {
        let become_us = [format!("--reuid={OWN_USER}"), format!("--regid={OWN_USER}"), "--clear-groups".to_owned()];
        let run = self.fixture.sandbox.command("setpriv").args(become_us).arg(&self.program);
        run.args(self.fixture.expand_args(args)).time_limit(TIME_LIMIT).run()
    }
}

/// Gives all that is below to a user.
fn change_owner_recursively(path: &Path, user: u32) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(user), Some(user))?;
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    fs::read_dir(path)?.try_for_each(|entry| change_owner_recursively(&entry?.path(), user))
}

#[test]
fn another_users_files_are_refused_and_roots_are_not() {
    let Some(users) = Users::new() else { return };
    let fixture = &users.fixture;
    let _ = users.run(READERS[0]).success();
    let mut tried = 0;
    for place in &PLACES {
        let path = fixture.path(place.path);
        if place.path == "{L}/zzz" {
            continue;
        }
        for (owner, is_foreign) in [(OTHER_USER, true), (0, false)] {
            fixture.leave_staging_directory();
            change_owner_recursively(&fixture.path(".docker-manifest/staging"), OWN_USER).expect("root may give away");
            chown(&path, Some(owner), None).expect("root may give away");
            for command in READERS {
                tried += 1;
                let output = users.run(command);
                match is_foreign && place.met_by_readers {
                    true => check_refused(&output, &path, "belongs to another user").expect(place.path),
                    false => assert_eq!(output.code, 0, "{}: {}", place.path, output.err()),
                }
            }
            for command in WRITERS.iter().filter(|_| is_foreign) {
                tried += 1;
                check_refused(&users.run(command), &path, "belongs to another user").expect(place.path);
            }
            if is_foreign {
                // Root can read what anybody wrote.
                let _ = fixture.ours(READERS[0]).run().success();
            }
            // A push writes down what the tag has now, and so clears what a killed process left.
            if path.exists() || !place.path.starts_with(".docker-manifest/staging/") {
                chown(&path, Some(OWN_USER), None).expect("root may give back");
            }
        }
    }
    println!("{tried} commands met what belongs to others");
    for command in [WRITERS[0], WRITERS[1], WRITERS[2]] {
        let _ = users.run(command).success();
    }
}

/// `sudo docker manifest annotate` leaves a root's file in a user's directory: it is an entry like any other, also to
/// change.
#[test]
fn an_entry_that_sudo_docker_wrote_can_be_changed_by_its_user() {
    let Some(users) = Users::new() else { return };
    chown(users.fixture.path("{L}/{E}"), Some(0), Some(0)).expect("root may take");
    let _ = users.run(&["annotate", "{LIST}", "{HOST}/app:0", "--variant", "v1"]).success();
    assert_eq!(fs::metadata(users.fixture.path("{L}/{E}")).expect("it is there").uid(), OWN_USER);
}
