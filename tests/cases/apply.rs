//! `apply` and `export`: lists from spec files and back.

mod export;
mod failures;
mod references;
mod specs;

use serde_json::Value;
use testkit::image::Image;
use testkit::loopback::{Recorded, Registry};
use testkit::sandbox::{Output, Run, Sandbox, tree};

use super::OURS;

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { registry: Registry::start(), sandbox: Sandbox::new() }
    }

    /// With an image for each of these architectures, as `src/ARCHITECTURE:1`.
    fn with(architectures: &[&str]) -> Fixture {
        let fixture = Fixture::new();
        for architecture in architectures {
            fixture.registry.put_image(&format!("src/{architecture}"), "1", &image(architecture));
        }
        fixture.registry.clear();
        fixture
    }

    /// A text in which each `@` that begins a name becomes the registry's host.
    fn here(&self, text: &str) -> String {
        text.replace('@', &format!("{}/", self.registry.host()))
    }

    fn name(&self, rest: &str) -> String {
        self.registry.name(rest)
    }

    /// A command whose words that begin with `@` get the registry's host before them.
    fn command(&self, args: &[&str]) -> Run {
        self.sandbox.command(OURS).args(self.registry.words(args))
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).run()
    }

    /// `apply -f - ARGS` with this spec.
    fn apply(&self, spec: &str, args: &[&str]) -> Output {
        self.command(&[&["apply", "-f", "-"], args].concat()).stdin(self.here(spec)).run()
    }

    fn list(&self, repository: &str, tag: &str) -> Value {
        let (_, bytes) = self.registry.manifest(repository, tag).expect("the list was published");
        serde_json::from_slice(&bytes).expect("a list")
    }

    /// `DIGEST PLATFORM` of each line of a list, in its order.
    fn lines(&self, repository: &str, tag: &str) -> Vec<(String, String)> {
        let list = self.list(repository, tag);
        let lines = list["manifests"].as_array().expect("lines").iter();
        lines.map(|line| (text(&line["digest"]), platform(&line["platform"]))).collect()
    }

    fn platforms(&self, repository: &str, tag: &str) -> Vec<String> {
        self.lines(repository, tag).into_iter().map(|(_, platform)| platform).collect()
    }

    /// What was asked, in order of arrival; the record is empty afterwards.
    fn requests(&self) -> Vec<String> {
        let lines = self.registry.requests().iter().map(Recorded::line).collect();
        self.registry.clear();
        lines
    }

    fn put_requests(&self) -> Vec<String> {
        self.requests().into_iter().filter(|line| line.starts_with("PUT") || line.starts_with("POST")).collect()
    }

    /// Whether there is nothing in docker's store.
    fn has_no_drafts(&self) -> bool {
        !self.sandbox.store().exists() || tree(&self.sandbox.store()).keys().all(|path| path.starts_with('.'))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn platform(value: &Value) -> String {
    let parts = ["os", "architecture", "variant"].map(|member| text(&value[member]));
    let version = text(&value["os.version"]);
    let platform = parts.join("/").trim_end_matches('/').to_owned();
    if version.is_empty() { platform } else { format!("{platform}:{version}") }
}

fn image(architecture: &str) -> Image {
    Image::oci().platform("linux", architecture).layer("the shared layer").layer(architecture).build()
}
