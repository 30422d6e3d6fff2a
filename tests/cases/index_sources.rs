//! Sources with several images: indexes are replaced by their images, and moved tags are requested again.

use testkit::image::{Image, Index, OCI_INDEX};

use super::fixture::Fixture;

mod amend_moved_tags;
mod index_structures;

impl Fixture {
    fn sorted_digests(&self, list: &str) -> Vec<String> {
        let mut digests = self.digests(list);
        digests.sort();
        digests
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn image(architecture: &str, content: &str) -> Image {
    Image::oci().platform("linux", architecture).layer(content).build()
}

fn sorted(images: &[&Image]) -> Vec<String> {
    let mut digests: Vec<String> = images.iter().map(|image| image.digest()).collect();
    digests.sort();
    digests
}

/// Puts an index of two images, of which the first has an attestation, under `app:multi`. Returns the images.
fn put_index_with_an_attestation(fixture: &Fixture) -> (Image, Image) {
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let index = Index::oci().image(&amd64).image(&arm64).attestation_of(&amd64).build();
    fixture.registry.put_index("app", "multi", &index);
    (amd64, arm64)
}

#[test]
fn an_index_is_taken_apart_and_its_attestations_come_along() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let index = Index::oci()
        .image(&amd64)
        .image(&arm64)
        .attestation_of(&amd64)
        .attestation_of(&arm64)
        .annotation("k", "v")
        .build();
    fixture.registry.put_index("app", "multi", &index);
    fixture.registry.clear_record();
    let created = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    assert_eq!(created.out(), format!("Created manifest list {}\n", fixture.name("app:1")));
    // One request for the index and one for each child: the index says what they run on.
    assert_eq!(fixture.take_request_lines().len(), 5);
    let all: Vec<&Image> = index.images.iter().collect();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&all));
    let attesting: Vec<_> =
        fixture.entries("@app:1").into_iter().filter(|line| line.get("annotations").is_some()).collect();
    assert_eq!(attesting.len(), 2);
    assert_eq!(attesting[0]["annotations"]["vnd.docker.reference.type"], "attestation-manifest");
    let _ = fixture.run(&["push", "@app:1"]).success();
    let (media_type, bytes) = fixture.registry.manifest("app", "1").expect("the list");
    assert_eq!(media_type, OCI_INDEX);
    let pushed: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(pushed["annotations"]["k"], "v");
    assert_eq!(pushed["manifests"].as_array().unwrap().len(), 4);
}

#[test]
fn a_list_can_be_imported_under_its_own_name() {
    let fixture = Fixture::new();
    let index = Index::oci().image(&image("amd64", "a")).image(&image("arm64", "b")).build();
    fixture.registry.put_index("app", "v1", &index);
    let _ = fixture.run(&["create", "@app:v1", "@app:v1"]).success();
    let _ = fixture.run(&["remove", "@app:v1", "linux/arm64"]).success();
    let _ = fixture.run(&["push", "@app:v1"]).success();
    assert_eq!(fixture.sorted_digests("@app:v1"), [index.images[0].digest()]);
}

#[test]
fn platforms_are_picked_and_attestations_dropped() {
    let fixture = Fixture::new();
    let (amd64, arm64, s390x) = (image("amd64", "a"), image("arm64", "b"), image("s390x", "c"));
    let index =
        Index::oci().image(&amd64).image(&arm64).image(&s390x).attestation_of(&amd64).attestation_of(&s390x).build();
    fixture.registry.put_index("app", "multi", &index);
    fixture.registry.clear_record();
    let flags = ["create", "--platform", "linux/amd64,linux/aarch64", "@app:1", "@app:multi"];
    let _ = fixture.run(&flags).success();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&[&amd64, &arm64, &index.images[3]]));
    assert_eq!(fixture.take_request_lines().len(), 4, "what is not picked is not fetched");
    let _ = fixture.run(&["create", "--attestations=drop", "@app:2", "@app:multi"]).success();
    assert_eq!(fixture.sorted_digests("@app:2"), sorted(&[&amd64, &arm64, &s390x]));
    let refused = fixture.run(&["create", "@app:3", "@app:multi", "--platform", "linux/riscv64"]);
    assert_eq!(refused.code, 1);
    let message = refused.err();
    assert!(
        message.starts_with(&format!("no image for linux/riscv64 in {}\n", fixture.name("app:multi"))),
        "{message}"
    );
    assert!(message.contains("hint: available: linux/amd64, linux/arm64, linux/s390x"), "{message}");
}

