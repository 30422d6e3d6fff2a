//! Clap's descriptions of the commands. A command is described only when it is used, because describing all commands
//! takes most of the time and memory of the program's start.

use clap::{Args, CommandFactory};

use super::CommandLine;
use super::read_only::{Check, Exists, Export, Inspect, Ls, Platforms};
use super::setup::{Completion, Man, ShellInit, Shim, Version};
use super::verbs::{Add, Annotate, Apply, Copy, Create, Prune, Push, Remove, Rm};

/// Clap's description of all commands. Completion reads it.
pub fn syntax() -> clap::Command {
    CommandLine::command().mut_subcommands(described)
}

/// The same, but a command that no word names has its name and one line about it alone.
pub(super) fn syntax_for(words: &[String]) -> clap::Command {
    let is_named = |verb: &clap::Command| words.iter().any(|word| word == verb.get_name());
    CommandLine::command().mut_subcommands(|verb| if is_named(&verb) { described(verb) } else { verb })
}

/// The command with its flags and words.
fn described(verb: clap::Command) -> clap::Command {
    let about = verb.get_about().cloned();
    let described = match verb.get_name() {
        "add" => Add::augment_args(verb),
        "annotate" => Annotate::augment_args(verb),
        "apply" => Apply::augment_args(verb),
        "check" => Check::augment_args(verb),
        "completion" => Completion::augment_args(verb),
        "copy" => Copy::augment_args(verb),
        "create" => Create::augment_args(verb),
        "exists" => Exists::augment_args(verb),
        "export" => Export::augment_args(verb),
        "inspect" => Inspect::augment_args(verb),
        "ls" => Ls::augment_args(verb),
        "man" => Man::augment_args(verb),
        "platforms" => Platforms::augment_args(verb),
        "prune" => Prune::augment_args(verb),
        "push" => Push::augment_args(verb),
        "remove" => Remove::augment_args(verb),
        "rm" => Rm::augment_args(verb),
        "shell-init" => ShellInit::augment_args(verb),
        "shim" => Shim::augment_args(verb),
        "version" => Version::augment_args(verb),
        _ => return verb,
    };
    // The struct's own documentation is for the source. And clap must not add the flags a second time.
    described.about(about.unwrap_or_default()).defer(|verb| verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_described_as_clap_would_describe_it() {
        let mut built = CommandLine::command();
        built.build();
        let all = syntax();
        for verb in built.get_subcommands() {
            let name = verb.get_name();
            let ids = |verb: &clap::Command| verb.get_arguments().map(|flag| flag.get_id().clone()).collect::<Vec<_>>();
            let found = all.find_subcommand(name).unwrap();
            assert_eq!(ids(found), ids(verb), "{name}");
            assert!(found.get_after_help().is_some(), "{name} has no examples");
            let one = syntax_for(&[name.to_owned()]);
            for other in one.get_subcommands() {
                let expected = if other.get_name() == name { ids(verb) } else { Vec::new() };
                assert_eq!(ids(other), expected, "{} beside {name}", other.get_name());
            }
        }
    }
}
