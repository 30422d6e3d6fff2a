//! Images from another registry: each blob is copied once, before a manifest names it.

use std::thread;

use serde_json::json;
use testkit::client::Client;
use testkit::image::fixtures::{buildx_index, windows_image};
use testkit::image::{Image, Index, sha256, sha512};
use testkit::loopback::{Fault, Registry, Rule};

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines, writes};

const BASE_LAYER: &[u8] = b"the base layer";

fn count_lines(output: &str, part: &str) -> usize {
    output.lines().filter(|line| line.contains(part)).count()
}

#[test]
fn push_copies_each_blob_of_another_registry_once() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", &[BASE_LAYER, b"amd"]), image("arm64", &[BASE_LAYER, b"arm"]));
    fixture.source.put_image("src/amd", "1", &amd64);
    fixture.source.put_image("src/arm", "1", &arm64);
    fixture.create_draft(&["%src/amd:1", "%src/arm:1"]);
    let pushed = fixture.push(&[]).success();
    fixture.assert_whole(&amd64);
    fixture.assert_whole(&arm64);
    assert_eq!(fixture.children("1"), [amd64.digest(), arm64.digest()]);
    let repository = fixture.expand_word("@dst/app");
    let child = |image: &Image| format!("Pushed ref {repository}@{0} with digest: {0}\n", image.digest());
    assert_eq!(pushed.out(), format!("{}{}{}\n", child(&amd64), child(&arm64), fixture.served_with_digest("1").1));
    // Five distinct blobs, a line each, as stderr is no terminal.
    assert_eq!((count_lines(&pushed.err(), "copied "), pushed.err().lines().count()), (5, 5), "{}", pushed.err());
    let gets = request_lines(&fixture.source);
    assert_eq!((gets.len(), count_lines(&gets.join("\n"), "GET /v2/src/")), (5, 5), "{gets:#?}");
    // The look; whether it is there, a POST and a PUT for each blob; two children and the list.
    assert_eq!(request_lines(&fixture.target).len(), 1 + 3 * 5 + 3);
    assert_eq!(fixture.target.open_uploads(), 0);
}

#[test]
fn a_second_push_sends_nothing_to_the_source() {
    let fixture = Fixture::new();
    let amd64 = image("amd64", &[BASE_LAYER]);
    fixture.source.put_image("src/amd", "1", &amd64);
    fixture.create_draft(&["%src/amd:1"]);
    let first = fixture.push(&["--quiet"]).success();
    assert_eq!(first.err(), "");
    fixture.target.clear_record();
    fixture.source.clear_record();
    let second = fixture.push(&[]).success();
    assert!(second.out().ends_with(&format!("\n{}", first.out())), "{}", second.out());
    assert_eq!(second.err(), "");
    let check_requests = [("GET", "1"), ("HEAD", &amd64.digest())]
        .map(|(method, of)| format!("{method} /v2/{TARGET_REPOSITORY}/manifests/{of} 200"));
    // Both are sent together.
    let mut sent = request_lines(&fixture.target);
    sent.sort();
    assert_eq!((sent, request_lines(&fixture.source)), (check_requests.to_vec(), vec![]));
}

#[test]
fn existing_blobs_are_not_copied() {
    let fixture = Fixture::new();
    fixture.source.put_image("src/amd", "1", &image("amd64", &[BASE_LAYER, b"amd"]));
    fixture.target.put_blob(TARGET_REPOSITORY, BASE_LAYER);
    fixture.create_draft(&["%src/amd:1"]);
    let pushed = fixture.push_json(&["--quiet"]);
    assert_eq!((&pushed["copied"]["blobs"], &pushed["mounted"]), (&2.into(), &0.into()));
    assert_eq!(pushed["requests"], request_lines(&fixture.target).len() + request_lines(&fixture.source).len());
    assert!(!request_lines(&fixture.source).iter().any(|line| line.contains(&sha256(BASE_LAYER))));
}

#[test]
fn a_repository_of_the_same_registry_is_tried_first() {
    let fixture = Fixture::new();
    let (near, far) = (image("amd64", &[BASE_LAYER]), image("arm64", &[BASE_LAYER]));
    fixture.target.put_image("src/near", "1", &near);
    fixture.source.put_image("src/far", "1", &far);
    fixture.create_draft(&["%src/far:1", "@src/near:1"]);
    let pushed = fixture.push_json(&["--quiet"]);
    fixture.assert_whole(&far);
    assert_eq!((&pushed["mounted"], &pushed["copied"]["blobs"]), (&2.into(), &1.into()));
    assert!(!request_lines(&fixture.source).iter().any(|line| line.contains(&sha256(BASE_LAYER))));
}

