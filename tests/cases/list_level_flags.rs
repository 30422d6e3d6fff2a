//! Flags of the list itself: annotations with buildx's prefixes, the subject, and `--prefer-index=false`.

use serde_json::{Value, json};
use testkit::image::Image;
use testkit::loopback::Registry;

use super::fixture::Fixture;

fn fixture() -> Fixture {
    let fixture = Fixture::with_registry(Registry::builder().without_referrers().start());
    fixture.with_images("app", &["amd64", "arm64"]).with_images("other", &["amd64", "arm64"])
}

#[track_caller]
fn assert_refused(fixture: &Fixture, args: &[&str], expected: &str) {
    let refused = fixture.run(args);
    assert!(refused.code != 0 && refused.err().contains(expected), "{args:?}: {}", refused.err());
}

#[test]
fn annotations_are_placed_by_their_prefix() {
    let fixture = fixture();
    let arm64 = "manifest-descriptor[linux/arm64]:tier=arm";
    let create = ["create", "--annotation", "index:a=1", "--annotation", arm64, "@app:1", "@app:amd64", "@app:arm64"];
    let _ = fixture.run(&create).success();
    let _ = fixture.run(&["annotate", "@app:1", "--annotation", "manifest-descriptor:every=1"]).success();
    let _ = fixture.run(&["push", "--annotation", "b=2", "@app:1"]).success();
    let list = fixture.list("app", "1");
    assert_eq!(list["annotations"], json!({ "a": "1", "b": "2" }));
    assert_eq!(list["manifests"][0]["annotations"], json!({ "every": "1" }));
    assert_eq!(list["manifests"][1]["annotations"], json!({ "every": "1", "tier": "arm" }));
    // Those of a push are not in the draft.
    let _ = fixture.run(&["push", "--purge", "@app:1"]).success();
    assert_eq!(fixture.list("app", "1")["annotations"], json!({ "a": "1" }));
    let push = ["create", "--push", "--annotation", "index,manifest-descriptor:k=v", "@app:2", "@app:amd64"];
    let _ = fixture.run(&push).success();
    let list = fixture.list("app", "2");
    assert_eq!(
        (&list["annotations"], &list["manifests"][0]["annotations"]),
        (&json!({ "k": "v" }), &json!({ "k": "v" }))
    );
    let host = fixture.registry.host();
    fixture.sandbox.write("l.yaml", format!("image: {host}/app:3\nmanifests: [{{image: {host}/app:amd64}}]\n"));
    let _ = fixture
        .run(&["apply", "-f", "l.yaml", "--annotation", "manifest-descriptor:x=y", "--annotation", "z=1"])
        .success();
    let list = fixture.list("app", "3");
    assert_eq!(
        (&list["annotations"], &list["manifests"][0]["annotations"]),
        (&json!({ "z": "1" }), &json!({ "x": "y" }))
    );
    let create = |annotation| ["create", "--annotation", annotation, "@app:4", "@app:amd64"];
    assert_refused(&fixture, &create("manifest:k=v"), "an image keeps its bytes, so its manifest cannot be annotated");
    assert_refused(&fixture, &create("index-descriptor:k=v"), "nothing in a registry has a descriptor of the list");
    assert_refused(&fixture, &create("manifest-descriptor[linux/s390x]:k=v"), "no image for linux/s390x");
    let named = ["annotate", "@app:4", "@app:amd64", "--annotation", "index:k=v"];
    assert_refused(&fixture, &named, "conflicting flags: --annotation index:k=v and MANIFEST");
}

#[test]
fn a_list_refers_to_its_subject() {
    let fixture = fixture();
    let digest = Image::oci().platform("linux", "arm64").layer("arm64").build().digest();
    let subject_digest = |list: &Value| list["subject"]["digest"].as_str().map(str::to_owned);
    let _ = fixture.run(&["create", "@app:1", "@app:amd64"]).success();
    let _ = fixture.run(&["push", "--subject", "@app:arm64", "@app:1"]).success();
    assert_eq!(subject_digest(&fixture.list("app", "1")), Some(digest.clone()));
    let tag = digest.replace(':', "-");
    let list = testkit::image::sha256(&fixture.registry.manifest("app", "1").expect("the list").1);
    assert_eq!(fixture.list("app", &tag)["manifests"][0]["digest"], json!(list), "the referrers tag names the list");
    // A draft keeps it.
    let _ = fixture.run(&["annotate", "--subject", "@app:arm64", "@app:1"]).success();
    let _ = fixture.run(&["push", "@app:1"]).success();
    assert_eq!(subject_digest(&fixture.list("app", "1")), Some(digest.clone()));
    assert_refused(&fixture, &["push", "--type", "docker", "@app:1"], "has no place for the list's subject");
    let _ = fixture.run(&["annotate", "--unset-subject", "@app:1"]).success();
    let _ = fixture.run(&["push", "--purge", "@app:1"]).success();
    assert_eq!(subject_digest(&fixture.list("app", "1")), None);
    let _ = fixture.run(&["create", "--push", "--subject", "@app:arm64", "@app:2", "@app:amd64"]).success();
    assert_eq!(subject_digest(&fixture.list("app", "2")), Some(digest));
    let push = |subject| ["create", "--push", "--subject", subject, "@app:3", "@app:amd64"];
    assert_refused(&fixture, &push("@other:amd64"), "/app, the repository of the list");
    assert_refused(&fixture, &push("@app:none"), "no such manifest");
    assert!(fixture.registry.manifest("app", "3").is_none());
}

