//! A list that is exported and applied again is the same list.

use serde_json::json;
use testkit::image::{Image, Index, sha256};

use super::{Fixture, image, text};

/// Exports `list`, applies it as `app:again` and compares what the registry has then.
#[track_caller]
fn round_trip(fixture: &Fixture, flags: &[&str], list: (&str, &str)) -> String {
    let name = format!("@{}:{}", list.0, list.1);
    let exported = fixture.run(&[&["export"], flags, &[&name]].concat()).success();
    assert_eq!(exported.err(), "");
    let spec = exported.out().replacen(&fixture.name(&format!("{}:{}", list.0, list.1)), &fixture.name("app:again"), 1);
    let _ = fixture.command(&["apply", "-f", "-"]).stdin(spec).run().success();
    let (original, applied) = (fixture.list(list.0, list.1), fixture.list("app", "again"));
    assert_eq!(original, applied, "{}", exported.out());
    exported.out()
}

#[test]
fn export_of_a_published_index_applies_to_the_same_list() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64"), Image::oci().platform("linux", "arm64").variant("v8").layer("arm").build());
    let windows = Image::oci().platform("windows", "amd64").os_version("10.0.1").os_features(&["x"]).layer("w").build();
    // The lists say less of two images than these do.
    let platform_without_variant = json!({ "architecture": "arm64", "os": "linux" });
    let bare_windows = json!({ "architecture": "amd64", "os": "windows" });
    let index = Index::oci()
        .image_with(&arm64, platform_without_variant, &[("$of", "the entry: \"arm\"")])
        .image(&amd64)
        .image(&windows)
        .image_with(&windows, bare_windows, &[])
        .attestation_of(&amd64)
        .annotation("org.example.k", "v: ${W}")
        .artifact_type("application/vnd.example")
        .build();
    fixture.registry.put_index("src/multi", "1", &index);
    fixture.registry.clear_record();
    let spec = round_trip(&fixture, &["--remote"], ("src/multi", "1"));
    assert!(spec.starts_with(&format!("image: \"{}\"\n", fixture.name("src/multi:1"))), "{spec}");
    assert!(spec.contains(&format!("{}@{}", fixture.name("src/multi"), arm64.digest())), "{spec}");
    assert!(spec.contains("type: oci\n") && spec.contains("vnd.docker.reference.type"), "{spec}");
    fixture.registry.clear_record();
    let file = fixture.sandbox.path().join("spec.yaml");
    let to_file = fixture.run(&["export", "@src/multi:1", "-o", &file.display().to_string()]).success();
    assert_eq!((to_file.out(), std::fs::read_to_string(&file).expect("the file")), (String::new(), spec));
    assert_eq!(fixture.take_request_lines().len(), 1, "a list is one request");
}

#[test]
fn export_of_a_docker_list_keeps_its_features() {
    let fixture = Fixture::new();
    let list = Index::docker().image_with_features(&image("amd64"), &["sse4"]).image(&image("s390x")).build();
    fixture.registry.put_index("src/multi", "1", &list);
    let spec = round_trip(&fixture, &[], ("src/multi", "1"));
    assert!(spec.contains("type: docker\n") && spec.contains("features:\n        - sse4\n"), "{spec}");
}

#[test]
fn export_of_a_draft_applies_to_the_same_list() {
    let fixture = Fixture::with_sources(&["amd64", "s390x"]);
    let arm64 = Image::oci().platform("linux", "arm64").variant("v8").layer("arm").build();
    let index = Index::oci().image_with(&arm64, json!({ "architecture": "arm64", "os": "linux" }), &[]).build();
    fixture.registry.put_index("src/multi", "1", &index);
    let _ = fixture.run(&["create", "@app:1", "@src/amd64:1", "@src/s390x:1", "@src/multi:1"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "@src/s390x:1", "--annotation", "k=v", "--os-version", "9"]).success();
    let _ = fixture.run(&["annotate", "@app:1", "--annotation", "of=the list"]).success();
    let _ = fixture.run(&["push", "@app:1"]).success();
    // A tag that moves is not what was put into the draft.
    fixture.registry.put_image("src/amd64", "1", &image("riscv64"));
    let spec = round_trip(&fixture, &["--local"], ("app", "1"));
    // What was pushed has docker's layout, so that it is the same to the byte, from the draft and from the registry.
    let digest = |tag: &str| sha256(&fixture.registry.manifest("app", tag).expect("a list").1);
    assert_eq!(digest("1"), digest("again"));
    fixture.registry.put_image("app", "again", &image("s390x"));
    let _ = round_trip(&fixture, &["--remote"], ("app", "1"));
    assert_eq!(digest("1"), digest("again"));
    assert!(spec.contains(&format!("{}@sha256:", fixture.name("src/amd64"))), "{spec}");
    fixture.registry.clear_record();
    let _ = fixture.run(&["export", "@app:1"]).success();
    assert_eq!(fixture.take_request_lines(), [""; 0], "the draft goes first");
    let missing = fixture.run(&["export", "--local", "@app:2"]);
    assert_eq!(missing.first_err_line(), format!("No such manifest: {}", fixture.name("app:2")));
}

