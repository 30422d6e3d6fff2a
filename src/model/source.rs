//! The index that a draft was made from. The draft keeps its bytes, so that it can be published unchanged, and its
//! descriptors that name neither an image nor an index.

use std::collections::HashSet;

use serde_json::Value;

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry_key::EntryKey;
use crate::model::error::DocumentError;
use crate::reference::Reference;

/// An index as a registry served it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIndex {
    /// The media type that the registry stated, without parameters.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub raw: Vec<u8>,
    /// The nested indexes at any depth. Their own `nested` is empty.
    pub nested: Vec<SourceIndex>,
}

/// A descriptor that is published unchanged, because its media type is neither an image's nor an index's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueDescriptor {
    /// The members of the descriptor that this program knows.
    pub descriptor: Descriptor,
    /// The descriptor's JSON in the index.
    pub json: Value,
    /// The index that it was taken from, by tag (if it has one) and digest.
    pub source: Reference,
    /// The manifest's bytes, if the list is in another repository than the index.
    pub raw: Option<Vec<u8>>,
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
