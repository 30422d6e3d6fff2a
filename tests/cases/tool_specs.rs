//! Specs and targets as users of manifest-tool write them, with the link named manifest-tool and with `apply`.

use serde_json::{Value, json};
use testkit::image::{Image, Index, OCI_INDEX, OCI_MANIFEST, sha256};

use super::fixture::Fixture;

/// With images for two architectures, and `app:latest`, which is an image too.
fn fixture() -> Fixture {
    let fixture = Fixture::new().with_links().with_images("app", &["amd64", "arm64"]);
    let release = Image::oci().platform("linux", "s390x").layer("the release").build();
    fixture.registry.put_image("app", "latest", &release);
    fixture.registry.clear_record();
    fixture
}

impl Fixture {
    fn digest_or_none(&self, tag: &str) -> Option<String> {
        self.registry.manifest("app", tag).map(|(_, bytes)| sha256(&bytes))
    }

    fn platforms_of(&self, tag: &str) -> Vec<Value> {
        let list = self.list("app", tag);
        list["manifests"].as_array().expect("entries").iter().map(|entry| entry["platform"].clone()).collect()
    }

    /// What was put, and under which names; the record is empty afterwards.
    fn take_puts(&self) -> Vec<String> {
        let requests = self.registry.requests();
        self.registry.clear_record();
        requests.iter().filter(|request| request.method == "PUT").map(|put| format!("PUT {}", put.target)).collect()
    }
}

const UNTAGGED: &str = "image: '@app'\nmanifests:\n- image: '@app:amd64'\n- image: '@app:arm64'\n";

#[test]
fn manifest_tool_does_not_move_latest_for_a_target_without_a_tag() {
    let fixture = fixture();
    let release = fixture.digest_or_none("latest");
    let template = fixture.registry.name("app:ARCH");
    let args = ["--platforms", "linux/amd64,linux/arm64", "--template", &template, "--target", "@app"];
    for (tags, way) in [
        (vec!["branch-1"], vec!["from-spec", "SPEC"]),
        (vec![], vec!["from-spec", "SPEC"]),
        (vec!["branch-2", "1.0"], [&["from-args"], &args[..], &["--tags", "branch-2,1.0"]].concat()),
        (vec![], [&["from-args"], &args[..]].concat()),
    ] {
        let named = if tags.is_empty() { String::new() } else { format!("tags: [{}]\n", tags.join(", ")) };
        let spec = fixture.write_spec(&format!("{named}{UNTAGGED}"));
        let way: Vec<&str> = way.iter().map(|word| if *word == "SPEC" { spec.as_str() } else { word }).collect();
        let pushed = fixture.manifest_tool(&[&["push", "--type", "oci"], &way[..]].concat()).success();
        let digest = pushed.out().split(' ').nth(1).expect("a digest").to_owned();
        let put = |name: &str| format!("PUT /v2/app/manifests/{name}");
        let mut puts = fixture.take_puts();
        if puts.first() == Some(&put(&digest)) {
            puts.remove(0);
        }
        puts.sort();
        let mut expected: Vec<String> = tags.iter().map(|tag| put(tag)).collect();
        expected.sort();
        assert_eq!(puts, expected, "{way:?}");
        assert!(fixture.digest_or_none(&digest).is_some(), "{way:?}");
        assert!(tags.iter().all(|tag| fixture.digest_or_none(tag).as_ref() == Some(&digest)), "{way:?}");
        assert_eq!(fixture.digest_or_none("latest"), release, "{way:?}");
    }
}

