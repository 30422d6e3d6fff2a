//! The images and lists that the tools work on, put into the registry before anything is measured.

use std::thread;

use testkit::client::Client;
use testkit::image::{Image, Index};

const SEEDERS: usize = 4;
const ARCHITECTURES: [&str; 4] = ["amd64", "arm64", "arm", "ppc64le"];
const SHARED_LAYER: &[u8] = b"a layer that every image has";

/// An image in a repository of its own.
pub(crate) struct Source {
    /// Its name without the registry: `seed/image-7:1`.
    pub(crate) name: String,
    /// Its operating system, architecture and variant, unlike any other's.
    pub(crate) platform: (String, String, String),
    repository: String,
    image: Image,
}

/// What is in the registry.
pub(crate) struct SeededImages {
    /// As many images as the largest list wants.
    pub(crate) sources: Vec<Source>,
}

impl SeededImages {
    /// The name, without the registry, of the list of so many images that are in the list's own repository.
    pub(crate) fn list(size: usize) -> String {
        format!("{}:1", list_repository(size))
    }
}

/// Where the list of so many images is.
pub(crate) fn list_repository(size: usize) -> String {
    format!("listed/of-{size}")
}

/// Puts images and lists of these sizes into the registry.
///
/// # Errors
/// What the registry refused.
pub(crate) fn seed_images(client: &Client, sizes: &[usize]) -> Result<SeededImages, String> {
    let most = sizes.iter().copied().max().unwrap_or(0);
    let sources: Vec<Source> = (0..most).map(source).collect();
    in_parts(&sources, |source| {
        client.push_image(&source.repository, "1", &source.image);
    })?;
    for &size in sizes {
        let repository = list_repository(size);
        let part = &sources[..size];
        if let Some(first) = part.first() {
            mount(client, first, &repository, SHARED_LAYER);
        }
        in_parts(part, |source| mount_image(client, source, &repository))?;
        let index = part.iter().fold(Index::docker(), |index, source| index.image(&source.image)).build();
        client.push_manifest(&repository, "1", &index.media_type, &index.manifest);
    }
    Ok(SeededImages { sources })
}

/// Puts images with large layers into the registry: each has one layer of `shared_layer` bytes and one of `own_layer`
/// bytes.
///
/// # Errors
/// What the registry refused.
pub(crate) fn large(
    client: &Client,
    images: usize,
    shared_layer: usize,
    own_layer: usize,
) -> Result<SeededImages, String> {
    let shared = filler(0, shared_layer);
    let build_image = |number: usize| {
        let Source { name, platform, repository, .. } = source(number);
        let image = Image::docker().platform("linux", &platform.1).variant(&platform.2);
        let image = image.layer(&shared).layer(filler(number as u64 + 1, own_layer)).build();
        Source { name, platform, repository, image }
    };
    // One after the other: they are large.
    for number in 0..images {
        let source = build_image(number);
        client.push_image(&source.repository, "1", &source.image);
    }
    Ok(SeededImages { sources: (0..images).map(source).collect() })
}

/// Bytes that no compression makes smaller, another sequence for each seed (splitmix64).
fn filler(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    words.take(length.div_ceil(8)).flat_map(u64::to_le_bytes).take(length).collect()
}

fn source(number: usize) -> Source {
    let architecture = ARCHITECTURES[number % ARCHITECTURES.len()];
    let variant = format!("v{number}");
    let own_layer = format!("the layer of image {number} alone");
    let image = Image::docker().platform("linux", architecture).variant(&variant);
    let image = image.layer(SHARED_LAYER).layer(own_layer.as_bytes()).build();
    let repository = repository(number);
    let platform = ("linux".to_owned(), architecture.to_owned(), variant);
    Source { name: format!("{repository}:1"), platform, repository, image }
}

/// Where the image of this number is.
pub(crate) fn repository(number: usize) -> String {
    format!("seed/image-{number}")
}

/// Brings an image into another repository of the registry, which has the shared layer: docker-registry 2.8 does not
/// see a blob for a moment while it is mounted again, so what several images need is not mounted beside their pushes.
fn mount_image(client: &Client, source: &Source, repository: &str) {
    let image = &source.image;
    for blob in image.blobs().into_iter().filter(|blob| *blob != SHARED_LAYER) {
        mount(client, source, repository, blob);
    }
    client.push_manifest(repository, &image.digest(), &image.media_type, &image.manifest);
}

fn mount(client: &Client, source: &Source, repository: &str, blob: &[u8]) {
    let digest = testkit::image::sha256(blob);
    let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={}", source.repository);
    let reply = client.request("POST", &path, &[], b"");
    assert_eq!(reply.status, 201, "mount refused: {}", reply.text());
}

fn in_parts(sources: &[Source], work: impl Fn(&Source) + Sync) -> Result<(), String> {
    let part = sources.len().div_ceil(SEEDERS).max(1);
    thread::scope(|scope| {
        let seeders: Vec<_> = sources.chunks(part).map(|part| scope.spawn(|| part.iter().for_each(&work))).collect();
        seeders.into_iter().try_for_each(|seeder| seeder.join()).map_err(|_| "the registry cannot be filled".to_owned())
    })
}
