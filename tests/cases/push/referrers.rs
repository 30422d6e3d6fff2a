//! The referrers tag: the index that lists what refers to a manifest in a registry without a referrers API.

use serde_json::{Value, json};
use testkit::image::{Image, Index, OCI_INDEX, sha512};
use testkit::loopback::{Fault, Registry, Rule};

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines, writes};

const SBOM: &str = "application/vnd.example.sbom";

/// A registry without a referrers API.
fn fixture() -> Fixture {
    Fixture::with_registry(Registry::builder().without_referrers().start())
}

fn amd64_image() -> Image {
    image("amd64", &[b"amd"])
}

/// An artifact that refers to an image.
fn sbom(content: &str, subject: &Image) -> Image {
    let artifact = Image::oci().config_raw("{}").config_media_type("application/vnd.oci.empty.v1+json");
    artifact.artifact_type(SBOM).annotation("kind", content).layer(content).subject(subject).build()
}

fn referrers_tag(subject: &str) -> String {
    subject.replace(':', "-")
}

/// The entry of the tag's index, as it is written.
fn entry(referrer: &Image) -> String {
    let manifest: Value = serde_json::from_slice(&referrer.manifest).expect("a manifest");
    let entry = json!({
        "mediaType": referrer.media_type,
        "digest": referrer.digest(),
        "size": referrer.manifest.len(),
        "annotations": manifest["annotations"],
        "artifactType": SBOM,
    });
    entry.to_string()
}

fn tag_index(entries: &[String]) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}]}}"#, entries.join(","))
}

/// What the referrers tag of an image serves.
fn served(fixture: &Fixture, subject: &Image) -> Option<String> {
    let (media_type, bytes) = fixture.target.manifest(TARGET_REPOSITORY, &referrers_tag(&subject.digest()))?;
    assert_eq!(media_type, OCI_INDEX);
    Some(String::from_utf8(bytes).expect("text"))
}

/// Puts an index of an image and these artifacts into the other registry and makes a draft of it.
fn create_draft_of(fixture: &Fixture, artifacts: &[&Image]) {
    let index =
        artifacts.iter().fold(Index::oci().image(&amd64_image()), |index, artifact| index.image(artifact)).build();
    fixture.source.put_index("src/app", "1", &index);
    fixture.create_draft(&["--replace", "%src/app:1"]);
}

#[test]
fn the_referrers_index_is_put_between_the_children_and_the_tag() {
    let fixture = fixture();
    let [first, second] = ["first", "second"].map(|content| sbom(content, &amd64_image()));
    create_draft_of(&fixture, &[&first, &second]);
    let pushed = fixture.push(&[]).success();
    assert_eq!(pushed.err().matches("warning").count(), 0, "{}", pushed.err());
    // One update for both.
    assert_eq!(served(&fixture, &amd64_image()), Some(tag_index(&[entry(&first), entry(&second)])));
    let path = format!("/v2/{TARGET_REPOSITORY}/manifests/{}", referrers_tag(&amd64_image().digest()));
    let all = request_lines(&fixture.target);
    let expected = [
        format!("GET {path} 404"),
        format!("PUT {path} 201"),
        format!("GET {path} 200"),
        format!("PUT /v2/{TARGET_REPOSITORY}/manifests/1 201"),
    ];
    assert_eq!(all[all.len() - 4..], expected);
    // Where nothing is sent, nothing is asked of it either.
    fixture.target.clear_record();
    let _ = fixture.push(&[]).success();
    assert!(
        request_lines(&fixture.target).iter().all(|line| !line.contains(&path)),
        "{:#?}",
        request_lines(&fixture.target)
    );
}

#[test]
fn no_referrers_index_is_put_if_the_registry_has_the_referrers_api() {
    let fixture = Fixture::new();
    create_draft_of(&fixture, &[&sbom("first", &amd64_image())]);
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    assert!(!dry_run.contains("referrers:"), "{dry_run}");
    let _ = fixture.push(&[]).success();
    assert_eq!(served(&fixture, &amd64_image()), None);
    assert!(
        request_lines(&fixture.target).iter().all(|line| !line.contains(&referrers_tag(&amd64_image().digest()))),
        "{:#?}",
        request_lines(&fixture.target)
    );
}

