//! `copy --referrers`: signatures, attestations and SBOMs are copied with an image between registries and layouts,
//! by the referrers API, referrers tags and cosign's tags.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use testkit::client::Client;
use testkit::image::fixtures::{attestation_of, buildx_image, buildx_index};
use testkit::image::{Image, Index};
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Output;

use super::two_registry_fixture::Fixture;

const NOTARY: &str = "application/vnd.cncf.notary.signature";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
pub(super) const SBOM: &str = "application/spdx+json";
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// An artifact of this type that says `content` of its subject.
pub(super) fn artifact(artifact_type: &str, content: &str, subject: &Image) -> Image {
    let artifact = Image::oci().config_raw("{}").config_media_type("application/vnd.oci.empty.v1+json");
    artifact.artifact_type(artifact_type).annotation("says", content).layer(content).subject(subject).build()
}

/// An index as an image has it, to be a subject.
fn as_subject(index: &Index) -> Image {
    Image { manifest: index.manifest.clone(), media_type: index.media_type.clone(), ..buildx_image("linux/amd64") }
}

fn referrers_tag(digest: &str) -> String {
    digest.replace(':', "-")
}

/// An index with attestations of two images, what refers to them, and what cosign keeps under a tag.
pub(super) struct Signed {
    pub(super) index: Index,
    images: [Image; 2],
    pub(super) index_signature: Image,
    pub(super) signature: Image,
    pub(super) countersignature: Image,
    pub(super) sbom: Image,
    cosign: Image,
}

impl Signed {
    pub(super) fn new() -> Signed {
        let index = buildx_index(&PLATFORMS);
        let images = PLATFORMS.map(buildx_image);
        let signature = artifact(NOTARY, "signature", &images[0]);
        Signed {
            index_signature: artifact(BUNDLE, "signature of the index", &as_subject(&index)),
            countersignature: artifact(NOTARY, "signature of the signature", &signature),
            sbom: artifact(SBOM, "sbom", &images[0]),
            cosign: Image::oci()
                .config_raw("{}")
                .config_media_type("application/vnd.oci.image.config.v1+json")
                .layer("c")
                .build(),
            index,
            images,
            signature,
        }
    }

    fn cosign_tag(&self) -> String {
        format!("{}.sig", referrers_tag(&self.images[1].digest()))
    }

    fn referrers(&self) -> [&Image; 4] {
        [&self.index_signature, &self.signature, &self.countersignature, &self.sbom]
    }

    /// By subject, what refers to it.
    fn by_subject(&self) -> [(String, Vec<&Image>); 3] {
        [
            (self.index.digest(), vec![&self.index_signature]),
            (self.images[0].digest(), vec![&self.signature, &self.sbom]),
            (self.signature.digest(), vec![&self.countersignature]),
        ]
    }

    pub(super) fn put(&self, registry: &Registry, repo: &str) {
        registry.put_index(repo, "1", &self.index);
        for referrer in self.referrers() {
            registry.put_image(repo, &referrer.digest(), referrer);
        }
        registry.put_image(repo, &self.cosign_tag(), &self.cosign);
        registry.clear_record();
    }

    /// Everything is there with its bytes, its tags and no other ones, and is found by its subject.
    #[track_caller]
    pub(super) fn assert_in(&self, registry: &Registry, repo: &str, has_api: bool) {
        let manifest = |reference: &str| registry.manifest(repo, reference).map(|(_, bytes)| bytes);
        assert_eq!(manifest("1").as_ref(), Some(&self.index.manifest));
        let attestations = self.images.each_ref().map(attestation_of);
        for image in self.images.iter().chain(&attestations).chain(self.referrers()).chain([&self.cosign]) {
            assert_eq!(manifest(&image.digest()).as_ref(), Some(&image.manifest), "{}", image.digest());
            for blob in image.blobs() {
                assert!(registry.has_blob(repo, &testkit::image::sha256(blob)));
            }
        }
        assert_eq!(manifest(&self.cosign_tag()).as_ref(), Some(&self.cosign.manifest));
        let mut tags = BTreeSet::from(["1".to_owned(), self.cosign_tag()]);
        for (subject, referrers) in self.by_subject() {
            let expected: BTreeSet<String> = referrers.iter().map(|referrer| referrer.digest()).collect();
            let list = if has_api {
                let path = format!("/v2/{repo}/referrers/{subject}");
                Client::new(registry.addr()).request("GET", &path, &[], b"").text()
            } else {
                tags.insert(referrers_tag(&subject));
                String::from_utf8(manifest(&referrers_tag(&subject)).expect("a referrers tag")).expect("text")
            };
            let list: Value = serde_json::from_str(&list).expect("JSON");
            let entries = list["manifests"].as_array().expect("entries");
            let found: BTreeSet<String> =
                entries.iter().map(|entry| entry["digest"].as_str().unwrap_or_default().to_owned()).collect();
            assert_eq!((found, entries.len()), (expected, referrers.len()), "{subject}");
            assert!(entries.iter().all(|entry| entry["artifactType"].is_string() && entry["annotations"].is_object()));
        }
        assert_eq!(registry.tags(repo).into_iter().collect::<BTreeSet<String>>(), tags);
    }
}

