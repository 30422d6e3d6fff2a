//! After a kill before any system call of a write, and after a failure of any of them, both tools can read the store.
//! See `store-format.md`, "Writes" and "What a crash leaves".
//!
//! A first run under strace lists the calls on the store. Then each of these calls kills the process in one run, and
//! fails in others. All commands that change the store are covered, in every way in which they can change it.

mod disk;
mod fixture;
mod power_loss;

use testkit::sandbox::{Sandbox, on_path};
use testkit::skip::skipped;
use testkit::uncaptured_output::print_uncaptured;

use crate::is_exhaustive;
use fixture::{Call, Case, Fixture, InjectedError, REMOVE_SIDECAR_DIR, calls, store_paths};

/// Why strace cannot be used, if it cannot.
fn no_strace() -> Option<String> {
    if !on_path("strace") {
        return Some("strace is not on the PATH (apt-get install strace)".to_owned());
    }
    let tried =
        Sandbox::new().command("strace").args(["-qq", "-o", "/dev/null", "-einject=fsync:error=EIO", "true"]).run();
    (tried.code != 0).then(|| format!("strace may not trace: {}", tried.first_err_line()))
}

/// Whether a kill at the call belongs to the sample: every second call that changes something, another half for each
/// second case. `make faults` tries all of them.
fn is_sampled_kill(case: &Case, number: usize) -> bool {
    is_exhaustive() || (number + case.name.len()).is_multiple_of(2)
}

/// The errors to try at a call. `make faults` tries all of them. A sample is one error at every second call that
/// changes something and at each fifth of the others, another one at each.
fn sampled_errors(call: &Call, errors: Vec<&'static str>) -> Vec<&'static str> {
    if is_exhaustive() {
        return errors;
    }
    let every = if call.changes() { 2 } else { 5 };
    let is_chosen = call.index.is_multiple_of(every);
    errors.iter().copied().skip(call.index / every % errors.len()).take(usize::from(is_chosen)).collect()
}

fn check(case: &'static Case) {
    let check_name = format!("a crash at every step of {}", case.name);
    if let Some(reason) = no_strace() {
        return skipped(&check_name, &reason);
    }
    if !on_path("docker") {
        skipped(&format!("{check_name}, read by docker"), "docker is not on the PATH");
    }
    let fixture = Fixture::new(case);
    let sandbox = fixture.prepare_home();
    let before = fixture.state(&sandbox);
    let (output, log) = fixture.run_traced(&sandbox, &[]);
    assert_eq!(output.code, 0, "{}", output.err());
    let after = fixture.state(&sandbox);
    assert_ne!(before, after);
    let calls = calls(&log, &sandbox.store());
    let store_paths = store_paths(&calls, &sandbox.docker_config());
    let (mut changes, mut kills, mut errors, mut left_out, mut wrong) = (0, 0, 0, 0, Vec::new());
    for call in &calls {
        let mut note = |how: &str, result: Result<(), String>| {
            wrong.extend(result.err().map(|reason| format!("{how} at {}\n  {reason}", call.line)));
        };
        if call.changes() {
            changes += 1;
            if is_sampled_kill(case, changes) {
                kills += 1;
                note("killed", fixture.check_kill((call, &store_paths), &before, &after));
            } else {
                left_out += 1;
            }
        }
        let possible = call.errors();
        left_out += possible.len();
        for error in sampled_errors(call, possible) {
            (errors, left_out) = (errors + 1, left_out - 1);
            let injected = InjectedError::Once(error);
            note(error, fixture.check_failure((call, &store_paths), injected, &before, &after));
        }
        if call.name == "write" {
            errors += 1;
            let injected = InjectedError::FromHereOn("ENOSPC");
            note("ENOSPC from here on", fixture.check_failure((call, &store_paths), injected, &before, &after));
        }
    }
    let number = calls.len();
    let sample = if left_out > 0 { format!("; make faults tries {left_out} more") } else { String::new() };
    print_uncaptured(&format!(
        "crashes of {}: {number} calls on the store, {kills} kills and {errors} errors tried{sample}",
        case.name
    ));
    assert!(wrong.is_empty(), "{} of {} went wrong:\n{}", wrong.len(), kills + errors, wrong.join("\n"));
    assert!(changes >= 10, "so few calls that write can hardly be all: {calls:?}");
}

#[test]
fn a_new_draft_is_complete_or_absent_after_a_crash() {
    check(&Case { name: "create", before: &[], command: "create {L} 0 1 2", by_entry: false });
}

#[test]
fn a_new_draft_beyond_dockers_format_is_complete_or_absent_after_a_crash() {
    check(&Case { name: "create of an index", before: &[], command: "create {L} {X} 3", by_entry: false });
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
        before: &["create {L} 0 1 2", REMOVE_SIDECAR_DIR],
        command: "create --amend {L} 3 4",
        by_entry: true,
    });
}

#[test]
fn replacing_a_whole_draft_by_one_of_format_2_leaves_every_entry_old_or_new() {
    check(&REPLACE_FORMAT_1_BY_2);
}

#[test]
fn replacing_a_whole_draft_of_format_2_leaves_every_entry_old_or_new() {
    check(&REPLACE_FORMAT_2_BY_1);
}

#[test]
fn adding_leaves_every_entry_old_or_new() {
    check(&ADD);
}

