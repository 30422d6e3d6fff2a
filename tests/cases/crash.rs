//! A kill before any system call of a write, and a failure of any one of them, leave a store that both tools read.
//! See `store-format.md`, "Writes" and "What a crash leaves".
//!
//! strace makes it so: a first run under it tells which calls touch the store, and then every one of these is, in a run
//! of its own, the one that the process does not survive, or the one that fails.

mod disk;
mod driver;
mod ground;
mod power_loss;

use testkit::sandbox::{Sandbox, on_path};
use testkit::skip::skipped;

use ground::{Case, FORGET, Ground, calls};

/// Why strace cannot be used here, if it cannot.
fn no_strace() -> Option<String> {
    if !on_path("strace") {
        return Some("strace is not on the PATH (apt-get install strace)".to_owned());
    }
    let tried =
        Sandbox::new().command("strace").args(["-qq", "-o", "/dev/null", "-einject=fsync:error=EIO", "true"]).run();
    (tried.code != 0).then(|| format!("strace may not trace: {}", tried.first_err_line()))
}

#[allow(clippy::print_stdout, reason = "the counts are part of the test's output")]
fn check(case: &'static Case) {
    let what = format!("a crash at every step of {}", case.name);
    if let Some(why) = no_strace() {
        return skipped(&what, &why);
    }
    if !on_path("docker") {
        skipped(&format!("{what}, read by docker"), "docker is not on the PATH");
    }
    let ground = Ground::new(case);
    let sandbox = ground.prepared();
    let before = ground.state(&sandbox);
    let (output, log) = ground.traced(&sandbox, &[]);
    assert_eq!(output.code, 0, "{}", output.err());
    let after = ground.state(&sandbox);
    assert_ne!(before, after);
    let calls = calls(&log, &sandbox.store());
    let (mut kills, mut errors, mut wrong) = (0, 0, Vec::new());
    for call in &calls {
        let mut note = |how: &str, result: Result<(), String>| {
            wrong.extend(result.err().map(|why| format!("{how} at {}\n  {why}", call.line)));
        };
        if call.changes() {
            kills += 1;
            note("killed", ground.kill(call, &before, &after));
        }
        for error in call.errors() {
            errors += 1;
            note(error, ground.fail(call, error, &before, &after));
        }
        if call.name == "write" {
            errors += 1;
            note("ENOSPC from here on", ground.fail(call, "ENOSPC+", &before, &after));
        }
    }
    println!("{}: {} calls on the store, {kills} kills and {errors} errors tried", case.name, calls.len());
    assert!(wrong.is_empty(), "{} of {} went wrong:\n{}", wrong.len(), kills + errors, wrong.join("\n"));
    assert!(kills >= 10, "so few calls that write can hardly be all: {calls:?}");
}

#[test]
fn a_new_list_is_there_as_a_whole_or_not_at_all() {
    check(&Case { name: "create", before: &[], command: "create {L} 0 1 2", by_entry: false });
}

#[test]
fn amending_leaves_every_entry_old_or_new() {
    check(&Case {
        name: "create --amend",
        before: &["create {L} 0 1 2"],
        command: "create --amend {L} 0 3 4",
        by_entry: true,
    });
}

#[test]
fn the_first_change_of_a_draft_that_docker_made_leaves_every_entry_old_or_new() {
    check(&Case {
        name: "create --amend of docker's draft",
        before: &["create {L} 0 1 2", FORGET],
        command: "create --amend {L} 3 4",
        by_entry: true,
    });
}

#[test]
fn annotating_leaves_the_entry_old_or_new() {
    check(&Case {
        name: "annotate",
        before: &["create {L} 0 1 2"],
        command: "annotate {L} 1 --variant v8",
        by_entry: false,
    });
}

#[test]
fn removing_takes_a_list_away_as_a_whole() {
    check(&Case { name: "rm", before: &["create {L} 0 1 2"], command: "rm {L}", by_entry: false });
}

#[test]
fn purging_takes_a_list_away_as_a_whole() {
    check(&Case { name: "push --purge", before: &["create {L} 0 1 2"], command: "push --purge {L}", by_entry: false });
}

#[test]
fn annotating_the_list_itself_is_there_as_a_whole_or_not_at_all() {
    check(&ANNOTATE_THE_LIST);
}

#[test]
fn taking_the_lists_annotations_away_is_there_as_a_whole_or_not_at_all() {
    check(&Case {
        name: "format 2 to 1",
        before: &["@plain", "@annotate-the-list"],
        command: "@annotate-nothing",
        by_entry: false,
    });
}

#[test]
fn a_new_draft_that_docker_has_no_place_for_is_there_as_a_whole_or_not_at_all() {
    check(&Case { name: "a new draft of format 2", before: &[], command: "@beyond-and-annotated", by_entry: false });
}

#[test]
fn replacing_a_whole_draft_by_one_of_format_2_leaves_every_entry_old_or_new() {
    check(&REPLACE);
}

#[test]
fn replacing_a_whole_draft_of_format_2_leaves_every_entry_old_or_new() {
    check(&REPLACE_BACK);
}

#[test]
fn removing_what_nobody_named_takes_it_away_as_a_whole() {
    check(&Case { name: "rm --all", before: &["@beyond-and-annotated"], command: "@remove", by_entry: false });
}

const ANNOTATE_THE_LIST: Case =
    Case { name: "annotate of the list", before: &["@plain"], command: "@annotate-the-list", by_entry: false };

/// Every way that a file can go: one that goes, one that is replaced, one that comes, and the side file.
const REPLACE: Case = Case {
    name: "a replacement, format 1 to 2",
    before: &["@plain"],
    command: "@beyond-and-annotated",
    by_entry: true,
};

const REPLACE_BACK: Case = Case {
    name: "a replacement, format 2 to 1",
    before: &["@beyond-and-annotated"],
    command: "@plain",
    by_entry: true,
};
