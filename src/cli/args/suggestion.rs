//! Suggests a flag or a command for a mistyped one.

use clap::Command;

use super::error::{ArgsErrorKind, FlagError, Suggestion};
use crate::suggest::nearest;

/// Names of our commands in other tools and in other commands of docker.
const OTHER_NAMES: [(&str, &str); 5] =
    [("list", "ls"), ("delete", "rm"), ("show", "inspect"), ("append", "add"), ("validate", "check")];

/// The suggestion for an error of `verb`, if there is one.
pub(super) fn find(root: &Command, verb: Option<&Command>, kind: &ArgsErrorKind) -> Option<Suggestion> {
    match kind {
        ArgsErrorKind::Flag(FlagError::Unknown(name)) => {
            let other_commands =
                || other_commands_with(verb, format!("--{name}"), |flag| flag.get_long() == Some(name));
            other_commands().or_else(|| nearest_long_flag(verb?, name))
        }
        ArgsErrorKind::Flag(FlagError::UnknownShort { letter, cluster }) => {
            // `-insecure`
            if let Some(flag) = verb.and_then(|verb| long_flag_with_one_dash(verb, cluster)) {
                return Some(Suggestion::Name(flag));
            }
            let letter = char::from(*letter);
            other_commands_with(verb, format!("-{letter}"), |flag| flag.get_short() == Some(letter))
        }
        ArgsErrorKind::UnknownCommand { word, .. } | ArgsErrorKind::UnknownTopic(word) => {
            let other = OTHER_NAMES.iter().find(|(other, _)| other == word).map(|(_, name)| *name);
            let verbs = || nearest(word, root.get_subcommands().map(Command::get_name));
            other.or_else(verbs).map(|name| Suggestion::Name(name.to_owned()))
        }
        // podman creates an empty list with `manifest create LIST`.
        ArgsErrorKind::ArgumentCount { .. } if verb.is_some_and(|verb| verb.get_name() == "create") => {
            Some(Suggestion::CreateWithoutImages)
        }
        _ => None,
    }
}

fn nearest_long_flag(verb: &Command, name: &str) -> Option<Suggestion> {
    let flags = verb.get_arguments().filter_map(clap::Arg::get_long).chain(["help"]);
    nearest(name, flags).map(|flag| Suggestion::Name(format!("--{flag}")))
}

fn long_flag_with_one_dash(verb: &Command, name: &str) -> Option<String> {
    let flag = verb.get_arguments().filter_map(clap::Arg::get_long).find(|long| *long == name && long.len() > 1);
    flag.map(|flag| format!("--{flag}"))
}

fn other_commands_with(
    verb: Option<&Command>,
    flag: String,
    is_meant: impl Fn(&clap::Arg) -> bool,
) -> Option<Suggestion> {
    let root = super::clap_command();
    let has_flag = |verb: &&Command| verb.get_arguments().any(&is_meant);
    let mut verbs: Vec<String> =
        root.get_subcommands().filter(has_flag).map(|verb| verb.get_name().to_owned()).collect();
    verbs.sort_unstable();
    (!verbs.is_empty()).then_some(Suggestion::FlagOfOtherCommands { flag, verbs, before_command: verb.is_none() })
}
