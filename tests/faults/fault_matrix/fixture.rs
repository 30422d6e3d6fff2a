//! The fixture of one run: two registries and a home directory of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use docker_manifest::env::Env;
use docker_manifest::net::Clock;
use testkit::loopback::{Bearer, Registry};
use testkit::sandbox::{Output, Sandbox, tree_without_root_dot_names};

use crate::{OURS, in_process};

pub(super) const PASSWORD: &str = "tops3cret-of-the-matrix";
pub(super) const REFRESH_TOKEN: &str = "refresh-token-of-the-matrix-long-enough";
pub(super) const REGISTRY_TOKEN: &str = "registry-token-of-the-matrix-long-enough";

/// How a client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClientAuth {
    /// Without credentials.
    Anonymous,
    /// With a password on every request.
    Basic,
    /// With tokens that a password gets.
    Bearer,
    /// With tokens that a refresh token gets.
    RefreshToken,
    /// With the `registrytoken` of config.json.
    RegistryToken,
}

impl ClientAuth {
    pub(super) const ALL: [ClientAuth; 5] = [
        ClientAuth::Anonymous,
        ClientAuth::Basic,
        ClientAuth::Bearer,
        ClientAuth::RefreshToken,
        ClientAuth::RegistryToken,
    ];

    fn start_registry(self) -> Registry {
        let tokens = Bearer::new().user("me", PASSWORD).refresh_token(REFRESH_TOKEN).registry_token(REGISTRY_TOKEN);
        match self {
            ClientAuth::Anonymous => Registry::start(),
            ClientAuth::Basic => Registry::builder().basic("me", PASSWORD).start(),
            ClientAuth::Bearer | ClientAuth::RefreshToken | ClientAuth::RegistryToken => {
                Registry::builder().bearer(tokens.on_own_port()).start()
            }
        }
    }

    /// What `config.json` has for a registry.
    fn entry(self) -> String {
        match self {
            ClientAuth::Anonymous | ClientAuth::Basic | ClientAuth::Bearer => {
                format!(r#"{{"auth":"{}"}}"#, encoded_auth())
            }
            ClientAuth::RefreshToken => format!(r#"{{"identitytoken":"{REFRESH_TOKEN}"}}"#),
            ClientAuth::RegistryToken => format!(r#"{{"registrytoken":"{REGISTRY_TOKEN}"}}"#),
        }
    }
}

fn encoded_auth() -> String {
    BASE64_STANDARD.encode(format!("me:{PASSWORD}"))
}

/// One of the registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The registry of the list.
    Target,
    /// The other one.
    Source,
}

impl Side {
    pub(super) const BOTH: [Side; 2] = [Side::Target, Side::Source];
}

/// The registries and the sandbox of one run.
pub(super) struct Fixture {
    target: Registry,
    source: Registry,
    sandbox: Sandbox,
}

/// The limits of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The maximum of concurrent requests.
    pub(super) jobs: usize,
    /// How often a failed request is retried.
    pub(super) retries: u32,
}

/// What the store and the registries contain, without the names of the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The drafts, docker's files and ours, without the identities of the directories.
    pub(super) drafts: BTreeMap<String, String>,
    /// The digest of each tag of the relevant repositories.
    pub(super) tags: BTreeMap<String, String>,
}

impl Fixture {
    pub(super) fn new(auth: ClientAuth) -> Fixture {
        let fixture =
            Fixture { target: auth.start_registry(), source: auth.start_registry(), sandbox: Sandbox::in_memory() };
        let entries = Side::BOTH.map(|side| format!(r#""{}":{}"#, fixture.registry(side).host(), auth.entry()));
        fixture.sandbox.write_config(&format!(r#"{{"auths":{{{}}}}}"#, entries.join(",")));
        fixture
    }

    pub(super) fn registry(&self, side: Side) -> &Registry {
        match side {
            Side::Target => &self.target,
            Side::Source => &self.source,
        }
    }

    /// A name in the list's registry.
    pub(super) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.target.host())
    }

    /// A name in the other registry.
    pub(super) fn source_name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.source.host())
    }

    /// The list that the commands are about.
    pub(super) fn list(&self) -> String {
        self.name("team/app:1")
    }