#[test]
fn existing_referrer_descriptors_keep_their_bytes() {
    let fixture = fixture();
    let theirs = sbom("theirs", &amd64_image());
    fixture.target.put_image(TARGET_REPOSITORY, "theirs", &theirs);
    let line = format!("{{ \"x\": [1,  2], \"digest\": \"{}\",\n\"size\": 1e1 }}", theirs.digest());
    let before = format!("{{\"manifests\":[ {line}\n],\"schemaVersion\":2,\"annotations\":{{\"a\":\"<\"}}}}");
    fixture.target.put_manifest(
        TARGET_REPOSITORY,
        &referrers_tag(&amd64_image().digest()),
        OCI_INDEX,
        before.as_bytes(),
    );
    let ours = sbom("ours", &amd64_image());
    create_draft_of(&fixture, &[&ours]);
    let _ = fixture.push(&[]).success();
    let list = format!("{{\"manifests\":[ {line},{}],", entry(&ours));
    assert_eq!(
        served(&fixture, &amd64_image()),
        Some(format!("{list}\"schemaVersion\":2,\"annotations\":{{\"a\":\"<\"}}}}"))
    );
    // What it lists is not added again, where the image is sent again.
    fixture.target.add_fault(Rule::on("GET", "/manifests/1").always(), Fault::status(404));
    fixture.target.add_fault(Rule::on("HEAD", "/manifests/sha256:").always(), Fault::status(404));
    fixture.target.clear_record();
    let _ = fixture.push(&[]).success();
    let puts = put_references(&fixture.target);
    assert!(puts.contains(&ours.digest()) && !puts.contains(&referrers_tag(&amd64_image().digest())), "{puts:#?}");
}

#[test]
fn a_list_with_a_subject_is_listed_before_its_tag_moves() {
    let fixture = fixture();
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &amd64_image());
    let base = image("386", &[b"base"]);
    let index =
        Index::oci().image(&amd64_image()).artifact_type(SBOM).annotation("kind", "list").subject(&base).build();
    fixture.source.put_index("src/app", "1", &index);
    fixture.create_draft(&["%src/app:1"]);
    let _ = fixture.push(&[]).success();
    assert_eq!(
        put_references(&fixture.target),
        [amd64_image().digest(), index.digest(), referrers_tag(&base.digest()), "1".to_owned()]
    );
    // An edit in place is another manifest with that subject.
    let _ = fixture.run(&["create", "--replace", "@dst/app:1", "@dst/app:1"]).success();
    let _ = fixture.run(&["annotate", "@dst/app:1", "--annotation", "kind=edited"]).success();
    fixture.target.clear_record();
    let _ = fixture.push(&[]).success();
    let (_, edited) = fixture.served_with_digest("1");
    assert_ne!(edited, index.digest());
    assert_eq!(put_references(&fixture.target), [edited.as_str(), referrers_tag(&base.digest()).as_str(), "1"]);
    let found: Value = serde_json::from_str(&served(&fixture, &base).expect("the tag")).expect("an index");
    let member_of = |at: usize, member: &str| found["manifests"][at][member].clone();
    assert_eq!([member_of(0, "digest"), member_of(1, "digest")], [json!(index.digest()), json!(edited)]);
    assert_eq!(
        [member_of(0, "annotations"), member_of(1, "annotations")],
        [json!({"kind": "list"}), json!({"kind": "edited"})]
    );
    assert_eq!([member_of(1, "artifactType"), member_of(1, "mediaType")], [json!(SBOM), json!(OCI_INDEX)]);
}

#[test]
fn push_repeats_a_lost_update_of_the_referrers_index() {
    let fixture = fixture();
    let ours = sbom("ours", &amd64_image());
    create_draft_of(&fixture, &[&ours]);
    let name = referrers_tag(&amd64_image().digest());
    // Taken, and replaced by somebody else at once.
    let lost = Fault::Status(201, String::new(), Vec::new());
    fixture.target.add_fault(Rule::on("PUT", &name).first_n(2), lost.clone());
    let pushed = fixture.push(&[]).success();
    assert!(!pushed.err().contains("warning"), "{}", pushed.err());
    assert_eq!(served(&fixture, &amd64_image()), Some(tag_index(&[entry(&ours)])));
    let of_tag = |method: &str| {
        let matches = |line: &&String| line.starts_with(method) && line.contains(&name);
        request_lines(&fixture.target).iter().filter(matches).count()
    };
    assert_eq!((of_tag("PUT "), of_tag("GET ")), (3, 6));
    let another = sbom("another", &amd64_image());
    create_draft_of(&fixture, &[&another]);
    fixture.target.add_fault(Rule::on("PUT", &name).always(), lost);
    let pushed = fixture.push(&[]).success();
    let full = fixture.expand_word(&format!("@dst/app:{name}"));
    let warning =
        format!("warning: the referrers tag {full} does not list {}: every update of it was lost\n", another.digest());
    assert!(pushed.err().ends_with(&warning), "{}", pushed.err());
    assert_eq!((of_tag("PUT "), of_tag("GET ")), (6, 12));
    assert_eq!(fixture.children("1"), [amd64_image().digest(), another.digest()]);
}

