//! Manifest lists and indexes made in memory.

use serde_json::{Map, Value, json};

use super::{DOCKER_LIST, Family, Image, OCI_INDEX, descriptor, sha256, to_json};

/// A manifest list or index, with the images that it lists as far as they were given whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The index's exact bytes.
    pub manifest: Vec<u8>,
    /// The Content-Type that it is pushed and served with.
    pub media_type: String,
    /// The children that were given as images, attestations included, in order.
    pub images: Vec<Image>,
    /// The children that were given as indexes, in order.
    pub indexes: Vec<Index>,
}

impl Index {
    /// A builder of a Docker manifest list, indented by three spaces as docker's own push does.
    pub fn docker() -> IndexBuilder {
        IndexBuilder::new(Family::Docker)
    }

    /// A builder of an OCI index, indented by two spaces as BuildKit does.
    pub fn oci() -> IndexBuilder {
        IndexBuilder::new(Family::Oci)
    }

    /// The index's digest.
    pub fn digest(&self) -> String {
        sha256(&self.manifest)
    }
}

/// Builds an [`Index`]; every setter takes and gives the builder.
#[derive(Clone, Debug)]
pub struct IndexBuilder {
    family: Family,
    children: Vec<Value>,
    images: Vec<Image>,
    indexes: Vec<Index>,
    artifact_type: Option<String>,
    subject: Option<Value>,
    annotations: Map<String, Value>,
    indent: Option<usize>,
    media_type_inside: bool,
}

impl IndexBuilder {
    fn new(family: Family) -> IndexBuilder {
        IndexBuilder {
            family,
            children: Vec::new(),
            images: Vec::new(),
            indexes: Vec::new(),
            artifact_type: None,
            subject: None,
            annotations: Map::new(),
            indent: Some(if family == Family::Docker { 3 } else { 2 }),
            media_type_inside: true,
        }
    }

    /// A child, listed with the platform that its config names.
    pub fn image(self, image: &Image) -> IndexBuilder {
        let platform = image.platform().unwrap_or(Value::Null);
        self.image_with(image, platform, &[])
    }

    /// A child, listed with this platform (`Value::Null` for none) and these annotations on its descriptor.
    pub fn image_with(mut self, image: &Image, platform: Value, annotations: &[(&str, &str)]) -> IndexBuilder {
        self.images.push(image.clone());
        self.add(&image.media_type, &image.manifest, platform, annotations)
    }

    /// A child, listed with the platform that its config names and these `features` of the processor.
    pub fn image_with_features(self, image: &Image, features: &[&str]) -> IndexBuilder {
        let mut platform = image.platform().unwrap_or_else(|| json!({}));
        platform["features"] = json!(features);
        self.image_with(image, platform, &[])
    }

    /// A child that is an index itself, listed without a platform.
    pub fn index(self, index: &Index) -> IndexBuilder {
        self.index_with(index, Value::Null, &[])
    }

    /// A child that is an index itself, listed with this platform (`Value::Null` for none) and these annotations.
    pub fn index_with(mut self, index: &Index, platform: Value, annotations: &[(&str, &str)]) -> IndexBuilder {
        self.indexes.push(index.clone());
        self.add(&index.media_type, &index.manifest, platform, annotations)
    }

    fn add(mut self, media_type: &str, bytes: &[u8], platform: Value, annotations: &[(&str, &str)]) -> IndexBuilder {
        let mut child = descriptor(self.family, media_type, bytes);
        if !annotations.is_empty() {
            child["annotations"] = annotations.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        }
        if !platform.is_null() {
            child["platform"] = platform;
        }
        self.children.push(child);
        self
    }

    /// A child by its descriptor alone, written as given; nothing is uploaded for it.
    pub fn child(mut self, descriptor: Value) -> IndexBuilder {
        self.children.push(descriptor);
        self
    }

    /// An attestation of `image`, as buildx makes one: an OCI image with an in-toto layer and platform unknown/unknown.
    pub fn attestation_of(self, image: &Image) -> IndexBuilder {
        let digest = image.digest();
        let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": digest}]});
        let attestation = Image::oci()
            .platform("unknown", "unknown")
            .layer_of_type("application/vnd.in-toto+json", to_json(&statement, None))
            .build();
        let platform = json!({"architecture": "unknown", "os": "unknown"});
        let annotations =
            [("vnd.docker.reference.digest", digest.as_str()), ("vnd.docker.reference.type", "attestation-manifest")];
        self.image_with(&attestation, platform, &annotations)
    }

    /// An annotation of the index itself.
    pub fn annotation(mut self, key: &str, value: &str) -> IndexBuilder {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// The index's own `artifactType`.
    pub fn artifact_type(mut self, artifact_type: &str) -> IndexBuilder {
        self.artifact_type = Some(artifact_type.into());
        self
    }

    /// The index's `subject`: the image that it refers to.
    pub fn subject(mut self, subject: &Image) -> IndexBuilder {
        self.subject = Some(descriptor(self.family, &subject.media_type, &subject.manifest));
        self
    }

    /// Spaces that the JSON is indented by; `None` for compact.
    pub fn indent(mut self, indent: Option<usize>) -> IndexBuilder {
        self.indent = indent;
        self
    }

    /// Leaves `mediaType` out of the JSON, as the OCI spec allows.
    pub fn without_media_type(mut self) -> IndexBuilder {
        self.media_type_inside = false;
        self
    }

    /// The index.
    pub fn build(self) -> Index {
        let media_type = if self.family == Family::Docker { DOCKER_LIST } else { OCI_INDEX };
        let mut index = Map::new();
        index.insert("schemaVersion".into(), 2.into());
        if self.media_type_inside {
            index.insert("mediaType".into(), media_type.into());
        }
        if let Some(artifact_type) = self.artifact_type {
            index.insert("artifactType".into(), artifact_type.into());
        }
        index.insert("manifests".into(), Value::Array(self.children));
        index.extend(self.subject.map(|subject| ("subject".to_owned(), subject)));
        if !self.annotations.is_empty() {
            index.insert("annotations".into(), Value::Object(self.annotations));
        }
        let manifest = to_json(&Value::Object(index), self.indent);
        Index { manifest, media_type: media_type.into(), images: self.images, indexes: self.indexes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_lists_children_and_attestations() {
        let image = Image::oci().platform("linux", "amd64").layer(b"one").build();
        let index = Index::oci().image(&image).attestation_of(&image).annotation("k", "v").build();
        let value: Value = serde_json::from_slice(&index.manifest).unwrap();
        assert_eq!(value["manifests"][0]["digest"], image.digest());
        assert_eq!(value["manifests"][0]["platform"]["architecture"], "amd64");
        let annotations = &value["manifests"][1]["annotations"];
        assert_eq!(annotations["vnd.docker.reference.digest"], image.digest());
        assert_eq!(value["manifests"][1]["platform"]["os"], "unknown");
        assert_eq!(index.images.len(), 2);
    }
}