#[test]
fn a_refused_mount_falls_back_to_a_copy() {
    let fixture = Fixture::with_registry(Registry::builder().without_mounts().start());
    let near = image("amd64", &[BASE_LAYER]);
    fixture.target.put_image("src/near", "1", &near);
    fixture.create_draft(&["@src/near:1"]);
    let pushed = fixture.push_json(&[]);
    fixture.assert_whole(&near);
    assert_eq!((&pushed["mounted"], &pushed["copied"]["blobs"]), (&0.into(), &2.into()));
    assert_eq!(fixture.target.open_uploads(), 0);
}

#[test]
fn an_interrupted_blob_is_resumed() {
    let fixture = Fixture::new();
    let amd64 = image("amd64", &[&[7; 100_000]]);
    fixture.source.put_image("src/amd", "1", &amd64);
    fixture.create_draft(&["%src/amd:1"]);
    let layer = sha256(&[7; 100_000]);
    fixture.source.add_fault(Rule::on("GET", &layer).nth(1), Fault::ShortBody(40_000));
    fixture
        .target
        .add_fault(Rule::on("PUT", &format!("digest={}", amd64.config_digest())).nth(1), Fault::CutRequestAfter(10));
    let _ = fixture.push(&["--retries", "3"]).success();
    fixture.assert_whole(&amd64);
    assert_eq!(fixture.target.open_uploads(), 0);
}

#[test]
fn a_child_is_put_after_its_blobs() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image("amd64", &[b"amd"]), image("arm64", &[b"arm"]));
    fixture.source.put_image("src/amd", "1", &amd64);
    fixture.source.put_image("src/arm", "1", &arm64);
    fixture.create_draft(&["%src/amd:1", "%src/arm:1"]);
    fixture.source.add_fault(Rule::on("GET", &sha256(b"arm")), Fault::Hang);
    thread::scope(|scope| {
        let pushing = scope.spawn(|| fixture.push(&["--jobs", "8"]));
        let amd_put = format!("/manifests/{}", amd64.digest());
        fixture
            .target
            .wait_until(|requests| requests.iter().any(|it| it.target.ends_with(&amd_put) && it.status == 201));
        fixture.source.wait_until(|requests| requests.iter().any(|request| request.target.contains(&sha256(b"arm"))));
        assert_eq!(put_references(&fixture.target), [amd64.digest()]);
        fixture.source.release();
        let _ = pushing.join().expect("it ends").success();
    });
    assert_eq!(put_references(&fixture.target), [amd64.digest(), arm64.digest(), "1".to_owned()]);
}

#[test]
fn a_blob_that_no_source_has_is_named_and_no_tag_moves() {
    let fixture = Fixture::new();
    let amd64 = image("amd64", &[b"lost"]);
    fixture.source.put_blob("src/amd", &amd64.config);
    fixture.source.put_manifest("src/amd", "1", &amd64.media_type, &amd64.manifest);
    fixture.create_draft(&["%src/amd:1"]);
    let failed = fixture.push(&[]);
    assert_eq!((failed.code, failed.out()), (1, String::new()));
    let (blob, source) = (sha256(b"lost"), fixture.expand_word("%src/amd"));
    let first = format!("failed to copy blob {blob} from {source} to {}: ", fixture.expand_word("@dst/app:1"));
    let first_line = failed.err().lines().find(|line| !line.starts_with("copied ")).unwrap_or_default().to_owned();
    assert!(first_line.starts_with(&first), "{}", failed.err());
    assert!(failed.err().contains(&format!("hint: the blob is not in {source} any more: push")), "{}", failed.err());
    assert_eq!(
        (put_references(&fixture.target), fixture.target.tags(TARGET_REPOSITORY), fixture.target.open_uploads()),
        (vec![], vec![], 0)
    );
}

#[test]
fn push_does_not_copy_foreign_layers() {
    let fixture = Fixture::new();
    let windows = windows_image("10.0.20348.1");
    fixture.source.put_image("win/far", "1", &windows);
    fixture.target.put_image("win/near", "1", &windows);
    let foreign = sha256(b"windows 10.0.20348.1");
    fixture.create_draft(&["%win/far:1"]);
    let _ = fixture.push(&[]).success();
    fixture.assert_whole(&windows);
    assert!(
        !request_lines(&fixture.target)
            .iter()
            .chain(&request_lines(&fixture.source))
            .any(|line| line.contains(&foreign))
    );
    // Within one registry it is tried, as docker does, and let go.
    let _ = fixture.run(&["create", "@dst/near:1", "@win/near:1"]).success();
    fixture.target.clear_record();
    let _ = fixture.run(&["push", "@dst/near:1"]).success();
    let tried: Vec<String> =
        request_lines(&fixture.target).into_iter().filter(|line| line.contains(&foreign)).collect();
    assert_eq!(tried, [format!("POST /v2/dst/near/blobs/uploads/?mount={foreign}&from=win/near 202")]);
    assert_eq!(fixture.target.open_uploads(), 0);
}

