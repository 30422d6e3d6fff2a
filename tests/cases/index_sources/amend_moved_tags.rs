//! `--amend` after tags moved: which entry replaces which, which changes of the user stay, and which entries are
//! removed.

use std::fs;

use serde_json::{Value, json};
use testkit::image::fixtures::windows_image;
use testkit::image::{Image, Index};

use super::{Fixture, image, put_index_with_an_attestation, sorted, text};

impl Fixture {
    fn amend_for_stderr(&self, list: &str, source: &str) -> String {
        self.run(&["create", "--amend", list, source]).success().err()
    }

    /// The entry of an image in the draft `list`.
    fn draft_entry(&self, list: &str, image: &Image) -> Value {
        let lines = self.entries(list);
        let line = lines.iter().find(|line| text(&line["digest"]) == image.digest());
        line.unwrap_or_else(|| panic!("{} is not in {list}: {lines:?}", image.digest())).clone()
    }

    fn by_digest(&self, image: &Image) -> String {
        self.name(&format!("app@{}", image.digest()))
    }

    fn push_list(&self, tag: &str) -> Value {
        let _ = self.run(&["push", &format!("@app:{tag}")]).success();
        self.list("app", tag)
    }

    fn moved_note(&self, tag: &str, old: &Index, new: &Index) -> String {
        format!("{} moved: {} → {}\n", self.name(&format!("app:{tag}")), old.digest(), new.digest())
    }
}

#[test]
fn each_windows_build_is_replaced_by_its_own_build() {
    let fixture = Fixture::new();
    let first = ["10.0.17763.1", "10.0.20348.1", "10.0.26100.1"].map(windows_image);
    let second = ["10.0.26100.2", "10.0.17763.2", "10.0.20348.2"].map(windows_image);
    let index_of = |images: &[Image; 3]| images.iter().fold(Index::docker(), |index, image| index.image(image)).build();
    fixture.registry.put_index("app", "win", &index_of(&first));
    let _ = fixture.run(&["create", "@app:1", "@app:win"]).success();
    for (image, note) in first.iter().zip(["k=1", "k=2", "k=3"]) {
        let _ = fixture.run(&["annotate", "@app:1", &fixture.by_digest(image), "--annotation", note]).success();
    }
    fixture.registry.put_index("app", "win", &index_of(&second));
    assert_eq!(
        fixture.amend_for_stderr("@app:1", "@app:win"),
        fixture.moved_note("win", &index_of(&first), &index_of(&second))
    );
    for (image, note) in second.iter().zip(["3", "1", "2"]) {
        let line = fixture.draft_entry("@app:1", image);
        assert_eq!(text(&line["annotations"]["k"]), note);
        assert_eq!(line["platform"], image.platform().expect("one"), "what nobody said is the image's own");
    }
    assert_eq!(fixture.entries("@app:1").len(), 3);
}

#[test]
fn a_platform_that_the_user_changed_does_not_lose_its_image() {
    let fixture = Fixture::new();
    let (amd64, arm64) = put_index_with_an_attestation(&fixture);
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    let flags = ["annotate", "@app:1", &fixture.by_digest(&amd64), "--variant", "v3", "--annotation", "k=v"];
    let _ = fixture.run(&flags).success();
    let rebuilt = image("amd64", "a, rebuilt");
    let second = Index::oci().image(&rebuilt).image(&arm64).attestation_of(&rebuilt).build();
    fixture.registry.put_index("app", "multi", &second);
    let _ = fixture.amend_for_stderr("@app:1", "@app:multi");
    let line = fixture.draft_entry("@app:1", &rebuilt);
    assert_eq!((text(&line["platform"]["variant"]), text(&line["annotations"]["k"])), ("v3".into(), "v".into()));
    let all: Vec<&Image> = second.images.iter().collect();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&all));
}

#[test]
fn list_annotations_follow_the_index_except_for_the_users_changes() {
    let fixture = Fixture::new();
    let index_of =
        |content: &str| Index::oci().image(&image("amd64", content)).artifact_type("a/one").annotation("same", "s");
    let first = index_of("a").annotation("rev", "1").annotation("gone", "g").annotation("mine", "theirs").build();
    fixture.registry.put_index("app", "multi", &first);
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "--annotation", "mine=mine", "--annotation", "own=o"]).success();
    let second = index_of("b").annotation("rev", "2").annotation("new", "n").annotation("mine", "theirs, too").build();
    fixture.registry.put_index("app", "multi", &second);
    let _ = fixture.amend_for_stderr("@app:1", "@app:multi");
    let pushed = fixture.push_list("1");
    assert_eq!(pushed["annotations"], json!({"same": "s", "rev": "2", "mine": "mine", "own": "o", "new": "n"}));
    assert_eq!(pushed["artifactType"], "a/one");
    // A list that is more than the index took nothing from it, and takes nothing now.
    fixture.registry.put_image("app", "s390x", &image("s390x", "c"));
    fixture.registry.put_index("app", "multi", &first);
    let _ = fixture.run(&["create", "@app:2", "@app:multi", "@app:s390x"]).success();
    fixture.registry.put_index("app", "multi", &second);
    let _ = fixture.amend_for_stderr("@app:2", "@app:multi");
    assert!(fixture.push_list("2").get("annotations").is_none());
}

