//! podman 4.3.1 (Debian 12), which keeps its lists among its own images.

use testkit::skip::not_possible_here;

use crate::compare::{entries, parse, platforms};
use crate::fixture::Fixture;

/// The list that podman has of its own.
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn podman() -> Option<Fixture> {
    let fixture = Fixture::new("podman", "4.3.1")?;
    let probe = fixture.run("podman manifest create probe");
    if probe.code != 0 {
        not_possible_here(
            "lists beside podman",
            &format!("it needs root or user namespaces: {}", probe.first_err_line()),
        );
        return None;
    }
    Some(fixture)
}

/// Publishes one of our lists, has podman take all of it, and gives our bytes.
fn taken(fixture: &Fixture, kind: &str) -> Vec<u8> {
    let ours = fixture.publish(kind);
    fixture.works(&format!("podman manifest create --all l {{R}}/ours:{kind}"));
    ours
}

#[test]
fn a_new_list_has_null_for_its_entries() {
    let Some(fixture) = podman() else { return };
    let shown = parse(fixture.works("podman manifest inspect probe").as_bytes());
    assert_eq!(shown, serde_json::json!({"schemaVersion": 2, "mediaType": LIST, "manifests": null}));
}

#[test]
fn exists_has_a_code_of_its_own_for_a_bad_name() {
    let Some(fixture) = podman() else { return };
    assert_eq!(fixture.run("podman manifest exists nope").code, 1);
    assert_eq!(fixture.run("podman manifest exists probe").code, 0);
    fixture.fails("podman manifest exists NOPE", 125, "repository name must be lowercase");
}

