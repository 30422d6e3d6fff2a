//! The requests of reading an index, and of copying its images from another registry.

use testkit::image::fixtures::buildx_index;
use testkit::image::{Image, sha256};
use testkit::loopback::Registry;

use super::{BASE_LAYER, Fixture, TARGET_REPOSITORY, assert_same, image_of_layers, own_layer, put_line, source};

const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/s390x"];

/// Uploads have names that nobody can know beforehand.
fn take_masked_request_lines(fixture: &Fixture) -> Vec<String> {
    let shown = |line: String| match line.split_once("/blobs/uploads/") {
        Some((before, after)) if !after.starts_with([' ', '?']) => {
            let (query, status) = after.rsplit_once(' ').expect("it ends in a status");
            let digest = query.split_once("digest=").map(|(_, digest)| digest).unwrap_or_default();
            format!("{before}/blobs/uploads/ID?digest={digest} {status}")
        }
        _ => line,
    };
    fixture.take_request_lines().into_iter().map(shown).collect()
}

/// What it takes to bring a blob that is not there, at the target.
fn copy_lines(blob: &str) -> [String; 3] {
    [
        format!("HEAD /v2/{TARGET_REPOSITORY}/blobs/{blob} 404"),
        format!("POST /v2/{TARGET_REPOSITORY}/blobs/uploads/ 202"),
        format!("PUT /v2/{TARGET_REPOSITORY}/blobs/uploads/ID?digest={blob} 201"),
    ]
}

#[test]
fn create_reads_an_index_with_one_request_for_each_manifest() {
    let fixture = Fixture::new(0);
    let index = buildx_index(&PLATFORMS);
    fixture.registry.put_index("src/app", "1", &index);
    let _ = fixture.create_command(&[]).arg(fixture.name("src/app:1")).run().success();
    let child = |image: &Image| format!("GET /v2/src/app/manifests/{} 200", image.digest());
    let children = index.images.iter().map(child);
    // The index says what its images run on, so no configuration is asked for.
    assert_same(
        take_masked_request_lines(&fixture),
        children.chain(["GET /v2/src/app/manifests/1 200".to_owned()]).collect(),
    );
}

#[test]
fn push_copies_each_blob_with_four_requests_and_each_manifest_with_one() {
    for number in [1, 5, 20] {
        let from = Registry::start();
        let images: Vec<Image> = (0..number).map(|number| image_of_layers(&[BASE_LAYER, &own_layer(number)])).collect();
        let named: Vec<String> = (0..number)
            .map(|number| {
                from.put_image(&source(number), "1", &images[number]);
                format!("{}/{}:1", from.host(), source(number))
            })
            .collect();
        let fixture = Fixture::new(0);
        let _ = fixture.create_command(&[]).args(named).run().success();
        from.clear_record();
        assert_eq!(fixture.take_request_lines(), [""; 0]);
        let _ = fixture.push_command(&["--quiet"]).run().success();
        let own_layers = (0..number).map(|number| sha256(&own_layer(number)));
        let mut blobs: Vec<String> = own_layers.chain(images.iter().map(Image::config_digest)).collect();
        blobs.push(sha256(BASE_LAYER));
        let puts = images.iter().map(|image| put_line(&image.digest())).chain([put_line("1")]);
        let tag_request = format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 404");
        let expected = blobs.iter().flat_map(|blob| copy_lines(blob)).chain(puts).chain([tag_request]);
        assert_same(take_masked_request_lines(&fixture), expected.collect());
        assert_eq!(from.requests().len(), blobs.len());
    }
}

#[test]
fn push_dry_run_sends_one_request_for_each_manifest_and_blob() {
    let fixture = Fixture::new(5).with_draft();
    let _ = fixture.push_command(&["--dry-run", "--referrers", "drop"]).run().success();
    let mut expected = vec![format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 404")];
    let shared = format!("HEAD /v2/{}/blobs/{} 200", source(0), sha256(BASE_LAYER));
    expected.push(shared);
    for (number, image) in fixture.images.iter().enumerate() {
        let head_request = |kind: &str, digest: &str| format!("HEAD /v2/{}/{kind}/{digest} 200", source(number));
        expected.push(head_request("manifests", &image.digest()));
        expected.push(head_request("blobs", &image.config_digest()));
        expected.push(head_request("blobs", &sha256(&own_layer(number))));
    }
    assert_same(take_masked_request_lines(&fixture), expected.clone());
    // To say which referrers stay behind takes four more for each image.
    fixture.registry.clear_record();
    let _ = fixture.push_command(&["--dry-run"]).run().success();
    for (number, image) in fixture.images.iter().enumerate() {
        let (source, digest) = (source(number), image.digest());
        expected.push(format!("GET /v2/{source}/referrers/{digest} 200"));
        let tag = digest.replace(':', "-");
        expected.extend(["sig", "att", "sbom"].map(|kind| format!("HEAD /v2/{source}/manifests/{tag}.{kind} 404")));
    }
    assert_same(take_masked_request_lines(&fixture), expected);
}
