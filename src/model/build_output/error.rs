//! Why the output file of a build cannot be used.

use crate::sanitize;

/// Why a file cannot be used. The message is one line and follows the name of the file and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildOutputError {
    /// A file without content: the step that writes it has failed.
    #[error("the file is empty")]
    Empty,
    /// The file is UTF-16.
    #[error("the file is UTF-16, and has to be UTF-8")]
    Utf16,
    /// The file is not text.
    #[error("the file is not text: line {line} is not UTF-8")]
    NotUtf8 {
        /// Counted from 1.
        line: usize,
    },
    /// A line that names no image.
    #[error("line {line} is neither a digest nor a reference with a digest: {}", sanitize::short_line(text))]
    InvalidLine {
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// An image without its digest. A tag is refused, because a later build can move it.
    #[error("{position} names an image without its digest: {}", sanitize::short_line(name))]
    MissingDigest {
        /// Where in the file.
        position: String,
        /// The name.
        name: String,
    },
    /// The file begins like JSON, but is not JSON.
    #[error("the file is not JSON: {}", sanitize::short_line(.0))]
    InvalidJson(String),
    /// JSON of an unknown kind.
    #[error("the JSON is of no kind that is known{}", in_parentheses(.0))]
    UnknownJson(String),
    /// A value that should be a digest, but is not.
    #[error("{} is not a digest: {}", sanitize::short_line(member), sanitize::short_line(text))]
    InvalidDigest {
        /// The member, and where in the file.
        member: String,
        /// The value.
        text: String,
    },
    /// A value that should be the size of a manifest, but is not.
    #[error("{} is not a number of bytes: {}", sanitize::short_line(member), shortened(text))]
    InvalidSize {
        /// The member, and where in the file.
        member: String,
        /// The value as JSON.
        text: String,
    },
    /// A value that should be the name of an image, but is not.
    #[error("{} is not a reference: {}", sanitize::short_line(member), sanitize::short_line(text))]
    InvalidReference {
        /// The member, and where in the file.
        member: String,
        /// The value.
        text: String,
    },
    /// Metadata that contradicts itself.
    #[error("the file says {first} in one place and {second} in another")]
    ConflictingDigests {
        /// The digest of the descriptor.
        first: String,
        /// The stated digest.
        second: String,
    },
    /// The output states that the image was not pushed.
    #[error("the image {} was not pushed", sanitize::short_line(.0))]
    NotPushed(String),
    /// The result of a dry run, or a draft.
    #[error("{} is {found}: nothing was published", sanitize::short_line(name))]
    NotPublished {
        /// The list.
        name: String,
        /// The kind of output, as in "NAME is FOUND".
        found: &'static str,
    },
    /// The JSON error of one of our commands.
    #[error("the file is the error of a command that failed: {}", sanitize::short_line(.0))]
    FailedCommand(String),
    /// Content of a registry, such as a manifest, instead of the output of a build.
    #[error("the file is {found}: push it first, then give its digest")]
    NotBuildOutput {
        /// An image manifest, or a part of a layout.
        found: &'static str,
    },
    /// A spec file that cannot be read.
    #[error("the file describes a list and cannot be read: {}", sanitize::short_line(.0))]
    InvalidSpec(String),
    /// A file without images.
    #[error("the file names no image")]
    NoImages,
    /// Targets, none of which has a digest.
    #[error("no target has a digest: {}", listed_names(.0))]
    TargetsWithoutDigest(Vec<String>),
    /// A target that the file does not have, or only without a digest.
    #[error("no target {} with a digest; there is: {}", sanitize::short_line(target), listed_names(available))]
    UnknownTarget {
        /// As typed.
        target: String,
        /// The targets that the file has.
        available: Vec<String>,
    },
    /// Several targets where one is needed.
    #[error("the file has several targets: {}", listed_names(.0))]
    SeveralTargets(Vec<String>),
    /// More images than any build has.
    #[error("the file names more than {limit} images")]
    TooManyImages {
        /// The maximum number.
        limit: usize,
    },
}

/// The maximum number of names in a message.
const SHOWN_MAX: usize = 8;

/// Names in a message: the first ones, and how many more there are.
pub(crate) fn listed_names(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN_MAX).map(|name| shortened(name)).collect();
    match names.len().saturating_sub(shown.len()) {
        0 if names.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A name in a message, cut after 100 characters.
fn shortened(name: &str) -> String {
    sanitize::line(&name.chars().take(100).collect::<String>())
}

fn in_parentheses(position: &str) -> String {
    if position.is_empty() { String::new() } else { format!(" ({})", shortened(position)) }
}
