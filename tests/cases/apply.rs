//! `apply` and `export`: lists from spec files and back.

mod export;
mod references;
mod specs;
mod validation;

use serde_json::Value;
use testkit::image::Image;
use testkit::sandbox::tree_without_root_dot_names;

use super::fixture::Fixture;

impl Fixture {
    /// With an image for each of these architectures, as `src/ARCHITECTURE:1`.
    fn with_sources(architectures: &[&str]) -> Fixture {
        let fixture = Fixture::new();
        for architecture in architectures {
            fixture.registry.put_image(&format!("src/{architecture}"), "1", &image(architecture));
        }
        fixture.registry.clear_record();
        fixture
    }

    /// `DIGEST PLATFORM` of each entry of a list, in its order.
    fn digests_and_platforms(&self, repository: &str, tag: &str) -> Vec<(String, String)> {
        let list = self.list(repository, tag);
        let entries = list["manifests"].as_array().expect("entries").iter();
        entries.map(|entry| (text(&entry["digest"]), platform(&entry["platform"]))).collect()
    }

    fn listed_platforms(&self, repository: &str, tag: &str) -> Vec<String> {
        self.digests_and_platforms(repository, tag).into_iter().map(|(_, platform)| platform).collect()
    }

    fn take_puts_and_posts(&self) -> Vec<String> {
        self.take_request_lines()
            .into_iter()
            .filter(|line| line.starts_with("PUT") || line.starts_with("POST"))
            .collect()
    }

    /// Whether there is nothing in docker's store.
    fn has_no_drafts(&self) -> bool {
        !self.sandbox.store().exists()
            || tree_without_root_dot_names(&self.sandbox.store()).keys().all(|path| path.starts_with('.'))
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
