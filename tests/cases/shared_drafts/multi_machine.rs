//! Several machines, a real docker-registry, and a token server in front of it.

use std::process::Stdio;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use testkit::sandbox::Sandbox;
use testkit::token_server::TokenConfig;

use super::super::real_fixture::{Fixture, OURS, RequiredAuth};

fn machine(fixture: &Fixture) -> Sandbox {
    let sandbox = Sandbox::new();
    let auth = BASE64_STANDARD.encode("alice:secret");
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, fixture.host));
    sandbox
}

/// A publisher is started first and waits; two machines, each with a home of its own and no file between them, add what
/// they built; a leg that runs again replaces its entry.
#[test]
fn two_machines_and_a_publisher_build_one_list() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Token(TokenConfig::default())) else { return };
    let (first_machine, second_machine, third_machine) = (machine(&fixture), machine(&fixture), machine(&fixture));
    let list = fixture.name("team/app:1");
    let run = ["--run", "pipeline:7"];
    let wait = ["push", "--shared", "--wait", "2m", "--require", "linux/amd64,linux/arm64", "--purge"];
    let mut publisher = third_machine.command(OURS).args(wait).args(run).arg(&list).to_command();
    let publisher = publisher.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the publisher starts");
    let add = |machine: &Sandbox, image: &str| {
        machine.command(OURS).args(["add", "--shared"]).args(run).arg(&list).arg(fixture.name(image)).run().success()
    };
    // The first leg fails, and is run again with what it built then.
    let _ = fixture.storage.put_image("team/amd", "2", "linux", "amd64");
    let first = add(&first_machine, "team/amd:1");
    let second = add(&first_machine, "team/amd:1");
    assert_eq!(first.out(), second.out(), "the same image is the same entry");
    let _ = add(&first_machine, "team/amd:2");
    let _ = add(&second_machine, "team/arm:1");
    // Which image of the first machine is published depends on when the publisher reads.
    let published = publisher.wait_with_output().expect("the publisher ends");
    let stderr = String::from_utf8_lossy(&published.stderr).into_owned();
    assert!(published.status.success(), "{stderr}");
    assert!(stderr.contains("waiting for linux/amd64, linux/arm64 (0 of 2 there)"), "{stderr}");
    let served = fixture.storage.tag("team/app", "1").expect("the list");
    assert_eq!(String::from_utf8_lossy(&published.stdout), format!("{}\n", served.digest));
    let shown = third_machine.command(OURS).args(["inspect", "--check", &list]).run().success().out();
    assert!(shown.contains("arm64"), "{shown}");
    let remaining =
        third_machine.command(OURS).args(["ls", "--shared", "-q", &fixture.name("team/app")]).run().success().out();
    assert!(!remaining.contains("linux-arm64"), "purged: {remaining}");
}

/// A leg that runs again replaces its entry, and the next push publishes that.
#[test]
fn a_leg_that_runs_again_replaces_its_entry() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Token(TokenConfig::default())) else { return };
    let machine = machine(&fixture);
    let list = fixture.name("team/app:1");
    let ours = |words: &[&str]| machine.command(OURS).args(words.iter().copied()).arg("--run=7").run();
    let old = fixture.storage.put_image("team/app", "old", "linux", "amd64");
    let _ = ours(&["add", "--shared", &list, &fixture.name(&format!("team/app@{}", old.digest))]).success();
    let _ = ours(&["add", "--shared", &list, &fixture.name("team/arm:1")]).success();
    let push = ["push", "--shared", "--require", "linux/amd64,linux/arm64", &list];
    let before = ours(&push).success().out();
    let _ = ours(&["add", "--shared", "--annotation", "a=2", &list, &fixture.name("team/amd:1")]).success();
    let listed = ours_ls(&machine, &fixture);
    assert!(listed.contains("not published"), "{listed}");
    let after = ours(&push).success().out();
    assert_ne!(before, after);
    let listed = ours_ls(&machine, &fixture);
    assert!(!listed.contains("not published"), "{listed}");
    // What is served already can be deleted: with a token for just that, by digest.
    let pruned = machine.command(OURS).args(["prune", "--shared", &fixture.name("team/app")]).run().success();
    assert_eq!(pruned.out().lines().count(), 2, "{} {}", pruned.out(), pruned.err());
    let _ = machine.command(OURS).args(["inspect", "--check", &list]).run().success();
}

fn ours_ls(machine: &Sandbox, fixture: &Fixture) -> String {
    machine.command(OURS).args(["ls", "--shared", &fixture.name("team/app")]).run().success().out()
}
