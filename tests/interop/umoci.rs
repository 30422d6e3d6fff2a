//! umoci 0.4.7 (Debian 12), which works on layouts of single images.

use crate::compare::platforms;
use crate::fixture::Fixture;

fn umoci() -> Option<Fixture> {
    let fixture = Fixture::new("umoci", "0.4.7")?;
    if !testkit::sandbox::on_path("skopeo") {
        testkit::skip::skipped("lists beside umoci", "skopeo is not on the PATH, and it carries the images");
        return None;
    }
    Some(fixture)
}

#[test]
fn umoci_lists_the_layout_of_an_index_and_cannot_open_it() {
    let Some(fixture) = umoci() else { return };
    fixture.publish("oci");
    fixture.run_ok("skopeo copy --all docker://{R}/ours:oci oci:{D}/layout:t");
    assert_eq!(fixture.run_ok("umoci list --layout {D}/layout"), "t\n");
    for line in
        ["stat --image {D}/layout:t", "unpack --rootless --image {D}/layout:t {D}/bundle", "tag --image {D}/layout:t u"]
    {
        fixture.run_failing(&format!("umoci {line}"), 1, "tag is ambiguous: t");
    }
}

#[test]
fn umoci_opens_a_layout_of_one_platform() {
    let Some(fixture) = umoci() else { return };
    fixture.publish("oci");
    fixture.run_ok("skopeo --override-arch arm64 copy docker://{R}/ours:oci oci:{D}/layout:t");
    fixture.run_ok("umoci stat --image {D}/layout:t");
    fixture.run_ok("umoci config --image {D}/layout:t --tag changed --config.env A=b");
    fixture.run_ok("skopeo copy oci:{D}/layout:changed docker://{R}/theirs:t");
    fixture.ours("create {R}/copy:t {R}/theirs:t {R}/oci:amd64");
    fixture.ours("push {R}/copy:t");
    assert_eq!(platforms(&fixture.served("copy:t")), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn umoci_images_have_no_variant_until_we_annotate_one() {
    let Some(fixture) = umoci() else { return };
    fixture.run_ok("umoci init --layout {D}/new");
    fixture.run_ok("umoci new --image {D}/new:1");
    fixture.run_failing("umoci config --image {D}/new:1 --variant v7", 1, "flag provided but not defined: -variant");
    fixture.run_ok("umoci config --image {D}/new:1 --architecture arm");
    fixture.run_ok("skopeo copy oci:{D}/new:1 docker://{R}/theirs:1");
    fixture.ours("create {R}/copy:t {R}/theirs:1");
    fixture.ours("annotate {R}/copy:t {R}/theirs:1 --variant v7");
    fixture.ours("push {R}/copy:t");
    assert_eq!(platforms(&fixture.served("copy:t")), ["linux/arm/v7"]);
}

#[test]
fn umoci_manifests_without_a_media_type_are_listed_as_oci_images() {
    let Some(fixture) = umoci() else { return };
    fixture.run_ok("umoci init --layout {D}/new");
    fixture.run_ok("umoci new --image {D}/new:1");
    fixture.run_ok("skopeo copy oci:{D}/new:1 docker://{R}/theirs:1");
    assert!(!String::from_utf8_lossy(&fixture.served("theirs:1")).contains("manifest.v1+json"), "umoci leaves it out");
    fixture.ours("create {R}/copy:t {R}/theirs:1");
    fixture.ours("push {R}/copy:t");
    let list = crate::compare::parse(&fixture.served("copy:t"));
    assert_eq!(list["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(list["manifests"][0]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(list["manifests"][0]["digest"], testkit::image::sha256(&fixture.served("theirs:1")));
}

#[test]
fn umoci_rm_of_the_last_tag_leaves_null_for_the_manifests() {
    let Some(fixture) = umoci() else { return };
    fixture.publish("oci");
    fixture.run_ok("skopeo copy --all docker://{R}/ours:oci oci:{D}/layout:t");
    fixture.run_ok("umoci remove --image {D}/layout:t");
    let index = std::fs::read_to_string(fixture.dir().join("layout/index.json")).expect("the index");
    assert_eq!(index.trim_end(), r#"{"schemaVersion":2,"manifests":null}"#);
}
