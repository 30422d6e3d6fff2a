//! The members that format 3 of a sidecar adds to format 2: the source index and the order of the list. See
//! `store-format.md`, "Order and source index".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::drafts::docker_dir::docker_names;
use crate::model::descriptor;
use crate::model::json;
use crate::model::source_index::{OpaqueDescriptor, SourceIndex};
use crate::model::{DocumentError, Draft, EntryKey};
use crate::platform::Platform;
use crate::reference::Reference;

/// The members of format 3. They name entries by their files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Format3Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceIndex>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    order: Vec<String>,
    #[serde(rename = "carried", skip_serializing_if = "Vec::is_empty")]
    opaque_descriptors: Vec<OpaqueDescriptor>,
    #[serde(rename = "platforms", skip_serializing_if = "BTreeMap::is_empty")]
    config_platforms: BTreeMap<String, Platform>,
}

impl Format3Members {
    pub(super) fn from_draft(draft: &Draft) -> Format3Members {
        Format3Members {
            source: draft.source.clone(),
            order: draft.order.iter().map(docker_names::file_name).collect(),
            opaque_descriptors: draft.opaque_descriptors.clone(),
            config_platforms: draft
                .config_platforms
                .iter()
                .map(|(key, platform)| (docker_names::file_name(key), platform.clone()))
                .collect(),
        }
    }

    /// Copies the members to the draft. Names of missing files are skipped.
    pub(super) fn restore_list_fields(&self, draft: &mut Draft) {
        draft.source.clone_from(&self.source);
        draft.opaque_descriptors.clone_from(&self.opaque_descriptors);
        let entries = draft.entries_by_key().keys().map(|key| (docker_names::file_name(key), key.clone()));
        let mut keys: BTreeMap<String, EntryKey> = entries.collect();
        let platform = |(name, platform): (&String, &Platform)| Some((keys.get(name)?.clone(), platform.clone()));
        draft.config_platforms = self.config_platforms.iter().filter_map(platform).collect();
        let opaque_keys = self.opaque_descriptors.iter().map(OpaqueDescriptor::key);
        keys.extend(opaque_keys.map(|key| (key.as_str().to_owned(), key)));
        draft.order = self.order.iter().filter_map(|name| keys.get(name).cloned()).collect();
    }

    pub(super) fn decode(members: &json::Members<'_>) -> Result<Format3Members, DocumentError> {
        let mut config_platforms = BTreeMap::new();
        if let Some(value) = members.get("platforms") {
            json::Members::parse("Sidecar.platforms", value)?;
            for (key, value) in value.as_object().into_iter().flatten() {
                config_platforms.insert(key.clone(), descriptor::decode_platform(value)?);
            }
        }
        Ok(Format3Members {
            source: members.get("source").map(decode_source).transpose()?,
            order: members.strings("order")?,
            opaque_descriptors: members
                .array("carried")?
                .iter()
                .map(decode_opaque_descriptor)
                .collect::<Result<_, _>>()?,
            config_platforms,
        })
    }
}

fn decode_source(value: &Value) -> Result<SourceIndex, DocumentError> {
    let members = json::Members::parse("Sidecar.source", value)?;
    let nested = members.array("nested")?.iter().map(decode_source_without_nested);
    Ok(SourceIndex { nested: nested.collect::<Result<_, _>>()?, ..decode_source_without_nested(value)? })
}

/// Decodes an index without its nested indexes. Its bytes must have its digest.
fn decode_source_without_nested(value: &Value) -> Result<SourceIndex, DocumentError> {
    let members = json::Members::parse("Sidecar.source", value)?;
    let text = members.string("digest")?;
    let digest: Digest = text.parse().map_err(|error| DocumentError::InvalidDigest(text, error))?;
    let raw = decode_base64(&members.string("raw")?)?;
    if !digest.verifies(&raw) {
        let found = Digest::from_bytes(&raw);
        return Err(DocumentError::DigestMismatch { reference: "source".to_owned(), expected: digest, found });
    }
    Ok(SourceIndex { media_type: members.string("mediaType")?, digest, raw, nested: Vec::new() })
}

fn decode_opaque_descriptor(value: &Value) -> Result<OpaqueDescriptor, DocumentError> {
    let members = json::Members::parse("Sidecar.carried", value)?;
    let json = members.get("descriptor").ok_or(DocumentError::MissingMember("descriptor"))?.clone();
    let source = Reference::parse_canonical(&members.string("source")?)?;
    let raw = Some(members.string("raw")?).filter(|raw| !raw.is_empty());
    OpaqueDescriptor::new(json, source, raw.map(|raw| decode_base64(&raw)).transpose()?)
}

fn decode_base64(text: &str) -> Result<Vec<u8>, DocumentError> {
    STANDARD.decode(text).map_err(|error| DocumentError::InvalidBase64(error.to_string()))
}
