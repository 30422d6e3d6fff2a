//! Each member of a spec in the published list.

use docker_manifest::model::spec::Dialect;
use serde_json::json;
use testkit::image::{DOCKER_LIST, Image, Index, OCI_INDEX};
use testkit::loopback::Registry;

use super::{Fixture, image, text};

const ARCHITECTURES: [&str; 5] = ["s390x", "amd64", "riscv64", "arm64", "ppc64le"];

fn spec_of_five(target: &str) -> String {
    let lines: String = ARCHITECTURES.iter().map(|name| format!("  - image: '@src/{name}:1'\n")).collect();
    format!("image: '{target}'\nmanifests:\n{lines}")
}

#[test]
fn apply_sends_the_requests_of_create_and_push_and_leaves_no_draft() {
    let fixture = Fixture::with_sources(&ARCHITECTURES);
    let applied = fixture.apply(&spec_of_five("@app:1"), &[]).success();
    let mut requests = fixture.take_request_lines();
    assert_eq!(requests.len(), 10 + 18, "{requests:#?}");
    let expected = ARCHITECTURES.map(|name| format!("linux/{name}"));
    assert_eq!(fixture.listed_platforms("app", "1"), expected, "the spec's order");
    assert_eq!(applied.out().lines().count(), 6, "docker's lines: {}", applied.out());
    assert!(fixture.has_no_drafts());
    // The same two verbs in a world of their own.
    let other = Fixture::with_sources(&ARCHITECTURES);
    let images = ARCHITECTURES.map(|name| format!("@src/{name}:1"));
    let create: Vec<&str> = ["create", "@app:1"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let _ = other.run(&create).success();
    let _ = other.run(&["push", "@app:1"]).success();
    let mut expected = other.take_request_lines();
    // Whose blob is mounted from where first depends on the order of the list alone.
    let without_source = |line: &mut String| *line = line.split("&from=").next().unwrap_or_default().to_owned();
    for lines in [&mut requests, &mut expected] {
        lines.iter_mut().for_each(without_source);
        lines.sort();
    }
    assert_eq!(requests, expected);
    // A second time there is nothing to send.
    let repeated = fixture.apply(&spec_of_five("@app:1"), &[]).success();
    assert_eq!(repeated.out(), applied.out());
    assert_eq!(fixture.take_request_lines().len(), 10 + 1 + 5);
}

#[test]
fn apply_selects_a_platform_from_an_index() {
    let fixture = Fixture::new();
    let (amd64, arm64, s390x) = (image("amd64"), image("arm64"), image("s390x"));
    let index =
        Index::oci().image(&amd64).image(&arm64).image(&s390x).attestation_of(&amd64).attestation_of(&arm64).build();
    fixture.registry.put_index("multi", "1", &index);
    fixture.registry.clear_record();
    let spec = "image: '@app:1'\nmanifests:\n- image: '@multi:1'\n  platform: {os: linux, architecture: aarch64}\n";
    let _ = fixture.apply(spec, &[]).success();
    let attested = index.images[4].digest();
    let expected = [(arm64.digest(), "linux/arm64".to_owned()), (attested, "unknown/unknown".to_owned())];
    assert_eq!(fixture.digests_and_platforms("app", "1"), expected);
    let fetched: Vec<String> =
        fixture.take_request_lines().into_iter().filter(|line| line.contains("GET /v2/multi")).collect();
    assert_eq!(fetched.len(), 3, "the index and what is wanted of it: {fetched:#?}");
    // Two entries of one index ask for it once, and stand in the spec's order.
    let two = format!("{spec}- image: '@multi:1'\n  platform: {{architecture: amd64}}\n").replace("app:1", "app:2");
    let _ = fixture.apply(&two, &["--attestations", "drop"]).success();
    assert_eq!(fixture.listed_platforms("app", "2"), ["linux/arm64", "linux/amd64"]);
    let index_asked =
        fixture.take_request_lines().into_iter().filter(|line| line.contains("/v2/multi/manifests/1 ")).count();
    assert_eq!(index_asked, 1);
    let refused = fixture.apply(&spec.replace("aarch64", "riscv64"), &[]);
    let expected = format!("no image for linux/riscv64 in {}", fixture.name("multi:1"));
    assert_eq!((refused.code, refused.first_err_line()), (1, expected));
    assert!(refused.err().contains("hint: available: linux/amd64, linux/arm64, linux/s390x"), "{}", refused.err());
}

#[test]
fn a_whole_index_is_flattened_and_is_that_index_again() {
    let fixture = Fixture::new();
    let inner = Index::oci().image(&image("arm64")).build();
    let index = Index::oci().image(&image("amd64")).index(&inner).annotation("k", "v").build();
    fixture.registry.put_index("multi", "1", &index);
    let _ = fixture.apply("image: '@app:1'\nannotations: {l: w}\nmanifests: [{image: '@multi:1'}]\n", &[]).success();
    assert_eq!(fixture.listed_platforms("app", "1"), ["linux/amd64", "linux/arm64"]);
    assert_eq!(fixture.list("app", "1")["annotations"], json!({ "k": "v", "l": "w" }));
    // As Docker's list it cannot say that, and does not pretend to.
    let _ = fixture.apply("image: '@app:2'\nmanifests: [{image: '@multi:1'}]\ntype: docker\n", &[]).success();
    assert_eq!(fixture.registry.manifest("app", "2").expect("a list").0, DOCKER_LIST);
    let output = fixture.apply("image: '@app:3'\nmanifests: [{image: '@multi:1'}]\n", &["--type", "docker"]).success();
    assert!(output.err().starts_with("warning: what the index says of itself is left out"), "{}", output.err());
}

#[test]
fn the_platform_in_the_spec_overrides_the_image() {
    let fixture = Fixture::new();
    let arm_v7 = Image::oci().platform("linux", "arm").variant("v7").layer("arm").build();
    let windows =
        Image::oci().platform("windows", "amd64").os_version("10.0.1").os_features(&["win32k"]).layer("w").build();
    fixture.registry.put_image("src/arm", "1", &arm_v7);
    fixture.registry.put_image("src/windows", "1", &windows);
    for (platform, expected) in [
        ("{architecture: arm}", "linux/arm/v7"),
        ("{variant: v6}", "linux/arm/v6"),
        ("{architecture: arm, os: linux, variant: \"\"}", "linux/arm"),
        // A variant is one of its architecture.
        ("{architecture: arm64}", "linux/arm64"),
        ("linux/arm/v5", "linux/arm/v5"),
        ("{architecture: arm, variant: 6}", "linux/arm/v6"),
    ] {
        let spec = format!("image: '@app:1'\nmanifests:\n- image: '@src/arm:1'\n  platform: {platform}\n");
        let _ = fixture.apply(&spec, &[]).success();
        assert_eq!(fixture.listed_platforms("app", "1"), [expected], "{platform}");
    }
    for (platform, version, features) in [
        ("{os: windows, architecture: amd64}", "10.0.1", json!(["win32k"])),
        ("{osversion: '10.0.2', osfeatures: []}", "10.0.2", json!(null)),
        ("{os: linux}", "", json!(null)),
        ("{os_version: '10.0.3', os_features: [a, b]}", "10.0.3", json!(["a", "b"])),
        ("{os.version: 10.0.3, os.features: []}", "10.0.3", json!(null)),
        ("{features: [sse4]}", "10.0.1", json!(["win32k"])),
    ] {
        let spec = format!("image: '@app:2'\nmanifests:\n- image: '@src/windows:1'\n  platform: {platform}\n");
        let _ = fixture.apply(&spec, &[]).success();
        let listed = fixture.list("app", "2")["manifests"][0]["platform"].clone();
        assert_eq!(
            (text(&listed["os.version"]).as_str(), listed["os.features"].clone()),
            (version, features),
            "{platform}"
        );
    }
}

#[test]
fn apply_lists_one_image_for_two_platforms() {
    let fixture = Fixture::with_sources(&["arm"]);
    let spec = "image: '@app:1'\nmanifests:\n- {image: '@src/arm:1', platform: linux/arm/v7}\n- {image: '@src/arm:1', \
                platform: linux/arm/v6}\n";
    let _ = fixture.apply(spec, &["--draft"]).success();
    assert_eq!(fixture.listed_platforms("app", "1"), ["linux/arm/v7", "linux/arm/v6"]);
    // The draft holds both, the second by its digest.
    let draft = fixture.run(&["export", "--local", "@app:1"]).success().out();
    assert_eq!(draft.matches("variant: v").count(), 2, "{draft}");
}

#[test]
fn entries_and_lists_have_annotations_and_types() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = "image: '@app:1'\nannotations: {a: list, b: list}\nartifactType: application/x\nmanifests:\n\
                - image: '@src/amd64:1'\n  annotations: {of: \"${WHAT}\"}\n  artifactType: application/y\n";
    let run = fixture.command(&["apply", "-f", "-", "--annotation", "b=flag", "-t", "2,latest"]);
    let _ = run.env("WHAT", "the entry").stdin(fixture.expand(spec)).run().success();
    let list = fixture.list("app", "1");
    assert_eq!(list["annotations"], json!({ "a": "list", "b": "flag" }));
    assert_eq!(list["artifactType"], "application/x");
    let line = &list["manifests"][0];
    assert_eq!((&line["annotations"], &line["artifactType"]), (&json!({ "of": "the entry" }), &json!("application/y")));
    let mut tags = fixture.registry.tags("app");
    tags.sort();
    assert_eq!(tags, ["1", "2", "latest"]);
    let refused = fixture.apply(&spec.replace("${WHAT}", ""), &["--type", "docker"]);
    assert!(refused.first_err_line().contains("would be a Docker manifest list"), "{}", refused.err());
}

