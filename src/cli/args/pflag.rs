//! Reads arguments as Go's pflag does and passes clap a normal form of them. The differences between the two are
//! handled only here.
//!
//! In pflag flags stand anywhere before `--`, and there are no abbreviations. A flag with a value takes the next
//! argument whatever it is; a boolean takes a value only after `=`; the last of a repeated flag counts. The normal form
//! has one `--name` for every boolean that is true, `--name=value` for the other flags, `--`, and the positional
//! arguments.

use clap::{Arg, ArgAction};

use super::csv;
use super::error::FlagError;
use super::go_quote::quote;

/// List flags that must not be empty. In a script they are empty if a variable was not set: `--require "$PLATFORMS"`
/// must not succeed then.
const NEVER_EMPTY_LISTS: [&str; 3] = ["platform", "require", "tag"];

/// List flags that docker has, too. Spaces stay, as in pflag.
const UNTRIMMED_LISTS: [&str; 1] = ["os-features"];

/// How a flag takes its value: pflag's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagKind {
    /// On or off. A value must follow `=`.
    Bool,
    /// One text. The last one counts.
    String,
    /// Any number of texts, each unchanged.
    StringArray,
    /// A CSV list. Repeated flags add up. The clap argument has pflag's name for the type, `strings`.
    StringSlice,
}

/// How this flag takes its value.
pub fn flag_kind(flag: &Arg) -> FlagKind {
    let is_list = || flag.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == "strings"));
    match flag.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => FlagKind::Bool,
        ArgAction::Append if is_list() => FlagKind::StringSlice,
        ArgAction::Append => FlagKind::StringArray,
        _ => FlagKind::String,
    }
}

/// The arguments of a command, split into flags and positional arguments.
#[derive(Debug, Clone, Default)]
pub(super) struct Scanned {
    /// Every flag that was set, with its values.
    flags: Vec<(String, Setting)>,
    /// The positional arguments, in order.
    pub(super) positionals: Vec<String>,
    /// Whether help was requested. A later `--help=false` takes `--help` back.
    pub(super) wants_help: bool,
}

#[derive(Debug, Clone)]
enum Setting {
    Bool(bool),
    Values(Vec<String>),
}

/// The result of the search for the command, as cobra's traversal has it.
pub(super) enum CommandMatch<'a> {
    /// A command was found.
    Command {
        verb: &'a clap::Command,
        /// The arguments after the command.
        rest: &'a [String],
        /// Whether `--help` stood before it.
        wants_help_before_verb: bool,
    },
    /// `help`, with the words after it.
    Help(&'a [String]),
    /// No command: all arguments belong to the program.
    NoCommand,
}

/// Finds the command. No flag is defined before it, so `--name` and `-x` without `=` take the next argument as their
/// value, except `--help` and `-h`.
pub(super) fn find_command<'a>(root: &'a clap::Command, words: &'a [String]) -> Result<CommandMatch<'a>, FlagError> {
    let mut is_value = false;
    for (at, word) in words.iter().enumerate() {
        let before = words.get(..at).unwrap_or_default();
        let rest = words.get(at + 1..).unwrap_or_default();
        if word.starts_with("--") && !word.contains('=') {
            is_value = word != "--help";
        } else if word.len() == 2 && word.starts_with('-') && word != "-h" && word != "-=" {
            is_value = true;
        } else if is_value {
            is_value = false;
        } else if word.len() >= 2 && word.starts_with('-') {
            // A flag with its value, or -h.
        } else if word == "help" {
            return Ok(CommandMatch::Help(rest));
        } else {
            let Some(verb) = root.find_subcommand(word) else { return Ok(CommandMatch::NoCommand) };
            let wants_help_before_verb = scan(root, before, false)?.wants_help;
            return Ok(CommandMatch::Command { verb, rest, wants_help_before_verb });
        }
    }
    Ok(CommandMatch::NoCommand)
}

/// Splits the arguments of a command. `wants_help` is whether help was requested before the command.
pub(super) fn scan(command: &clap::Command, arguments: &[String], wants_help: bool) -> Result<Scanned, FlagError> {
    Scanned { wants_help, ..Scanned::default() }.read_arguments(command, arguments, false)
}

