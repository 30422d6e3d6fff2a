//! buildah 1.28.2 (Debian 12): the same library as podman's, and other answers.

use testkit::skip::not_possible_here;

use crate::compare::{entries, parse, platforms};
use crate::fixture::Fixture;

const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn buildah() -> Option<Fixture> {
    let fixture = Fixture::new("buildah", "1.28.2")?;
    let probe = fixture.run("buildah manifest create probe");
    if probe.code != 0 {
        let why = format!("it needs root or user namespaces: {}", probe.first_err_line());
        not_possible_here("lists beside buildah", &why);
        return None;
    }
    Some(fixture)
}

#[test]
fn an_empty_list_is_published_without_a_word() {
    let Some(fixture) = buildah() else { return };
    fixture.works("buildah manifest push --all probe docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!((&theirs["mediaType"], entries(&theirs).len()), (&LIST.into(), 0));
    let words = "{R}/theirs:t is a manifest list with no images";
    fixture.fails(&format!("{} create {{R}}/copy:t {{R}}/theirs:t", crate::OURS), 1, words);
}

#[test]
fn push_without_all_sends_no_images() {
    let Some(fixture) = buildah() else { return };
    fixture.publish("docker");
    fixture.works("buildah manifest create --all l {R}/ours:docker");
    let words = "Uploading manifest list failed, attempted the following formats";
    fixture.fails("buildah manifest push l docker://{R}/theirs:t", 125, words);
    fixture.works("buildah manifest push --all l docker://{R}/theirs:t");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn our_docker_list_comes_back_as_other_bytes() {
    let Some(fixture) = buildah() else { return };
    for kind in ["docker", "arms", "windows"] {
        let ours = fixture.publish(kind);
        fixture.works(&format!("buildah manifest create --all {kind} {{R}}/ours:{kind}"));
        fixture.works(&format!("buildah manifest push --all {kind} docker://{{R}}/theirs:{kind}"));
        assert_eq!(fixture.lost(&ours, &format!("theirs:{kind}")), ["bytes"], "{kind}");
        fixture.assert_we_keep(&format!("theirs:{kind}"));
    }
}

#[test]
fn our_index_becomes_a_docker_list_of_oci_images() {
    let Some(fixture) = buildah() else { return };
    let ours = fixture.publish("oci");
    fixture.works("buildah manifest create --all l {R}/ours:oci");
    fixture.works("buildah manifest push --all l docker://{R}/theirs:t");
    let lost = fixture.lost(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type", "annotations", "annotations of entries"]);
    assert_eq!(parse(&fixture.served("theirs:t"))["mediaType"], LIST);
    fixture.assert_we_keep("theirs:t");
    fixture.works("buildah manifest push --all --format oci l docker://{R}/theirs:oci");
    assert_eq!(fixture.lost(&ours, "theirs:oci"), ["bytes", "annotations", "annotations of entries"]);
}

#[test]
fn attestations_no_longer_say_what_they_are() {
    let Some(fixture) = buildah() else { return };
    let ours = fixture.publish("attested");
    fixture.works("buildah manifest create --all l {R}/ours:attested");
    fixture.works("buildah manifest push --all --format oci l docker://{R}/theirs:t");
    assert_eq!(fixture.lost(&ours, "theirs:t"), ["bytes", "annotations of entries"]);
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "unknown/unknown"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn an_annotated_entry_makes_an_index_of_the_list() {
    let Some(fixture) = buildah() else { return };
    fixture.works("buildah manifest add probe docker://{R}/oci:amd64");
    let added = fixture.works("buildah manifest add --annotation e=f --os-version 5 probe docker://{R}/oci:arm64");
    let digest = testkit::image::sha256(&fixture.served("oci:arm64"));
    assert!(added.trim_end().ends_with(&format!(": {digest}")), "{added}");
    assert_eq!(parse(fixture.works("buildah manifest inspect probe").as_bytes())["mediaType"], LIST);
    fixture.works("buildah manifest push --all probe docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!(theirs["mediaType"], INDEX);
    assert_eq!(theirs["manifests"][1]["annotations"]["e"], "f");
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn push_prints_no_digest() {
    let Some(fixture) = buildah() else { return };
    fixture.works("buildah manifest add probe docker://{R}/oci:amd64");
    assert_eq!(fixture.works("buildah manifest push --all probe docker://{R}/theirs:t"), "");
    fixture.works("buildah manifest push --all --digestfile {D}/digest probe docker://{R}/theirs:t");
    let digest = std::fs::read_to_string(fixture.dir().join("digest")).expect("the digest");
    assert_eq!(digest, testkit::image::sha256(&fixture.served("theirs:t")));
}

#[test]
fn the_digest_of_a_local_image_is_not_the_one_that_is_pushed() {
    let Some(fixture) = buildah() else { return };
    let container = fixture.works("buildah from scratch").trim().to_owned();
    fixture.works(&format!("buildah config --arch arm64 --variant v8 {container}"));
    fixture.works(&format!("buildah commit --manifest built {container} img"));
    let shown = parse(fixture.works("buildah manifest inspect built").as_bytes());
    assert_eq!(platforms(shown.to_string().as_bytes()), ["linux/arm64/v8"]);
    fixture.works("buildah manifest push --all built docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_ne!(theirs["manifests"][0]["digest"], shown["manifests"][0]["digest"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn a_variant_cannot_be_taken_away_and_features_are_replaced() {
    let Some(fixture) = buildah() else { return };
    fixture.works("buildah manifest add probe docker://{R}/app:arm64");
    let digest = testkit::image::sha256(&fixture.served("app:arm64"));
    fixture.works(&format!("buildah manifest annotate --variant= probe {digest}"));
    for features in ["a,b", "c"] {
        fixture.works(&format!("buildah manifest annotate --os-features {features} probe {digest}"));
    }
    let shown = parse(fixture.works("buildah manifest inspect probe").as_bytes());
    let platform = &shown["manifests"][0]["platform"];
    assert_eq!((&platform["variant"], &platform["os.features"]), (&"v8".into(), &serde_json::json!(["c"])));
}

#[test]
fn inspect_of_a_registrys_index_shows_its_annotations() {
    let Some(fixture) = buildah() else { return };
    let ours = fixture.publish("oci");
    let shown = fixture.works("buildah manifest inspect {R}/ours:oci");
    assert_eq!(crate::compare::differences(&ours, shown.as_bytes()), ["bytes"]);
}

#[test]
fn a_name_that_is_not_there_is_looked_for_at_localhost() {
    let Some(fixture) = buildah() else { return };
    fixture.fails("buildah manifest inspect nope", 125, "docker://localhost/nope:latest");
}

#[test]
fn one_image_built_here_is_read_with_its_platform() {
    let Some(fixture) = buildah() else { return };
    let container = fixture.works("buildah from scratch").trim().to_owned();
    fixture.works(&format!("buildah config --arch arm --variant v7 {container}"));
    for format in ["docker", "oci"] {
        fixture.works(&format!("buildah commit --format {format} {container} img-{format}"));
        fixture.works(&format!("buildah push img-{format} docker://{{R}}/theirs:{format}"));
        fixture.ours(&format!("create {{R}}/copy:{format} {{R}}/theirs:{format}"));
        fixture.ours(&format!("push {{R}}/copy:{format}"));
        assert_eq!(platforms(&fixture.served(&format!("copy:{format}"))), ["linux/arm/v7"], "{format}");
    }
}