#[test]
fn apply_moves_latest_only_where_no_tag_is_named() {
    let fixture = fixture();
    let release = fixture.digest_or_none("latest");
    for (tags, flags) in [("tags: [a, b]\n", &[][..]), ("", &["-t", "c"])] {
        let spec = fixture.write_spec(&format!("{tags}{UNTAGGED}"));
        let output = fixture.run(&[&["apply", "--format", "json", "-f", &spec], flags].concat()).success();
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let digest = json[0]["digest"].as_str().expect("a digest");
        assert_eq!(json[0]["reference"], fixture.registry.name(&format!("app@{digest}")));
        assert!(
            json[0]["tags"]
                .as_array()
                .expect("tags")
                .iter()
                .all(|tag| fixture.digest_or_none(tag.as_str().unwrap()).is_some())
        );
        assert_eq!(fixture.digest_or_none("latest"), release, "{tags}{flags:?}");
    }
    // Two lists may go to one repository then.
    let two = format!("tags: [d]\n{UNTAGGED}---\ntags: [e]\n{UNTAGGED}");
    let _ = fixture.run(&["apply", "-f", &fixture.write_spec(&two)]).success();
    assert!(fixture.digest_or_none("d").is_some() && fixture.digest_or_none("d") == fixture.digest_or_none("e"));
    let duplicate_specs = format!("tags: [d]\n{UNTAGGED}---\ntags: [d]\n{UNTAGGED}");
    let refused = fixture.run(&["apply", "-f", &fixture.write_spec(&duplicate_specs)]);
    let expected = format!("{} would be published twice", fixture.registry.name("app:d"));
    assert_eq!((refused.code, refused.first_err_line()), (1, expected));
    // As for docker's verbs.
    let _ = fixture.run(&["apply", "-f", &fixture.write_spec(UNTAGGED)]).success();
    assert_eq!(fixture.digest_or_none("latest"), fixture.digest_or_none("d"));
}

#[test]
fn a_draft_of_a_target_without_a_tag_has_a_tag_that_was_named() {
    let fixture = fixture();
    let spec = fixture.write_spec(&format!("tags: [a, b]\n{UNTAGGED}"));
    let _ = fixture.run(&["apply", "--draft", "-f", &spec]).success();
    assert_eq!(fixture.run(&["ls", "--quiet"]).success().out(), format!("{}\n", fixture.registry.name("app:a")));
    let release = fixture.digest_or_none("latest");
    let _ = fixture.run(&["push", "@app:a"]).success();
    assert_eq!(fixture.digest_or_none("latest"), release);
}

#[test]
fn manifest_tool_publishes_specs_in_use_with_a_warning() {
    let fixture = fixture();
    let windows = Image::oci().platform("windows", "amd64").os_version("10.0.17763.1").layer("w");
    fixture.registry.put_image("app", "windows", &windows.build());
    let arm = Image::oci().platform("linux", "arm").variant("v7").layer("v7").build();
    fixture.registry.put_image("app", "arm", &arm);
    let spec = fixture.write_spec(
        "image: '@app:1'\nlicense: MIT\nx-linux: &linux {os: linux}\nmanifests:\n- image: '@app:windows'\n  platform: \
         {architecture: amd64, os: windows, version: 1809}\n- image: '@app:arm'\n  platform: \
         {<<: *linux, architecture: arm, variant: \"\"}\n",
    );
    let pushed = fixture.manifest_tool(&["push", "from-spec", &spec]).success();
    let warnings = [(2, 1, "license", "a spec"), (3, 1, "x-linux", "a spec"), (6, 48, "version", "`platform`")].map(
        |(line, column, key, place)| {
            format!("warning: {spec}:{line}:{column}: unknown key `{key}` in {place}; it is skipped\n")
        },
    );
    assert_eq!(pushed.err(), warnings.concat());
    let expected = [
        json!({"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1"}),
        json!({"architecture": "arm", "os": "linux", "variant": "v7"}),
    ];
    assert_eq!(fixture.platforms_of("1"), expected, "what is left out or empty is the image's");
    let refused = fixture.run(&["apply", "-f", &spec]);
    assert_eq!(
        refused.first_err_line(),
        format!(
            "{spec}:2:1: unknown key `license` in a spec; there is image, tags, \
        source, annotations, artifactType, type, attestations, require, manifests, from"
        )
    );
}

#[test]
fn a_version_that_no_host_matches_is_published_with_a_warning() {
    let fixture = fixture();
    let windows = Image::oci().platform("windows", "amd64").layer("w").build();
    fixture.registry.put_image("app", "windows", &windows);
    let spec =
        fixture.write_spec("image: '@app:1'\nmanifests: [{image: '@app:windows', platform: {osversion: 1809}}]\n");
    for run in [fixture.manifest_tool(&["push", "from-spec", &spec]), fixture.run(&["apply", "-f", &spec])] {
        let run = run.success();
        let begin = format!("warning: {spec}:2:");
        let end = "`osversion`: \"1809\" is not a version such as 10.0.17763.1, so no host will match it\n";
        assert!(run.err().starts_with(&begin) && run.err().ends_with(end), "{}", run.err());
        assert_eq!(fixture.platforms_of("1")[0]["os.version"], "1809");
    }
}

