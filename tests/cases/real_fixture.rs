//! The fixture of tests with a real docker-registry: two images in two repositories, and a list of them that is
//! pushed to a third. The expected bytes of the list follow from docker's rules, not from a client.

use std::path::{Path, PathBuf};

use serde_json::{Serializer, Value, json};
use testkit::certs::{Authority, Pair};
use testkit::image::{DOCKER_LIST, DOCKER_MANIFEST, sha256};
use testkit::real::{Auth, RealConfig, RealRegistry, Tls, write_htpasswd};
use testkit::registry_filesystem::{Manifest, RegistryFilesystem};
use testkit::sandbox::{Output, Sandbox};
use testkit::skip::skipped;
use testkit::token_server::{TokenConfig, TokenServer};

/// The binary under test.
pub(crate) const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");

/// The authentication that the registry requires.
pub(crate) enum RequiredAuth {
    Open,
    Htpasswd,
    Token(TokenConfig),
}

/// A registry with the two images in it, and a sandbox to run the client in.
pub(crate) struct Fixture {
    _registry: RealRegistry,
    pub(crate) storage: RegistryFilesystem,
    pub(crate) sandbox: Sandbox,
    token_server: Option<TokenServer>,
    images: Vec<Manifest>,
    /// The registry as it stands in names.
    pub(crate) host: String,
}

impl Fixture {
    /// Over plain HTTP on 127.0.0.1; None, and a SKIPPED line, where there is no docker-registry.
    pub(crate) fn plain(auth: RequiredAuth) -> Option<Self> {
        Self::start(auth, None, None)
    }

