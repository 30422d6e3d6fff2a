//! A process is killed at each request of each command on a shared draft; then the same command runs again.
//!
//! A shared draft is in the registry alone, so that all that a dead process can leave behind are the requests that had
//! their effect. The process is killed while it waits for the answer to a request, which the registry then carries out.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, RecordedRequest, Registry, Rule};
use testkit::sandbox::{Output, Sandbox, SandboxCommand};
use testkit::uncaptured_output::print_uncaptured;

use crate::OURS;

const BOTH: &str = "linux/amd64,linux/arm64";

/// A command, with `{L}` for the list and `@` before a name in the registry.
struct Command {
    name: &'static str,
    /// What was run before it.
    before: &'static [&'static str],
    line: &'static str,
    /// What remains to be done where it finds that another one has published and deleted the entries (exit code 3).
    after_exit_code_3: Option<&'static str>,
}

const ADD_AMD: &str = "add --shared {L} @amd:1";
const ADD_ARM: &str = "add --shared {L} @arm:1";
const PUSH: &str = "push --shared --require BOTH {L}";
const PRUNE: &str = "prune --shared @app";

const COMMANDS: [Command; 8] = [
    Command { name: "add", before: &[], line: ADD_AMD, after_exit_code_3: None },
    Command {
        name: "add again",
        before: &[ADD_AMD, ADD_ARM],
        line: "add --shared {L} @new:1",
        after_exit_code_3: None,
    },
    Command {
        name: "add --if-complete",
        before: &[ADD_ARM],
        line: "add --shared --require BOTH --if-complete --wait 0 -t latest {L} @amd:1",
        after_exit_code_3: None,
    },
    Command { name: "push", before: &[ADD_AMD, ADD_ARM], line: PUSH, after_exit_code_3: None },
    Command {
        name: "push -t",
        before: &[ADD_AMD, ADD_ARM, PUSH, "add --shared {L} @new:1"],
        line: "push --shared --require BOTH -t latest,@mirror:9 {L}",
        after_exit_code_3: None,
    },
    Command {
        name: "push --purge",
        before: &[ADD_AMD, ADD_ARM],
        line: "push --shared --purge --require BOTH {L}",
        after_exit_code_3: Some(PRUNE),
    },
    Command {
        name: "remove",
        before: &[ADD_AMD, ADD_ARM, PUSH],
        line: "remove --shared {L} linux/amd64 linux/arm64",
        after_exit_code_3: None,
    },
    Command { name: "prune", before: &[ADD_AMD, ADD_ARM, PUSH], line: PRUNE, after_exit_code_3: None },
];

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

/// The digests under the tags of both repositories.
type Tags = BTreeMap<String, String>;

impl Fixture {
    fn new(command: &Command) -> Fixture {
        let fixture = Fixture { registry: Registry::start(), sandbox: Sandbox::in_memory() };
        for (name, arch, layer) in [("amd", "amd64", "amd"), ("arm", "arm64", "arm"), ("new", "arm64", "new")] {
            let image = Image::oci().platform("linux", arch).layer(layer).build();
            fixture.registry.put_image(name, "1", &image);
        }
        for line in command.before {
            let _ = fixture.command(line).run().success();
        }
        fixture.registry.clear_record();
        fixture
    }

    fn command(&self, line: &str) -> SandboxCommand {
        let words = line.replace("BOTH", BOTH).replace("{L}", &self.registry.name("app:1"));
        let words = words.replace('@', &format!("{}/", self.registry.host()));
        let run = self.sandbox.command(OURS).args(words.split(' ').map(str::to_owned));
        run.env("DOCKER_MANIFEST_RUN", "r").env("DOCKER_MANIFEST_JOBS", "1")
    }

    fn tags(&self) -> Tags {
        let mut tags = Tags::new();
        for repository in ["app", "mirror"] {
            for tag in self.registry.tags(repository) {
                let (_, bytes) = self.registry.manifest(repository, &tag).expect("a tag names a manifest");
                tags.insert(format!("{repository}:{tag}"), sha256(&bytes));
            }
        }
        tags
    }

