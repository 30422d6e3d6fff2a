//! `--referrers`: signatures, attestations and other referrers of images are copied to the other registry.

use serde_json::Value;
use testkit::image::{Image, Index};
use testkit::loopback::{Fault, Registry, Rule};

use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines, writes};

const SIGNATURE: &str = "application/vnd.cncf.notary.signature";
const SBOM: &str = "application/spdx+json";
const COSIGN_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// An artifact of this type that says `content` of its subject.
fn artifact(artifact_type: &str, content: &str, subject: &Image) -> Image {
    let artifact = Image::oci().config_raw("{}").config_media_type("application/vnd.oci.empty.v1+json");
    artifact.artifact_type(artifact_type).layer(content).subject(subject).build()
}

/// An index as an image has it, to be a subject.
fn as_subject(index: &Index) -> Image {
    Image { manifest: index.manifest.clone(), media_type: index.media_type.clone(), ..image("none", &[]) }
}

/// What is in the source registry: an index of two images, and what refers to them.
struct Signed {
    index: Index,
    /// Signs the index.
    index_signature: Image,
    /// Signs the first image.
    signature: Image,
    /// Signs that signature.
    countersignature: Image,
    /// Is about the first image, and signs nothing.
    sbom: Image,
    /// Cosign's signature of the second image, under a tag.
    cosign: Image,
    cosign_tag: String,
}

/// Fills the source registry with signed images, and makes a draft of these names.
fn put_signed_and_create_draft(fixture: &Fixture, names: &[&str]) -> Signed {
    let images = [image("amd64", &[b"amd"]), image("arm64", &[b"arm"])];
    let index = images.iter().fold(Index::oci(), |index, image| index.image(image)).build();
    let signature = artifact(SIGNATURE, "signature", &images[0]);
    let signed = Signed {
        index_signature: artifact(SIGNATURE, "signature of the index", &as_subject(&index)),
        countersignature: artifact(SIGNATURE, "signature of the signature", &signature),
        sbom: artifact(SBOM, "sbom", &images[0]),
        cosign: Image::oci().config_raw("{}").config_media_type(COSIGN_CONFIG).layer("cosign").build(),
        cosign_tag: format!("{}.sig", images[1].digest().replace(':', "-")),
        index,
        signature,
    };
    fixture.source.put_index("src/app", "1", &signed.index);
    for (tag, image) in ["amd64", "arm64"].iter().zip(&images) {
        fixture.source.put_image("src/app", tag, image);
    }
    for artifact in [&signed.index_signature, &signed.signature, &signed.countersignature, &signed.sbom] {
        fixture.source.put_image("src/app", &artifact.digest(), artifact);
    }
    fixture.source.put_image("src/app", &signed.cosign_tag, &signed.cosign);
    fixture.create_draft(names);
    signed
}

impl Signed {
    fn all(&self) -> [&Image; 5] {
        [&self.index_signature, &self.signature, &self.countersignature, &self.sbom, &self.cosign]
    }

    /// Which of them the target has with their blobs: by their place in [`Signed::all`].
    fn copied(&self, fixture: &Fixture) -> Vec<usize> {
        let is_there =
            |place: &usize| fixture.target.manifest(TARGET_REPOSITORY, &self.all()[*place].digest()).is_some();
        let copied: Vec<usize> = (0..5).filter(is_there).collect();
        copied.iter().for_each(|place| fixture.assert_whole(self.all()[*place]));
        copied
    }
}

#[test]
fn an_unchanged_index_keeps_its_signatures() {
    let fixture = Fixture::new();
    let signed = put_signed_and_create_draft(&fixture, &["%src/app:1"]);
    let pushed = fixture.push_json(&[]);
    assert_eq!(pushed["digest"], signed.index.digest());
    // The signatures of all levels and cosign's tag, but no SBOM.
    assert_eq!(signed.copied(&fixture), [0, 1, 2, 4]);
    let (_, bytes) = fixture.target.manifest(TARGET_REPOSITORY, &signed.cosign_tag).expect("cosign's tag");
    assert_eq!(bytes, signed.cosign.manifest);
    let printed: Vec<&str> = pushed["referrers"].as_array().expect("referrers").iter().map(digest).collect();
    assert_eq!(printed.len(), 4);
    assert!(printed.contains(&signed.countersignature.digest().as_str()), "{printed:?}");
    // All of them come before the tag moves.
    assert_eq!(put_references(&fixture.target).last().map(String::as_str), Some("1"));
    // A second push finds all of it there.
    fixture.target.clear_record();
    let repeated = fixture.push_json(&[]);
    assert_eq!((&repeated["unchanged"], writes(&fixture.target).len()), (&Value::Bool(true), 0));
}

fn digest(referrer: &Value) -> &str {
    referrer["digest"].as_str().unwrap_or_default()
}

#[test]
fn the_referrers_flag_selects_the_referrers_to_copy() {
    for (flags, expected) in [
        (&["--referrers", "drop"][..], &[][..]),
        (&["--referrers", "keep"], &[0, 1, 2, 4]),
        (&["--referrers", "all"], &[0, 1, 2, 3, 4]),
        (&["--referrer-type", SBOM], &[3]),
        (&["--referrer-type", SIGNATURE, "--referrers=keep"], &[0, 1, 2]),
    ] {
        let fixture = Fixture::new();
        let signed = put_signed_and_create_draft(&fixture, &["%src/app:1"]);
        let _ = fixture.push(flags).success();
        assert_eq!(signed.copied(&fixture), expected, "{flags:?}");
    }
}

