//! What is published unchanged: an index without changes keeps its bytes, and an edit keeps all other members.

use serde_json::{Value, json};
use testkit::image::{DOCKER_LIST, Image, Index, OCI_INDEX, sha256};
use testkit::loopback::Registry;
use testkit::sandbox::{Tool, on_path};
use testkit::skip::skipped;

use super::fixture::Fixture;

impl Fixture {
    /// An index as no tool of ours would write it: members of its own, two of them in its entries, in an order of its
    /// own.
    fn put_odd_index(&self, repo: &str, tag: &str, media_type: &str) -> Vec<u8> {
        let images = ["s390x", "amd64", "arm64"].map(image);
        images.iter().for_each(|image| drop(self.registry.put_image(repo, &image.digest(), image)));
        let entry = |image: &Image| {
            json!({"x-own": [1], "digest": image.digest(), "size": image.manifest.len(),
                "platform": image.platform(), "mediaType": image.media_type, "annotations": {"of": "it"}})
        };
        let entries: Vec<Value> = images.iter().map(entry).collect();
        let index = json!({"x-top": {"a": "<"}, "manifests": entries, "annotations": {"z": "1"}, "schemaVersion": 2,
            "mediaType": media_type});
        let bytes = serde_json::to_string(&index).expect("JSON").into_bytes();
        self.registry.put_manifest(repo, tag, media_type, &bytes);
        bytes
    }

    fn served_with_type(&self, repo: &str, tag: &str) -> (String, Vec<u8>) {
        self.registry.manifest(repo, tag).expect("it is there")
    }
}

fn image(architecture: &str) -> Image {
    Image::oci().platform("linux", architecture).layer(architecture).build()
}

#[test]
fn an_unchanged_index_is_published_byte_for_byte() {
    let fixture = Fixture::new();
    let bytes = fixture.put_odd_index("dev/app", "1", OCI_INDEX);
    let _ = fixture.run(&["create", "@prod/app:1", "@dev/app:1"]).success();
    let _ = fixture.run(&["push", "@prod/app:1"]).success();
    assert_eq!(fixture.served_with_type("prod/app", "1"), (OCI_INDEX.to_owned(), bytes.clone()));
    let _ = fixture.apply("image: @prod/app:2\nmanifests:\n- image: @dev/app:1\n", &[]).success();
    assert_eq!(fixture.served("prod/app", "2"), bytes);
    let platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let lines = platforms.map(|platform| format!("- image: @dev/app:1\n  platform: {platform}\n"));
    let _ = fixture.apply(&format!("image: @prod/app:3\nmanifests:\n{}", lines.concat()), &[]).success();
    assert_eq!(fixture.served("prod/app", "3"), bytes);
}

#[test]
fn a_docker_list_with_extra_members_is_kept_byte_for_byte() {
    let fixture = Fixture::new();
    let bytes = fixture.put_odd_index("dev/app", "1", DOCKER_LIST);
    let _ = fixture.run(&["create", "@prod/app:1", "@dev/app:1"]).success();
    let _ = fixture.run(&["push", "@prod/app:1"]).success();
    assert_eq!(fixture.served_with_type("prod/app", "1"), (DOCKER_LIST.to_owned(), bytes));
    let _ = fixture.run(&["remove", "@prod/app:1", "linux/amd64"]).success();
    let pushed = fixture.run(&["push", "@prod/app:1"]).success();
    assert_eq!(pushed.err(), "");
    assert_eq!(fixture.served_with_type("prod/app", "1").0, DOCKER_LIST);
}

#[test]
fn annotate_keeps_all_other_members_of_an_index() {
    let fixture = Fixture::new();
    let bytes = fixture.put_odd_index("app", "1", OCI_INDEX);
    let before: Value = serde_json::from_slice(&bytes).expect("JSON");
    let _ = fixture.run(&["create", "@app:1", "@app:1"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "--annotation", "new=2"]).success();
    let _ = fixture.run(&["remove", "@app:1", "linux/amd64"]).success();
    let arm64 = string_or_empty(&before["manifests"][2]["digest"]);
    let _ = fixture.run(&["annotate", "@app:1", &format!("@app@{arm64}"), "--variant", "v8"]).success();
    let _ = fixture.run(&["push", "@app:1"]).success();
    let (mut expected, found) = (before, fixture.list("app", "1"));
    expected["annotations"]["new"] = "2".into();
    expected["manifests"].as_array_mut().expect("entries").remove(1);
    expected["manifests"][1]["platform"]["variant"] = "v8".into();
    assert_eq!(found, expected);
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&found), keys(&expected));
    assert_eq!(keys(&found["manifests"][1]), keys(&expected["manifests"][1]));
    // A change of form is told.
    let changed = fixture.run(&["push", "--type", "docker", "@app:1"]);
    assert!(changed.err().contains("no place for the annotation"), "{}", changed.err());
}

