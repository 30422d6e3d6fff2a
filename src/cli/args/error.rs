//! The errors of a command line, in docker's words.

use std::fmt;

use super::go_quote::{quote, quote_byte};

/// A command line that cannot be run. `Display` prints docker's first line.
///
/// Docker prints that line, an empty line, the usage, an empty line and where to find help. `report` joins them from
/// [`ArgsError::usage`] and [`ArgsError::help_line`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ArgsError {
    /// The error itself.
    pub kind: Box<ArgsErrorKind>,
    /// The command that it concerns, as it was called: `docker manifest create`.
    pub(super) path: String,
    /// `docker manifest create MANIFEST_LIST MANIFEST [MANIFEST...]`; `None` if docker prints no usage.
    pub(super) usage: Option<String>,
    /// A suggestion for a mistyped command line.
    pub suggestion: Option<Suggestion>,
}

/// The kinds of errors of a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsErrorKind {
    /// An unknown flag, or a flag without its value or with an invalid one.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// Too few or too many arguments.
    #[error("{first_word}: '{path}' {count}")]
    ArgumentCount {
        /// The first word of the program's name: `docker`.
        first_word: String,
        /// The command as it was called.
        path: String,
        /// The number of arguments that the command takes.
        count: ArgumentCount,
    },
    /// The first word is not a command.
    #[error("{first_word}: unknown command: {program_name} {word}")]
    UnknownCommand {
        /// The first word of the program's name.
        first_word: String,
        /// The program's name: `docker manifest`.
        program_name: String,
        /// The word that was typed.
        word: String,
    },
    /// `help WORD` for a word that is not a command.
    #[error("unknown help topic: {0}")]
    UnknownTopic(String),
    /// An invalid positional argument.
    #[error("{0}")]
    InvalidPositional(String),
}

/// A suggestion for a mistyped command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// The nearest flag or command.
    Name(String),
    /// How `create` makes a list of no named images.
    CreateWithoutImages,
    /// The flag exists, but for other commands.
    FlagOfOtherCommands {
        /// The flag as typed: `--purge`, `-p`.
        flag: String,
        /// The commands that have it, sorted.
        verbs: Vec<String>,
        /// It was typed before the command and belongs after one of these.
        before_command: bool,
    },
}

/// An error of a flag, in pflag's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// There is no long flag of that name.
    #[error("unknown flag: --{0}")]
    Unknown(String),
    /// There is no short flag of that letter.
    #[error("unknown shorthand flag: {} in -{cluster}", quote_byte(*.letter))]
    UnknownShort {
        /// The first byte of the rest of the cluster; pflag reads bytes.
        letter: u8,
        /// The rest of the cluster.
        cluster: String,
    },
    /// `--=x`, `---`.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// A long flag without its value at the end of the command line.
    #[error("flag needs an argument: --{0}")]
    NeedsValue(String),
    /// A short flag without its value at the end of the command line.
    #[error("flag needs an argument: {} in -{cluster}", quote_byte(*.letter))]
    ShortNeedsValue {
        /// The flag's letter.
        letter: u8,
        /// The rest of the cluster.
        cluster: String,
    },
    /// An invalid value.
    #[error("invalid argument {} for {} flag: {reason}", quote(.value), quote(.flag))]
    Value {
        /// The value as typed.
        value: String,
        /// The flag as help shows it: `-a, --amend`.
        flag: String,
        /// Why the value is invalid.
        reason: String,
    },
    /// Two arguments that exclude each other. The second may be a positional argument.
    #[error("conflicting flags: {first} and {second}")]
    Conflict {
        /// The first, as typed.
        first: String,
        /// The second, as typed.
        second: String,
    },
    /// A flag that needs another one.
    #[error("missing argument: {flag} needs {needed}")]
    Needs {
        /// The flag as typed, or the command.
        flag: String,
        /// The flag that is missing.
        needed: String,
    },
}

/// The number of arguments that a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgumentCount {
    /// The minimum.
    pub min: usize,
    /// The maximum; `None` is unlimited.
    pub max: Option<usize>,
}

impl ArgumentCount {
    /// Whether a command takes this number of arguments.
    pub(super) fn permits(self, arguments: usize) -> bool {
        arguments >= self.min && self.max.is_none_or(|max| arguments <= max)
    }
}

impl fmt::Display for ArgumentCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ArgumentCount { min, max } = *self;
        match max {
            None => write!(f, "requires at least {min} {}", argument_noun(min)),
            Some(0) => f.write_str("accepts no arguments"),
            Some(max) if min == max => write!(f, "requires {max} {}", argument_noun(max)),
            Some(max) if min == 0 => write!(f, "requires at most {max} {}", argument_noun(max)),
            Some(max) => write!(f, "requires at least {min} and at most {max} {}", argument_noun(max)),
        }
    }
}

fn argument_noun(count: usize) -> &'static str {
    if count == 1 { "argument" } else { "arguments" }
}

impl ArgsError {
    /// An error that docker finds before the command. It is printed without usage and help line; the exit code is 1.
    pub(super) fn without_usage(flag: FlagError) -> ArgsError {
        ArgsError { kind: Box::new(flag.into()), path: String::new(), usage: None, suggestion: None }
    }

    /// A wrong flag before any command.
    pub(super) fn before_command(name: &str, flag: FlagError) -> ArgsError {
        let usage = Some(format!("{name} COMMAND"));
        ArgsError { kind: Box::new(flag.into()), path: name.to_owned(), usage, suggestion: None }
    }

    /// Docker's exit code: 125 for a flag, 1 for other errors.
    pub fn exit_code(&self) -> u8 {
        match *self.kind {
            ArgsErrorKind::Flag(_) if self.usage.is_some() => 125,
            _ => 1,
        }
    }

    /// The usage block after the first line: `Usage:  docker manifest create MANIFEST_LIST MANIFEST…`.
    pub fn usage(&self) -> Option<String> {
        self.usage.as_ref().map(|usage| format!("Usage:  {usage}"))
    }

    /// The last line, which names the help. Only errors with a usage have one.
    pub fn help_line(&self) -> Option<String> {
        self.usage.as_ref()?;
        // Docker has two wordings; its check for a minimum alone uses the other one.
        let verb = match &*self.kind {
            ArgsErrorKind::ArgumentCount { count, .. } if count.max.is_none() => "See",
            _ => "Run",
        };
        Some(format!("{verb} '{} --help' for more information", self.path))
    }
}
