//! The index that a draft was made from. The draft keeps its bytes, so that it can be published unchanged, and its
//! descriptors that name neither an image nor an index.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry_key::EntryKey;
use crate::model::error::DocumentError;
use crate::reference::Reference;

/// An index as a registry served it. It is serialised as `store-format.md` says ("Order and source index").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceIndex {
    /// The media type that the registry stated, without parameters.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    #[serde(serialize_with = "serialize_base64")]
    pub raw: Vec<u8>,
    /// The nested indexes at any depth. Their own `nested` is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<SourceIndex>,
}

/// A descriptor that is published unchanged, because its media type is neither an image's nor an index's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpaqueDescriptor {
    /// The members of the descriptor that this program knows.
    #[serde(skip)]
    pub descriptor: Descriptor,
    /// The descriptor's JSON in the index.
    #[serde(rename = "descriptor")]
    pub json: Value,
    /// The index that it was taken from, by tag (if it has one) and digest.
    pub source: Reference,
    /// The manifest's bytes, if the list is in another repository than the index.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_optional_base64")]
    pub raw: Option<Vec<u8>>,
}

fn serialize_base64<S: Serializer>(raw: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(raw))
}

// serde passes a reference.
#[allow(clippy::ref_option)]
fn serialize_optional_base64<S: Serializer>(raw: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    raw.as_ref().map(|raw| STANDARD.encode(raw)).serialize(serializer)
}

impl OpaqueDescriptor {
    /// Reads a descriptor of the index `source`.
    ///
    /// # Errors
    /// A malformed descriptor.
    pub fn new(json: Value, source: Reference, raw: Option<Vec<u8>>) -> Result<OpaqueDescriptor, DocumentError> {
        Ok(OpaqueDescriptor { descriptor: Descriptor::decode(&json)?, json, source, raw })
    }

    /// The key of the descriptor in the order of a draft.
    pub fn key(&self) -> EntryKey {
        EntryKey::from_text(self.descriptor.digest.as_str())
    }
}

/// The keys in their order, without duplicates.
pub(super) fn distinct(keys: impl IntoIterator<Item = EntryKey>) -> Vec<EntryKey> {
    let mut seen = HashSet::new();
    keys.into_iter().filter(|key| seen.insert(key.clone())).collect()
}
