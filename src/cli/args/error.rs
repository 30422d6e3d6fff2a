//! What can be wrong with a command line, in docker's words.

use std::fmt;

use super::quote::{quote, quote_byte};

/// A command line that cannot be run. Displayed, it is docker's first line.
///
/// Docker prints the line, an empty line, the usage, an empty line and a hint; `report` puts them together from
/// [`ArgsError::usage`] and [`ArgsError::hint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ArgsError {
    /// What is wrong.
    pub kind: Box<ArgsErrorKind>,
    /// The command that it is wrong for, as called: `docker manifest create`.
    pub(super) path: String,
    /// `docker manifest create MANIFEST_LIST MANIFEST [MANIFEST...]`; none where docker shows none.
    pub(super) usage: Option<String>,
    /// What was probably meant.
    pub(super) near: Option<Near>,
}

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsErrorKind {
    /// A flag that there is not, or one without its value, or with a value that is none.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// Too few or too many words.
    #[error("{program}: '{path}' {count}")]
    Count {
        /// The first word of the name in texts: `docker`.
        program: String,
        /// The command as called.
        path: String,
        /// How many words there should be.
        count: Count,
    },
    /// The word in the verb's place is no verb.
    #[error("{program}: unknown command: {name} {word}")]
    UnknownCommand {
        /// The first word of the name in texts.
        program: String,
        /// The name in texts: `docker manifest`.
        name: String,
        /// The word.
        word: String,
    },
    /// `help WORD` for a word that is no verb.
    #[error("unknown help topic: {0}")]
    UnknownTopic(String),
    /// A word that has to be one of a few and is not.
    #[error("{0}")]
    Word(String),
}

/// What was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Near {
    /// This flag, or this verb, as it should have been typed.
    Word(String),
    /// The flag is fine, but not here: it is one of these verbs'.
    Elsewhere {
        /// The flag as typed: `--purge`, `-p`.
        flag: String,
        /// The verbs that have it, sorted.
        verbs: Vec<String>,
        /// It stands before any verb, and should stand behind one of these.
        before_verb: bool,
    },
}

/// What is wrong with a flag. The texts are pflag's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No long flag of that name.
    #[error("unknown flag: --{0}")]
    Unknown(String),
    /// No short flag of that letter.
    #[error("unknown shorthand flag: {} in -{cluster}", quote_byte(*.letter))]
    UnknownShort {
        /// The first byte of what was left of the cluster; pflag reads bytes.
        letter: u8,
        /// What was left of the cluster.
        cluster: String,
    },
    /// `--=x`, `---`.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// A long flag that ends the command line and wants a value.
    #[error("flag needs an argument: --{0}")]
    NeedsValue(String),
    /// A short flag that ends the command line and wants a value.
    #[error("flag needs an argument: {} in -{cluster}", quote_byte(*.letter))]
    ShortNeedsValue {
        /// The flag's letter.
        letter: u8,
        /// What was left of the cluster.
        cluster: String,
    },
    /// A value that the flag does not take.
    #[error("invalid argument {} for {} flag: {reason}", quote(.value), quote(.flag))]
    Value {
        /// The value as typed.
        value: String,
        /// The flag as help shows it: `-a, --amend`.
        flag: String,
        /// Why not.
        reason: String,
    },
    /// Two that exclude each other; the second may be a word.
    #[error("conflicting flags: {one} and {other}")]
    Conflict {
        /// As it is typed.
        one: String,
        /// As it is typed.
        other: String,
    },
    /// One that means nothing alone.
    #[error("missing argument: {flag} needs {other}")]
    Needs {
        /// As it is typed; or the verb.
        flag: String,
        /// What has to stand beside it.
        other: String,
    },
}

/// How many words a verb takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// At least.
    pub min: usize,
    /// At most; none is no bound.
    pub max: Option<usize>,
}

impl Count {
    /// Itself if `words` breaks it.
    pub(super) fn broken_by(self, words: usize) -> Option<Count> {
        (words < self.min || self.max.is_some_and(|max| words > max)).then_some(self)
    }

    fn is_open(self) -> bool {
        self.max.is_none()
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { min, max } = *self;
        match max {
            None => write!(f, "requires at least {min} {}", plural(min)),
            Some(0) => f.write_str("accepts no arguments"),
            Some(max) if min == max => write!(f, "requires {max} {}", plural(max)),
            Some(max) if min == 0 => write!(f, "requires at most {max} {}", plural(max)),
            Some(max) => write!(f, "requires at least {min} and at most {max} {}", plural(max)),
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "argument" } else { "arguments" }
}

impl ArgsError {
    /// An error that docker prints without usage and hint, with exit code 1: it met it on the way to the verb.
    pub(super) fn bare(flag: FlagError) -> ArgsError {
        ArgsError { kind: Box::new(flag.into()), path: String::new(), usage: None, near: None }
    }

    /// A wrong flag before any command.
    pub(super) fn of_program(name: &str, flag: FlagError) -> ArgsError {
        let usage = Some(format!("{name} COMMAND"));
        ArgsError { kind: Box::new(flag.into()), path: name.to_owned(), usage, near: None }
    }

    /// Docker's exit code: 125 for a flag, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match *self.kind {
            ArgsErrorKind::Flag(_) if self.usage.is_some() => 125,
            _ => 1,
        }
    }

    /// The usage block that follows the first line: `Usage:  docker manifest create MANIFEST_LIST MANIFEST…`.
    pub fn usage(&self) -> Option<String> {
        self.usage.as_ref().map(|usage| format!("Usage:  {usage}"))
    }

    /// What was probably meant, where that can be told.
    pub fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }

    /// The last line, which says where to read more; there is one where there is a usage.
    pub fn hint(&self) -> Option<String> {
        self.usage.as_ref()?;
        // Docker's own two wordings: its check for a lower bound alone has the other one.
        let verb = match &*self.kind {
            ArgsErrorKind::Count { count, .. } if count.is_open() => "See",
            _ => "Run",
        };
        Some(format!("{verb} '{} --help' for more information", self.path))
    }
}