/// Docker takes `Source` away from an entry that it annotates; see `store-format.md`, "What docker has no place for".
#[test]
fn an_entry_that_docker_has_annotated_still_follows_its_index() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let first = Index::oci().image(&amd64).image(&arm64).attestation_of(&amd64).attestation_of(&arm64).build();
    fixture.registry.put_index("app", "multi", &first);
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    let _ = fixture.run(&["annotate", "@app:1", &fixture.by_digest(&amd64), "--variant", "v2"]).success();
    let file = |name: String| name.replace(':', "-").replace('/', "_");
    let entry = fixture.sandbox.store().join(file(fixture.name("app:1"))).join(file(fixture.by_digest(&amd64)));
    let entry_text = fs::read_to_string(&entry).expect("the entry");
    let (before, source) = entry_text.split_once(",\"Source\":").expect("what docker drops");
    fs::write(&entry, format!("{before}}}")).expect("as docker leaves it");
    assert!(source.contains("app:multi"), "{source}");
    let rebuilt = image("amd64", "a, rebuilt");
    let second = Index::oci().image(&rebuilt).image(&arm64).attestation_of(&rebuilt).attestation_of(&arm64).build();
    fixture.registry.put_index("app", "multi", &second);
    assert_eq!(fixture.amend_for_stderr("@app:1", "@app:multi"), fixture.moved_note("multi", &first, &second));
    let all: Vec<&Image> = second.images.iter().collect();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&all));
    assert_eq!(text(&fixture.draft_entry("@app:1", &rebuilt)["platform"]["variant"]), "v2");
}

#[test]
fn a_partial_refresh_is_completed_later() {
    let fixture = Fixture::new();
    let index_with = |content: &str| {
        let images = ["amd64", "arm64", "s390x"].map(|own| image(own, content));
        images.iter().fold(Index::oci(), |index, image| index.image(image).attestation_of(image)).build()
    };
    let (first, second) = (index_with("first"), index_with("second"));
    let third = Index::oci().image(&second.images[0]).image(&second.images[2]).build();
    fixture.registry.put_index("app", "multi", &first);
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    fixture.registry.put_index("app", "multi", &second);
    let flags = ["create", "--amend", "@app:1", "@app:multi", "--platform", "linux/arm64"];
    assert_eq!(fixture.run(&flags).success().err(), fixture.moved_note("multi", &first, &second));
    let [amd64, amd_note, arm64, _, s390x, s390x_note] = &first.images[..] else { panic!("six") };
    assert_ne!(arm64.digest(), second.images[2].digest());
    let mixed = [amd64, amd_note, &second.images[2], &second.images[3], s390x, s390x_note];
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&mixed));
    // What the draft has of the first is told, and goes, also where the index is the second's or a third.
    assert_eq!(fixture.amend_for_stderr("@app:1", "@app:multi"), fixture.moved_note("multi", &first, &second));
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&second.images.iter().collect::<Vec<_>>()));
    fixture.registry.put_index("app", "multi", &third);
    assert_eq!(fixture.amend_for_stderr("@app:1", "@app:multi"), fixture.moved_note("multi", &second, &third));
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&third.images.iter().collect::<Vec<_>>()));
}

#[test]
fn refresh_follows_a_tag_between_image_and_index() {
    let fixture = Fixture::new();
    let (old, arm64) = (image("amd64", "old"), image("arm64", "b"));
    let new = image("amd64", "new");
    let index = Index::oci().image(&new).image(&arm64).attestation_of(&new).annotation("of", "index").build();
    fixture.registry.put_image("app", "it", &old);
    let _ = fixture.run(&["create", "@app:1", "@app:it"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "@app:it", "--annotation", "k=v"]).success();
    fixture.registry.put_index("app", "it", &index);
    let line = format!("{} moved: {} → {}\n", fixture.name("app:it"), old.digest(), index.digest());
    assert_eq!(fixture.amend_for_stderr("@app:1", "@app:it"), line);
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&index.images.iter().collect::<Vec<_>>()));
    assert_eq!(text(&fixture.draft_entry("@app:1", &new)["annotations"]["k"]), "v");
    fixture.registry.put_image("app", "it", &old);
    let line = format!("{} moved: {} → {}\n", fixture.name("app:it"), index.digest(), old.digest());
    assert_eq!(fixture.amend_for_stderr("@app:1", "@app:it"), line);
    assert_eq!(fixture.sorted_digests("@app:1"), [old.digest()]);
    assert_eq!(text(&fixture.draft_entry("@app:1", &old)["annotations"]["k"]), "v");
}

