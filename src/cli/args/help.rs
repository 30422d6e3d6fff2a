//! Prints help and usage texts in docker's layout, with the name that the program was called by.

use std::fmt::Write;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

use super::error::{ArgsError, ArgsErrorKind, ArgumentCount, FlagError};
use super::{CliRequest, examples, flag_rules, help_lists, pflag, suggestion};

/// Commands whose usage line in docker lacks `[OPTIONS]` although they have options.
const USAGE_WITHOUT_OPTIONS: [&str; 2] = ["create", "rm"];

/// Cobra's minimum width of the column of commands.
const NAME_COLUMN_MIN: usize = 11;

pub(super) const OVERVIEW: &str = "\
A manifest list is one name for the same image built for several platforms. These commands make a local draft of
one from images that are in a registry, change how it describes them, and push it. No engine is needed.";

/// Options that stand before the command, docker's own among them. A docker plugin does not list them.
pub(super) const GLOBALS: [(&str, &str); 3] = [
    ("    --color string", "When to use colour: \"auto\", \"always\" or \"never\" (default \"auto\")"),
    ("    --config string", "Location of client config files"),
    ("-D, --debug", "Enable debug mode"),
];

/// The name that the program was called by, and its commands.
pub(super) struct Program<'a> {
    pub(super) name: &'a str,
    pub(super) root: &'a Command,
    /// Whether the name stands for one command, which is then not part of the usage: `mquery`.
    pub(super) is_single_command: bool,
}

impl Program<'_> {
    fn first_word(&self) -> String {
        self.name.split_whitespace().next().unwrap_or(self.name).to_owned()
    }

    fn command_path(&self, verb: Option<&Command>) -> String {
        match verb {
            Some(verb) if !self.is_single_command => format!("{} {}", self.name, verb.get_name()),
            _ => self.name.to_owned(),
        }
    }

    pub(super) fn usage(&self, verb: Option<&Command>) -> String {
        let Some(verb) = verb else { return format!("{} COMMAND", self.name) };
        let mut usage = self.command_path(Some(verb));
        if options(verb).next().is_some() && !USAGE_WITHOUT_OPTIONS.contains(&verb.get_name()) {
            usage.push_str(" [OPTIONS]");
        }
        usage.push_str(&usage_positionals(verb, |positional| flag_rules::is_required(verb, positional)));
        usage
    }

    /// An error of a command, or of the program.
    pub(super) fn error(&self, verb: Option<&Command>, kind: impl Into<ArgsErrorKind>) -> ArgsError {
        let kind = kind.into();
        let suggestion = suggestion::find(self.root, verb, &kind);
        ArgsError { kind: Box::new(kind), path: self.command_path(verb), usage: Some(self.usage(verb)), suggestion }
    }

    pub(super) fn count_error(&self, verb: &Command, count: ArgumentCount) -> ArgsError {
        let kind =
            ArgsErrorKind::ArgumentCount { first_word: self.first_word(), path: self.command_path(Some(verb)), count };
        self.error(Some(verb), kind)
    }

    pub(super) fn unknown_command(&self, word: &str) -> ArgsError {
        let (first_word, program_name) = (self.first_word(), self.name.to_owned());
        self.error(None, ArgsErrorKind::UnknownCommand { first_word, program_name, word: word.to_owned() })
    }

    /// `help [VERB]`.
    pub(super) fn help_topic(&self, topic: &[String]) -> Result<CliRequest, ArgsError> {
        // `help --help` prints help too.
        let topic: Vec<&String> = topic.iter().filter(|word| *word != "--help" && *word != "-h").collect();
        let verb = topic.first().and_then(|word| self.root.find_subcommand(word));
        let text = match (verb, topic.as_slice()) {
            (_, []) => self.program_help(),
            (Some(verb), [_]) => self.command_help(verb),
            (verb, [first, rest @ ..]) => {
                let word = if verb.is_some() { rest.first().unwrap_or(first) } else { first };
                let kind = ArgsErrorKind::UnknownTopic((*word).clone());
                let suggestion = suggestion::find(self.root, None, &kind);
                return Err(ArgsError { kind: Box::new(kind), path: self.name.to_owned(), usage: None, suggestion });
            }
        };
        Ok(CliRequest::Help { text, requested: true })
    }

    /// The help of a command.
    pub(super) fn command_help(&self, verb: &Command) -> String {
        let mut text = format!("Usage:  {}\n\n{}\n", self.usage(Some(verb)), about(verb));
        text.push_str(&option_table(verb));
        if let Some(examples) = verb.get_after_help() {
            let examples =
                examples.to_string().replace(&format!("{{name}} {}", verb.get_name()), &self.command_path(Some(verb)));
            text.push_str(&self.examples(&examples));
        }
        text
    }

    /// The help of the program.
    pub(super) fn program_help(&self) -> String {
        let mut text = format!("Usage:  {} COMMAND\n\n{OVERVIEW}\n", self.name);
        let width = self.root.get_subcommands().map(|verb| verb.get_name().len()).fold(NAME_COLUMN_MIN, usize::max);
        for (group, verbs) in groups(self.root) {
            let _ = writeln!(text, "\n{group}:");
            for verb in verbs {
                let _ = writeln!(text, "  {:width$} {}", verb.get_name(), about(verb));
            }
        }
        if !self.name.contains(' ') {
            text.push_str("\nGlobal Options (before the command; --color and --debug may also follow it):\n");
            text.push_str(&columns(&GLOBALS));
        }
        text.push_str(&self.examples(examples::OVERVIEW));
        for (title, rows) in [("Exit Codes", help_lists::EXIT_CODES), ("Environment", help_lists::ENVIRONMENT)] {
            let _ = write!(text, "\n{title}:\n{}", columns(rows));
        }
        let _ = writeln!(text, "\nRun '{} COMMAND --help' for more information on a command.", self.name);
        text
    }

    fn examples(&self, lines: &str) -> String {
        let mut text = "\nExamples:\n".to_owned();
        for line in lines.lines() {
            let _ = writeln!(text, "  {}", line.replace("{name}", self.name));
        }
        text
    }
}

