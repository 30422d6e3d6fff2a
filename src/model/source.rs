//! What a draft keeps of the index that it was made of, beside the images: its bytes, so that it can be published as it
//! was, and what it names that is neither an image nor an index.

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
    /// The media type that the registry named, without parameters.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub raw: Vec<u8>,
    /// The indexes that lie in it, at any depth. Their own `nested` is empty.
    pub nested: Vec<SourceIndex>,
}

/// A descriptor that is published as it is, because its media type is neither an image's nor an index's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The descriptor, as far as we understand it.
    pub descriptor: Descriptor,
    /// The descriptor as the index has it.
    pub json: Value,
    /// The index that it was taken from, by tag where it has one and by digest.
    pub source: Reference,
    /// The manifest's bytes, where the list is in another repository than the index.
    pub raw: Option<Vec<u8>>,
}

impl Carried {
    /// Reads a descriptor of the index `source`.
    ///
    /// # Errors
    /// Where it is no descriptor.
    pub fn new(json: Value, source: Reference, raw: Option<Vec<u8>>) -> Result<Carried, DocumentError> {
        Ok(Carried { descriptor: Descriptor::decode(&json)?, json, source, raw })
    }

    /// Its name in the order of a draft.
    pub fn key(&self) -> EntryKey {
        EntryKey::named(self.descriptor.digest.as_str())
    }
}

/// The keys in their order, without repetitions.
pub(super) fn distinct(keys: impl IntoIterator<Item = EntryKey>) -> Vec<EntryKey> {
    let mut seen = HashSet::new();
    keys.into_iter().filter(|key| seen.insert(key.clone())).collect()
}
