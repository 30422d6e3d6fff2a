//! `--dry-run` prints what a push would do, and changes nothing.

use serde_json::{Value, json};
use testkit::image::{Index, sha256};
use testkit::loopback::{Fault, Rule};
use testkit::sandbox::tree_without_root_dot_names;

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines, writes};

/// A draft of an image in place, one to mount and one to copy.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &image("amd64", &[b"amd"]));
    fixture.target.put_image("src/arm", "1", &image("arm64", &[b"arm"]));
    fixture.source.put_image("src/s390x", "1", &image("s390x", &[b"s390x", b"there"]));
    fixture.target.put_blob(TARGET_REPOSITORY, b"there");
    fixture.create_draft(&["@dst/app:amd", "@src/arm:1", "%src/s390x:1"]);
    fixture
}

fn line<'o>(output: &'o str, start: &str) -> &'o str {
    output.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in\n{output}"))
}

#[test]
fn dry_run_prints_the_requests_and_sends_none() {
    let fixture = fixture();
    let dry_run = fixture.push(&["--dry-run", "-t", "latest"]).success();
    assert_eq!((writes(&fixture.target), writes(&fixture.source)), (vec![], vec![]));
    let stdout = dry_run.out();
    assert_eq!(stdout.lines().next(), Some(format!("Would push {}", fixture.expand_word("@dst/app:1")).as_str()));
    assert_eq!(stdout.matches("(new)").count(), 2, "{stdout}");
    assert!(line(&stdout, "linux/amd64").ends_with("in place"), "{stdout}");
    assert!(
        line(&stdout, "linux/arm64").contains(&format!("mount from {}", fixture.expand_word("@src/arm"))),
        "{stdout}"
    );
    assert!(
        line(&stdout, "linux/s390x").contains(&format!("copy from {}", fixture.expand_word("%src/s390x"))),
        "{stdout}"
    );
    line(&stdout, "Blobs to mount: 2, to copy: 2 (");
    for platform in ["linux/amd64", "linux/arm64", "linux/s390x"] {
        line(&stdout, &format!("+ {platform} sha256:"));
    }
    // What was said is what then happens.
    let digest = line(&stdout, "digest:").split_whitespace().last().unwrap_or_default().to_owned();
    let pushed = fixture.push_json(&["-q", "-t", "latest"]);
    assert_eq!((&pushed["digest"], &pushed["mounted"]), (&json!(digest), &json!(2)));
    assert_eq!(pushed["copied"]["blobs"], 2);
    fixture.target.clear_record();
    let repeated = fixture.push(&["--dry-run"]).success();
    assert!(repeated.out().ends_with("\nunchanged: nothing would be sent\n"), "{}", repeated.out());
    let mut requests = request_lines(&fixture.target);
    // The image from another repository could have referrers, which stay behind.
    let referrers: Vec<String> = requests.extract_if(.., |line| line.contains("/v2/src/arm/")).collect();
    assert_eq!(referrers.len(), 1 + 3, "{referrers:#?}");
    // The tag and the images are requested together.
    requests.sort();
    assert_eq!(
        (requests.len(), &requests[0]),
        (1 + 3, &format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 200")),
        "{requests:#?}"
    );
    assert!(requests[1..].iter().all(|line| line.starts_with("HEAD ") && line.ends_with(" 200")), "{requests:#?}");
}

#[test]
fn dry_run_json_has_the_same_content() {
    let fixture = fixture();
    let old = image("386", &[b"old"]);
    fixture.target.put_index(
        TARGET_REPOSITORY,
        "1",
        &Index::docker().image(&old).image(&image("arm64", &[b"older"])).build(),
    );
    fixture.target.clear_record();
    let plan = fixture.push_json(&["--dry-run", "-t", "2"]);
    assert_eq!((&plan["dryRun"], &plan["unchanged"], &plan["mounted"]), (&json!(true), &json!(false), &json!(2)));
    let config = image("s390x", &[b"s390x", b"there"]).config;
    let bytes = config.len() + b"s390x".len();
    assert_eq!(plan["copied"], json!({ "blobs": 2, "bytes": bytes }));
    let from: Vec<&Value> = plan["platforms"].as_array().expect("entries").iter().map(|line| &line["from"]).collect();
    let copy = json!({ "how": "copy", "repository": fixture.expand_word("%src/s390x"), "bytes": bytes });
    assert!(from.contains(&&copy), "{from:#?}");
    assert!(from.contains(&&json!({ "how": "inPlace", "repository": fixture.expand_word("@dst/app"), "bytes": 0 })));
    let names = |of: &str| -> Vec<Value> {
        plan["changes"][of].as_array().expect("entries").iter().map(|line| line["platform"].clone()).collect()
    };
    assert_eq!(names("added"), ["linux/amd64", "linux/s390x"]);
    assert_eq!((names("removed"), names("changed")), (vec![json!("linux/386")], vec![json!("linux/arm64")]));
    let (_, now) = fixture.served_with_digest("1");
    let expected = json!([
        { "tag": "1", "change": "moved", "now": now },
        { "tag": "2", "change": "new", "now": null },
    ]);
    assert_eq!(plan["tagChanges"], expected);
    assert_eq!(plan["requests"], request_lines(&fixture.target).len() + request_lines(&fixture.source).len());
    assert_eq!(put_references(&fixture.target), [""; 0]);
}

#[test]
fn dry_run_compares_annotations_too() {
    let fixture = Fixture::new();
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &image("amd64", &[b"amd"]));
    fixture.create_draft(&["@dst/app:amd"]);
    let _ = fixture.push(&[]).success();
    let _ = fixture.run(&["annotate", "@dst/app:1", "--annotation", "tier=base"]).success();
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    let against = format!("\nCompared with what {} serves now:\n", fixture.expand_word("@dst/app:1"));
    assert!(dry_run.ends_with(&format!("{against}~ annotations.tier: none -> \"base\"\n")), "{dry_run}");
    let details = &fixture.push_json(&["--dry-run"])["changes"]["details"];
    let expected = json!([{ "digest": null, "member": "annotations.tier", "from": null, "to": "base" }]);
    assert_eq!(details, &expected);
    let docker = fixture.push(&["--dry-run", "--type", "docker"]);
    assert_eq!(docker.code, 1, "{}", docker.out());
    // The list itself moves nothing; another tag does.
    let _ = fixture.push(&[]).success();
    let dry_run = fixture.push(&["--dry-run", "-t", "2"]).success().out();
    assert!(dry_run.ends_with(&format!("\n{} serves this list now\n", fixture.expand_word("@dst/app:1"))), "{dry_run}");
    // An image under the name is no list, and bytes in another layout are no other list.
    let image = image("amd64", &[b"amd"]);
    fixture.target.put_image(TARGET_REPOSITORY, "1", &image);
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    let types = format!("~ mediaType: {:?} -> {:?}\n", image.media_type, testkit::image::OCI_INDEX);
    assert!(dry_run.contains("\n+ linux/amd64 sha256:") && dry_run.ends_with(&types), "{dry_run}");
}