#[test]
fn blanks_and_line_breaks_around_commas_are_ignored() {
    let fixture = fixture();
    let template = fixture.registry.name("app:ARCH");
    let from = ["--platforms", "linux/amd64,\n  linux/arm64\n", "--template", &template, "--target", "@app:1"];
    let more = ["--tags", " a, b\n", "--annotations", "k=v , l = w"];
    let pushed = fixture.manifest_tool(&[&["push", "--type", "oci", "from-args"], &from[..], &more].concat()).success();
    assert_eq!(pushed.err(), "");
    let (_, bytes) = fixture.registry.manifest("app", "b").expect("the second tag");
    let list: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(list["annotations"], json!({"k": "v", "l ": " w"}));
    assert_eq!(list["manifests"].as_array().map(Vec::len), Some(2));
    let _ = fixture.run(&["create", "--platform", "linux/amd64, linux/arm64", "@app:3", "@app:1"]).success();
    let _ = fixture.run(&["push", "--require", "linux/amd64 ,linux/arm64", "--tag", "c\nd\n", "@app:3"]).success();
    assert!(["c", "d"].iter().all(|tag| fixture.digest_or_none(tag).is_some()));
    let shown = fixture.run(&["inspect", "--platform", " linux/arm64", "--raw", "@app:1"]).success();
    assert_eq!(Some(sha256(&shown.stdout)), fixture.digest_or_none("arm64"));
    // Docker's own list keeps its blanks.
    let _ = fixture.run(&["create", "@app:4", "@app:amd64"]).success();
    let _ = fixture.run(&["annotate", "--os-features", " a, b", "@app:4", "@app:amd64"]).success();
    let shown: Value = serde_json::from_slice(&fixture.run(&["inspect", "@app:4"]).success().stdout).expect("JSON");
    assert_eq!(shown["manifests"][0]["platform"]["os.features"], json!([" a", " b"]));
}

#[test]
fn manifest_tool_inspect_raw_prints_the_true_digest() {
    let fixture = fixture();
    let forged_digest = format!("sha256:{}", "e".repeat(64));
    let forged_descriptor = json!({"digest": forged_digest, "name": "evil", "os": "evil", "architecture": "evil"});
    let with_forged_fields = |bytes: &[u8]| {
        let mut document: Value = serde_json::from_slice(bytes).expect("JSON");
        document.as_object_mut().expect("members").extend(forged_descriptor.as_object().expect("members").clone());
        serde_json::to_vec(&document).expect("bytes")
    };
    let image = Image::oci().platform("linux", "amd64").layer("l").build();
    fixture.registry.put_image("app", "honest", &image);
    let forged = with_forged_fields(&image.manifest);
    fixture.registry.put_manifest("app", "image", OCI_MANIFEST, &forged);
    let child = json!({"mediaType": OCI_MANIFEST, "digest": sha256(&forged), "size": forged.len()});
    let index = with_forged_fields(&Index::oci().child(child).build().manifest);
    fixture.registry.put_manifest("app", "index", OCI_INDEX, &index);
    for (tag, bytes, os) in [("image", &forged, json!("linux")), ("index", &index, Value::Null)] {
        for flags in [&["--raw"][..], &["--raw", "--expand-config"]] {
            let shown = fixture.manifest_tool(&[&["inspect"], flags, &[&format!("@app:{tag}")]].concat()).success();
            assert!(!shown.out().contains("evil") && !shown.out().contains(&forged_digest), "{}", shown.out());
            let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
            assert_eq!((&shown["digest"], &shown["os"]), (&json!(sha256(bytes)), &os), "{tag} {flags:?}");
            assert_eq!(shown["name"], fixture.registry.name(&format!("app:{tag}")));
        }
    }
}
