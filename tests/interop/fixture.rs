//! A real registry with images, a home in which all the tools find what they need, and our own lists in the registry.

use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::client::Client;
use testkit::image::fixtures::{artifact, attestation_of};
use testkit::image::{DOCKER_LIST, Image, ImageBuilder, Index, OCI_INDEX};
use testkit::loopback::gzip_stored;
use testkit::real::RealRegistry;
use testkit::sandbox::{Output, Sandbox, on_path};
use testkit::skip::{skipped, skipped_unsupported};

use crate::OURS;
use crate::compare::differences;

/// The kinds of list that we publish, each by what its tag is.
pub(super) const KINDS: &[&str] =
    &["docker", "oci", "mixed", "attested", "arms", "twice", "windows", "typed", "artifact", "bare", "nested"];

/// The registry, the tools' home, and what is in the registry.
pub(super) struct Fixture {
    pub(super) registry: RealRegistry,
    pub(super) client: Client,
    pub(super) sandbox: Sandbox,
}

/// A layer as other tools want it: compressed.
fn image(builder: ImageBuilder, platform: &str, text: &str) -> Image {
    let mut parts = platform.split('/');
    let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let builder = builder.platform(os, architecture);
    let builder = parts.next().map_or(builder.clone(), |variant| builder.variant(variant));
    builder.layer(gzip_stored(&archive(&format!("{text} {platform}")))).build()
}

/// A tar archive with one file, as buildah unpacks it.
fn archive(text: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "text", text.as_bytes()).expect("an archive in memory");
    archive.into_inner().expect("an archive in memory")
}

fn docker_image(platform: &str) -> Image {
    image(Image::docker(), platform, "docker")
}

fn oci_image(platform: &str) -> Image {
    image(Image::oci(), platform, "oci")
}

impl Fixture {
    /// `None`, and a SKIPPED line, where this version of the tool or a registry is not to be had.
    pub(super) fn new(program: &str, version: &str) -> Option<Self> {
        let check = format!("lists beside {program}");
        if !on_path(program) {
            skipped(&check, &format!("{program} is not on the PATH"));
            return None;
        }
        let registry = RealRegistry::start_plain().map_err(|reason| skipped(&check, &reason)).ok()?;
        let fixture = Self { client: Client::new(registry.host()), registry, sandbox: Sandbox::new() };
        let found = fixture.sandbox.command(program).arg("--version").run().out();
        if !found.contains(version) {
            skipped_unsupported(&check, &format!("docs/interop.md is about {version}, and here is {}", found.trim()));
            return None;
        }
        fixture.seed();
        Some(fixture.with_containers_config())
    }

    /// The images, under `app`, `oci` and `arm64`.
    fn seed(&self) {
        for platform in ["linux/amd64", "linux/arm64/v8"] {
            let tag = platform.split('/').nth(1).unwrap_or_default();
            self.client.push_image("app", tag, &docker_image(platform));
            self.client.push_image("oci", tag, &oci_image(platform));
        }
    }