#[test]
fn several_targets_and_documents_are_printed_as_one_array() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let spec = "image: ['@app:1', '@copy/app:1']\ntags: [latest]\nmanifests: [{image: '@src/amd64:1'}]\n---\n\
                image: '@arm:1'\ntype: oci\nmanifests: [{image: '@src/arm64:1'}]\n";
    let output = fixture.apply(spec, &["--format", "json"]).success();
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let printed = printed.as_array().expect("an array");
    let names: Vec<String> = printed.iter().map(|list| text(&list["reference"])).collect();
    assert_eq!(names, [fixture.name("app:1"), fixture.name("copy/app:1"), fixture.name("arm:1")]);
    assert_eq!(printed[1]["tags"], json!(["1", "latest"]));
    assert_eq!(printed[2]["mediaType"], OCI_INDEX);
    // One list is an array of one.
    let spec = "image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}]\n";
    let single_list = fixture.apply(spec, &["--format", "json"]).success();
    let single_list: serde_json::Value = serde_json::from_slice(&single_list.stdout).expect("JSON");
    assert_eq!(single_list.as_array().map(Vec::len), Some(1));
}

/// docs/specs.md shows a file with every key; it can be read.
#[test]
fn the_example_spec_of_the_documentation_is_valid() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/specs.md")).expect("the page");
    let begin = page.find("    image: registry.example.com/app:1.2.3").expect("the file");
    let lines = page[begin..].lines().take_while(|line| line.starts_with("    "));
    let text: String = lines.map(|line| format!("{}\n", &line[4..])).collect();
    let version = |name: &str| (name == "VERSION").then(|| "1.2.3".into());
    let parsed = docker_manifest::model::spec::parse(&text, "specs.md", Dialect::Native, &version);
    let parsed = parsed.unwrap_or_else(|error| panic!("{error}\n{}", error.excerpt()));
    assert_eq!(parsed.warnings, []);
    let [spec] = parsed.specs.as_slice() else { panic!("{} documents", parsed.specs.len()) };
    assert_eq!((spec.manifests.len(), spec.tags.len(), spec.require.len()), (3, 3, 2));
    assert_eq!(spec.annotations["org.opencontainers.image.version"], "1.2.3");
    // Every key that a spec and its entries may have is in it.
    for key in ["artifactType", "type", "attestations", "require", "platform", "annotations", "tags"] {
        assert!(text.contains(&format!("{key}:")), "{key}");
    }
}

