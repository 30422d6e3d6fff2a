//! Completion through the real docker client, compared with docker's completion of its own `manifest`.

use testkit::sandbox::{Output, Sandbox};

use super::plugin::{installed, old_entry};
use super::{OURS, OWN_VERBS, is_flag_docker_lacks};

/// Lines that docker's own command completes, the word at the cursor last; `∅` is nothing typed yet.
const LINES_AS_DOCKER: &[&str] = &[
    "c",
    "an",
    "i",
    "x",
    "-",
    "--help c",
    "create -",
    "create --",
    "create --am",
    "create -a",
    "create -a -",
    "create --amend -",
    "create -a=false --",
    "create a --",
    "create a b -",
    "create --bogus",
    "create --bogus ∅",
    "create --amend=",
    "annotate -",
    "annotate --o",
    "annotate --os-",
    "annotate --os-features=a --",
    "annotate --os linux --",
    "inspect -",
    "inspect -v -",
    "inspect -v --insecure -",
    "push -",
    "push -p",
    "rm -",
    "bogus ∅",
    "bogus -",
];

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.replace('∅', "")).collect()
}

#[test]
fn commands_and_flags_are_completed_as_docker_does() {
    let Some(sandbox) = installed("completion beside docker's") else { return };
    let mut different = Vec::new();
    let mut compare = |how: String, line: &str, docker: &Output, ours: &Output| {
        let verb = words(line).into_iter().find(|word| !word.starts_with('-')).unwrap_or_default();
        let is_own = |candidate: &str| OWN_VERBS.contains(&candidate) || is_flag_docker_lacks(&verb, candidate);
        let dockers = |answer: &str| {
            let rows = answer.lines().filter(|row| !row.split('\t').next().is_some_and(is_own));
            rows.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let output_of = |output: &Output| (output.code, dockers(&output.out()), output.err());
        if output_of(docker) != output_of(ours) {
            different.push(format!("{how}\n  docker: {:?}\n  ours:   {:?}", output_of(docker), output_of(ours)));
        }
    };
    for line in LINES_AS_DOCKER {
        let docker =
            |request: &str, name: &str| sandbox.command("docker").args([request, name]).args(words(line)).run();
        let ours = |request: &str| sandbox.command(OURS).arg(request).args(words(line)).run();
        let (terse, mut dockers) = (docker("__completeNoDesc", "manifest"), docker("__complete", "manifest"));
        compare(format!("__completeNoDesc {line:?}"), line, &terse, &ours("__completeNoDesc"));
        compare(format!("__complete {line:?}"), line, &dockers, &ours("__complete"));
        // Docker always requests descriptions from a plugin, and adds a line of its own to stderr.
        let mut through = docker("__complete", "manifests");
        (through.stderr, dockers.stderr) = Default::default();
        compare(format!("through docker {line:?}"), line, &dockers, &through);
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_command_is_offered() {
    let Some(sandbox) = installed("the commands in completion") else { return };
    let complete = |name: &str| sandbox.command("docker").args(["__complete", name, ""]).run().success().out();
    let (dockers, ours) = (complete("manifest"), complete("manifests"));
    for line in dockers.lines() {
        assert!(ours.lines().any(|own| own == line), "{line:?} is not in {ours}");
    }
    for verb in OWN_VERBS {
        assert!(ours.lines().any(|line| line.starts_with(&format!("{verb}\t"))), "{verb} is not in {ours}");
    }
}

#[test]
fn local_lists_and_their_images_are_offered() {
    let sandbox = Sandbox::new();
    sandbox.write("home/docker/manifests/localhost-5000_app-1/localhost-5000_i-arm", old_entry("localhost:5000/i:arm"));
    let complete = |line: &[&str]| {
        let output = sandbox.command(OURS).args(["__complete", "manifest"]).args(line.iter().copied()).run().success();
        output.out()
    };
    for line in [
        &["push", ""][..],
        &["rm", "loc"],
        &["annotate", "--os", "linux", ""],
        &["inspect", "localhost:5000/"],
        &["add", ""],
        &["remove", ""],
        &["exists", ""],
        &["export", "--local", ""],
    ] {
        assert_eq!(complete(line), "localhost:5000/app:1\n:4\n", "{line:?}");
    }
    assert_eq!(complete(&["annotate", "localhost:5000/app:1", ""]), "localhost:5000/i:arm\n:4\n");
    assert_eq!(complete(&["annotate", "localhost:5000/other:1", ""]), ":4\n");
    assert_eq!(complete(&["annotate", "--arch=ar"]), "arm\narm64\n:4\n");
    let of_list = complete(&["remove", "localhost:5000/app:1", ""]);
    assert!(of_list.starts_with("localhost:5000/i:arm\n") && of_list.lines().count() == 3, "{of_list}");
    assert_eq!(complete(&["push", "--require", "linux/amd64,linux/s"]), "linux/amd64,linux/s390x\n:4\n");
    assert_eq!(complete(&["push", "--type", ""]), "auto\ndocker\noci\n:4\n");
    assert_eq!(complete(&["apply", "-f", ""]), ":0\n");
}

#[test]
fn completion_without_arguments_is_the_error_of_cobra() {
    let output = Sandbox::new().command(OURS).arg("__complete").run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert_eq!(output.err(), "requires at least 1 arg(s), only received 0\n");
}
