//! Descriptors: a piece of content by media type, digest and size, as the OCI image specification's `descriptor.md`
//! has it and as docker writes it into a store entry.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::digest::Digest;
use crate::model::error::DocumentError;
use crate::model::json::Members;
use crate::model::media_type;
use crate::platform::Platform;

/// A descriptor with all the members that docker keeps; serialised in docker's order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The content's media type; empty where a document leaves it out.
    pub media_type: String,
    /// The content's digest.
    #[serde(serialize_with = "as_text")]
    pub digest: Digest,
    /// The content's size in bytes.
    pub size: u64,
    /// Where else the content may be had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free annotations, in the order of their names as Go writes a map.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The content itself in base64, where it was embedded.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// What the content runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact the content is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
}

fn as_text<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(digest.as_str())
}

impl Descriptor {
    /// A descriptor of these bytes, with nothing but what every descriptor has.
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// A descriptor with nothing but what every descriptor has.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: String::new(),
            platform: None,
            artifact_type: String::new(),
        }
    }

    /// Whether the content may stay where `urls` say, because it must not, or need not, be handed on: a foreign layer.
    pub fn is_foreign(&self) -> bool {
        media_type::is_foreign(&self.media_type) && !self.urls.is_empty()
    }

    /// Whether there is a platform that says of something.
    pub fn has_platform(&self) -> bool {
        self.platform.as_ref().is_some_and(|platform| *platform != Platform::default())
    }

    /// Reads a descriptor as docker does, dropping members that it does not know.
    ///
    /// # Errors
    /// A member of another type, a missing or malformed digest, a size below zero.
    pub fn decode(value: &Value) -> Result<Descriptor, DocumentError> {
        let members = Members::of("Descriptor", value)?;
        let digest = members.string("digest")?;
        if digest.is_empty() {
            return Err(DocumentError::Missing("digest"));
        }
        let size = members.integer("size")?;
        Ok(Descriptor {
            media_type: members.string("mediaType")?,
            digest: digest.parse().map_err(|error| DocumentError::Digest(digest, error))?,
            size: u64::try_from(size).map_err(|_| DocumentError::Size(size))?,
            urls: members.strings("urls")?,
            annotations: annotations("Descriptor.annotations", &members)?,
            data: members.string("data")?,
            platform: members.get("platform").map(platform).transpose()?,
            artifact_type: members.string("artifactType")?,
        })
    }
}

/// The member `annotations`, which Go calls `what` in its errors.
pub(super) fn annotations(what: &str, members: &Members<'_>) -> Result<BTreeMap<String, String>, DocumentError> {
    let Some(value) = members.get("annotations") else { return Ok(BTreeMap::new()) };
    let annotations = Members::of(what, value)?;
    let names = value.as_object().into_iter().flat_map(|map| map.keys());
    names.map(|name| Ok((name.clone(), annotations.exact_string(name)?))).collect()
}

/// Reads a platform from a descriptor.
///
/// # Errors
/// A member of another type; the words are Go's.
pub fn platform(value: &Value) -> Result<Platform, DocumentError> {
    let features = Members::of("Platform", value)?.strings("features")?;
    Ok(Platform { features, ..config_platform(value)? })
}

/// Reads a platform from an image's configuration, which has the members of one at its top, but for `features`.
///
/// # Errors
/// A member of another type; the words are Go's.
pub fn config_platform(value: &Value) -> Result<Platform, DocumentError> {
    let members = Members::of("Platform", value)?;
    Ok(Platform {
        architecture: members.string("architecture")?,
        os: members.string("os")?,
        os_version: members.string("os.version")?,
        os_features: members.strings("os.features")?,
        variant: members.string("variant")?,
        features: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_descriptor_survives_with_what_docker_keeps() {
        let digest = Digest::of(b"x").to_string();
        let value = json!({
            "unknown": 1, "size": 5, "digest": digest, "mediaType": "m",
            "annotations": {"z": "1", "a": "2"}, "platform": null, "urls": null,
        });
        let descriptor = Descriptor::decode(&value).unwrap();
        assert_eq!(
            serde_json::to_string(&descriptor).unwrap(),
            format!(r#"{{"mediaType":"m","digest":"{digest}","size":5,"annotations":{{"a":"2","z":"1"}}}}"#)
        );
    }

    #[test]
    fn what_is_no_descriptor_says_why() {
        for (value, error) in [
            (json!([]), "json: cannot unmarshal array into Go value of type v1.Descriptor"),
            (json!({"size": 1}), "digest is missing"),
            (json!({"digest": "x"}), "digest \"x\": invalid checksum digest format"),
            (json!({"digest": Digest::of(b"").as_str(), "size": -1}), "-1 is no size"),
            (
                json!({"digest": Digest::of(b"").as_str(), "platform": {"os": 1}}),
                "json: cannot unmarshal number into Go struct field Platform.os of type string",
            ),
        ] {
            assert_eq!(Descriptor::decode(&value).unwrap_err().to_string(), error);
        }
    }
}
