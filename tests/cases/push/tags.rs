//! `--tag`: the list by its digest, then fixed tags, then moving tags; and what a failure reports.

use testkit::loopback::{Fault, Rule};

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &image("amd64", &[b"amd"]));
    fixture.create_draft(&["@dst/app:amd"]);
    fixture
}

#[test]
fn push_moves_digest_first_and_moving_tags_last() {
    let fixture = fixture();
    let pushed = fixture.push(&["-t", "latest,1.2.3", "--tag", "1.2", "-t", "latest"]).success();
    let (_, digest) = fixture.served_with_digest("1");
    assert_eq!(put_references(&fixture.target), [digest.as_str(), "1.2.3", "1.2", "1", "latest"]);
    assert_eq!(pushed.out(), format!("{digest}\n"));
    for tag in ["1.2.3", "latest", "1.2"] {
        assert_eq!(fixture.served_with_digest(tag), fixture.served_with_digest("1"));
    }
    // One look for each tag and for the image, and nothing to send.
    fixture.target.clear_record();
    let repeated = fixture.push(&["-t", "latest,1.2.3,1.2", "--verbose"]).success();
    assert_eq!(repeated.out(), pushed.out());
    let found = request_lines(&fixture.target);
    assert!(found.len() == 4 + 1 && found.iter().all(|line| line.ends_with(" 200")), "{found:#?}");
    let unchanged = repeated.err().lines().filter(|line| line.starts_with("unchanged: ")).count();
    assert_eq!((unchanged, repeated.err().lines().count()), (4, 4), "{}", repeated.err());
}

#[test]
fn push_moves_only_tags_that_are_not_current() {
    let fixture = Fixture::new();
    fixture.source.put_image("src/amd", "1", &image("amd64", &[b"amd"]));
    fixture.create_draft(&["%src/amd:1"]);
    let _ = fixture.push(&[]).success();
    fixture.target.clear_record();
    fixture.source.clear_record();
    let _ = fixture.push(&["-t", "2"]).success();
    assert_eq!(
        (put_references(&fixture.target), request_lines(&fixture.target).len(), request_lines(&fixture.source).len()),
        (vec!["2".into()], 4, 0)
    );
}

#[test]
fn push_puts_the_lists_own_tag_once() {
    let fixture = fixture();
    let _ = fixture.push(&["-t", "1"]).success();
    assert_eq!(put_references(&fixture.target), ["1"]);
    assert_eq!(request_lines(&fixture.target).len(), 1 + 1 + 1);
}

#[test]
fn a_failed_push_reports_the_moved_tags() {
    let fixture = fixture();
    let _ = fixture.push(&["-t", "edge"]).success();
    let (_, old) = fixture.served_with_digest("1");
    let _ = fixture.run(&["annotate", "@dst/app:1", "@dst/app:amd", "--variant", "v2"]).success();
    fixture.target.add_fault(Rule::on("PUT", "/manifests/edge"), Fault::status(403));
    let failed = fixture.push(&["-t", "edge,2.0.0,latest"]);
    assert_eq!((failed.code, failed.out()), (1, String::new()));
    assert!(
        failed
            .first_err_line()
            .starts_with(&format!("failed to put manifest {}: ", fixture.expand_word("@dst/app:edge")))
    );
    let expected = "  tags that moved: 2.0.0, 1; tags that did not: edge, latest";
    assert!(failed.err().lines().any(|line| line == expected), "{}", failed.err());
    assert_eq!(
        (fixture.served_with_digest("edge").1, fixture.served_with_digest("1")),
        (old, fixture.served_with_digest("2.0.0"))
    );
    assert!(fixture.target.manifest(TARGET_REPOSITORY, "latest").is_none());
    let json = fixture.push(&["-t", "edge,latest", "--format", "json"]);
    let error: serde_json::Value = serde_json::from_str(json.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(error["error"]["kind"], "denied");
    assert_eq!(error["error"]["tags"], serde_json::json!({ "moved": [], "left": ["edge", "latest"] }));
}

#[test]
fn a_failed_push_reports_that_no_tag_moved() {
    let fixture = fixture();
    fixture.target.add_fault(Rule::on("PUT", "/manifests/sha256:"), Fault::status(403));
    let failed = fixture.push(&["-t", "2"]);
    assert!(failed.err().contains("\n  tags that moved: none; tags that did not: 1, 2\n"), "{}", failed.err());
    assert_eq!(fixture.target.tags(TARGET_REPOSITORY), ["amd"]);
}

#[test]
fn a_list_named_by_digest_is_put_by_its_digest() {
    let fixture = fixture();
    let json = fixture.push_json(&["--dry-run"]);
    let digest = json["digest"].as_str().expect("a digest");
    let list = format!("@dst/app@{digest}");
    let _ = fixture.run(&["create", &list, "@dst/app:amd"]).success();
    fixture.target.clear_record();
    let pushed = fixture.run(&["push", "-t", "x", &list]).success();
    assert_eq!(
        (pushed.out().trim(), put_references(&fixture.target)),
        (digest, vec![digest.to_owned(), "x".to_owned()])
    );
}

#[test]
fn push_refuses_a_digest_of_another_list_before_any_request() {
    let fixture = fixture();
    let digest = fixture.push_json(&["--dry-run"])["digest"].as_str().expect("a digest").to_owned();
    let other = format!("sha256:{}", "0".repeat(64));
    for name in ["@dst/app@", "@dst/app:1@"] {
        let list = format!("{name}{other}");
        let _ = fixture.run(&["create", &list, "@dst/app:amd"]).success();
        fixture.target.clear_record();
        for flags in [&[][..], &["--dry-run"], &["-t", "x"]] {
            let refused = fixture.run(&[&["push"], flags, &[list.as_str()]].concat());
            let expected = format!("{} would be another list: its digest is {digest}\n", fixture.expand_word(&list));
            assert_eq!((refused.code, refused.out()), (1, String::new()), "{}", refused.err());
            assert!(refused.err().starts_with(&expected), "{}", refused.err());
        }
        assert_eq!(fixture.target.requests().len(), 0);
    }
}

/// Docker never looks.
#[test]
fn push_replaces_a_broken_list() {
    let faults = [Fault::status(500), Fault::status(418), Fault::Html200, Fault::WrongDigestHeader];
    for (number, fault) in faults.into_iter().enumerate() {
        let fixture = Fixture::new();
        fixture.source.put_image("src/amd", "1", &image("amd64", &[b"amd"]));
        fixture.create_draft(&["%src/amd:1"]);
        fixture.target.add_fault(Rule::on("GET", "/manifests/1").always(), fault.clone());
        fixture.target.add_fault(Rule::on("HEAD", "/manifests/2").always(), fault);
        let pushed = fixture.push(&["--retries", "0", "-t", "2", "--quiet"]).success();
        let (_, digest) = fixture.served_with_digest("1");
        assert_eq!(
            (pushed.out().lines().last(), fixture.served_with_digest("2").1),
            (Some(digest.as_str()), digest.clone()),
            "{number}"
        );
        // What a dry run cannot find out it does not make up.
        fixture.target.clear_faults();
        fixture.target.add_fault(Rule::on("GET", "/manifests/1").always(), Fault::status(500));
        assert_eq!(fixture.push(&["--retries", "0", "--dry-run"]).code, 1);
    }
}
