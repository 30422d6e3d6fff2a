//! Manifest lists and indexes: the bytes that docker would push for a draft, and what a registry's own say.

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::document::descriptor::{self, Descriptor};
use crate::document::error::DocumentError;
use crate::document::gojson::{self, Members};
use crate::document::media_type;
use crate::platform::Platform;

const INDENTATION: &str = "   ";

/// Which of the two kinds of list a draft becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Docker's rule: an OCI index where the first entry is an OCI image, else docker's own.
    #[default]
    Auto,
    /// Docker's manifest list, whatever is in it.
    Docker,
    /// The OCI index, whatever is in it.
    Oci,
}

/// A list ready to be sent: its bytes are final, and its digest is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Docker's manifest list or the OCI index.
    pub media_type: &'static str,
    /// The document, exactly as it goes over the wire.
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub digest: Digest,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The manifest's media type.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The manifest's size in bytes.
    pub size: u64,
    /// The manifest's digest.
    #[serde(serialize_with = "digest_text")]
    pub digest: Digest,
    /// What the image runs on; empty where the list does not say.
    pub platform: Platform,
}

fn digest_text<S: serde::Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(digest.as_str())
}

impl Item {
    /// The line for a manifest with this descriptor.
    pub fn of(descriptor: &Descriptor) -> Item {
        Item {
            media_type: descriptor.media_type.clone(),
            size: descriptor.size,
            digest: descriptor.digest.clone(),
            platform: descriptor.platform.clone().unwrap_or_default(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: &'a [Item],
}

/// Builds the list of these items as docker does: an OCI index where the first is an OCI image, else docker's own.
///
/// # Errors
/// None that a valid item can cause.
pub fn build(items: &[Item]) -> Result<List, DocumentError> {
    let first_is_oci = items.first().is_some_and(|item| item.media_type == media_type::OCI_MANIFEST);
    let media_type = if first_is_oci { media_type::OCI_INDEX } else { media_type::DOCKER_LIST };
    let line = gojson::encode(&Document { schema_version: 2, media_type, manifests: items })?;
    let bytes = gojson::indent(&line, INDENTATION);
    Ok(List { media_type, digest: Digest::of(&bytes), bytes })
}

/// The items of a list that a registry served.
///
/// # Errors
/// Where it is not JSON, or a descriptor in it is malformed.
pub fn items(bytes: &[u8]) -> Result<Vec<Item>, DocumentError> {
    let value = gojson::parse(bytes)?;
    let manifests = Members::of("ManifestList", &value)?.array("manifests")?;
    let item = |value: &Value| {
        let found = Descriptor::decode(value)?;
        let platform = Members::of("ManifestDescriptor", value)?.get("platform").map(descriptor::platform);
        Ok(Item { platform: platform.transpose()?.unwrap_or_default(), ..Item::of(&found) })
    };
    manifests.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(media_type: &str) -> Item {
        let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
        let descriptor = Descriptor { platform: Some(platform), ..Descriptor::of(media_type, b"{}") };
        Item::of(&descriptor)
    }

    #[test]
    fn the_first_item_decides_the_media_type() {
        let (docker, oci) = (item(media_type::DOCKER_MANIFEST), item(media_type::OCI_MANIFEST));
        assert_eq!(build(&[docker.clone(), oci.clone()]).unwrap().media_type, media_type::DOCKER_LIST);
        assert_eq!(build(&[oci, docker]).unwrap().media_type, media_type::OCI_INDEX);
        assert_eq!(build(&[]).unwrap().media_type, media_type::DOCKER_LIST);
    }

    #[test]
    fn the_bytes_are_dockers() {
        let list = build(&[item(media_type::DOCKER_MANIFEST)]).unwrap();
        let expected = r#"{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
   "manifests": [
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 2,
         "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
         "platform": {
            "architecture": "amd64",
            "os": "linux"
         }
      }
   ]
}"#;
        assert_eq!(String::from_utf8(list.bytes.clone()).unwrap(), expected);
        assert_eq!(items(&list.bytes).unwrap(), [item(media_type::DOCKER_MANIFEST)]);
    }
}
