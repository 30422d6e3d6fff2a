//! Whole images and indexes in the shapes that today's tools push, written down from what those tools write.

use serde_json::{Value, json};

use super::{Image, Index, to_json};

const IN_TOTO: &str = "application/vnd.in-toto+json";
const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";

/// An OCI image as BuildKit makes it, for a platform `os/arch` or `os/arch/variant`: its own base layer and an own one.
pub fn buildx_image(platform: &str) -> Image {
    let mut parts = platform.split('/');
    let (os, arch) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let builder = Image::oci().platform(os, arch);
    let builder = parts.next().map_or(builder.clone(), |variant| builder.variant(variant));
    builder.layer(format!("base of {platform}")).layer(format!("program for {platform}")).build()
}

/// What BuildKit says about an image beside it: an image for no platform, whose layers are an in-toto statement of its
/// provenance (SLSA) and one of its contents (SPDX).
pub fn attestation_of(image: &Image) -> Image {
    let digest = image.digest();
    let statement = |predicate: &str, body: Value| {
        let subject = json!([{"name": "pkg:docker/app", "digest": {"sha256": digest.trim_start_matches("sha256:")}}]);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": predicate,
            "subject": subject,
            "predicate": body,
        });
        to_json(&statement, None)
    };
    let mut builder = Image::oci().platform("unknown", "unknown");
    for (predicate, body) in [
        ("https://slsa.dev/provenance/v0.2", json!({"buildType": "https://mobyproject.org/buildkit@v1"})),
        ("https://spdx.dev/Document", json!({"spdxVersion": "SPDX-2.3", "name": "app"})),
    ] {
        let annotations = [("in-toto.io/predicate-type", predicate)];
        builder = builder.layer_annotated(IN_TOTO, statement(predicate, body), &annotations);
    }
    builder.build()
}

/// What `docker buildx build --platform … --provenance=true --sbom=true` pushes: an OCI index of the images, then an
/// attestation of each, listed for unknown/unknown with the two annotations that name what it is about.
pub fn buildx_index(platforms: &[&str]) -> Index {
    let images: Vec<Image> = platforms.iter().map(|platform| buildx_image(platform)).collect();
    let mut builder = Index::oci();
    for image in &images {
        builder = builder.image(image);
    }
    for image in &images {
        let digest = image.digest();
        let annotations =
            [("vnd.docker.reference.digest", digest.as_str()), ("vnd.docker.reference.type", "attestation-manifest")];
        let unknown_platform = json!({"architecture": "unknown", "os": "unknown"});
        builder = builder.image_with(&attestation_of(image), unknown_platform, &annotations);
    }
    builder.build()
}

/// A Helm chart as `helm push` makes it: an OCI image whose config names no platform.
pub fn helm_chart(name: &str, version: &str) -> Image {
    let config = json!({"name": name, "version": version, "apiVersion": "v2", "type": "application"});
    Image::oci()
        .config_raw(to_json(&config, None))
        .config_media_type("application/vnd.cncf.helm.config.v1+json")
        .layer_of_type("application/vnd.cncf.helm.chart.content.v1.tar+gzip", format!("chart {name} {version}"))
        .annotation("org.opencontainers.image.title", name)
        .annotation("org.opencontainers.image.version", version)
        .indent(None)
        .build()
}

/// An OCI artifact as `oras push` makes it: an `artifactType`, and `{}` for a config.
pub fn artifact(artifact_type: &str, content: &[u8]) -> Image {
    let annotations = [("org.opencontainers.image.title", "content")];
    Image::oci()
        .artifact_type(artifact_type)
        .config_raw(b"{}")
        .config_media_type(EMPTY_CONFIG)
        .layer_annotated("application/octet-stream", content, &annotations)
        .indent(None)
        .build()
}

/// An OCI artifact that is about an image: a signature, say.
pub fn referrer(subject: &Image, artifact_type: &str) -> Image {
    Image::oci()
        .artifact_type(artifact_type)
        .config_raw(b"{}")
        .config_media_type(EMPTY_CONFIG)
        .layer_of_type("application/octet-stream", format!("about {}", subject.digest()))
        .subject(subject)
        .build()
}

/// A Docker image whose config, by its media type JSON, is none.
pub fn config_not_json() -> Image {
    Image::docker().config_raw(b"\x1f\x8b not JSON").layer(b"layer").build()
}