#[test]
fn apply_takes_several_files() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let file = |name: &str, text: &str| fixture.sandbox.write(name, fixture.expand(text)).display().to_string();
    let yaml = file("a.yaml", "image: '@app:a'\nmanifests: [{image: '@src/amd64:1'}]\n");
    let json = file("b.json", "{\"image\": \"@app:b\", \"manifests\": [{\"image\": \"@src/arm64:1\"}]}");
    let _ = fixture.run(&["apply", "-f", &yaml, "--file", &json]).success();
    assert_eq!(
        (fixture.listed_platforms("app", "a"), fixture.listed_platforms("app", "b")),
        (vec!["linux/amd64".to_owned()], vec!["linux/arm64".to_owned()])
    );
}

#[test]
fn apply_template_is_equal_to_a_spec() {
    let fixture = Fixture::new();
    for (os, architecture, variant) in [("linux", "amd64", ""), ("linux", "arm", "v7")] {
        let image = Image::docker().platform(os, architecture).layer(variant).build();
        fixture.registry.put_image("app", &format!("{os}-{architecture}{variant}"), &image);
    }
    let template = fixture.name("app:OS-ARCHVARIANT");
    let args = ["--platforms", "linux/amd64,linux/arm/v7", "--template", &template, "--target", "@app:1"];
    let two_targets = [&["apply"], &args[..], &["--target", "@other:1"]].concat();
    let _ = fixture.run(&two_targets).success();
    for repository in ["app", "other"] {
        assert_eq!(fixture.listed_platforms(repository, "1"), ["linux/amd64", "linux/arm/v7"]);
    }
}

