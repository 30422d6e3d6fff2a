//! The hot inner parts alone, without a registry: reading and writing lists and entries, hashing, references.
//!
//! `cargo bench --bench inner`

use std::hint::black_box;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use docker_manifest::digest::Digest;
use docker_manifest::model::index::{EncodedManifest, Index, ListFormat};
use docker_manifest::model::{Draft, Entry, json};
use docker_manifest::platform::Platform;
use docker_manifest::reference::Reference;
use testkit::image::Image;

const ENTRIES: usize = 1000;
const REFERENCES: [&str; 6] = [
    "alpine",
    "library/alpine:3.20",
    "registry.example.com:5000/team/project/image:v1.2.3-rc.1",
    "[2001:db8::1]:5000/a/b:1",
    "127.0.0.1:41234/made/list-17@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ghcr.io/a_b/c__d/e-f.g:latest@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

fn main() {
    divan::main();
}

fn entry(number: usize) -> Entry {
    let (architecture, variant) = ("arm64", format!("v{number}"));
    let own = format!("the layer of image {number}");
    let image = Image::docker().platform("linux", architecture).variant(&variant).layer(b"shared").layer(own).build();
    let reference = Reference::parse(&format!("127.0.0.1:5000/seed/image-{number}:1")).expect("a reference");
    let platform = Platform { os: "linux".into(), architecture: architecture.into(), variant, ..Platform::default() };
    let image_format = docker_manifest::model::manifest::ImageFormat::Docker;
    Entry::fetched(reference, image_format, image.manifest, Some(platform))
}

fn entries() -> Vec<Entry> {
    (0..ENTRIES).map(entry).collect()
}

fn index() -> Index {
    Index { manifests: entries().into_iter().map(|entry| entry.descriptor).collect(), ..Index::default() }
}

fn list() -> EncodedManifest {
    EncodedManifest::from_index(index(), ListFormat::Auto).expect("a list")
}

#[divan::bench]
fn encode_a_list_of_1000(bencher: Bencher) {
    let index = index();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| black_box(&index).encode().expect("a list"));
}

#[divan::bench]
fn decode_a_list_of_1000(bencher: Bencher) {
    let bytes = list().bytes;
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| Index::decode(black_box(&bytes)).expect("an index"));
}

#[divan::bench]
fn make_the_list_of_a_draft_of_1000(bencher: Bencher) {
    let mut draft = Draft::new(Reference::parse("127.0.0.1:5000/made/list:1").expect("a reference"));
    entries().into_iter().for_each(|entry| draft.insert(entry));
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| black_box(&draft).encode(ListFormat::Auto).expect("a list"));
}

#[divan::bench]
fn encode_an_entry(bencher: Bencher) {
    let entry = entry(7);
    bencher.bench(|| black_box(&entry).encode().expect("a file"));
}

#[divan::bench]
fn decode_an_entry(bencher: Bencher) {
    let file = entry(7).encode().expect("a file");
    bencher.counter(BytesCount::of_slice(&file)).bench(|| Entry::decode(black_box(&file)).expect("an entry"));
}

#[divan::bench]
fn the_blobs_of_an_entry(bencher: Bencher) {
    let entry = entry(7);
    bencher.bench(|| black_box(&entry).blobs().expect("digests"));
}

#[divan::bench]
fn hash_a_manifest(bencher: Bencher) {
    let entry = entry(7);
    let bytes = entry.verified_bytes().expect("bytes");
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| Digest::from_bytes(black_box(&bytes)));
}

#[divan::bench]
fn hash_a_list_of_1000(bencher: Bencher) {
    let bytes = list().bytes;
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| Digest::from_bytes(black_box(&bytes)));
}

#[divan::bench]
fn indent_a_list_of_1000(bencher: Bencher) {
    let line = json::compact(&list().bytes);
    bencher.counter(BytesCount::of_slice(&line)).bench(|| json::indent(black_box(&line), "   "));
}

#[divan::bench(args = REFERENCES)]
fn parse_a_reference(text: &str) -> Reference {
    Reference::parse(black_box(text)).expect("a reference")
}
