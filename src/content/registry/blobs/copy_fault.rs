//! The failures of a copy of a blob: the side that failed, and the consequence for the copy.

use crate::content::registry::blobs::source::BlobReader;
use crate::content::registry::blobs::verifying_reader::ReadError;
use crate::net::error::{RegistryError, RegistryErrorKind};

/// An error, and the side that it concerns.
pub(super) struct CopyFault {
    pub(super) error: RegistryError,
    pub(super) is_source: bool,
    /// Whether it interrupted the stream to the target.
    pub(super) is_break: bool,
}

impl CopyFault {
    pub(super) fn source(error: RegistryError) -> CopyFault {
        CopyFault { error, is_source: true, is_break: false }
    }

    pub(super) fn target(error: RegistryError) -> CopyFault {
        CopyFault { error, is_source: false, is_break: false }
    }

    pub(super) fn of(error: ReadError, source: &mut dyn BlobReader) -> CopyFault {
        CopyFault::source(match error {
            ReadError::Unread(error) => error,
            ReadError::Wrong(why) => source.wrong(why),
        })
    }

    pub(super) fn breaking(self) -> CopyFault {
        CopyFault { is_break: true, ..self }
    }
}

/// Whether a mount failed for a reason of its own: because of its source, or because the registry makes none. The blob
/// can still be streamed. Harbor answers 401 to a mount from another project, whatever login it is given.
pub(crate) fn is_about_mount(error: &RegistryError) -> bool {
    matches!(
        error.kind,
        RegistryErrorKind::NotFound
            | RegistryErrorKind::Forbidden
            | RegistryErrorKind::Refused
            | RegistryErrorKind::Unauthorized
            | RegistryErrorKind::LoginRefused
            | RegistryErrorKind::GivenLoginRefused
    )
}

/// Whether the connection broke or stalled.
pub(super) fn is_break(kind: RegistryErrorKind) -> bool {
    matches!(kind, RegistryErrorKind::Connect | RegistryErrorKind::Timeout)
}
