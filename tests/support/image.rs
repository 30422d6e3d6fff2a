//! Images and indexes made in memory, byte for byte as the builder is told.
//!
//! Everything is spelled out here rather than borrowed from the crate under test, so that a fault there cannot
//! hide in the material it is tested with. Formats: Docker image manifest v2 schema 2 and the OCI image spec 1.1.

pub mod fixtures;
mod index;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};

pub use index::{Index, IndexBuilder};

/// Media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of a Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of an OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a Docker layer whose bytes stay at another address.
pub const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// `sha256:` and the 64 hex digits of the bytes' hash.
pub fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The same under the longer algorithm that references may name.
pub fn sha512(bytes: &[u8]) -> String {
    let hex: String = Sha512::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha512:{hex}")
}

/// Which of the two families of media types a builder uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Docker,
    Oci,
}

/// An image: its manifest as it travels, and the blobs that a registry must have before it takes the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The manifest's exact bytes.
    pub manifest: Vec<u8>,
    /// The Content-Type that the manifest is pushed and served with.
    pub media_type: String,
    /// The config blob.
    pub config: Vec<u8>,
    /// The layers that are uploaded, in order; foreign layers are not among them.
    pub layers: Vec<Vec<u8>>,
}

impl Image {
    /// A builder of a Docker image, indented by three spaces as docker's own push does.
    pub fn docker() -> ImageBuilder {
        ImageBuilder::new(Family::Docker)
    }

    /// A builder of an OCI image, indented by two spaces as BuildKit does.
    pub fn oci() -> ImageBuilder {
        ImageBuilder::new(Family::Oci)
    }

    /// The manifest's digest.
    pub fn digest(&self) -> String {
        sha256(&self.manifest)
    }

    /// The config blob's digest.
    pub fn config_digest(&self) -> String {
        sha256(&self.config)
    }

    /// Every blob that must be uploaded: the config, then the layers.
    pub fn blobs(&self) -> Vec<&[u8]> {
        let mut blobs = vec![self.config.as_slice()];
        blobs.extend(self.layers.iter().map(Vec::as_slice));
        blobs
    }

    /// The platform as an index writes it, read from the config; `None` when the config says nothing of one.
    pub fn platform(&self) -> Option<Value> {
        let config: Value = serde_json::from_slice(&self.config).ok()?;
        let mut platform = Map::new();
        for key in ["architecture", "os", "os.version", "os.features", "variant"] {
            if let Some(value) = config.get(key) {
                platform.insert(key.into(), value.clone());
            }
        }
        (!platform.is_empty()).then(|| Value::Object(platform))
    }
}

/// Builds an [`Image`]; every setter takes and gives the builder.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    family: Family,
    config: Map<String, Value>,
    config_raw: Option<Vec<u8>>,
    config_media_type: String,
    artifact_type: Option<String>,
    layers: Vec<(Value, Option<Vec<u8>>, String)>,
    subject: Option<Value>,
    annotations: Map<String, Value>,
    indent: Option<usize>,
    media_type_inside: bool,
}

impl ImageBuilder {
    fn new(family: Family) -> ImageBuilder {
        let (config_media_type, indent) = match family {
            Family::Docker => (DOCKER_CONFIG, 3),
            Family::Oci => (OCI_CONFIG, 2),
        };
        ImageBuilder {
            family,
            config: Map::new(),
            config_raw: None,
            config_media_type: config_media_type.into(),
            artifact_type: None,
            layers: Vec::new(),
            subject: None,
            annotations: Map::new(),
            indent: Some(indent),
            media_type_inside: true,
        }
    }

    /// The config's `os` and `architecture`.
    pub fn platform(mut self, os: &str, arch: &str) -> ImageBuilder {
        self.config.insert("architecture".into(), arch.into());
        self.config.insert("os".into(), os.into());
        self
    }

    /// The config's `variant`.
    pub fn variant(mut self, variant: &str) -> ImageBuilder {
        self.config.insert("variant".into(), variant.into());
        self
    }

