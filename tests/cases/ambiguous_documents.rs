//! Documents that are an index for one client and a manifest for another (CVE-2021-41190), and responses whose
//! media type does not tell what the document is.

use serde_json::{Value, json};
use testkit::image::{DOCKER_LIST, DOCKER_MANIFEST, Image, Index, OCI_INDEX, OCI_MANIFEST};

use super::fixture::Fixture;

/// With an image, which `ambiguous_document` and the tests are made of.
fn fixture() -> (Fixture, Image, Index) {
    let fixture = Fixture::new();
    let image = Image::oci().platform("linux", "amd64").layer("l").build();
    fixture.registry.put_image("app", "image", &image);
    let index = Index::oci().image(&image).build();
    (fixture, image, index)
}

/// The image's manifest with the members of an index too.
fn ambiguous_document(image: &Image, index: &Index, media_type: Option<&str>) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&image.manifest).expect("JSON");
    let index: Value = serde_json::from_slice(&index.manifest).expect("JSON");
    document["manifests"] = index["manifests"].clone();
    document["mediaType"] = json!(media_type);
    serde_json::to_vec(&document).expect("bytes")
}

#[test]
fn every_command_refuses_a_document_that_is_both_image_and_index() {
    let (fixture, image, index) = fixture();
    let not_an_index = "index: expected index but found manifest";
    let not_a_manifest = "manifest: expected manifest but found index";
    let other = format!("it is served as {DOCKER_LIST}, but its mediaType is {OCI_INDEX}");
    for (tag, served, bytes, expected) in [
        ("index", OCI_INDEX, ambiguous_document(&image, &index, Some(OCI_INDEX)), not_an_index),
        ("manifest", OCI_MANIFEST, ambiguous_document(&image, &index, Some(OCI_MANIFEST)), not_a_manifest),
        ("bare", OCI_INDEX, ambiguous_document(&image, &index, None), not_an_index),
        ("unknown", "application/json", ambiguous_document(&image, &index, None), not_an_index),
        ("family", DOCKER_LIST, index.manifest.clone(), other.as_str()),
    ] {
        fixture.registry.put_manifest("app", tag, served, &bytes);
        let name = format!("@app:{tag}");
        let full = fixture.registry.name(&format!("app:{tag}"));
        let new = format!("@new:{tag}");
        for command in [
            &["inspect", &name][..],
            &["inspect", "--raw", &name],
            &["inspect", "--format", "tree", &name],
            &["platforms", &name],
            &["export", &name],
            &["create", &new, &name],
            &["apply", "--platforms", "linux/amd64", "--template", &full, "--target", &new],
        ] {
            let refused = fixture.run(command);
            assert_eq!((refused.code, refused.out(), refused.first_err_line().as_str()), (1, String::new(), expected));
            assert!(refused.err().contains(&full), "{command:?}: {}", refused.err());
        }
    }
    assert!(!fixture.sandbox.store().exists(), "no draft was made");
    assert_eq!(fixture.registry.tags("new"), [""; 0]);
}

#[test]
fn a_draft_entry_that_is_both_image_and_index_is_refused() {
    let (fixture, image, index) = fixture();
    let document = ambiguous_document(&image, &index, Some(OCI_MANIFEST));
    let digest = fixture.registry.put_manifest("app", "both", OCI_MANIFEST, &document);
    let entry = json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": document.len(),
        "platform": {"os": "linux", "architecture": "amd64"}});
    fixture.registry.put_index("app", "list", &Index::oci().child(entry).build());
    let refused = fixture.run(&["create", "@app:new", "@app:list"]);
    assert_eq!((refused.code, refused.first_err_line().as_str()), (1, "manifest: expected manifest but found index"));
}

#[test]
fn the_document_decides_under_an_unknown_content_type() {
    let (fixture, image, index) = fixture();
    let docker = Image::docker().platform("linux", "arm64").layer("d").build();
    fixture.registry.put_image("app", "docker", &docker);
    let without = |bytes: &[u8]| {
        let mut document: Value = serde_json::from_slice(bytes).expect("JSON");
        document.as_object_mut().expect("members").remove("mediaType");
        serde_json::to_vec(&document).expect("bytes")
    };
    let (bare_image, bare_index) = (without(&image.manifest), without(&index.manifest));
    for (place, (bytes, media_type)) in [
        (&image.manifest, OCI_MANIFEST),
        (&bare_image, OCI_MANIFEST),
        (&docker.manifest, DOCKER_MANIFEST),
        (&index.manifest, OCI_INDEX),
        (&bare_index, OCI_INDEX),
    ]
    .into_iter()
    .enumerate()
    {
        for (number, served) in ["application/json", "application/vnd.example+json", "text/plain"].iter().enumerate() {
            let name = format!("@app:odd-{place}-{number}");
            fixture.registry.put_manifest("app", &name[5..], served, bytes);
            let shown = fixture.run(&["inspect", "--format", "json", &name]).success();
            let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
            assert_eq!(shown["mediaType"], media_type, "{served}");
            let list = format!("@new:{place}-{number}");
            let _ = fixture.run(&["create", &list, &name]).success();
        }
    }
    fixture.registry.put_manifest("app", "neither", "application/json", b"{}");
    let refused = fixture.run(&["inspect", "@app:neither"]);
    let expected = "is not an image manifest or a manifest list: application/json";
    assert!(refused.first_err_line().ends_with(expected), "{}", refused.err());
}
