//! `--retries` and `--timeout` of each command that sends requests. Long waits are reported.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use docker_manifest::env::Env;
use testkit::image::{Image, Index};
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::super::fake_clocks::RecordingClock;
use super::super::{OURS, in_process};
use super::retry_after;

/// What is run: the program's name, and its words, in which `@` stands before what is in the registry.
type CommandLine = (&'static str, &'static [&'static str]);

const COMMANDS: [CommandLine; 10] = [
    ("docker-manifest", &["create", "@new:1", "@a:1"]),
    ("docker-manifest", &["add", "@draft:1", "@b:1"]),
    ("docker-manifest", &["inspect", "@list:1"]),
    ("docker-manifest", &["inspect", "--verbose", "@a:1"]),
    ("docker-manifest", &["push", "@draft:1"]),
    ("docker-manifest", &["push", "--dry-run", "@draft:1"]),
    ("docker-manifest", &["apply", "-f", "list.yaml"]),
    ("docker-manifest", &["export", "@list:1"]),
    ("docker-manifest", &["platforms", "@list:1"]),
    ("docker-manifest", &["check", "@"]),
];

/// Those have no flags of ours.
const LINKS: [CommandLine; 3] = [
    ("manifest-tool", &["inspect", "@list:1"]),
    ("manifest-tool", &["push", "from-spec", "list.yaml"]),
    ("mquery", &["@list:1"]),
];

/// A registry with two images and a list of them, a draft, and a file.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    fn new() -> Fixture {
        let fixture = Fixture { registry: Registry::start(), sandbox: Sandbox::new() };
        let image = |name: &str| Image::docker().platform("linux", "amd64").layer(name).build();
        for name in ["a", "b"] {
            fixture.registry.put_image(name, "1", &image(name));
        }
        fixture.registry.put_index("list", "1", &Index::docker().image(&image("a")).build());
        let host = fixture.registry.host();
        fixture.sandbox.write("list.yaml", format!("image: {host}/new:1\nmanifests: [{{image: '{host}/a:1'}}]\n"));
        let create = ["create".to_owned(), format!("{host}/draft:1"), format!("{host}/a:1")];
        let _ = fixture.sandbox.command(OURS).args(create).run().success();
        fixture.registry.clear_record();
        fixture
    }

    fn expand_args(&self, words: &[&str], flags: &[&str]) -> Vec<String> {
        let host = self.registry.host();
        let word = |word: &&str| match word.strip_prefix('@') {
            Some("") => host.clone(),
            Some(rest) => format!("{host}/{rest}"),
            None if *word == "list.yaml" => self.sandbox.path().join(word).display().to_string(),
            None => (*word).to_owned(),
        };
        let mut words: Vec<String> = words.iter().map(word).collect();
        // Behind the verb.
        words.splice(1..1, flags.iter().map(|flag| (*flag).to_owned()));
        words
    }

    /// Runs it in this process, where nobody really waits: the exit code and what was said on stderr.
    fn run_for_stderr(&self, line: CommandLine, flags: &[&str], variables: &[(&str, &str)]) -> (i32, Vec<String>) {
        let given = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let env = Env::from_pairs(in_process::variables(&self.sandbox).into_iter().chain(given));
        let output = in_process::run(line.0, &self.expand_args(line.1, flags), env, RecordingClock::new());
        (output.code, output.err().lines().map(str::to_owned).collect())
    }
}