#[test]
fn amend_refresh_follows_a_moved_tag_and_keeps_the_users_changes() {
    let fixture = Fixture::new();
    let (old, new) = (image("arm64", "old"), image("arm64", "new"));
    fixture.registry.put_image("app", "arm", &old);
    fixture.registry.put_image("app", "amd", &image("amd64", "a"));
    let _ = fixture.run(&["create", "@app:1", "@app:arm", "@app:amd"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "@app:arm", "--variant", "v8", "--annotation", "k=v"]).success();
    fixture.registry.put_image("app", "arm", &new);
    fixture.registry.clear_record();
    let offline = fixture.run(&["create", "--amend", "--offline", "@app:1", "@app:arm"]).success();
    assert_eq!((offline.err(), fixture.take_request_lines()), (String::new(), Vec::new()));
    let amended = fixture.run(&["create", "--amend", "@app:1", "@app:arm", "@app:amd"]).success();
    let moved = format!("{} moved: {} → {}\n", fixture.name("app:arm"), old.digest(), new.digest());
    assert_eq!(amended.err(), moved);
    let lines = fixture.entries("@app:1");
    let line = lines.iter().find(|line| text(&line["digest"]) == new.digest()).expect("the new image");
    assert_eq!((text(&line["platform"]["variant"]), text(&line["annotations"]["k"])), ("v8".into(), "v".into()));
    assert_eq!(lines.len(), 2);
    fixture.registry.clear_record();
    let repeated = fixture.run(&["create", "--amend", "@app:1", "@app:arm", "@app:amd"]).success();
    assert_eq!(repeated.err(), "");
    // A look at each tag, and no configuration.
    assert_eq!(fixture.take_request_lines().len(), 2);
}

#[test]
fn an_index_that_moved_takes_its_images_and_attestations_with_it() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let first = Index::oci().image(&amd64).image(&arm64).attestation_of(&amd64).attestation_of(&arm64).build();
    fixture.registry.put_index("app", "multi", &first);
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    let annotated = fixture.name(&format!("app@{}", amd64.digest()));
    let _ = fixture.run(&["annotate", "@app:1", &annotated, "--os-version", "9"]).success();
    let amd64 = image("amd64", "a, rebuilt");
    let second = Index::oci().image(&amd64).image(&arm64).attestation_of(&amd64).attestation_of(&arm64).build();
    fixture.registry.put_index("app", "multi", &second);
    let amended = fixture.run(&["create", "--amend", "@app:1", "@app:multi"]).success();
    assert_eq!(
        amended.err(),
        format!("{} moved: {} → {}\n", fixture.name("app:multi"), first.digest(), second.digest())
    );
    let all: Vec<&Image> = second.images.iter().collect();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&all));
    let lines = fixture.entries("@app:1");
    let line = lines.iter().find(|line| text(&line["digest"]) == amd64.digest()).expect("the new image");
    assert_eq!(text(&line["platform"]["os.version"]), "9");
    fixture.registry.clear_record();
    let _ = fixture.run(&["create", "--amend", "@app:1", "@app:multi"]).success();
    assert_eq!(fixture.take_request_lines().len(), 1, "what the draft has is not fetched again");
}

#[test]
fn create_replace_starts_over() {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "a", &image("amd64", "a"));
    fixture.registry.put_image("app", "b", &image("arm64", "b"));
    let _ = fixture.run(&["create", "@app:1", "@app:a"]).success();
    let refused = fixture.run(&["create", "@app:1", "@app:b"]);
    let hint = format!(
        "hint: {} exists as a draft: use --amend to add images to it, or --replace to replace it",
        fixture.name("app:1")
    );
    assert_eq!((refused.code, refused.err().lines().last()), (1, Some(hint.as_str())), "{}", refused.err());
    let _ = fixture.run(&["create", "--replace", "@app:1", "@app:b"]).success();
    assert_eq!(fixture.sorted_digests("@app:1"), [image("arm64", "b").digest()]);
}

