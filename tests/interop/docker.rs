//! docker 28.2.2's own `docker manifest`, beyond what is the same in ours.

use crate::compare::{differences, parse, platforms};
use crate::fixture::Fixture;

fn docker() -> Option<Fixture> {
    Fixture::new("docker", "28.2.2")
}

#[test]
fn the_first_draft_file_decides_the_form() {
    let Some(fixture) = docker() else { return };
    fixture.works("docker manifest create --insecure {R}/theirs:t {R}/oci:arm64 {R}/app:amd64");
    fixture.works("docker manifest push --insecure {R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    // HOST_app-amd64 is before HOST_oci-arm64.
    assert_eq!(theirs["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn inspect_hides_what_an_index_says_of_itself() {
    let Some(fixture) = docker() else { return };
    for (kind, lost) in [
        ("oci", &["bytes", "annotations", "annotations of entries"][..]),
        ("typed", &["bytes", "artifact type"]),
        ("docker", &[]),
        ("windows", &[]),
    ] {
        let ours = fixture.publish(kind);
        fixture.ours(&format!("rm {{R}}/ours:{kind}"));
        let shown = fixture.works(&format!("docker manifest inspect --insecure {{R}}/ours:{kind}"));
        let different = differences(&ours, shown.trim_end().as_bytes());
        assert_eq!(different, lost, "{kind}");
    }
}

#[test]
fn inspect_shows_the_form_of_the_entries() {
    let Some(fixture) = docker() else { return };
    let mut index = parse(&fixture.publish("docker"));
    index["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    let bytes = index.to_string();
    fixture.client.push_manifest("ours", "index", "application/vnd.oci.image.index.v1+json", bytes.as_bytes());
    let shown = fixture.works("docker manifest inspect --insecure {R}/ours:index");
    assert_eq!(parse(shown.as_bytes())["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(fixture.ours("inspect --raw {R}/ours:index"), bytes);
}

#[test]
fn an_entry_without_a_platform_is_shown_with_an_empty_one() {
    let Some(fixture) = docker() else { return };
    fixture.publish("bare");
    fixture.ours("rm {R}/ours:bare");
    let shown = parse(fixture.works("docker manifest inspect --insecure {R}/ours:bare").as_bytes());
    assert_eq!(shown["manifests"][0]["platform"], serde_json::json!({"architecture": "", "os": ""}));
}

#[test]
fn an_empty_variant_takes_nothing_away() {
    let Some(fixture) = docker() else { return };
    fixture.works("docker manifest create --insecure {R}/theirs:t {R}/app:arm64");
    fixture.works("docker manifest annotate --variant= {R}/theirs:t {R}/app:arm64");
    fixture.works("docker manifest annotate --arch amd64 {R}/theirs:t {R}/app:arm64");
    fixture.works("docker manifest push --insecure {R}/theirs:t");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64/v8"]);
}

#[test]
fn os_features_add_up() {
    let Some(fixture) = docker() else { return };
    fixture.works("docker manifest create --insecure {R}/theirs:t {R}/app:arm64");
    for features in ["a,b", "c"] {
        fixture.works(&format!("docker manifest annotate --os-features {features} {{R}}/theirs:t {{R}}/app:arm64"));
    }
    fixture.works("docker manifest push --insecure {R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!(theirs["manifests"][0]["platform"]["os.features"], serde_json::json!(["a", "b", "c"]));
}

#[test]
fn amend_without_a_draft_forgets_the_published_list() {
    let Some(fixture) = docker() else { return };
    fixture.publish("docker");
    fixture.ours("rm {R}/ours:docker");
    fixture.works("docker manifest create --insecure --amend {R}/ours:docker {R}/oci:arm64");
    fixture.works("docker manifest push --insecure {R}/ours:docker");
    assert_eq!(platforms(&fixture.served("ours:docker")), ["linux/arm64/v8"]);
}

#[test]
fn an_index_is_no_source_for_docker_and_one_for_ours() {
    let Some(fixture) = docker() else { return };
    fixture.publish("oci");
    let words = "{R}/ours:oci is a manifest list";
    fixture.fails("docker manifest create --insecure {R}/theirs:t {R}/ours:oci", 1, words);
    fixture.ours("create {R}/theirs:t {R}/ours:oci");
}
