//! manifest-tool's command line (v2.2), used if the program is called by that name.
//!
//! Flags are read as everywhere else (`scan`), with three differences: a long flag may have one dash, the flags of the
//! program may stand anywhere, and every error has exit code 1. manifest-tool ignores unknown flags, unknown types and
//! extra words; here they are errors.

mod arguments;

use clap::{Args, CommandFactory, FromArgMatches};

use super::error::{ArgsErrorKind, FlagError};
use super::help::{about, invalid_value, option_table, usage_positionals};
use super::pflag::{self, FlagKind};
use crate::suggest::nearest;

pub use arguments::{ToolCommand, ToolFromArgs, ToolFromSpec, ToolGlobals, ToolInspect, ToolPush, ToolRequest};

/// The name of the program in every text.
const NAME: &str = "manifest-tool";

/// A command line of manifest-tool that cannot be run. The exit code is 1, as manifest-tool's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ToolError {
    /// The error itself.
    pub kind: ToolErrorKind,
    /// The usage line of the command that it concerns.
    pub usage: String,
    /// A suggestion for a mistyped command line.
    pub suggestion: Option<String>,
}

/// The kinds of errors of a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolErrorKind {
    /// An unknown flag, or a flag without its value or with an invalid one.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A word that is not a command.
    #[error("unknown command: {0}")]
    UnknownCommand(String),
    /// `push` without `from-spec` or `from-args`.
    #[error("push needs from-spec or from-args")]
    NoPushSource,
    /// A missing flag or word that the command needs.
    #[error("{0} is missing")]
    Missing(String),
    /// An invalid positional argument.
    #[error("{0}")]
    InvalidPositional(String),
    /// An extra word.
    #[error("unexpected argument: {0}")]
    Extra(String),
}

/// Reads manifest-tool's arguments, without the program's name.
///
/// # Errors
/// Everything that cannot be read. Nothing is ignored.
pub fn manifest_tool(words: &[String]) -> Result<ToolRequest, ToolError> {
    let commands = commands();
    let words = with_two_dashes(&commands, words);
    let path = command_path(&commands, &words);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match *path.as_slice() {
        ["help" | "h", ref topic @ ..] => help(&commands, topic),
        [] if contains_any(&words, &["--version", "-v"]) => Ok(ToolRequest::Version),
        [] => no_command(&commands, &words),
        ["push"] | ["push", "help" | "h"] => {
            let is_requested = contains_any(&words, &["--help", "-h"]) || path.len() == 2;
            if is_requested {
                help(&commands, &["push"])
            } else {
                Err(tool_error(&commands, "push", ToolErrorKind::NoPushSource))
            }
        }
        [name, ..] => {
            let name = if name == "push" { path.join(" ") } else { name.to_owned() };
            match commands.iter().find(|command| command.get_name() == name) {
                Some(command) => parse_arguments(&commands, command, &words),
                None => Err(tool_error(&commands, "", ToolErrorKind::UnknownCommand(name))),
            }
        }
    }
}

/// Every command, with the flags of the program.
fn commands() -> [clap::Command; 3] {
    [ToolInspect::command(), ToolFromArgs::command(), ToolFromSpec::command()].map(|command| {
        let about = command.get_about().cloned().unwrap_or_default();
        ToolGlobals::augment_args(command).about(about)
    })
}

/// Every flag of every command.
fn find_flag<'a>(commands: &'a [clap::Command], long: &str) -> Option<&'a clap::Arg> {
    commands.iter().flat_map(clap::Command::get_arguments).find(|flag| flag.get_long() == Some(long))
}

