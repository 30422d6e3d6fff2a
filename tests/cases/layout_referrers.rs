//! Referrers of images in layouts: `create --push`, `add --push`, `apply` and `--to` copy them as those of images
//! in registries.

use std::fs;

use serde_json::{Value, json};
use testkit::image::Image;
use testkit::image::fixtures::buildx_image;
use testkit::loopback::Registry;

use super::copy_referrers::{SBOM, Signed, artifact, has_written};
use super::two_registry_fixture::Fixture;

impl Fixture {
    /// The signed index and what belongs to it, in a layout.
    fn with_layout(to: Registry) -> (Fixture, Signed) {
        let (fixture, signed) = (Fixture::with_registries(Registry::start(), to), Signed::new());
        signed.put(&fixture.source, "app");
        fixture.copy_ok("--referrers all %app:1 oci-layout://dir");
        (fixture, signed)
    }

    #[track_caller]
    fn line_json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.clear_record_and_run_line_ok(line).stdout).expect("JSON")
    }

    fn has(&self, repo: &str, image: &Image) -> bool {
        self.target.manifest(repo, &image.digest()).is_some()
    }
}

fn count_items(json: &Value, member: &str) -> usize {
    json[member].as_array().map_or(0, Vec::len)
}

#[test]
fn an_index_of_a_layout_is_published_with_its_referrers() {
    for has_api in [true, false] {
        let to = if has_api { Registry::start() } else { Registry::builder().without_referrers().start() };
        let (fixture, signed) = Fixture::with_layout(to);
        let line = "create --push --format json --referrers all --verify @app:1 oci-layout://dir:1";
        let value = fixture.line_json(line);
        // Those of the index and of its images, and cosign's.
        assert_eq!(count_items(&value, "referrers"), 5, "{value:#}");
        assert_eq!(value["referrers"][0]["repository"], "oci-layout://dir");
        assert_eq!(value["verified"], json!({"names": 2, "manifests": 9, "blobs": 18}));
        signed.assert_in(&fixture.target, "app", has_api);
        let repeated = fixture.line_json(line);
        assert_eq!((&repeated["unchanged"], has_written(&fixture.target)), (&json!(true), false), "{repeated:#}");
        // An index that is carried unchanged keeps what signs and attests it.
        let dry_run = fixture.line_json("create --push --format json --dry-run @usual:1 oci-layout://dir:1");
        assert!(!has_written(&fixture.target));
        let printed = fixture.line_json("create --push --format json @usual:1 oci-layout://dir:1");
        assert_eq!((count_items(&dry_run, "referrers"), &printed["referrers"]), (4, &dry_run["referrers"]));
        assert!(fixture.has("usual", &signed.index_signature) && !fixture.has("usual", &signed.sbom));
        fixture.clear_record_and_run_line_ok("create --push --referrers drop @none:1 oci-layout://dir:1");
        assert!(!fixture.has("none", &signed.signature));
        fixture.clear_record_and_run_line_ok(
            "create --push --referrer-type application/spdx+json @sbom:1 oci-layout://dir:1",
        );
        assert!(fixture.has("sbom", &signed.sbom) && !fixture.has("sbom", &signed.signature));
    }
}

#[test]
fn lists_of_several_layouts_report_referrers_and_copy_them_on_request() {
    let (fixture, signed) = Fixture::with_layout(Registry::start());
    let image = buildx_image("linux/s390x");
    let sbom = artifact(SBOM, "of another", &image);
    fixture.source.put_image("other", "1", &image);
    fixture.source.put_image("other", &sbom.digest(), &sbom);
    fixture.copy_ok("--referrers all %other:1 oci-archive:./other.tar");
    let line = "create --push --platform linux/amd64 --platform linux/s390x --format json";
    let sources = "oci-layout://dir:1 oci-archive:./other.tar:1";
    let dry_run = fixture.line_json(&format!("{line} --dry-run @app:1 {sources}"));
    assert_eq!((count_items(&dry_run, "referrers"), count_items(&dry_run, "leftBehind")), (0, 4), "{dry_run:#}");
    let output =
        fixture.clear_record_and_run_line(&format!("{line} --verbose @app:1 {sources}").replace("--format json ", ""));
    let expected_line =
        format!("not sent along: oci-archive:./other.tar@{} {SBOM} of {}", sbom.digest(), image.digest());
    assert!(output.code == 0 && output.err().contains(&expected_line), "{}", output.err());
    assert!(!fixture.has("app", &signed.signature) && !fixture.has("app", &sbom));
    let failed = fixture.clear_record_and_run_line("create --push @app:1 oci-layout://dir:2");
    assert_eq!(failed.first_err_line(), "dir has no image named 2 (it has 1)");
    // The images are there; what refers to them follows, and no list.
    let printed = fixture.line_json(&format!("{line} --referrers all @app:1 {sources}"));
    assert_eq!((count_items(&printed, "referrers"), &printed["unchanged"]), (4, &json!(false)));
    for referrer in [&signed.signature, &signed.countersignature, &signed.sbom, &sbom] {
        assert!(fixture.has("app", referrer));
    }
    assert!(!fixture.has("app", &signed.index_signature), "the index is another one");
    // The same by the other commands.
    fixture.clear_record_and_run_line_ok(&format!("create --push @more:1 {}", "oci-archive:./other.tar:1"));
    fixture
        .clear_record_and_run_line_ok("add --push --referrers keep --platform linux/amd64 @more:1 oci-layout://dir:1");
    assert!(fixture.has("more", &signed.countersignature) && !fixture.has("more", &signed.sbom));
    let spec =
        format!("image: {}\nmanifests: [{{image: \"oci-archive:./other.tar\"}}]\n", fixture.target.name("spec:1"));
    fixture.sandbox.write("list.yaml", spec);
    fixture.clear_record_and_run_line_ok("apply -f list.yaml --referrers all");
    assert!(fixture.has("spec", &sbom));
    // A layout that lacks something is found out before anything is sent.
    let blob = testkit::image::sha256(b"signature");
    let path = fixture.sandbox.path().join("dir/blobs/sha256").join(blob.trim_start_matches("sha256:"));
    fs::remove_file(path).expect("a blob");
    let failed = fixture.clear_record_and_run_line("create --push --referrers keep @lacking:1 oci-layout://dir:1");
    assert_eq!((failed.code, failed.first_err_line()), (1, format!("dir does not have {blob}")));
    assert!(!has_written(&fixture.target));
}

