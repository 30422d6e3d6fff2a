//! Why a document cannot be read, or a draft cannot become a list. The texts are docker's where docker has one.

use crate::digest::{Digest, DigestError};
use crate::failure_kind::FailureKind;
use crate::model::json::WrongType;
use crate::reference::ReferenceError;

/// An error in a document. The caller adds the file or the reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Content that is not JSON, or is cut short.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// JSON of another structure.
    #[error(transparent)]
    Type(#[from] WrongType),
    /// A required member that is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A document with the members of an index, served as a manifest.
    #[error("manifest: expected manifest but found index")]
    IndexAsManifest,
    /// A document with the members of a manifest, served as an index. Docker's words.
    #[error("index: expected index but found manifest")]
    ManifestAsIndex,
    /// A document whose own media type differs from the registry's.
    #[error("it is served as {served}, but its mediaType is {stated}")]
    TwoTypes {
        /// The registry's Content-Type.
        served: &'static str,
        /// The document's `mediaType`.
        stated: &'static str,
    },
    /// A member that is not a reference.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// A member that is not a digest.
    #[error("digest {0:?}: {1}")]
    Digest(String, DigestError),
    /// A negative size.
    #[error("{0} is no size")]
    Size(i64),
    /// An entry whose manifest is not base64.
    #[error("Raw is not base64: {0}")]
    Base64(String),
    /// An old entry whose manifest does not match its digest.
    #[error("image manifest digest mismatch ({expected} != {found})")]
    OldEntry {
        /// The digest in the entry.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// An entry whose bytes do not match the digest of its descriptor.
    #[error("internal digest mismatch for {reference}: expected {expected}, got {found}")]
    Mismatch {
        /// The entry's image.
        reference: String,
        /// The digest in the descriptor.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// An entry whose bytes do not match the size of its descriptor.
    #[error("internal size mismatch for {reference}: expected {expected}, got {found}")]
    Length {
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
    /// What a Docker manifest list cannot hold.
    #[error("{list} would be a Docker manifest list, which has no place for {what}")]
    BeyondDocker {
        /// The list.
        list: String,
        /// What it cannot hold.
        what: String,
    },
}

impl DocumentError {
    /// What scripts see of it. `is_served` is whether the document came from a registry.
    pub fn kind(&self, is_served: bool) -> FailureKind {
        match self {
            // These are about what is made of a document here.
            DocumentError::NoPlatform(_) | DocumentError::BeyondDocker { .. } => FailureKind::Draft,
            _ if !is_served => FailureKind::Draft,
            DocumentError::OldEntry { .. } | DocumentError::Mismatch { .. } | DocumentError::Length { .. } => {
                FailureKind::Verification
            }
            DocumentError::Json(_)
            | DocumentError::Type(_)
            | DocumentError::Missing(_)
            | DocumentError::IndexAsManifest
            | DocumentError::ManifestAsIndex
            | DocumentError::TwoTypes { .. }
            | DocumentError::Reference(_)
            | DocumentError::Digest(..)
            | DocumentError::Size(_)
            | DocumentError::Base64(_)
            | DocumentError::NoPayload(_) => FailureKind::Protocol,
        }
    }
}

impl From<serde_json::Error> for DocumentError {
    fn from(error: serde_json::Error) -> DocumentError {
        DocumentError::Json(error.to_string())
    }
}