/// Go's flag package reads `-raw` as `--raw`. A value that begins with a dash is not changed.
fn with_two_dashes(commands: &[clap::Command], words: &[String]) -> Vec<String> {
    let mut is_value = false;
    let mut flags_ended = false;
    let mut normalized = Vec::new();
    for word in words {
        flags_ended |= word == "--" && !is_value;
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
        let (long, value) = name.split_once('=').map_or((name, None), |(long, value)| (long, Some(value)));
        let known = find_flag(commands, long).filter(|_| !is_value && !flags_ended);
        let is_help = ["help", "version"].contains(&long) && !is_value && !flags_ended;
        normalized.push(if known.is_some() || is_help { format!("--{name}") } else { word.clone() });
        is_value = known.is_some_and(|flag| value.is_none() && pflag::flag_kind(flag) != FlagKind::Bool);
    }
    normalized
}

/// The words that select a command: one, or `push` and its form.
fn command_path(commands: &[clap::Command], words: &[String]) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut is_value = false;
    for word in words {
        let length =
            if path.first().is_some_and(|first| first == "push" || first == "help" || first == "h") { 2 } else { 1 };
        if std::mem::take(&mut is_value) || path.len() >= length {
            continue;
        }
        match word.strip_prefix("--") {
            Some(name) => {
                is_value = find_flag(commands, name).is_some_and(|flag| pflag::flag_kind(flag) != FlagKind::Bool)
            }
            None if word.starts_with('-') => {}
            None => path.push(word.clone()),
        }
    }
    path
}

fn contains_any(words: &[String], flags: &[&str]) -> bool {
    words.iter().any(|word| flags.contains(&word.as_str()))
}

/// The result if there are only flags, or nothing: help, unless a flag is wrong.
fn no_command(commands: &[clap::Command], words: &[String]) -> Result<ToolRequest, ToolError> {
    let all = commands.iter().flat_map(clap::Command::get_arguments).filter(|flag| flag.get_long().is_some());
    let mut whole = clap::Command::new("");
    for flag in all {
        if whole.get_arguments().all(|known| known.get_id() != flag.get_id()) {
            whole = whole.arg(flag.clone());
        }
    }
    pflag::scan(&whole, words, false).map_err(|flag| tool_error(commands, "", flag.into()))?;
    help(commands, &[])
}

fn parse_arguments(
    commands: &[clap::Command],
    command: &clap::Command,
    words: &[String],
) -> Result<ToolRequest, ToolError> {
    let name = command.get_name();
    let refused = |kind: ToolErrorKind| tool_error(commands, name, kind);
    let mut scanned = pflag::scan(command, words, false).map_err(|flag| refused(flag.into()))?;
    if scanned.wants_help {
        return Ok(ToolRequest::Help(command_help(command)));
    }
    scanned.positionals.drain(..name.split(' ').count().min(scanned.positionals.len()));
    let positionals: Vec<&clap::Arg> = command.get_positionals().collect();
    if let Some(extra) = scanned.positionals.get(positionals.len()) {
        return Err(refused(ToolErrorKind::Extra(extra.clone())));
    }
    if let Some(missing) = positionals.get(scanned.positionals.len()) {
        return Err(refused(ToolErrorKind::Missing(pflag::value_name(missing))));
    }
    let is_missing = |flag: &&clap::Arg| {
        flag.get_long().is_some_and(|long| flag.is_required_set() && scanned.values(long).is_empty())
    };
    if let Some(flag) = command.get_arguments().find(is_missing) {
        return Err(refused(ToolErrorKind::Missing(pflag::pflag_name(flag))));
    }
    for (flag, other) in [("username", "password"), ("password", "username")] {
        if scanned.is_on(flag) && !scanned.is_on(other) {
            let (flag, needed) = (format!("--{flag}"), format!("--{other}"));
            return Err(refused(FlagError::Needs { flag, needed }.into()));
        }
    }
    typed_request(command, scanned.normal_form(command)).map_err(|error| {
        refused(match invalid_value(command, &error) {
            ArgsErrorKind::Flag(flag) => flag.into(),
            other => ToolErrorKind::InvalidPositional(other.to_string()),
        })
    })
}