/// Every verb with the flag behind it, and every link, with the variable around it.
fn all_command_lines(
    flag: [&'static str; 2],
    variable: (&'static str, &'static str),
) -> Vec<(CommandLine, Vec<&'static str>, Vec<Variable>)> {
    let verbs = COMMANDS.iter().map(|line| (*line, flag.to_vec(), vec![]));
    verbs.chain(COMMANDS.iter().chain(&LINKS).map(|line| (*line, vec![], vec![variable]))).collect()
}

type Variable = (&'static str, &'static str);

#[test]
fn every_command_obeys_retries() {
    for (line, flags, variables) in all_command_lines(["--retries", "2"], ("DOCKER_MANIFEST_RETRIES", "2")) {
        let fixture = Fixture::new();
        fixture.registry.add_fault(Rule::any(), Fault::status(503));
        let (code, lines) = fixture.run_for_stderr(line, &flags, &variables);
        assert_eq!(code, 1, "{line:?}: {lines:?}");
        assert!(lines[0].ends_with("503 Service Unavailable (tried 3 times)"), "{line:?}: {lines:?}");
        // A list from a file: the tag is looked at beside the image, and that is tried as often.
        let mut tries: BTreeMap<String, usize> = BTreeMap::new();
        for request in fixture.registry.requests() {
            *tries.entry(request.target).or_default() += 1;
        }
        let most = if line.1.contains(&"list.yaml") { 2 } else { 1 };
        assert!(tries.values().all(|tried| *tried == 3) && tries.len() <= most, "{line:?}: {tries:?}");
        assert!(lines.iter().any(|line| line.starts_with("hint: ")), "{line:?}: {lines:?}");
    }
}

#[test]
fn every_command_reports_a_wait_once() {
    for line in COMMANDS.iter().chain(&LINKS) {
        let fixture = Fixture::new();
        fixture.registry.add_fault(Rule::any().first_n(1), retry_after(429, "30"));
        let (code, lines) = fixture.run_for_stderr(*line, &[], &[]);
        let waits: Vec<&String> = lines.iter().filter(|line| line.contains("waiting")).collect();
        let [wait] = waits[..] else { panic!("{line:?}: {lines:?}") };
        let host = fixture.registry.host();
        let expected = format!(
            "{host}: received unexpected HTTP status: 429 Too Many Requests: waiting 30 s before the next attempt"
        );
        assert_eq!((code, wait), (0, &expected), "{line:?}: {lines:?}");
    }
}

#[test]
fn every_command_obeys_the_timeout() {
    std::thread::scope(|scope| {
        for (line, flags, variables) in all_command_lines(["--timeout", "300ms"], ("DOCKER_MANIFEST_TIMEOUT", "300ms"))
        {
            scope.spawn(move || {
                let fixture = Fixture::new();
                fixture.registry.add_fault(Rule::any(), Fault::Hang);
                let link = fixture.sandbox.path().join(line.0);
                symlink(OURS, &link).expect("a link");
                let run = fixture.sandbox.command(&link).args(fixture.expand_args(line.1, &flags));
                let run = variables.iter().fold(run, |run, (name, value)| run.env(*name, *value));
                let output = run.run();
                let first = output.first_err_line();
                assert!(first.ends_with("no whole answer within 300 ms"), "{line:?}: {}", output.err());
                assert_eq!((output.code, output.out().as_str()), (1, ""), "{line:?}");
                assert!(output.err().contains("\nhint: check that "), "{line:?}: {}", output.err());
            });
        }
    });
}

#[test]
fn invalid_variables_are_refused_before_any_request() {
    let fixture = Fixture::new();
    for (name, value, reason) in [
        ("DOCKER_MANIFEST_RETRIES", "many", "not a whole number"),
        ("DOCKER_MANIFEST_TIMEOUT", "0", "not a time above zero like 30s, 5m or 1h30m"),
        ("DOCKER_MANIFEST_JOBS", "0", "not a whole number above zero"),
    ] {
        let (code, lines) = fixture.run_for_stderr(COMMANDS[0], &[], &[(name, value)]);
        assert_eq!((code, lines), (1, vec![format!("{name}={value:?} is {reason}")]));
        // A flag is not asked what the environment thinks, and an empty one is none.
        let flags = ["--retries", "1", "--timeout", "1m", "--jobs", "1"];
        assert_eq!(fixture.run_for_stderr(COMMANDS[2], &flags, &[(name, value)]).0, 0);
        assert_eq!(fixture.run_for_stderr(COMMANDS[2], &[], &[(name, "")]).0, 0);
    }
}
