//! Specs and targets as manifest-tool's users write them: by the link named manifest-tool, and by `apply`.

use serde_json::{Value, json};
use testkit::image::{Image, Index, OCI_INDEX, OCI_MANIFEST, sha256};
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox};

use super::OURS;

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    /// With images for two architectures, and `app:latest`, which is an image too.
    fn new() -> Fixture {
        let (registry, sandbox) = (Registry::start(), Sandbox::new());
        std::os::unix::fs::symlink(OURS, sandbox.path().join("manifest-tool")).expect("a link");
        let fixture = Fixture { registry, sandbox };
        for name in ["amd64", "arm64"] {
            fixture.put("app", name, Image::oci().platform("linux", name).layer(name));
        }
        fixture.put("app", "latest", Image::oci().platform("linux", "s390x").layer("the release"));
        fixture.registry.clear();
        fixture
    }

    fn put(&self, repository: &str, tag: &str, image: testkit::image::ImageBuilder) -> Image {
        let image = image.build();
        self.registry.put_image(repository, tag, &image);
        image
    }

    /// A spec file in which `@` is the registry.
    fn spec(&self, text: &str) -> String {
        let text = text.replace('@', &format!("{}/", self.registry.host()));
        self.sandbox.write("list.yaml", text).display().to_string()
    }

    fn tool(&self, args: &[&str]) -> Output {
        self.sandbox.command(self.sandbox.path().join("manifest-tool")).args(self.registry.words(args)).run()
    }

    fn ours(&self, args: &[&str]) -> Output {
        self.sandbox.command(OURS).args(self.registry.words(args)).run()
    }

    fn digest(&self, tag: &str) -> Option<String> {
        self.registry.manifest("app", tag).map(|(_, bytes)| sha256(&bytes))
    }

    fn platforms(&self, tag: &str) -> Vec<Value> {
        let (_, bytes) = self.registry.manifest("app", tag).expect("a list");
        let list: Value = serde_json::from_slice(&bytes).expect("JSON");
        list["manifests"].as_array().expect("entries").iter().map(|entry| entry["platform"].clone()).collect()
    }

    /// What was put, and under which names; the record is empty afterwards.
    fn puts(&self) -> Vec<String> {
        let requests = self.registry.requests();
        self.registry.clear();
        requests.iter().filter(|request| request.method == "PUT").map(|put| format!("PUT {}", put.path)).collect()
    }
}

const UNTAGGED: &str = "image: '@app'\nmanifests:\n- image: '@app:amd64'\n- image: '@app:arm64'\n";

#[test]
fn by_the_link_a_target_without_a_tag_leaves_latest_alone() {
    let fixture = Fixture::new();
    let release = fixture.digest("latest");
    let template = fixture.registry.name("app:ARCH");
    let args = ["--platforms", "linux/amd64,linux/arm64", "--template", &template, "--target", "@app"];
    for (tags, way) in [
        (vec!["branch-1"], vec!["from-spec", "SPEC"]),
        (vec![], vec!["from-spec", "SPEC"]),
        (vec!["branch-2", "1.0"], [&["from-args"], &args[..], &["--tags", "branch-2,1.0"]].concat()),
        (vec![], [&["from-args"], &args[..]].concat()),
    ] {
        let named = if tags.is_empty() { String::new() } else { format!("tags: [{}]\n", tags.join(", ")) };
        let spec = fixture.spec(&format!("{named}{UNTAGGED}"));
        let way: Vec<&str> = way.iter().map(|word| if *word == "SPEC" { spec.as_str() } else { word }).collect();
        let pushed = fixture.tool(&[&["push", "--type", "oci"], &way[..]].concat()).success();
        let digest = pushed.out().split(' ').nth(1).expect("a digest").to_owned();
        let put = |name: &str| format!("PUT /v2/app/manifests/{name}");
        let mut puts = fixture.puts();
        if puts.first() == Some(&put(&digest)) {
            puts.remove(0);
        }
        puts.sort();
        let mut expected: Vec<String> = tags.iter().map(|tag| put(tag)).collect();
        expected.sort();
        assert_eq!(puts, expected, "{way:?}");
        assert!(fixture.digest(&digest).is_some(), "{way:?}");
        assert!(tags.iter().all(|tag| fixture.digest(tag).as_ref() == Some(&digest)), "{way:?}");
        assert_eq!(fixture.digest("latest"), release, "{way:?}");
    }
}

