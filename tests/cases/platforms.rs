//! The platforms of images for which the list gives none: `platforms`, `inspect` and `create` agree on them, and
//! only then request configurations. Their form in JSON.

use serde_json::{Value, json};
use testkit::image::fixtures::{artifact, buildx_image, buildx_index};
use testkit::image::{Image, Index};

use super::fixture::Fixture;

/// How many requests there were, and how many of them were for configurations.
fn count_all_and_config_requests(fixture: &Fixture) -> (usize, usize) {
    let requests = fixture.request_lines();
    (requests.len(), requests.iter().filter(|request| request.contains("/blobs/")).count())
}

/// All platforms in a value, at any depth, in their order; null where one is not known.
fn platforms(value: &Value) -> Vec<Value> {
    let entries = value["platforms"].as_array().cloned().unwrap_or_default();
    let platforms_of = |entry: &Value| match entry.get("platforms") {
        Some(_) => platforms(entry),
        None => vec![entry["platform"].clone()],
    };
    entries.iter().flat_map(platforms_of).collect()
}

#[test]
fn commands_agree_on_platforms_that_a_list_does_not_give() {
    let fixture = Fixture::new();
    let (amd64, arm64, s390x) = (buildx_image("linux/amd64"), buildx_image("linux/arm64"), buildx_image("linux/s390x"));
    let inner = Index::oci().image(&amd64).build();
    let nested = Index::oci().index(&inner).image_with(&arm64, Value::Null, &[]).image(&s390x).build();
    let bare = Index::oci().image_with(&amd64, Value::Null, &[]).image_with(&arm64, Value::Null, &[]).build();
    fixture.registry.put_index("app", "nested", &nested);
    fixture.registry.put_index("app", "bare", &bare);
    for (tag, expected, requests) in [
        // The list, the inner one, the image without a platform and its configuration.
        ("nested", &["linux/amd64", "linux/arm64", "linux/s390x"][..], (4, 1)),
        ("bare", &["linux/amd64", "linux/arm64"], (5, 2)),
    ] {
        let name = format!("@app:{tag}");
        let stdout = fixture.run_recorded(&["platforms", &name]).success().out();
        let lines: Vec<&str> = stdout.lines().skip(3).map(|line| line.trim_start_matches("   - ")).collect();
        assert_eq!((lines.as_slice(), count_all_and_config_requests(&fixture)), (expected, requests), "{tag}");
        let printed = fixture.run_recorded_json(&["platforms", "--format", "json", &name]);
        assert_eq!(
            (json!(platforms(&printed)), count_all_and_config_requests(&fixture)),
            (json!(expected), requests),
            "{tag}"
        );
        let shown = fixture.run_recorded_json(&["inspect", "--format", "json", &name]);
        assert_eq!(
            (json!(platforms(&shown)), count_all_and_config_requests(&fixture)),
            (json!(expected), requests),
            "{tag}"
        );
        let table = fixture.run_recorded(&["inspect", "--format", "table", &name]).success().out();
        assert!(expected.iter().all(|platform| table.contains(platform)), "{table}");
        let mut created =
            platforms(&fixture.run_recorded_json(&["create", "--replace", "--format", "json", "@list:1", &name]));
        created.sort_by_key(Value::to_string);
        assert_eq!(json!(created), json!(expected), "{tag}");
        for platform in expected {
            let _ = fixture.run_recorded(&["inspect", "--remote", "--platform", platform, &name]).success();
        }
    }
}

#[test]
fn a_platform_without_any_source_is_unknown() {
    let fixture = Fixture::new();
    let (amd64, notes) = (buildx_image("linux/amd64"), artifact("x/notes", b"notes"));
    let index = Index::oci().image(&amd64).image_with(&notes, Value::Null, &[]).build();
    fixture.registry.put_index("app", "1", &index);
    let text = fixture.run_recorded(&["platforms", "@app:1"]).success().out();
    assert!(text.ends_with(" * Supported platforms:\n   - linux/amd64\n   - unknown\n"), "{text}");
    for verb in ["platforms", "inspect"] {
        let printed = fixture.run_recorded_json(&[verb, "--format", "json", "@app:1"]);
        assert_eq!(platforms(&printed), [json!("linux/amd64"), Value::Null], "{verb}");
        assert!(printed["platforms"][1].get("os").is_none(), "{printed}");
    }
    fixture.registry.put_image("app", "notes", &notes);
    let stdout = fixture.run_recorded(&["platforms", "@app:notes"]).success().out();
    assert!(stdout.ends_with(" * Supports: unknown\n"), "{stdout}");
    let printed = fixture.run_recorded_json(&["platforms", "--format", "json", "@app:notes"]);
    assert_eq!(platforms(&printed), [Value::Null]);
    // An attestation runs nowhere.
    fixture.registry.put_index("app", "attested", &buildx_index(&["linux/amd64"]));
    assert_eq!(
        platforms(&fixture.run_recorded_json(&["platforms", "--format", "json", "@app:attested"])),
        [json!("linux/amd64")]
    );
}

#[test]
fn json_always_has_platforms_and_their_parts() {
    let fixture = Fixture::new();
    let image = Image::docker().platform("windows", "amd64").os_version("10.0.20348.1").os_features(&["win32k"]);
    let image = image.layer(b"w").build();
    fixture.registry.put_image("win", "1", &image);
    let entry = json!({
        "platform": "windows/amd64:10.0.20348.1", "os": "windows", "architecture": "amd64",
        "osVersion": "10.0.20348.1", "osFeatures": ["win32k"], "digest": image.digest(),
        "size": image.manifest.len(), "mediaType": image.media_type,
        "reference": fixture.registry.name(&format!("win@{}", image.digest())),
    });
    for verb in ["platforms", "inspect"] {
        let printed = fixture.run_recorded_json(&[verb, "--format", "json", "@win:1"]);
        assert_eq!(printed["platforms"], json!([entry]), "{verb}");
        assert_eq!(printed["platform"], entry["platform"], "{verb}");
    }
    let _ = fixture.run_recorded(&["create", "@list:1", "@win:1"]).success();
    let list = fixture.run_recorded_json(&["inspect", "--format", "json", "@list:1"]);
    let listed = fixture.run_recorded_json(&["inspect", "--format", "json", "@list:1", "@win:1"]);
    assert_eq!(listed["platforms"], list["platforms"]);
    assert_eq!(listed["platforms"][0]["osFeatures"], json!(["win32k"]));
}

#[test]
fn arm_without_a_variant_selects_the_best_variant() {
    let fixture = Fixture::new();
    let image = |platform: &str| buildx_image(platform);
    for (there, picked) in [
        (&["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"][..], "linux/arm/v7"),
        (&["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
        (&["linux/arm64", "linux/arm/v5"], "linux/arm/v5"),
        (&["linux/arm/v6", "linux/arm"], "linux/arm"),
    ] {
        let index = there.iter().fold(Index::oci(), |index, listed| index.image(&image(listed))).build();
        fixture.registry.put_index("app", "1", &index);
        let shown = fixture.run_recorded(&["inspect", "--raw", "--platform", "linux/arm", "@app:1"]).success();
        assert_eq!((shown.err(), shown.stdout), (String::new(), image(picked).manifest), "{there:?}");
        let _ = fixture.run_recorded(&["create", "--replace", "@list:1", "@app:1"]).success();
        let shown = fixture.run_recorded(&["inspect", "--raw", "--platform", "linux/arm", "@list:1"]).success();
        assert_eq!(shown.stdout, image(picked).manifest, "{there:?}");
    }
}
