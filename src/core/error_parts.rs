//! Parts of the errors in [`super::error`]: their descriptions, types of their members, and lines of their texts.

use std::path::Path;

use crate::failure_kind::FailureKind;
use crate::net::{ContactedServer, RegistryError};

/// A failure as data. The text is the error's own; `cli/report/hints` words the hints.
#[derive(Debug, Clone, Copy)]
pub struct Description<'e> {
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

impl<'e> Description<'e> {
    pub(super) fn new(kind: FailureKind) -> Description<'e> {
        let (reference, registry_error, path, position) = (None, None, None, None);
        Description { kind, reference, registry_error, path, position, missing: &[], extra: &[] }
    }

    pub(super) fn with_path((kind, path): (FailureKind, Option<&'e Path>)) -> Description<'e> {
        Description { path, ..Description::new(kind) }
    }

    pub(super) fn reference(self, reference: &'e str) -> Description<'e> {
        Description { reference: Some(reference), ..self }
    }

    pub(super) fn registry_error(self, source: &'e RegistryError) -> Description<'e> {
        Description { registry_error: Some(source), ..self }
    }

    pub(super) fn path(self, path: &'e Path) -> Description<'e> {
        Description { path: Some(path), ..self }
    }
}

/// Where the list to publish comes from, and so where the user can correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecOrigin {
    /// A draft.
    Draft,
    /// A file that describes it.
    File,
    /// Flags that name its platforms.
    Flags,
    /// Images that a command names, before there is a draft.
    Images,
    /// A shared draft.
    Shared,
}

/// The role of an invalid name. Docker's messages differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRole {
    /// Docker adds nothing.
    Any,
    /// `create`: the list.
    CreateList,
    /// `annotate`: the list.
    AnnotateList,
    /// `annotate`: the image.
    AnnotateImage,
}

impl NameRole {
    /// Docker's text before the error of the name.
    pub(crate) fn prefix(self, typed: &str) -> String {
        match self {
            NameRole::Any => String::new(),
            NameRole::CreateList => format!("error parsing name for manifest list {typed}: "),
            NameRole::AnnotateList => format!("annotate: error parsing name for manifest list {typed}: "),
            NameRole::AnnotateImage => format!("annotate: error parsing name for manifest {typed}: "),
        }
    }
}

/// The part of the work that was done before a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartialResult {
    /// The tags of one list.
    Tags {
        /// The tags that were moved.
        moved: Vec<String>,
        /// The tags that were not moved.
        remaining: Vec<String>,
    },
    /// Several lists.
    Batch {
        /// The lists that are published.
        published: Vec<String>,
        /// The lists that are not, the one that failed first.
        remaining: Vec<String>,
    },
    /// The list is published; a later step failed.
    PushedButNotReported {
        /// The list.
        list: String,
        /// Its digest.
        digest: String,
    },
}

/// The text after the colon in docker's line: the registry's message if it sent a response, otherwise our own.
pub(crate) fn response_text(error: &RegistryError) -> String {
    let is_given = error.contacted_server().is_some_and(ContactedServer::is_named_in_response);
    if error.status.is_some() && !is_given { error.message.clone() } else { error.to_string() }
}

/// `app:1 is incomplete: linux/arm64 is missing; extra: linux/386`.
pub(crate) fn incomplete(list: &str, missing: &[String], extra: &[String]) -> String {
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let missing = (!missing.is_empty()).then(|| format!("{} {verb} missing", missing.join(", ")));
    let state = if missing.is_some() { "is incomplete" } else { "has more than was required" };
    let extra = (!extra.is_empty()).then(|| format!("extra: {}", extra.join(", ")));
    let parts: Vec<String> = missing.into_iter().chain(extra).collect();
    format!("{list} {state}: {}", parts.join("; "))
}

/// One line each.
pub(crate) fn join_lines(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
