//! Parts of the errors in [`super::error`]: types of their members, and lines of their texts.

use crate::net::{ContactedServer, RegistryError};

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

/// The first `max` names, and the number of the others.
pub(crate) fn abbreviated(names: &[String], max: usize) -> String {
    let shown: Vec<&str> = names.iter().take(max).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