    /// The config's `os.version`.
    pub fn os_version(mut self, version: &str) -> ImageBuilder {
        self.config.insert("os.version".into(), version.into());
        self
    }

    /// The config's `os.features`.
    pub fn os_features(mut self, features: &[&str]) -> ImageBuilder {
        self.config.insert("os.features".into(), json!(features));
        self
    }

    /// One more layer, with the family's own media type.
    pub fn layer(self, bytes: impl AsRef<[u8]>) -> ImageBuilder {
        let media_type = if self.family == Family::Docker { DOCKER_LAYER } else { OCI_LAYER };
        self.layer_of_type(media_type, bytes)
    }

    /// One more layer, with a media type of the caller's.
    pub fn layer_of_type(mut self, media_type: &str, bytes: impl AsRef<[u8]>) -> ImageBuilder {
        let bytes = bytes.as_ref();
        let descriptor = self.descriptor(media_type, bytes);
        self.layers.push((descriptor, Some(bytes.to_vec()), sha256(bytes)));
        self
    }

    /// One more layer, with a media type of the caller's and annotations on its descriptor.
    pub fn layer_annotated(self, media_type: &str, bytes: impl AsRef<[u8]>, annotations: &[(&str, &str)]) -> Self {
        let mut builder = self.layer_of_type(media_type, bytes);
        if let Some((descriptor, ..)) = builder.layers.last_mut() {
            descriptor["annotations"] = annotations.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        }
        builder
    }

    /// One more layer by its digest and size in bytes alone. The caller puts it in place, for example with
    /// `Registry::put_generated_blob`.
    pub fn layer_by_digest(mut self, digest: &str, size: u64) -> ImageBuilder {
        let media_type = if self.family == Family::Docker { DOCKER_LAYER } else { OCI_LAYER };
        let mut descriptor = self.descriptor(media_type, b"");
        (descriptor["digest"], descriptor["size"]) = (digest.into(), size.into());
        self.layers.push((descriptor, None, digest.to_owned()));
        self
    }