    /// Writes a file that a command reads.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        self.sandbox.write(name, text).to_string_lossy().into_owned()
    }

    /// The program's environment. It sets what has no flag under the program's other names.
    fn variables(&self, limits: Limits) -> Vec<(String, String)> {
        let own = [
            ("DOCKER_MANIFEST_JOBS", limits.jobs.to_string()),
            ("DOCKER_MANIFEST_RETRIES", limits.retries.to_string()),
            ("DOCKER_MANIFEST_RUN", "matrix".to_owned()),
        ];
        let all = in_process::variables(&self.sandbox).into_iter().chain(own);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Runs the program of this name in this process, without waiting before retries.
    pub(super) fn run_in_process(&self, program: &str, words: &[String], limits: Limits) -> Output {
        in_process::run(program, words, Env::from_pairs(self.variables(limits)), SkippingClock::new())
    }

    /// Runs the program as its users do.
    pub(super) fn run_process(&self, program: &str, words: &[String], limits: Limits) -> Output {
        let link = self.sandbox.path().join(program);
        symlink(OURS, &link).expect("a link");
        let run = self.sandbox.command(link).args(words.iter().cloned());
        self.variables(limits).into_iter().fold(run, |run, (name, value)| run.env(name, value)).run()
    }

    /// Runs a command that must succeed before the test begins.
    pub(super) fn prepare(&self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let _ = self.run_in_process(OURS, &words, Limits { jobs: 1, retries: 0 }).success();
    }

    /// Removes the names of hosts and paths from a text.
    pub(super) fn normalise(&self, text: &str) -> String {
        let mut text = text.replace(&*self.sandbox.path().to_string_lossy(), "{dir}");
        for side in Side::BOTH {
            let host = self.registry(side).host();
            text = text.replace(&host, &format!("{{{side:?}}}"));
            text = text.replace(&host.replace(':', "-"), &format!("{{{side:?}-}}"));
        }
        without_draft_ids(text)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut drafts = BTreeMap::new();
        for (name, directory) in [("docker", ""), ("ours", ".docker-manifest/lists")] {
            for (path, (mode, bytes)) in tree_without_root_dot_names(&self.sandbox.store().join(directory)) {
                let text = self.normalise(&String::from_utf8_lossy(&bytes));
                let text = if name == "ours" { without_directory_identity(&text) } else { text };
                drafts.insert(self.normalise(&format!("{name} {path} {mode:o}")), text);
            }
        }
        let mut tags = BTreeMap::new();
        for side in Side::BOTH {
            for repository in super::setups::REPOSITORIES {
                for tag in self.registry(side).tags(repository) {
                    let found = self.registry(side).manifest(repository, &tag);
                    let digest = found.map(|(_, bytes)| testkit::image::sha256(&bytes)).unwrap_or_default();
                    tags.insert(format!("{side:?}/{repository}:{tag}"), digest);
                }
            }
        }
        Snapshot { drafts, tags }
    }

    /// Staged files that should not be left.
    pub(super) fn leftovers(&self) -> Vec<String> {
        tree_without_root_dot_names(&self.sandbox.store().join(".docker-manifest/staging")).into_keys().collect()
    }

    /// All secrets that must not be printed.
    pub(super) fn secrets(&self) -> Vec<String> {
        let given = [
            PASSWORD.to_owned(),
            encoded_auth(),
            BASE64_STANDARD.encode(PASSWORD),
            REFRESH_TOKEN.into(),
            REGISTRY_TOKEN.into(),
        ];
        let issued = Side::BOTH.into_iter().flat_map(|side| self.registry(side).issued_tokens());
        given.into_iter().chain(issued).collect()
    }
}

/// A sidecar without the identity of docker's directory, which differs in each run.
fn without_directory_identity(text: &str) -> String {
    let mut file: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    file["directory"] = serde_json::Value::Null;
    file.to_string()
}

/// A clock whose pauses pass at once but count for deadlines.
struct SkippingClock {
    slept: Mutex<Duration>,
}

impl SkippingClock {
    fn new() -> Arc<SkippingClock> {
        Arc::new(SkippingClock { slept: Mutex::default() })
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> Instant {
        Instant::now() + *self.slept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        *self.slept.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    fn random_fraction(&self) -> f64 {
        0.5
    }
}

/// Removes the random marks of drafts.
fn without_draft_ids(mut text: String) -> String {
    for name in ["\"Mark\":\"", "\"mark\":\""] {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(name)) {
            from += at + name.len();
            let end = text[from..].find('"').map_or(text.len(), |length| from + length);
            text.replace_range(from..end, "");
        }
    }
    text
}
