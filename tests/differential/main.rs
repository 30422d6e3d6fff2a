//! The live comparison: every script runs with the real `docker manifest` and with this program, each against a
//! docker-registry of its own with the same content. Exit codes, stdout, the first line of stderr, the whole store and
//! what is served afterwards must be equal, except for the table of deliberate differences.
//!
//! Golden copies of docker's output (`UPDATE_GOLDENS=1` writes them) replace docker where there is no docker client.

mod alternating_tools;
mod differences;
mod fixture;
mod random_references;
mod script;
mod scripts_command_line;
mod scripts_create_annotate;
mod scripts_edited_store;
mod scripts_inspect_push;
mod seed_content;
mod transcript;

use differences::{DIFFERENCES, Difference};
use fixture::Fixture;
use script::Script;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use testkit::sandbox::{Tool, on_path};
use testkit::skip::{skipped, skipped_unsupported};
use transcript::{Mismatch, Transcript};

const THREADS: usize = 3;

fn ours() -> Tool {
    Tool::Ours { binary: env!("CARGO_BIN_EXE_docker-manifest").into() }
}

fn scripts() -> Vec<Script> {
    [
        scripts_command_line::SCRIPTS,
        scripts_create_annotate::SCRIPTS,
        scripts_edited_store::SCRIPTS,
        scripts_inspect_push::SCRIPTS,
    ]
    .concat()
}

/// The pair of registries: docker-registry, or, with a message, the test kit's own.
fn pair(what: &str) -> (Fixture, Fixture) {
    match (Fixture::start(), Fixture::start()) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(reason), _) | (_, Err(reason)) => {
            skipped(&format!("{what} on docker-registry (the test kit's registry is used)"), &reason);
            (Fixture::start_loopback(), Fixture::start_loopback())
        }
    }
}

/// Runs a check for every script on a few threads. Returns the reports of those that failed or panicked.
fn failures(scripts: &[Script], check: impl Fn(&Script) -> Option<String> + Sync) -> Vec<String> {
    let queue = Mutex::new(scripts.iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(script) = queue.lock().expect("no panic holds it").next() else { return };
                    let report = catch_unwind(AssertUnwindSafe(|| check(script))).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        Some(format!("  panicked: {}", text.unwrap_or_else(|| "see above".into())))
                    });
                    if let Some(report) = report {
                        failed.lock().expect("no panic holds it").push(format!("{}:\n{report}", script.name));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no panic holds it");
    failed.sort();
    failed
}

fn report(mismatches: &[Mismatch]) -> Option<String> {
    let lines: Vec<String> = mismatches.iter().map(|m| format!("  [{}] {:?}\n{}", m.step, m.part, m.detail)).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn assert_none(failed: &[String], of: usize, what: &str) {
    assert!(failed.is_empty(), "{} of {of} scripts: {what}\n\n{}\n", failed.len(), failed.join("\n\n"));
}

/// The mismatches that are no deliberate differences, and the deliberate differences that did not occur.
fn undeclared_and_unseen(script: &str, mismatches: Vec<Mismatch>) -> (Vec<Mismatch>, Vec<&'static Difference>) {
    let declared: Vec<&Difference> = DIFFERENCES.iter().filter(|d| d.script == script).collect();
    let unseen = declared.iter().filter(|d| !mismatches.iter().any(|m| d.covers(script, m))).copied().collect();
    let rest = mismatches.into_iter().filter(|m| !declared.iter().any(|d| d.covers(script, m))).collect();
    (rest, unseen)
}

fn golden_file(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden").join(format!("{script}.json"))
}

fn golden(script: &Script) -> Result<Transcript, String> {
    let file = golden_file(script.name);
    let hint = "UPDATE_GOLDENS=1 with docker on the PATH writes it";
    let text = std::fs::read_to_string(&file).map_err(|error| format!("  {}: {error}; {hint}", file.display()))?;
    let value = serde_json::from_str(&text).map_err(|error| format!("  {}: {error}", file.display()))?;
    Transcript::from_json(&value).ok_or_else(|| format!("  {} is not a golden file", file.display()))
}

#[allow(clippy::disallowed_methods, reason = "a switch for the people who run the tests")]
fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some_and(|value| value == "1")
}

fn docker_version() -> String {
    testkit::sandbox::Sandbox::new().command("docker").arg("--version").run().out().trim().to_owned()
}

