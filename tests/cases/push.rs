//! `push` beyond docker's: images from other registries, several tags, required platforms, dry runs, and results
//! for programs.

mod bounds;
mod copies;
mod dry_run;
mod missing;
mod real;
mod references;
mod referrers;
mod refusals;
mod results;
mod source_referrers;
mod tags;
mod verify;

use serde_json::Value;
use testkit::image::{Image, sha256};
use testkit::loopback::{RecordedRequest, Registry};
use testkit::sandbox::Output;

use super::two_registry_fixture::Fixture;

/// The repository that lists are pushed to.
const TARGET_REPOSITORY: &str = "dst/app";

impl Fixture {
    fn with_registry(target: Registry) -> Fixture {
        Fixture::with_registries(Registry::start(), target)
    }

    /// Makes the draft `@dst/app:1` of these images; the records are empty afterwards.
    fn create_draft(&self, images: &[&str]) {
        let _ = self.run(&[&["create", "@dst/app:1"], images].concat()).success();
        self.target.clear_record();
        self.source.clear_record();
    }

    /// `push`, these flags and the draft.
    fn push(&self, flags: &[&str]) -> Output {
        self.run(&[&["push"], flags, &["@dst/app:1"]].concat())
    }

    /// What a push with `--format json` says.
    fn push_json(&self, flags: &[&str]) -> Value {
        let output = self.push(&[&["--format", "json"], flags].concat()).success();
        serde_json::from_str(&output.out()).unwrap_or_else(|error| panic!("{error}: {}", output.out()))
    }

    /// The bytes and the digest of what a tag serves.
    fn served_with_digest(&self, tag: &str) -> (Vec<u8>, String) {
        let (_, bytes) = self.target.manifest(TARGET_REPOSITORY, tag).unwrap_or_else(|| panic!("{tag} serves nothing"));
        let digest = sha256(&bytes);
        (bytes, digest)
    }

    /// The digests that the list under a tag names.
    fn children(&self, tag: &str) -> Vec<String> {
        let list: Value = serde_json::from_slice(&self.served_with_digest(tag).0).expect("a list");
        let entries = list["manifests"].as_array().expect("entries").iter();
        entries.map(|line| line["digest"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Whether the target has the image, with all that it needs.
    #[track_caller]
    fn assert_whole(&self, image: &Image) {
        let (_, bytes) = self.target.manifest(TARGET_REPOSITORY, &image.digest()).expect("the manifest is there");
        assert_eq!(bytes, image.manifest);
        for blob in image.blobs() {
            assert!(self.target.has_blob(TARGET_REPOSITORY, &sha256(blob)), "{} is missing", sha256(blob));
        }
    }
}

fn image(architecture: &str, layers: &[&[u8]]) -> Image {
    layers.iter().fold(Image::oci().platform("linux", architecture), |image, layer| image.layer(layer)).build()
}

/// `METHOD target status` of all requests, uploads without their names.
fn request_lines(registry: &Registry) -> Vec<String> {
    let shown = |request: &RecordedRequest| match request.target.split_once("/blobs/uploads/") {
        Some((before, after)) if !after.is_empty() && !after.starts_with('?') => {
            format!("{} {before}/blobs/uploads/ID {}", request.method, request.status)
        }
        _ => request.line(),
    };
    registry.requests().iter().map(shown).collect()
}

/// The requests that change something.
fn writes(registry: &Registry) -> Vec<String> {
    let is_write = |line: &String| ["POST ", "PUT ", "PATCH ", "DELETE "].iter().any(|method| line.starts_with(method));
    request_lines(registry).into_iter().filter(is_write).collect()
}

fn put_references(registry: &Registry) -> Vec<String> {
    let manifests = format!("/v2/{TARGET_REPOSITORY}/manifests/");
    let puts = registry.requests();
    let puts = puts.iter().filter(|request| request.method == "PUT");
    puts.filter_map(|request| request.target.strip_prefix(&manifests).map(str::to_owned)).collect()
}
