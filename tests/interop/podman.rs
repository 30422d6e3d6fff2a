//! podman 4.3.1 (Debian 12), which keeps its lists among its own images.

use testkit::skip::skipped_unsupported;

use crate::compare::{entries, parse, platforms};
use crate::fixture::Fixture;

/// The list that podman has of its own.
const LIST_TYPE: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

fn podman() -> Option<Fixture> {
    let fixture = Fixture::new("podman", "4.3.1")?;
    let probe = fixture.run("podman manifest create probe");
    if probe.code != 0 {
        skipped_unsupported(
            "lists beside podman",
            &format!("it needs root or user namespaces: {}", probe.first_err_line()),
        );
        return None;
    }
    Some(fixture)
}

/// Publishes one of our lists, has podman take all of it, and gives our bytes.
fn publish_and_create_in_podman(fixture: &Fixture, kind: &str) -> Vec<u8> {
    let ours = fixture.publish(kind);
    fixture.run_ok(&format!("podman manifest create --all l {{R}}/ours:{kind}"));
    ours
}

#[test]
fn podman_writes_null_for_the_entries_of_a_new_list() {
    let Some(fixture) = podman() else { return };
    let shown = parse(fixture.run_ok("podman manifest inspect probe").as_bytes());
    assert_eq!(shown, serde_json::json!({"schemaVersion": 2, "mediaType": LIST_TYPE, "manifests": null}));
}

#[test]
fn podman_exists_has_its_own_exit_code_for_an_invalid_name() {
    let Some(fixture) = podman() else { return };
    assert_eq!(fixture.run("podman manifest exists nope").code, 1);
    assert_eq!(fixture.run("podman manifest exists probe").code, 0);
    fixture.run_failing("podman manifest exists NOPE", 125, "repository name must be lowercase");
}