#[test]
fn debug_after_the_verb_shows_the_requests() {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "a", &image("amd64", "a"));
    for words in [["create", "-D", "@app:1", "@app:a"], ["create", "@app:2", "@app:a", "--debug"]] {
        let created = fixture.run(&words).success();
        assert!(created.err().contains("/v2/app/manifests/a"), "{}", created.err());
    }
    assert_eq!(fixture.run(&["create", "@app:3", "@app:a"]).success().err(), "");
}

#[test]
fn images_are_added_and_removed_one_by_one() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let index = Index::oci().image(&amd64).image(&arm64).attestation_of(&arm64).build();
    fixture.registry.put_index("app", "multi", &index);
    fixture.registry.put_image("app", "s390x", &image("s390x", "c"));
    let refused = fixture.run(&["add", "@app:1", "@app:s390x"]);
    assert_eq!(refused.err().lines().next(), Some(format!("No such manifest: {}", fixture.name("app:1")).as_str()));
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    let added = fixture.run(&["add", "@app:1", "@app:s390x", "--annotation", "k=v"]).success();
    assert_eq!(added.out(), format!("Added {} (linux/s390x)\n", fixture.name("app:s390x")));
    let removed = fixture.run(&["remove", "@app:1", "linux/arm64", &amd64.digest()[..14]]).success();
    let removed_line = |image: &Image| format!("Removed {}\n", fixture.name(&format!("app@{}", image.digest())));
    assert_eq!(removed.out(), removed_line(&arm64) + &removed_line(&index.images[2]) + &removed_line(&amd64));
    assert_eq!(fixture.sorted_digests("@app:1"), [image("s390x", "c").digest()]);
    let missing = fixture.run(&["remove", "@app:1", "linux/arm64"]);
    assert_eq!(
        missing.err().lines().next(),
        Some(format!("manifest for image linux/arm64 does not exist in {}", fixture.name("app:1")).as_str())
    );
}

#[test]
fn artifacts_can_be_listed_in_an_index() {
    let fixture = Fixture::new();
    let chart = Image::oci()
        .config_media_type("application/vnd.cncf.helm.config.v1+json")
        .config_raw(br#"{"name":"app","os":7}"#)
        .layer_of_type("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")
        .build();
    fixture.registry.put_image("app", "chart", &chart);
    let _ = fixture.run(&["create", "@app:1", "@app:chart"]).success();
    let refused = fixture.run(&["push", "@app:1"]);
    assert!(refused.err().contains("must have an OS and Architecture"), "{}", refused.err());
    assert!(refused.err().contains("--type oci"), "{}", refused.err());
    let _ = fixture.run(&["push", "--type", "oci", "@app:1"]).success();
    let (_, bytes) = fixture.registry.manifest("app", "1").expect("the index");
    let index: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert!(index["manifests"][0].get("platform").is_none(), "{index}");
}

#[test]
fn the_list_itself_is_annotated() {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "a", &image("amd64", "a"));
    let _ = fixture.run(&["create", "@app:1", "@app:a"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "--annotation", "k=v", "--artifact-type", "application/x"]).success();
    let _ = fixture.run(&["push", "@app:1"]).success();
    let (_, bytes) = fixture.registry.manifest("app", "1").expect("the index");
    let index: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((text(&index["annotations"]["k"]), text(&index["artifactType"])), ("v".into(), "application/x".into()));
    let refused = fixture.run(&["push", "--type", "docker", "@app:1"]);
    assert!(refused.err().contains("--type oci"), "{}", refused.err());
    let refused = fixture.run(&["annotate", "@app:1", "--os", "linux", "--annotation", "k=v"]);
    assert!(refused.err().starts_with("missing argument: --os needs MANIFEST"), "{}", refused.err());
}