    /// One more layer that stays at `url`: named in the manifest, never uploaded.
    pub fn foreign_layer(mut self, url: &str, bytes: impl AsRef<[u8]>) -> ImageBuilder {
        let bytes = bytes.as_ref();
        let media_type = match self.family {
            Family::Docker => DOCKER_FOREIGN_LAYER,
            Family::Oci => "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        };
        let mut descriptor = self.descriptor(media_type, bytes);
        descriptor["urls"] = json!([url]);
        self.layers.push((descriptor, None, sha256(bytes)));
        self
    }

    /// An annotation of the manifest.
    pub fn annotation(mut self, key: &str, value: &str) -> ImageBuilder {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// The manifest's `artifactType`.
    pub fn artifact_type(mut self, artifact_type: &str) -> ImageBuilder {
        self.artifact_type = Some(artifact_type.into());
        self
    }

    /// The manifest's `subject`: the image that this one refers to.
    pub fn subject(mut self, subject: &Image) -> ImageBuilder {
        self.subject = Some(self.descriptor(&subject.media_type, &subject.manifest));
        self
    }

    /// Spaces that the manifest's JSON is indented by; `None` for compact.
    pub fn indent(mut self, indent: Option<usize>) -> ImageBuilder {
        self.indent = indent;
        self
    }

    /// Leaves `mediaType` out of the manifest, as the OCI spec allows; the Content-Type stays.
    pub fn without_media_type(mut self) -> ImageBuilder {
        self.media_type_inside = false;
        self
    }

    /// The config blob as given, whatever was said of the platform.
    pub fn config_raw(mut self, bytes: impl AsRef<[u8]>) -> ImageBuilder {
        self.config_raw = Some(bytes.as_ref().to_vec());
        self
    }

    /// The media type that the manifest gives the config.
    pub fn config_media_type(mut self, media_type: &str) -> ImageBuilder {
        self.config_media_type = media_type.into();
        self
    }

    /// The image.
    pub fn build(self) -> Image {
        let media_type = if self.family == Family::Docker { DOCKER_MANIFEST } else { OCI_MANIFEST };
        let config = self.config_raw.clone().unwrap_or_else(|| self.config_bytes());
        let mut manifest = Map::new();
        manifest.insert("schemaVersion".into(), 2.into());
        if self.media_type_inside {
            manifest.insert("mediaType".into(), media_type.into());
        }
        if let Some(artifact_type) = &self.artifact_type {
            manifest.insert("artifactType".into(), artifact_type.as_str().into());
        }
        manifest.insert("config".into(), self.descriptor(&self.config_media_type, &config));
        manifest.insert("layers".into(), self.layers.iter().map(|(descriptor, ..)| descriptor.clone()).collect());
        if let Some(subject) = &self.subject {
            manifest.insert("subject".into(), subject.clone());
        }
        if !self.annotations.is_empty() {
            manifest.insert("annotations".into(), Value::Object(self.annotations.clone()));
        }
        Image {
            manifest: to_json(&Value::Object(manifest), self.indent),
            media_type: media_type.into(),
            config,
            layers: self.layers.into_iter().filter_map(|(_, bytes, _)| bytes).collect(),
        }
    }

    fn config_bytes(&self) -> Vec<u8> {
        let mut config = self.config.clone();
        config.insert("config".into(), json!({}));
        let ids: Vec<&str> = self.layers.iter().map(|(_, _, id)| id.as_str()).collect();
        config.insert("rootfs".into(), json!({"type": "layers", "diff_ids": ids}));
        to_json(&Value::Object(config), None)
    }

    fn descriptor(&self, media_type: &str, bytes: &[u8]) -> Value {
        descriptor(self.family, media_type, bytes)
    }
}

/// A descriptor with its keys in the order that the family's own tools write them.
fn descriptor(family: Family, media_type: &str, bytes: &[u8]) -> Value {
    match family {
        Family::Docker => json!({"mediaType": media_type, "size": bytes.len(), "digest": sha256(bytes)}),
        Family::Oci => json!({"mediaType": media_type, "digest": sha256(bytes), "size": bytes.len()}),
    }
}

/// The JSON, keys in the order they were put in, indented by so many spaces or compact.
fn to_json(value: &Value, indent: Option<usize>) -> Vec<u8> {
    let Some(width) = indent else { return value.to_string().into_bytes() };
    let spaces = vec![b' '; width];
    let mut encoded = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
    let mut serializer = serde_json::Serializer::with_formatter(&mut encoded, formatter);
    value.serialize(&mut serializer).expect("a JSON value always serialises into memory");
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_image_is_what_docker_writes() {
        let image = Image::docker().platform("linux", "arm").variant("v7").layer(b"one").build();
        let text = String::from_utf8(image.manifest.clone()).unwrap();
        assert!(text.starts_with("{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"application/vnd.docker"), "{text}");
        assert!(text.contains(&image.config_digest()) && text.contains(&sha256(b"one")), "{text}");
        assert_eq!(image.platform().unwrap().to_string(), r#"{"architecture":"arm","os":"linux","variant":"v7"}"#);
        assert_eq!(sha256(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn builder_options_change_the_bytes() {
        let image = Image::oci().platform("windows", "amd64").without_media_type().indent(None).annotation("a", "b");
        let image = image.foreign_layer("https://example.test/base", b"base").build();
        let manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
        assert!(manifest.get("mediaType").is_none() && !image.manifest.contains(&b'\n'));
        assert_eq!(manifest["layers"][0]["urls"][0], "https://example.test/base");
        assert_eq!(manifest["annotations"]["a"], "b");
        assert!(image.layers.is_empty());
        let raw = Image::oci().config_raw(b"{}").config_media_type("x/y").build();
        assert_eq!(raw.config, b"{}");
        assert!(String::from_utf8(raw.manifest).unwrap().contains("\"x/y\""));
    }
}
