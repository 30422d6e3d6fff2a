//! Guesses the flag or command that a mistyped one was meant to be.

use clap::Command;

use super::error::{ArgsErrorKind, FlagError, Near};
use crate::suggest::nearest;

/// Names of our commands in other tools and in other commands of docker.
const OTHER_NAMES: [(&str, &str); 5] =
    [("list", "ls"), ("delete", "rm"), ("show", "inspect"), ("append", "add"), ("validate", "check")];

/// The guess for an error of `verb`, if there is one.
pub(super) fn meant(root: &Command, verb: Option<&Command>, kind: &ArgsErrorKind) -> Option<Near> {
    match kind {
        ArgsErrorKind::Flag(FlagError::Unknown(name)) => {
            let elsewhere = || elsewhere(verb, format!("--{name}"), |flag| flag.get_long() == Some(name));
            elsewhere().or_else(|| long(verb?, name))
        }
        ArgsErrorKind::Flag(FlagError::UnknownShort { letter, cluster }) => {
            // `-insecure`
            if let Some(flag) = verb.and_then(|verb| named(verb, cluster)) {
                return Some(Near::Word(flag));
            }
            let letter = char::from(*letter);
            elsewhere(verb, format!("-{letter}"), |flag| flag.get_short() == Some(letter))
        }
        ArgsErrorKind::UnknownCommand { word, .. } | ArgsErrorKind::UnknownTopic(word) => {
            let other = OTHER_NAMES.iter().find(|(other, _)| other == word).map(|(_, name)| *name);
            let verbs = || nearest(word, root.get_subcommands().map(Command::get_name));
            other.or_else(verbs).map(|name| Near::Word(name.to_owned()))
        }
        // podman makes an empty list so.
        ArgsErrorKind::Count { .. } if verb.is_some_and(|verb| verb.get_name() == "create") => Some(Near::Other(
            "create --empty LIST creates a draft without images; --from reads what a build wrote about its images",
        )),
        _ => None,
    }
}

fn long(verb: &Command, name: &str) -> Option<Near> {
    let flags = verb.get_arguments().filter_map(clap::Arg::get_long).chain(["help"]);
    nearest(name, flags).map(|flag| Near::Word(format!("--{flag}")))
}

fn named(verb: &Command, name: &str) -> Option<String> {
    let flag = verb.get_arguments().filter_map(clap::Arg::get_long).find(|long| *long == name && long.len() > 1);
    flag.map(|flag| format!("--{flag}"))
}

fn elsewhere(verb: Option<&Command>, flag: String, is_it: impl Fn(&clap::Arg) -> bool) -> Option<Near> {
    let root = super::syntax();
    let has_it = |verb: &&Command| verb.get_arguments().any(&is_it);
    let mut verbs: Vec<String> = root.get_subcommands().filter(has_it).map(|verb| verb.get_name().to_owned()).collect();
    verbs.sort_unstable();
    (!verbs.is_empty()).then_some(Near::Elsewhere { flag, verbs, before_verb: verb.is_none() })
}
