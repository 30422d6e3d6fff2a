//! The command line: every command, its flags and its words, as typed values.
//!
//! Docker's command line is Go's cobra and pflag. Clap lacks some of their habits: `--flag=false`, clusters, flags
//! before and after the words, the last of a repeated flag counts, error texts, exit code 125. So the clap structs
//! below describe the flags (names, types, help texts), `scan` reads the arguments as pflag does and passes clap a
//! normal form, and `help` prints clap's description in docker's layout. A new flag is one new field: parsing, help and
//! completion read the same structs.
//!
//! Parsing does not reject a reference. A [`RefArg`] keeps the typed text beside the parsed reference, because docker
//! words the error differently in each command.

mod csv;
mod syntax;
mod error;
mod examples;
mod possible_values;
mod globals;
mod help;
mod man;
mod manifest_tool;
mod suggestion;
mod partial_line;
mod go_quote;
mod read_only;
mod reference_page;
mod rules;
mod pflag;
mod setup;
mod common_flags;
mod shared_drafts;
mod topics;
pub mod values;
mod verbs;

use clap::{FromArgMatches, Parser};

pub use crate::cli::output::ColorChoice;
pub use crate::core::push::tags::TagArg;
pub use syntax::syntax;
pub use error::{ArgsError, ArgsErrorKind, Count, FlagError, Near};
pub use possible_values::{
    CompletionShell, Format, InspectFormat, InspectOutput, ListFormat, PlatformsFormat, PublishFormat, Shell,
};
pub use globals::{Globals, Head, globals};
pub use man::{ManPage, pages};
pub use manifest_tool::{
    ToolCommand, ToolError, ToolErrorKind, ToolFromArgs, ToolFromSpec, ToolGlobals, ToolInspect, ToolPush, ToolRequest,
    manifest_tool,
};
pub use partial_line::{Cursor, Partial, partial};
pub use read_only::{Check, Exists, Export, Inspect, Ls, Platforms};
pub use reference_page::reference;
pub use pflag::{FlagKind, kind};
pub use setup::{Completion, Man, ShellInit, Shim, ShimAction, Version};
pub use common_flags::{EntryFlags, FromFiles, ImageFlags, ListFlags, NetworkFlags, PublishFlags, SourceFlags};
pub use shared_drafts::{SharedPublish, SharedRun};
pub use values::{LocationArg, RefArg};
pub use verbs::{Add, Annotate, Apply, Command, Copy, Create, Prune, Push, Remove, Rm};

/// The request that a command line makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CliRequest {
    /// Run a command.
    Run {
        /// The command.
        command: Box<Command>,
        /// Whether `--debug` stands after the command; docker's own stands before it.
        debug: bool,
        /// `--color` after the command.
        color: Option<ColorChoice>,
    },
    /// Print this text and exit with 0.
    Help {
        /// The text, with its last newline.
        text: String,
        /// Whether the user asked for help. Then it goes to stdout; without any command docker prints it on stderr.
        asked: bool,
    },
}

#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_help_subcommand = true, no_binary_name = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// The value of `--color`, if it is one.
pub fn color(typed: &str) -> Option<ColorChoice> {
    possible_values::color(typed).ok()
}

/// The last `--color` of a command line that cannot be run, as far as it can be read.
pub fn color_in(words: &[String]) -> Option<ColorChoice> {
    let before_end = words.iter().take_while(|word| *word != "--");
    let typed = before_end.zip(words.iter().skip(1).map(Some).chain([None])).filter_map(|(word, next)| {
        let value = word.strip_prefix("--color")?;
        if value.is_empty() { next.map(String::as_str) } else { value.strip_prefix('=') }
    });
    typed.filter_map(color).last()
}

/// Reads a command line from the command on. `name` is how the program was called (`docker manifest`).
///
/// The checks have docker's order: flags, then `--help`, then the command's name, then the number of words.
///
/// # Errors
/// A command line that cannot be run, in docker's words.
pub fn parse(name: &str, words: &[String]) -> Result<CliRequest, ArgsError> {
    let root = syntax::syntax_for(words);
    let called = help::Called { name, root: &root, is_verb: false };
    if words == ["--version"] {
        let command = Box::new(Command::Version(Version::default()));
        return Ok(CliRequest::Run { command, debug: false, color: None });
    }
    read(&called, words)
}

/// Reads the arguments of a program that is one command: mquery is `platforms` under its own name.
///
/// # Errors
/// As [`parse`].
pub fn mquery(words: &[String]) -> Result<CliRequest, ArgsError> {
    let words: Vec<String> = std::iter::once("platforms".to_owned()).chain(words.iter().cloned()).collect();
    let root = syntax::syntax_for(&words);
    let called = help::Called { name: "mquery", root: &root, is_verb: true };
    read(&called, &words)
}

fn read(called: &help::Called<'_>, words: &[String]) -> Result<CliRequest, ArgsError> {
    let root = called.root;
    let (verb, rest, wants_help) = match pflag::traverse(root, words).map_err(ArgsError::bare)? {
        pflag::CommandSearch::Verb { verb, rest, help } => (verb, rest, help),
        pflag::CommandSearch::Help(topic) => return called.topic(topic),
        pflag::CommandSearch::NoCommand => return no_verb(called, words),
    };
    let scanned = pflag::scan(&with_globals(verb), rest, wants_help);
    let mut scanned = scanned.map_err(|flag| called.flag_error(Some(verb), flag))?;
    let debug = scanned.is_on(DEBUG);
    let color = scanned.value(COLOR).map(possible_values::color).transpose();
    [DEBUG, COLOR].iter().for_each(|flag| scanned.remove(flag));
    let color = color.map_err(|flag| called.flag_error(Some(verb), flag))?;
    if scanned.help {
        return Ok(CliRequest::Help { text: called.verb(verb), asked: true });
    }
    if let Some(count) = rules::count(verb, &scanned).broken_by(scanned.words.len()) {
        return Err(called.count_error(verb, count));
    }
    rules::check(verb, &scanned).map_err(|flag| called.flag_error(Some(verb), flag))?;
    let matches = root.clone().try_get_matches_from(scanned.normal_form(verb));
    let command = matches.and_then(|matches| Command::from_arg_matches(&matches));
    let command = command.map_err(|error| called.value_error(verb, &error))?;
    Ok(CliRequest::Run { command: Box::new(command), debug, color })
}

const DEBUG: &str = "debug";
const COLOR: &str = "color";

/// The command with the flags that are accepted before and after every command. Help shows them once.
fn with_globals(verb: &clap::Command) -> clap::Command {
    let debug = clap::Arg::new(DEBUG).short('D').long(DEBUG).action(clap::ArgAction::SetTrue);
    verb.clone().args([debug, clap::Arg::new(COLOR).long(COLOR)])
}

/// The result if there is no command: an unknown flag, a request for help, an unknown word, or nothing.
fn no_verb(called: &help::Called<'_>, words: &[String]) -> Result<CliRequest, ArgsError> {
    let scanned = pflag::scan(called.root, words, false).map_err(|flag| called.flag_error(None, flag))?;
    match scanned.words.first() {
        _ if scanned.help => Ok(CliRequest::Help { text: called.overview(), asked: true }),
        Some(word) => Err(called.unknown_command(word)),
        None => Ok(CliRequest::Help { text: called.overview(), asked: false }),
    }
}

#[cfg(test)]
mod tests;
