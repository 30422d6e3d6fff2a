//! docker 28.2.2's own `docker manifest`, beyond what is the same in ours.

use crate::compare::{differences, parse, platforms};
use crate::fixture::Fixture;

fn docker() -> Option<Fixture> {
    Fixture::new("docker", "28.2.2")
}

#[test]
fn docker_takes_the_form_of_a_list_from_its_first_draft_file() {
    let Some(fixture) = docker() else { return };
    fixture.run_ok("docker manifest create --insecure {R}/theirs:t {R}/oci:arm64 {R}/app:amd64");
    fixture.run_ok("docker manifest push --insecure {R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    // HOST_app-amd64 is before HOST_oci-arm64.
    assert_eq!(theirs["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn docker_inspect_hides_annotations_and_artifact_type_of_an_index() {
    let Some(fixture) = docker() else { return };
    for (kind, lost) in [
        ("oci", &["bytes", "annotations", "annotations of entries"][..]),
        ("typed", &["bytes", "artifact type"]),
        ("docker", &[]),
        ("windows", &[]),
    ] {
        let ours = fixture.publish(kind);
        fixture.ours(&format!("rm {{R}}/ours:{kind}"));
        let shown = fixture.run_ok(&format!("docker manifest inspect --insecure {{R}}/ours:{kind}"));
        let different = differences(&ours, shown.trim_end().as_bytes());
        assert_eq!(different, lost, "{kind}");
    }
}

#[test]
fn docker_inspect_shows_the_form_of_the_entries() {
    let Some(fixture) = docker() else { return };
    let mut index = parse(&fixture.publish("docker"));
    index["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    let bytes = index.to_string();
    fixture.client.push_manifest("ours", "index", "application/vnd.oci.image.index.v1+json", bytes.as_bytes());
    let shown = fixture.run_ok("docker manifest inspect --insecure {R}/ours:index");
    assert_eq!(parse(shown.as_bytes())["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(fixture.ours("inspect --raw {R}/ours:index"), bytes);
}

#[test]
fn docker_shows_an_empty_platform_for_an_entry_without_one() {
    let Some(fixture) = docker() else { return };
    fixture.publish("bare");
    fixture.ours("rm {R}/ours:bare");
    let shown = parse(fixture.run_ok("docker manifest inspect --insecure {R}/ours:bare").as_bytes());
    assert_eq!(shown["manifests"][0]["platform"], serde_json::json!({"architecture": "", "os": ""}));
}

#[test]
fn docker_annotate_cannot_remove_a_variant() {
    let Some(fixture) = docker() else { return };
    fixture.run_ok("docker manifest create --insecure {R}/theirs:t {R}/app:arm64");
    fixture.run_ok("docker manifest annotate --variant= {R}/theirs:t {R}/app:arm64");
    fixture.run_ok("docker manifest annotate --arch amd64 {R}/theirs:t {R}/app:arm64");
    fixture.run_ok("docker manifest push --insecure {R}/theirs:t");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64/v8"]);
}

#[test]
fn docker_annotate_appends_os_features() {
    let Some(fixture) = docker() else { return };
    fixture.run_ok("docker manifest create --insecure {R}/theirs:t {R}/app:arm64");
    for features in ["a,b", "c"] {
        fixture.run_ok(&format!("docker manifest annotate --os-features {features} {{R}}/theirs:t {{R}}/app:arm64"));
    }
    fixture.run_ok("docker manifest push --insecure {R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!(theirs["manifests"][0]["platform"]["os.features"], serde_json::json!(["a", "b", "c"]));
}

#[test]
fn docker_amend_without_a_draft_ignores_the_published_list() {
    let Some(fixture) = docker() else { return };
    fixture.publish("docker");
    fixture.ours("rm {R}/ours:docker");
    fixture.run_ok("docker manifest create --insecure --amend {R}/ours:docker {R}/oci:arm64");
    fixture.run_ok("docker manifest push --insecure {R}/ours:docker");
    assert_eq!(platforms(&fixture.served("ours:docker")), ["linux/arm64/v8"]);
}

#[test]
fn docker_refuses_an_index_as_a_source_and_ours_takes_it() {
    let Some(fixture) = docker() else { return };
    fixture.publish("oci");
    let words = "{R}/ours:oci is a manifest list";
    fixture.run_failing("docker manifest create --insecure {R}/theirs:t {R}/ours:oci", 1, words);
    fixture.ours("create {R}/theirs:t {R}/ours:oci");
}
