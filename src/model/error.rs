//! Why a document cannot be read, or a draft cannot become a list. Where docker has a message, it is docker's.

use crate::digest::{Digest, DigestError};
use crate::failure_kind::FailureKind;
use crate::model::json::WrongType;
use crate::reference::ReferenceError;

/// An error in a document. The caller adds the file or the reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Content that is not JSON.
    #[error("not valid JSON: {0}")]
    InvalidJson(String),
    /// JSON that ends too early, or no content at all.
    #[error("not valid JSON: {0}")]
    IncompleteJson(String),
    /// JSON of another structure.
    #[error(transparent)]
    WrongType(#[from] WrongType),
    /// A required member that is missing.
    #[error("{0} is missing")]
    MissingMember(&'static str),
    /// A document with the members of an index, served as a manifest.
    #[error("manifest: expected manifest but found index")]
    IndexAsManifest,
    /// A document with the members of a manifest, served as an index. The message is docker's.
    #[error("index: expected index but found manifest")]
    ManifestAsIndex,
    /// A document whose own media type differs from the registry's.
    #[error("it is served as {served}, but its mediaType is {stated}")]
    ConflictingMediaTypes {
        /// The registry's Content-Type.
        served: &'static str,
        /// The document's `mediaType`.
        stated: &'static str,
    },
    /// A member that is not a reference.
    #[error("{0}")]
    InvalidReference(#[from] ReferenceError),
    /// A member that is not a digest.
    #[error("digest {0:?}: {1}")]
    InvalidDigest(String, DigestError),
    /// A negative size.
    #[error("invalid size {0}")]
    NegativeSize(i64),
    /// An entry whose manifest is not base64.
    #[error("Raw is not base64: {0}")]
    InvalidBase64(String),
    /// An old entry whose manifest does not match its digest.
    #[error("image manifest digest mismatch ({expected} != {found})")]
    OldEntryMismatch {
        /// The digest in the entry.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// An entry whose bytes do not match the digest of its descriptor.
    #[error("internal digest mismatch for {reference}: expected {expected}, got {found}")]
    DigestMismatch {
        /// The entry's image.
        reference: String,
        /// The digest in the descriptor.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// An entry whose bytes do not match the size of its descriptor.
    #[error("internal size mismatch for {reference}: expected {expected}, got {found}")]
    SizeMismatch {
        /// The entry's image.
        reference: String,
        /// The size in the descriptor, in bytes.
        expected: u64,
        /// The number of bytes.
        found: u64,
    },
    /// An entry without a manifest.
    #[error("{0} has no payload")]
    NoPayload(String),
    /// An entry without a platform, which a list needs.
    #[error("manifest {0} must have an OS and Architecture to be pushed to a registry")]
    NoPlatform(String),
    /// Content that a Docker manifest list cannot hold.
    #[error("{list} would be a Docker manifest list, which has no place for {content}")]
    OciOnlyContent {
        /// The list.
        list: String,
        /// The content, as in "no place for CONTENT".
        content: String,
    },
}

impl DocumentError {
    /// The kind of the error for scripts. `is_served`: the document came from a registry.
    pub fn kind(&self, is_served: bool) -> FailureKind {
        match self {
            // These are about the draft, even if its documents came from a registry.
            DocumentError::NoPlatform(_) | DocumentError::OciOnlyContent { .. } => FailureKind::Draft,
            _ if !is_served => FailureKind::Draft,
            DocumentError::OldEntryMismatch { .. }
            | DocumentError::DigestMismatch { .. }
            | DocumentError::SizeMismatch { .. } => FailureKind::Verification,
            DocumentError::InvalidJson(_)
            | DocumentError::IncompleteJson(_)
            | DocumentError::WrongType(_)
            | DocumentError::MissingMember(_)
            | DocumentError::IndexAsManifest
            | DocumentError::ManifestAsIndex
            | DocumentError::ConflictingMediaTypes { .. }
            | DocumentError::InvalidReference(_)
            | DocumentError::InvalidDigest(..)
            | DocumentError::NegativeSize(_)
            | DocumentError::InvalidBase64(_)
            | DocumentError::NoPayload(_) => FailureKind::Protocol,
        }
    }
}

impl From<serde_json::Error> for DocumentError {
    fn from(error: serde_json::Error) -> DocumentError {
        if error.is_eof() {
            DocumentError::IncompleteJson(error.to_string())
        } else {
            DocumentError::InvalidJson(error.to_string())
        }
    }
}
