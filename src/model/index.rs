//! Manifest lists and indexes: the bytes that docker would push for a draft, and those of registries.
//!
//! A Docker manifest list and an OCI image index have the same structure. The index has more members (`annotations`,
//! `artifactType`, `subject`, `data`), which a Docker list cannot hold.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::error::DocumentError;
use crate::model::json::{self, Members};
use crate::model::media_type;
use crate::platform::Platform;

/// The indentation of a list by docker.
const INDENTATION: &str = "   ";

/// The members of a list, of its descriptors and of their platforms, in docker's order. Members that docker does not
/// know are at the positions where a reader expects them.
const LIST_MEMBERS: [&str; 6] = ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"];
const DESCRIPTOR_MEMBERS: [&str; 8] =
    ["mediaType", "size", "digest", "urls", "annotations", "data", "platform", "artifactType"];
const PLATFORM_MEMBERS: [&str; 6] = ["architecture", "os", "os.version", "os.features", "variant", "features"];

/// The format that a draft is published in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListFormat {
    /// Docker's rule: an OCI index if the first entry is an OCI image, otherwise Docker's list.
    #[default]
    Auto,
    /// Docker's manifest list.
    Docker,
    /// The OCI image index.
    Oci,
}

impl ListFormat {
    /// The media type of a list of this format whose first descriptor has the media type `first`.
    pub fn media_type(self, first: Option<&str>) -> &'static str {
        match self {
            ListFormat::Docker => media_type::DOCKER_LIST,
            ListFormat::Oci => media_type::OCI_INDEX,
            ListFormat::Auto if first == Some(media_type::OCI_MANIFEST) => media_type::OCI_INDEX,
            ListFormat::Auto => media_type::DOCKER_LIST,
        }
    }
}

/// The manifest that is sent for a draft: a list, or the image itself. Its bytes and digest are final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedManifest {
    /// That of Docker's manifest list, of the OCI index, or of the image.
    pub media_type: &'static str,
    /// The document, exactly as it is sent.
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub digest: Digest,
    /// A line for the user, if the list has another format than before or than docker would choose.
    pub note: Option<String>,
}

/// A Docker manifest list or an OCI index as a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// The document's own `mediaType`; empty if it has none.
    pub media_type: String,
    /// The document's own `artifactType`; empty if it has none.
    pub artifact_type: String,
    /// The descriptors.
    pub manifests: Vec<Descriptor>,
    /// The document's own `subject`.
    pub subject: Option<Descriptor>,
    /// The document's own annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// Reads a list as docker does. Unknown members are dropped.
    ///
    /// # Errors
    /// Content that is not JSON, and a malformed descriptor.
    pub fn decode(bytes: &[u8]) -> Result<Index, DocumentError> {
        let value = json::parse(bytes)?;
        let members = Members::parse("ManifestList", &value)?;
        Ok(Index {
            media_type: members.string("mediaType")?,
            artifact_type: members.string("artifactType")?,
            manifests: members.array("manifests")?.iter().map(Descriptor::decode).collect::<Result<_, _>>()?,
            subject: members.get("subject").map(Descriptor::decode).transpose()?,
            annotations: descriptor::decode_annotations("ManifestList.annotations", &members)?,
        })
    }

    /// The document as docker writes it: docker's order of members, three spaces per level, no newline at the end.
    ///
    /// # Errors
    /// None for a valid value.
    pub fn encode(&self) -> Result<Vec<u8>, DocumentError> {
        Ok(json::indent(&self.encode_compact()?, INDENTATION))
    }

    /// The document on one line, without white space.
    ///
    /// # Errors
    /// None for a valid value.
    pub fn encode_compact(&self) -> Result<Vec<u8>, DocumentError> {
        let document = Document {
            schema_version: 2,
            media_type: &self.media_type,
            artifact_type: &self.artifact_type,
            manifests: self.manifests.iter().map(ListDescriptor).collect(),
            subject: self.subject.as_ref(),
            annotations: &self.annotations,
        };
        Ok(json::encode(&document)?)
    }

    /// The first thing in this index that a Docker manifest list cannot hold, as words for a message; `None` if such a
    /// list can hold everything.
    pub fn oci_only_content(&self) -> Option<String> {
        if let Some(name) = self.annotations.keys().next() {
            return Some(format!("the annotation {name} of the list"));
        }
        if !self.artifact_type.is_empty() {
            return Some("the list's artifact type".to_owned());
        }
        if self.subject.is_some() {
            return Some("the list's subject".to_owned());
        }
        self.manifests.iter().find_map(|descriptor| {
            let describe = |what: &str| Some(format!("{what} of {}", descriptor.digest));
            match descriptor.annotations.keys().next() {
                Some(name) => describe(&format!("the annotation {name}")),
                None if !descriptor.artifact_type.is_empty() => describe("the artifact type"),
                None if !descriptor.data.is_empty() => describe("the embedded data"),
                None if descriptor.platform.is_none() => describe("the missing platform"),
                None => None,
            }
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    artifact_type: &'a str,
    manifests: Vec<ListDescriptor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// A descriptor with its members in the order of docker's lists, which differs from the order in docker's store.
#[derive(Serialize)]
struct ListDescriptor<'a>(#[serde(with = "ListDescriptorMembers")] &'a Descriptor);

#[derive(Serialize)]
#[serde(remote = "Descriptor", rename_all = "camelCase")]
struct ListDescriptorMembers {
    #[serde(skip_serializing_if = "String::is_empty")]
    media_type: String,
    size: u64,
    digest: Digest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "String::is_empty")]
    artifact_type: String,
}