#[test]
fn files_become_an_artifact_of_the_list() {
    let fixture = fixture();
    let files = [("a.txt", "first"), ("b.txt", "second"), ("empty", "")];
    let paths = files.map(|(name, bytes)| fixture.sandbox.write(name, bytes).display().to_string());
    let _ = fixture.run(&["create", "@app:1", "@app:amd64"]).success();
    let kind = "application/vnd.example.notes";
    let add = |more: &[&str]| fixture.run(&[&["add", "--artifact-type", kind, "@app:1"], more].concat());
    let titled = ["--artifact", &paths[0], "--artifact", &paths[1], "--artifact-title", "A", "--artifact", &paths[2]];
    let stdout = add(&titled).success().out();
    assert!(stdout.starts_with("Added ") && stdout.lines().count() == 1, "{stdout}");
    let _ = fixture.run(&["push", "--type=oci", "--purge", "--verify", "@app:1"]).success();
    let list = fixture.list("app", "1");
    let entry = &list["manifests"][1];
    assert_eq!((&entry["artifactType"], &entry["platform"]), (&json!(kind), &Value::Null), "{list}");
    let artifact = fixture.list("app", entry["digest"].as_str().expect("a digest"));
    let layer = |title: &str, bytes: &str| {
        json!({
            "mediaType": "application/octet-stream", "digest": testkit::image::sha256(bytes.as_bytes()),
            "size": bytes.len(), "annotations": { "org.opencontainers.image.title": title },
        })
    };
    assert_eq!(artifact["layers"], json!([layer("A", "first"), layer("b.txt", "second"), layer("empty", "")]));
    assert_eq!(artifact["config"]["mediaType"], json!("application/vnd.oci.empty.v1+json"));
    assert_eq!((&artifact["artifactType"], &artifact["config"]["size"]), (&json!(kind), &json!(2)));
    // A published list, an own type, a platform.
    let flags =
        ["--push", "--artifact", &paths[0], "--artifact-media-type", "text/plain", "--os=linux", "--arch=arm64"];
    let _ = add(&flags).success();
    let list = fixture.list("app", "1");
    let added =
        list["manifests"].as_array().expect("a list").iter().find(|own| own["platform"]["architecture"] == "arm64");
    let artifact = fixture.list("app", added.and_then(|own| own["digest"].as_str()).expect("an artifact"));
    assert_eq!(artifact["layers"][0]["mediaType"], json!("text/plain"));
    let _ = fixture.run(&["create", "@app:1", "@app:amd64"]).success();
    let before = fixture.registry.manifest("app", "1");
    for (more, expected) in [
        (&["--artifact", "/dev/null"][..], "/dev/null is a device: an artifact is made of files"),
        (&["--artifact", "/nowhere/x"], "cannot read /nowhere/x"),
        (&["--artifact", &paths[0], "--artifact", &paths[0]], "would be the second file named a.txt"),
        (
            &["--artifact-title=x", "--artifact-title=y", "--artifact", &paths[0]],
            "missing argument: --artifact-title needs --artifact",
        ),
        (&["--push", "--dry-run", "--artifact", &paths[0]], "conflicting flags: --artifact and --dry-run"),
    ] {
        let refused = add(more);
        assert!(refused.code != 0 && refused.err().contains(expected), "{more:?}: {}", refused.err());
    }
    assert_eq!(fixture.registry.manifest("app", "1"), before);
    assert_refused(&fixture, &["add", "--artifact", &paths[0], "@app:1"], "--artifact needs --artifact-type");
}

#[test]
fn prefer_index_false_publishes_one_image_as_an_image() {
    let fixture = fixture();
    for source in ["@app:arm64", "@other:arm64"] {
        let flags = ["create", "--push", "--prefer-index=false", "--verify", "-t", "also", "@app:one", source];
        let _ = fixture.run(&flags).success();
        assert_eq!(fixture.registry.manifest("app", "one"), fixture.registry.manifest("other", "arm64"));
        assert_eq!(fixture.registry.manifest("app", "also"), fixture.registry.manifest("other", "arm64"));
    }
    let _ = fixture.run(&["create", "@app:two", "@other:amd64"]).success();
    let stdout = fixture.run(&["push", "--prefer-index=false", "--dry-run", "@app:two"]).success().out();
    assert!(stdout.contains("linux/amd64"), "{stdout}");
    let pushed = fixture.run(&["push", "--prefer-index=false", "--by-digest", "@app:two"]).success().out();
    assert!(pushed.contains(&Image::oci().platform("linux", "amd64").layer("amd64").build().digest()), "{pushed}");
    // What the image does not say makes a list of it.
    let _ = fixture.run(&["push", "--prefer-index=false", "--annotation", "k=v", "@app:two"]).success();
    assert_eq!(fixture.list("app", "two")["manifests"].as_array().map(Vec::len), Some(1));
    let _ = fixture.run(&["push", "--prefer-index", "--purge", "@app:two"]).success();
    assert_eq!(fixture.list("app", "two")["annotations"], Value::Null);
    let _ =
        fixture.run(&["create", "--push", "--prefer-index=false", "@app:both", "@app:amd64", "@app:arm64"]).success();
    assert_eq!(fixture.list("app", "both")["manifests"].as_array().map(Vec::len), Some(2));
    let host = fixture.registry.host();
    fixture.sandbox.write("l.yaml", format!("image: {host}/app:three\nmanifests: [{{image: {host}/app:amd64}}]\n"));
    let _ = fixture.run(&["apply", "-f", "l.yaml", "--prefer-index=false"]).success();
    assert_eq!(fixture.registry.manifest("app", "three"), fixture.registry.manifest("app", "amd64"));
    assert_refused(
        &fixture,
        &["create", "--prefer-index=false", "@app:4", "@app:amd64"],
        "--prefer-index needs --push",
    );
}