#[test]
fn an_index_with_attestations_is_published_whole() {
    let fixture = Fixture::new();
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    fixture.source.put_index("src/app", "1", &index);
    fixture.create_draft(&["%src/app:1"]);
    let pushed = fixture.push_json(&["-q", "--type", "oci"]);
    index.images.iter().for_each(|image| fixture.assert_whole(image));
    let mut digests: Vec<String> = index.images.iter().map(Image::digest).collect();
    digests.sort();
    let mut found = fixture.children("1");
    found.sort();
    assert_eq!(found, digests);
    let attesting = pushed["platforms"].as_array().expect("entries").iter().filter(|line| !line["attests"].is_null());
    assert_eq!(attesting.count(), 2);
    assert_eq!(writes(&fixture.source), [""; 0]);
}

/// Who may push but not pull gets no answer to whether a blob is there.
#[test]
fn a_blob_is_sent_if_head_is_forbidden() {
    for status in [401, 403] {
        let fixture = Fixture::new();
        let amd64 = image("amd64", &[b"amd"]);
        fixture.source.put_image("src/amd", "1", &amd64);
        fixture.create_draft(&["%src/amd:1"]);
        fixture.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"dTpw"}}}}}}"#, fixture.target.host()));
        for method in ["HEAD", "GET"] {
            let challenge = vec![("WWW-Authenticate".to_owned(), "Basic realm=\"x\"".to_owned())];
            let refusal = Fault::Status(status, String::new(), challenge);
            fixture.target.add_fault(Rule::on(method, "/v2/dst/app/").always(), refusal);
        }
        // Cut off in its last request as well, where it is asked after once more.
        let config = format!("digest={}", amd64.config_digest());
        fixture.target.add_fault(Rule::on("PUT", &config).nth(1), Fault::CutRequestAfter(10));
        let pushed = fixture.push(&["--quiet", "--retries", "2"]).success();
        assert_eq!(pushed.out().lines().last(), Some(fixture.served_with_digest("1").1.as_str()), "{status}");
        fixture.assert_whole(&amd64);
    }
}

#[test]
fn an_image_is_put_by_the_digest_in_the_list() {
    let fixture = Fixture::new();
    let amd64 = image("amd64", &[b"amd"]);
    let digest = sha512(&amd64.manifest);
    fixture.source.put_image("src/app", &digest, &amd64);
    let platform = json!({ "os": "linux", "architecture": "amd64" });
    let size = amd64.manifest.len();
    let child = json!({ "mediaType": amd64.media_type, "digest": digest, "size": size, "platform": platform });
    fixture.source.put_index("src/app", "1", &Index::oci().child(child).build());
    fixture.create_draft(&["%src/app:1"]);
    let _ = fixture.push(&[]).success();
    assert_eq!(fixture.children("1"), std::slice::from_ref(&digest));
    assert_eq!(
        fixture.target.manifest(TARGET_REPOSITORY, &digest).expect("the image is there by that name").1,
        amd64.manifest
    );
    assert_eq!(put_references(&fixture.target), [digest, "1".to_owned()]);
}

#[test]
fn a_sha512_layer_may_be_confirmed_by_its_sha256() {
    let fixture = Fixture::new();
    let bytes: &[u8] = b"a layer";
    let digest = sha512(bytes);
    let upload = format!("/v2/src/app/blobs/uploads/?digest={digest}");
    assert_eq!(Client::new(fixture.source.addr()).request("POST", &upload, &[], bytes).status, 201);
    let amd64 = Image::oci().platform("linux", "amd64").layer_by_digest(&digest, bytes.len() as u64).build();
    fixture.source.put_image("src/app", "1", &amd64);
    fixture.create_draft(&["%src/app:1"]);
    let _ = fixture.push(&[]).success();
    assert!(fixture.target.has_blob(TARGET_REPOSITORY, &digest));
    assert_eq!(fixture.target.manifest(TARGET_REPOSITORY, &amd64.digest()).expect("the image").1, amd64.manifest);
    // Another digest of the same algorithm is a blob that is not ours.
    let fixture = Fixture::new();
    let plain = image("amd64", &[b"amd"]);
    fixture.source.put_image("src/app", "1", &plain);
    fixture.create_draft(&["%src/app:1"]);
    fixture.target.add_fault(Rule::on("PUT", "/uploads/").always(), Fault::WrongDigestHeader);
    let failed = fixture.push(&["--retries", "0"]);
    assert_eq!((failed.code, fixture.target.tags(TARGET_REPOSITORY)), (1, Vec::<String>::new()), "{}", failed.err());
}
