//! `--attestations keep`: BuildKit's attestation of an image without an index refers to it, and is put into the new
//! index.

use serde_json::{Value, json};
use testkit::image::fixtures::buildx_image;
use testkit::image::{Image, Index};
use testkit::loopback::Registry;

use super::two_registry_fixture;

const ATTESTATION: &str = "application/vnd.docker.attestation.manifest.v1+json";

/// The registry of images has two, one of which has an attestation.
struct Fixture {
    registries: two_registry_fixture::Fixture,
    images: [Image; 2],
    attestation: Image,
}

impl Fixture {
    fn new(from: Registry) -> Fixture {
        let images = ["linux/amd64", "linux/arm64"].map(buildx_image);
        let attestation = |subject: &Image, kind: &str| {
            let notes = [("in-toto.io/predicate-type", "https://slsa.dev/provenance/v1")];
            let builder = Image::oci().config_raw("{}").config_media_type("application/vnd.oci.empty.v1+json");
            let layer = format!("{kind} of {}", subject.digest());
            let builder = builder.layer_annotated("application/vnd.in-toto+json", layer, &notes);
            builder.artifact_type(kind).annotation("own", "kept").subject(subject).build()
        };
        let (statement, sbom) =
            (attestation(&images[0], ATTESTATION), attestation(&images[0], "application/spdx+json"));
        for (tag, image) in ["amd64", "arm64"].iter().zip(&images) {
            from.put_image("src", tag, image);
        }
        for referrer in [&sbom, &statement] {
            from.put_image("src", &referrer.digest(), referrer);
        }
        let list = Index::oci().image(&sbom).image(&statement).build();
        from.put_index("src", &images[0].digest().replace(':', "-"), &list);
        from.clear_record();
        let registries = two_registry_fixture::Fixture::with_registries(from, Registry::start());
        Fixture { registries, images, attestation: statement }
    }

    /// How often the registry of the images was asked for something of this name.
    fn count_requests(&self, part: &str) -> usize {
        self.registries.source.requests().iter().filter(|request| request.target.contains(part)).count()
    }

    /// The descriptors of the published list.
    fn published_descriptors(&self, tag: &str) -> Vec<Value> {
        let (_, bytes) = self.registries.target.manifest("app", tag).expect("the list");
        let list: Value = serde_json::from_slice(&bytes).expect("JSON");
        list["manifests"].as_array().expect("manifests").clone()
    }

    /// The attestation is listed as BuildKit lists it, behind its image, and is there with its blobs.
    #[track_caller]
    fn assert_attested(&self, tag: &str) {
        let published = self.published_descriptors(tag);
        assert_eq!(published.len(), 3, "{published:#?}");
        let listed = published
            .iter()
            .find(|statement| statement["digest"] == self.attestation.digest())
            .expect("the attestation");
        assert_eq!(listed["platform"], json!({"os": "unknown", "architecture": "unknown"}));
        let marks = json!({
            "own": "kept",
            "vnd.docker.reference.digest": self.images[0].digest(),
            "vnd.docker.reference.type": "attestation-manifest",
        });
        assert_eq!(listed["annotations"], marks);
        let (_, bytes) = self.registries.target.manifest("app", &self.attestation.digest()).expect("the attestation");
        assert_eq!(bytes, self.attestation.manifest);
        for blob in self.attestation.blobs() {
            assert!(self.registries.target.has_blob("app", &testkit::image::sha256(blob)));
        }
    }
}

#[test]
fn an_attestation_that_refers_to_an_image_is_put_into_the_list() {
    for has_api in [true, false] {
        let from = if has_api { Registry::start() } else { Registry::builder().without_referrers().start() };
        let fixture = Fixture::new(from);
        fixture.registries.clear_record_and_run_line_ok("create --attestations keep @app:1 %src:amd64 %src:arm64");
        // The API is asked for each image, or once for all and then each referrers tag; cosign's tags are not.
        let expected = if has_api { (2, 0) } else { (1, 2) };
        assert_eq!((fixture.count_requests("/referrers/"), fixture.count_requests("/manifests/sha256-")), expected);
        let dry_run: Value = serde_json::from_slice(
            &fixture.registries.clear_record_and_run_line_ok("push --dry-run --format json @app:1").stdout,
        )
        .expect("JSON");
        let left_behind = dry_run["leftBehind"].as_array().expect("the SBOM");
        assert_eq!((left_behind.len(), &left_behind[0]["artifactType"]), (1, &json!("application/spdx+json")));
        fixture.registries.clear_record_and_run_line_ok("push @app:1");
        fixture.assert_attested("1");
        fixture
            .registries
            .clear_record_and_run_line_ok("create --push --attestations keep @app:2 %src:amd64 %src:arm64");
        fixture.assert_attested("2");
        fixture.registries.clear_record_and_run_line_ok("create @app:3 %src:arm64");
        fixture.registries.clear_record_and_run_line_ok("add --attestations keep @app:3 %src:amd64");
        fixture.registries.clear_record_and_run_line_ok("push @app:3");
        fixture.assert_attested("3");
        let spec = |name: &str| {
            let [amd64, arm64] = ["amd64", "arm64"].map(|tag| fixture.registries.source.name(&format!("src:{tag}")));
            format!(
                "image: {}\nmanifests: [{{image: {amd64}}}, {{image: {arm64}}}]\n",
                fixture.registries.target.name(name)
            )
        };
        fixture.registries.sandbox.write("list.yaml", format!("{}attestations: keep\n", spec("app:4")));
        fixture.registries.clear_record_and_run_line_ok("apply -f list.yaml");
        fixture.assert_attested("4");
        // From layouts, too: one has it under the referrers tag, the other one has none.
        fixture.registries.clear_record_and_run_line_ok("copy --quiet --referrers all %src:amd64 oci-layout://amd64");
        fixture
            .registries
            .clear_record_and_run_line_ok("copy --quiet --referrers all %src:arm64 oci-archive:./arm64.tar");
        fixture.registries.clear_record_and_run_line_ok(
            "create --push --attestations keep @app:8 oci-layout://amd64 oci-archive:./arm64.tar",
        );
        fixture.assert_attested("8");
        assert_eq!(fixture.count_requests(""), 0, "the registry that they came from");
        fixture.registries.clear_record_and_run_line_ok(
            "create --push --attestations keep x.invalid/app:9 oci-layout://amd64 %src:arm64 --to oci:./both",
        );
        fixture.registries.clear_record_and_run_line_ok("copy --quiet oci:./both @app");
        fixture.assert_attested("9");
        // Without the word, images cost what they cost, and lists have what their indexes list.
        fixture.registries.clear_record_and_run_line_ok("create --push @app:5 %src:amd64 %src:arm64");
        assert_eq!((fixture.published_descriptors("5").len(), fixture.count_requests("referrers")), (2, 0));
        fixture.registries.sandbox.write("list.yaml", spec("app:6"));
        fixture.registries.clear_record_and_run_line_ok("apply -f list.yaml");
        assert_eq!((fixture.published_descriptors("6").len(), fixture.count_requests("sha256-")), (2, 0));
        // It goes with its image.
        fixture.registries.clear_record_and_run_line_ok("create --attestations keep @app:7 %src:amd64 %src:arm64");
        fixture.registries.clear_record_and_run_line_ok("remove @app:7 linux/amd64");
        fixture.registries.clear_record_and_run_line_ok("push @app:7");
        assert_eq!(fixture.published_descriptors("7").len(), 1);
    }
}
