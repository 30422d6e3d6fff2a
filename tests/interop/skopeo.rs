//! skopeo 1.9.3 (Debian 12). It makes no lists of its own, but copies and converts those of others.

use crate::compare::{entries, parse, platforms};
use crate::fixture::{Fixture, KINDS};

fn skopeo() -> Option<Fixture> {
    Fixture::new("skopeo", "1.9.3")
}

#[test]
fn skopeo_copies_every_list_with_its_digest() {
    let Some(fixture) = skopeo() else { return };
    for kind in KINDS.iter().filter(|kind| **kind != "nested") {
        let ours = fixture.publish(kind);
        fixture.run_ok(&format!(
            "skopeo copy --all --preserve-digests docker://{{R}}/ours:{kind} docker://{{R}}/copy:{kind}"
        ));
        assert_eq!(fixture.lost_parts(&ours, &format!("copy:{kind}")), [""; 0], "{kind}");
        assert_eq!(
            fixture.run_ok(&format!("skopeo inspect --raw docker://{{R}}/ours:{kind}")).as_bytes(),
            ours,
            "{kind}"
        );
    }
}

#[test]
fn skopeo_refuses_a_nested_index() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("nested");
    let words = "Unexpectedly received a manifest list instead of a manifest for a single image";
    fixture.run_failing("skopeo copy --all docker://{R}/ours:nested docker://{R}/copy:nested", 1, words);
    fixture.run_failing("skopeo copy docker://{R}/ours:nested docker://{R}/copy:nested", 1, words);
}

#[test]
fn skopeo_without_all_copies_one_image_of_a_list() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("docker");
    fixture.run_ok("skopeo copy docker://{R}/ours:docker docker://{R}/copy:one");
    assert_eq!(fixture.served("copy:one"), fixture.served("app:amd64"));
}

#[test]
fn skopeo_converts_the_images_of_a_docker_list_for_a_layout() {
    let Some(fixture) = skopeo() else { return };
    let ours = fixture.publish("docker");
    fixture.run_failing(
        "skopeo copy --all --preserve-digests docker://{R}/ours:docker oci:{D}/kept:t",
        1,
        "Manifest list must be converted to type \"application/vnd.oci.image.index.v1+json\" to be written to \
         destination",
    );
    fixture.run_ok("skopeo copy --all docker://{R}/ours:docker oci:{D}/layout:t");
    fixture.run_ok("skopeo copy --all oci:{D}/layout:t docker://{R}/back:t");
    let lost = fixture.lost_parts(&ours, "back:t");
    assert_eq!(lost, ["bytes", "media type", "digests", "media types of entries"]);
    fixture.copy_and_assert_unchanged("back:t");
}

#[test]
fn skopeo_keeps_the_digest_of_an_index_in_a_layout() {
    let Some(fixture) = skopeo() else { return };
    for kind in ["oci", "attested", "typed", "bare"] {
        let ours = fixture.publish(kind);
        fixture.run_ok(&format!("skopeo copy --all docker://{{R}}/ours:{kind} oci:{{D}}/layout:{kind}"));
        fixture.run_ok(&format!("skopeo copy --all oci:{{D}}/layout:{kind} docker://{{R}}/back:{kind}"));
        assert_eq!(fixture.lost_parts(&ours, &format!("back:{kind}")), [""; 0], "{kind}");
    }
}

#[test]
fn a_conversion_to_docker_drops_annotations() {
    let Some(fixture) = skopeo() else { return };
    let ours = fixture.publish("oci");
    let copied = fixture.run_ok("skopeo copy -q --all --format v2s2 docker://{R}/ours:oci docker://{R}/copy:v2s2");
    assert_eq!(copied, "", "it does not say what it drops");
    let lost = fixture.lost_parts(&ours, "copy:v2s2");
    let expected =
        ["bytes", "media type", "annotations", "digests", "media types of entries", "annotations of entries"];
    assert_eq!(lost, expected);
    fixture.copy_and_assert_unchanged("copy:v2s2");
}

#[test]
fn skopeo_conversion_to_oci_keeps_order_and_platforms() {
    let Some(fixture) = skopeo() else { return };
    for kind in ["docker", "arms", "windows"] {
        let ours = fixture.publish(kind);
        fixture
            .run_ok(&format!("skopeo copy --all --format oci docker://{{R}}/ours:{kind} docker://{{R}}/copy:{kind}"));
        let lost = fixture.lost_parts(&ours, &format!("copy:{kind}"));
        assert_eq!(lost, ["bytes", "media type", "digests", "media types of entries"], "{kind}");
        fixture.copy_and_assert_unchanged(&format!("copy:{kind}"));
    }
}

#[test]
fn skopeo_cannot_convert_attestations_to_docker_images() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("attested");
    fixture.run_failing(
        "skopeo copy --all --format v2s2 docker://{R}/ours:attested docker://{R}/copy:v2s2",
        1,
        "Unknown media type during manifest conversion: \"application/vnd.in-toto+json\"",
    );
}

#[test]
fn skopeo_cannot_copy_an_index_alone_to_a_registry_without_its_images() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("docker");
    fixture.run_failing(
        "skopeo copy --multi-arch index-only docker://{R}/ours:docker docker://{R}/empty:t",
        1,
        "Uploading manifest list failed, attempted the following formats",
    );
    // Where the images are there already, it is what it says.
    fixture.run_ok("skopeo copy --multi-arch index-only docker://{R}/ours:docker docker://{R}/app:list");
    assert_eq!(fixture.served("app:list"), fixture.served("ours:docker"));
}