impl Fixture {
    /// Runs `copy` and the words of this line. The records of both registries are of this run alone.
    fn copy(&self, line: &str) -> Output {
        self.clear_record_and_run_line(&format!("copy {line}"))
    }

    #[track_caller]
    pub(super) fn copy_ok(&self, line: &str) -> Output {
        self.clear_record_and_run_line_ok(&format!("copy {line}"))
    }

    fn index_json(&self, layout: &str) -> Value {
        let path = self.sandbox.path().join(layout).join("index.json");
        serde_json::from_slice(&fs::read(path).expect("index.json")).expect("JSON")
    }

    fn set_index_json(&self, layout: &str, index: &Value) {
        fs::write(self.sandbox.path().join(layout).join("index.json"), index.to_string()).expect("index.json");
    }
}

fn request_lines(registry: &Registry) -> Vec<String> {
    registry.requests().iter().map(|request| request.line().clone()).collect()
}

pub(super) fn has_written(registry: &Registry) -> bool {
    registry.requests().iter().any(|request| !["GET", "HEAD"].contains(&request.method.as_str()))
}

#[test]
fn a_signed_image_survives_copies_through_registries_and_layouts() {
    let fixture = Fixture::with_registries(Registry::start(), Registry::builder().without_referrers().start());
    let signed = Signed::new();
    signed.put(&fixture.source, "app");
    let has_api = |place: &str| place.starts_with('%');
    for (from, to, repo) in [
        ("%app:1", "oci-layout://dir", None),
        ("oci-layout://dir", "@first", Some("first")),
        ("@first:1", "oci-archive:./a.tar", None),
        ("oci-archive:./a.tar", "ocidir://second", None),
        ("ocidir://second:1", "%back", Some("back")),
        ("%back:1", "@last", Some("last")),
    ] {
        fixture.copy_ok(&format!("--referrers all {from} {to}"));
        let registry = if has_api(to) { &fixture.source } else { &fixture.target };
        if let Some(repo) = repo {
            signed.assert_in(registry, repo, has_api(to));
        }
        // What is there is not written again, and is listed once.
        let repeated = fixture.copy_ok(&format!("--referrers all --format json {from} {to}:1"));
        let printed: Value = serde_json::from_slice(&repeated.stdout).expect("JSON");
        let is_sent = |referrer: &Value| referrer["sent"] == json!(true);
        assert_eq!(printed["referrers"].as_array().map(|all| all.iter().filter(|own| is_sent(own)).count()), Some(0));
        assert!(repo.is_none() || printed["unchanged"] == json!(true), "{from} {to}: {printed}");
        assert!(!has_written(&fixture.source) && !has_written(&fixture.target), "{from} {to}");
    }
    // Both layouts have the same names, those of the tags of a registry without the API.
    let mut expected: BTreeSet<String> =
        signed.by_subject().iter().map(|(subject, _)| referrers_tag(subject)).collect();
    expected.extend(["1".to_owned(), signed.cosign_tag()]);
    for layout in ["dir", "second"] {
        let index = fixture.index_json(layout);
        let entries = index["manifests"].as_array().expect("entries");
        let name = |entry: &Value| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(entries.iter().map(name).collect::<BTreeSet<String>>(), expected, "{layout}");
        assert_eq!(entries.len(), expected.len());
    }
}

