//! `--verify` reads back what was published, and `--by-digest` moves no tag.

use serde_json::{Value, json};
use testkit::image::sha256;
use testkit::loopback::{Fault, Rule};

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.source.put_image("src/app", "amd64", &image("amd64", &[b"shared", b"amd"]));
    fixture.source.put_image("src/app", "arm64", &image("arm64", &[b"shared", b"arm"]));
    fixture.create_draft(&["%src/app:amd64", "%src/app:arm64"]);
    fixture
}

#[test]
fn verify_gets_every_manifest_and_looks_for_every_blob() {
    let fixture = fixture();
    let pushed = fixture.push_json(&["--verify", "-t", "2"]);
    // Two configurations, the shared layer, and one of each image.
    assert_eq!(pushed["verified"], json!({ "names": 2, "manifests": 2, "blobs": 5 }));
    let all = request_lines(&fixture.target);
    let after = all.iter().rposition(|line| line.starts_with("PUT ")).expect("a push");
    let gets = all[after + 1..].iter().filter(|line| line.starts_with("GET ")).count();
    let heads = all[after + 1..].iter().filter(|line| line.starts_with("HEAD ") && line.contains("/blobs/")).count();
    assert_eq!((gets, heads, all.len() - after - 1), (2 + 2, 5, 9), "{all:#?}");
    let stderr = fixture.push(&["--verify"]).success().err();
    assert!(stderr.contains("verified: 1 name, 2 manifests, 5 blobs"), "{stderr}");
}

#[test]
fn push_verify_names_what_is_not_served() {
    let fixture = fixture();
    let digest = sha256(b"shared");
    fixture.target.add_fault(Rule::on("HEAD", &format!("/blobs/{digest}")).always(), Fault::status(404));
    let failed = fixture.push(&["--verify"]);
    assert_eq!(failed.code, 1);
    let expected = format!(
        "published, but not served as it was sent: the blob {}/{TARGET_REPOSITORY}@{digest}",
        fixture.target.host()
    );
    assert!(failed.err().contains(&expected), "{}", failed.err());
    // A tag that another client has moved meanwhile.
    fixture.target.clear_faults();
    fixture.target.add_fault(Rule::on("GET", "/manifests/1").from(2), Fault::status(404));
    let failed = fixture.run(&["push", "--verify", "--format", "json", "@dst/app:1"]);
    let error: Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((failed.code, &error["error"]["kind"]), (1, &json!("verification")), "{}", failed.err());
}

#[test]
fn push_by_digest_moves_no_tag_and_prints_the_digest() {
    let fixture = fixture();
    let pushed = fixture.push(&["--by-digest"]).success();
    let reference = pushed.out().trim_end().to_owned();
    let (repository, digest) = reference.split_once('@').expect("a reference by digest");
    assert_eq!(repository, fixture.expand_word(&format!("@{TARGET_REPOSITORY}")));
    let (_, bytes) = fixture.target.manifest(TARGET_REPOSITORY, digest).expect("the list");
    assert_eq!((sha256(&bytes).as_str(), fixture.target.tags(TARGET_REPOSITORY).len()), (digest, 0));
    assert_eq!(put_references(&fixture.target).last().map(String::as_str), Some(digest));
    // The draft does not say that its tag serves this.
    let _ = fixture.push(&["--by-digest", "--verify", "--purge"]).success();
    assert_eq!(fixture.run(&["exists", "@dst/app:1"]).code, 1);
    let refused = fixture.push(&["--by-digest", "--tag", "2"]);
    assert_eq!(refused.code, 125, "{}", refused.err());
}
