//! `inspect` with our own flags (`--raw`, `--platform`, `--local`, `--remote`, `--format`), and `platforms`: the
//! output, and the requests that it takes.

use serde_json::{Value, json};
use testkit::image::fixtures::{artifact, attestation_of, buildx_image, buildx_index, helm_chart};
use testkit::image::{Image, Index, OCI_INDEX, OCI_MANIFEST};

use super::fixture::Fixture;

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];

impl Fixture {
    /// With an index as buildx makes it under app:1.
    fn with_index() -> (Fixture, Index) {
        let (fixture, index) = (Fixture::new(), buildx_index(&PLATFORMS));
        fixture.registry.put_index("app", "1", &index);
        (fixture, index)
    }

    /// Also with a draft of the same name, made of one image alone, so that the two can be told apart.
    fn with_draft() -> (Fixture, Index) {
        let (fixture, index) = Fixture::with_index();
        fixture.registry.put_image("src", "s390x", &buildx_image("linux/s390x"));
        let _ = fixture.run(&["create", "@app:1", "@src:s390x"]).success();
        (fixture, index)
    }

    /// What the program prints, with `R` in place of the registry's host.
    fn run_masking_host(&self, args: &[&str]) -> String {
        self.run_recorded(args).success().out().replace(&self.registry.host(), "R")
    }

