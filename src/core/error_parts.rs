//! What the errors of [`super::error`] are put together from: types of their members, and lines of their texts.

use crate::net::{Address, RegistryError};

/// What a list that is to be published is made from, and so where it can be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecOrigin {
    /// A draft.
    Draft,
    /// A file that describes it.
    File,
    /// Flags that name its platforms.
    Flags,
    /// Images that a command names, of which there is no draft yet.
    Images,
}

/// What a name that is no reference is for: docker's messages differ.
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
    /// What docker writes before what is wrong with the name.
    pub(crate) fn prefix(self, typed: &str) -> String {
        match self {
            NameRole::Any => String::new(),
            NameRole::CreateList => format!("error parsing name for manifest list {typed}: "),
            NameRole::AnnotateList => format!("annotate: error parsing name for manifest list {typed}: "),
            NameRole::AnnotateImage => format!("annotate: error parsing name for manifest {typed}: "),
        }
    }
}

/// What was done when the rest failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartialResult {
    /// A list was to be published under several tags.
    Tags {
        /// The tags that serve the list now and did not before.
        moved: Vec<String>,
        /// The tags that are what they were, and should not be.
        left: Vec<String>,
    },
    /// Several lists were to be published.
    Batch {
        /// The lists that are published.
        published: Vec<String>,
        /// The lists that are not, the one that failed first.
        left: Vec<String>,
    },
    /// The list is published; only what came after failed.
    PushedButNotReported {
        /// The list.
        list: String,
        /// Its digest.
        digest: String,
    },
}

/// Docker's part of the line: the registry's own message if it answered, otherwise what happened.
pub(crate) fn answer(error: &RegistryError) -> String {
    let is_given = error.address().is_some_and(Address::is_given);
    if error.status.is_some() && !is_given { error.detail.clone() } else { error.to_string() }
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
pub(crate) fn lines(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
