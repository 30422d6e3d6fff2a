//! What scripts and hints get of a failure. `command_failure_data` has it for each error of a command.

use std::path::Path;

use crate::failure_kind::FailureKind;
use crate::net::RegistryError;

/// A failure as data. The text is the error's own; `cli/report/hints` words the hints.
#[derive(Debug, Clone, Copy)]
pub struct FailureData<'e> {
    /// The kind, which scripts branch on.
    pub kind: FailureKind,
    /// The manifest that the failure concerns, else the list, as in the text.
    pub reference: Option<&'e str>,
    /// The failed request.
    pub registry_error: Option<&'e RegistryError>,
    /// The file or directory that the failure concerns.
    pub path: Option<&'e Path>,
    /// The position in the file at `path`: line and column, counted from 1.
    pub position: Option<(usize, usize)>,
    /// The missing platforms.
    pub missing: &'e [String],
    /// The platforms that must not be there.
    pub extra: &'e [String],
}

impl<'e> FailureData<'e> {
    pub(super) fn new(kind: FailureKind) -> FailureData<'e> {
        let (reference, registry_error, path, position) = (None, None, None, None);
        FailureData { kind, reference, registry_error, path, position, missing: &[], extra: &[] }
    }

    pub(super) fn with_path((kind, path): (FailureKind, Option<&'e Path>)) -> FailureData<'e> {
        FailureData { path, ..FailureData::new(kind) }
    }

    pub(super) fn reference(self, reference: &'e str) -> FailureData<'e> {
        FailureData { reference: Some(reference), ..self }
    }

    pub(super) fn registry_error(self, source: &'e RegistryError) -> FailureData<'e> {
        FailureData { registry_error: Some(source), ..self }
    }

    pub(super) fn path(self, path: &'e Path) -> FailureData<'e> {
        FailureData { path: Some(path), ..self }
    }
}
