//! The errors of a spec file, with their positions.

use std::fmt;
use std::ops::Range;

use super::positions;
use crate::location::InvalidLocation;
use crate::suggest;

/// An error and its range in the text, in bytes.
#[derive(Debug)]
pub(super) struct LocatedError {
    pub(super) range: Range<usize>,
    pub(super) kind: SpecErrorKind,
}

/// A spec file that cannot be used. `Display` is one line: `FILE:LINE:COLUMN: what is wrong`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {kind}")]
pub struct SpecError {
    /// The file's name as the caller gave it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub kind: Box<SpecErrorKind>,
    excerpt: String,
}

impl SpecError {
    pub(super) fn new(error: LocatedError, file: &str, text: &str) -> SpecError {
        let mut kind = error.kind;
        if let SpecErrorKind::DuplicateKey { first_offset, first_line, .. } = &mut kind {
            *first_line = positions::position(text, *first_offset).0;
        }
        let (line, column) = positions::position(text, error.range.start);
        let excerpt = positions::excerpt(text, &error.range);
        SpecError { file: file.to_owned(), line, column, kind: Box::new(kind), excerpt }
    }

    /// Two lines for people: the line of the error, shortened if it is long, and carets under the error.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

/// The kinds of errors of a spec file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecErrorKind {
    /// Neither YAML nor JSON. The message is that of the YAML parser.
    #[error("{}", truncated_to(.0, 300))]
    Syntax(String),
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Nothing but comments.
    #[error("no spec in it")]
    NoSpec,
    /// The spec exceeds a limit: its length, or the size of its aliases and variables.
    #[error("too large for a spec")]
    TooLarge,
    /// An alias inside the node of its anchor.
    #[error("an alias inside of what it stands for")]
    RecursiveAlias,
    /// A YAML tag other than `!!str`, `!!seq` and `!!map` where they fit.
    #[error("the YAML tag {} has no meaning here", truncated(.0))]
    YamlTag(String),
    /// `<<` with a value that has no keys.
    #[error("`<<` takes a mapping or a list of mappings")]
    InvalidMerge,
    /// A key that is a list or a mapping, or an empty one.
    #[error("a key has to be a word")]
    InvalidKey,
    /// A key that is unknown in this mapping.
    #[error("unknown key `{}` in {mapping}{suggestion}", truncated(.key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The kind of mapping, for messages: `platform`.
        mapping: &'static str,
        /// The suggestion.
        suggestion: SpecSuggestion,
    },
    /// A key that occurs twice in one mapping, in whatever spelling.
    #[error("`{}` is here a second time; line {first_line} has it as `{}`", truncated(.key), truncated(.first_key))]
    DuplicateKey {
        /// The second key.
        key: String,
        /// The first key.
        first_key: String,
        /// The line of the first, from 1.
        first_line: usize,
        /// The offset of the first in the text, in bytes.
        first_offset: usize,
    },
    /// A required key that is missing, or has no value.
    #[error("{mapping} needs `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The mapping that lacks it, for messages.
        mapping: &'static str,
    },
    /// A value of another type than the key takes.
    #[error("{name} has to be {expected}, not {found}")]
    WrongType {
        /// The name of the value, for messages.
        name: String,
        /// The type that it should have.
        expected: &'static str,
        /// The type that it has.
        found: &'static str,
    },
    /// An empty list where an item is required.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A value that is not a reference.
    #[error("{name}: {} is no reference: {}", quoted(.text), truncated_to(&.source.to_string(), 200))]
    InvalidReference {
        /// The name of the value.
        name: String,
        /// The text, with variables expanded.
        text: String,
        /// Why it is none.
        source: InvalidLocation,
    },
    /// A value that is not a tag.
    #[error("{} is no tag", quoted(.0))]
    InvalidTag(String),
    /// A word outside the set of allowed words.
    #[error("{name}: unknown {noun} {}{suggestion}", quoted(.text))]
    UnknownWord {
        /// The name of the value.
        name: String,
        /// What the word should be: `architecture`.
        noun: &'static str,
        /// The text, with variables expanded.
        text: String,
        /// The suggestion.
        suggestion: SpecSuggestion,
    },
    /// A known operating system and a known architecture that do not occur together.
    #[error("no platform {os}/{architecture}{suggestion}")]
    UnknownPlatform {
        /// The operating system.
        os: String,
        /// The architecture.
        architecture: String,
        /// The suggestion.
        suggestion: SpecSuggestion,
    },
    /// A text that is not a platform.
    #[error("{name}: {} is no platform; write it as OS/ARCH or OS/ARCH/VARIANT", quoted(.text))]
    PlatformSyntax {
        /// The name of the value.
        name: String,
        /// The text, with variables expanded.
        text: String,
    },
    /// A value that is not an artifact type (RFC 6838).
    #[error("`artifactType`: {} is no media type", quoted(.0))]
    InvalidMediaType(String),
    /// A version of the operating system that no host can have.
    #[error("`osversion`: {} is not a version such as 10.0.17763.1, so no host will match it", quoted(.0))]
    UnmatchableOsVersion(String),
    /// A variable that is not set and has no default.
    #[error("the environment has no variable {0}; ${{{0}:-default}} does without it")]
    UnsetVariable(String),
    /// `${` that begins no variable.
    #[error("${{ begins a variable, ${{NAME}} or ${{NAME:-default}}; write $${{ for the two signs themselves")]
    InvalidVariable,
}