#[test]
fn images_come_from_other_registries() {
    let (fixture, other) = (Fixture::with_sources(&["amd64"]), Registry::start());
    let far = Image::oci().platform("linux", "amd64").variant("v3").layer("far").build();
    other.put_image("far", "1", &far);
    let spec = format!(
        "image: '@app:1'\nmanifests: [{{image: '@src/amd64:1'}}, {{image: '{}/far:1', platform: linux/amd64/v3}}]\n",
        other.host()
    );
    let _ = fixture.apply(&spec, &[]).success();
    assert_eq!(fixture.listed_platforms("app", "1"), ["linux/amd64", "linux/amd64/v3"]);
    assert!(fixture.registry.has_blob("app", &far.config_digest()));
}

#[test]
fn apply_keeps_a_draft_on_request() {
    let fixture = Fixture::with_sources(&["arm64", "amd64"]);
    let spec = "image: '@app:1'\nmanifests: [{image: '@src/arm64:1'}, {image: '@src/amd64:1'}]\n";
    let dry_run = fixture.apply(spec, &["--draft", "--dry-run"]).success();
    assert!(fixture.has_no_drafts() && fixture.take_puts_and_posts().is_empty(), "{}", dry_run.out());
    let _ = fixture.apply(spec, &["--draft"]).success();
    let listed = fixture.run(&["inspect", "--local", "@app:1"]).success().out();
    assert_eq!(listed.matches("\"digest\"").count(), 2, "{listed}");
    // What somebody else made of it meanwhile is replaced, and that is said.
    let _ = fixture.run(&["annotate", "@app:1", "@src/arm64:1", "--variant", "v9"]).success();
    let repeated = fixture.apply(spec, &["--draft"]).success();
    assert_eq!(repeated.err(), format!("the draft {} is replaced\n", fixture.name("app:1")));
    let _ = fixture.run(&["push", "--purge", "@app:1"]).success();
    assert!(fixture.has_no_drafts());
}