/// The typed values of a command line in normal form.
fn typed_request(command: &clap::Command, normal_form: Vec<String>) -> Result<ToolRequest, clap::Error> {
    let matches = command.clone().try_get_matches_from(normal_form)?;
    let command = match command.get_name() {
        "inspect" => ToolCommand::Inspect(ToolInspect::from_arg_matches(&matches)?),
        "push from-spec" => ToolCommand::FromSpec(ToolFromSpec::from_arg_matches(&matches)?),
        _ => ToolCommand::FromArgs(ToolFromArgs::from_arg_matches(&matches)?),
    };
    Ok(ToolRequest::Run(ToolGlobals::from_arg_matches(&matches)?, Box::new(command)))
}

/// An error. `name` is the command; empty for the program, `push` for both forms of `push`.
fn tool_error(commands: &[clap::Command], name: &str, kind: ToolErrorKind) -> ToolError {
    let concerned = commands.iter().filter(|command| command.get_name().starts_with(name));
    let suggestion = match &kind {
        ToolErrorKind::Flag(FlagError::Unknown(typed)) => {
            let flags = concerned.flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long);
            nearest(typed, flags).map(|flag| format!("--{flag}"))
        }
        ToolErrorKind::UnknownCommand(typed) => match typed.strip_prefix("push ") {
            Some(source) => nearest(source, ["from-args", "from-spec"]).map(|source| format!("push {source}")),
            None => nearest(typed, ["inspect", "push", "help"]).map(str::to_owned),
        },
        _ => None,
    };
    let usage = match commands.iter().find(|command| command.get_name() == name) {
        Some(command) => usage(command),
        None if name == "push" => format!("{NAME} push [OPTIONS] from-spec|from-args ..."),
        None => format!("{NAME} [OPTIONS] COMMAND"),
    };
    ToolError { kind, usage, suggestion }
}

impl ToolError {
    /// Where to find more help.
    pub fn help_line(&self) -> String {
        format!("Run '{NAME} --help' for more information")
    }
}

fn usage(command: &clap::Command) -> String {
    format!("{NAME} {} [OPTIONS]{}", command.get_name(), usage_positionals(command, clap::Arg::is_required_set))
}

fn command_help(command: &clap::Command) -> String {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples: String = examples.lines().map(|line| format!("  {}\n", line.replace("{name}", NAME))).collect();
    let (usage, about, options) = (usage(command), about(command), option_table(command));
    format!("Usage:  {usage}\n\n{about}\n{options}\nExamples:\n{examples}")
}

fn help(commands: &[clap::Command], topic: &[&str]) -> Result<ToolRequest, ToolError> {
    let name = topic.join(" ");
    let is_named = |command: &&clap::Command| {
        let is_first = |first: &&str| command.get_name().split(' ').next() == Some(*first);
        command.get_name().starts_with(&name) && topic.first().is_none_or(is_first)
    };
    let named: Vec<&clap::Command> = commands.iter().filter(is_named).collect();
    match named.as_slice() {
        [] => Err(tool_error(commands, "", ToolErrorKind::UnknownCommand(name))),
        [only] => Ok(ToolRequest::Help(command_help(only))),
        several => {
            let mut text = if name.is_empty() {
                format!("Usage:  {NAME} [OPTIONS] COMMAND\n\nShow and push images for several platforms\n\nCommands:\n")
            } else {
                format!("Usage:  {NAME} push [OPTIONS] from-spec|from-args ...\n\nPush a manifest list\n\nCommands:\n")
            };
            for command in several {
                text.push_str(&format!("  {:14}  {}\n", command.get_name(), about(command)));
            }
            text.push_str(&option_table(&ToolGlobals::augment_args(clap::Command::new("")).disable_help_flag(true)));
            text.push_str(&format!("\nRun '{NAME} COMMAND --help' for more information on a command.\n"));
            Ok(ToolRequest::Help(text))
        }
    }
}