#[test]
fn dry_run_reports_an_equal_list_in_other_bytes() {
    let fixture = Fixture::new();
    let index = Index::oci().image(&image("amd64", &[b"amd"])).indent(None).build();
    fixture.target.put_index(TARGET_REPOSITORY, "1", &index);
    fixture.create_draft(&["@dst/app:1"]);
    // A draft of that index is that index; one of its image is not.
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    assert!(dry_run.contains(&index.digest()) && !dry_run.contains("(moves here from "), "{dry_run}");
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &image("amd64", &[b"amd"]));
    fixture.create_draft(&["--replace", "@dst/app:amd"]);
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    let expected = format!("\n{} serves the same list now in other bytes\n", fixture.expand_word("@dst/app:1"));
    assert!(dry_run.contains("(moves here from ") && dry_run.ends_with(&expected), "{dry_run}");
}

#[test]
fn dry_run_reports_all_missing_images_together() {
    let fixture = fixture();
    let lost = image("ppc64le", &[b"lost"]);
    fixture.source.put_blob("src/ppc", &lost.config);
    fixture.source.put_manifest("src/ppc", "1", &lost.media_type, &lost.manifest);
    let _ = fixture.run(&["create", "--amend", "--offline", "@dst/app:1", "%src/ppc:1"]).success();
    // A registry without the child in place.
    fixture.target.add_fault(Rule::on("HEAD", &image("amd64", &[b"amd"]).digest()), Fault::status(404));
    fixture.target.clear_record();
    let failed = fixture.push(&["--dry-run"]);
    assert_eq!((failed.code, failed.out()), (1, String::new()), "{}", failed.err());
    let manifest = format!("{}@{}", fixture.expand_word("@dst/app"), image("amd64", &[b"amd"]).digest());
    let blob = format!("{}@{}", fixture.expand_word("%src/ppc"), sha256(b"lost"));
    let first_lines: Vec<String> = failed.err().lines().take(2).map(str::to_owned).collect();
    let list = fixture.expand_word("@dst/app:1");
    assert_eq!(
        first_lines,
        [format!("no such manifest: {manifest} (linux/amd64), which {list} names"), format!("no such blob: {blob}")]
    );
    assert_eq!(writes(&fixture.target), [""; 0]);
}

