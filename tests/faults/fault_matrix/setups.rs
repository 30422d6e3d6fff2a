//! The content of registries and store before a command.

use std::sync::LazyLock;

use testkit::image::fixtures::buildx_index;
use testkit::image::{Image, Index};
use testkit::loopback::GeneratedBlob;

use super::fixture::{Fixture, Side};

/// The repositories of all commands.
pub(super) const REPOSITORIES: &[&str] = &["team/app", "team/amd", "team/arm", "team/both"];
/// The repository that `check` uses.
pub(super) const PROBE_REPOSITORY: &str = "team/trials";

/// The images that the registries serve, made once.
struct Material {
    amd64: Image,
    arm64: Image,
    newer: Image,
    index: Index,
    old: Index,
    blob: GeneratedBlob,
    large: Image,
}

/// More than one request sends.
const LARGE_LAYER_SIZE: u64 = 8 * 1024 * 1024 + 1;

static MATERIAL: LazyLock<Material> = LazyLock::new(|| {
    let amd64 = Image::docker().platform("linux", "amd64").layer("shared").layer("amd").build();
    let arm64 = Image::docker().platform("linux", "arm64").variant("v8").layer("shared").layer("arm").build();
    let newer = Image::docker().platform("linux", "amd64").layer("shared").layer("newer").build();
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    let old = Index::docker().image(&Image::docker().platform("linux", "s390x").layer("old").build()).build();
    let blob = GeneratedBlob::new(LARGE_LAYER_SIZE, 1);
    let large = Image::oci().platform("linux", "amd64").layer_by_digest(&blob.digest(), blob.size()).build();
    Material { amd64, arm64, newer, index, old, blob, large }
});

/// No content.
pub(super) fn nothing(_: &Fixture) {}

/// Two images and an index, in the registry of the list.
pub(super) fn images(fixture: &Fixture) {
    let target = fixture.registry(Side::Target);
    target.put_image("team/amd", "1", &MATERIAL.amd64);
    target.put_image("team/arm", "1", &MATERIAL.arm64);
    target.put_index("team/both", "1", &MATERIAL.index);
}

/// The list that the tag names before.
fn old_list(fixture: &Fixture) {
    fixture.registry(Side::Target).put_index("team/app", "1", &MATERIAL.old);
}

/// Images, and a list that the tag names before.
pub(super) fn images_and_list(fixture: &Fixture) {
    old_list(fixture);
    images(fixture);
}

/// The entry of one platform of a shared draft.
pub(super) fn shared_entry(fixture: &Fixture) {
    images_and_list(fixture);
    let (list, index) = (fixture.list(), fixture.name("team/both:1"));
    fixture.prepare(&["add", "--shared", "--platform", "linux/amd64", &list, &index]);
}

/// The entries of two platforms.
pub(super) fn shared_entries(fixture: &Fixture) {
    images_and_list(fixture);
    fixture.prepare(&["add", "--shared", &fixture.list(), &fixture.name("team/both:1")]);
}

/// Two images in the list's own repository, under their architectures' names.
pub(super) fn images_in_place(fixture: &Fixture) {
    old_list(fixture);
    fixture.registry(Side::Target).put_image("team/app", "amd64", &MATERIAL.amd64);
    fixture.registry(Side::Target).put_image("team/app", "arm64", &MATERIAL.arm64);
}

/// Two images in the other registry.
pub(super) fn images_in_source(fixture: &Fixture) {
    old_list(fixture);
    fixture.registry(Side::Source).put_image("team/amd", "1", &MATERIAL.amd64);
    fixture.registry(Side::Source).put_image("team/arm", "1", &MATERIAL.arm64);
}

/// Images in both registries.
pub(super) fn images_in_both(fixture: &Fixture) {
    images(fixture);
    images_in_source(fixture);
}

fn draft_of(fixture: &Fixture, images: &[String]) {
    let list = fixture.list();
    let words: Vec<&str> = ["create", &list].into_iter().chain(images.iter().map(String::as_str)).collect();
    fixture.prepare(&words);
}

/// A draft whose images are in the list's repository.
pub(super) fn draft_in_place(fixture: &Fixture) {
    images_in_place(fixture);
    draft_of(fixture, &[fixture.name("team/app:amd64"), fixture.name("team/app:arm64")]);
}

/// A draft whose images are in the list's registry.
pub(super) fn draft_from_target(fixture: &Fixture) {
    old_list(fixture);
    images(fixture);
    draft_of(fixture, &[fixture.name("team/amd:1"), fixture.name("team/arm:1")]);
}

/// A draft whose images are in the other registry.
pub(super) fn draft_from_source(fixture: &Fixture) {
    images_in_source(fixture);
    draft_of(fixture, &[fixture.source_name("team/amd:1"), fixture.source_name("team/arm:1")]);
}

/// A draft with a layer that takes several requests.
pub(super) fn draft_of_large_layer(fixture: &Fixture) {
    old_list(fixture);
    let source = fixture.registry(Side::Source);
    source.put_image("team/amd", "1", &MATERIAL.large);
    source.put_generated_blob("team/amd", &MATERIAL.blob);
    draft_of(fixture, &[fixture.source_name("team/amd:1")]);
}

/// A draft with an image that the user described, and whose tag has moved since.
pub(super) fn outdated_draft(fixture: &Fixture) {
    images(fixture);
    draft_of(fixture, &[fixture.name("team/amd:1"), fixture.name("team/arm:1")]);
    fixture.prepare(&["annotate", &fixture.list(), &fixture.name("team/amd:1"), "--os-version", "6.1"]);
    fixture.registry(Side::Target).put_image("team/amd", "1", &MATERIAL.newer);
}

/// A draft of one image.
pub(super) fn draft_of_one(fixture: &Fixture) {
    images(fixture);
    draft_of(fixture, &[fixture.name("team/amd:1")]);
}