#[test]
fn refresh_does_not_change_entries_by_digest() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    fixture.registry.put_index("app", "multi", &Index::oci().image(&amd64).image(&arm64).build());
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    let named = fixture.by_digest(&amd64);
    let added = fixture.run(&["add", "@app:1", &named, "--variant", "v2"]).success();
    assert_eq!((added.out(), added.err()), (String::new(), String::new()));
    assert_eq!(text(&fixture.draft_entry("@app:1", &amd64)["platform"]["variant"]), "v2");
    assert_eq!(fixture.amend_for_stderr("@app:1", &named), "");
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&[&amd64, &arm64]));
}

#[test]
fn offline_sends_no_request_for_entries_of_the_draft() {
    let fixture = Fixture::new();
    let first = Index::oci().image(&image("amd64", "a")).build();
    fixture.registry.put_index("app", "multi", &first);
    fixture.registry.put_image("app", "s390x", &image("s390x", "c"));
    let _ = fixture.run(&["create", "@app:1", "@app:multi"]).success();
    fixture.registry.put_index("app", "multi", &Index::oci().image(&image("amd64", "b")).build());
    fixture.registry.clear_record();
    let offline = ["create", "--amend", "--offline", "@app:1", "@app:multi", "@app:s390x"];
    assert_eq!(fixture.run(&offline).success().err(), "");
    assert!(
        fixture.take_request_lines().iter().all(|request| !request.contains("multi")),
        "only what is new is asked for"
    );
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&[&first.images[0], &image("s390x", "c")]));
}

#[test]
fn a_selected_platform_can_come_from_the_draft() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    fixture.registry.put_image("app", &amd64.digest(), &amd64);
    fixture.registry.put_image("app", "arm", &arm64);
    let named = fixture.by_digest(&amd64);
    let offline = ["create", "--amend", "--offline"];
    for verb in [&["create"][..], &["create", "--amend"], &offline, &["add"], &["add", "--offline"]] {
        let created = fixture.run(&[verb, &["--platform", "linux/amd64", "@app:1", &named]].concat()).success();
        assert_eq!(created.err(), "", "{verb:?}");
    }
    let two_platforms = ["create", "--amend", "--platform", "linux/amd64,linux/arm64", "@app:1", &named, "@app:arm"];
    let _ = fixture.run(&two_platforms).success();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&[&amd64, &arm64]));
    for verb in [&["create", "--amend"][..], &offline, &["add", "--offline"]] {
        let refused = fixture.run(&[verb, &["--platform", "linux/riscv64", "@app:1", &named]].concat());
        let lines = format!("no image for linux/riscv64 in {named}\nhint: available: linux/amd64\n");
        assert_eq!((refused.code, refused.err()), (1, lines), "{verb:?}");
    }
}

#[test]
fn flags_of_add_apply_to_existing_entries_by_any_name() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", "a"), image("arm64", "b"));
    let index = Index::oci().image(&amd64).image(&arm64).attestation_of(&amd64).build();
    fixture.registry.put_image("app", "amd", &amd64);
    fixture.registry.put_index("app", "multi", &index);
    let _ = fixture.run(&["create", "@app:1", "@app:amd"]).success();
    let _ = fixture.run(&["add", "@app:1", "@app:multi", "--annotation", "k=v"]).success();
    assert_eq!(fixture.sorted_digests("@app:1"), sorted(&index.images.iter().collect::<Vec<_>>()));
    let annotation = |image: &Image| text(&fixture.draft_entry("@app:1", image)["annotations"]["k"]);
    assert_eq!([annotation(&amd64), annotation(&arm64), annotation(&index.images[2])], ["v", "v", ""]);
    fixture.registry.clear_record();
    let offline = ["add", "--offline", "--platform", "linux/arm64", "@app:1", "@app:multi", "--annotation", "k=w"];
    let _ = fixture.run(&offline).success();
    assert_eq!(fixture.take_request_lines(), [""; 0]);
    assert_eq!([annotation(&amd64), annotation(&arm64)], ["v", "w"], "what was not picked was not meant");
    // Of two names by which the draft has it, the one that says what the index says is meant.
    let platform = json!({"architecture": "amd64", "os": "linux", "variant": "v3"});
    fixture.registry.put_index("app", "twice", &Index::oci().image(&arm64).image_with(&amd64, platform, &[]).build());
    let _ = fixture.run(&["create", "@app:2", "@app:amd", "@app:twice"]).success();
    assert_eq!(fixture.sorted_digests("@app:2").len(), 2);
    let _ = fixture.run(&["add", "@app:2", "@app:twice", "--annotation", "k=v"]).success();
    assert_eq!(text(&fixture.draft_entry("@app:2", &amd64)["annotations"]["k"]), "v");
}
