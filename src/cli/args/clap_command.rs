//! Clap's descriptions of the commands. A command is described only when it is used, because describing all commands
//! takes most of the time and memory of the program's start.

use clap::CommandFactory;

use super::CommandLine;

/// Clap's description of all commands. Completion reads it.
pub fn clap_command() -> clap::Command {
    CommandLine::command().mut_subcommands(build_verb)
}

/// The same, but a command that no word names has its name and one line about it alone.
pub(super) fn clap_command_for_words(words: &[String]) -> clap::Command {
    let is_named = |verb: &clap::Command| words.iter().any(|word| word == verb.get_name());
    CommandLine::command().mut_subcommands(|verb| if is_named(&verb) { build_verb(verb) } else { verb })
}

/// The command with its flags and positional arguments.
fn build_verb(verb: clap::Command) -> clap::Command {
    let about = verb.get_about().cloned().unwrap_or_default();
    let mut verb = verb.disable_help_flag(true);
    verb.build();
    // The struct's own documentation is for the source.
    verb.about(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_command_has_the_arguments_that_clap_derives() {
        let mut derived = CommandLine::command();
        derived.build();
        let all = clap_command();
        for verb in derived.get_subcommands() {
            let name = verb.get_name();
            let ids = |verb: &clap::Command| verb.get_arguments().map(|flag| flag.get_id().clone()).collect::<Vec<_>>();
            let built = all.find_subcommand(name).unwrap();
            assert_eq!(ids(built), ids(verb), "{name}");
            assert!(built.get_after_help().is_some(), "{name} has no examples");
            let with_one_built = clap_command_for_words(&[name.to_owned()]);
            for other in with_one_built.get_subcommands() {
                let expected = if other.get_name() == name { ids(verb) } else { Vec::new() };
                assert_eq!(ids(other), expected, "{} beside {name}", other.get_name());
            }
        }
    }
}