/// Splits off the flags at the start of `arguments`. The positional arguments begin with the first argument that is not
/// a flag.
pub(super) fn scan_leading_flags(command: &clap::Command, arguments: &[String]) -> Result<Scanned, FlagError> {
    Scanned::default().read_arguments(command, arguments, true)
}

/// The arguments that are not read yet.
type Rest<'a> = std::slice::Iter<'a, String>;

impl Scanned {
    /// With `leading_only` the first positional argument ends the flags.
    fn read_arguments(
        mut self,
        command: &clap::Command,
        arguments: &[String],
        leading_only: bool,
    ) -> Result<Scanned, FlagError> {
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                self.positionals.extend(arguments.by_ref().cloned());
            } else if let Some(name) = argument.strip_prefix("--") {
                self.read_long(command, argument, name, &mut arguments)?;
            } else if let Some(cluster) = argument.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
                self.read_cluster(command, cluster, &mut arguments)?;
            } else {
                self.positionals.push(argument.clone());
                if leading_only {
                    self.positionals.extend(arguments.by_ref().cloned());
                }
            }
        }
        Ok(self)
    }

    fn read_long(
        &mut self,
        command: &clap::Command,
        argument: &str,
        name: &str,
        rest: &mut Rest<'_>,
    ) -> Result<(), FlagError> {
        if name.starts_with(['-', '=']) {
            return Err(FlagError::Syntax(argument.to_owned()));
        }
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        if name == "help" {
            return self.set_help(value.unwrap_or("true"), "--help");
        }
        let Some(flag) = command.get_arguments().find(|flag| flag.get_long() == Some(name)) else {
            return Err(FlagError::Unknown(name.to_owned()));
        };
        match (value, flag_kind(flag)) {
            (Some(value), _) => self.set(flag, value),
            (None, FlagKind::Bool) => self.set(flag, "true"),
            (None, _) => {
                let value = rest.next().ok_or_else(|| FlagError::NeedsValue(name.to_owned()))?;
                self.set(flag, value)
            }
        }
    }

    fn read_cluster(
        &mut self,
        command: &clap::Command,
        mut cluster: &str,
        rest: &mut Rest<'_>,
    ) -> Result<(), FlagError> {
        while let Some(&letter) = cluster.as_bytes().first() {
            let is_flag = |flag: &&Arg| letter.is_ascii() && flag.get_short() == Some(char::from(letter));
            let flag = command.get_arguments().find(is_flag);
            if flag.is_none() && letter != b'h' {
                return Err(FlagError::UnknownShort { letter, cluster: cluster.to_owned() });
            }
            // The letter is ASCII here, so the next character begins right after it.
            let after = cluster.get(1..).unwrap_or_default();
            let is_bool = flag.is_none_or(|flag| flag_kind(flag) == FlagKind::Bool);
            let (value, remaining) = match after.strip_prefix('=').filter(|value| !value.is_empty()) {
                Some(value) => (value, ""),
                None if is_bool => ("true", after),
                None if !after.is_empty() => (after, ""),
                None => match rest.next() {
                    Some(value) => (value.as_str(), ""),
                    None => return Err(FlagError::ShortNeedsValue { letter, cluster: cluster.to_owned() }),
                },
            };
            match flag {
                Some(flag) => self.set(flag, value)?,
                None => self.set_help(value, "-h, --help")?,
            }
            cluster = remaining;
        }
        Ok(())
    }

    fn set_help(&mut self, value: &str, flag: &str) -> Result<(), FlagError> {
        self.wants_help = parse_bool(value, flag)?;
        Ok(())
    }

    fn set(&mut self, flag: &Arg, value: &str) -> Result<(), FlagError> {
        let name = flag.get_long().unwrap_or_default();
        let old = self.flags.iter_mut().find(|(old, _)| old == name).map(|(_, setting)| setting);
        let setting = match flag_kind(flag) {
            // One whose default is true is on, for clap too, where it was set to false.
            FlagKind::Bool => {
                let is_off = matches!(flag.get_action(), ArgAction::SetFalse);
                Setting::Bool(parse_bool(value, &pflag_name(flag))? != is_off)
            }
            FlagKind::String | FlagKind::StringArray => Setting::Values(vec![value.to_owned()]),
            FlagKind::StringSlice => Setting::Values(
                list_values(name, value).map_err(|reason| invalid_value(value, &pflag_name(flag), reason))?,
            ),
        };
        match (old, setting, flag_kind(flag)) {
            (Some(Setting::Values(values)), Setting::Values(more), FlagKind::StringArray | FlagKind::StringSlice) => {
                values.extend(more)
            }
            (Some(old), setting, _) => *old = setting,
            (None, setting, _) => self.flags.push((name.to_owned(), setting)),
        }
        Ok(())
    }

    /// The normal form for clap: the flags of a command in one spelling, `--`, and its positional arguments.
    pub(super) fn normal_form(mut self, verb: &clap::Command) -> Vec<String> {
        // Clap wants optional arguments last. A leading optional one is declared with the last index, so it moves
        // there.
        let positionals = verb.get_positionals().count();
        let begins_optional = verb.get_positionals().next().is_some_and(|first| !first.is_required_set());
        if begins_optional && self.positionals.len() == positionals {
            self.positionals.rotate_left(1);
        }
        let mut normal = self.flags();
        normal.push("--".to_owned());
        normal.extend(self.positionals);
        normal
    }

    /// The flags in one spelling.
    pub(super) fn flags(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        for (name, setting) in &self.flags {
            match setting {
                Setting::Bool(true) => arguments.push(format!("--{name}")),
                Setting::Bool(false) => {}
                Setting::Values(values) => arguments.extend(values.iter().map(|value| format!("--{name}={value}"))),
            }
        }
        arguments
    }

    /// The value of a flag, if it was set. For a list, the last value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last().map(String::as_str)
    }

    /// Every value of a flag.
    pub(super) fn values(&self, name: &str) -> &[String] {
        match self.flags.iter().find(|(set, _)| set == name) {
            Some((_, Setting::Values(values))) => values,
            _ => &[],
        }
    }

    /// Whether a flag was set to anything but false.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.flags.iter().any(|(set, setting)| set == name && !matches!(setting, Setting::Bool(false)))
    }

    /// Removes a flag from the command's flags.
    pub(super) fn remove(&mut self, name: &str) {
        self.flags.retain(|(set, _)| set != name);
    }

    /// Whether a flag was set to any value.
    pub(super) fn is_changed(&self, name: &str) -> bool {
        self.flags.iter().any(|(set, _)| set == name)
    }
}

