//! buildah 1.28.2 (Debian 12): the same library as podman, with other results.

use testkit::skip::skipped_unsupported;

use crate::compare::{entries, parse, platforms};
use crate::fixture::Fixture;

const LIST_TYPE: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

fn buildah() -> Option<Fixture> {
    let fixture = Fixture::new("buildah", "1.28.2")?;
    let probe = fixture.run("buildah manifest create probe");
    if probe.code != 0 {
        let reason = format!("it needs root or user namespaces: {}", probe.first_err_line());
        skipped_unsupported("lists beside buildah", &reason);
        return None;
    }
    Some(fixture)
}

#[test]
fn buildah_publishes_an_empty_list_without_a_warning() {
    let Some(fixture) = buildah() else { return };
    fixture.run_ok("buildah manifest push --all probe docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!((&theirs["mediaType"], entries(&theirs).len()), (&LIST_TYPE.into(), 0));
    let words = "{R}/theirs:t is a manifest list with no images";
    fixture.run_failing(&format!("{} create {{R}}/copy:t {{R}}/theirs:t", crate::OURS), 1, words);
}

#[test]
fn buildah_push_without_all_sends_no_images() {
    let Some(fixture) = buildah() else { return };
    fixture.publish("docker");
    fixture.run_ok("buildah manifest create --all l {R}/ours:docker");
    let words = "Uploading manifest list failed, attempted the following formats";
    fixture.run_failing("buildah manifest push l docker://{R}/theirs:t", 125, words);
    fixture.run_ok("buildah manifest push --all l docker://{R}/theirs:t");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn a_docker_list_of_ours_is_published_with_other_bytes() {
    let Some(fixture) = buildah() else { return };
    for kind in ["docker", "arms", "windows"] {
        let ours = fixture.publish(kind);
        fixture.run_ok(&format!("buildah manifest create --all {kind} {{R}}/ours:{kind}"));
        fixture.run_ok(&format!("buildah manifest push --all {kind} docker://{{R}}/theirs:{kind}"));
        assert_eq!(fixture.lost_parts(&ours, &format!("theirs:{kind}")), ["bytes"], "{kind}");
        fixture.copy_and_assert_unchanged(&format!("theirs:{kind}"));
    }
}

#[test]
fn buildah_turns_our_index_into_a_docker_list_of_oci_images() {
    let Some(fixture) = buildah() else { return };
    let ours = fixture.publish("oci");
    fixture.run_ok("buildah manifest create --all l {R}/ours:oci");
    fixture.run_ok("buildah manifest push --all l docker://{R}/theirs:t");
    let lost = fixture.lost_parts(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type", "annotations", "annotations of entries"]);
    assert_eq!(parse(&fixture.served("theirs:t"))["mediaType"], LIST_TYPE);
    fixture.copy_and_assert_unchanged("theirs:t");
    fixture.run_ok("buildah manifest push --all --format oci l docker://{R}/theirs:oci");
    assert_eq!(fixture.lost_parts(&ours, "theirs:oci"), ["bytes", "annotations", "annotations of entries"]);
}

#[test]
fn attestations_lose_their_reference_annotations() {
    let Some(fixture) = buildah() else { return };
    let ours = fixture.publish("attested");
    fixture.run_ok("buildah manifest create --all l {R}/ours:attested");
    fixture.run_ok("buildah manifest push --all --format oci l docker://{R}/theirs:t");
    assert_eq!(fixture.lost_parts(&ours, "theirs:t"), ["bytes", "annotations of entries"]);
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "unknown/unknown"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn buildah_publishes_a_list_with_an_annotated_entry_as_an_index() {
    let Some(fixture) = buildah() else { return };
    fixture.run_ok("buildah manifest add probe docker://{R}/oci:amd64");
    let added = fixture.run_ok("buildah manifest add --annotation e=f --os-version 5 probe docker://{R}/oci:arm64");
    let digest = testkit::image::sha256(&fixture.served("oci:arm64"));
    assert!(added.trim_end().ends_with(&format!(": {digest}")), "{added}");
    assert_eq!(parse(fixture.run_ok("buildah manifest inspect probe").as_bytes())["mediaType"], LIST_TYPE);
    fixture.run_ok("buildah manifest push --all probe docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!(theirs["mediaType"], INDEX_TYPE);
    assert_eq!(theirs["manifests"][1]["annotations"]["e"], "f");
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn buildah_push_prints_no_digest() {
    let Some(fixture) = buildah() else { return };
    fixture.run_ok("buildah manifest add probe docker://{R}/oci:amd64");
    assert_eq!(fixture.run_ok("buildah manifest push --all probe docker://{R}/theirs:t"), "");
    fixture.run_ok("buildah manifest push --all --digestfile {D}/digest probe docker://{R}/theirs:t");
    let digest = std::fs::read_to_string(fixture.dir().join("digest")).expect("the digest");
    assert_eq!(digest, testkit::image::sha256(&fixture.served("theirs:t")));
}

#[test]
fn buildah_digest_of_a_local_image_differs_from_the_pushed_one() {
    let Some(fixture) = buildah() else { return };
    let container = fixture.run_ok("buildah from scratch").trim().to_owned();
    fixture.run_ok(&format!("buildah config --arch arm64 --variant v8 {container}"));
    fixture.run_ok(&format!("buildah commit --manifest built {container} img"));
    let shown = parse(fixture.run_ok("buildah manifest inspect built").as_bytes());
    assert_eq!(platforms(shown.to_string().as_bytes()), ["linux/arm64/v8"]);
    fixture.run_ok("buildah manifest push --all built docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_ne!(theirs["manifests"][0]["digest"], shown["manifests"][0]["digest"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn buildah_annotate_cannot_remove_a_variant_and_replaces_features() {
    let Some(fixture) = buildah() else { return };
    fixture.run_ok("buildah manifest add probe docker://{R}/app:arm64");
    let digest = testkit::image::sha256(&fixture.served("app:arm64"));
    fixture.run_ok(&format!("buildah manifest annotate --variant= probe {digest}"));
    for features in ["a,b", "c"] {
        fixture.run_ok(&format!("buildah manifest annotate --os-features {features} probe {digest}"));
    }
    let shown = parse(fixture.run_ok("buildah manifest inspect probe").as_bytes());
    let platform = &shown["manifests"][0]["platform"];
    assert_eq!((&platform["variant"], &platform["os.features"]), (&"v8".into(), &serde_json::json!(["c"])));
}

#[test]
fn buildah_inspect_shows_the_annotations_of_a_published_index() {
    let Some(fixture) = buildah() else { return };
    let ours = fixture.publish("oci");
    let shown = fixture.run_ok("buildah manifest inspect {R}/ours:oci");
    assert_eq!(crate::compare::differences(&ours, shown.as_bytes()), ["bytes"]);
}

#[test]
fn buildah_looks_for_an_unknown_name_at_localhost() {
    let Some(fixture) = buildah() else { return };
    fixture.run_failing("buildah manifest inspect nope", 125, "docker://localhost/nope:latest");
}

#[test]
fn buildah_lists_a_local_image_with_its_platform() {
    let Some(fixture) = buildah() else { return };
    let container = fixture.run_ok("buildah from scratch").trim().to_owned();
    fixture.run_ok(&format!("buildah config --arch arm --variant v7 {container}"));
    for format in ["docker", "oci"] {
        fixture.run_ok(&format!("buildah commit --format {format} {container} img-{format}"));
        fixture.run_ok(&format!("buildah push img-{format} docker://{{R}}/theirs:{format}"));
        fixture.ours(&format!("create {{R}}/copy:{format} {{R}}/theirs:{format}"));
        fixture.ours(&format!("push {{R}}/copy:{format}"));
        assert_eq!(platforms(&fixture.served(&format!("copy:{format}"))), ["linux/arm/v7"], "{format}");
    }
}