#[test]
fn apply_moves_latest_only_where_no_tag_is_named() {
    let fixture = Fixture::new();
    let release = fixture.digest("latest");
    for (tags, flags) in [("tags: [a, b]\n", &[][..]), ("", &["-t", "c"])] {
        let spec = fixture.spec(&format!("{tags}{UNTAGGED}"));
        let told = fixture.ours(&[&["apply", "--format", "json", "-f", &spec], flags].concat()).success();
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        let digest = told[0]["digest"].as_str().expect("a digest");
        assert_eq!(told[0]["reference"], fixture.registry.name(&format!("app@{digest}")));
        assert!(
            told[0]["tags"].as_array().expect("tags").iter().all(|tag| fixture.digest(tag.as_str().unwrap()).is_some())
        );
        assert_eq!(fixture.digest("latest"), release, "{tags}{flags:?}");
    }
    // Two lists may go to one repository then.
    let two = format!("tags: [d]\n{UNTAGGED}---\ntags: [e]\n{UNTAGGED}");
    let _ = fixture.ours(&["apply", "-f", &fixture.spec(&two)]).success();
    assert!(fixture.digest("d").is_some() && fixture.digest("d") == fixture.digest("e"));
    let twice = format!("tags: [d]\n{UNTAGGED}---\ntags: [d]\n{UNTAGGED}");
    let refused = fixture.ours(&["apply", "-f", &fixture.spec(&twice)]);
    let expected = format!("{} would be published twice", fixture.registry.name("app:d"));
    assert_eq!((refused.code, refused.first_err_line()), (1, expected));
    // As for docker's verbs.
    let _ = fixture.ours(&["apply", "-f", &fixture.spec(UNTAGGED)]).success();
    assert_eq!(fixture.digest("latest"), fixture.digest("d"));
}

#[test]
fn a_draft_of_a_target_without_a_tag_has_a_tag_that_was_named() {
    let fixture = Fixture::new();
    let spec = fixture.spec(&format!("tags: [a, b]\n{UNTAGGED}"));
    let _ = fixture.ours(&["apply", "--draft", "-f", &spec]).success();
    assert_eq!(fixture.ours(&["ls", "--quiet"]).success().out(), format!("{}\n", fixture.registry.name("app:a")));
    let release = fixture.digest("latest");
    let _ = fixture.ours(&["push", "@app:a"]).success();
    assert_eq!(fixture.digest("latest"), release);
}

#[test]
fn specs_that_are_in_use_are_published_by_the_link_with_a_warning() {
    let fixture = Fixture::new();
    let windows = Image::oci().platform("windows", "amd64").os_version("10.0.17763.1").layer("w");
    let _ = fixture.put("app", "windows", windows);
    let _ = fixture.put("app", "arm", Image::oci().platform("linux", "arm").variant("v7").layer("v7"));
    let spec = fixture.spec(
        "image: '@app:1'\nlicense: MIT\nx-linux: &linux {os: linux}\nmanifests:\n- image: '@app:windows'\n  platform: \
         {architecture: amd64, os: windows, version: 1809}\n- image: '@app:arm'\n  platform: \
         {<<: *linux, architecture: arm, variant: \"\"}\n",
    );
    let pushed = fixture.tool(&["push", "from-spec", &spec]).success();
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
    assert_eq!(fixture.platforms("1"), expected, "what is left out or empty is the image's");
    let refused = fixture.ours(&["apply", "-f", &spec]);
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
    let fixture = Fixture::new();
    let _ = fixture.put("app", "windows", Image::oci().platform("windows", "amd64").layer("w"));
    let spec = fixture.spec("image: '@app:1'\nmanifests: [{image: '@app:windows', platform: {osversion: 1809}}]\n");
    for run in [fixture.tool(&["push", "from-spec", &spec]), fixture.ours(&["apply", "-f", &spec])] {
        let run = run.success();
        let begin = format!("warning: {spec}:2:");
        let end = "`osversion`: \"1809\" is not a version such as 10.0.17763.1, so no host will match it\n";
        assert!(run.err().starts_with(&begin) && run.err().ends_with(end), "{}", run.err());
        assert_eq!(fixture.platforms("1")[0]["os.version"], "1809");
    }
}