#[test]
fn removing_images_leaves_every_entry_old_or_new() {
    check(&REMOVE);
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
fn annotating_beyond_dockers_format_leaves_the_entry_old_or_new() {
    check(&Case {
        name: "annotate, format 1 to 2",
        before: &["create {L} 0 1 2"],
        command: "annotate {L} 1 --features sse4",
        by_entry: true,
    });
}

#[test]
fn annotating_the_list_itself_leaves_every_entry_old_or_new() {
    check(&ANNOTATE_THE_LIST);
}

#[test]
fn removing_the_lists_annotations_leaves_every_entry_old_or_new() {
    check(&Case {
        name: "annotate, format 2 to 1",
        before: &["create {L} 0 1 2", "annotate {L} --annotation k=v --artifact-type a/b"],
        command: "annotate {L} --unset-annotation k --artifact-type=",
        by_entry: true,
    });
}

#[test]
fn removing_a_draft_removes_it_completely() {
    check(&Case { name: "rm", before: &["create {L} 0 1 2"], command: "rm {L}", by_entry: false });
}

#[test]
fn rm_all_removes_a_draft_completely() {
    check(&Case { name: "rm --all", before: &["create {L} {X} 3"], command: "rm --all", by_entry: false });
}

#[test]
fn pruning_removes_a_draft_completely() {
    check(&Case { name: "prune", before: &["create {L} 0 1 2"], command: "prune --older-than 0s", by_entry: false });
}

#[test]
fn purging_removes_a_draft_completely() {
    check(&Case { name: "push --purge", before: &["create {L} 0 1 2"], command: "push --purge {L}", by_entry: false });
}

#[test]
fn apply_draft_leaves_a_new_draft_complete_or_absent() {
    check(&Case { name: "apply --draft", before: &[], command: "apply --draft -f {S}", by_entry: false });
}

#[test]
fn apply_draft_leaves_every_entry_of_a_replaced_draft_old_or_new() {
    check(&APPLY);
}

/// Reverting a change must need no room: each step after the last staged file fails, on a disk that is full from then
/// on.
#[test]
fn a_full_disk_leaves_the_draft_unchanged() {
    if let Some(reason) = no_strace() {
        return skipped("failures half-way on a full disk", &reason);
    }
    for case in [&REPLACE_FORMAT_1_BY_2, &REPLACE_FORMAT_2_BY_1, &ADD, &REMOVE, &ANNOTATE_THE_LIST] {
        let fixture = Fixture::new(case);
        let sandbox = fixture.prepare_home();
        let before = fixture.state(&sandbox);
        let (output, log) = fixture.run_traced(&sandbox, &[]);
        assert_eq!(output.code, 0, "{}", output.err());
        let (after, calls) = (fixture.state(&sandbox), calls(&log, &sandbox.store()));
        let store_paths = store_paths(&calls, &sandbox.docker_config());
        let stages = ["write", "link", "mkdir"];
        let last = calls.iter().rposition(|call| stages.iter().any(|name| call.name.starts_with(name)));
        let last = last.expect("a staged file");
        let steps = calls[last + 1..].iter().filter(|call| call.changes());
        let (mut tried, mut wrong) = (0, Vec::new());
        for call in steps {
            tried += 1;
            let done =
                fixture.check_failure((call, &store_paths), InjectedError::OnceThenFullDisk("EIO"), &before, &after);
            let done = done.and_then(|()| fixture.check_needs_no_space_after(call));
            wrong.extend(done.err().map(|reason| format!("{}\n  {reason}", call.line)));
        }
        print_uncaptured(&format!("failures of {} on a full disk: {tried}", case.name));
        assert!(wrong.is_empty(), "{}: {} of {tried} went wrong:\n{}", case.name, wrong.len(), wrong.join("\n"));
        assert!(tried >= 4, "a rename and a sync for each of the stages at least");
    }
}

const ANNOTATE_THE_LIST: Case = Case {
    name: "annotate of the list",
    before: &["create {L} 0 1 2"],
    command: "annotate {L} --annotation k=v --artifact-type a/b",
    by_entry: true,
};

/// All kinds of changes of a file: two deleted, one replaced, some added, and the sidecar.
const REPLACE_FORMAT_1_BY_2: Case = Case {
    name: "create --replace, format 1 to 2",
    before: &["create {L} 0 1 2", "annotate {L} 1 --variant v9"],
    command: "create --replace {L} {X} 3 1",
    by_entry: true,
};

const REPLACE_FORMAT_2_BY_1: Case = Case {
    name: "create --replace, format 2 to 1",
    before: &["create {L} {X} 3 1", "annotate {L} 1 --variant v9"],
    command: "create --replace {L} 0 1 2",
    by_entry: true,
};

const ADD: Case = Case { name: "add", before: &["create {L} 0 1 2"], command: "add {L} 3 {X}", by_entry: true };

const REMOVE: Case =
    Case { name: "remove", before: &["create {L} 0 1 2 {X}"], command: "remove {L} linux/amd64", by_entry: true };

const APPLY: Case = Case {
    name: "apply --draft in the place of another",
    before: &["create {L} 0 1 2", "annotate {L} 1 --variant v9"],
    command: "apply --draft -f {S}",
    by_entry: true,
};
