//! Indexes of every shape as sources: nested, large, with an image twice, with attestations anywhere.

use serde_json::{Value, json};
use testkit::image::fixtures::{attestation_of, windows_image};
use testkit::image::{Image, Index, OCI_MANIFEST};

use super::{Fixture, image, put_index_with_an_attestation, sorted, text};

/// `levels` indexes, each but the innermost with nothing in it but the next.
fn nested(levels: usize, inner: &Index) -> Index {
    (1..levels).fold(inner.clone(), |index, _| Index::oci().index(&index).build())
}

fn platforms(fixture: &Fixture, list: &str) -> Vec<String> {
    let name = |line: &Value| {
        let platform = &line["platform"];
        let words = ["os", "architecture", "variant", "os.version"].map(|word| text(&platform[word]));
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("/")
    };
    let mut names: Vec<String> = fixture.entries(list).iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn nesting_of_indexes_is_bounded() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let inner = Index::oci().image(&amd64).attestation_of(&amd64).build();
    fixture.registry.put_index("app", "deep", &nested(8, &inner));
    fixture.registry.put_index("app", "deeper", &nested(9, &inner));
    fixture.registry.put_index("app", "both", &Index::oci().index(&nested(2, &inner)).image(&arm64).build());
    let _ = fixture.run(&["create", "@app:1", "@app:deep"]).success();
    let all: Vec<&Image> = inner.images.iter().collect();
    // Nothing was changed, so that it is that index; an edit has the images in its place.
    assert_eq!(fixture.sorted_digests("@app:1"), [nested(7, &inner).digest()]);
    let _ = fixture.run(&["annotate", "@app:1", "--annotation", "k=v"]).success();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&all));
    let _ = fixture.run(&["create", "@app:2", "@app:both", "--platform", "linux/amd64"]).success();
    assert_eq!(fixture.sorted_digests("@app:2"), sorted(&all));
    let refused = fixture.run(&["create", "@app:3", "@app:deeper"]);
    let line = format!("{} has indexes nested more than 8 deep\n", fixture.name("app:deeper"));
    assert_eq!((refused.code, refused.err().starts_with(&line)), (1, true), "{}", refused.err());
    assert_eq!(fixture.run(&["exists", "@app:3"]).code, 1, "a refused source leaves no draft");
}

#[test]
fn an_oversized_index_is_refused_before_its_children_are_requested() {
    let fixture = Fixture::new();
    let line = |n: usize| {
        let digest = format!("sha256:{n:064x}");
        let platform = json!({"os": "linux", "architecture": "amd64"});
        json!({"mediaType": OCI_MANIFEST, "size": 2, "digest": digest, "platform": platform})
    };
    let wide = (0..10_001).fold(Index::oci(), |index, n| index.child(line(n))).build();
    fixture.registry.put_manifest("app", "wide", &wide.media_type, &wide.manifest);
    fixture.registry.clear_record();
    let refused = fixture.run(&["create", "@app:1", "@app:wide"]);
    let line = format!("{} brings the manifests taken out of indexes to more than 10000\n", fixture.name("app:wide"));
    assert!(refused.err().starts_with(&line), "{}", refused.err());
    assert_eq!(fixture.take_request_lines().len(), 1);
}

#[test]
fn an_image_that_an_index_lists_for_several_platforms_keeps_them_all() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let platform_of = |variant: &str| json!({"architecture": "amd64", "os": "linux", "variant": variant});
    let index = Index::oci()
        .image(&amd64)
        .image(&amd64)
        .image_with(&amd64, platform_of("v2"), &[("k", "v")])
        .image_with(&amd64, platform_of("v3"), &[])
        .image(&arm64)
        .attestation_of(&amd64)
        .build();
    fixture.registry.put_index("app", "many", &index);
    fixture.registry.clear_record();
    let _ = fixture.run(&["create", "@app:1", "@app:many"]).success();
    // The index, two images and an attestation: each is asked for once.
    assert_eq!(fixture.take_request_lines().len(), 4);
    let expected = ["linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/arm64", "unknown/unknown"];
    // As the index has it, which names the first twice.
    assert_eq!(platforms(&fixture, "@app:1"), [&expected[..1], &expected[..]].concat());
    let by_digest = fixture.name(&format!("app:many@{}", amd64.digest()));
    let _ = fixture.run(&["annotate", "@app:1", &by_digest, "--annotation", "more=m"]).success();
    let _ = fixture.run(&["create", "--amend", "@app:1", "@app:many"]).success();
    assert_eq!(platforms(&fixture, "@app:1"), expected, "looking again adds nothing");
    let removed = fixture.run(&["remove", "@app:1", "linux/amd64/v3"]).success();
    assert_eq!(removed.out(), format!("Removed {}\n", fixture.name(&format!("app:many-3@{}", amd64.digest()))));
    let _ = fixture.run(&["push", "@app:1"]).success();
    assert_eq!(
        platforms(&fixture, "@app:1"),
        [&expected[..2], &expected[3..]].concat(),
        "its attestation stays with the others"
    );
    let lines = fixture.entries("@app:1");
    let v2 = lines.iter().find(|line| line["platform"]["variant"] == "v2").expect("the second line");
    assert_eq!(v2["annotations"], json!({"k": "v", "more": "m"}));
    let _ = fixture.run(&["create", "--platform", "linux/amd64/v2", "@app:2", "@app:many"]).success();
    assert_eq!(platforms(&fixture, "@app:2"), ["linux/amd64/v2", "unknown/unknown"]);
}

