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

const INDENTATION: &str = "   ";

/// The members of a list, of a descriptor in it and of a platform, in docker's order. Ours stand where a reader expects
/// them.
const LIST_MEMBERS: [&str; 6] = ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"];
const DESCRIPTOR_MEMBERS: [&str; 8] =
    ["mediaType", "size", "digest", "urls", "annotations", "data", "platform", "artifactType"];
const PLATFORM_MEMBERS: [&str; 6] = ["architecture", "os", "os.version", "os.features", "variant", "features"];

/// The form that a draft is published in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Docker's rule: an OCI index if the first entry is an OCI image, otherwise Docker's list.
    #[default]
    Auto,
    /// Docker's manifest list.
    Docker,
    /// The OCI image index.
    Oci,
}

impl Form {
    /// The media type of a list of this form whose first descriptor has the media type `first`.
    pub fn media_type(self, first: Option<&str>) -> &'static str {
        match self {
            Form::Docker => media_type::DOCKER_LIST,
            Form::Oci => media_type::OCI_INDEX,
            Form::Auto if first == Some(media_type::OCI_MANIFEST) => media_type::OCI_INDEX,
            Form::Auto => media_type::DOCKER_LIST,
        }
    }
}

/// A list ready to be sent: its bytes and digest are final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Docker's manifest list or the OCI index.
    pub media_type: &'static str,
    /// The document, exactly as it is sent.
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub digest: Digest,
    /// A line for the user, if the list has another form than before or than docker would choose.
    pub note: Option<String>,
}