/// A descriptor of a list on one line, in docker's order.
///
/// # Errors
/// None for a valid value.
pub(super) fn encode_descriptor(descriptor: &Descriptor) -> Result<Vec<u8>, DocumentError> {
    Ok(json::encode(&ListDescriptor(descriptor))?)
}

impl EncodedManifest {
    pub(super) fn new(media_type: &'static str, bytes: Vec<u8>, note: Option<String>) -> EncodedManifest {
        EncodedManifest { media_type, digest: Digest::from_bytes(&bytes), bytes, note }
    }

    /// The list of this index. `format` decides its media type.
    ///
    /// # Errors
    /// None for a valid value.
    pub fn from_index(mut index: Index, format: ListFormat) -> Result<EncodedManifest, DocumentError> {
        let first = index.manifests.first().map(|descriptor| descriptor.media_type.as_str());
        let media_type = format.media_type(first);
        media_type.clone_into(&mut index.media_type);
        Ok(EncodedManifest::new(media_type, index.encode()?, None))
    }
}

/// A published list with docker's order of members and indentation. Members that docker does not know come last.
///
/// # Errors
/// Content that is not JSON.
pub fn pretty_printed_in_docker_order(bytes: &[u8]) -> Result<Vec<u8>, DocumentError> {
    let mut value = json::parse(bytes)?;
    put_first(&mut value, &LIST_MEMBERS);
    if let Some(Value::Array(descriptors)) = value.get_mut("manifests") {
        for descriptor in descriptors {
            put_first(descriptor, &DESCRIPTOR_MEMBERS);
            if let Some(platform) = descriptor.get_mut("platform") {
                put_first(platform, &PLATFORM_MEMBERS);
            }
        }
    }
    Ok(json::indent(&json::encode(&value)?, INDENTATION))
}