/// A suggestion for the user, as the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecSuggestion {
    /// No suggestion.
    None,
    /// The most similar word.
    Nearest(String),
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// The key belongs to this mapping.
    BelongsIn(&'static str),
    /// The key can be omitted, because the image states the value.
    FromImage,
    /// The key is ignored. This is for a warning.
    SkippedKey,
}

impl SpecSuggestion {
    /// For an unknown key: the nearest known one, or the mapping that it belongs to.
    pub(super) fn for_key(key: &str, known: &[&'static str]) -> SpecSuggestion {
        // Some specs for manifest-tool have `version: 1809` in platforms. manifest-tool ignores it.
        if key == "version" {
            return SpecSuggestion::FromImage;
        }
        match (mapping_of_key(key), nearest(key, known.iter().copied())) {
            (_, Some(word)) => SpecSuggestion::Nearest(word.to_owned()),
            (Some(mapping), None) => SpecSuggestion::BelongsIn(mapping),
            // Each key once, by its canonical name.
            (None, None) => {
                let is_canonical = |key: &&'static str| canonical_key(key) == *key;
                SpecSuggestion::OneOf(known.iter().copied().filter(is_canonical).collect())
            }
        }
    }

    /// For a word outside `known`: the nearest, or all if there are few.
    pub(super) fn for_word(word: &str, known: &[&'static str]) -> SpecSuggestion {
        match nearest(word, known.iter().copied()) {
            Some(word) => SpecSuggestion::Nearest(word.to_owned()),
            None if (1..=4).contains(&known.len()) => SpecSuggestion::OneOf(known.to_vec()),
            None => SpecSuggestion::None,
        }
    }
}

impl fmt::Display for SpecSuggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecSuggestion::None => Ok(()),
            SpecSuggestion::Nearest(word) => write!(f, "; did you mean `{word}`?"),
            SpecSuggestion::OneOf(words) => write!(f, "; there is {}", words.join(", ")),
            SpecSuggestion::BelongsIn(mapping) => write!(f, "; it belongs in {mapping}"),
            SpecSuggestion::FromImage => f.write_str("; leave it out: an image says its own version"),
            SpecSuggestion::SkippedKey => f.write_str("; it is skipped"),
        }
    }
}

/// A user's text in a message: in quotes, without control characters, and cut after 100 characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", truncated(text))
}

fn truncated(text: &str) -> String {
    truncated_to(text, 100)
}

/// A text without control characters, cut after so many characters.
fn truncated_to(text: &str, length: usize) -> String {
    let mut truncated: String = text.chars().take(length).flat_map(positions::replace_unprintable).collect();
    if text.chars().nth(length).is_some() {
        truncated.push('…');
    }
    truncated
}

/// The maximum length of a word for which a similar one is suggested. A longer one is not a typing error, and a
/// comparison would take long.
const WORD_LENGTH_MAX: usize = 40;

fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > WORD_LENGTH_MAX { None } else { suggest::nearest(word, known) }
}

/// The name of a key that a user may write in several ways.
pub(super) fn canonical_key(key: &'static str) -> &'static str {
    match key {
        "images" => "image",
        "osversion" | "osVersion" | "os_version" => "os.version",
        "osfeatures" | "osFeatures" | "os_features" => "os.features",
        _ => key,
    }
}

/// The mapping that a misplaced key belongs to, for messages.
fn mapping_of_key(key: &str) -> Option<&'static str> {
    match key {
        "architecture" | "os" | "variant" | "osversion" | "osVersion" | "os.version" | "os_version" | "osfeatures"
        | "osFeatures" | "os.features" | "os_features" | "features" => Some("`platform`"),
        "platform" => Some("an entry of `manifests`"),
        "image" | "images" | "tags" | "type" | "attestations" | "require" | "manifests" | "annotations"
        | "artifactType" => Some("the spec itself"),
        _ => None,
    }
}