#[test]
fn podman_pushes_docker_images_as_an_oci_index() {
    let Some(fixture) = podman() else { return };
    fixture.run_ok("podman manifest create l {R}/app:amd64 {R}/app:arm64");
    assert_eq!(parse(fixture.run_ok("podman manifest inspect l").as_bytes())["mediaType"], LIST_TYPE);
    fixture.run_ok("podman manifest push --all l docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!(theirs["mediaType"], INDEX_TYPE);
    let ours = fixture.publish("docker");
    let lost = fixture.lost_parts(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type"], "the images are the same");
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn podman_push_sends_all_images_without_all() {
    let Some(fixture) = podman() else { return };
    fixture.run_ok("podman manifest create l {R}/oci:amd64 {R}/oci:arm64");
    fixture.run_ok("podman manifest push l docker://{R}/theirs:t");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn podman_create_without_all_takes_one_image_of_a_list() {
    let Some(fixture) = podman() else { return };
    fixture.publish("docker");
    fixture.run_ok("podman manifest create l {R}/ours:docker");
    let shown = fixture.run_ok("podman manifest inspect l");
    assert_eq!(platforms(shown.as_bytes()), ["linux/amd64"]);
}

#[test]
fn a_docker_list_of_ours_is_published_with_other_bytes() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "docker");
    fixture.run_ok("podman manifest push --all --format v2s2 l docker://{R}/theirs:t");
    assert_eq!(fixture.lost_parts(&ours, "theirs:t"), ["bytes"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn an_index_of_ours_loses_its_annotations() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "oci");
    fixture.run_ok("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost_parts(&ours, "theirs:t"), ["bytes", "annotations", "annotations of entries"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn an_index_of_ours_loses_its_artifact_type() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "typed");
    fixture.run_ok("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost_parts(&ours, "theirs:t"), ["bytes", "artifact type"]);
}

#[test]
fn attestations_lose_their_reference_annotations() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "attested");
    fixture.run_ok("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost_parts(&ours, "theirs:t"), ["bytes", "annotations of entries"]);
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "unknown/unknown"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn podman_changes_only_the_form_of_a_mixed_index() {
    let Some(fixture) = podman() else { return };
    for kind in ["mixed", "arms", "windows"] {
        let ours = fixture.publish(kind);
        fixture.run_ok(&format!("podman manifest create --all {kind} {{R}}/ours:{kind}"));
        fixture.run_ok(&format!("podman manifest push --all {kind} docker://{{R}}/theirs:{kind}"));
        let lost = fixture.lost_parts(&ours, &format!("theirs:{kind}"));
        assert_eq!(lost, if kind == "mixed" { vec!["bytes"] } else { vec!["bytes", "media type"] }, "{kind}");
        fixture.copy_and_assert_unchanged(&format!("theirs:{kind}"));
    }
}

#[test]
fn podman_gives_a_platform_to_entries_without_one() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "bare");
    fixture.run_ok("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost_parts(&ours, "theirs:t"), ["bytes", "platforms"]);
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn podman_merges_one_image_for_two_platforms_into_one_entry() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "twice");
    fixture.run_ok("podman manifest push --all l docker://{R}/theirs:t");
    let lost = fixture.lost_parts(&ours, "theirs:t");
    assert!(lost.contains(&"number of entries"), "{lost:?}");
    assert_eq!(platforms(&fixture.served("theirs:t")).len(), 1);
}

#[test]
fn podman_refuses_an_artifact_in_an_index() {
    let Some(fixture) = podman() else { return };
    fixture.publish("artifact");
    let words = "unsupported image-specific operation on artifact with type \"application/vnd.oci.empty.v1+json\"";
    fixture.run_failing("podman manifest create --all l {R}/ours:artifact", 125, words);
}

#[test]
fn podman_lists_a_nested_index_as_an_image_for_this_machine() {
    let Some(fixture) = podman() else { return };
    fixture.publish("nested");
    fixture.run_ok("podman manifest add --all probe docker://{R}/ours:nested");
    let shown = parse(fixture.run_ok("podman manifest inspect probe").as_bytes());
    let inner = entries(&shown).iter().find(|entry| entry["mediaType"] == INDEX_TYPE).expect("the index as an entry");
    assert_eq!((&inner["platform"]["os"], &inner["platform"]["architecture"]), (&"linux".into(), &"amd64".into()));
}

#[test]
fn a_conversion_to_docker_drops_annotations() {
    let Some(fixture) = podman() else { return };
    fixture.run_ok("podman manifest add --annotation x=y --os-version 1.2 probe docker://{R}/oci:amd64");
    for (format, kept) in [("", serde_json::json!({"x": "y"})), ("--format v2s2", serde_json::Value::Null)] {
        fixture.run_ok(&format!("podman manifest push --all {format} probe docker://{{R}}/theirs:t"));
        let theirs = parse(&fixture.served("theirs:t"));
        assert_eq!(theirs["manifests"][0]["annotations"], kept, "{format}");
        assert_eq!(theirs["manifests"][0]["platform"]["os.version"], "1.2", "{format}");
        fixture.copy_and_assert_unchanged("theirs:t");
    }
}

#[test]
fn podman_conversion_to_oci_changes_image_digests() {
    let Some(fixture) = podman() else { return };
    let ours = publish_and_create_in_podman(&fixture, "docker");
    fixture.run_ok("podman manifest push --all --format oci l docker://{R}/theirs:t");
    let lost = fixture.lost_parts(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type", "digests", "media types of entries"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn inspect_shows_a_registrys_index_as_a_docker_list() {
    let Some(fixture) = podman() else { return };
    let ours = fixture.publish("oci");
    let shown = fixture.run_ok("podman manifest inspect {R}/ours:oci");
    let lost = crate::compare::differences(&ours, shown.as_bytes());
    assert_eq!(lost, ["bytes", "media type", "annotations", "annotations of entries"]);
}

#[test]
fn inspect_takes_neither_a_transport_nor_tls_verify() {
    let Some(fixture) = podman() else { return };
    fixture.publish("oci");
    let words = "unsupported transport \"docker\" for looking up local images";
    fixture.run_failing("podman manifest inspect docker://{R}/ours:oci", 125, words);
    fixture.run_failing("podman manifest inspect --tls-verify=false {R}/ours:oci", 125, "unknown flag: --tls-verify");
}

#[test]
fn podman_add_with_a_platform_sets_it_and_does_not_select_by_it() {
    let Some(fixture) = podman() else { return };
    fixture.publish("docker");
    fixture.run_ok("podman manifest add --arch arm64 --variant v8 probe docker://{R}/ours:docker");
    let shown = parse(fixture.run_ok("podman manifest inspect probe").as_bytes());
    let entry = &shown["manifests"][0];
    assert_eq!(entry["platform"]["architecture"], "arm64");
    assert_eq!(entry["digest"], testkit::image::sha256(&fixture.served("app:amd64")), "it is the amd64 image");
}

#[test]
fn podman_create_of_an_existing_list_needs_amend() {
    let Some(fixture) = podman() else { return };
    fixture.run_failing("podman manifest create probe {R}/app:amd64", 125, "that name is already in use");
    fixture.run_ok("podman manifest create --amend probe {R}/app:amd64");
    fixture.run_ok("podman manifest create --amend probe {R}/app:arm64");
    let shown = fixture.run_ok("podman manifest inspect probe");
    assert_eq!(platforms(shown.as_bytes()), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn podman_push_with_rm_removes_the_local_list() {
    let Some(fixture) = podman() else { return };
    fixture.run_ok("podman manifest add probe docker://{R}/app:amd64");
    fixture.run_ok("podman manifest push --rm --all --digestfile {D}/digest probe docker://{R}/theirs:t");
    assert_eq!(fixture.run("podman manifest exists probe").code, 1);
    let digest = std::fs::read_to_string(fixture.dir().join("digest")).expect("the digest");
    assert_eq!(digest, testkit::image::sha256(&fixture.served("theirs:t")), "no line end");
}

#[test]
fn podman_add_and_push_fail_without_the_named_docker_config() {
    let Some(fixture) = podman() else { return };
    std::fs::remove_file(fixture.sandbox.docker_config().join("config.json")).expect("it was there");
    fixture.run_ok("podman manifest create l {R}/app:amd64");
    for line in ["add l docker://{R}/app:arm64", "push --all l docker://{R}/theirs:t"] {
        fixture.run_failing(&format!("podman manifest {line}"), 125, "checking authfile: stat ");
    }
    // Ours needs no such file.
    fixture.publish("docker");
}

#[test]
fn podman_create_with_tls_verify_false_still_requires_tls() {
    let Some(fixture) = podman() else { return };
    std::fs::remove_file(fixture.sandbox.home().join(".config/containers/registries.conf")).expect("it was there");
    let words = "http: server gave HTTP response to HTTPS client";
    fixture.run_failing("podman manifest create --tls-verify=false l {R}/app:amd64", 125, words);
    fixture.run_ok("podman manifest add --tls-verify=false probe docker://{R}/app:amd64");
}

#[test]
fn podman_reads_one_image_without_a_name_from_a_list_in_our_layout() {
    let Some(fixture) = podman() else { return };
    fixture.publish("attested");
    for (ours, theirs, name) in [
        ("oci:./layout:one", "oci:layout:one", "/layout:latest"),
        ("oci-archive:./layout.tar:one", "oci-archive:layout.tar:one", "/one:latest"),
    ] {
        fixture.ours(&format!("copy --insecure {{R}}/ours:attested {ours}"));
        fixture.run_ok(&format!("podman pull -q {theirs}"));
        let images = fixture.run_ok("podman images --format {{.Repository}}:{{.Tag}}");
        let named_images: Vec<&str> = images.lines().filter(|image| image.ends_with(name)).collect();
        assert!(named_images.len() == 1 && named_images[0].starts_with("localhost/"), "{theirs}: {images}");
    }
    fixture.run_failing("podman pull -q oci:./layout:one", 125, "invalid reference format");
    fixture.ours("copy --insecure {R}/ours:attested oci:./Layout:one");
    fixture.run_failing("podman pull -q oci:Layout:one", 125, "repository name must be lowercase");
}

/// A list goes through podman from one of our layouts to one of its own, which we publish.
#[test]
fn podman_layouts_lack_the_reference_annotations_of_attestations() {
    let Some(fixture) = podman() else { return };
    let ours = fixture.publish("attested");
    fixture.ours("copy --insecure {R}/ours:attested oci:{D}/ours:one");
    fixture.run_ok("podman manifest add --all probe oci:{D}/ours:one");
    for (written, read) in
        [("oci:{D}/theirs:one", "oci:{D}/theirs:one"), ("oci-archive:{D}/t.tar", "oci-archive:{D}/t.tar")]
    {
        fixture.run_ok(&format!("podman manifest push --all probe {written}"));
        fixture.ours(&format!("copy --insecure {read} {{R}}/theirs:one"));
        let lost = fixture.lost_parts(&ours, "theirs:one");
        assert_eq!(lost, ["bytes", "annotations of entries"], "{written}: the images are the same");
    }
}