/// A list as a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// The document's own `mediaType`; empty if it has none.
    pub media_type: String,
    /// The document's own `artifactType`; empty if it has none.
    pub artifact_type: String,
    /// The descriptors. One without a platform states none.
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
        let members = Members::of("ManifestList", &value)?;
        Ok(Index {
            media_type: members.string("mediaType")?,
            artifact_type: members.string("artifactType")?,
            manifests: members.array("manifests")?.iter().map(Descriptor::decode).collect::<Result<_, _>>()?,
            subject: members.get("subject").map(Descriptor::decode).transpose()?,
            annotations: descriptor::annotations("ManifestList.annotations", &members)?,
        })
    }

    /// The document in docker's layout: docker's order of members, three spaces per level, no newline at the end.
    ///
    /// # Errors
    /// None for a valid value.
    pub fn encode(&self) -> Result<Vec<u8>, DocumentError> {
        Ok(json::indent(&self.encode_compact()?, INDENTATION))
    }

    /// The same on one line, without white space.
    ///
    /// # Errors
    /// None that a valid value can cause.
    pub fn encode_compact(&self) -> Result<Vec<u8>, DocumentError> {
        let document = Document {
            schema_version: 2,
            media_type: &self.media_type,
            artifact_type: &self.artifact_type,
            manifests: self.manifests.iter().map(ListEntry).collect(),
            subject: self.subject.as_ref(),
            annotations: &self.annotations,
        };
        Ok(json::encode(&document)?)
    }

    /// What a Docker manifest list cannot hold of this, in words; `None` if it can hold all.
    pub fn beyond_docker(&self) -> Option<String> {
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
            let of = |what: &str| Some(format!("{what} of {}", descriptor.digest));
            match descriptor.annotations.keys().next() {
                Some(name) => of(&format!("the annotation {name}")),
                None if !descriptor.artifact_type.is_empty() => of("the artifact type"),
                None if !descriptor.data.is_empty() => of("the embedded data"),
                None if descriptor.platform.is_none() => of("the missing platform"),
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
    manifests: Vec<ListEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// A descriptor in docker's order of a list, which differs from the order in its store.
#[derive(Serialize)]
struct ListEntry<'a>(#[serde(with = "ListEntryMembers")] &'a Descriptor);

#[derive(Serialize)]
#[serde(remote = "Descriptor", rename_all = "camelCase")]
struct ListEntryMembers {
    #[serde(skip_serializing_if = "String::is_empty")]
    media_type: String,
    size: u64,
    #[serde(serialize_with = "descriptor::as_text")]
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

/// One descriptor of a list on one line, in docker's order.
///
/// # Errors
/// None for a valid value.
pub(super) fn encode_descriptor(descriptor: &Descriptor) -> Result<Vec<u8>, DocumentError> {
    Ok(json::encode(&ListEntry(descriptor))?)
}

impl List {
    /// The list of this index. `form` decides its media type.
    ///
    /// # Errors
    /// None for a valid value.
    pub fn of(mut index: Index, form: Form) -> Result<List, DocumentError> {
        let first = index.manifests.first().map(|descriptor| descriptor.media_type.as_str());
        let media_type = form.media_type(first);
        media_type.clone_into(&mut index.media_type);
        let bytes = index.encode()?;
        Ok(List { media_type, digest: Digest::from_bytes(&bytes), bytes, note: None })
    }
}

/// A published list with all its members in docker's layout: docker's order and indentation, members that docker does
/// not know at the end.
///
/// # Errors
/// Content that is not JSON.
pub fn layout(bytes: &[u8]) -> Result<Vec<u8>, DocumentError> {
    let mut value = json::parse(bytes)?;
    order(&mut value, &LIST_MEMBERS);
    if let Some(Value::Array(descriptors)) = value.get_mut("manifests") {
        for descriptor in descriptors {
            order(descriptor, &DESCRIPTOR_MEMBERS);
            if let Some(platform) = descriptor.get_mut("platform") {
                order(platform, &PLATFORM_MEMBERS);
            }
        }
    }
    Ok(json::indent(&json::encode(&value)?, INDENTATION))
}

/// Puts these members first, in this order; the others keep theirs. (Plain `remove` would move the last one into the
/// gap.)
fn order(value: &mut Value, names: &[&str]) {
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

    fn line(media_type: &str) -> Descriptor {
        let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
        Descriptor { platform: Some(platform), ..Descriptor::of(media_type, b"{}") }
    }

    fn list(lines: &[Descriptor], form: Form) -> List {
        List::of(Index { manifests: lines.to_vec(), ..Index::default() }, form).unwrap()
    }

    #[test]
    fn the_first_line_decides_the_media_type_where_nobody_else_does() {
        let (docker, oci) = (line(media_type::DOCKER_MANIFEST), line(media_type::OCI_MANIFEST));
        assert_eq!(list(&[docker.clone(), oci.clone()], Form::Auto).media_type, media_type::DOCKER_LIST);
        assert_eq!(list(&[oci.clone(), docker.clone()], Form::Auto).media_type, media_type::OCI_INDEX);
        assert_eq!(list(&[], Form::Auto).media_type, media_type::DOCKER_LIST);
        assert_eq!(list(&[oci], Form::Docker).media_type, media_type::DOCKER_LIST);
        assert_eq!(list(&[docker], Form::Oci).media_type, media_type::OCI_INDEX);
    }

    #[test]
    fn the_bytes_are_dockers() {
        let list = list(&[line(media_type::DOCKER_MANIFEST)], Form::Auto);
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
        assert_eq!(read.manifests, [line(media_type::DOCKER_MANIFEST)]);
        assert_eq!(read.encode().unwrap(), list.bytes);
    }

    #[test]
    fn an_index_keeps_what_docker_has_no_place_for() {
        let mut whole = line(media_type::OCI_MANIFEST);
        whole.annotations.insert("k".into(), "v".into());
        whole.artifact_type = "application/x".into();
        whole.data = "e30=".into();
        let index = Index {
            media_type: media_type::OCI_INDEX.into(),
            artifact_type: "application/y".into(),
            manifests: vec![whole],
            subject: Some(line(media_type::OCI_MANIFEST)),
            annotations: BTreeMap::from([("a".into(), "b".into())]),
        };
        let bytes = index.encode().unwrap();
        assert_eq!(Index::decode(&bytes).unwrap(), index);
        assert_eq!(layout(&bytes).unwrap(), bytes);
        assert_eq!(index.beyond_docker().as_deref(), Some("the annotation a of the list"));
    }

    #[test]
    fn what_a_docker_list_cannot_say_is_named() {
        let beyond = |change: &dyn Fn(&mut Index)| {
            let mut index = Index { manifests: vec![line(media_type::DOCKER_MANIFEST)], ..Index::default() };
            change(&mut index);
            index.beyond_docker()
        };
        assert_eq!(beyond(&|_| ()), None);
        let digest = Digest::from_bytes(b"{}");
        assert_eq!(
            beyond(&|index| {
                index.manifests[0].annotations.insert("k".into(), "v".into());
            }),
            Some(format!("the annotation k of {digest}"))
        );
        assert_eq!(
            beyond(&|index| index.manifests[0].data = "x".into()),
            Some(format!("the embedded data of {digest}"))
        );
        assert!(beyond(&|index| index.artifact_type = "x".into()).is_some());
        assert!(beyond(&|index| index.subject = Some(line("m"))).is_some());
        assert!(beyond(&|index| index.manifests[0].platform = None).is_some());
    }

    #[test]
    fn a_served_list_is_shown_whole_in_dockers_order() {
        let served = json!({
            "annotations": {"z": "1", "a": "<"}, "manifests": [
                {"platform": {"os": "linux", "architecture": "arm", "x": 1}, "y": 2, "digest": "d", "size": 1}
            ], "mediaType": "m", "schemaVersion": 2, "own": true,
        });
        let shown = String::from_utf8(layout(served.to_string().as_bytes()).unwrap()).unwrap();
        let flat: String = shown.split_whitespace().collect();
        assert_eq!(
            flat,
            concat!(
                r#"{"schemaVersion":2,"mediaType":"m","manifests":[{"size":1,"digest":"d","#,
                r#""platform":{"architecture":"arm","os":"linux","x":1},"y":2}],"#,
                r#""annotations":{"z":"1","a":"\u003c"},"own":true}"#
            )
        );
        assert!(shown.starts_with("{\n   \"schemaVersion\": 2,\n"), "{shown}");
    }
}
