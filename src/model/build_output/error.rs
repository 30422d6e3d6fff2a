//! Why the output file of a build cannot be used.

use crate::sanitize;

/// What is wrong with a file. Displayed, it follows the file's name and a colon, on one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildOutputError {
    /// No bytes, or white space alone: the step that writes it has failed.
    #[error("the file is empty")]
    Empty,
    /// The file is UTF-16.
    #[error("the file is UTF-16, and has to be UTF-8")]
    Utf16,
    /// The file is not text.
    #[error("the file is not text: line {line} is not UTF-8")]
    Binary {
        /// Counted from 1.
        line: usize,
    },
    /// A line that names no image.
    #[error("line {line} is neither a digest nor a reference with a digest: {}", sanitize::word(text))]
    Line {
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// An image without its digest. A later build can move the name.
    #[error("{place} names an image without its digest: {}", sanitize::word(name))]
    NoDigest {
        /// Where in the file.
        place: String,
        /// The name.
        name: String,
    },
    /// The file begins like JSON, but is not JSON.
    #[error("the file is not JSON: {}", sanitize::word(.0))]
    Json(String),
    /// JSON of an unknown kind.
    #[error("the JSON is of no kind that is known{}", place(.0))]
    Unknown(String),
    /// A value that should be a digest, but is not.
    #[error("{} is not a digest: {}", sanitize::word(member), sanitize::word(text))]
    Digest {
        /// The member, and where in the file.
        member: String,
        /// What it says.
        text: String,
    },
    /// A value that should be the size of a manifest, but is not.
    #[error("{} is not a number of bytes: {}", sanitize::word(member), cut(text))]
    Size {
        /// The member, and where in the file.
        member: String,
        /// What it says, as JSON.
        text: String,
    },
    /// A value that should be the name of an image, but is not.
    #[error("{} is not a reference: {}", sanitize::word(member), sanitize::word(text))]
    Name {
        /// The member, and where in the file.
        member: String,
        /// What it says.
        text: String,
    },
    /// Metadata that contradicts itself.
    #[error("the file says {one} in one place and {other} in another")]
    TwoDigests {
        /// A digest.
        one: String,
        /// Another one.
        other: String,
    },
    /// The tool says that it has pushed nothing.
    #[error("the image {} was not pushed", sanitize::word(.0))]
    NotPushed(String),
    /// The result of a dry run, or a draft.
    #[error("{} is {what}: nothing was published", sanitize::word(name))]
    NotPublished {
        /// The list.
        name: String,
        /// What it is instead.
        what: &'static str,
    },
    /// The failure of a command of ours.
    #[error("the file is the error of a command that failed: {}", sanitize::word(.0))]
    Failed(String),
    /// Content of a registry, such as a manifest, instead of the output of a build.
    #[error("the file is {what}: push it first, then give its digest")]
    Content {
        /// An image manifest, or a part of a layout.
        what: &'static str,
    },
    /// A file that describes a list, and that cannot be read.
    #[error("the file describes a list and cannot be read: {}", sanitize::word(.0))]
    Spec(String),
    /// A file without images.
    #[error("the file names no image")]
    NoImages,
    /// Targets, none of which has a digest.
    #[error("no target has a digest: {}", names(.0))]
    NoDigests(Vec<String>),
    /// A target that the file does not have, or only without a digest.
    #[error("no target {} with a digest; there is: {}", sanitize::word(target), names(there))]
    NoTarget {
        /// As typed.
        target: String,
        /// The targets that the file has.
        there: Vec<String>,
    },
    /// Several targets where one is wanted.
    #[error("the file has several targets: {}", names(.0))]
    SeveralTargets(Vec<String>),
    /// More than any build has.
    #[error("the file names more than {most} images")]
    TooMany {
        /// The bound.
        most: usize,
    },
}

/// How many names are shown.
const SHOWN_MAX: usize = 8;

/// The first of these names, and how many more there are.
pub(crate) fn names(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN_MAX).map(|name| cut(name)).collect();
    match names.len().saturating_sub(shown.len()) {
        0 if names.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A name among several.
fn cut(name: &str) -> String {
    sanitize::line(&name.chars().take(100).collect::<String>())
}

fn place(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" ({})", cut(place)) }
}