/// Moves these members to the front, in this order. The others keep their order: `shift_remove_entry` leaves no gap.
fn put_first(value: &mut Value, names: &[&str]) {
    let Value::Object(map) = value else { return };
    let mut ordered = Map::with_capacity(map.len());
    for name in names {
        if let Some((name, value)) = map.shift_remove_entry(*name) {
            ordered.insert(name, value);
        }
    }
    ordered.append(map);
    *map = ordered;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(media_type: &str) -> Descriptor {
        let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
        Descriptor { platform: Some(platform), ..Descriptor::for_content(media_type, b"{}") }
    }

    fn list(descriptors: &[Descriptor], format: ListFormat) -> EncodedManifest {
        EncodedManifest::from_index(Index { manifests: descriptors.to_vec(), ..Index::default() }, format).unwrap()
    }

    #[test]
    fn auto_format_follows_the_media_type_of_the_first_descriptor() {
        let (docker, oci) = (descriptor(media_type::DOCKER_MANIFEST), descriptor(media_type::OCI_MANIFEST));
        assert_eq!(list(&[docker.clone(), oci.clone()], ListFormat::Auto).media_type, media_type::DOCKER_LIST);
        assert_eq!(list(&[oci.clone(), docker.clone()], ListFormat::Auto).media_type, media_type::OCI_INDEX);
        assert_eq!(list(&[], ListFormat::Auto).media_type, media_type::DOCKER_LIST);
        assert_eq!(list(&[oci], ListFormat::Docker).media_type, media_type::DOCKER_LIST);
        assert_eq!(list(&[docker], ListFormat::Oci).media_type, media_type::OCI_INDEX);
    }

    #[test]
    fn index_encodes_the_bytes_that_docker_pushes() {
        let list = list(&[descriptor(media_type::DOCKER_MANIFEST)], ListFormat::Auto);
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
        let read = Index::decode(&list.bytes).unwrap();
        assert_eq!(read.manifests, [descriptor(media_type::DOCKER_MANIFEST)]);
        assert_eq!(read.encode().unwrap(), list.bytes);
    }

    #[test]
    fn index_decodes_the_oci_only_fields_that_it_encodes() {
        let mut oci_only = descriptor(media_type::OCI_MANIFEST);
        oci_only.annotations.insert("k".into(), "v".into());
        oci_only.artifact_type = "application/x".into();
        oci_only.data = "e30=".into();
        let index = Index {
            media_type: media_type::OCI_INDEX.into(),
            artifact_type: "application/y".into(),
            manifests: vec![oci_only],
            subject: Some(descriptor(media_type::OCI_MANIFEST)),
            annotations: BTreeMap::from([("a".into(), "b".into())]),
        };
        let bytes = index.encode().unwrap();
        assert_eq!(Index::decode(&bytes).unwrap(), index);
        assert_eq!(pretty_printed_in_docker_order(&bytes).unwrap(), bytes);
        assert_eq!(index.oci_only_content().as_deref(), Some("the annotation a of the list"));
    }

    #[test]
    fn oci_only_content_names_what_a_docker_list_cannot_hold() {
        let oci_only_after = |change: &dyn Fn(&mut Index)| {
            let mut index = Index { manifests: vec![descriptor(media_type::DOCKER_MANIFEST)], ..Index::default() };
            change(&mut index);
            index.oci_only_content()
        };
        assert_eq!(oci_only_after(&|_| ()), None);
        let digest = Digest::from_bytes(b"{}");
        assert_eq!(
            oci_only_after(&|index| {
                index.manifests[0].annotations.insert("k".into(), "v".into());
            }),
            Some(format!("the annotation k of {digest}"))
        );
        assert_eq!(
            oci_only_after(&|index| index.manifests[0].data = "x".into()),
            Some(format!("the embedded data of {digest}"))
        );
        assert!(oci_only_after(&|index| index.artifact_type = "x".into()).is_some());
        assert!(oci_only_after(&|index| index.subject = Some(descriptor("m"))).is_some());
        assert!(oci_only_after(&|index| index.manifests[0].platform = None).is_some());
    }

    #[test]
    fn pretty_printed_keeps_all_members_in_dockers_order() {
        let served = json!({
            "annotations": {"z": "1", "a": "<"}, "manifests": [
                {"platform": {"os": "linux", "architecture": "arm", "x": 1}, "y": 2, "digest": "d", "size": 1}
            ], "mediaType": "m", "schemaVersion": 2, "own": true,
        });
        let printed =
            String::from_utf8(pretty_printed_in_docker_order(served.to_string().as_bytes()).unwrap()).unwrap();
        let without_spaces: String = printed.split_whitespace().collect();
        assert_eq!(
            without_spaces,
            concat!(
                r#"{"schemaVersion":2,"mediaType":"m","manifests":[{"size":1,"digest":"d","#,
                r#""platform":{"architecture":"arm","os":"linux","x":1},"y":2}],"#,
                r#""annotations":{"z":"1","a":"\u003c"},"own":true}"#
            )
        );
        assert!(printed.starts_with("{\n   \"schemaVersion\": 2,\n"), "{printed}");
    }
}
