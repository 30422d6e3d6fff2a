//! What can be wrong with a spec file, and where.

use std::fmt;
use std::ops::Range;

use super::places;
use crate::reference::ReferenceError;
use crate::suggest;

/// Something that is wrong, by its offsets in the text, in bytes.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) kind: SpecErrorKind,
}

/// A spec file that cannot be used. Displayed, it is one line: `FILE:LINE:COLUMN: what is wrong`.
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

    /// Two lines for people: the line that it is in, shortened if it is long, and a caret under what is wrong.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

/// What is wrong with a spec file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecErrorKind {
    /// Neither YAML nor JSON. In the YAML parser's words.
    #[error("{}", within(.0, 300))]
    Syntax(String),
    /// Not UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// Nothing in it but comments.
    #[error("no spec in it")]
    NoSpec,
    /// Over what is read of a spec: its length, or what its aliases and variables make of it.
    #[error("too large for a spec")]
    TooLarge,
    /// An alias within what it stands for.
    #[error("an alias inside of what it stands for")]
    Endless,
    /// A YAML tag other than `!!str`, `!!seq` and `!!map` where they fit.
    #[error("the YAML tag {} has no meaning here", clip(.0))]
    Tag(String),
    /// `<<` with something that has no keys.
    #[error("`<<` takes a mapping or a list of mappings")]
    Merge,
    /// A key that is a list or a mapping, or an empty one.
    #[error("a key has to be a word")]
    Key,
    /// A key that there is not at this place.
    #[error("unknown key `{}` in {place}{advice}", clip(.key))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands, for people: `platform`.
        place: &'static str,
        /// What may be meant.
        advice: Advice,
    },
    /// A key twice in one mapping, under whatever spelling.
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
    /// A key that must be there and is not, or has no value.
    #[error("{place} needs `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// What lacks it, for people.
        place: &'static str,
    },
    /// A value of another kind than the key takes.
    #[error("{subject} has to be {wanted}, not {found}")]
    WrongType {
        /// What it is a value of, for people.
        subject: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A list with nothing in it where there has to be something.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// No reference of an image.
    #[error("{subject}: {} is no reference: {}", shown(.text), within(&.source.to_string(), 200))]
    Reference {
        /// What it is a value of.
        subject: String,
        /// The text, with variables filled in.
        text: String,
        /// Why not.
        source: ReferenceError,
    },
    /// No tag.
    #[error("{} is no tag", shown(.0))]
    TagName(String),
    /// A word that is none of the few that there are.
    #[error("{subject}: unknown {noun} {}{advice}", shown(.text))]
    Word {
        /// What it is a value of.
        subject: String,
        /// What it should be one of: `architecture`.
        noun: &'static str,
        /// The text, with variables filled in.
        text: String,
        /// What may be meant.
        advice: Advice,
    },
    /// An operating system and an architecture that are known each, but not together.
    #[error("no platform {os}/{architecture}{advice}")]
    Pair {
        /// The operating system.
        os: String,
        /// The architecture.
        architecture: String,
        /// What may be meant.
        advice: Advice,
    },
    /// A text that is no platform by its form.
    #[error("{subject}: {} is no platform; write it as OS/ARCH or OS/ARCH/VARIANT", shown(.text))]
    PlatformForm {
        /// What it is a value of.
        subject: String,
        /// The text, with variables filled in.
        text: String,
    },
    /// No artifact type by RFC 6838.
    #[error("{subject}: {} is no media type", shown(.text))]
    MediaType {
        /// What it is a value of.
        subject: String,
        /// The text, with variables filled in.
        text: String,
    },
    /// A version of the operating system that no host has.
    #[error("`osversion`: {} is not a version such as 10.0.17763.1, so no host will match it", shown(.0))]
    OsVersion(String),
    /// A variable that the environment has not, and no default.
    #[error("the environment has no variable {0}; ${{{0}:-default}} does without it")]
    Unset(String),
    /// `${` that is no variable.
    #[error("${{ begins a variable, ${{NAME}} or ${{NAME:-default}}; write $${{ for the two signs themselves")]
    Variable,
}

/// What may be meant instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// No idea.
    None,
    /// This word.
    Nearest(String),
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// The key is right elsewhere: there, for people.
    Belongs(&'static str),
    /// The image says it itself.
    FromImage,
    /// The key is not used: a warning.
    Skipped,
}

impl Advice {
    /// For a key that is unknown where it stands: a right one nearby, or the place where it would be right.
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

    /// For a word that is none of `known`: the nearest, or all where they are few.
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

/// A user's text within a line: quoted, without control characters, not longer than a name.
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

/// Over this no word is a slip of the finger, and looking for what it is one of takes time.
const WORD_MAX: usize = 40;

fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > WORD_MAX { None } else { suggest::nearest(word, known) }
}

/// Where a key that stands at the wrong place would be right, for people.
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