/// The error for an invalid value, from clap's error.
pub(super) fn invalid_value(verb: &Command, error: &clap::Error) -> ArgsErrorKind {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let reason = match (text(ContextKind::ValidValue), std::error::Error::source(error)) {
        (Some(valid), _) => format!("must be one of {valid}"),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    // "--jobs <int>" or "<SHELL>".
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let long = argument.strip_prefix("--").and_then(|name| name.split([' ', '=']).next());
    let flag = long.and_then(|long| verb.get_arguments().find(|flag| flag.get_long() == Some(long)));
    match flag {
        Some(flag) => FlagError::Value { value, flag: pflag::pflag_name(flag), reason }.into(),
        None => ArgsErrorKind::InvalidPositional(format!("invalid argument \"{value}\": {reason}")),
    }
}

/// The positional arguments of a usage line: ` LIST [IMAGE...]`.
pub(super) fn usage_positionals(verb: &Command, is_required: impl Fn(&Arg) -> bool) -> String {
    let mut usage = String::new();
    for positional in verb.get_positionals() {
        let name = pflag::value_name(positional);
        let many = positional.get_num_args().is_some_and(|range| range.max_values() > 1);
        let text = match (is_required(positional), many) {
            (true, false) => format!(" {name}"),
            (true, true) => format!(" {name} [{name}...]"),
            (false, false) => format!(" [{name}]"),
            (false, true) => format!(" [{name}...]"),
        };
        usage.push_str(&text);
    }
    usage
}

fn options(verb: &Command) -> impl Iterator<Item = &Arg> {
    verb.get_arguments().filter(|argument| argument.get_long().is_some())
}

/// The commands by what they are for.
pub(super) fn groups(root: &Command) -> impl Iterator<Item = (&'static str, Vec<&Command>)> {
    let verb = |name: &&str| root.find_subcommand(name);
    help_lists::COMMAND_GROUPS.iter().map(move |(group, names)| (*group, names.iter().filter_map(verb).collect()))
}

/// One line about a command.
pub(super) fn about(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

fn help_text(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default()
}

/// The positional arguments of a command, and their help.
pub(super) fn positional_rows(verb: &Command) -> Vec<(String, String)> {
    verb.get_positionals().map(|positional| (pflag::value_name(positional), help_text(positional))).collect()
}

/// The options by name, in pflag's order, with pflag's name for the type of each value; and their help.
pub(super) fn option_rows(verb: &Command) -> Vec<(String, String)> {
    let mut flags: Vec<&Arg> = options(verb).collect();
    flags.sort_by_key(|flag| flag.get_long());
    let row = |flag: &Arg| {
        let mut option = match flag.get_short() {
            Some(short) => format!("-{short}, "),
            None => "    ".to_owned(),
        };
        let _ = write!(option, "--{}", flag.get_long().unwrap_or_default());
        if pflag::flag_kind(flag) != pflag::FlagKind::Bool {
            let names = flag.get_value_names().unwrap_or_default();
            option.extend(names.iter().flat_map(|name| [" ", name.as_str()]));
        }
        (option, help_text(flag))
    };
    flags.into_iter().map(row).collect()
}

/// The table of a verb's options.
pub(super) fn option_table(verb: &Command) -> String {
    let rows = option_rows(verb);
    if rows.is_empty() { String::new() } else { format!("\nOptions:\n{}", columns(&rows)) }
}

/// Names and what they mean, in two columns.
fn columns<S: AsRef<str>>(rows: &[(S, S)]) -> String {
    let width = rows.iter().map(|(name, _)| name.as_ref().len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, meaning) in rows {
        let _ = writeln!(text, "  {:width$}   {}", name.as_ref(), meaning.as_ref());
    }
    text
}