#[test]
fn an_image_that_is_named_and_in_an_index_is_listed_once() {
    let fixture = Fixture::new();
    let (amd64, _) = put_index_with_an_attestation(&fixture);
    fixture.registry.put_image("app", "amd", &amd64);
    for (list, sources) in [("@app:1", ["@app:multi", "@app:amd"]), ("@app:2", ["@app:amd", "@app:multi"])] {
        let _ = fixture.run(&["create", list, sources[0], sources[1]]).success();
        assert_eq!(fixture.entries(list).len(), 3, "{sources:?}");
        let _ = fixture.run(&["annotate", list, "@app:amd", "--variant", "v2"]).success();
        assert_eq!(platforms(&fixture, list), ["linux/amd64/v2", "linux/arm64", "unknown/unknown"], "{sources:?}");
    }
}

#[test]
fn an_attestation_is_included_at_any_position() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let inner = Index::oci().image(&amd64).image(&arm64).build();
    let outer = Index::oci().index(&inner).attestation_of(&amd64).attestation_of(&arm64).build();
    fixture.registry.put_index("app", "outer", &outer);
    let _ = fixture.run(&["create", "@app:1", "@app:outer", "--platform", "linux/arm64"]).success();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&[&arm64, &outer.images[1]]));
    // One whose image is not there is what the index has, and stays so; nobody who picks wants it.
    let orphan = Index::oci().attestation_of(&amd64).image(&arm64).build();
    fixture.registry.put_index("app", "orphan", &orphan);
    let _ = fixture.run(&["create", "@app:2", "@app:orphan"]).success();
    assert_eq!(fixture.sorted_digests("@app:2"), sorted(&[&arm64, &attestation_in(&orphan)]));
    let _ = fixture.run(&["create", "@app:3", "@app:orphan", "--platform", "linux/arm64"]).success();
    assert_eq!(fixture.sorted_digests("@app:3"), [arm64.digest()]);
}

fn attestation_in(index: &Index) -> Image {
    index
        .images
        .iter()
        .find(|image| image.platform().is_some_and(|expected| expected["os"] == "unknown"))
        .expect("one")
        .clone()
}

#[test]
fn platform_filters_are_normalised_and_open() {
    let fixture = Fixture::new();
    let image_for = |architecture: &str, variant: &str| {
        let builder = Image::oci().platform("linux", architecture).layer(format!("{architecture}{variant}"));
        if variant.is_empty() { builder.build() } else { builder.variant(variant).build() }
    };
    let (arm64, v7, v6) = (image_for("arm64", "v8"), image_for("arm", "v7"), image_for("arm", "v6"));
    let (old, new) = (windows_image("10.0.17763.1"), windows_image("10.0.20348.5"));
    let all = [&arm64, &v7, &v6, &old, &new];
    let index = all.iter().fold(Index::oci(), |index, image| index.image(image)).build();
    fixture.registry.put_index("app", "multi", &index);
    let cases: [(&str, &[&Image]); 12] = [
        ("linux/arm64", &[&arm64]),
        ("linux/arm64/v8", &[&arm64]),
        ("linux/aarch64", &[&arm64]),
        ("LINUX/ARM64", &[&arm64]),
        ("linux/arm", &[&v7, &v6]),
        ("linux/arm/v7", &[&v7]),
        ("linux/armhf", &[&v7]),
        ("linux/armv6l,linux/armv7l", &[&v7, &v6]),
        ("windows/amd64", &[&old, &new]),
        ("windows/amd64:10.0.17763", &[&old]),
        ("windows(10.0.20348.5)/amd64", &[&new]),
        ("windows/x86_64:10.0.20348.5,linux/arm64", &[&new, &arm64]),
    ];
    for (picked, images) in cases {
        let _ = fixture.run(&["create", "--replace", "@app:1", "@app:multi", "--platform", picked]).success();
        assert_eq!(fixture.sorted_digests("@app:1"), sorted(images), "{picked}");
    }
    for missing in ["linux/arm64/v9", "linux/arm/v5", "windows/amd64:10.0.2", "windows/arm64"] {
        let refused = fixture.run(&["create", "--replace", "@app:1", "@app:multi", "--platform", missing]);
        assert_eq!(refused.code, 1, "{missing}");
        assert!(refused.err().starts_with(&format!("no image for {missing} in ")), "{}", refused.err());
    }
}

#[test]
fn a_missing_platform_is_reported_with_the_available_ones() {
    let fixture = Fixture::new();
    let amd64 = image("amd64", "a");
    let attested = Index::oci().attestation_of(&amd64).build();
    fixture.registry.put_image("app", "amd", &amd64);
    fixture.registry.put_index("app", "attested", &attested);
    fixture.registry.put_index("app", "deep", &nested(3, &Index::oci().image(&amd64).build()));
    for source in ["@app:amd", "@app:deep"] {
        let refused = fixture.run(&["create", "@app:1", source, "--platform", "linux/arm64"]);
        let hint = refused.err().contains("hint: available: linux/amd64\n");
        assert_eq!((refused.code, hint), (1, true), "{source}: {}", refused.err());
    }
    let refused = fixture.run(&["create", "@app:1", "@app:attested", "--attestations", "drop"]);
    let line = format!("{} is a manifest list with no images\n", fixture.name("app:attested"));
    assert!(refused.err().starts_with(&line), "{}", refused.err());
    assert_eq!(fixture.run(&["ls", "-q"]).out(), "");
    assert_eq!(attestation_of(&amd64).platform().expect("one")["os"], "unknown");
}