fn string_or_empty(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn nested_indexes_are_published_unchanged() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64"), image("arm64"));
    let inner = Index::oci().image(&amd64).build();
    let outer = Index::oci().index(&inner).image(&arm64).build();
    fixture.registry.put_index("dev/app", "1", &outer);
    let _ = fixture.run(&["create", "@prod/app:1", "@dev/app:1"]).success();
    let _ = fixture.run(&["push", "@prod/app:1"]).success();
    assert_eq!(fixture.served("prod/app", "1"), outer.manifest);
    assert_eq!(fixture.served("prod/app", &inner.digest()), inner.manifest);
}

#[test]
fn entries_of_unknown_type_are_published_unchanged() {
    let fixture = Fixture::new();
    let amd64 = image("amd64");
    fixture.registry.put_image("dev/app", &amd64.digest(), &amd64);
    let kind = "application/vnd.example.thing+json";
    let unknown = json!({"mediaType": kind, "digest": sha256(b"gone"), "size": 4, "x": 1});
    let descriptor = json!({"mediaType": amd64.media_type, "digest": amd64.digest(), "size": amd64.manifest.len(),
        "platform": amd64.platform()});
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [unknown, descriptor]});
    let bytes = index.to_string().into_bytes();
    fixture.registry.put_manifest("dev/app", "1", OCI_INDEX, &bytes);
    fixture.registry.clear_record();
    // In its own repository nobody asks for it.
    let created = fixture.run(&["create", "@dev/app:2", "@dev/app:1"]).success();
    assert_eq!(created.err(), "");
    assert!(fixture.registry.requests().iter().all(|request| !request.target.contains(&sha256(b"gone"))));
    let listed = fixture.run(&["inspect", "--raw", "@dev/app:2"]).success();
    assert_eq!(listed.stdout, bytes);
    // An edit leaves it where it is.
    let _ = fixture.run(&["annotate", "@dev/app:2", "--annotation", "a=b"]).success();
    let listed: Value = serde_json::from_str(&fixture.run(&["inspect", "@dev/app:2"]).success().out()).expect("a list");
    assert_eq!(listed["manifests"], index["manifests"]);
    // In another one it would name nothing.
    let created = fixture.run(&["create", "@prod/app:1", "@dev/app:1"]).success();
    assert!(created.err().starts_with(&format!("warning: {} of ", sha256(b"gone"))), "{}", created.err());
    assert!(
        created.err().contains("is left out: its media type is application/vnd.example.thing+json"),
        "{}",
        created.err()
    );
    let _ = fixture.run(&["push", "@prod/app:1"]).success();
    assert_eq!(fixture.list("prod/app", "1")["manifests"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_manifest_of_unknown_type_is_copied_if_its_blobs_are_found() {
    let (fixture, far) = (Fixture::new(), Registry::builder().takes_any_media_type().start());
    let amd64 = image("amd64");
    fixture.registry.put_image("dev/app", &amd64.digest(), &amd64);
    let kind = "application/vnd.example.thing+json";
    let blob = fixture.registry.put_blob("dev/app", b"thing");
    let blob = json!({"mediaType": "application/octet-stream", "digest": blob, "size": 5});
    let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": blob, "layers": [blob]}).to_string();
    let digest = fixture.registry.put_manifest("dev/app", &sha256(manifest.as_bytes()), kind, manifest.as_bytes());
    let unknown = json!({"mediaType": kind, "digest": digest, "size": manifest.len()});
    let descriptor = json!({"mediaType": amd64.media_type, "digest": amd64.digest(), "size": amd64.manifest.len(),
        "platform": amd64.platform()});
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [unknown, descriptor]}).to_string();
    fixture.registry.put_manifest("dev/app", "1", OCI_INDEX, index.as_bytes());
    let list = far.name("far/app:1");
    assert_eq!(fixture.run(&["create", &list, "@dev/app:1"]).success().err(), "");
    let _ = fixture.run(&["push", &list]).success();
    assert_eq!(far.manifest("far/app", "1"), Some((OCI_INDEX.to_owned(), index.into_bytes())));
    assert_eq!(far.manifest("far/app", &digest), Some((kind.to_owned(), manifest.into_bytes())));
}

