//! The command line: every command, its flags and its arguments, as typed values.
//!
//! Docker's command line is Go's cobra and pflag. Clap lacks some of their habits: `--flag=false`, clusters, flags
//! before and after the arguments, the last of a repeated flag counts, error texts, exit code 125. So the clap structs
//! below describe the flags (names, types, help texts), `pflag` reads the arguments as pflag does and passes clap a
//! normal form, and `help` prints clap's description in docker's layout. A new flag is one new field: parsing, help and
//! completion read the same structs.
//!
//! Parsing does not reject a reference. A [`RefArg`] keeps the typed text beside the parsed reference, because docker
//! words the error differently in each command.

mod check;
mod clap_command;
mod common_flags;
mod csv;
mod error;
mod examples;
mod flag_rules;
mod globals;
mod go_quote;
mod help;
mod help_lists;
mod man;
mod manifest_tool;
mod partial_command_line;
mod pflag;
mod possible_values;
mod query_verbs;
mod reference_page;
mod setup_verbs;
mod shared_drafts;
mod suggestion;
pub mod values;
mod verbs;

use clap::{FromArgMatches, Parser};

pub use crate::cli::output::ColorChoice;
pub use crate::core::push::tags::TagArg;
pub use check::Check;
pub use clap_command::clap_command;
pub use common_flags::{
    BuildOutputFlags, EntryFlags, ImageSourceFlags, ListFlags, NetworkFlags, PublishFlags, SourceFilterFlags,
};
pub use error::{ArgsError, ArgsErrorKind, ArgumentCount, FlagError, Suggestion};
pub use globals::{Globals, LeadingFlags, leading_flags};
pub use man::{ManPage, manual_pages};
pub use manifest_tool::{
    ToolCommand, ToolError, ToolErrorKind, ToolFromArgs, ToolFromSpec, ToolGlobals, ToolInspect, ToolPush, ToolRequest,
    manifest_tool,
};
pub use partial_command_line::{Cursor, PartialCommandLine, parse_partial};
pub use pflag::{FlagKind, flag_kind};
pub use possible_values::{
    CompletionShell, Format, InspectFormat, InspectOutput, PlatformsFormat, PublishFormat, RowsFormat, Shell,
};
pub use query_verbs::{Exists, Export, Inspect, Ls, Platforms};
pub use reference_page::reference_page;
pub use setup_verbs::{Completion, Man, ShellInit, Shim, ShimAction, Version};
pub use shared_drafts::{SharedDraftFlags, SharedPublishFlags};
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
        requested: bool,
    },
}

#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_help_subcommand = true, no_binary_name = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// The last `--color` of a command line that cannot be run, as far as it can be read.
pub fn last_color(words: &[String]) -> Option<ColorChoice> {
    let before_end = words.iter().take_while(|word| *word != "--");
    let typed = before_end.zip(words.iter().skip(1).map(Some).chain([None])).filter_map(|(word, next)| {
        let value = word.strip_prefix("--color")?;
        if value.is_empty() { next.map(String::as_str) } else { value.strip_prefix('=') }
    });
    typed.filter_map(|typed| possible_values::parse_color(typed).ok()).last()
}

/// Reads a command line from the command on. `name` is how the program was called (`docker manifest`).
///
/// The checks have docker's order: flags, then `--help`, then the command's name, then the number of arguments.
///
/// # Errors
/// A command line that cannot be run, in docker's words.
pub fn parse(name: &str, words: &[String]) -> Result<CliRequest, ArgsError> {
    let root = clap_command::clap_command_for_words(words);
    let program = help::Program { name, root: &root, is_single_command: false };
    if words == ["--version"] {
        let command = Box::new(Command::Version(Version::default()));
        return Ok(CliRequest::Run { command, debug: false, color: None });
    }
    parse_command(&program, words)
}

/// Reads the arguments of a program that is one command: mquery is `platforms` under its own name.
///
/// # Errors
/// As [`parse`].
pub fn mquery(words: &[String]) -> Result<CliRequest, ArgsError> {
    let words: Vec<String> = std::iter::once("platforms".to_owned()).chain(words.iter().cloned()).collect();
    let root = clap_command::clap_command_for_words(&words);
    let program = help::Program { name: "mquery", root: &root, is_single_command: true };
    parse_command(&program, &words)
}

fn parse_command(program: &help::Program<'_>, words: &[String]) -> Result<CliRequest, ArgsError> {
    let root = program.root;
    let (verb, rest, wants_help) = match pflag::find_command(root, words).map_err(ArgsError::without_usage)? {
        pflag::CommandMatch::Command { verb, rest, wants_help_before_verb } => (verb, rest, wants_help_before_verb),
        pflag::CommandMatch::Help(topic) => return program.help_topic(topic),
        pflag::CommandMatch::NoCommand => return without_command(program, words),
    };
    let scanned = pflag::scan(&with_globals(verb), rest, wants_help);
    let mut scanned = scanned.map_err(|flag| program.error(Some(verb), flag))?;
    let debug = scanned.is_on(DEBUG);
    let color = scanned.value(COLOR).map(possible_values::parse_color).transpose();
    [DEBUG, COLOR].iter().for_each(|flag| scanned.remove(flag));
    let color = color.map_err(|flag| program.error(Some(verb), flag))?;
    if scanned.wants_help {
        return Ok(CliRequest::Help { text: program.command_help(verb), requested: true });
    }
    let count = flag_rules::permitted_argument_count(verb, &scanned);
    if !count.permits(scanned.positionals.len()) {
        return Err(program.count_error(verb, count));
    }
    flag_rules::check_flags(verb, &scanned).map_err(|flag| program.error(Some(verb), flag))?;
    let words = std::iter::once(verb.get_name().to_owned()).chain(scanned.normal_form(verb));
    let matches = root.clone().try_get_matches_from(words);
    let command = matches.and_then(|matches| Command::from_arg_matches(&matches));
    // All errors but invalid values were found before clap sees the arguments.
    let command = command.map_err(|error| program.error(Some(verb), help::invalid_value(verb, &error)))?;
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
fn without_command(program: &help::Program<'_>, words: &[String]) -> Result<CliRequest, ArgsError> {
    let scanned = pflag::scan(program.root, words, false).map_err(|flag| program.error(None, flag))?;
    match scanned.positionals.first() {
        _ if scanned.wants_help => Ok(CliRequest::Help { text: program.program_help(), requested: true }),
        Some(word) => Err(program.unknown_command(word)),
        None => Ok(CliRequest::Help { text: program.program_help(), requested: false }),
    }
}

#[cfg(test)]
mod tests;
