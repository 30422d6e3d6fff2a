//! Missing images of a published list: a retention job deletes manifests without a tag, and the list still names
//! them. A push sends them again, or names those that it cannot send and moves no tag.

use testkit::client::Client;
use testkit::image::{Image, Index};
use testkit::loopback::{Fault, Rule};
use testkit::sandbox::Output;

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines, writes};

/// A draft of an image in place, of one that is to be mounted and of one that is to be copied, published.
fn with_published_list() -> (Fixture, [Image; 3]) {
    let fixture = Fixture::new();
    let images = [("amd64", b"amd"), ("arm64", b"arm"), ("s390x", b"z_z")];
    let images = images.map(|(architecture, layer)| image(architecture, &[layer]));
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &images[0]);
    fixture.target.put_image("src/arm", "1", &images[1]);
    fixture.source.put_image("src/s390x", "1", &images[2]);
    fixture.create_draft(&["@dst/app:amd", "@src/arm:1", "%src/s390x:1"]);
    let _ = fixture.push(&[]).success();
    fixture.target.clear_record();
    (fixture, images)
}

fn delete(fixture: &Fixture, image: &Image) {
    let path = format!("/v2/{TARGET_REPOSITORY}/manifests/{}", image.digest());
    assert_eq!(Client::new(fixture.target.addr()).request("DELETE", &path, &[], b"").status, 202);
    fixture.target.clear_record();
}

#[track_caller]
fn assert_named(fixture: &Fixture, output: &Output, image: &Image, platform: &str) {
    assert_eq!((output.code, output.out()), (1, String::new()), "{}", output.err());
    let child = format!("{}@{}", fixture.expand_word("@dst/app"), image.digest());
    // Docker's line, and then what is missing.
    let list = fixture.expand_word("@dst/app:1");
    let pushed = format!(
        "failed to put manifest {list}: manifest blob unknown: blob unknown to registry\n  the registry does not have \
         {child} ({platform})\n"
    );
    let previewed = format!("no such manifest: {child} ({platform}), which {list} names\n");
    assert!([pushed, previewed].iter().any(|expected| output.err().starts_with(expected)), "{}", output.err());
    let hint = "\nhint: push the image there again, or remove it from the list\n";
    assert!(output.err().contains(hint), "{}", output.err());
    assert_eq!(writes(&fixture.target), [""; 0]);
}

#[test]
fn push_sends_missing_children_even_if_the_tag_is_current() {
    for tags in [&[][..], &["-t", "latest"]] {
        let (fixture, images) = with_published_list();
        delete(&fixture, &images[1]);
        delete(&fixture, &images[2]);
        let dry_run = fixture.push(&[&["--dry-run"], tags].concat()).success();
        assert!(dry_run.out().contains("\nBlobs to mount: 2, to copy: 0 ("), "{}", dry_run.out());
        assert!(!dry_run.out().contains("nothing would be sent"), "{}", dry_run.out());
        assert_eq!(writes(&fixture.target), [""; 0]);
        let pushed = fixture.push(tags).success();
        assert_eq!(pushed.out().matches("Pushed ref ").count(), 2);
        images.iter().for_each(|image| fixture.assert_whole(image));
        let json = fixture.push_json(&["--dry-run"]);
        assert_eq!(json["unchanged"], true, "{json}");
    }
}

#[test]
fn push_fails_when_a_child_is_missing() {
    let (fixture, images) = with_published_list();
    delete(&fixture, &images[0]);
    for flags in [&[][..], &["--dry-run"], &["-t", "latest"]] {
        assert_named(&fixture, &fixture.push(flags), &images[0], "linux/amd64");
    }
    let json = fixture.push(&["--format", "json"]);
    let error: serde_json::Value = serde_json::from_str(json.err().lines().last().unwrap_or_default()).expect("JSON");
    let error = &error["error"];
    assert_eq!((&error["kind"], &error["exitCode"]), (&"incomplete".into(), &1.into()), "{error}");
    assert_eq!(
        (&error["reference"], &error["missing"][0]),
        (&fixture.expand_word("@dst/app:1").into(), &"linux/amd64".into())
    );
    // Another list, and a new name for it.
    let _ = fixture.run(&["annotate", "@dst/app:1", "@src/arm:1", "--os-version", "1"]).success();
    assert_named(&fixture, &fixture.push(&["-t", "new"]), &images[0], "linux/amd64");
    assert!(fixture.target.manifest(TARGET_REPOSITORY, "new").is_none());
}