#[test]
fn referring_manifests_follow_their_image() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64"), image("arm64"));
    let signature =
        |of: &Image| Image::oci().artifact_type("application/vnd.example.sig").config_raw("{}").subject(of).build();
    let (amd_signature, arm_signature) = (signature(&amd64), signature(&arm64));
    let index = [&amd64, &arm64, &amd_signature, &arm_signature]
        .into_iter()
        .fold(Index::oci(), |index, image| index.image_with(image, json!(null), &[]));
    fixture.registry.put_index("app", "1", &index.build());
    let digests = |list: &str| -> Vec<String> {
        let shown = fixture.run(&["inspect", list]).success().out();
        let list: Value = serde_json::from_str(&shown).expect("a list");
        list["manifests"].as_array().expect("entries").iter().map(|line| string_or_empty(&line["digest"])).collect()
    };
    let _ = fixture.run(&["create", "--platform", "linux/amd64", "@app:a", "@app:1"]).success();
    assert_eq!(digests("@app:a"), [amd64.digest(), amd_signature.digest()]);
    let _ = fixture.run(&["create", "--attestations", "drop", "@app:b", "@app:1"]).success();
    assert_eq!(digests("@app:b"), [amd64.digest(), arm64.digest()]);
    let _ = fixture.run(&["create", "@app:c", "@app:1"]).success();
    let _ = fixture.run(&["remove", "@app:c", &amd64.digest()]).success();
    assert_eq!(digests("@app:c"), [arm64.digest(), arm_signature.digest()]);
}

#[test]
fn a_spec_merges_one_image_for_one_platform() {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "amd64", &image("amd64"));
    let repeated = "image: @app:1\nmanifests:\n- image: @app:amd64\n- image: @app:amd64\n  platform: linux/amd64\n";
    let pushed = fixture.apply(repeated, &[]).success();
    assert_eq!(pushed.err(), "");
    assert_eq!(fixture.list("app", "1")["manifests"].as_array().map(Vec::len), Some(1));
}

#[test]
fn export_of_unusual_platforms_applies_unchanged() {
    let fixture = Fixture::new();
    for media_type in [OCI_INDEX, DOCKER_LIST] {
        let images = ["a", "b", "c", "d"].map(image);
        images.iter().for_each(|image| drop(fixture.registry.put_image("app", &image.digest(), image)));
        let platforms = [
            json!({"architecture": "sparc64", "os": "linux"}),
            json!({"architecture": "any", "os": "none"}),
            json!({"architecture": "ARM64", "os": "Linux", "variant": "8"}),
            json!({"architecture": "amd64", "os": "linux", "variant": "odd"}),
        ];
        let lines = images.iter().zip(platforms).map(|(image, platform)| {
            json!({"mediaType": image.media_type, "digest": image.digest(), "size": image.manifest.len(),
                "platform": platform, "annotations": {"k": "v"}})
        });
        let lines: Vec<Value> = lines.collect();
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": lines}).to_string();
        fixture.registry.put_manifest("app", "1", media_type, index.as_bytes());
        let exported = fixture.run(&["export", "--remote", "@app:1"]).success();
        assert_eq!(exported.err(), "");
        let spec = exported.out().replacen("app:1", "app:2", 1);
        let applied = fixture.command(&["apply", "-f", "-"]).stdin(spec).run().success();
        assert_eq!(applied.err(), "");
        assert_eq!(fixture.served_with_type("app", "2"), (media_type.to_owned(), index.into_bytes()));
        let picked = fixture.run(&["inspect", "--raw", "--platform", "none/any", "@app:1"]).success();
        assert_eq!(picked.out().as_bytes(), images[1].manifest);
    }
}

#[test]
fn docker_keeps_carried_descriptors_in_the_draft() {
    if !on_path("docker") {
        skipped("a draft of an index in docker's hands", "docker is not on the PATH");
        return;
    }
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64"), image("arm64"));
    let index = Index::oci().image(&arm64).image(&amd64).annotation("k", "v").build();
    fixture.registry.put_index("app", "1", &index);
    fixture.registry.put_image("app", "s390x", &image("s390x"));
    let docker = |args: &[&str]| {
        fixture.sandbox.manifest_command(&Tool::Docker).args(fixture.registry.expand_names(args)).run().success()
    };
    let _ = fixture.run(&["create", "@app:2", "@app:1"]).success();
    assert!(docker(&["inspect", "@app:2"]).out().contains("arm64"));
    let _ = docker(&["annotate", "@app:2", &format!("@app@{}", amd64.digest()), "--os-version", "9"]);
    let _ = docker(&["create", "--amend", "--insecure", "@app:2", "@app:s390x"]);
    let _ = fixture.run(&["push", "@app:2"]).success();
    let list = fixture.list("app", "2");
    assert_eq!((&list["annotations"]["k"], &list["mediaType"]), (&json!("v"), &json!(OCI_INDEX)));
    let entries = list["manifests"].as_array().expect("entries");
    let platforms: Vec<&str> = entries.iter().filter_map(|line| line["platform"]["architecture"].as_str()).collect();
    assert_eq!(platforms, ["arm64", "amd64", "s390x"]);
    assert_eq!(entries[1]["platform"]["os.version"], "9");
    let _ = docker(&["push", "--insecure", "@app:2"]);
    assert_eq!(fixture.list("app", "2")["manifests"].as_array().map(Vec::len), Some(3));
    let _ = docker(&["rm", "@app:2"]);
    assert_eq!(fixture.run(&["exists", "@app:2"]).code, 1);
}
