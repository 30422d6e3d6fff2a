//! A blob that a list needs and that its repository did not get.

use std::fmt;

use crate::core::error_parts::response_text;
use crate::failure_kind::FailureKind;
use crate::net::{RegistryError, RegistryErrorKind};

/// A blob that could not be mounted or copied.
#[derive(Debug)]
pub struct BlobError {
    /// What failed.
    pub step: BlobStep,
    /// The blob: its digest, for a mount with its repository, whose host docker leaves out.
    pub blob: String,
    /// The list being pushed.
    pub list: String,
    /// The repositories or the layout of the images that need it.
    pub sources: Vec<String>,
    /// The error of the registry that failed.
    pub source: RegistryError,
}

/// The step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobStep {
    /// A mount that the registry did not do. No source has the blob.
    NotMounted,
    /// A mount during which the registry failed.
    Mount,
    /// A copy from another registry or from a layout.
    Copy,
}

impl BlobError {
    /// The kind of the failure.
    pub(crate) fn kind(&self) -> FailureKind {
        match self.step {
            BlobStep::NotMounted => FailureKind::Missing,
            BlobStep::Mount | BlobStep::Copy => self.source.failure_kind(),
        }
    }

    /// Whether no source has the blob any more.
    pub(crate) fn is_missing_in_sources(&self) -> bool {
        let is_missing = match self.step {
            BlobStep::NotMounted => true,
            BlobStep::Mount => false,
            BlobStep::Copy => self.source.kind == RegistryErrorKind::NotFound,
        };
        is_missing && !self.source.is_write()
    }
}

/// Docker's line for a mount.
impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BlobError { step, blob, list, sources, source } = self;
        match step {
            BlobStep::NotMounted => write!(f, "error mounting {blob} to {list}"),
            BlobStep::Mount => write!(f, "failed to mount blob {blob} to {list}: {}", response_text(source)),
            BlobStep::Copy => {
                write!(f, "failed to copy blob {blob} from {} to {list}: {source}", sources.join(", "))
            }
        }
    }
}

impl std::error::Error for BlobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