#[test]
fn export_of_one_image_for_several_platforms_applies_as_a_draft() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let amd64 = image("amd64");
    let platform_of = |variant: &str| json!({ "architecture": "amd64", "os": "linux", "variant": variant });
    let index = Index::oci()
        .image(&amd64)
        .image_with(&amd64, platform_of("v2"), &[])
        .image_with(&amd64, platform_of("v3"), &[("k", "v")])
        .image_with(&amd64, platform_of("v4"), &[])
        .build();
    fixture.registry.put_index("src/multi", "1", &index);
    let spec = fixture.run(&["export", "--remote", "@src/multi:1"]).success().out();
    let spec = spec.replacen(&fixture.name("src/multi:1"), &fixture.name("app:again"), 1);
    let _ = fixture.command(&["apply", "--draft", "-f", "-"]).stdin(spec).run().success();
    let names = |list: &str| {
        let stdout = fixture.run(&["inspect", "--local", "--format", "json", list]).success().out();
        let printed: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
        let entries = printed["platforms"].as_array().expect("platforms").iter();
        let mut names: Vec<(String, String)> =
            entries.map(|line| (text(&line["platform"]), text(&line["reference"]))).collect();
        names.sort();
        names
    };
    let expected = |names: &[(&str, &str)]| -> Vec<(String, String)> {
        let name = |rest: &str| fixture.name(&format!("{rest}@{}", amd64.digest()));
        names.iter().map(|(platform, rest)| ((*platform).to_owned(), name(rest))).collect()
    };
    let expected_images = [
        ("linux/amd64", "src/multi"),
        ("linux/amd64/v2", "src/multi:again"),
        ("linux/amd64/v3", "src/multi:again-3"),
        ("linux/amd64/v4", "src/multi:again-4"),
    ];
    assert_eq!(names("@app:again"), expected(&expected_images));
    // The draft is that list: another push of it brings the same lines.
    let mut before = fixture.digests_and_platforms("app", "again");
    let _ = fixture.run(&["push", "@app:again"]).success();
    let mut after = fixture.digests_and_platforms("app", "again");
    before.sort();
    after.sort();
    assert_eq!(before, after);
    // Named by its tag, it has its digest as a second name before that.
    let entry = |variant: &str| format!("- image: @src/amd64:1\n  platform: {{variant: {variant}}}\n");
    let spec = format!("image: @app:tags\nmanifests:\n{}{}{}", entry("v1"), entry("v2"), entry("v3"));
    let _ = fixture.apply(&spec, &["--draft"]).success();
    let tagged = ("linux/amd64/v1".to_owned(), fixture.name("src/amd64:1"));
    let others = expected(&[("linux/amd64/v2", "src/amd64"), ("linux/amd64/v3", "src/amd64:tags")]);
    assert_eq!(names("@app:tags"), [vec![tagged], others].concat());
}

#[test]
fn export_reports_what_a_spec_cannot_express() {
    let fixture = Fixture::new();
    let inner = Index::oci().image(&image("arm64")).build();
    let applied = json!({ "mediaType": "application/x", "digest": image("s390x").digest(), "size": 3 });
    let index = Index::oci().subject(&image("amd64")).image(&image("amd64")).index(&inner).child(applied).build();
    fixture.registry.put_index("src/multi", "1", &index);
    let exported = fixture.run(&["export", "@src/multi:1"]).success();
    assert_eq!(exported.err(), "");
    let source = format!("source: \"{}@{}\"\n", fixture.name("src/multi"), index.digest());
    assert!(exported.out().contains(&source), "{}", exported.out());
    let odd = json!({ "architecture": "holyc", "os": "templeos" });
    let odd = Index::oci().image_with(&image("amd64"), odd, &[]).build();
    fixture.registry.put_index("src/odd", "1", &odd);
    let exported = fixture.run(&["export", "@src/odd:1"]).success();
    assert_eq!(exported.err(), "");
    assert!(exported.out().contains("      force: true\n"), "{}", exported.out());
    assert!(text(&fixture.list("src/odd", "1")["manifests"][0]["platform"]["os"]) == "templeos");
    fixture.registry.put_image("src/one", "1", &image("amd64"));
    let refused = fixture.run(&["export", "@src/one:1"]);
    assert_eq!(refused.first_err_line(), format!("{} is no manifest list", fixture.name("src/one:1")));
}

#[test]
fn export_gives_a_tag_to_a_list_named_by_digest() {
    let fixture = Fixture::new();
    let index = Index::oci().image(&image("amd64")).image(&image("arm64")).build();
    fixture.registry.put_index("src/multi", "1", &index);
    let digest = index.digest();
    let exported = fixture.run(&["export", "--remote", &format!("@src/multi:1@{digest}")]).success();
    let by_digest = (exported.out(), exported.err());
    let plain = fixture.run(&["export", "--remote", "@src/multi:1"]).success();
    assert_eq!(by_digest, (plain.out(), String::new()), "the tag is what apply publishes");
    let name = format!("@src/multi@{digest}");
    let exported = fixture.run(&["export", &name]).success();
    let warning = format!(
        "warning: {} has no tag: apply needs one in place of ${{TAG}}, or TAG in its environment\n",
        fixture.name(&name[1..])
    );
    assert_eq!(exported.err(), warning);
    let expected = plain.out().replacen(&fixture.name("src/multi:1"), &fixture.name("src/multi:${TAG}"), 1);
    assert_eq!(exported.out(), expected);
    let apply = || fixture.command(&["apply", "-f", "-"]).stdin(exported.out());
    let refused = apply().run();
    assert!(refused.first_err_line().contains(": the environment has no variable TAG;"), "{}", refused.err());
    let _ = apply().env("TAG", "again").run().success();
    assert_eq!(fixture.listed_platforms("src/multi", "again"), ["linux/amd64", "linux/arm64"]);
}