#[test]
fn blanks_and_line_breaks_around_commas_do_not_count() {
    let fixture = Fixture::new();
    let template = fixture.registry.name("app:ARCH");
    let from = ["--platforms", "linux/amd64,\n  linux/arm64\n", "--template", &template, "--target", "@app:1"];
    let more = ["--tags", " a, b\n", "--annotations", "k=v , l = w"];
    let pushed = fixture.tool(&[&["push", "--type", "oci", "from-args"], &from[..], &more].concat()).success();
    assert_eq!(pushed.err(), "");
    let (_, bytes) = fixture.registry.manifest("app", "b").expect("the second tag");
    let list: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(list["annotations"], json!({"k": "v", "l ": " w"}));
    assert_eq!(list["manifests"].as_array().map(Vec::len), Some(2));
    let _ = fixture.ours(&["create", "--platform", "linux/amd64, linux/arm64", "@app:3", "@app:1"]).success();
    let _ = fixture.ours(&["push", "--require", "linux/amd64 ,linux/arm64", "--tag", "c\nd\n", "@app:3"]).success();
    assert!(["c", "d"].iter().all(|tag| fixture.digest(tag).is_some()));
    let shown = fixture.ours(&["inspect", "--platform", " linux/arm64", "--raw", "@app:1"]).success();
    assert_eq!(Some(sha256(&shown.stdout)), fixture.digest("arm64"));
    // Docker's own list keeps its blanks.
    let _ = fixture.ours(&["create", "@app:4", "@app:amd64"]).success();
    let _ = fixture.ours(&["annotate", "--os-features", " a, b", "@app:4", "@app:amd64"]).success();
    let shown: Value = serde_json::from_slice(&fixture.ours(&["inspect", "@app:4"]).success().stdout).expect("JSON");
    assert_eq!(shown["manifests"][0]["platform"]["os.features"], json!([" a", " b"]));
}

#[test]
fn raw_gives_the_true_digest_whatever_the_document_says() {
    let fixture = Fixture::new();
    let evil = format!("sha256:{}", "e".repeat(64));
    let lies = json!({"digest": evil, "name": "evil", "os": "evil", "architecture": "evil"});
    let lie = |bytes: &[u8]| {
        let mut document: Value = serde_json::from_slice(bytes).expect("JSON");
        document.as_object_mut().expect("members").extend(lies.as_object().expect("members").clone());
        serde_json::to_vec(&document).expect("bytes")
    };
    let image = fixture.put("app", "honest", Image::oci().platform("linux", "amd64").layer("l"));
    let liar = lie(&image.manifest);
    fixture.registry.put_manifest("app", "image", OCI_MANIFEST, &liar);
    let child = json!({"mediaType": OCI_MANIFEST, "digest": sha256(&liar), "size": liar.len()});
    let index = lie(&Index::oci().child(child).build().manifest);
    fixture.registry.put_manifest("app", "index", OCI_INDEX, &index);
    for (tag, bytes, os) in [("image", &liar, json!("linux")), ("index", &index, Value::Null)] {
        for flags in [&["--raw"][..], &["--raw", "--expand-config"]] {
            let shown = fixture.tool(&[&["inspect"], flags, &[&format!("@app:{tag}")]].concat()).success();
            assert!(!shown.out().contains("evil") && !shown.out().contains(&evil), "{}", shown.out());
            let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
            assert_eq!((&shown["digest"], &shown["os"]), (&json!(sha256(bytes)), &os), "{tag} {flags:?}");
            assert_eq!(shown["name"], fixture.registry.name(&format!("app:{tag}")));
        }
    }
}