#[test]
fn docker_images_are_pushed_as_an_oci_index() {
    let Some(fixture) = podman() else { return };
    fixture.works("podman manifest create l {R}/app:amd64 {R}/app:arm64");
    assert_eq!(parse(fixture.works("podman manifest inspect l").as_bytes())["mediaType"], LIST);
    fixture.works("podman manifest push --all l docker://{R}/theirs:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!(theirs["mediaType"], INDEX);
    let ours = fixture.publish("docker");
    let lost = fixture.lost(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type"], "the images are the same");
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn push_takes_all_images_along_without_all() {
    let Some(fixture) = podman() else { return };
    fixture.works("podman manifest create l {R}/oci:amd64 {R}/oci:arm64");
    fixture.works("podman manifest push l docker://{R}/theirs:t");
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn create_without_all_takes_one_image_of_a_list() {
    let Some(fixture) = podman() else { return };
    fixture.publish("docker");
    fixture.works("podman manifest create l {R}/ours:docker");
    let shown = fixture.works("podman manifest inspect l");
    assert_eq!(platforms(shown.as_bytes()), ["linux/amd64"]);
}

#[test]
fn our_docker_list_comes_back_as_other_bytes() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "docker");
    fixture.works("podman manifest push --all --format v2s2 l docker://{R}/theirs:t");
    assert_eq!(fixture.lost(&ours, "theirs:t"), ["bytes"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn our_index_loses_its_annotations() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "oci");
    fixture.works("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost(&ours, "theirs:t"), ["bytes", "annotations", "annotations of entries"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn our_index_loses_its_artifact_type() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "typed");
    fixture.works("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost(&ours, "theirs:t"), ["bytes", "artifact type"]);
}

#[test]
fn attestations_no_longer_say_what_they_are() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "attested");
    fixture.works("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost(&ours, "theirs:t"), ["bytes", "annotations of entries"]);
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "unknown/unknown"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn a_mixed_index_stays_as_it_is_but_for_its_form() {
    let Some(fixture) = podman() else { return };
    for kind in ["mixed", "arms", "windows"] {
        let ours = fixture.publish(kind);
        fixture.works(&format!("podman manifest create --all {kind} {{R}}/ours:{kind}"));
        fixture.works(&format!("podman manifest push --all {kind} docker://{{R}}/theirs:{kind}"));
        let lost = fixture.lost(&ours, &format!("theirs:{kind}"));
        assert_eq!(lost, if kind == "mixed" { vec!["bytes"] } else { vec!["bytes", "media type"] }, "{kind}");
        fixture.assert_we_keep(&format!("theirs:{kind}"));
    }
}

#[test]
fn entries_without_a_platform_get_one() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "bare");
    fixture.works("podman manifest push --all l docker://{R}/theirs:t");
    assert_eq!(fixture.lost(&ours, "theirs:t"), ["bytes", "platforms"]);
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn one_image_for_two_platforms_is_one_entry() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "twice");
    fixture.works("podman manifest push --all l docker://{R}/theirs:t");
    let lost = fixture.lost(&ours, "theirs:t");
    assert!(lost.contains(&"number of entries"), "{lost:?}");
    assert_eq!(platforms(&fixture.served("theirs:t")).len(), 1);
}

#[test]
fn an_artifact_in_an_index_is_refused() {
    let Some(fixture) = podman() else { return };
    fixture.publish("artifact");
    let words = "unsupported image-specific operation on artifact with type \"application/vnd.oci.empty.v1+json\"";
    fixture.fails("podman manifest create --all l {R}/ours:artifact", 125, words);
}

#[test]
fn an_index_in_an_index_becomes_an_entry_for_this_machine() {
    let Some(fixture) = podman() else { return };
    fixture.publish("nested");
    fixture.works("podman manifest add --all probe docker://{R}/ours:nested");
    let shown = parse(fixture.works("podman manifest inspect probe").as_bytes());
    let inner = entries(&shown).iter().find(|entry| entry["mediaType"] == INDEX).expect("the index as an entry");
    assert_eq!((&inner["platform"]["os"], &inner["platform"]["architecture"]), (&"linux".into(), &"amd64".into()));
}

#[test]
fn a_conversion_to_docker_drops_annotations() {
    let Some(fixture) = podman() else { return };
    fixture.works("podman manifest add --annotation x=y --os-version 1.2 probe docker://{R}/oci:amd64");
    for (format, kept) in [("", serde_json::json!({"x": "y"})), ("--format v2s2", serde_json::Value::Null)] {
        fixture.works(&format!("podman manifest push --all {format} probe docker://{{R}}/theirs:t"));
        let theirs = parse(&fixture.served("theirs:t"));
        assert_eq!(theirs["manifests"][0]["annotations"], kept, "{format}");
        assert_eq!(theirs["manifests"][0]["platform"]["os.version"], "1.2", "{format}");
        fixture.assert_we_keep("theirs:t");
    }
}

#[test]
fn a_conversion_to_oci_makes_other_images() {
    let Some(fixture) = podman() else { return };
    let ours = taken(&fixture, "docker");
    fixture.works("podman manifest push --all --format oci l docker://{R}/theirs:t");
    let lost = fixture.lost(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type", "digests", "media types of entries"]);
    fixture.assert_we_keep("theirs:t");
}

#[test]
fn inspect_shows_a_registrys_index_as_a_docker_list() {
    let Some(fixture) = podman() else { return };
    let ours = fixture.publish("oci");
    let shown = fixture.works("podman manifest inspect {R}/ours:oci");
    let lost = crate::compare::differences(&ours, shown.as_bytes());
    assert_eq!(lost, ["bytes", "media type", "annotations", "annotations of entries"]);
}

#[test]
fn inspect_takes_neither_a_transport_nor_tls_verify() {
    let Some(fixture) = podman() else { return };
    fixture.publish("oci");
    let words = "unsupported transport \"docker\" for looking up local images";
    fixture.fails("podman manifest inspect docker://{R}/ours:oci", 125, words);
    fixture.fails("podman manifest inspect --tls-verify=false {R}/ours:oci", 125, "unknown flag: --tls-verify");
}

#[test]
fn add_with_a_platform_renames_and_does_not_choose() {
    let Some(fixture) = podman() else { return };
    fixture.publish("docker");
    fixture.works("podman manifest add --arch arm64 --variant v8 probe docker://{R}/ours:docker");
    let shown = parse(fixture.works("podman manifest inspect probe").as_bytes());
    let entry = &shown["manifests"][0];
    assert_eq!(entry["platform"]["architecture"], "arm64");
    assert_eq!(entry["digest"], testkit::image::sha256(&fixture.served("app:amd64")), "it is the amd64 image");
}

#[test]
fn create_of_a_name_that_is_there_needs_amend() {
    let Some(fixture) = podman() else { return };
    fixture.fails("podman manifest create probe {R}/app:amd64", 125, "that name is already in use");
    fixture.works("podman manifest create --amend probe {R}/app:amd64");
    fixture.works("podman manifest create --amend probe {R}/app:arm64");
    let shown = fixture.works("podman manifest inspect probe");
    assert_eq!(platforms(shown.as_bytes()), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn push_with_rm_removes_the_list_after_it() {
    let Some(fixture) = podman() else { return };
    fixture.works("podman manifest add probe docker://{R}/app:amd64");
    fixture.works("podman manifest push --rm --all --digestfile {D}/digest probe docker://{R}/theirs:t");
    assert_eq!(fixture.run("podman manifest exists probe").code, 1);
    let digest = std::fs::read_to_string(fixture.dir().join("digest")).expect("the digest");
    assert_eq!(digest, testkit::image::sha256(&fixture.served("theirs:t")), "no line end");
}

#[test]
fn a_docker_config_without_its_file_stops_add_and_push() {
    let Some(fixture) = podman() else { return };
    std::fs::remove_file(fixture.sandbox.docker_config().join("config.json")).expect("it was there");
    fixture.works("podman manifest create l {R}/app:amd64");
    for line in ["add l docker://{R}/app:arm64", "push --all l docker://{R}/theirs:t"] {
        fixture.fails(&format!("podman manifest {line}"), 125, "checking authfile: stat ");
    }
    // Ours needs no such file.
    fixture.publish("docker");
}

#[test]
fn create_with_tls_verify_false_still_wants_tls() {
    let Some(fixture) = podman() else { return };
    std::fs::remove_file(fixture.sandbox.home().join(".config/containers/registries.conf")).expect("it was there");
    let words = "http: server gave HTTP response to HTTPS client";
    fixture.fails("podman manifest create --tls-verify=false l {R}/app:amd64", 125, words);
    fixture.works("podman manifest add --tls-verify=false probe docker://{R}/app:amd64");
}

#[test]
fn a_list_in_a_layout_of_ours_becomes_one_image_with_a_name_of_its_own() {
    let Some(fixture) = podman() else { return };
    fixture.publish("attested");
    for (ours, theirs, name) in [
        ("oci:./layout:one", "oci:layout:one", "/layout:latest"),
        ("oci-archive:./layout.tar:one", "oci-archive:layout.tar:one", "/one:latest"),
    ] {
        fixture.ours(&format!("copy --insecure {{R}}/ours:attested {ours}"));
        fixture.works(&format!("podman pull -q {theirs}"));
        let images = fixture.works("podman images --format {{.Repository}}:{{.Tag}}");
        let own: Vec<&str> = images.lines().filter(|image| image.ends_with(name)).collect();
        assert!(own.len() == 1 && own[0].starts_with("localhost/"), "{theirs}: {images}");
    }
    fixture.fails("podman pull -q oci:./layout:one", 125, "invalid reference format");
    fixture.ours("copy --insecure {R}/ours:attested oci:./Layout:one");
    fixture.fails("podman pull -q oci:Layout:one", 125, "repository name must be lowercase");
}

/// A list goes through podman from one of our layouts to one of its own, which we publish.
#[test]
fn a_layout_of_its_own_lacks_what_attestations_say() {
    let Some(fixture) = podman() else { return };
    let ours = fixture.publish("attested");
    fixture.ours("copy --insecure {R}/ours:attested oci:{D}/ours:one");
    fixture.works("podman manifest add --all probe oci:{D}/ours:one");
    for (written, read) in
        [("oci:{D}/theirs:one", "oci:{D}/theirs:one"), ("oci-archive:{D}/t.tar", "oci-archive:{D}/t.tar")]
    {
        fixture.works(&format!("podman manifest push --all probe {written}"));
        fixture.ours(&format!("copy --insecure {read} {{R}}/theirs:one"));
        let lost = fixture.lost(&ours, "theirs:one");
        assert_eq!(lost, ["bytes", "annotations of entries"], "{written}: the images are the same");
    }
}