/// The values of a list flag. For a list that must not be empty, no value becomes one empty value, which its parser
/// refuses.
fn list_values(name: &str, value: &str) -> Result<Vec<String>, String> {
    let values =
        if UNTRIMMED_LISTS.contains(&name) { csv::fields(value)? } else { csv::trimmed_fields_and_lines(value)? };
    let is_refused = values.is_empty() && NEVER_EMPTY_LISTS.contains(&name);
    Ok(if is_refused { vec![String::new()] } else { values })
}

/// The name of a positional argument or a value.
pub(super) fn value_name(argument: &Arg) -> String {
    argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default()
}

/// A flag as pflag's messages name it: `-a, --amend`.
pub(super) fn pflag_name(flag: &Arg) -> String {
    let long = flag.get_long().unwrap_or_default();
    match flag.get_short() {
        Some(short) => format!("-{short}, --{long}"),
        None => format!("--{long}"),
    }
}

/// Go's `strconv.ParseBool`.
fn parse_bool(value: &str, flag: &str) -> Result<bool, FlagError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => {
            // `--password-stdin=PASSWORD`: docker has no such flag, and the message must not repeat the password.
            let value = if flag == "--password-stdin" { "[secret]" } else { value };
            let reason = format!("strconv.ParseBool: parsing {}: invalid syntax", quote(value));
            Err(invalid_value(value, flag, reason))
        }
    }
}

fn invalid_value(value: &str, flag: &str, reason: String) -> FlagError {
    FlagError::Value { value: value.to_owned(), flag: flag.to_owned(), reason }
}