#[test]
fn a_combined_list_drops_referrers_and_dry_run_names_them() {
    let fixture = Fixture::new();
    let signed = put_signed_and_create_draft(&fixture, &["%src/app:amd64", "%src/app:arm64"]);
    let dry_run = fixture.push(&["--dry-run"]).success().out();
    let (_, left_behind) = dry_run.split_once("Referrers that stay behind:\n").expect("what stays behind");
    for artifact in [&signed.signature, &signed.countersignature, &signed.sbom, &signed.cosign] {
        assert!(left_behind.contains(&artifact.digest()), "{left_behind}");
    }
    assert!(!left_behind.contains(&signed.index_signature.digest()), "{left_behind}");
    fixture.source.clear_record();
    let _ = fixture.push(&[]).success();
    assert_eq!(signed.copied(&fixture), [0_usize; 0]);
    // Without a dry run nobody looks for them.
    let requests =
        request_lines(&fixture.source).into_iter().filter(|line| line.contains("referrers") || line.contains(".sig"));
    assert_eq!(requests.count(), 0);
    let stderr = fixture.push(&["--verbose"]).success().err();
    assert!(stderr.contains(&format!("not sent along: {}", fixture.expand_word("%src/app"))), "{stderr}");
    // Each image brings its own, and the list's index is not there.
    let _ = fixture.push(&["--referrers", "all"]).success();
    assert_eq!(signed.copied(&fixture), [1, 2, 3, 4]);
}

/// One look at the API for each manifest, and one at each of cosign's tags; without the API one look at the referrers
/// tag instead, after the first manifest has shown that there is none.
#[test]
fn referrers_are_found_with_few_requests() {
    for has_api in [true, false] {
        let from = if has_api { Registry::start() } else { Registry::builder().without_referrers().start() };
        let fixture = Fixture { source: from, ..Fixture::new() };
        let index = [image("amd64", &[b"amd"]), image("arm64", &[b"arm"])];
        let index = index.iter().fold(Index::oci(), |index, image| index.image(image)).build();
        fixture.source.put_index("src/app", "1", &index);
        fixture.create_draft(&["%src/app:1"]);
        let _ = fixture.push(&[]).success();
        let requests = request_lines(&fixture.source);
        let count = |part: &str| requests.iter().filter(|line| line.contains(part)).count();
        let by_tag =
            requests.iter().filter(|line| line.starts_with("GET ") && line.contains("/manifests/sha256-")).count();
        let expected = if has_api { (3, 0) } else { (1, 3) };
        assert_eq!((count("/referrers/"), by_tag), expected, "{requests:#?}");
        assert_eq!((count(".sig "), count(".att "), count(".sbom ")), (3, 3, 3));
        assert_eq!(count("/tags/list"), 0);
    }
}

/// A source without the API has a referrers tag, and a target without it gets one.
#[test]
fn referrers_are_copied_through_tags_without_the_api() {
    let without = || Registry::builder().without_referrers().start();
    let fixture = Fixture { source: without(), ..Fixture::with_registry(without()) };
    let image = image("amd64", &[b"amd"]);
    let index = Index::oci().image(&image).build();
    let signature = artifact(SIGNATURE, "signature", &image);
    let tag = image.digest().replace(':', "-");
    let listing = Index::oci().image(&signature).build();
    fixture.source.put_index("src/app", "1", &index);
    fixture.source.put_image("src/app", &signature.digest(), &signature);
    fixture.source.put_index("src/app", &tag, &listing);
    fixture.create_draft(&["%src/app:1"]);
    let _ = fixture.push(&[]).success();
    fixture.assert_whole(&signature);
    let (_, bytes) = fixture.target.manifest(TARGET_REPOSITORY, &tag).expect("the referrers tag");
    let listed: Value = serde_json::from_slice(&bytes).expect("an index");
    assert_eq!(listed["manifests"][0]["digest"], signature.digest());
    assert_eq!(listed["manifests"][0]["artifactType"], SIGNATURE);
}

#[test]
fn the_number_of_referrers_is_bounded() {
    let fixture = Fixture::new();
    let image = image("amd64", &[b"amd"]);
    let index = Index::oci().image(&image).build();
    fixture.source.put_index("src/app", "1", &index);
    // Each signature is signed in turn.
    let mut subject = image;
    for level in 0..5 {
        subject = artifact(SIGNATURE, &format!("level {level}"), &subject);
        fixture.source.put_image("src/app", &subject.digest(), &subject);
    }
    fixture.create_draft(&["%src/app:1"]);
    let refused = fixture.push(&[]);
    assert_eq!(refused.code, 1);
    assert!(refused.err().contains("more than 4 levels deep"), "{}", refused.err());
    assert!(refused.err().contains("--referrers drop"), "{}", refused.err());
    assert_eq!(writes(&fixture.target), [""; 0]);
    let _ = fixture.push(&["--referrers", "drop"]).success();
}

/// What cannot be looked for fails a push that is to carry it, and is a warning for one that only reports it.
#[test]
fn a_failing_source_is_not_a_source_without_referrers() {
    let fixture = Fixture::new();
    let signed = put_signed_and_create_draft(&fixture, &["%src/app:1"]);
    fixture.source.add_fault(Rule::on("GET", "/referrers/").always(), Fault::status(403));
    let refused = fixture.push(&["--retries", "0"]);
    assert_eq!(refused.code, 1, "{}", refused.err());
    assert_eq!((writes(&fixture.target), signed.copied(&fixture)), (Vec::new(), Vec::new()));
    let _ = fixture.push(&["--retries", "0", "--referrers", "drop", "--verbose"]).success();
    let _ = fixture.run(&["create", "--replace", "@dst/app:1", "%src/app:amd64"]).success();
    let stderr = fixture.push(&["--retries", "0", "--verbose"]).success().err();
    assert!(stderr.contains("cannot tell which referrers stay behind"), "{stderr}");
}
