//! Why a document cannot be read, or a draft cannot become a list. Where docker has words for it, they are docker's.

use crate::digest::{Digest, DigestError};
use crate::failure_kind::FailureKind;
use crate::model::json::WrongType;
use crate::reference::ReferenceError;

/// What is wrong with a document. The caller adds which file or reference it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or cut short.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// JSON of another shape.
    #[error(transparent)]
    Type(#[from] WrongType),
    /// A member that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A document with the members of an index, served as a manifest.
    #[error("manifest: expected manifest but found index")]
    IndexAsManifest,
    /// A document with the members of a manifest, served as an index. Docker's words.
    #[error("index: expected index but found manifest")]
    ManifestAsIndex,
    /// A document that calls itself something else than the registry does.
    #[error("it is served as {served}, but its mediaType is {said}")]
    TwoTypes {
        /// The registry's Content-Type.
        served: &'static str,
        /// The document's `mediaType`.
        said: &'static str,
    },
    /// A member that is no reference.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// A digest that is none.
    #[error("digest {0:?}: {1}")]
    Digest(String, DigestError),
    /// A size below zero.
    #[error("{0} is no size")]
    Size(i64),
    /// An entry's manifest is not base64.
    #[error("Raw is not base64: {0}")]
    Base64(String),
    /// An old entry whose manifest does not hash to its digest.
    #[error("image manifest digest mismatch ({expected} != {found})")]
    OldEntry {
        /// What the entry says.
        expected: Digest,
        /// What its bytes hash to.
        found: Digest,
    },
    /// An entry whose bytes do not hash to the digest of its descriptor.
    #[error("internal digest mismatch for {reference}: expected {expected}, got {found}")]
    Mismatch {
        /// The entry's image.
        reference: String,
        /// What the descriptor says.
        expected: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
    /// An entry whose bytes are not as many as its descriptor says.
    #[error("internal size mismatch for {reference}: expected {expected}, got {found}")]
    Length {
        /// The entry's image.
        reference: String,
        /// What the descriptor says, in bytes.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// An entry that holds no manifest at all.
    #[error("{0} has no payload")]
    NoPayload(String),
    /// An entry that a list cannot name yet.
    #[error("manifest {0} must have an OS and Architecture to be pushed to a registry")]
    NoPlatform(String),
    /// What a Docker manifest list cannot say.
    #[error("{list} would be a Docker manifest list, which has no place for {what}")]
    BeyondDocker {
        /// The list.
        list: String,
        /// What it has no place for.
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