#[test]
fn skopeo_inspect_prints_the_digest_of_the_list_and_the_platform_of_one_image() {
    let Some(fixture) = skopeo() else { return };
    let ours = fixture.publish("docker");
    let digest = testkit::image::sha256(&ours);
    for (architecture, flag) in [("amd64", ""), ("arm64", "--override-arch arm64")] {
        let shown = fixture.run_ok(&format!("skopeo {flag} inspect --override-os linux docker://{{R}}/ours:docker"));
        let shown = parse(shown.as_bytes());
        assert_eq!((&shown["Digest"], &shown["Architecture"]), (&digest.clone().into(), &architecture.into()));
    }
    fixture.run_failing(
        "skopeo --override-arch s390x inspect docker://{R}/ours:docker",
        1,
        "no image found in manifest list for architecture s390x, variant \"\", OS linux",
    );
}

#[test]
fn skopeo_takes_a_lower_arm_variant_for_a_missing_one() {
    let Some(fixture) = skopeo() else { return };
    let ours = fixture.publish("arms");
    assert_eq!(platforms(&ours), ["linux/arm/v6", "linux/arm/v7", "linux/arm/v5"]);
    for (flag, variant) in [("", "v7"), ("--override-variant v8", "v7"), ("--override-variant v6", "v6")] {
        fixture.run_ok(&format!(
            "skopeo --override-arch arm {flag} copy docker://{{R}}/ours:arms docker://{{R}}/copy:arm"
        ));
        assert_eq!(fixture.image_config("copy:arm")["variant"], variant, "{flag}");
    }
}

#[test]
fn skopeo_takes_the_first_entry_of_an_index_without_platforms() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("bare");
    for flag in ["", "--override-arch arm64"] {
        fixture.run_ok(&format!("skopeo {flag} copy docker://{{R}}/ours:bare docker://{{R}}/copy:bare"));
        assert_eq!(fixture.image_config("copy:bare")["architecture"], "amd64", "{flag}");
    }
}

#[test]
fn skopeo_writes_no_list_into_a_docker_archive() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("docker");
    fixture.run_failing(
        "skopeo copy --all docker://{R}/ours:docker docker-archive:{D}/x.tar",
        1,
        "destination transport \"docker-archive\" does not support copying multiple images as a group",
    );
}

#[test]
fn skopeo_dir_keeps_the_bytes_of_a_list() {
    let Some(fixture) = skopeo() else { return };
    for kind in ["docker", "oci", "attested"] {
        let ours = fixture.publish(kind);
        fixture.run_ok(&format!("skopeo copy --all docker://{{R}}/ours:{kind} dir:{{D}}/{kind}"));
        assert_eq!(std::fs::read(fixture.dir().join(kind).join("manifest.json")).expect("the list"), ours, "{kind}");
        fixture.run_ok(&format!("skopeo copy --all dir:{{D}}/{kind} docker://{{R}}/back:{kind}"));
        assert_eq!(fixture.lost_parts(&ours, &format!("back:{kind}")), [""; 0], "{kind}");
    }
}

#[test]
fn skopeo_writes_the_digest_of_the_copy_into_the_digest_file() {
    let Some(fixture) = skopeo() else { return };
    let ours = fixture.publish("docker");
    for (flag, bytes) in [("--all", ours), ("", fixture.served("app:amd64"))] {
        fixture.run_ok(&format!(
            "skopeo copy {flag} --digestfile {{D}}/digest docker://{{R}}/ours:docker docker://{{R}}/copy:d"
        ));
        let digest = std::fs::read_to_string(fixture.dir().join("digest")).expect("the digest");
        assert_eq!(digest, testkit::image::sha256(&bytes), "no line end: {flag}");
    }
}

#[test]
fn skopeo_delete_of_one_tag_deletes_all_tags_of_the_list() {
    let Some(fixture) = skopeo() else { return };
    fixture.publish("docker");
    for tag in ["1", "2"] {
        fixture.run_ok(&format!("skopeo copy --all docker://{{R}}/ours:docker docker://{{R}}/copy:{tag}"));
    }
    fixture.run_ok("skopeo delete docker://{R}/copy:1");
    let tags = parse(fixture.run_ok("skopeo list-tags docker://{R}/copy").as_bytes());
    assert_eq!(tags["Tags"], serde_json::json!([]));
    // We say that it is gone, and the images that no tag names are still there.
    fixture.run_failing(&format!("{} inspect {{R}}/copy:2", crate::OURS), 1, "no such manifest: {R}/copy:2");
    for entry in entries(&parse(&fixture.served("ours:docker"))) {
        let digest = entry["digest"].as_str().expect("a digest");
        assert!(fixture.client.find_manifest("copy", digest).is_some());
    }
}

#[test]
fn skopeo_keeps_two_entries_for_one_image() {
    let Some(fixture) = skopeo() else { return };
    let ours = fixture.publish("twice");
    assert_eq!(platforms(&ours), ["linux/amd64", "linux/386"]);
    fixture.run_ok("skopeo copy --all --format oci docker://{R}/ours:twice docker://{R}/copy:twice");
    assert_eq!(platforms(&fixture.served("copy:twice")), ["linux/amd64", "linux/386"]);
    fixture.copy_and_assert_unchanged("copy:twice");
}