/// A Windows image as Docker makes it: an `os.version`, `win32k` among the `os.features`, and a base layer that stays
/// with Microsoft.
pub fn windows_image(os_version: &str) -> Image {
    Image::docker()
        .platform("windows", "amd64")
        .os_version(os_version)
        .os_features(&["win32k"])
        .foreign_layer("https://mcr.test/base", format!("windows {os_version}"))
        .layer(format!("program for {os_version}"))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::image::OCI_INDEX;
    use crate::loopback::{GeneratedBlob, Registry};

    fn json_of(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn an_index_is_shaped_as_buildx_pushes_it() {
        let index = buildx_index(&["linux/amd64", "linux/arm/v7"]);
        let value = json_of(&index.manifest);
        let children = value["manifests"].as_array().unwrap();
        assert_eq!((children.len(), index.images.len()), (4, 4));
        assert!(value.get("annotations").is_none());
        assert_eq!(children[1]["platform"].to_string(), r#"{"architecture":"arm","os":"linux","variant":"v7"}"#);
        let keys: Vec<&String> = children[3].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["mediaType", "digest", "size", "annotations", "platform"]);
        assert_eq!(children[3]["annotations"]["vnd.docker.reference.digest"], index.images[1].digest());
        let attestation = json_of(&index.images[3].manifest);
        let kinds: Vec<&Value> =
            attestation["layers"].as_array().unwrap().iter().map(|layer| &layer["annotations"]).collect();
        assert_eq!(kinds[0]["in-toto.io/predicate-type"], "https://slsa.dev/provenance/v0.2");
        assert_eq!(kinds[1]["in-toto.io/predicate-type"], "https://spdx.dev/Document");
        assert_eq!(index.images[3].platform().unwrap()["os"], "unknown");
    }

    #[test]
    fn artifacts_have_no_platform() {
        let chart = helm_chart("app", "1.2.3");
        assert_eq!(json_of(&chart.manifest)["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json");
        let artifact = artifact("x/notes", b"hello");
        let manifest = json_of(&artifact.manifest);
        assert_eq!(
            (manifest["artifactType"].as_str(), artifact.config.as_slice()),
            (Some("x/notes"), b"{}".as_slice())
        );
        assert_eq!(
            manifest["config"]["digest"],
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        for image in [&chart, &artifact, &config_not_json()] {
            assert_eq!(image.platform(), None);
        }
        let signature = referrer(&artifact, "x/signature");
        assert_eq!(json_of(&signature.manifest)["subject"]["digest"], artifact.digest());
        let windows = windows_image("10.0.17763.1");
        assert_eq!(windows.platform().unwrap()["os.features"][0], "win32k");
        assert_eq!(windows.layers.len(), 1);
    }

    #[test]
    fn nested_indexes_are_stored_with_all_children() {
        let inner = buildx_index(&["linux/amd64"]);
        let middle = Index::oci().index(&inner).build();
        let image = buildx_image("linux/arm64/v8");
        let builder =
            Index::oci().image_with_features(&image, &["sse4"]).index_with(&middle, json!({"os": "linux"}), &[]);
        let outer = builder.artifact_type("x/bundle").subject(&image).annotation("k", "v").build();
        let value = json_of(&outer.manifest);
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"]);
        let platform = r#"{"architecture":"arm64","os":"linux","variant":"v8","features":["sse4"]}"#;
        assert_eq!(value["manifests"][0]["platform"].to_string(), platform);
        assert_eq!(
            (value["manifests"][1]["mediaType"].as_str(), value["subject"]["digest"].as_str()),
            (Some(OCI_INDEX), Some(&*image.digest()))
        );
        let (put, pushed) = (Registry::start(), Registry::start());
        put.put_index("app", "1", &outer);
        Client::new(pushed.host()).push_index("app", "1", &outer);
        for registry in [&put, &pushed] {
            for digest in [outer.digest(), middle.digest(), inner.digest(), inner.images[1].digest(), image.digest()] {
                assert!(registry.manifest("app", &digest).is_some(), "{digest}");
            }
            assert_eq!(registry.tags("app"), ["1"]);
        }
    }

    #[test]
    fn a_generated_layer_is_put_in_place_separately() {
        let blob = GeneratedBlob::new(2_000_000, 1);
        let image = Image::docker()
            .platform("linux", "amd64")
            .layer(b"small")
            .layer_by_digest(&blob.digest(), blob.size())
            .build();
        let layer = &json_of(&image.manifest)["layers"][1];
        assert_eq!((layer["size"].as_u64(), layer["digest"].as_str()), (Some(2_000_000), Some(&*blob.digest())));
        let registry = Registry::start();
        registry.put_image("app", "1", &image);
        assert!(!registry.has_blob("app", &blob.digest()));
        registry.put_generated_blob("app", &blob);
        assert_eq!(registry.blob_size("app", &blob.digest()), Some(2_000_000));
    }
}
