//! What is pushed as a manifest.

use crate::digest::Digest;

/// A manifest or a list as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SampleManifest {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The digest of the bytes.
    pub(crate) digest: Digest,
    /// The order of deletion: a document with a higher priority is deleted first.
    pub(crate) deletion_priority: u8,
}

impl SampleManifest {
    /// A document of these bytes.
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>, deletion_priority: u8) -> SampleManifest {
        SampleManifest { media_type, digest: Digest::from_bytes(&bytes), bytes, deletion_priority }
    }
}