    fn config_requests(&self) -> usize {
        self.request_lines().iter().filter(|line| line.contains("/blobs/")).count()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn inspect_shows_a_remote_index_completely() {
    let fixture = Fixture::new();
    let image = buildx_image("linux/amd64");
    let index = Index::oci().image(&image).artifact_type("x/y").subject(&image).annotation("k", "<v>").build();
    fixture.registry.put_index("app", "1", &index);
    let shown: Value = fixture.run_recorded_json(&["inspect", "@app:1"]);
    assert_eq!(shown, serde_json::from_slice::<Value>(&index.manifest).unwrap());
    assert_eq!(keys(&shown), ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"]);
    assert_eq!(fixture.request_lines().len(), 1);
}

#[test]
fn inspect_raw_prints_the_bytes_and_nothing_else() {
    let (fixture, index) = Fixture::with_index();
    let shown = fixture.run_recorded(&["inspect", "--raw", "@app:1"]).success();
    assert_eq!(text(&shown.stdout), text(&index.manifest));
    assert_eq!(fixture.request_lines().len(), 1);
    let child = fixture.run_recorded(&["inspect", "--raw", "--platform", "linux/arm64", "@app:1"]).success();
    assert_eq!(text(&child.stdout), text(&index.images[1].manifest));
    assert_eq!(fixture.request_lines().len(), 2);
    let _ = fixture.run_recorded(&["create", "@list:1", "@app:1"]).success();
    let draft = fixture.run_recorded(&["inspect", "--raw", "@list:1"]).success();
    let _ = fixture.run_recorded(&["push", "@list:1"]).success();
    let (_, pushed) = fixture.registry.manifest("list", "1").expect("the list");
    assert_eq!(text(&draft.stdout), text(&pushed));
    let entry = fixture.name(&format!("app@{}", index.images[0].digest()));
    let entry = fixture.run_recorded(&["inspect", "--raw", "@list:1", &entry]).success();
    assert_eq!((text(&entry.stdout), fixture.request_lines()), (text(&index.images[0].manifest), vec![]));
}

#[test]
fn inspect_platform_shows_the_child_as_an_image() {
    let (fixture, index) = Fixture::with_index();
    let shown = fixture.run_recorded_json(&["inspect", "--platform", "linux/amd64", "@app:1"]);
    assert_eq!(shown, serde_json::from_slice::<Value>(&index.images[0].manifest).unwrap());
    let digest = index.images[0].digest();
    assert_eq!(
        fixture.request_lines(),
        ["GET /v2/app/manifests/1 200", &format!("GET /v2/app/manifests/{digest} 200")]
    );
    let entry = fixture.run_recorded_json(&["inspect", "-v", "--platform", "linux/amd64", "@app:1"]);
    assert_eq!(fixture.request_lines().len(), 2);
    assert_eq!(entry["Ref"], fixture.name(&format!("app@{digest}")));
    assert_eq!(entry["Descriptor"]["platform"], json!({"architecture": "amd64", "os": "linux"}));
    let printed = fixture.run_recorded_json(&["inspect", "--format", "json", "--platform", "linux/x86_64", "@app:1"]);
    assert_eq!((printed["platform"].as_str(), printed["requests"].as_u64()), (Some("linux/amd64"), Some(2)));
    // An image is asked what it runs on, once.
    fixture.registry.put_image("one", "1", &buildx_image("linux/amd64"));
    for more in [&[][..], &["-v"], &["--format", "json"], &["--format", "table"], &["--format", "tree"]] {
        let _ = fixture.run_recorded(&[&["inspect", "--platform", "linux/amd64", "@one:1"], more].concat()).success();
        assert_eq!((fixture.request_lines().len(), fixture.config_requests()), (2, 1), "{more:?}");
    }
    let refused = fixture.run_recorded(&["inspect", "--platform", "linux/arm64", "@one:1"]);
    assert_eq!(refused.first_err_line(), format!("no image for linux/arm64 in {}", fixture.name("one:1")));
    assert!(refused.err().contains("hint: available: linux/amd64\n"), "{}", refused.err());
}

#[test]
fn a_missing_platform_error_lists_the_available_ones() {
    let (fixture, _) = Fixture::with_draft();
    for (flag, there) in [("--remote", "linux/amd64, linux/arm64/v8"), ("--local", "linux/s390x")] {
        let refused = fixture.run_recorded(&["inspect", flag, "--platform", "linux/riscv64", "@app:1"]);
        assert_eq!((refused.code, refused.out()), (1, String::new()));
        let first = format!("no image for linux/riscv64 in {}", fixture.name("app:1"));
        assert_eq!(refused.err(), format!("{first}\nhint: available: {there}\n"));
    }
}

#[test]
fn inspect_platform_shows_the_first_of_several_images() {
    let fixture = Fixture::new();
    let image = |number: u8| Image::oci().platform("linux", "amd64").layer([number]).build();
    let index = Index::oci().image(&image(1)).image(&image(2)).image(&image(1)).build();
    fixture.registry.put_index("app", "1", &index);
    let shown = fixture.run_recorded(&["inspect", "--raw", "--platform", "linux/amd64", "@app:1"]).success();
    assert_eq!(text(&shown.stdout), text(&image(1).manifest));
    let name = |image: Image| fixture.name(&format!("app@{}", image.digest()));
    let (first, second) = (name(image(1)), name(image(2)));
    assert_eq!(shown.err(), format!("2 images for linux/amd64: {first}, {second}; this is the first, {first}\n"));
    let _ = fixture.run_recorded(&["create", "@list:1", "@app:1"]).success();
    let shown = fixture.run_recorded(&["inspect", "--platform", "linux/amd64", "@list:1"]).success();
    assert!(shown.err().starts_with("2 images for linux/amd64: "), "{}", shown.err());
}

#[test]
fn inspect_platform_searches_nested_indexes() {
    let fixture = Fixture::new();
    let inner = Index::oci().image(&buildx_image("linux/s390x")).build();
    let middle = Index::oci().index(&inner).image_with(&buildx_image("linux/ppc64le"), Value::Null, &[]).build();
    let outer = Index::oci().image(&buildx_image("linux/amd64")).index(&middle).build();
    fixture.registry.put_index("app", "1", &outer);
    for (platform, requests, configs) in [("linux/amd64", 2, 0), ("linux/ppc64le", 6, 1), ("linux/s390x", 6, 1)] {
        let shown = fixture.run_recorded(&["inspect", "--raw", "--platform", platform, "@app:1"]).success();
        assert_eq!(text(&shown.stdout), text(&buildx_image(platform).manifest), "{platform}");
        assert_eq!((fixture.request_lines().len(), fixture.config_requests()), (requests, configs), "{platform}");
    }
    let refused = fixture.run_recorded(&["inspect", "--platform", "linux/arm64", "@app:1"]);
    assert!(refused.err().contains("available: linux/amd64, linux/ppc64le, linux/s390x"), "{}", refused.err());
}

#[test]
fn verbose_inspect_shows_the_images_of_a_nested_index() {
    let fixture = Fixture::new();
    let image = |platform: &str| buildx_image(platform);
    let inner = Index::oci().image(&image("linux/s390x")).image(&image("linux/arm64")).build();
    let outer = Index::oci().image(&image("linux/amd64")).index(&inner).image(&image("linux/s390x")).build();
    fixture.registry.put_index("app", "1", &outer);
    let entries = fixture.run_recorded_json(&["inspect", "-v", "@app:1"]);
    // The outer one, two images and the inner one, and what only that has.
    assert_eq!((fixture.request_lines().len(), fixture.config_requests()), (5, 0));
    let architectures: Vec<&str> = entries
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["Descriptor"]["platform"]["architecture"].as_str().expect("a platform"))
        .collect();
    assert_eq!(architectures, ["amd64", "s390x", "arm64", "s390x"]);
    assert_eq!(entries[2]["Ref"], fixture.name(&format!("app:1@{}", image("linux/arm64").digest())));
}

#[test]
fn inspect_local_and_remote_select_draft_or_registry() {
    let (fixture, index) = Fixture::with_draft();
    let first = fixture.run_recorded_json(&["inspect", "@app:1"]);
    assert_eq!((first["manifests"].as_array().unwrap().len(), fixture.request_lines()), (1, vec![]));
    assert_eq!(fixture.run_recorded_json(&["inspect", "--local", "@app:1"]), first);
    let served = fixture.run_recorded(&["inspect", "--remote", "--raw", "@app:1"]).success();
    assert_eq!(text(&served.stdout), text(&index.manifest));
    fixture.registry.put_index("app", "2", &index);
    let refused = fixture.run_recorded(&["inspect", "--local", "@app:2"]);
    assert_eq!((refused.code, fixture.request_lines()), (1, vec![]));
    assert_eq!(refused.first_err_line(), format!("No such manifest: {}", fixture.name("app:2")));
    let refused = fixture.run_recorded(&["inspect", "--local", "--remote", "@app:1"]);
    assert_eq!((refused.code, refused.first_err_line()), (125, "conflicting flags: --local and --remote".to_owned()));
    let refused = fixture.run_recorded(&["inspect", "--remote", "@app:1", "@src:s390x"]);
    assert_eq!(
        (refused.code, refused.first_err_line()),
        (125, "conflicting flags: --remote and MANIFEST_LIST".to_owned())
    );
    // A draft that is broken is in nobody's way who does not ask for it.
    let directory = fixture.sandbox.store().join(fixture.name("app:1").replace(':', "-").replace('/', "_"));
    std::fs::write(directory.join("x"), "{").expect("a file in the draft");
    assert_eq!(fixture.run_recorded(&["inspect", "@app:1"]).code, 1);
    let _ = fixture.run_recorded(&["inspect", "--remote", "@app:1"]).success();
}

#[test]
fn json_of_a_remote_index_is_one_request() {
    let (fixture, index) = Fixture::with_index();
    let printed = fixture.run_recorded_json(&["inspect", "--format", "json", "@app:1"]);
    assert_eq!(fixture.request_lines().len(), 1);
    assert_eq!(keys(&printed), ["reference", "digest", "size", "mediaType", "local", "platforms", "tags", "requests"]);
    assert_eq!(printed["digest"], index.digest());
    assert_eq!(
        (&printed["local"], &printed["requests"], &printed["mediaType"]),
        (&json!(false), &json!(1), &json!(OCI_INDEX))
    );
    let arm64 = &index.images[1];
    let reference = fixture.name(&format!("app@{}", arm64.digest()));
    let expected = json!({
        "platform": "linux/arm64/v8", "os": "linux", "architecture": "arm64", "variant": "v8",
        "digest": arm64.digest(), "size": arm64.manifest.len(), "mediaType": OCI_MANIFEST,
        "reference": reference,
    });
    assert_eq!(printed["platforms"][1], expected);
    assert_eq!(printed["platforms"][2]["attests"], index.images[0].digest());
    let deep = fixture.run_recorded_json(&["inspect", "-v", "--format", "json", "@app:1"]);
    assert_eq!((fixture.request_lines().len(), deep["requests"].as_u64()), (5, Some(5)));
    let layers = deep["platforms"][1]["layers"].as_array().expect("layers");
    let size: usize = arm64.blobs().iter().map(|blob| blob.len()).sum();
    assert_eq!((layers.len(), &deep["platforms"][1]["totalSize"]), (2, &json!(size)));
    let predicate = &deep["platforms"][2]["layers"][1]["annotations"]["in-toto.io/predicate-type"];
    assert_eq!(predicate, "https://spdx.dev/Document");
}

#[test]
fn json_uses_the_same_words_for_drafts_and_images() {
    let (fixture, index) = Fixture::with_index();
    let printed = fixture.run_recorded_json(&["create", "--format", "json", "@list:1", "@app:1"]);
    assert_eq!((&printed["local"], &printed["requests"]), (&json!(true), &json!(5)));
    let shown = fixture.run_recorded_json(&["inspect", "--format", "json", "@list:1"]);
    assert_eq!((&shown["requests"], fixture.request_lines()), (&json!(0), vec![]));
    for member in ["reference", "digest", "size", "mediaType", "local", "platforms"] {
        assert_eq!(printed[member], shown[member], "{member}");
    }
    let source = fixture.name(&format!("app:1@{}", index.digest()));
    assert_eq!((&shown["platforms"][0]["source"], shown["platforms"].as_array().unwrap().len()), (&json!(source), 4));
    let _ = fixture.run_recorded(&["push", "@list:1"]).success();
    let remote = fixture.run_recorded_json(&["inspect", "--remote", "--format", "json", "@list:1"]);
    assert_eq!(remote["digest"], shown["digest"]);
    fixture.registry.put_image("one", "1", &buildx_image("linux/amd64"));
    let first = fixture.run_recorded_json(&["inspect", "--format", "json", "@one:1"]);
    let expected = [
        "reference",
        "digest",
        "size",
        "mediaType",
        "local",
        "platform",
        "platforms",
        "totalSize",
        "config",
        "layers",
        "tags",
        "requests",
    ];
    assert_eq!((keys(&first), fixture.request_lines().len()), (expected.to_vec(), 2));
    let entry = fixture.name(&format!("app@{}", index.images[2].digest()));
    let entry = fixture.run_recorded_json(&["inspect", "--format", "json", "@list:1", &entry]);
    assert_eq!((&entry["digest"], &entry["local"]), (&json!(index.images[2].digest()), &json!(true)));
}

/// The digests of a draft's lines in the list that it becomes.
fn draft_digests(fixture: &Fixture, list: &str) -> Value {
    let list: Value = serde_json::from_str(&fixture.run_masking_host(&["inspect", list])).expect("JSON");
    list["manifests"].as_array().expect("entries").iter().map(|line| line["digest"].clone()).collect()
}

#[test]
fn json_of_a_draft_has_the_order_of_the_list() {
    let fixture = Fixture::new();
    let index = buildx_index(&["linux/amd64", "linux/arm64", "linux/s390x"]);
    fixture.registry.put_index("app", "1", &index);
    let json = [
        fixture.run_recorded_json(&["create", "--format", "json", "@l:1", "@app:1"]),
        fixture.run_recorded_json(&["ls", "--format", "json"])[0].clone(),
        fixture.run_recorded_json(&["inspect", "--local", "--format", "json", "@l:1"]),
    ];
    for json in json {
        let entries = json["platforms"].as_array().expect("platforms").clone();
        let digests: Value = entries.iter().map(|line| line["digest"].clone()).collect();
        assert_eq!(digests, draft_digests(&fixture, "@l:1"), "{json}");
        let attests: Vec<bool> = entries.iter().map(|line| line.get("attests").is_some()).collect();
        assert_eq!(attests, [false, false, false, true, true, true], "{json}");
    }
    // By name, one of the attestations stands before one of the images.
    let mut names: Vec<(String, bool)> = index
        .images
        .iter()
        .map(|own| (own.digest(), own.platform().is_none_or(|own| own["os"] == "unknown")))
        .collect();
    names.sort();
    assert!(!names.is_sorted_by_key(|(_, attests)| *attests), "{names:?}");
}

#[test]
fn the_printed_digest_of_a_draft_is_the_digest_that_push_publishes() {
    let fixture = Fixture::new();
    let plain = Image::docker().platform("linux", "amd64").build();
    fixture.registry.put_image("app", "amd", &plain);
    let _ = fixture.run_recorded(&["create", "@app:1", "@app:amd"]).success();
    let printed = || {
        let raw = fixture.run_recorded(&["inspect", "--local", "--raw", "@app:1"]).success().stdout;
        let json = fixture.run_recorded_json(&["inspect", "--local", "--format", "json", "@app:1"]);
        assert_eq!(json["digest"], testkit::image::sha256(&raw));
        assert_eq!(fixture.run_recorded_json(&["ls", "--format", "json"])[0]["digest"], json["digest"]);
        json
    };
    let pushed = |flags: &[&str]| -> Value {
        fixture.run_recorded_json(&[&["push", "--format", "json"], flags, &["@app:1"]].concat())
    };
    assert_eq!(printed()["digest"], pushed(&[])["digest"]);
    let _ = fixture.run_recorded(&["annotate", "@app:1", "--annotation", "k=v"]).success();
    assert_eq!(printed()["mediaType"], OCI_INDEX);
    assert_eq!(printed()["digest"], pushed(&["--type", "oci"])["digest"]);
}

#[test]
fn a_failure_with_format_json_is_an_object() {
    let (fixture, _) = Fixture::with_index();
    let refused = fixture.run_recorded(&["inspect", "--format", "json", "--platform", "linux/riscv64", "@app:1"]);
    let error: Value = serde_json::from_slice(&refused.stderr).expect("JSON");
    assert_eq!((refused.code, &error["error"]["kind"]), (1, &json!("missing")), "{error}");
}

/// The first digits of a digest as they are shown.
fn short_digest(digest: &str) -> &str {
    &digest[.."sha256:".len() + 12]
}

const TABLE: &str = include_str!("../fixtures/inspect/table.txt");
const TABLE_VERBOSE: &str = include_str!("../fixtures/inspect/table-verbose.txt");

#[test]
fn a_table_lists_attestations_with_their_image() {
    let (fixture, index) = Fixture::with_index();
    assert_eq!(fixture.run_masking_host(&["inspect", "--format", "table", "@app:1"]), TABLE);
    assert_eq!(fixture.request_lines().len(), 1);
    assert_eq!(fixture.run_masking_host(&["inspect", "-v", "--format", "table", "@app:1"]), TABLE_VERBOSE);
    assert_eq!(fixture.request_lines().len(), 5);
    // The same rows for a draft with no request, in the order of its names.
    let _ = fixture.run_recorded(&["create", "@list:1", "@app:1"]).success();
    let draft = fixture.run_masking_host(&["inspect", "-v", "--format", "table", "@list:1"]);
    let (head, draft) = draft.split_once("\n\n").expect("a head");
    assert!(head.starts_with("draft  R/list:1  sha256:") && head.lines().count() == 1, "{head}");
    assert_eq!(fixture.request_lines(), [""; 0]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(draft), sorted(TABLE_VERBOSE));
    let position = |digest: &str| draft.lines().position(|line| line.contains(digest)).expect("a row");
    for (image, attestation) in [(0, 2), (1, 3)] {
        let [image, attestation] = [image, attestation].map(|number: usize| index.images[number].digest());
        assert_eq!(position(&attestation), position(&image) + 1, "{draft}");
    }
    let image = fixture.run_masking_host(&["inspect", "--format", "table", "--platform", "linux/amd64", "@app:1"]);
    let cells =
        |text: &str| text.lines().nth(1).map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(cells(&image), cells(TABLE));
}

const TREE: &str = include_str!("../fixtures/inspect/tree.txt");

#[test]
fn a_verbose_tree_shows_the_layers() {
    let (mut fixture, index) = Fixture::with_index();
    let ascii = fixture.run_masking_host(&["inspect", "--format", "tree", "@app:1"]);
    assert_eq!(fixture.request_lines().len(), 5, "the index and each child once");
    fixture.sandbox.set("LANG", "C.UTF-8");
    let unicode = fixture.run_masking_host(&["inspect", "--format", "tree", "@app:1"]);
    assert_eq!(unicode, TREE);
    let strokes = |text: &str| text.replace("├─", "|-").replace("└─", "`-").replace('│', "|");
    assert_eq!(ascii, strokes(TREE));
    // A draft of the same images says the same with no request, in the order of its names.
    let _ = fixture.run_recorded(&["create", "@list:1", "@app:1"]).success();
    let draft = fixture.run_masking_host(&["inspect", "--format", "tree", "@list:1"]);
    assert_eq!(fixture.request_lines(), [""; 0]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> =
            text.lines().skip(1).map(|line| line.replace(['├', '└', '│', '─', ' '], "")).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&draft), sorted(&unicode));
    assert!(draft.starts_with("R/list:1  draft  oci index  sha256:"), "{draft}");
    let image = fixture.run_masking_host(&["inspect", "--format", "tree", "--platform", "linux/amd64", "@app:1"]);
    assert_eq!(image.lines().count(), 4, "{image}");
    assert!(image.starts_with(&format!("R/app@{}  linux/amd64  sha256:", index.images[0].digest())), "{image}");
    let verbose = fixture.run_masking_host(&["inspect", "-v", "--format", "tree", "@app:1"]);
    assert!(
        verbose.contains("annotation  vnd.docker.reference.type=attestation-manifest")
            || verbose.contains(&index.images[2].digest())
    );
    assert!(verbose.contains("application/vnd.oci.image.layer.v1.tar+gzip"), "{verbose}");
    let typed = Index::oci().image(&index.images[0]).artifact_type("x/y").annotation("k", "v").build();
    fixture.registry.put_index("app", "typed", &typed);
    let typed = fixture.run_masking_host(&["inspect", "-v", "--format", "tree", "@app:typed"]);
    let list_lines: Vec<&str> = typed.lines().skip(1).take(2).collect();
    assert_eq!(list_lines, ["├─ artifact type  x/y", "├─ annotation  k=v"], "{typed}");
}

#[test]
fn trees_and_tables_show_annotations() {
    let (fixture, index) = Fixture::with_index();
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let with_annotations = Index::oci()
        .image_with(&index.images[0], platform, &[("tier", "base"), ("owner", "me")])
        .image(&index.images[1])
        .artifact_type("x/y")
        .subject(&index.images[1])
        .annotation("k", "v")
        .build();
    fixture.registry.put_index("app", "told", &with_annotations);
    let subject = index.images[1].digest();
    let _ = fixture.run_recorded(&["create", "@list:told", "@app:told"]).success();
    for list in ["@app:told", "@list:told"] {
        let tree = fixture.run_masking_host(&["inspect", "--format", "tree", list]);
        let table = fixture.run_masking_host(&["inspect", "--format", "table", list]);
        for line in ["artifact type  x/y", "annotation  k=v"] {
            assert!(tree.contains(line) && table.contains(line), "{line}\n{tree}\n{table}");
        }
        assert!(tree.contains(&format!("subject  {}", short_digest(&subject))), "{tree}");
        assert!(table.contains(&format!("subject  {subject}")), "{table}");
        assert!(tree.contains("annotation  tier=base") && table.contains("owner=me, tier=base"), "{tree}\n{table}");
        assert!(table.contains("ANNOTATIONS"), "{table}");
    }
}

#[test]
fn a_tree_shows_unusual_manifests() {
    let fixture = Fixture::new();
    let (chart, notes) = (helm_chart("app", "1"), artifact("x/notes", b"notes"));
    let (amd64, missing_image) = (buildx_image("linux/amd64"), buildx_image("linux/riscv64"));
    let orphan = attestation_of(&missing_image);
    let refers_to = [
        ("vnd.docker.reference.type", "attestation-manifest"),
        ("vnd.docker.reference.digest", &missing_image.digest()),
    ];
    let inner = Index::oci().image(&amd64).image_with(&orphan, Value::Null, &refers_to.map(|(k, v)| (k, v))).build();
    let unknown_entry = json!({"mediaType": "application/x-thing", "digest": testkit::image::sha256(b"t"), "size": 1});
    let absent = json!({
        "mediaType": OCI_MANIFEST, "digest": missing_image.digest(), "size": missing_image.manifest.len(),
        "platform": {"os": "linux", "architecture": "riscv64"},
    });
    let outer = Index::oci()
        .image(&amd64)
        .index(&inner)
        .index(&inner)
        .image_with(&chart, Value::Null, &[])
        .image_with(&notes, Value::Null, &[])
        .child(unknown_entry)
        .child(absent)
        .build();
    // Not through `put_index`: what it names is not all there.
    for image in [&amd64, &chart, &notes, &orphan] {
        fixture.registry.put_image("app", &image.digest(), image);
    }
    fixture.registry.put_manifest("app", &inner.digest(), OCI_INDEX, &inner.manifest);
    fixture.registry.put_manifest("app", "1", OCI_INDEX, &outer.manifest);
    let tree = fixture.run_masking_host(&["inspect", "--format", "tree", "@app:1"]);
    let requests = fixture.request_lines();
    // amd64, the inner index, the chart, the notes, the one that is gone; then the orphan within.
    assert_eq!(requests.len(), 7, "{requests:?}");
    assert_eq!(fixture.config_requests(), 0, "{requests:?}");
    for (part, times) in [
        (format!("linux/riscv64  {}  not in the registry", short_digest(&missing_image.digest())), 1),
        (format!("application/x-thing  {}", short_digest(&testkit::image::sha256(b"t"))), 1),
        (format!("attestation of {}", short_digest(&missing_image.digest())), 2),
        (format!("oci index  {}", short_digest(&inner.digest())), 2),
        (format!("linux/amd64  {}", short_digest(&amd64.digest())), 3),
        ("artifact application/vnd.cncf.helm.config.v1+json".to_owned(), 1),
        ("artifact application/vnd.oci.empty.v1+json".to_owned(), 1),
    ] {
        assert_eq!(tree.matches(&part).count(), times, "{part}\n{tree}");
    }
    let table = fixture.run_masking_host(&["inspect", "--format", "table", "@app:1"]);
    // The inner index, the chart and the notes do not say what they run on.
    assert_eq!(
        (fixture.request_lines().len(), fixture.config_requests(), table.lines().count()),
        (4, 0, 12),
        "{table}"
    );
    let printed = fixture.run_recorded_json(&["inspect", "-v", "--format", "json", "@app:1"]);
    assert_eq!(
        (&printed["platforms"][6]["missing"], &printed["platforms"][1]["platforms"][0]["platform"]),
        (&json!(true), &json!("linux/amd64"))
    );
}

#[test]
fn indexes_that_expand_exponentially_are_refused() {
    let fixture = Fixture::new();
    let mut index = Index::oci().image(&buildx_image("linux/amd64")).build();
    for _ in 0..5 {
        fixture.registry.put_manifest("app", &index.digest(), OCI_INDEX, &index.manifest);
        let line = json!({"mediaType": OCI_INDEX, "digest": index.digest(), "size": index.manifest.len()});
        index = (0..20).fold(Index::oci(), |outer, _| outer.child(line.clone())).build();
    }
    fixture.registry.put_image("app", "image", &buildx_image("linux/amd64"));
    fixture.registry.put_manifest("app", "1", OCI_INDEX, &index.manifest);
    let refused = fixture.run_recorded(&["inspect", "--format", "tree", "@app:1"]);
    assert_eq!((refused.code, refused.out()), (1, String::new()));
    assert!(refused.first_err_line().contains("to more than 10000"), "{}", refused.err());
}

#[test]
fn platforms_are_printed_as_mquery_does() {
    let (fixture, index) = Fixture::with_index();
    let shown = fixture.run_recorded(&["platforms", "@app:1"]).success();
    let expected = format!(
        "Image: {} (digest: {})\n * Manifest List: Yes (Image type: {OCI_INDEX})\n * Supported platforms:\n   - \
         linux/amd64\n   - linux/arm64/v8\n",
        fixture.name("app:1"),
        index.digest()
    );
    assert_eq!((shown.out(), fixture.request_lines().len()), (expected, 1));
    let image = Image::docker().platform("windows", "amd64").os_version("10.0.17763.2300").layer(b"w").build();
    fixture.registry.put_image("win", "1", &image);
    let shown = fixture.run_recorded(&["platforms", "@win:1"]).success();
    let expected = format!(
        "Image: {} (digest: {})\n * Manifest List: No (Image type: {})\n * Supports: windows/amd64:10.0.17763.2300\n",
        fixture.name("win:1"),
        image.digest(),
        image.media_type
    );
    assert_eq!((shown.out(), fixture.request_lines().len()), (expected, 2));
}

#[test]
fn platforms_are_printed_as_json() {
    let (fixture, index) = Fixture::with_index();
    let printed = fixture.run_recorded_json(&["platforms", "--format", "json", "@app:1"]);
    assert_eq!(keys(&printed), ["reference", "digest", "size", "mediaType", "local", "platforms", "tags", "requests"]);
    assert_eq!((&printed["digest"], &printed["requests"]), (&json!(index.digest()), &json!(1)));
    let names: Vec<&str> =
        printed["platforms"].as_array().unwrap().iter().filter_map(|row| row["platform"].as_str()).collect();
    assert_eq!(names, PLATFORMS);
    let refused = fixture.run_recorded(&["platforms", "@app:2"]);
    assert_eq!((refused.code, refused.first_err_line()), (1, format!("no such manifest: {}", fixture.name("app:2"))));
}
