//! The errors of a spec file, with their positions.

use std::fmt;
use std::ops::Range;

use super::places;
use crate::location::InvalidLocation;
use crate::suggest;

/// An error with its range in the text, in bytes.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
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
    pub(super) fn new(fault: Fault, file: &str, text: &str) -> SpecError {
        let mut kind = fault.kind;
        if let SpecErrorKind::DuplicateKey { first, first_line, .. } = &mut kind {
            *first_line = places::position(text, *first).0;
        }
        let (line, column) = places::position(text, fault.at.start);
        let excerpt = places::excerpt(text, &fault.at);
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
    /// Neither YAML nor JSON, in the YAML parser's words.
    #[error("{}", within(.0, 300))]
    Syntax(String),
    /// Not UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// Nothing but comments.
    #[error("no spec in it")]
    NoSpec,
    /// The spec exceeds a limit: its length, or the size of its aliases and variables.
    #[error("too large for a spec")]
    TooLarge,
    /// An alias inside of the node that it stands for.
    #[error("an alias inside of what it stands for")]
    Endless,
    /// A YAML tag other than `!!str`, `!!seq` and `!!map` where they fit.
    #[error("the YAML tag {} has no meaning here", clip(.0))]
    Tag(String),
    /// `<<` with a value that has no keys.
    #[error("`<<` takes a mapping or a list of mappings")]
    Merge,
    /// A key that is a list or a mapping, or an empty one.
    #[error("a key has to be a word")]
    Key,
    /// A key that is unknown in this place.
    #[error("unknown key `{}` in {place}{advice}", clip(.key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The kind of mapping, for messages: `platform`.
        place: &'static str,
        /// The suggestion.
        advice: Advice,
    },
    /// A key that occurs twice in one mapping, in whatever spelling.
    #[error("`{}` is here a second time; line {first_line} has it as `{}`", clip(.key), clip(.as_key))]
    DuplicateKey {
        /// The second key.
        key: String,
        /// The first one.
        as_key: String,
        /// The line of the first, from 1.
        first_line: usize,
        /// The offset of the first in the text, in bytes.
        first: usize,
    },
    /// A required key that is missing, or has no value.
    #[error("{place} needs `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The mapping that lacks it, for messages.
        place: &'static str,
    },
    /// A value of another type than the key takes.
    #[error("{subject} has to be {wanted}, not {found}")]
    WrongType {
        /// The name of the value, for messages.
        subject: String,
        /// The type that it should have.
        wanted: &'static str,
        /// The type that it has.
        found: &'static str,
    },
    /// An empty list where an item is required.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A value that is not a reference.
    #[error("{subject}: {} is no reference: {}", shown(.text), within(&.source.to_string(), 200))]
    Reference {
        /// The name of the value.
        subject: String,
        /// The text, with variables expanded.
        text: String,
        /// Why not.
        source: InvalidLocation,
    },
    /// A value that is not a tag.
    #[error("{} is no tag", shown(.0))]
    TagName(String),
    /// A word outside the set of allowed words.
    #[error("{subject}: unknown {noun} {}{advice}", shown(.text))]
    Word {
        /// The name of the value.
        subject: String,
        /// What the word should be: `architecture`.
        noun: &'static str,
        /// The text, with variables expanded.
        text: String,
        /// The suggestion.
        advice: Advice,
    },
    /// A known operating system and a known architecture that do not occur together.
    #[error("no platform {os}/{architecture}{advice}")]
    Pair {
        /// The operating system.
        os: String,
        /// The architecture.
        architecture: String,
        /// The suggestion.
        advice: Advice,
    },
    /// A text that has not the form of a platform.
    #[error("{subject}: {} is no platform; write it as OS/ARCH or OS/ARCH/VARIANT", shown(.text))]
    PlatformForm {
        /// The name of the value.
        subject: String,
        /// The text, with variables expanded.
        text: String,
    },
    /// A value that is not an artifact type (RFC 6838).
    #[error("`artifactType`: {} is no media type", shown(.0))]
    MediaType(String),
    /// A version of the operating system that no host has.
    #[error("`osversion`: {} is not a version such as 10.0.17763.1, so no host will match it", shown(.0))]
    OsVersion(String),
    /// A variable that is not set and has no default.
    #[error("the environment has no variable {0}; ${{{0}:-default}} does without it")]
    Unset(String),
    /// `${` that begins no variable.
    #[error("${{ begins a variable, ${{NAME}} or ${{NAME:-default}}; write $${{ for the two signs themselves")]
    Variable,
}

/// A suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// None.
    None,
    /// This word.
    Nearest(String),
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// The key belongs to this mapping.
    Belongs(&'static str),
    /// The image states the value itself.
    FromImage,
    /// The key is ignored: a warning.
    Skipped,
}

impl Advice {
    /// For an unknown key: the nearest known one, or the mapping that it belongs to.
    pub(super) fn for_key(key: &str, known: &[(&'static str, &'static str)]) -> Advice {
        // Specs for manifest-tool, which ignores it, have `version: 1809` in platforms.
        if key == "version" {
            return Advice::FromImage;
        }
        match (belongs(key), nearest(key, known.iter().map(|(written, _)| *written))) {
            (_, Some(word)) => Advice::Nearest(word.to_owned()),
            (Some(place), None) => Advice::Belongs(place),
            // Each once, by its own name.
            (None, None) => {
                Advice::OneOf(known.iter().map(|(_, meant)| *meant).fold(Vec::new(), |mut words, meant| {
                    if !words.contains(&meant) {
                        words.push(meant);
                    }
                    words
                }))
            }
        }
    }

    /// For a word outside `known`: the nearest, or all if there are few.
    pub(super) fn for_word(word: &str, known: &[&'static str]) -> Advice {
        match nearest(word, known.iter().copied()) {
            Some(word) => Advice::Nearest(word.to_owned()),
            None if (1..=4).contains(&known.len()) => Advice::OneOf(known.to_vec()),
            None => Advice::None,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advice::None => Ok(()),
            Advice::Nearest(word) => write!(f, "; did you mean `{word}`?"),
            Advice::OneOf(words) => write!(f, "; there is {}", words.join(", ")),
            Advice::Belongs(place) => write!(f, "; it belongs in {place}"),
            Advice::FromImage => f.write_str("; leave it out: an image says its own version"),
            Advice::Skipped => f.write_str("; it is skipped"),
        }
    }
}

/// A user's text within a line: quoted, without control characters, and cut to the length of a name.
fn shown(text: &str) -> String {
    format!("\"{}\"", clip(text))
}

fn clip(text: &str) -> String {
    within(text, 100)
}

/// A text without control characters, cut after so many characters.
fn within(text: &str, length: usize) -> String {
    let mut clipped: String = text.chars().take(length).flat_map(places::printable).collect();
    if text.chars().nth(length).is_some() {
        clipped.push('…');
    }
    clipped
}

/// A longer word is not a typing error, and a comparison would take long.
const WORD_MAX: usize = 40;

fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > WORD_MAX { None } else { suggest::nearest(word, known) }
}

/// The mapping that a misplaced key belongs to, for messages.
fn belongs(key: &str) -> Option<&'static str> {
    match key {
        "architecture" | "os" | "variant" | "osversion" | "osVersion" | "os.version" | "os_version" | "osfeatures"
        | "osFeatures" | "os.features" | "os_features" | "features" => Some("`platform`"),
        "platform" => Some("an entry of `manifests`"),
        "image" | "images" | "tags" | "type" | "attestations" | "require" | "manifests" | "annotations"
        | "artifactType" => Some("the spec itself"),
        _ => None,
    }
}
