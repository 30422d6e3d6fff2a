//! A command line that is still being typed, for completion.

use super::clap_command;
use super::error::FlagError;
use super::pflag::{self, CommandMatch, FlagKind};

/// The position of the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// At the command.
    Command,
    /// After a word that is not a command: nothing can be completed.
    AfterUnknownCommand,
    /// In a flag's name, after `-` or `--`.
    FlagName,
    /// In the value of the flag of this name.
    FlagValue(String),
    /// In a positional argument of the command.
    Positional,
}

/// A command line up to the cursor.
#[derive(Debug, Clone)]
pub struct PartialCommandLine {
    /// Clap's description of the command, if it has been typed.
    pub verb: Option<clap::Command>,
    /// The position of the cursor.
    pub cursor: Cursor,
    /// The typed part of the argument or value at the cursor.
    pub typed: String,
    /// The command's positional arguments before the cursor.
    pub positionals: Vec<String>,
    scanned: pflag::Scanned,
}

impl PartialCommandLine {
    /// The value of a flag that was set before the cursor.
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.scanned.value(flag)
    }

    /// Whether a flag was set before the cursor.
    pub fn is_changed(&self, flag: &str) -> bool {
        self.scanned.is_changed(flag)
    }
}

/// Reads the words before the cursor (`before`) and the word at it (`current`), both without the program's name.
///
/// # Errors
/// A flag before the cursor that is unknown or has an invalid value.
pub fn parse_partial(before: &[String], current: &str) -> Result<PartialCommandLine, FlagError> {
    let root = clap_command();
    let (verb, rest) = match pflag::find_command(&root, before)? {
        CommandMatch::Command { verb, rest, .. } => (verb, rest),
        CommandMatch::Help([]) => return Ok(at_cursor(None, Cursor::Command, current)),
        CommandMatch::Help(_) => return Ok(at_cursor(None, Cursor::AfterUnknownCommand, current)),
        CommandMatch::NoCommand => {
            let no_positionals = pflag::scan(&root, before, false)?.positionals.is_empty();
            let cursor = match current {
                _ if current.starts_with('-') => Cursor::FlagName,
                _ if no_positionals => Cursor::Command,
                _ => Cursor::AfterUnknownCommand,
            };
            return Ok(at_cursor(None, cursor, current));
        }
    };
    let mut partial = at_cursor(Some(verb.clone()), Cursor::Positional, current);
    match pflag::scan(verb, rest, false) {
        Ok(scanned) => partial.scanned = scanned,
        // The last flag lacks the value that is being typed.
        Err(FlagError::NeedsValue(_) | FlagError::ShortNeedsValue { .. }) => {
            let (last, done) = rest.split_last().map_or(("", rest), |(last, done)| (last.as_str(), done));
            partial.scanned = pflag::scan(verb, done, false)?;
            partial.cursor = Cursor::FlagValue(value_flag_name(verb, last).unwrap_or_default());
        }
        Err(error) => return Err(error),
    }
    partial.positionals.clone_from(&partial.scanned.positionals);
    let flags_ended = rest.iter().any(|word| word == "--");
    if partial.cursor == Cursor::Positional && !flags_ended && current.starts_with('-') {
        partial.cursor = Cursor::FlagName;
        if let Some((flag, value)) = current.split_once('=') {
            partial.cursor = Cursor::FlagValue(value_flag_name(verb, flag).unwrap_or_default());
            partial.typed = value.to_owned();
        }
    }
    Ok(partial)
}

fn at_cursor(verb: Option<clap::Command>, cursor: Cursor, typed: &str) -> PartialCommandLine {
    let (positionals, scanned) = Default::default();
    PartialCommandLine { verb, cursor, typed: typed.to_owned(), positionals, scanned }
}

/// The long name of the flag with a value that `--name`, `-n` or the last letter of a cluster stands for.
fn value_flag_name(verb: &clap::Command, typed: &str) -> Option<String> {
    let flag = match typed.strip_prefix("--") {
        Some(long) => verb.get_arguments().find(|flag| flag.get_long() == Some(long))?,
        None => {
            let letter = typed.chars().last()?;
            verb.get_arguments().find(|flag| flag.get_short() == Some(letter))?
        }
    };
    (pflag::flag_kind(flag) != FlagKind::Bool).then(|| flag.get_long().unwrap_or_default().to_owned())
}