#[test]
fn referrer_flags_select_what_is_copied() {
    for (flags, expected, has_cosign) in [
        ("", [true, true, true, false], true),
        ("--referrers drop", [false; 4], false),
        ("--referrers all", [true; 4], true),
        ("--referrer-type application/spdx+json", [false, false, false, true], false),
    ] {
        let fixture = Fixture::new();
        let signed = Signed::new();
        signed.put(&fixture.source, "app");
        let dry_run = fixture.copy_ok(&format!("{flags} --dry-run %app:1 @app")).out();
        assert!(!has_written(&fixture.target));
        fixture.copy_ok(&format!("{flags} %app:1 @app"));
        let is_there = |image: &&Image| fixture.target.manifest("app", &image.digest()).is_some();
        let copied_referrers: Vec<bool> = signed.referrers().iter().map(is_there).collect();
        assert_eq!(copied_referrers, expected, "{flags}");
        assert_eq!(fixture.target.manifest("app", &signed.cosign_tag()).is_some(), has_cosign, "{flags}");
        for (referrer, is_expected) in signed.referrers().iter().zip(expected) {
            assert_eq!(dry_run.contains(&referrer.digest()), is_expected, "{flags}: {dry_run}");
        }
    }
}

/// One GET of the API for the index and each image, and three HEADs; without the API one that finds this out and one
/// GET of each referrers tag. A retag asks for none of them.
#[test]
fn referrers_are_found_with_few_requests() {
    for has_api in [true, false] {
        let from = if has_api { Registry::start() } else { Registry::builder().without_referrers().start() };
        let fixture = Fixture::with_registries(from, Registry::start());
        fixture.source.put_index("app", "1", &buildx_index(&PLATFORMS));
        fixture.copy_ok("%app:1 @app");
        let requests = request_lines(&fixture.source);
        let count = |part: &str| requests.iter().filter(|line| line.contains(part)).count();
        let by_tag =
            requests.iter().filter(|line| line.starts_with("GET ") && line.contains("/manifests/sha256-")).count();
        assert_eq!((count("/referrers/"), by_tag), if has_api { (3, 0) } else { (1, 3) }, "{requests:#?}");
        assert_eq!((count(".sig "), count(".att "), count(".sbom "), count("/tags/list")), (3, 3, 3, 0));
        // Nothing was found, so the target was not asked about it.
        let target_requests = request_lines(&fixture.target);
        assert!(
            target_requests.iter().all(|line| !line.contains("referrers") && !line.contains("sha256-")),
            "{target_requests:#?}"
        );
        fixture.copy_ok("%app:1 %app:2");
        let requests = request_lines(&fixture.source);
        assert!(requests.iter().all(|line| !line.contains("referrers") && !line.contains("sha256-")), "{requests:#?}");
    }
}

/// buildx marks entries, oras adds plain ones, and either way they arrive.
#[test]
fn layouts_of_other_tools_have_referrers_in_other_places() {
    let fixture = Fixture::new();
    let signed = Signed::new();
    signed.put(&fixture.source, "app");
    fixture.copy_ok("--referrers all %app:1 oci-layout://dir");
    let written = fixture.index_json("dir");
    let top = &written["manifests"].as_array().expect("entries").last().expect("an entry").clone();
    assert_eq!(top["digest"], signed.index.digest());
    for (tool, target) in [("buildx", "one"), ("oras", "two")] {
        let entry = |(subject, referrer): (&str, &Image)| {
            let mut entry = json!({
                "mediaType": referrer.media_type, "digest": referrer.digest(), "size": referrer.manifest.len(),
            });
            if tool == "buildx" {
                entry["artifactType"] = json!(NOTARY);
                entry["annotations"] = json!({ "io.containerd.manifest.subject": subject });
            }
            entry
        };
        let (first, signature) = (signed.images[0].digest(), signed.signature.digest());
        let subjects = [(first.as_str(), &signed.signature), (signature.as_str(), &signed.countersignature)];
        let entries: Vec<Value> = [top.clone()].into_iter().chain(subjects.map(entry)).collect();
        fixture.set_index_json("dir", &json!({"schemaVersion": 2, "manifests": entries}));
        fixture.copy_ok(&format!("oci-layout://dir @{target}"));
        for referrer in [&signed.signature, &signed.countersignature] {
            assert!(fixture.target.manifest(target, &referrer.digest()).is_some(), "{tool}");
        }
        // They stay where they are: a second copy into the layout lists nothing twice.
        fixture.copy_ok("%app:1 oci-layout://dir");
        let after = fixture.index_json("dir");
        let after = after["manifests"].as_array().expect("entries");
        assert_eq!(after.iter().filter(|own| entries.contains(own)).count(), 3, "{tool}: {after:#?}");
        let name = referrers_tag(&signed.images[0].digest());
        let names = |own: &&Value| own["annotations"]["org.opencontainers.image.ref.name"] == json!(name);
        assert_eq!(after.iter().filter(names).count(), 0, "{tool}: {after:#?}");
    }
}

