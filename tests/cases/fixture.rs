//! A loopback registry and a sandbox, which most tests of the whole program need. A file of tests adds what only its
//! tests need in an `impl Fixture` of its own.

use std::path::PathBuf;

use serde_json::Value;
use testkit::image::{Image, sha256};
use testkit::loopback::{RecordedRequest, Registry};
use testkit::sandbox::{Output, Sandbox, SandboxCommand};

use super::OURS;

pub(super) struct Fixture {
    pub(super) registry: Registry,
    pub(super) sandbox: Sandbox,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        Fixture::with_registry(Registry::start())
    }

    pub(super) fn with_registry(registry: Registry) -> Fixture {
        Fixture { registry, sandbox: Sandbox::new() }
    }

    /// With an OCI image for linux and each of these architectures, as `REPOSITORY:ARCHITECTURE`.
    pub(super) fn with_images(self, repository: &str, architectures: &[&str]) -> Fixture {
        for architecture in architectures {
            self.put_image(repository, architecture, architecture);
        }
        self
    }

    /// Puts an image for linux and this architecture in place.
    pub(super) fn put_image(&self, repository: &str, tag: &str, architecture: &str) -> Image {
        let image = Image::oci().platform("linux", architecture).layer(architecture).build();
        self.registry.put_image(repository, tag, &image);
        image
    }

    /// The full name of something in the registry.
    pub(super) fn name(&self, rest: &str) -> String {
        self.registry.name(rest)
    }

    /// The text with the registry's host and a slash in place of each `@`.
    pub(super) fn expand(&self, text: &str) -> String {
        text.replace('@', &self.name(""))
    }

    /// The program with these arguments; those that begin with `@` get the registry's host before them.
    pub(super) fn command(&self, args: &[&str]) -> SandboxCommand {
        self.sandbox.command(OURS).args(self.registry.expand_names(args))
    }

    /// Runs the program.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args).run()
    }

    /// The same; the registry's record is of this run alone.
    pub(super) fn run_recorded(&self, args: &[&str]) -> Output {
        self.registry.clear_record();
        self.run(args)
    }

    /// With links to the program by the names `manifest-tool` and `mquery`.
    pub(super) fn with_links(self) -> Fixture {
        for name in ["manifest-tool", "mquery"] {
            std::os::unix::fs::symlink(OURS, self.sandbox.path().join(name)).expect("a link");
        }
        self
    }

    /// The program by this link.
    pub(super) fn command_by(&self, name: &str, args: &[&str]) -> SandboxCommand {
        self.sandbox.command(self.sandbox.path().join(name)).args(self.registry.expand_names(args))
    }

    /// Runs the program by its link `manifest-tool`.
    pub(super) fn manifest_tool(&self, args: &[&str]) -> Output {
        self.command_by("manifest-tool", args).run()
    }

    /// The path of a spec file with this content, in which each `@` begins a name in the registry.
    pub(super) fn write_spec(&self, text: &str) -> String {
        self.sandbox.write("list.yaml", self.expand(text)).display().to_string()
    }

    /// Runs `apply -f - ARGS` with this spec, in which each `@` begins a name in the registry.
    pub(super) fn apply(&self, spec: &str, args: &[&str]) -> Output {
        self.command(&[&["apply", "-f", "-"], args].concat()).stdin(self.expand(spec)).run()
    }

    /// The JSON that a successful run prints. The registry's record is of this run alone.
    pub(super) fn run_recorded_json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run_recorded(args).success().stdout).expect("JSON")
    }

    /// The entries of the list that `inspect` shows.
    pub(super) fn entries(&self, list: &str) -> Vec<Value> {
        let shown = self.run(&["inspect", list]).success();
        let list: Value = serde_json::from_slice(&shown.stdout).expect("a list");
        list["manifests"].as_array().expect("entries").clone()
    }

    /// The digests of these entries, in their order.
    pub(super) fn digests(&self, list: &str) -> Vec<String> {
        self.entries(list).iter().filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
    }

    /// Whether there is a draft of this name.
    pub(super) fn has_draft(&self, list: &str) -> bool {
        self.command(&["exists", list]).run().code == 0
    }

    /// The directory of a draft in the store. The name is without the registry's host.
    pub(super) fn draft_directory(&self, list: &str) -> PathBuf {
        self.sandbox.store().join(self.name(list).replace(':', "-").replace('/', "_"))
    }

    /// The file beside a draft, which has what docker's format cannot have.
    pub(super) fn sidecar(&self, list: &str) -> PathBuf {
        let directory = self.draft_directory(list);
        self.sandbox.store().join(".docker-manifest/lists").join(directory.file_name().expect("a name"))
    }

    /// The bytes that the registry serves under a tag.
    #[track_caller]
    pub(super) fn served(&self, repository: &str, tag: &str) -> Vec<u8> {
        self.registry.manifest(repository, tag).unwrap_or_else(|| panic!("nothing under {repository}:{tag}")).1
    }

    /// The list that the registry serves under a tag.
    #[track_caller]
    pub(super) fn list(&self, repository: &str, tag: &str) -> Value {
        serde_json::from_slice(&self.served(repository, tag)).expect("a list")
    }

    /// The digest of what the registry serves under a tag.
    #[track_caller]
    pub(super) fn digest(&self, repository: &str, tag: &str) -> String {
        sha256(&self.served(repository, tag))
    }

    /// The requests of the record, `METHOD PATH STATUS` each.
    pub(super) fn request_lines(&self) -> Vec<String> {
        self.registry.requests().iter().map(RecordedRequest::line).collect()
    }

    /// The same; the record is empty afterwards.
    pub(super) fn take_request_lines(&self) -> Vec<String> {
        let requests = self.request_lines();
        self.registry.clear_record();
        requests
    }

    /// The requests of the record that do not only read.
    pub(super) fn writes(&self) -> Vec<String> {
        self.request_lines()
            .into_iter()
            .filter(|line| !line.starts_with("GET ") && !line.starts_with("HEAD "))
            .collect()
    }
}