#[test]
fn push_warns_of_a_referrers_tag_that_is_no_index_or_is_refused() {
    let name = referrers_tag(&amd64_image().digest());
    let fixture = fixture();
    fixture.target.put_image(TARGET_REPOSITORY, &name, &amd64_image());
    create_draft_of(&fixture, &[&sbom("ours", &amd64_image())]);
    let dry_run = fixture.push(&["--dry-run"]).success();
    let pushed = fixture.push(&[]).success();
    for err in [dry_run.err(), pushed.err()] {
        assert!(err.contains(&format!("{name} does not list sha256:")), "{err}");
        assert!(err.contains(&format!("it serves {}, which is no OCI index\n", amd64_image().media_type)), "{err}");
    }
    assert_eq!(
        fixture.target.manifest(TARGET_REPOSITORY, &name),
        Some((amd64_image().media_type, amd64_image().manifest))
    );
    for (fault, code) in [(Fault::status(400), 0), (Fault::status(403), 0), (Fault::status(500), 1)] {
        let fixture = self::fixture();
        create_draft_of(&fixture, &[&sbom("ours", &amd64_image())]);
        fixture.target.add_fault(Rule::on("PUT", &name).always(), fault);
        let pushed = fixture.push(&["--retries", "0"]);
        assert_eq!((pushed.code, pushed.err().contains(&name)), (code, true), "{}", pushed.err());
        // A failure comes before the list's tag, so that the same push can be done again.
        assert_eq!(fixture.target.manifest(TARGET_REPOSITORY, "1").is_some(), code == 0);
    }
}

#[test]
fn push_refuses_a_referrers_index_over_4_mib() {
    let fixture = fixture();
    let name = referrers_tag(&amd64_image().digest());
    let before = format!(r#"{{"schemaVersion":2,"manifests":[],"x":"{}"}}"#, "x".repeat(4 * 1024 * 1024 - 64));
    fixture.target.put_manifest(TARGET_REPOSITORY, &name, OCI_INDEX, before.as_bytes());
    create_draft_of(&fixture, &[&sbom("ours", &amd64_image())]);
    let pushed = fixture.push(&[]).success();
    assert!(pushed.err().ends_with("its index would be over 4 MiB\n"), "{}", pushed.err());
    assert_eq!(served(&fixture, &amd64_image()), Some(before));
}

#[test]
fn dry_run_names_the_referrers_index() {
    let fixture = fixture();
    let name = referrers_tag(&amd64_image().digest());
    create_draft_of(&fixture, &[&sbom("ours", &amd64_image())]);
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    assert!(dry_run.contains(&format!("referrers:  {name} (new)\n")), "{dry_run}");
    assert_eq!(writes(&fixture.target), [""; 0]);
    let _ = fixture.push(&[]).success();
    create_draft_of(&fixture, &[&sbom("another", &amd64_image())]);
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    assert!(dry_run.contains(&format!("referrers:  {name} (gets more entries)\n")), "{dry_run}");
    let now = testkit::image::sha256(served(&fixture, &amd64_image()).expect("the tag").as_bytes());
    let expected = json!([{ "tag": name, "change": "moved", "now": now }]);
    assert_eq!(fixture.push_json(&["--dry-run"])["referrersTags"], expected);
}

#[test]
fn a_sha512_subject_has_a_tag_of_64_digits() {
    let fixture = fixture();
    let ours = sbom("ours", &amd64_image());
    let mut manifest: Value = serde_json::from_slice(&ours.manifest).expect("a manifest");
    let subject = sha512(&amd64_image().manifest);
    manifest["subject"]["digest"] = json!(subject);
    let ours = Image { manifest: manifest.to_string().into_bytes(), ..ours };
    create_draft_of(&fixture, &[&ours]);
    let _ = fixture.push(&[]).success();
    let (_, bytes) = fixture.target.manifest(TARGET_REPOSITORY, &referrers_tag(&subject)[..7 + 64]).expect("the tag");
    assert_eq!(String::from_utf8(bytes).expect("text"), tag_index(&[entry(&ours)]));
}