#[test]
fn apply_checks_children_as_push_does() {
    let (fixture, images) = with_published_list();
    let image = |name: &str| format!("- image: '{}'\n", fixture.expand_word(name));
    let sources: String = ["@dst/app:amd", "@src/arm:1", "%src/s390x:1"].map(image).concat();
    let spec = format!("image: '{}'\nmanifests:\n{sources}", fixture.expand_word("@dst/app:1"));
    let apply = |flags: &[&str]| {
        let command =
            fixture.sandbox.command(super::super::OURS).args(["apply", "-f", "-"]).args(flags.iter().copied());
        command.stdin(spec.clone()).run()
    };
    delete(&fixture, &images[1]);
    let _ = apply(&[]).success();
    fixture.assert_whole(&images[1]);
    // It has the manifest when it is fetched by its tag, and not any more when it is looked for.
    let digest = images[0].digest();
    fixture.target.add_fault(Rule::on("HEAD", &digest).always(), Fault::status(404));
    fixture.target.clear_record();
    for flags in [&[][..], &["--dry-run"]] {
        assert_named(&fixture, &apply(flags), &images[0], "linux/amd64");
    }
}

/// Some registries take a list whose images they do not have.
#[test]
fn push_does_not_trust_a_list_under_another_tag() {
    let (fixture, images) = with_published_list();
    let _ = fixture.push(&["-t", "2"]).success();
    let tag = format!("/v2/{TARGET_REPOSITORY}/manifests/1");
    let list = fixture.served_with_digest("1").1;
    assert_eq!(Client::new(fixture.target.addr()).request("DELETE", &tag, &[], b"").status, 202);
    assert!(fixture.target.manifest(TARGET_REPOSITORY, &list).is_some(), "the list itself stays");
    delete(&fixture, &images[2]);
    let _ = fixture.push(&["-t", "2"]).success();
    fixture.assert_whole(&images[2]);
    assert_eq!(put_references(&fixture.target), [images[2].digest(), "1".to_owned()]);
}

#[test]
fn push_does_not_claim_completeness_of_an_unreadable_registry() {
    let (fixture, images) = with_published_list();
    fixture.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"dTpw"}}}}}}"#, fixture.target.host()));
    for method in ["HEAD", "GET"] {
        let refusal = Fault::status(403);
        fixture.target.add_fault(Rule::on(method, "/v2/dst/app/").always(), refusal);
    }
    let pushed = fixture.push(&["--quiet"]).success();
    // What can be sent is sent; of what is in place nobody can tell.
    let mut sent = put_references(&fixture.target);
    let last = sent.pop();
    sent.sort();
    let mut expected = [images[1].digest(), images[2].digest()];
    expected.sort();
    assert_eq!((sent, last.as_deref()), (expected.to_vec(), Some("1")));
    let expected_line = format!(
        "warning: cannot check that {} has all that {} names: the login may not read there (1 manifest)\n",
        fixture.expand_word("@dst/app"),
        fixture.expand_word("@dst/app:1")
    );
    assert_eq!(pushed.err(), expected_line);
}

#[test]
fn a_child_with_a_wrong_digest_counts_as_missing() {
    let (fixture, images) = with_published_list();
    fixture.target.add_fault(Rule::on("HEAD", &images[0].digest()).always(), Fault::WrongDigestHeader);
    let failed = fixture.push(&[]);
    assert_eq!((failed.code, failed.out()), (1, String::new()), "{}", failed.err());
    assert!(failed.err().contains(&images[0].digest()), "{}", failed.err());
}

#[test]
fn push_uses_get_where_head_is_refused() {
    let (fixture, _) = with_published_list();
    fixture.target.add_fault(Rule::on("HEAD", "/manifests/").always(), Fault::status(405));
    let json = fixture.push_json(&[]);
    assert_eq!((&json["unchanged"], &json["requests"]), (&true.into(), &(1 + 3 * 2).into()));
    let requests = request_lines(&fixture.target);
    assert_eq!(requests.iter().filter(|line| line.starts_with("GET ")).count(), 4, "{requests:#?}");
}

#[test]
fn push_checks_each_child_of_an_index_that_was_built_in_place() {
    let fixture = Fixture::new();
    let images = [image("amd64", &[b"amd"]), image("arm64", &[b"arm"])];
    let index = images.iter().fold(Index::oci(), |index, image| index.image(image)).attestation_of(&images[0]).build();
    fixture.target.put_index(TARGET_REPOSITORY, "built", &index);
    fixture.create_draft(&["@dst/app:built"]);
    let attestation = index.images.last().expect("an attestation");
    delete(&fixture, attestation);
    let failed = fixture.push(&["--type", "oci"]);
    assert!(failed.err().contains(&attestation.digest()), "{}", failed.err());
    assert_eq!((failed.code, writes(&fixture.target)), (1, vec![]));
}
