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
        let mut child = descriptor(self.family, &image.media_type, &image.manifest);
        if !annotations.is_empty() {
            child["annotations"] = annotations.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        }
        if !platform.is_null() {
            child["platform"] = platform;
        }
        self.images.push(image.clone());
        self.children.push(child);
        self
    }

    /// A child by its descriptor alone, written as given; nothing is uploaded for it.
    pub fn child(mut self, descriptor: Value) -> IndexBuilder {
        self.children.push(descriptor);
        self
    }

    /// An attestation of `image`, as buildx makes one: an OCI image with an in-toto layer and platform unknown/unknown.
    pub fn attestation(self, image: &Image) -> IndexBuilder {
        let digest = image.digest();
        let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": digest}]});
        let attestation = Image::oci()
            .platform("unknown", "unknown")
            .layer_of_type("application/vnd.in-toto+json", to_json(&statement, None))
            .build();
        let platform = json!({"architecture": "unknown", "os": "unknown"});
        let notes =
            [("vnd.docker.reference.digest", digest.as_str()), ("vnd.docker.reference.type", "attestation-manifest")];
        self.image_with(&attestation, platform, &notes)
    }

    /// An annotation of the index itself.
    pub fn annotation(mut self, key: &str, value: &str) -> IndexBuilder {
        self.annotations.insert(key.into(), value.into());
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
        index.insert("manifests".into(), Value::Array(self.children));
        if !self.annotations.is_empty() {
            index.insert("annotations".into(), Value::Object(self.annotations));
        }
        let manifest = to_json(&Value::Object(index), self.indent);
        Index { manifest, media_type: media_type.into(), images: self.images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_lists_children_and_attestations() {
        let image = Image::oci().platform("linux", "amd64").layer(b"one").build();
        let index = Index::oci().image(&image).attestation(&image).annotation("k", "v").build();
        let value: Value = serde_json::from_slice(&index.manifest).unwrap();
        assert_eq!(value["manifests"][0]["digest"], image.digest());
        assert_eq!(value["manifests"][0]["platform"]["architecture"], "amd64");
        let notes = &value["manifests"][1]["annotations"];
        assert_eq!(notes["vnd.docker.reference.digest"], image.digest());
        assert_eq!(value["manifests"][1]["platform"]["os"], "unknown");
        assert_eq!(index.images.len(), 2);
    }
}
