//! `inspect --format '{{…}}'`: the output of `docker buildx imagetools inspect`, and the requests that it takes.

use base64::Engine as _;
use serde_json::Value;
use testkit::image::fixtures::{buildx_image, buildx_index};
use testkit::image::{Image, Index};

use super::fixture::Fixture;

impl Fixture {
    /// The output without white space, and the number of requests.
    fn render_without_spaces(&self, template: &str, more: &[&str]) -> (String, usize) {
        let stdout = self.run_recorded(&[&["inspect", "--format", template], more].concat()).success().out();
        (stdout.split_whitespace().collect(), self.registry.requests().len())
    }
}

#[test]
fn templates_print_what_buildx_prints() {
    let fixture = Fixture::new();
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    fixture.registry.put_index("app", "1", &index);
    fixture.registry.put_image("app", "one", &buildx_image("linux/amd64"));
    let digest = index.digest();
    assert_eq!(fixture.render_without_spaces("{{.Manifest.Digest}}", &["@app:1"]), (digest.clone(), 1));
    let (json, requests) = fixture.render_without_spaces("{{json .Manifest}}", &["@app:1"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let served: Value = serde_json::from_slice(&index.manifest).expect("JSON");
    assert_eq!((&json["digest"], &json["manifests"], requests), (&digest.into(), &served["manifests"], 1));
    let platforms =
        "{{range .Manifest.Manifests}}{{if ne .Platform.OS \"unknown\"}}{{.Platform.Architecture}};{{end}}{{end}}";
    assert_eq!(fixture.render_without_spaces(platforms, &["@app:1"]), ("amd64;arm64;".to_owned(), 1));
    let (images, requests) = fixture
        .render_without_spaces("{{range $platform, $image := .Image}}{{$platform}}={{$image.OS}};{{end}}", &["@app:1"]);
    assert_eq!((images.as_str(), requests), ("linux/amd64=linux;linux/arm64=linux;", 5));
    // The list, the attestations and their statements; no image and no configuration.
    let (provenance, requests) = fixture.render_without_spaces(
        "{{range $platform, $found := .Provenance}}{{$platform}};{{json $found.SLSA}}{{end}}",
        &["@app:1"],
    );
    assert!(provenance.starts_with("linux/amd64;{") && provenance.contains("linux/arm64;{"), "{provenance}");
    assert_eq!(requests, 5);
    let (sbom, _) = fixture.render_without_spaces("{{json (index .SBOM \"linux/arm64\").SPDX}}", &["@app:1"]);
    assert!(sbom.starts_with("{"), "{sbom}");
    let (picked, _) = fixture.render_without_spaces(
        "{{.Manifest.Digest}};{{if .Provenance.SLSA}}attested{{end}}",
        &["--platform", "linux/arm64", "@app:1"],
    );
    assert_eq!(picked, format!("{};attested", index.images[1].digest()));
    assert_eq!(
        fixture.render_without_spaces("{{.Image.Architecture}}{{.Manifest.MediaType}}", &["@app:one"]).0,
        "amd64application/vnd.oci.image.manifest.v1+json"
    );
    let lines = fixture.run_recorded(&["inspect", "--format", "{{.Manifest}}", "@app:1"]).success().out();
    assert!(lines.starts_with("Name:      ") && lines.contains("\n  Platform:  linux/arm64\n"), "{lines}");
    signed_statements_are_shown(&fixture);
    for (template, expected) in [
        ("{{.Manifest.Digset}}", "template: 1:3: there is no member \"Digset\" of Index, which has SchemaVersion"),
        ("{{nothing .Name}}", "for \"--format\" flag: template: 1:3: there is no function \"nothing\""),
        ("{{.Name", "for \"--format\" flag: template: 1:"),
    ] {
        let refused = fixture.run_recorded(&["inspect", "--format", template, "@app:1"]);
        assert!(refused.err().contains(expected) && refused.code != 0, "{template}: {}", refused.err());
    }
    // A draft says what it would be published as, and no more.
    let _ = fixture.run_recorded(&["create", "@list:1", "@app:1"]).success();
    assert_eq!(fixture.render_without_spaces("{{.Manifest.Digest}}", &["@list:1"]), (index.digest(), 0));
    let refused = fixture.run_recorded(&["inspect", "--format", "{{.Image}}", "@list:1"]);
    assert!(
        refused.err().contains("is a draft, which has neither configurations nor attestations"),
        "{}",
        refused.err()
    );
    let odd = Image::oci().platform("linux", "amd64").layer("x").annotation("k", "\u{1b}[2J").build();
    fixture.registry.put_image("app", "odd", &odd);
    let label = fixture.render_without_spaces("{{.Image.OS}}", &["@app:odd"]);
    assert_eq!(label.0, "linux");
}

/// Statements in envelopes: those that buildx reads, plain DSSE, and bundles of sigstore.
fn signed_statements_are_shown(fixture: &Fixture) {
    let provenance = r#"{"predicate": {"buildType": "signed"}}"#;
    let payload = base64::engine::general_purpose::STANDARD.encode(provenance);
    let envelope = format!(r#"{{"payloadType": "application/vnd.in-toto+json", "payload": "{payload}"}}"#);
    let bundle = format!(r#"{{"dsseEnvelope": {envelope}}}"#);
    for (number, (media_type, content)) in [
        ("application/vnd.in-toto.provenance+dsse", &envelope),
        ("application/vnd.dsse.envelope.v1+json", &envelope),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", &bundle),
    ]
    .into_iter()
    .enumerate()
    {
        let image = buildx_image("linux/amd64");
        let kind = [("in-toto.io/predicate-type", "https://slsa.dev/provenance/v1")];
        let builder = Image::oci().platform("unknown", "unknown");
        let attestation = builder.layer_annotated(media_type, content, &kind).build();
        let digest = image.digest();
        let notes =
            [("vnd.docker.reference.digest", digest.as_str()), ("vnd.docker.reference.type", "attestation-manifest")];
        let unknown_platform = serde_json::json!({"architecture": "unknown", "os": "unknown"});
        let index = Index::oci().image(&image).image_with(&attestation, unknown_platform, &notes).build();
        fixture.registry.put_index("signed", &number.to_string(), &index);
        let (shown, _) = fixture.render_without_spaces("{{json .Provenance.SLSA}}", &[&format!("@signed:{number}")]);
        assert_eq!(shown, r#"{"buildType":"signed"}"#, "{media_type}");
    }
}