/// Into a layout they go as `copy` writes them, from registries and from layouts.
#[test]
fn a_list_is_written_into_a_layout_with_its_referrers() {
    let (fixture, signed) = Fixture::with_layout(Registry::builder().without_referrers().start());
    for (name, source) in [("one", "oci-layout://dir:1"), ("two", "%app:1")] {
        for target in [format!("ocidir://{name}"), format!("oci-archive:./{name}.tar")] {
            let line =
                format!("create --push --format json --referrers all nowhere.invalid/x:1 {source} --to {target}");
            let dry_run = fixture.line_json(&format!("{line} --dry-run"));
            let printed = fixture.line_json(&format!("{line} --verify"));
            assert_eq!((count_items(&printed, "referrers"), &printed["copied"]), (5, &dry_run["copied"]), "{target}");
            assert_eq!(printed["verified"]["manifests"], 9, "{printed:#}");
            let repeated = fixture.line_json(&line);
            assert_eq!(repeated["unchanged"], true, "{target}: {repeated:#}");
            let repo = format!("{name}{}", target.len());
            fixture.copy_ok(&format!("--referrers all {target}:1 @{repo}"));
            signed.assert_in(&fixture.target, &repo, false);
        }
    }
    // What was left out is added to a list that is there.
    fixture.clear_record_and_run_line_ok(
        "create --push --referrers drop nowhere.invalid/x:1 oci-layout://dir:1 --to ocidir://three",
    );
    let printed =
        fixture.line_json("create --push --format json nowhere.invalid/x:1 oci-layout://dir:1 --to ocidir://three");
    assert_eq!((count_items(&printed, "referrers"), &printed["unchanged"]), (4, &json!(false)));
    fixture.copy_ok("ocidir://three @three");
    assert!(fixture.has("three", &signed.countersignature) && !fixture.has("three", &signed.sbom));
}

/// A file of the right size with other bytes is found out while it is sent; no name has moved then.
#[test]
fn a_damaged_file_of_a_layout_is_named_and_no_tag_moves() {
    let (fixture, signed) = Fixture::with_layout(Registry::start());
    fixture.copy_ok("--referrers all %app:1 oci-archive:./a.tar");
    let before = fixture.target.put_image("app", "1", &buildx_image("linux/riscv64"));
    let blob = testkit::image::sha256(b"signature");
    let path = fixture.sandbox.path().join("dir/blobs/sha256").join(blob.trim_start_matches("sha256:"));
    fs::write(path, "SIGNATURE").expect("a blob");
    let archive = fixture.sandbox.path().join("a.tar");
    let mut bytes = fs::read(&archive).expect("an archive");
    // The member alone: its header and its padding are around it.
    let position = bytes.windows(11).position(|part| part == b"\0signature\0").expect("the layer") + 1;
    bytes[position..position + 9].copy_from_slice(b"SIGNATURE");
    fs::write(&archive, bytes).expect("an archive");
    for (layout, shown) in [("oci-layout://dir:1", "dir"), ("oci-archive:./a.tar:1", "./a.tar")] {
        let found = testkit::image::sha256(b"SIGNATURE");
        let error = format!("{blob} in {shown} is damaged: its bytes have the digest {found}");
        for line in [
            format!("create --push @app:1 {layout}"),
            format!("copy {layout} @app:1"),
            format!("create --push --to oci:./new nowhere.invalid/x:1 {layout}"),
            format!("copy {layout} oci:./new"),
        ] {
            let failed = fixture.clear_record_and_run_line(&line);
            assert!(failed.code == 1 && failed.err().contains(&error), "{line}: {}", failed.err());
        }
        let (_, now) = fixture.target.manifest("app", "1").expect("what it was");
        assert_eq!(testkit::image::sha256(&now), before);
        assert!(!fixture.sandbox.path().join("new/index.json").exists());
        // Without the signature nothing is damaged.
        fixture.clear_record_and_run_line_ok(&format!("create --push --referrers drop @whole:1 {layout}"));
        assert_eq!(fixture.target.manifest("whole", "1").expect("the index").1, signed.index.manifest);
    }
}
