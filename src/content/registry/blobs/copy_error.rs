//! The failures of a copy of a blob: the side that failed, and the consequence for the copy.

use crate::content::registry::blobs::blob_reader::BlobReader;
use crate::content::registry::blobs::verifying_reader::ReadError;
use crate::net::error::{RegistryError, RegistryErrorKind};

/// An error, and the side that it concerns.
pub(super) struct BlobCopyError {
    pub(super) cause: RegistryError,
    pub(super) is_at_source: bool,
    /// Whether it interrupted the stream to the target.
    pub(super) interrupts_stream: bool,
}

impl BlobCopyError {
    pub(super) fn source(cause: RegistryError) -> BlobCopyError {
        BlobCopyError { cause, is_at_source: true, interrupts_stream: false }
    }

    pub(super) fn target(cause: RegistryError) -> BlobCopyError {
        BlobCopyError { cause, is_at_source: false, interrupts_stream: false }
    }

    pub(super) fn from_read_error(error: ReadError, source: &mut dyn BlobReader) -> BlobCopyError {
        BlobCopyError::source(match error {
            ReadError::Unreadable(error) => error,
            ReadError::InvalidContent(reason) => source.content_error(reason),
        })
    }

    pub(super) fn interrupting(self) -> BlobCopyError {
        BlobCopyError { interrupts_stream: true, ..self }
    }
}

/// Whether the registry refused a mount: because of its source, or because it does not mount blobs at all. The blob can
/// still be streamed. Harbor answers 401 to a mount from another project, whatever login it is given.
pub(crate) fn is_mount_refused(error: &RegistryError) -> bool {
    matches!(
        error.kind,
        RegistryErrorKind::NotFound
            | RegistryErrorKind::Forbidden
            | RegistryErrorKind::RequestRefused
            | RegistryErrorKind::Unauthorized
            | RegistryErrorKind::LoginRefused
            | RegistryErrorKind::CommandLineLoginRefused
    )
}

/// Whether the connection broke or stalled.
pub(super) fn is_connection_loss(kind: RegistryErrorKind) -> bool {
    matches!(kind, RegistryErrorKind::Connect | RegistryErrorKind::Timeout)
}
