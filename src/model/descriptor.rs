//! Descriptors (image-spec, "OCI Content Descriptors"), as docker writes them into a store entry.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::model::error::DocumentError;
use crate::model::json::Members;
use crate::model::media_type;
use crate::platform::Platform;

/// A descriptor with all members that docker keeps, serialised in docker's order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The content's media type; empty if the document lacks it.
    pub media_type: String,
    /// The content's digest.
    pub digest: Digest,
    /// The content's size in bytes.
    pub size: u64,
    /// Other URLs of the content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations, sorted by name as Go writes a map.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The embedded content in base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// The platform of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The artifact type of the content.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
}

impl Descriptor {
    /// A descriptor of this content with the required members only.
    pub fn for_content(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::from_bytes(bytes), bytes.len() as u64)
    }

    /// A descriptor with the required members only.
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

    /// Whether the content is a foreign layer, which need not be copied because `urls` has it.
    pub fn is_foreign_with_urls(&self) -> bool {
        media_type::is_foreign(&self.media_type) && !self.urls.is_empty()
    }

    /// The platform, unless it is empty.
    pub fn non_empty_platform(&self) -> Option<&Platform> {
        self.platform.as_ref().filter(|platform| **platform != Platform::default())
    }

    /// Whether the descriptor has a platform that is not empty.
    pub fn has_non_empty_platform(&self) -> bool {
        self.non_empty_platform().is_some()
    }

    /// Reads a descriptor as docker does. Unknown members are dropped.
    ///
    /// # Errors
    /// A member of another type, a missing or malformed digest, a negative size.
    pub fn decode(value: &Value) -> Result<Descriptor, DocumentError> {
        let members = Members::parse("Descriptor", value)?;
        let digest = members.string("digest")?;
        if digest.is_empty() {
            return Err(DocumentError::MissingMember("digest"));
        }
        let size = members.integer("size")?;
        Ok(Descriptor {
            media_type: members.string("mediaType")?,
            digest: digest.parse().map_err(|error| DocumentError::InvalidDigest(digest, error))?,
            size: u64::try_from(size).map_err(|_| DocumentError::NegativeSize(size))?,
            urls: members.strings("urls")?,
            annotations: decode_annotations("Descriptor.annotations", &members)?,
            data: members.string("data")?,
            platform: members.get("platform").map(decode_platform).transpose()?,
            artifact_type: members.string("artifactType")?,
        })
    }
}

/// Reads the member `annotations`, which Go's errors call `go_type`.
pub(super) fn decode_annotations(
    go_type: &str,
    members: &Members<'_>,
) -> Result<BTreeMap<String, String>, DocumentError> {
    let Some(value) = members.get("annotations") else { return Ok(BTreeMap::new()) };
    let annotations = Members::parse(go_type, value)?;
    let names = value.as_object().into_iter().flat_map(|map| map.keys());
    names.map(|name| Ok((name.clone(), annotations.case_sensitive_string(name)?))).collect()
}

/// Reads the platform of a descriptor.
///
/// # Errors
/// A member of another type; the message is Go's.
pub fn decode_platform(value: &Value) -> Result<Platform, DocumentError> {
    let features = Members::parse("Platform", value)?.strings("features")?;
    Ok(Platform { features, ..decode_config_platform(value)? })
}

/// Reads the platform in an image's configuration, which has the same members, without `features`, at its top level.
///
/// # Errors
/// A member of another type; the message is Go's.
pub fn decode_config_platform(value: &Value) -> Result<Platform, DocumentError> {
    let members = Members::parse("Platform", value)?;
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
    fn descriptor_keeps_the_members_that_docker_keeps() {
        let digest = Digest::from_bytes(b"x").to_string();
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
    fn decode_reports_why_a_value_is_no_descriptor() {
        for (value, error) in [
            (json!([]), "json: cannot unmarshal array into Go value of type v1.Descriptor"),
            (json!({"size": 1}), "digest is missing"),
            (json!({"digest": "x"}), "digest \"x\": invalid checksum digest format"),
            (json!({"digest": Digest::from_bytes(b"").as_str(), "size": -1}), "invalid size -1"),
            (
                json!({"digest": Digest::from_bytes(b"").as_str(), "platform": {"os": 1}}),
                "json: cannot unmarshal number into Go struct field Platform.os of type string",
            ),
        ] {
            assert_eq!(Descriptor::decode(&value).unwrap_err().to_string(), error);
        }
    }
}