#[test]
fn dry_run_names_attestations() {
    let fixture = Fixture::new();
    let amd64 = image("amd64", &[b"amd"]);
    let index = Index::oci().image(&amd64).attestation_of(&amd64).build();
    fixture.source.put_index("src/built", "1", &index);
    fixture.create_draft(&["%src/built:1"]);
    let stdout = fixture.push(&["--dry-run"]).success().out();
    let rows: Vec<&str> = stdout.lines().filter(|line| line.contains(" copy from ")).collect();
    let firsts: Vec<&str> = rows.iter().filter_map(|row| row.split_whitespace().next()).collect();
    assert_eq!(firsts, ["linux/amd64", "attestation"], "{stdout}");
    assert!(!stdout.contains("unknown"), "{stdout}");
    // Scripts are told what the list says.
    let json = fixture.push_json(&["--dry-run"]);
    assert_eq!(json["platforms"][1]["platform"], "unknown/unknown");
    assert_eq!(json["platforms"][1]["attests"], amd64.digest());
}

#[test]
fn dry_run_purges_and_writes_nothing() {
    let fixture = fixture();
    let file = fixture.sandbox.path().join("digest");
    let before = tree_without_root_dot_names(&fixture.sandbox.store());
    let _ = fixture.push(&["--dry-run", "--purge", "--digest-file", &file.display().to_string()]).success();
    assert_eq!(tree_without_root_dot_names(&fixture.sandbox.store()), before);
    assert!(!file.exists());
}

#[test]
fn dry_run_asks_the_next_source_if_one_cannot_be_read() {
    let fixture = Fixture::new();
    fixture.source.put_image("src/amd", "1", &image("amd64", &[b"shared", b"amd"]));
    fixture.source.put_image("src/arm", "1", &image("arm64", &[b"shared", b"arm"]));
    fixture.create_draft(&["%src/amd:1", "%src/arm:1"]);
    let shared = sha256(b"shared");
    let locked = format!("/v2/src/amd/blobs/{shared}");
    fixture.source.add_fault(Rule::on("HEAD", &locked).always(), Fault::status(403));
    let dry_run = fixture.push(&["--dry-run"]).success();
    line(&dry_run.out(), "Blobs to mount: 0, to copy: 5 (");
    // Where the other one does not have it, that one gives no answer is what there is to say.
    fixture.source.add_fault(Rule::on("HEAD", &format!("/v2/src/arm/blobs/{shared}")).always(), Fault::status(404));
    let failed = fixture.push(&["--dry-run"]);
    assert!(failed.code == 1 && failed.err().contains(&locked), "{}", failed.err());
}
