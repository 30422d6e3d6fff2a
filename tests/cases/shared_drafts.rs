//! Shared drafts: lists that several machines build, each with entries of its own in the registry.

mod child_pruning;
mod clean_up;
mod commands;
mod counts;
mod multi_machine;
mod registries;
mod untrusted_entries;
mod waiting;

use std::sync::Arc;

use docker_manifest::env::Env;
use docker_manifest::net::Clock;
use testkit::image::Image;
use testkit::loopback::{Registry, Rule};
use testkit::sandbox::{Output, Sandbox};

use super::fake_clocks::RecordingClock;
use super::{OURS, in_process};

/// The repository of the list, which has the images, too.
const REPOSITORY: &str = "app";

const AMD: &str = "linux/amd64";
const ARM: &str = "linux/arm64";
const BOTH: &str = "linux/amd64,linux/arm64";

/// A registry with an image of each platform in the list's repository, by digest alone.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with_registry(Registry::start())
    }

    fn with_registry(registry: Registry) -> Fixture {
        Fixture { registry, sandbox: Sandbox::new() }
    }

    /// The list's name.
    fn list(&self) -> String {
        self.registry.name("app:1")
    }

    /// The name of the image for this platform, which is put in place.
    fn put_image(&self, platform: &str) -> String {
        self.put_another_image(platform, "")
    }

    /// Another image for the same platform.
    fn put_another_image(&self, platform: &str, layer: &str) -> String {
        let digest = self.registry.put_image(REPOSITORY, &image(platform, layer).digest(), &image(platform, layer));
        self.registry.name(&format!("{REPOSITORY}@{digest}"))
    }

    /// Runs `docker-manifest WORDS`, as one machine of run `r`.
    fn run(&self, words: &[&str]) -> Output {
        self.sandbox.command(OURS).args(words.iter().copied()).env("DOCKER_MANIFEST_RUN", "r").run()
    }

    /// The same within this process, by a clock that does not wait.
    fn run_with_clock(&self, clock: Arc<dyn Clock>, words: &[&str]) -> Output {
        let home = self.sandbox.path().display().to_string();
        let env = Env::from_pairs([("HOME", home.as_str()), ("DOCKER_CONFIG", &home), ("DOCKER_MANIFEST_RUN", "r")]);
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        in_process::run("docker-manifest", &words, env, clock)
    }

    /// Adds an image for each of these platforms, one after the other.
    fn add(&self, platforms: &[&str]) -> &Fixture {
        for platform in platforms {
            let _ = self.run(&["add", "--shared", &self.list(), &self.put_image(platform)]).success();
        }
        self
    }

    fn push(&self, flags: &[&str]) -> Output {
        let list = self.list();
        self.run(&[&["push", "--shared"], flags, &[list.as_str()]].concat())
    }

    /// What was asked so far, without what was answered. The record is empty afterwards.
    fn take_request_lines(&self) -> Vec<String> {
        let requests = self.registry.requests();
        let lines = requests.iter().map(|request| format!("{} {}", request.method, request.target));
        let lines = lines.map(|line| line.replace("/v2/app/manifests/", "")).collect();
        self.registry.clear_record();
        lines
    }

    /// The platforms of the list under a tag; none where there is no list.
    fn platforms(&self, tag: &str) -> Vec<String> {
        let Some((_, bytes)) = self.registry.manifest(REPOSITORY, tag) else { return Vec::new() };
        let list: serde_json::Value = serde_json::from_slice(&bytes).expect("a list");
        let entries = list["manifests"].as_array().expect("entries").iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        entries.map(|line| [&line["platform"]["os"], &line["platform"]["architecture"]].map(text).join("/")).collect()
    }

    /// The digest under a tag.
    fn digest(&self, tag: &str) -> Option<String> {
        self.registry.manifest(REPOSITORY, tag).map(|(_, bytes)| testkit::image::sha256(&bytes))
    }

    /// The tags of entries.
    fn entry_tags(&self) -> Vec<String> {
        self.registry.tags(REPOSITORY).into_iter().filter(|tag| tag.starts_with("draft.")).collect()
    }
}

fn image(platform: &str, layer: &str) -> Image {
    let words: Vec<&str> = platform.split('/').collect();
    let image = Image::oci().platform(words[0], words[1]).layer(format!("{platform} {layer}"));
    words.get(2).map_or(image.clone(), |variant| image.variant(variant)).build()
}

/// The tag of an entry of run `r`.
fn tag(key: &str) -> String {
    let run = testkit::image::sha256(b"r");
    format!("draft.1.{}.{key}", &run["sha256:".len()..][..8])
}

/// What is asked for a tag of run `r`.
fn line(method: &str, key: &str) -> String {
    format!("{method} {}", tag(key))
}

/// No listing of tags is ever answered.
fn without_listing(registry: &Registry) {
    registry.add_fault(Rule::on("GET", "/tags/list"), testkit::loopback::Fault::status(500));
}
