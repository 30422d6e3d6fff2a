//! What is refused before any request: missing, extra and duplicate platforms, and content that the type cannot
//! hold.

use testkit::loopback::{Fault, Registry, Rule};

use super::{Fixture, TARGET_REPOSITORY, image, request_lines};

/// A draft for amd64, arm64 and an attestation.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", &[b"amd"]), image("arm64", &[b"arm"]));
    let index = testkit::image::Index::oci().image(&amd64).image(&arm64).attestation_of(&amd64).build();
    fixture.target.put_index(TARGET_REPOSITORY, "built", &index);
    fixture.create_draft(&["@dst/app:built"]);
    fixture
}

#[track_caller]
fn assert_refused(fixture: &Fixture, flags: &[&str], code: i32, line: &str) {
    let refused = fixture.push(flags);
    assert_eq!((refused.code, refused.out()), (code, String::new()), "{}", refused.err());
    assert_eq!(refused.first_err_line(), line.replace("LIST", &fixture.expand_word("@dst/app:1")), "{}", refused.err());
    assert_eq!(request_lines(&fixture.target), [""; 0]);
}

#[test]
fn push_of_a_missing_platform_is_exit_code_3() {
    let fixture = fixture();
    let all_platforms = "linux/amd64,linux/arm64/v8";
    assert_refused(
        &fixture,
        &["--require", "linux/amd64,linux/s390x", "--require", "linux/arm/v7"],
        3,
        "LIST is incomplete: linux/s390x, linux/arm/v7 are missing",
    );
    assert_refused(
        &fixture,
        &["--require", "linux/x86_64", "--exact"],
        3,
        "LIST has more than was required: extra: linux/arm64",
    );
    assert_refused(
        &fixture,
        &["--dry-run", "--require", "windows/amd64"],
        3,
        "LIST is incomplete: windows/amd64 is missing",
    );
    // The attestation is no platform.
    let _ = fixture.push(&["--type", "oci", "--require", all_platforms, "--exact"]).success();
    let json = fixture.push(&["--require", "linux/386", "--format", "json"]);
    let error: serde_json::Value = serde_json::from_str(json.err().trim()).expect("JSON");
    assert_eq!((json.code, &error["error"]["kind"]), (3, &"incomplete".into()));
}

#[test]
fn push_warns_of_a_duplicate_platform() {
    let fixture = Fixture::new();
    fixture.target.put_image(TARGET_REPOSITORY, "a", &image("amd64", &[b"a"]));
    fixture.target.put_image(TARGET_REPOSITORY, "b", &image("amd64", &[b"b"]));
    fixture.create_draft(&["@dst/app:a", "@dst/app:b"]);
    let (first, second) = (fixture.expand_word("@dst/app:a"), fixture.expand_word("@dst/app:b"));
    let words = format!("2 images for linux/amd64: {first}, {second}");
    assert_refused(&fixture, &["--strict"], 1, &words);
    let pushed = fixture.push(&[]).success();
    assert_eq!(pushed.err(), format!("warning: {words}\n"));
    assert_eq!(pushed.out(), format!("{}\n", fixture.served_with_digest("1").1));
}

#[test]
fn push_refuses_a_type_that_cannot_express_the_draft() {
    let fixture = fixture();
    let refused = fixture.push(&["--type", "docker"]);
    assert!(refused.err().contains("hint: ") && refused.err().contains("--type oci"), "{}", refused.err());
    assert_eq!((refused.code, request_lines(&fixture.target)), (1, vec![]));
    let _ = fixture.push(&["--type", "oci"]).success();
    let (media_type, _) = fixture.target.manifest(TARGET_REPOSITORY, "1").expect("it is there");
    assert_eq!(media_type, testkit::image::OCI_INDEX);
    let plain = Fixture::new();
    plain.target.put_image(TARGET_REPOSITORY, "a", &image("amd64", &[b"a"]));
    plain.create_draft(&["@dst/app:a"]);
    let _ = plain.push(&["--type", "docker"]).success();
    let (media_type, _) = plain.target.manifest(TARGET_REPOSITORY, "1").expect("it is there");
    assert_eq!(media_type, testkit::image::DOCKER_LIST);
}

#[test]
fn push_refuses_an_invalid_tag() {
    let fixture = fixture();
    let refused = fixture.push(&["-t", "fine,not/a/tag"]);
    assert!(refused.code != 0 && refused.err().contains("not/a/tag"), "{}", refused.err());
    assert_eq!(request_lines(&fixture.target), [""; 0]);
}

#[test]
fn a_missing_login_is_reported_before_any_upload() {
    let fixture = Fixture::with_registry(Registry::builder().basic("me", "secret").start());
    fixture.source.put_image("src/amd", "1", &image("amd64", &[b"a", b"b", b"c"]));
    fixture.create_draft(&["%src/amd:1"]);
    let refused = fixture.push(&["--format", "json"]);
    let error: serde_json::Value = serde_json::from_str(refused.err().trim()).expect("JSON");
    assert_eq!((refused.code, &error["error"]["kind"]), (1, &"auth".into()), "{error}");
    assert_eq!(request_lines(&fixture.target), [format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 401")]);
    assert_eq!(request_lines(&fixture.source), [""; 0]);
}

#[test]
fn several_failures_of_one_kind_have_that_kind() {
    let fixture = Fixture::new();
    // Held until both have been asked for: after a failure nothing new is begun.
    for tag in ["1", "2"] {
        fixture.source.add_fault(Rule::on("GET", &format!("src/none/manifests/{tag}")).nth(1), Fault::Hang);
    }
    let create = ["create", "--format", "json", "@dst/app:1", "%src/none:1", "%src/none:2"];
    let refused = std::thread::scope(|scope| {
        let running = scope.spawn(|| fixture.run(&create));
        fixture.source.wait_until(|requests| requests.len() == 2);
        fixture.source.release();
        running.join().expect("the command was run")
    });
    let error: serde_json::Value = serde_json::from_str(refused.err().trim()).expect("JSON");
    assert_eq!((refused.code, &error["error"]["kind"]), (1, &"missing".into()), "{error}");
    assert_eq!(error["error"]["errors"].as_array().map(Vec::len), Some(2), "{error}");
}