    /// With HTTPS: the server shows `pair`, and asks for a certificate of `clients` where that is given.
    pub(crate) fn https(pair: &Pair, clients: Option<&Authority>) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // The registry reads the files as it starts, and never again.
        Self::start(RequiredAuth::Open, Some(tls_files(dir.path(), pair, clients)), None).map(Self::by_remote_name)
    }

    /// The same by a name that is not this machine's own: for those certs.d is not opened.
    pub(crate) fn by_remote_name(self) -> Self {
        Self { host: self.host.replace("127.0.0.1", "0.0.0.0"), ..self }
    }

    /// With HTTPS where `tls` is given, and in a network namespace where one is given.
    pub(crate) fn start(auth: RequiredAuth, tls: Option<Tls>, netns: Option<&str>) -> Option<Self> {
        let sandbox = Sandbox::new();
        let mut token_server = None;
        let auth = match auth {
            RequiredAuth::Open => Auth::None,
            RequiredAuth::Htpasswd => {
                Auth::Htpasswd { file: write_htpasswd(sandbox.path()).expect("a file in the sandbox") }
            }
            RequiredAuth::Token(config) => {
                let server = token_server.insert(TokenServer::start(config));
                Auth::Token {
                    realm: server.realm(),
                    service: server.service().to_owned(),
                    issuer: server.issuer().to_owned(),
                    rootcertbundle: sandbox.write("bundle.pem", server.certificate_pem()),
                }
            }
        };
        let mut config = RealConfig { auth, tls, netns: netns.map(str::to_owned), ..RealConfig::default() };
        if netns.is_some() {
            config.addr = testkit::netns::ADDRESS.parse().expect("an address");
        }
        let registry = match RealRegistry::start(&config) {
            Ok(registry) => registry,
            Err(reason) => {
                skipped("a real registry", &reason);
                return None;
            }
        };
        let storage = RegistryFilesystem::new(registry.storage());
        let images = vec![
            storage.put_image("team/amd", "1", "linux", "amd64"),
            storage.put_image("team/arm", "1", "linux", "arm64"),
        ];
        let host = match netns {
            Some(_) => format!("{}:{}", testkit::netns::HOST, registry.port()),
            None => registry.host(),
        };
        Some(Self { _registry: registry, storage, sandbox, token_server, images, host })
    }

    /// The token server; only with `RequiredAuth::Token`.
    pub(crate) fn token_server(&self) -> &TokenServer {
        self.token_server.as_ref().expect("RequiredAuth::Token")
    }

    /// Runs `docker-manifest ARGS`.
    pub(crate) fn ours(&self, args: &[&str]) -> Output {
        self.sandbox.command(OURS).args(args).run()
    }

    /// The name of something in the registry.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    /// The arguments that create the list.
    pub(crate) fn create_args(&self) -> [String; 4] {
        ["create".to_owned(), self.name("team/app:1"), self.name("team/amd:1"), self.name("team/arm:1")]
    }

    /// Runs the create.
    pub(crate) fn create(&self) -> Output {
        self.ours(&self.create_args().each_ref().map(String::as_str))
    }

    /// Runs the push.
    pub(crate) fn push(&self) -> Output {
        self.ours(&["push", &self.name("team/app:1")])
    }

    /// Create and push, both of which have to work, say what docker says, and leave docker's bytes in the registry.
    pub(crate) fn create_and_push(&self) {
        let created = self.create().success();
        assert_eq!(created.out(), format!("Created manifest list {}\n", self.name("team/app:1")));
        let pushed = self.push().success();
        assert_eq!(pushed.out(), self.expected_push_output());
        self.assert_pushed();
    }

    /// What a push of the list prints.
    pub(crate) fn expected_push_output(&self) -> String {
        let repository = self.name("team/app");
        let child = |image: &Manifest| format!("Pushed ref {repository}@{0} with digest: {0}\n", image.digest);
        let children: String = self.images.iter().map(child).collect();
        format!("{children}{}\n", sha256(&self.list_bytes()))
    }

    /// The list lies in the registry, byte for byte, and its images beside it.
    pub(crate) fn assert_pushed(&self) {
        let list = self.storage.tag("team/app", "1").expect("the list was pushed");
        assert_eq!(String::from_utf8_lossy(&list.bytes), String::from_utf8_lossy(&self.list_bytes()));
        for image in &self.images {
            assert!(self.storage.has_manifest("team/app", &image.digest), "{} is missing", image.digest);
        }
    }

    /// The registry holds no list.
    pub(crate) fn assert_not_pushed(&self) {
        assert_eq!(self.storage.tag("team/app", "1"), None);
    }

    fn list_bytes(&self) -> Vec<u8> {
        let entry = |(image, architecture): (&Manifest, &str)| -> Value {
            json!({
                "mediaType": DOCKER_MANIFEST,
                "size": image.bytes.len(),
                "digest": image.digest,
                "platform": { "architecture": architecture, "os": "linux" },
            })
        };
        let entries: Vec<_> = self.images.iter().zip(["amd64", "arm64"]).map(entry).collect();
        let list = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries });
        let mut bytes = Vec::new();
        let three = serde_json::ser::PrettyFormatter::with_indent(b"   ");
        let mut serializer = Serializer::with_formatter(&mut bytes, three);
        serde::Serialize::serialize(&list, &mut serializer).expect("a value is JSON");
        bytes
    }

    /// The directory for this registry's certificates in the rootless place, which the sandbox is told of.
    pub(crate) fn create_certs_d(&mut self) -> PathBuf {
        let config = self.sandbox.path().join("xdg");
        self.sandbox.set("XDG_CONFIG_HOME", &config);
        self.sandbox.set("ROOTLESSKIT_STATE_DIR", self.sandbox.path().join("rootless"));
        let directory = config.join("docker/certs.d").join(&self.host);
        std::fs::create_dir_all(&directory).expect("a directory in the sandbox");
        directory
    }
}

/// Writes what a registry needs for HTTPS.
pub(crate) fn tls_files(dir: &Path, pair: &Pair, clients: Option<&Authority>) -> Tls {
    let (cert, key) = pair.write(dir, "server.crt", "server.key");
    Tls { cert, key, client_ca: clients.map(|authority| authority.write(dir, "clients.crt")) }
}

/// Asserts a reported failure: exit code 1, nothing on stdout, no panic, no debug text, and every word in what was
/// said.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, words: &[&str]) {
    let stderr = output.err();
    assert_eq!((output.code, output.out().as_str()), (1, ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    // The debug form of an error is for nobody.
    assert!(!stderr.contains("OtherError") && !stderr.contains("Some(") && !stderr.contains("Custom {"), "{stderr}");
    let lower = stderr.to_lowercase();
    for word in words {
        assert!(lower.contains(&word.to_lowercase()), "`{word}` is missing in:\n{stderr}");
    }
}

/// As `assert_refused`, with the words in the very first line, where docker would say `no such manifest`.
#[track_caller]
pub(crate) fn assert_refused_in_first_line(output: &Output, words: &[&str]) {
    assert_refused(output, &[]);
    let first = output.first_err_line().to_lowercase();
    assert!(!first.contains("no such manifest"), "{}", output.err());
    for word in words {
        assert!(first.contains(&word.to_lowercase()), "`{word}` is missing in the first line of:\n{}", output.err());
    }
}