#[test]
fn names_are_different_and_differences_name_scripts() {
    let mut names: Vec<&str> = scripts().iter().map(|script| script.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 70, "{count} scripts");
    for difference in DIFFERENCES {
        let mut known = scripts().into_iter().chain(alternating_tools::SCRIPTS.iter().copied());
        let script = known.find(|script| script.name == difference.script).expect(difference.script);
        let known = matches!(difference.step, "*" | "served") || script.lines.contains(&difference.step);
        assert!(known, "{} has no step {}", difference.script, difference.step);
        assert!(difference.why.len() > 10);
    }
}

/// Checks the harness: two runs of the same client must be equal.
#[test]
fn docker_transcripts_are_reproducible() {
    if !on_path("docker") {
        return skipped("the harness's own check", "docker is not on the PATH");
    }
    let (first, second) = pair("the harness's own check");
    let some: Vec<Script> = scripts().into_iter().step_by(24).collect();
    let failed = failures(&some, |script| {
        report(&first.run(script, &[&Tool::Docker]).compare(&second.run(script, &[&Tool::Docker])))
    });
    assert_none(&failed, some.len(), "docker differs from itself");
}

/// Docker against its golden output: a failure here is a change of docker or of the scripts.
#[test]
fn docker_equals_the_goldens() {
    if !on_path("docker") {
        return skipped("docker against its golden answers", "docker is not on the PATH");
    }
    let (fixture, _) = pair("docker against its golden answers");
    let all = scripts();
    let failed = failures(&all, |script| {
        if !fixture.can_run(script) {
            skipped_unsupported(script.name, "there is no IPv6 here");
            return None;
        }
        let now = fixture.run(script, &[&Tool::Docker]);
        if updating() {
            let text = serde_json::to_string_pretty(&now.to_json()).expect("JSON") + "\n";
            std::fs::create_dir_all(golden_file(script.name).parent().expect("a parent")).expect("a directory");
            std::fs::write(golden_file(script.name), text).expect("a golden file is written");
            return None;
        }
        golden(script).map_or_else(Some, |then| report(&then.compare(&now)))
    });
    assert_none(&failed, all.len(), &format!("{} is not as its golden answers", docker_version()));
}

/// Where there is no docker-registry, the test kit's registry is used, so docker must see no difference.
#[test]
fn docker_sees_no_difference_between_the_registries() {
    if !on_path("docker") {
        return skipped("the test kit's registry", "docker is not on the PATH");
    }
    let fixture = Fixture::start_loopback();
    let all = scripts();
    let failed = failures(&all, |script| match golden(script) {
        _ if !fixture.can_run(script) => None,
        Ok(then) => report(&then.compare(&fixture.run(script, &[&Tool::Docker]))),
        Err(reason) => Some(reason),
    });
    assert_none(&failed, all.len(), "the test kit's registry is not like docker-registry");
}

/// This program against docker, or against docker's golden output.
#[test]
fn ours_equals_docker() {
    let (first, second) = pair("the differential");
    let live = on_path("docker");
    if !live {
        skipped("the live differential", "docker is not on the PATH; comparing with its golden answers");
    }
    let all = scripts();
    let failed = failures(&all, |script| {
        if !first.can_run(script) || !second.can_run(script) {
            skipped_unsupported(script.name, "there is no IPv6 here");
            return None;
        }
        let reference = if live { Ok(first.run(script, &[&Tool::Docker])) } else { golden(script) };
        let mismatches = match reference {
            Ok(reference) => reference.compare(&second.run(script, &[&ours()])),
            Err(reason) => return Some(reason),
        };
        let (rest, unseen) = undeclared_and_unseen(script.name, mismatches);
        let unseen: Vec<String> =
            unseen.iter().map(|d| format!("  declared but not seen: [{}] {:?}: {}", d.step, d.parts, d.why)).collect();
        let lines: Vec<String> = report(&rest).into_iter().chain(unseen).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    });
    assert_none(&failed, all.len(), "ours differs from docker, and the table of differences does not say so");
}

/// docs/differences.md has the same rows.
#[test]
fn the_page_of_differences_has_the_table() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/differences.md")).expect("the page");
    let (_, rest) = page.split_once("<!-- differences: begin -->\n").expect("where the table begins");
    let (table, _) = rest.split_once("<!-- differences: end -->").expect("where it ends");
    let rows = table.strip_prefix("- ").expect("a row").split("\n- ");
    let listed: BTreeSet<String> = rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected: BTreeSet<String> = DIFFERENCES.iter().map(|difference| difference.why.to_owned()).collect();
    assert_eq!(listed, expected);
}
