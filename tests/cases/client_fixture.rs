//! A registry client with its environment, its configuration and its trace.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use docker_manifest::content::registry::{self, FetchedManifest};
use docker_manifest::digest::Digest;
use docker_manifest::env::Env;
use docker_manifest::net::{ClientOptions, Clock, LineSink, Login, RegistryError};
use docker_manifest::reference::{Reference, Repository};
use docker_manifest::secret::Secret;
use testkit::image::Image;
use testkit::loopback::Registry;

/// A client and the directory that its files are in.
pub(super) struct Fixture {
    pub(super) client: registry::RegistryClient,
    trace: Lines,
    notices: Lines,
    _dir: tempfile::TempDir,
}

/// What a client is to be.
pub(super) struct FixtureBuilder {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
    insecure: bool,
    retries: u32,
    timeout: Option<Duration>,
    login: Option<Login>,
    plain_http: bool,
    clock: Option<Arc<dyn Clock>>,
}

impl FixtureBuilder {
    /// Nothing set, rootless so that certs.d is the test's own.
    pub(super) fn new() -> FixtureBuilder {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
        let env = vec![
            ("ROOTLESSKIT_STATE_DIR".to_owned(), text(dir.path())),
            ("XDG_CONFIG_HOME".to_owned(), text(dir.path())),
        ];
        FixtureBuilder {
            dir,
            env,
            insecure: false,
            retries: 0,
            timeout: None,
            login: None,
            plain_http: false,
            clock: None,
        }
    }

    /// That sends again so often, and waits by this clock.
    pub(super) fn retries(mut self, retries: u32, clock: Arc<dyn Clock>) -> FixtureBuilder {
        (self.retries, self.clock) = (retries, Some(clock));
        self
    }

    /// With `--timeout`.
    pub(super) fn timeout(mut self, total: Duration) -> FixtureBuilder {
        self.timeout = Some(total);
        self
    }

    /// With `--username` and its password, for this registry.
    pub(super) fn login(mut self, registry: &str, username: &str, password: &str) -> FixtureBuilder {
        let (registry, username) = (registry.to_owned(), username.to_owned());
        self.login = Some(Login { registry, username, password: Secret::new(password) });
        self
    }

    /// With `--plain-http`.
    pub(super) fn plain_http(mut self) -> FixtureBuilder {
        self.plain_http = true;
        self
    }

    /// With `--insecure`.
    pub(super) fn insecure(mut self) -> FixtureBuilder {
        self.insecure = true;
        self
    }

    /// With this variable.
    pub(super) fn env(mut self, name: &str, value: impl Into<String>) -> FixtureBuilder {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The host's directory in certs.d.
    pub(super) fn certs_d(&self, host: &str) -> PathBuf {
        self.dir.path().join("docker/certs.d").join(host)
    }

    /// With this config.json.
    pub(super) fn config(self, text: &str) -> FixtureBuilder {
        std::fs::write(self.dir.path().join("config.json"), text).expect("a new file");
        self
    }

    /// The client.
    pub(super) fn build(self) -> Fixture {
        let (trace, notices) = (Lines::default(), Lines::default());
        let options = ClientOptions {
            env: Env::from_pairs(self.env),
            config_dir: self.dir.path().to_owned(),
            insecure: self.insecure,
            user_agent: "test/1".to_owned(),
            trace: Some(line_sink(&trace)),
            plain_http: self.plain_http,
            login: self.login,
            jobs: std::num::NonZeroUsize::MIN,
            retries: self.retries,
            timeout: self.timeout,
            remember_token_servers: false,
            notice: line_sink(&notices),
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(docker_manifest::net::SystemClock));
        let client = registry::RegistryClient::with_clock(options, clock);
        Fixture { client, trace, notices, _dir: self.dir }
    }
}

impl Fixture {
    /// A client with nothing configured.
    pub(super) fn new() -> Fixture {
        FixtureBuilder::new().build()
    }

    /// A client that is logged in to this registry.
    pub(super) fn with_login(registry: &Registry, user: &str, password: &str) -> Fixture {
        let auth = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
        FixtureBuilder::new().config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host())).build()
    }

    /// Fetches `name` of the registry.
    pub(super) fn manifest(&self, registry: &Registry, name: &str) -> Result<FetchedManifest, RegistryError> {
        self.manifest_by_full_name(&format!("{}/{name}", registry.host()))
    }

    /// Fetches by a full name.
    pub(super) fn manifest_by_full_name(&self, name: &str) -> Result<FetchedManifest, RegistryError> {
        self.client.manifest(&reference(name))
    }

    /// What the user was told so far.
    pub(super) fn notices(&self) -> Vec<String> {
        self.notices.lock().expect("no panic so far").clone()
    }

    /// What was traced so far.
    pub(super) fn trace(&self) -> Vec<String> {
        self.trace.lock().expect("no panic so far").clone()
    }
}

type Lines = Arc<Mutex<Vec<String>>>;

fn line_sink(lines: &Lines) -> LineSink {
    let lines = Arc::clone(lines);
    Arc::new(move |line| lines.lock().expect("no panic so far").push(line.to_owned()))
}

/// A small image for linux/amd64.
pub(super) fn amd64_image() -> Image {
    Image::docker().platform("linux", "amd64").layer("amd").build()
}

pub(super) fn reference(name: &str) -> Reference {
    Reference::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn repository(registry: &Registry, path: &str) -> Repository {
    reference(&format!("{}/{path}", registry.host())).repository().clone()
}

pub(super) fn parse_digest(text: &str) -> Digest {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What the registry saw, a line a request.
pub(super) fn request_lines(registry: &Registry) -> Vec<String> {
    registry.requests().iter().map(|request| request.line()).collect()
}
