//! The requests of each command, counted by a registry that records them: as few as the protocol allows, whatever
//! the timing.

mod after_error;
mod copies;
mod create;
mod insecure;
mod inspect;
mod jobs;
mod memory;
mod order;
mod parallel_requests;
mod preconnect;
mod push;
mod token_servers;
mod tokens;

use std::thread;

use testkit::image::{Image, Index, sha256};
use testkit::loopback::{RecordedRequest, Registry};
use testkit::sandbox::{Output, Sandbox, SandboxCommand};

use super::OURS;

/// The repository that lists are pushed to.
const TARGET_REPOSITORY: &str = "dst/app";
/// The layer that all images share.
const BASE_LAYER: &[u8] = b"the shared layer";

/// Images in as many repositories of one registry, one shared and one own layer each, and a list to be made of them.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
    images: Vec<Image>,
}

impl Fixture {
    fn new(images: usize) -> Fixture {
        Fixture::with_registry(Registry::start(), images)
    }

    /// In a registry that is not the usual one.
    fn with_registry(registry: Registry, images: usize) -> Fixture {
        let images: Vec<Image> = (0..images).map(|number| image_of_layers(&[BASE_LAYER, &own_layer(number)])).collect();
        for (number, image) in images.iter().enumerate() {
            registry.put_image(&source(number), "1", image);
        }
        Fixture { registry, sandbox: Sandbox::new(), images }
    }

    /// A name in the registry.
    fn name(&self, rest: &str) -> String {
        self.registry.name(rest)
    }

    /// The list's name.
    fn list(&self) -> String {
        self.name(&format!("{TARGET_REPOSITORY}:1"))
    }

    /// `docker-manifest ARGS`, to be run.
    fn command(&self, args: &[&str]) -> SandboxCommand {
        self.sandbox.command(OURS).args(args.iter().copied())
    }

    /// `create`, these flags, the list and all images.
    fn create_command(&self, flags: &[&str]) -> SandboxCommand {
        let images = (0..self.images.len()).map(|number| self.name(&format!("{}:1", source(number))));
        self.command(&["create"]).args(flags.iter().copied()).arg(self.list()).args(images)
    }

    /// `push`, these flags and the list.
    fn push_command(&self, flags: &[&str]) -> SandboxCommand {
        self.command(&["push"]).args(flags.iter().copied()).arg(self.list())
    }

    /// Makes the draft; the record is empty afterwards.
    fn with_draft(self) -> Fixture {
        let _ = self.create_command(&[]).run().success();
        self.registry.clear_record();
        self
    }

    /// Runs a command while `meanwhile` looks on, and gives its output.
    fn run_while(&self, command: &SandboxCommand, meanwhile: impl FnOnce(&Registry)) -> Output {
        thread::scope(|scope| {
            let running = scope.spawn(|| command.run());
            meanwhile(&self.registry);
            running.join().expect("the command was run")
        })
    }

    /// What a create of these images takes when nobody asks for a login: a manifest and a configuration each.
    fn create_lines(&self) -> Vec<String> {
        (0..self.images.len()).flat_map(|number| [self.manifest_line(number), self.config_line(number)]).collect()
    }

    fn manifest_line(&self, number: usize) -> String {
        format!("GET /v2/{}/manifests/1 200", source(number))
    }

    fn config_line(&self, number: usize) -> String {
        format!("GET /v2/{}/blobs/{} 200", source(number), self.images[number].config_digest())
    }

    /// What a push of the images in `missing` takes, one at a time, after a GET of the published list that was answered
    /// with `current_list_status`.
    fn push_lines(&self, current_list_status: u16, missing: &[usize]) -> Vec<String> {
        let mut lines = vec![format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 {current_list_status}")];
        let mut shared = Some(sha256(BASE_LAYER));
        for number in missing {
            let image = &self.images[*number];
            let blobs = [Some(image.config_digest()), shared.take(), Some(sha256(&own_layer(*number)))];
            lines.extend(blobs.into_iter().flatten().map(|blob| mount_line(&blob, &source(*number))));
            lines.push(put_line(&image.digest()));
        }
        lines.push(put_line("1"));
        lines
    }

    /// What a push prints.
    fn expected_push_output(&self) -> String {
        let target = self.name(TARGET_REPOSITORY);
        let child = |image: &Image| format!("Pushed ref {target}@{0} with digest: {0}\n", image.digest());
        let (_, list) = self.registry.manifest(TARGET_REPOSITORY, "1").expect("the list was pushed");
        self.images.iter().map(child).chain([format!("{}\n", sha256(&list))]).collect()
    }

    /// What was recorded, in order of arrival; the record is empty afterwards.
    fn take_request_lines(&self) -> Vec<String> {
        let lines = self.registry.requests().iter().map(RecordedRequest::line).collect();
        self.registry.clear_record();
        lines
    }
}

fn source(number: usize) -> String {
    format!("src/i{number:04}")
}

fn own_layer(number: usize) -> Vec<u8> {
    format!("layer {number}").into_bytes()
}

/// An image of these layers; others make another configuration.
fn image_of_layers(layers: &[&[u8]]) -> Image {
    layers.iter().fold(Image::docker().platform("linux", "amd64"), |image, layer| image.layer(layer)).build()
}

/// A list of these images.
fn index(images: &[Image]) -> Index {
    images.iter().fold(Index::docker(), |index, image| index.image(image)).build()
}

fn mount_line(blob: &str, from: &str) -> String {
    format!("POST /v2/{TARGET_REPOSITORY}/blobs/uploads/?mount={blob}&from={from} 201")
}

/// A look for a child that is there.
fn head_manifest_line(digest: &str) -> String {
    format!("HEAD /v2/{TARGET_REPOSITORY}/manifests/{digest} 200")
}

fn put_line(reference: &str) -> String {
    format!("PUT /v2/{TARGET_REPOSITORY}/manifests/{reference} 201")
}

/// The same requests, each as often, in whatever order.
#[track_caller]
fn assert_same(mut found: Vec<String>, mut expected: Vec<String>) {
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Whether so many of the requests with this in their line were answered.
fn have_responses(requests: &[RecordedRequest], part: &str, number: usize) -> bool {
    requests.iter().filter(|request| request.status != 0 && request.line().contains(part)).count() >= number
}

/// Whether so many of the requests with this in their line have arrived.
fn have_arrived(requests: &[RecordedRequest], part: &str, number: usize) -> bool {
    requests.iter().filter(|request| request.line().contains(part)).count() >= number
}
