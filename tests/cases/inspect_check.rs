//! `inspect --check`: every image of a published list is requested once, and missing ones are marked.

use serde_json::{Value, json};
use testkit::client::Client;
use testkit::image::fixtures::buildx_image;
use testkit::image::{Image, Index, sha256};
use testkit::loopback::{Fault, Rule};
use testkit::sandbox::Output;

use super::fixture::Fixture;

impl Fixture {
    /// `app:1` names two images, the first one twice, the attestation of the first and an index of two further images.
    /// The second image, one of the inner index and the attestation are gone.
    fn with_incomplete_list() -> (Fixture, [Image; 4]) {
        let images = ["linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le"].map(buildx_image);
        let inner = Index::oci().image(&images[2]).image(&images[3]).build();
        let list = Index::oci()
            .image(&images[0])
            .image(&images[1])
            .image(&images[0])
            .attestation_of(&images[0])
            .index_with(&inner, Value::Null, &[])
            .build();
        let fixture = Fixture::new();
        fixture.registry.put_index("app", "1", &list);
        let attestation = list.images.last().expect("the attestation").digest();
        for digest in [images[1].digest(), images[3].digest(), attestation] {
            let path = format!("/v2/app/manifests/{digest}");
            assert_eq!(Client::new(fixture.registry.addr()).request("DELETE", &path, &[], b"").status, 202);
        }
        (fixture, images)
    }

    /// Runs the program on `app:1`; the record is of this alone.
    fn inspect(&self, flags: &[&str]) -> Output {
        self.run_recorded(&[&["inspect"], flags, &["@app:1"]].concat())
    }

    /// How many requests there were of each kind.
    fn count_gets_and_heads(&self) -> (usize, usize) {
        let requests = self.registry.requests();
        let count_of = |method: &str| requests.iter().filter(|request| request.method == method).count();
        assert_eq!(count_of("GET") + count_of("HEAD"), requests.len());
        (count_of("GET"), count_of("HEAD"))
    }
}

/// Whether each entry is marked, at any depth, by its digest's first digits.
fn collect_missing(value: &Value, found: &mut Vec<(String, Value)>) {
    for entry in value["platforms"].as_array().into_iter().flatten() {
        found.push((entry["digest"].as_str().expect("a digest").to_owned(), entry["missing"].clone()));
        collect_missing(entry, found);
    }
}

#[test]
fn inspect_check_requests_each_image_once_and_marks_missing_ones() {
    let (fixture, images) = Fixture::with_incomplete_list();
    let shown = fixture.inspect(&["--check", "--format", "json"]).success();
    // The list and the inner index; two images, an attestation, and the two inner images.
    assert_eq!(fixture.count_gets_and_heads(), (2, 5));
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let mut marked = Vec::new();
    collect_missing(&shown, &mut marked);
    let marks_of = |image: &Image| -> Vec<&Value> {
        marked.iter().filter(|(digest, _)| *digest == image.digest()).map(|(_, mark)| mark).collect()
    };
    assert_eq!(marks_of(&images[0]), [&Value::Null, &Value::Null]);
    assert_eq!(marks_of(&images[1]), [&json!(true)]);
    assert_eq!(marks_of(&images[2]), [&Value::Null]);
    assert_eq!(marks_of(&images[3]), [&json!(true)]);
    assert_eq!(marked.iter().filter(|(_, mark)| *mark == json!(true)).count(), 3, "{marked:?}");
    assert_eq!(shown["requests"], json!(7));
    // Without the flag only what the list does not say is asked for.
    let unchecked = fixture.inspect(&["--format", "json"]).success();
    assert!(!unchecked.out().contains("missing"), "{}", unchecked.out());
}

#[test]
fn inspect_check_marks_missing_images_in_tables_and_trees() {
    let (fixture, _) = Fixture::with_incomplete_list();
    let marked_lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("not in the registry"));
        lines
            .map(|line| line.trim_start_matches(['|', '`', '-', ' ']).split(' ').next().unwrap_or("").to_owned())
            .collect()
    };
    let table = fixture.inspect(&["--check", "--format", "table"]).success().out();
    // The attestation stands with its image's platform.
    assert_eq!(marked_lines(&table), ["linux/amd64", "linux/arm64", "linux/ppc64le"], "{table}");
    assert_eq!(fixture.count_gets_and_heads(), (2, 5));
    // Docker's JSON has no place for a mark: without a format it is the table.
    assert_eq!(fixture.inspect(&["--check"]).success().out(), table);
    let tree = fixture.inspect(&["--check", "--format", "tree"]).success().out();
    let mut in_tree = marked_lines(&tree);
    in_tree.sort();
    assert_eq!(in_tree, ["attestation", "linux/arm64", "linux/ppc64le"], "{tree}");
}

#[test]
fn inspect_check_covers_images_that_the_tree_does_not_show() {
    let fixture = Fixture::new();
    let other = json!({"mediaType": "application/vnd.example.thing.v1+json", "digest": sha256(b"gone"), "size": 4});
    let list = Index::oci().image(&buildx_image("linux/amd64")).child(other).build();
    fixture.registry.put_index("app", "1", &list);
    let tree = fixture.inspect(&["--check", "--format", "tree"]).success().out();
    assert_eq!(tree.matches("not in the registry").count(), 1, "{tree}");
    assert_eq!(fixture.count_gets_and_heads(), (2, 1));
}

#[test]
fn inspect_check_does_not_report_images_of_a_failing_registry_as_missing() {
    let (fixture, images) = Fixture::with_incomplete_list();
    let path = format!("app/manifests/{}", images[0].digest());
    fixture.registry.add_fault(Rule::on("HEAD", &path).always(), Fault::status(500));
    let failed = fixture.inspect(&["--check", "--retries", "0"]);
    assert_eq!((failed.code, failed.out()), (1, String::new()), "{}", failed.err());
    fixture.registry.clear_faults();
    // One that fails once is asked again.
    fixture.registry.add_fault(Rule::on("HEAD", &path).first_n(1), Fault::status(503));
    let shown = fixture.inspect(&["--check", "--format", "json", "--retries", "1"]).success();
    assert_eq!(shown.out().matches("\"missing\": true").count(), 3, "{}", shown.out());
    assert_eq!(fixture.count_gets_and_heads(), (2, 6));
}

#[test]
fn inspect_check_uses_the_registry_despite_a_draft() {
    let (fixture, images) = Fixture::with_incomplete_list();
    fixture.registry.put_image("src", "1", &images[0]);
    let _ = fixture.run(&["create", "@app:1", "@src:1"]).success();
    let table = fixture.inspect(&["--check"]).success().out();
    assert_eq!(table.matches("not in the registry").count(), 3, "{table}");
}
