//! What is pushed as a manifest.

use crate::digest::Digest;

/// A manifest or a list as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The digest of the bytes.
    pub(crate) digest: Digest,
    /// The order of deletion: a document with a higher rank is deleted first.
    pub(crate) rank: u8,
}

impl Document {
    /// A document of these bytes.
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>, rank: u8) -> Document {
        Document { media_type, digest: Digest::of(&bytes), bytes, rank }
    }
}