#[test]
fn copying_part_of_an_index_reports_that_its_referrers_are_not_copied() {
    let fixture = Fixture::new();
    let signed = Signed::new();
    signed.put(&fixture.source, "app");
    let copied = fixture.copy_ok("--platform linux/amd64 --format json %app:1 @app");
    assert!(copied.err().contains("referrers of what is not copied stay behind: 1"), "{}", copied.err());
    let json: Value = serde_json::from_slice(&copied.stdout).expect("JSON");
    assert_eq!(json["leftBehind"][0]["digest"], signed.index_signature.digest());
    assert_eq!(json["referrers"].as_array().map(Vec::len), Some(2), "{json:#}");
    let is_there = |image: &Image| fixture.target.manifest("app", &image.digest()).is_some();
    assert!(is_there(&signed.signature) && is_there(&signed.countersignature));
    assert!(!is_there(&signed.index_signature));
    assert_eq!(fixture.target.tags("app"), ["1"], "cosign has signed another platform");
}

/// A copy that was interrupted between a referrer and its tag is completed by the next one.
#[test]
fn a_referrer_that_its_tag_does_not_list_is_listed() {
    let fixture = Fixture::with_registries(Registry::start(), Registry::builder().without_referrers().start());
    let signed = Signed::new();
    signed.put(&fixture.source, "app");
    fixture.target.add_fault(Rule::on("PUT", "/manifests/sha256-"), Fault::status(500));
    assert_eq!(fixture.copy("--retries 0 --referrers all %app:1 @app").code, 1);
    assert_eq!(fixture.target.manifest("app", "1"), None, "no tag has moved");
    fixture.target.clear_faults();
    fixture.copy_ok("--referrers all %app:1 @app");
    signed.assert_in(&fixture.target, "app", false);
}

/// An artifact that names its subject itself is listed too.
#[test]
fn a_copied_artifact_is_listed_under_its_subject() {
    let fixture = Fixture::with_registries(Registry::start(), Registry::builder().without_referrers().start());
    let image = buildx_image("linux/amd64");
    let sbom = artifact(SBOM, "sbom", &image);
    fixture.source.put_image("app", "sbom", &sbom);
    fixture.copy_ok("%app:sbom @app");
    let (_, list) = fixture.target.manifest("app", &referrers_tag(&image.digest())).expect("the referrers tag");
    let list: Value = serde_json::from_slice(&list).expect("JSON");
    assert_eq!(list["manifests"][0]["digest"], sbom.digest());
}

/// @sigstore/oci counts characters, so the size in a referrers tag is too small (`findings/`). The manifest is read by
/// its digest, and the target gets the right size.
#[test]
fn a_wrong_size_in_a_referrers_tag_is_not_copied() {
    let without_api = || Registry::builder().without_referrers().start();
    let fixture = Fixture::with_registries(without_api(), without_api());
    let image = buildx_image("linux/amd64");
    let attestation = artifact(BUNDLE, "Prüfbericht", &image);
    let index = |size: usize| {
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{
                "mediaType": attestation.media_type, "digest": attestation.digest(), "size": size,
                "artifactType": BUNDLE,
            }],
        })
    };
    let tag = referrers_tag(&image.digest());
    let wrong = String::from_utf8(attestation.manifest.clone()).expect("JSON").chars().count();
    assert_eq!(wrong + 1, attestation.manifest.len());
    fixture.source.put_image("app", "1", &image);
    fixture.source.put_image("app", &attestation.digest(), &attestation);
    let media_type = "application/vnd.oci.image.index.v1+json";
    fixture.source.put_manifest("app", &tag, media_type, index(wrong).to_string().as_bytes());

    fixture.copy_ok("%app:1 @app");

    let copied = fixture.target.manifest("app", &attestation.digest()).map(|(_, bytes)| bytes);
    assert_eq!(copied.as_ref(), Some(&attestation.manifest));
    let (_, listed) = fixture.target.manifest("app", &tag).expect("the referrers tag");
    let listed: Value = serde_json::from_slice(&listed).expect("JSON");
    assert_eq!(listed["manifests"][0]["size"], attestation.manifest.len(), "{listed:#}");
}

