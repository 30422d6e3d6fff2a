//! `inspect --referrers` shows the referrers of a list and its images, each below its subject.

use serde_json::{Value, json};
use testkit::image::fixtures::{buildx_index, referrer};
use testkit::image::{Image, Index};
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox};

use super::OURS;

const NOTARY: &str = "application/vnd.cncf.notary.signature";
const SBOM: &str = "application/spdx+json";

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
    index: Index,
    signature: Image,
    countersignature: Image,
    sbom: Image,
}

/// An index of two images with attestations, an image with an SBOM, and signatures of the index, of its signature and,
/// under a tag of cosign, of an image.
fn fixture(registry: Registry) -> Fixture {
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    let [amd64, arm64] = ["linux/amd64", "linux/arm64"].map(testkit::image::fixtures::buildx_image);
    let subject = Image { manifest: index.manifest.clone(), media_type: index.media_type.clone(), ..amd64.clone() };
    let signature = referrer(&subject, NOTARY);
    let (countersignature, sbom) = (referrer(&signature, NOTARY), referrer(&amd64, SBOM));
    registry.put_index("app", "1", &index);
    let cosign = Image::oci().layer_of_type("application/vnd.dev.cosign.simplesigning.v1+json", "signed").build();
    registry.put_image("app", &format!("{}.sig", arm64.digest().replace(':', "-")), &cosign);
    for (subject, own) in
        [(index.digest(), &signature), (signature.digest(), &countersignature), (amd64.digest(), &sbom)]
    {
        registry.put_image("app", &own.digest(), own);
        // Where the registry has no API, and elsewhere just a tag.
        registry.put_index("app", &subject.replace(':', "-"), &Index::oci().image(own).build());
    }
    registry.clear_record();
    Fixture { registry, sandbox: Sandbox::new(), index, signature, countersignature, sbom }
}

impl Fixture {
    fn inspect(&self, flags: &[&str]) -> Output {
        self.registry.clear_record();
        let name = self.registry.name("app:1");
        self.sandbox.command(OURS).args(["inspect", "--referrers", &name]).args(flags.iter().copied()).run().success()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.inspect(&["--format", "json"]).stdout).expect("JSON")
    }
}

#[test]
fn inspect_shows_each_referrer_below_its_subject() {
    let fixture = fixture(Registry::start());
    let tree = fixture.inspect(&[]).out();
    let lines: Vec<&str> = tree.lines().collect();
    let depth = |line: &str| line.chars().take_while(|letter| !letter.is_alphanumeric()).count();
    let find_line = |start: &str, digest: &str| {
        let short = &digest[..19];
        let matches = |line: &&&str| line.contains(start) && line.contains(short);
        let found: Vec<&&str> = lines.iter().filter(matches).collect();
        assert_eq!(found.len(), 1, "{start} {short}: {tree}");
        (lines.iter().position(|line| line == found[0]).expect("a line"), depth(found[0]))
    };
    let (top, amd64) =
        (find_line("oci index", &fixture.index.digest()), find_line("linux/amd64", &image_digest(&fixture, 0)));
    let signature = find_line(&format!("referrer  {NOTARY}"), &fixture.signature.digest());
    let of_signature = find_line(&format!("referrer  {NOTARY}"), &fixture.countersignature.digest());
    let sbom = find_line(&format!("referrer  {SBOM}"), &fixture.sbom.digest());
    assert!(top.1 < signature.1 && signature.1 < of_signature.1, "{tree}");
    assert!(signature.0 < of_signature.0 && amd64.0 < sbom.0 && amd64.1 < sbom.1 && signature.1 == amd64.1, "{tree}");
    assert_eq!(tree.matches("referrer  cosign sig").count(), 1, "{tree}");
    let table = fixture.inspect(&["--format", "table"]).out();
    assert_eq!(table.lines().filter(|line| line.contains("referrer ")).count(), 4, "{table}");
    let of_amd = table.lines().find(|line| line.contains(SBOM)).expect("a row");
    assert!(of_amd.starts_with("linux/amd64"), "{of_amd}");
}

fn image_digest(fixture: &Fixture, place: usize) -> String {
    let index: Value = serde_json::from_slice(&fixture.index.manifest).expect("JSON");
    index["manifests"][place]["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn inspect_json_has_referrers_from_the_api_and_from_the_tag() {
    for has_api in [true, false] {
        let registry = if has_api { Registry::start() } else { Registry::builder().without_referrers().start() };
        let fixture = fixture(registry);
        let printed = fixture.json();
        let top = &printed["referrers"];
        assert_eq!((top.as_array().map(Vec::len), &top[0]["artifactType"]), (Some(1), &json!(NOTARY)), "{printed:#}");
        assert_eq!(top[0]["referrers"][0]["digest"], fixture.countersignature.digest());
        assert_eq!(printed["platforms"][0]["referrers"][0]["digest"], fixture.sbom.digest());
        let cosign = &printed["platforms"][1]["referrers"];
        assert!(cosign[0]["tags"][0].as_str().is_some_and(|tag| tag.ends_with(".sig")), "{printed:#}");
        // An index and two images, then what refers to the four referrers of them.
        let paths: Vec<String> = fixture.registry.requests().iter().map(|request| request.target.clone()).collect();
        let count = |part: &str| paths.iter().filter(|path| path.contains(part)).count();
        assert_eq!(count("/referrers/"), if has_api { 3 + 3 + 1 } else { 1 }, "{paths:#?}");
        assert_eq!((count(".sig"), count(".att"), count(".sbom"), count("/tags/list")), (3, 3, 3, 0));
    }
    // Without the flag nobody asks for them.
    let fixture = fixture(Registry::start());
    let name = fixture.registry.name("app:1");
    let _ = fixture.sandbox.command(OURS).args(["inspect", "--format", "json", &name]).run().success();
    assert!(fixture.registry.requests().iter().all(|request| !request.target.contains("referrers")));
}