    /// What the tools read: this registry speaks plain HTTP, images are stored as plain directories below the sandbox.
    fn with_containers_config(mut self) -> Self {
        let root = self.sandbox.path().display().to_string();
        let host = self.registry.host();
        let policy = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        self.sandbox.write("home/.config/containers/policy.json", policy);
        let registries = format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true\n");
        self.sandbox.write("home/.config/containers/registries.conf", registries);
        let storage = format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{root}/graph\"\nrunroot = \"{root}/run\"\n");
        let engine = format!(
            "[engine]\nlock_type = \"file\"\nevents_logger = \"none\"\ncgroup_manager = \"cgroupfs\"\n\
             tmp_dir = \"{root}/tmp\"\n"
        );
        for (variable, file, text) in
            [("CONTAINERS_STORAGE_CONF", "storage.conf", storage), ("CONTAINERS_CONF", "containers.conf", engine)]
        {
            let path = self.sandbox.write(file, text);
            self.sandbox.set(variable, path);
        }
        self.sandbox.set("BUILDAH_ISOLATION", "chroot");
        self.sandbox.set("XDG_RUNTIME_DIR", self.sandbox.path().join("home"));
        self.sandbox.write_config("{}");
        self
    }

    /// A line with blanks between its words; `{R}` is the registry's host, `{D}` the sandbox.
    pub(super) fn words(&self, line: &str) -> Vec<String> {
        let line = line.replace("{R}", &self.registry.host());
        line.split_whitespace().map(|word| word.replace("{D}", &self.dir().display().to_string())).collect()
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.sandbox.path().to_owned()
    }

    /// Runs a command line.
    pub(super) fn run(&self, line: &str) -> Output {
        let words = self.words(line);
        let (program, rest) = words.split_first().expect("a program");
        self.sandbox.command(program).args(rest).run()
    }

    /// Runs a command line that has to work; gives its stdout.
    #[track_caller]
    pub(super) fn run_ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.code, 0, "{line}: {}{}", output.out(), output.err());
        output.out()
    }

    /// Runs a command line that has to end with this code and say these words on stderr.
    #[track_caller]
    pub(super) fn run_failing(&self, line: &str, code: i32, words: &str) {
        let output = self.run(line);
        assert_eq!(output.code, code, "{line}: {}{}", output.out(), output.err());
        let words = words.replace("{R}", &self.registry.host());
        // Some put their message into quotes, and escape those that are in it.
        assert!(output.err().replace('\\', "").contains(&words), "{line}: {}", output.err());
    }

    /// Runs our program.
    #[track_caller]
    pub(super) fn ours(&self, line: &str) -> String {
        self.run_ok(&format!("{OURS} {line}"))
    }

    /// Publishes a list of a kind as users of ours do, under `ours:KIND`; gives its bytes.
    pub(super) fn publish(&self, kind: &str) -> Vec<u8> {
        let list = format!("{{R}}/ours:{kind}");
        let images = match kind {
            "docker" => "{R}/app:amd64 {R}/app:arm64".to_owned(),
            "oci" => "{R}/oci:amd64 {R}/oci:arm64".to_owned(),
            "mixed" => "{R}/app:amd64 {R}/oci:arm64".to_owned(),
            other => {
                self.client.push_index("seed", other, &index(other));
                format!("{{R}}/seed:{other}")
            }
        };
        self.ours(&format!("create {list} {images}"));
        for more in match kind {
            "oci" => &["--annotation k=v", "{R}/oci:arm64 --annotation e=f"][..],
            "typed" => &["--artifact-type application/x.test"],
            _ => &[],
        } {
            self.ours(&format!("annotate {list} {more}"));
        }
        let form = if kind == "mixed" { "--type oci" } else { "" };
        self.ours(&format!("push {form} {list}"));
        let (media_type, bytes) = self.client.manifest("ours", kind);
        let is_docker = ["docker", "arms", "twice", "windows"].contains(&kind);
        assert_eq!(media_type, if is_docker { DOCKER_LIST } else { OCI_INDEX }, "{kind}");
        bytes
    }

    /// What the registry serves under `REPOSITORY:TAG`.
    pub(super) fn served(&self, name: &str) -> Vec<u8> {
        let (repository, tag) = name.rsplit_once(':').expect("a tag");
        self.client.manifest(repository, tag).1
    }

    /// What a list has lost that a tool published as `REPOSITORY:TAG`.
    pub(super) fn lost_parts(&self, before: &[u8], name: &str) -> Vec<&'static str> {
        differences(before, &self.served(name))
    }

    /// We read what another tool has published: its bytes as they are, and a copy of it in another repository has the
    /// same bytes, images included.
    #[track_caller]
    pub(super) fn copy_and_assert_unchanged(&self, name: &str) {
        let theirs = self.served(name);
        assert_eq!(self.ours(&format!("inspect --raw {{R}}/{name}")).as_bytes(), theirs);
        let copy = format!("kept:{}", name.replace([':', '/'], "-"));
        self.ours(&format!("create --replace {{R}}/{copy} {{R}}/{name}"));
        self.ours(&format!("push {{R}}/{copy}"));
        assert_eq!(self.lost_parts(&theirs, &copy), [""; 0], "{name}");
    }

    /// The value of a member of an image's configuration in the registry.
    pub(super) fn image_config(&self, name: &str) -> Value {
        let (repository, _) = name.rsplit_once(':').expect("a tag");
        let image: Value = serde_json::from_slice(&self.served(name)).expect("a manifest");
        let path = format!("/v2/{repository}/blobs/{}", image["config"]["digest"].as_str().expect("a digest"));
        serde_json::from_slice(&self.client.request("GET", &path, &[], b"").body).expect("a configuration")
    }
}

/// The indexes of the kinds that are made from one.
fn index(kind: &str) -> Index {
    let (amd64, arm64) = ("linux/amd64", "linux/arm64/v8");
    match kind {
        "attested" => {
            let image = oci_image(amd64);
            let digest = image.digest();
            let annotations = [
                ("vnd.docker.reference.digest", digest.as_str()),
                ("vnd.docker.reference.type", "attestation-manifest"),
            ];
            let unknown_platform = json!({"architecture": "unknown", "os": "unknown"});
            Index::oci().image(&image).image_with(&attestation_of(&image), unknown_platform, &annotations).build()
        }
        "arms" => {
            let arm_image = |variant: &str| docker_image(&format!("linux/arm/{variant}"));
            Index::docker().image(&arm_image("v6")).image(&arm_image("v7")).image(&arm_image("v5")).build()
        }
        "twice" => Index::docker()
            .image(&docker_image(amd64))
            .image_with(&docker_image(amd64), json!({"architecture": "386", "os": "linux"}), &[])
            .build(),
        "windows" => {
            let builder = Image::docker().platform("windows", "amd64").os_version("10.0.1").os_features(&["win32k"]);
            Index::docker().image(&builder.layer(gzip_stored(b"windows")).build()).image(&docker_image(amd64)).build()
        }
        "typed" => Index::oci().image(&oci_image(amd64)).image(&oci_image(arm64)).build(),
        "artifact" => {
            let chart = artifact("application/x.test", &gzip_stored(b"content"));
            Index::oci().image(&oci_image(amd64)).image_with(&chart, Value::Null, &[]).build()
        }
        "bare" => {
            let (amd64_image, arm64_image) = (oci_image(amd64), oci_image(arm64));
            Index::oci().image_with(&amd64_image, Value::Null, &[]).image_with(&arm64_image, Value::Null, &[]).build()
        }
        "nested" => {
            let inner = Index::oci().image(&oci_image(amd64)).image(&oci_image(arm64)).build();
            Index::oci().index(&inner).image(&oci_image("linux/s390x")).build()
        }
        other => panic!("{other} is no kind of list"),
    }
}
