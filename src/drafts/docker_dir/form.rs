//! The members of a sidecar of format 3 that format 2 lacks: the order and the form of the list. See `store-format.md`,
//! "Order and form".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::digest::Digest;
use crate::drafts::docker_dir::names;
use crate::model::descriptor;
use crate::model::json;
use crate::model::source::{Carried, SourceIndex};
use crate::model::{DocumentError, Draft, EntryKey};
use crate::platform::Platform;
use crate::reference::Reference;

/// The members. Entries are named by their files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct SidecarForm {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_source")]
    source: Option<SourceIndex>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    order: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "write_carried")]
    carried: Vec<Carried>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    platforms: BTreeMap<String, Platform>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceMember<'a> {
    media_type: &'a str,
    digest: &'a str,
    raw: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nested: Vec<SourceMember<'a>>,
}

#[derive(Serialize)]
struct CarriedMember<'a> {
    descriptor: &'a Value,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

impl SidecarForm {
    pub(super) fn of(draft: &Draft) -> SidecarForm {
        SidecarForm {
            source: draft.source.clone(),
            order: draft.order.iter().map(names::file_name).collect(),
            carried: draft.carried.clone(),
            platforms: draft.platforms.iter().map(|(key, own)| (names::file_name(key), own.clone())).collect(),
        }
    }

    /// Copies the members to the draft. Names of missing files are skipped.
    pub(super) fn apply_to(&self, draft: &mut Draft) {
        draft.source.clone_from(&self.source);
        draft.carried.clone_from(&self.carried);
        let entries = draft.keyed().keys().map(|key| (names::file_name(key), key.clone()));
        let mut keys: BTreeMap<String, EntryKey> = entries.collect();
        let platform = |(name, own): (&String, &Platform)| Some((keys.get(name)?.clone(), own.clone()));
        draft.platforms = self.platforms.iter().filter_map(platform).collect();
        keys.extend(self.carried.iter().map(|carried| (carried.key().text().to_owned(), carried.key())));
        draft.order = self.order.iter().filter_map(|name| keys.get(name).cloned()).collect();
    }

    pub(super) fn decode(members: &json::Members<'_>) -> Result<SidecarForm, DocumentError> {
        let mut platforms = BTreeMap::new();
        if let Some(value) = members.get("platforms") {
            json::Members::of("Sidecar.platforms", value)?;
            for (key, value) in value.as_object().into_iter().flatten() {
                platforms.insert(key.clone(), descriptor::platform(value)?);
            }
        }
        Ok(SidecarForm {
            source: members.get("source").map(source).transpose()?,
            order: members.strings("order")?,
            carried: members.array("carried")?.iter().map(carried).collect::<Result<_, _>>()?,
            platforms,
        })
    }
}

// serde passes a reference.
#[allow(clippy::ref_option)]
fn write_source<S: Serializer>(source: &Option<SourceIndex>, serializer: S) -> Result<S::Ok, S::Error> {
    source.as_ref().map(source_member).serialize(serializer)
}

fn write_carried<S: Serializer>(carried: &[Carried], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(carried.iter().map(|carried| CarriedMember {
        descriptor: &carried.json,
        source: carried.source.to_string(),
        raw: carried.raw.as_ref().map(|raw| STANDARD.encode(raw)),
    }))
}

fn source_member(source: &SourceIndex) -> SourceMember<'_> {
    SourceMember {
        media_type: &source.media_type,
        digest: source.digest.as_str(),
        raw: STANDARD.encode(&source.raw),
        nested: source.nested.iter().map(source_member).collect(),
    }
}

fn source(value: &Value) -> Result<SourceIndex, DocumentError> {
    let members = json::Members::of("Sidecar.source", value)?;
    let nested = members.array("nested")?.iter().map(one_source);
    Ok(SourceIndex { nested: nested.collect::<Result<_, _>>()?, ..one_source(value)? })
}

/// One source, without its nested indexes. Its bytes must have its digest.
fn one_source(value: &Value) -> Result<SourceIndex, DocumentError> {
    let members = json::Members::of("Sidecar.source", value)?;
    let text = members.string("digest")?;
    let digest: Digest = text.parse().map_err(|error| DocumentError::Digest(text, error))?;
    let raw = bytes(&members.string("raw")?)?;
    if !digest.verifies(&raw) {
        let found = Digest::from_bytes(&raw);
        return Err(DocumentError::Mismatch { reference: "source".to_owned(), expected: digest, found });
    }
    Ok(SourceIndex { media_type: members.string("mediaType")?, digest, raw, nested: Vec::new() })
}

fn carried(value: &Value) -> Result<Carried, DocumentError> {
    let members = json::Members::of("Sidecar.carried", value)?;
    let json = members.get("descriptor").ok_or(DocumentError::Missing("descriptor"))?.clone();
    let source = Reference::parse_canonical(&members.string("source")?)?;
    let raw = Some(members.string("raw")?).filter(|raw| !raw.is_empty());
    Carried::new(json, source, raw.map(|raw| bytes(&raw)).transpose()?)
}

fn bytes(text: &str) -> Result<Vec<u8>, DocumentError> {
    STANDARD.decode(text).map_err(|error| DocumentError::Base64(error.to_string()))
}