    /// Runs the command, and kills it while it waits for the answer to its request of this number.
    fn kill_at(&self, line: &str, number: usize) {
        self.registry.add_fault(Rule::any().nth(number), Fault::Hang);
        let mut process = self.command(line).to_command();
        let process = process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = process.expect("the program starts");
        // All of the request is there: half of one would have no effect.
        let is_whole = |request: &RecordedRequest| {
            let length = request.header("Content-Length").map(|length| length.parse::<usize>().expect("a number"));
            request.body_len == length.unwrap_or_default()
        };
        self.registry.wait_until(|seen| seen.get(number - 1).is_some_and(is_whole));
        process.kill().expect("it is killed");
        let _ = process.wait().expect("it ends");
        self.registry.release();
        // The registry carries the request out, though nobody waits for the answer.
        self.registry.wait_until(|seen| seen.iter().all(|request| request.status != 0));
        self.registry.clear_faults();
    }

    /// A tag without all images that it names.
    fn broken(&self) -> Option<String> {
        self.tags().keys().find_map(|tag| {
            let (repository, name) = tag.split_once(':').expect("a tag");
            let (_, bytes) = self.registry.manifest(repository, name)?;
            let list: Value = serde_json::from_slice(&bytes).expect("JSON");
            let children = list["manifests"].as_array().into_iter().flatten();
            let is_missing = |child: &Value| {
                self.registry.manifest(repository, child["digest"].as_str().unwrap_or_default()).is_none()
            };
            children.clone().any(is_missing).then(|| tag.clone())
        })
    }
}

/// Whether a tag names what it named before, or what it names at the end.
fn is_between(now: &Tags, before: &Tags, after: &Tags) -> bool {
    let all = before.keys().chain(after.keys()).chain(now.keys());
    all.into_iter().all(|tag| now.get(tag) == before.get(tag) || now.get(tag) == after.get(tag))
}

/// The number of requests at which a command was killed.
fn check(command: &Command) -> usize {
    let undisturbed = Fixture::new(command);
    let before = undisturbed.tags();
    let clean = undisturbed.command(command.line).run().success();
    let (requests, after) = (undisturbed.registry.requests().len(), undisturbed.tags());
    assert!(requests > 1, "{}: {requests} requests", command.name);
    for number in 1..=requests {
        let fixture = Fixture::new(command);
        let describe = |what: &str, output: &Output| {
            format!("{} killed at request {number}: {what}: {} {}", command.name, output.code, output.err())
        };
        fixture.kill_at(command.line, number);
        let tags = fixture.tags();
        assert!(is_between(&tags, &before, &after), "{} killed at request {number}: {tags:#?}", command.name);
        assert_eq!(fixture.broken(), None, "{} killed at request {number}", command.name);
        // What is not published yet has its entry.
        let is_published = tags.get("app:1") == after.get("app:1");
        let lost = before.keys().filter(|tag| tag.contains(":draft.") && !tags.contains_key(*tag));
        assert!(is_published || lost.count() == 0, "{} killed at request {number}: {tags:#?}", command.name);
        let repeated = fixture.command(command.line).run();
        match (repeated.code, command.after_exit_code_3) {
            (0, _) => {}
            (3, Some(then)) => {
                assert!(
                    repeated.err().contains("it may have been published already and its entries purged"),
                    "{}",
                    describe("again", &repeated)
                );
                let _ = fixture.command(then).run().success();
            }
            // The entry went with the request.
            (1, None) if command.name == "remove" && repeated.err().contains("has no entry for") => {
                let platforms = ["linux/amd64", "linux/arm64"];
                let platforms =
                    platforms.iter().filter(|platform| !repeated.err().contains(&format!("no entry for {platform}")));
                for platform in platforms {
                    let _ = fixture.command(&format!("remove --shared {{L}} {platform}")).run().success();
                }
            }
            _ => panic!("{}", describe("again", &repeated)),
        }
        assert_eq!(fixture.tags(), after, "{}", describe("again", &repeated));
        if repeated.code == 0 && command.name.starts_with("push") {
            let anonymous = |output: &Output, fixture: &Fixture| output.out().replace(&fixture.registry.host(), "@");
            assert_eq!(anonymous(&repeated, &fixture), anonymous(&clean, &undisturbed));
        }
    }
    requests
}

#[test]
fn a_shared_command_that_was_killed_at_any_request_can_be_repeated() {
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(command) = COMMANDS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    kills.fetch_add(check(command), Ordering::Relaxed);
                }
            });
        }
    });
    print_uncaptured(&format!(
        "shared drafts, crashes: {} commands killed at {} requests",
        COMMANDS.len(),
        kills.into_inner()
    ));
}
