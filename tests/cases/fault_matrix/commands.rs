//! Every command that talks to a registry, and what it finds there.

use std::sync::LazyLock;

use testkit::image::fixtures::buildx_index;
use testkit::image::{Image, Index};
use testkit::loopback::Big;

use super::ground::{Ground, Side};

/// The repositories that any command knows.
pub(super) const REPOSITORIES: &[&str] = &["team/app", "team/amd", "team/arm", "team/both"];

/// A command line and its world.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// Whether there is a blob of megabytes.
    pub(super) is_large: bool,
    /// Whether what is printed may say less where a registry tells less.
    pub(super) is_vague: bool,
    prepare: fn(&Ground),
    words: fn(&Ground) -> Vec<String>,
}

impl Command {
    /// Puts everything in place that the command finds.
    pub(super) fn prepare(&self, ground: &Ground) {
        (self.prepare)(ground);
    }

    /// Its words.
    pub(super) fn words(&self, ground: &Ground) -> Vec<String> {
        (self.words)(ground)
    }
}

/// What the registries serve, made once.
struct Material {
    amd: Image,
    arm: Image,
    newer: Image,
    both: Index,
    old: Index,
    big: Big,
    large: Image,
}

/// More than what is sent in one request.
const LARGE: u64 = 8 * 1024 * 1024 + 1;

static MATERIAL: LazyLock<Material> = LazyLock::new(|| {
    let amd = Image::docker().platform("linux", "amd64").layer("shared").layer("amd").build();
    let arm = Image::docker().platform("linux", "arm64").variant("v8").layer("shared").layer("arm").build();
    let newer = Image::docker().platform("linux", "amd64").layer("shared").layer("newer").build();
    let both = buildx_index(&["linux/amd64", "linux/arm64"]);
    let old = Index::docker().image(&Image::docker().platform("linux", "s390x").layer("old").build()).build();
    let big = Big::new(LARGE, 1);
    let large = Image::oci().platform("linux", "amd64").layer_elsewhere(&big.digest(), big.size()).build();
    Material { amd, arm, newer, both, old, big, large }
});

fn words(first: &[&str], names: impl IntoIterator<Item = String>) -> Vec<String> {
    first.iter().map(|word| (*word).to_owned()).chain(names).collect()
}

fn images(ground: &Ground) {
    let target = ground.registry(Side::Target);
    target.put_image("team/amd", "1", &MATERIAL.amd);
    target.put_image("team/arm", "1", &MATERIAL.arm);
    target.put_index("team/both", "1", &MATERIAL.both);
}

/// The list that the tag names before.
fn old_list(ground: &Ground) {
    ground.registry(Side::Target).put_index("team/app", "1", &MATERIAL.old);
}

fn list(ground: &Ground) -> String {
    ground.at("team/app:1")
}

fn draft_of(ground: &Ground, images: &[String]) {
    let list = list(ground);
    let words: Vec<&str> = ["create", &list].into_iter().chain(images.iter().map(String::as_str)).collect();
    ground.prepare(&words);
}

fn draft_in_place(ground: &Ground) {
    old_list(ground);
    ground.registry(Side::Target).put_image("team/app", "amd", &MATERIAL.amd);
    ground.registry(Side::Target).put_image("team/app", "arm", &MATERIAL.arm);
    draft_of(ground, &[ground.at("team/app:amd"), ground.at("team/app:arm")]);
}

fn draft_near(ground: &Ground) {
    old_list(ground);
    images(ground);
    draft_of(ground, &[ground.at("team/amd:1"), ground.at("team/arm:1")]);
}

fn draft_afar(ground: &Ground) {
    old_list(ground);
    ground.registry(Side::Source).put_image("team/amd", "1", &MATERIAL.amd);
    ground.registry(Side::Source).put_image("team/arm", "1", &MATERIAL.arm);
    draft_of(ground, &[ground.afar("team/amd:1"), ground.afar("team/arm:1")]);
}

fn draft_of_large(ground: &Ground) {
    old_list(ground);
    let source = ground.registry(Side::Source);
    source.put_image("team/amd", "1", &MATERIAL.large);
    source.put_big("team/amd", &MATERIAL.big);
    draft_of(ground, &[ground.afar("team/amd:1")]);
}

/// A draft with images that were described by hand, and whose tag has moved since.
fn draft_that_is_behind(ground: &Ground) {
    images(ground);
    draft_of(ground, &[ground.at("team/amd:1"), ground.at("team/arm:1")]);
    ground.prepare(&["annotate", &list(ground), &ground.at("team/amd:1"), "--os-version", "6.1"]);
    ground.registry(Side::Target).put_image("team/amd", "1", &MATERIAL.newer);
}

fn draft_of_one(ground: &Ground) {
    images(ground);
    draft_of(ground, &[ground.at("team/amd:1")]);
}

/// One that is neither large nor vague.
const fn plain(name: &'static str, prepare: fn(&Ground), words: fn(&Ground) -> Vec<String>) -> Command {
    Command { name, is_large: false, is_vague: false, prepare, words }
}

/// All of them.
pub(super) static COMMANDS: &[Command] = &[
    plain("create", images, |g| words(&["create"], [list(g), g.at("team/amd:1"), g.at("team/arm:1")])),
    plain("create of an index", images, |g| words(&["create"], [list(g), g.at("team/both:1")])),
    plain("create --amend", draft_that_is_behind, |g| {
        words(&["create", "--amend"], [list(g), g.at("team/amd:1"), g.at("team/both:1")])
    }),
    plain("add", draft_of_one, |g| words(&["add"], [list(g), g.at("team/arm:1"), g.at("team/both:1")])),
    plain("inspect", images, |g| words(&["inspect"], [g.at("team/both:1")])),
    plain("inspect -v of an image", images, |g| words(&["inspect", "-v"], [g.at("team/amd:1")])),
    plain("inspect -v", images, |g| words(&["inspect", "-v"], [g.at("team/both:1")])),
    plain("push in place", draft_in_place, |g| words(&["push"], [list(g)])),
    plain("push --purge", draft_in_place, |g| words(&["push", "--purge"], [list(g)])),
    plain("push with mounts", draft_near, |g| words(&["push"], [list(g)])),
    plain("push with copies", draft_afar, |g| words(&["push"], [list(g)])),
    Command { is_large: true, ..plain("push with a large copy", draft_of_large, |g| words(&["push"], [list(g)])) },
    plain("push -t", draft_near, |g| words(&["push", "-t", "1.2.3", "-t", "latest"], [list(g)])),
    Command { is_vague: true, ..plain("push --dry-run", draft_afar, |g| words(&["push", "--dry-run"], [list(g)])) },
];