#[test]
fn a_cosign_tag_of_another_image_is_reported() {
    let fixture = Fixture::new();
    let signed = Signed::new();
    signed.put(&fixture.source, "app");
    fixture.target.put_image("app", &signed.cosign_tag(), &signed.sbom);
    let copied = fixture.copy_ok("%app:1 @app");
    let expected = format!("warning: the tag {} of the target named {}", signed.cosign_tag(), signed.sbom.digest());
    assert!(copied.err().contains(&expected), "{}", copied.err());
    let (_, now) = fixture.target.manifest("app", &signed.cosign_tag()).expect("the tag");
    assert_eq!(now, signed.cosign.manifest);
}

#[test]
fn a_layout_with_too_many_referrers_is_refused() {
    let fixture = Fixture::new();
    let image = buildx_image("linux/amd64");
    fixture.source.put_image("app", "1", &image);
    fixture.copy_ok("%app:1 oci-layout://dir");
    let mut index = fixture.index_json("dir");
    let entry = |number: usize| {
        let digest = testkit::image::sha256(number.to_string().as_bytes());
        let notes = json!({ "io.containerd.manifest.subject": image.digest() });
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
            "annotations": notes,
        })
    };
    index["manifests"].as_array_mut().expect("entries").extend((0..1001).map(entry));
    fixture.set_index_json("dir", &index);
    let refused = fixture.copy("oci-layout://dir:1 @app");
    assert_eq!(refused.code, 1);
    assert!(refused.err().contains("has more than 1000 referrers"), "{}", refused.err());
    assert!(!has_written(&fixture.target));
    fixture.copy_ok("--referrers drop oci-layout://dir:1 @app");
}

/// A GET of each name and manifest, and a HEAD of each blob, the referrers' too. Of a layout every file is read.
#[test]
fn verify_reads_back_what_was_copied() {
    let fixture = Fixture::new();
    let signed = Signed::new();
    signed.put(&fixture.source, "app");
    // The index and cosign's tag; five manifests of the index, four referrers and cosign's manifest; each image has a
    // configuration and two layers, attestations too, and the referrers share one configuration with cosign.
    let verified = json!({"names": 2, "manifests": 10, "blobs": 18});
    for target in ["oci-layout://dir", "oci-archive:./a.tar", "@app"] {
        let copied = fixture.copy_ok(&format!("--referrers all --verify --format json %app:1 {target}"));
        let printed: Value = serde_json::from_slice(&copied.stdout).expect("JSON");
        assert_eq!(printed["verified"], verified, "{target}");
        assert!(copied.err().contains("verified: 2 names, 10 manifests, 18 blobs"), "{}", copied.err());
    }
    let all = request_lines(&fixture.target);
    let after = all.iter().rposition(|line| line.starts_with("PUT ")).expect("a push") + 1;
    let heads = all[after..].iter().filter(|line| line.starts_with("HEAD ") && line.contains("/blobs/")).count();
    let gets = all[after..].iter().filter(|line| line.starts_with("GET ")).count();
    assert_eq!((gets, heads, all.len() - after), (12, 18, 30), "{all:#?}");
    let blob = testkit::image::sha256(b"signature");
    fixture.target.add_fault(Rule::on("HEAD", &format!("/blobs/{blob}")).always(), Fault::status(404));
    let failed = fixture.copy("--referrers all --verify %app:1 @app");
    assert_eq!(failed.code, 1);
    let expected = format!("published, but not served as it was sent: the blob {}@{blob}", fixture.target.name("app"));
    assert!(failed.err().contains(&expected), "{}", failed.err());
}
