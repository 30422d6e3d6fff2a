//! The command line: every verb, its flags and its words, as typed values.
//!
//! Docker's command line is Go's cobra and pflag, whose habits clap does not have: `--flag=false`, clusters, flags
//! before and after the words, the last of a repeated flag winning, its own error texts, exit code 125. So the work is
//! shared out. The clap structs below say what there is (names, types, help texts), `scan` reads the arguments as
//! pflag does and hands clap a normal form, and `help` prints what clap knows in docker's layout. A new flag is a
//! new field here and nothing else: parsing, help and completion all read the same structs.
//!
//! Parsing never judges a reference: a [`RefArg`] holds what was typed beside what it means, and the verb decides
//! what to say, because docker words it differently in each.

mod csv;
mod error;
mod globals;
mod help;
mod partial;
mod quote;
mod scan;

use std::num::NonZeroUsize;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::reference::{Reference, ReferenceError};

pub use error::{ArgsError, ArgsErrorKind, Count, FlagError};
pub use globals::{EngineFlags, Globals, Head, globals, globals_syntax};
pub use partial::{Cursor, Partial, partial};
pub use scan::{Kind, kind};

/// A reference as it was typed, and what it means if it means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefArg {
    /// The user's own spelling; docker's messages quote it.
    pub typed: String,
    /// The normalised reference, or why there is none.
    pub parsed: Result<Reference, ReferenceError>,
}

impl RefArg {
    /// Reads a word of the command line. Never fails: an invalid reference is a value here.
    pub fn new(typed: impl Into<String>) -> RefArg {
        let typed = typed.into();
        RefArg { parsed: Reference::parse(&typed), typed }
    }

    fn value(typed: &str) -> Result<RefArg, std::convert::Infallible> {
        Ok(RefArg::new(typed))
    }
}

/// A number of exchanges at once.
fn jobs(typed: &str) -> Result<NonZeroUsize, &'static str> {
    typed.parse().map_err(|_| "not a whole number above zero")
}

// The doc comments of the fields and of `Command` are docker's own descriptions: help and completion print them.

/// `create`: a new draft from images, or more images for a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "{name} create registry.example.com/app:1 registry.example.com/app:1-amd64 registry.example.com/app:1-arm64
{name} create --amend registry.example.com/app:1 registry.example.com/app:1-s390x"
)]
pub struct Create {
    /// The list to make
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// The images that go into it, in the order of the command line
    #[arg(value_name = "MANIFEST", required = true, num_args = 1.., value_parser = RefArg::value)]
    pub images: Vec<RefArg>,
    /// Amend an existing manifest list
    #[arg(short = 'a', long)]
    pub amend: bool,
    /// Allow communication with an insecure registry
    #[arg(long)]
    pub insecure: bool,
    /// Exchanges with registries at once, at most (default 16)
    #[arg(long, value_name = "int", value_parser = jobs)]
    pub jobs: Option<NonZeroUsize>,
}

/// `annotate`: what the list says of one of its images.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "{name} annotate --os linux --arch arm64 --variant v8 registry.example.com/app:1 registry.example.com/app:1-arm64
{name} annotate --os-version 10.0.20348.1 registry.example.com/app:1 registry.example.com/app:1-windows"
)]
pub struct Annotate {
    /// The list that the image is in
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// The image to annotate
    #[arg(value_name = "MANIFEST", value_parser = RefArg::value)]
    pub image: RefArg,
    /// Set operating system
    #[arg(long, value_name = "string", default_value = "")]
    pub os: String,
    /// Set architecture
    #[arg(long, value_name = "string", default_value = "")]
    pub arch: String,
    /// Set architecture variant
    #[arg(long, value_name = "string", default_value = "")]
    pub variant: String,
    /// Set operating system version
    #[arg(long, value_name = "string", default_value = "")]
    pub os_version: String,
    /// Set operating system feature
    #[arg(long, value_name = "strings")]
    pub os_features: Vec<String>,
}

/// `inspect`: shows a draft, one image of it, or what a registry serves.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "{name} inspect registry.example.com/app:1
{name} inspect --verbose registry.example.com/app:1 registry.example.com/app:1-arm64")]
pub struct Inspect {
    /// The list to look in
    #[arg(value_name = "MANIFEST_LIST", index = 2, value_parser = RefArg::value)]
    pub list: Option<RefArg>,
    /// The image, or the list itself, to show
    #[arg(value_name = "MANIFEST", index = 1, value_parser = RefArg::value)]
    pub image: RefArg,
    /// Output additional info including layers and platform
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Allow communication with an insecure registry
    #[arg(long)]
    pub insecure: bool,
    /// Exchanges with registries at once, at most (default 16)
    #[arg(long, value_name = "int", value_parser = jobs)]
    pub jobs: Option<NonZeroUsize>,
}

/// `push`: publishes a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "{name} push registry.example.com/app:1
{name} push --purge registry.example.com/app:1")]
pub struct Push {
    /// The list to push
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// Remove the local manifest list after push
    #[arg(short = 'p', long)]
    pub purge: bool,
    /// Allow push to an insecure registry
    #[arg(long)]
    pub insecure: bool,
    /// Exchanges with registries at once, at most (default 16)
    #[arg(long, value_name = "int", value_parser = jobs)]
    pub jobs: Option<NonZeroUsize>,
}

/// `rm`: deletes drafts.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "{name} rm registry.example.com/app:1 registry.example.com/app:2")]
pub struct Rm {
    /// The lists to delete
    #[arg(value_name = "MANIFEST_LIST", required = true, num_args = 1.., value_parser = RefArg::value)]
    pub lists: Vec<RefArg>,
}

/// A shell that we can print a function for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

/// `shell-init`: the function that makes `docker manifest` ours in a shell.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "eval \"$(docker-manifest shell-init bash)\"     # in ~/.bashrc
eval \"$(docker-manifest shell-init zsh)\"      # in ~/.zshrc
docker-manifest shell-init fish | source      # in ~/.config/fish/config.fish")]
pub struct ShellInit {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// What to do, with everything that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Add additional information to a local image manifest
    Annotate(Annotate),
    /// Create a local manifest list for annotating and pushing to a registry
    Create(Create),
    /// Display an image manifest, or manifest list
    Inspect(Inspect),
    /// Push a manifest list to a repository
    Push(Push),
    /// Delete one or more manifest lists from local storage
    Rm(Rm),
    /// Print a shell function that makes 'docker manifest' run this program
    ShellInit(ShellInit),
    /// Show the version of this program
    #[command(after_help = "{name} version")]
    Version,
}

/// What an argument vector asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Run a verb.
    Run(Box<Command>),
    /// Print this text and exit with 0.
    Help {
        /// The whole text, newline at its end.
        text: String,
        /// Asked for, so on stdout; else (no verb at all) it goes to stderr, as docker has it.
        asked: bool,
    },
}

#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_help_subcommand = true, no_binary_name = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What there is to type, as clap's own description: completion reads it.
pub fn syntax() -> clap::Command {
    CommandLine::command()
}

/// Reads the verb and what follows it. `name` is how the program was called (`docker manifest`): texts use it.
///
/// The order of the checks is docker's: flags, then a wish for help, then the verb's name, then the number of words.
pub fn parse(name: &str, words: &[String]) -> Result<Request, ArgsError> {
    let root = syntax();
    let called = help::Called { name, root: &root };
    let (verb, rest, wants_help) = match scan::traverse(&root, words).map_err(ArgsError::bare)? {
        scan::Found::Verb { verb, rest, help } => (verb, rest, help),
        scan::Found::Help(topic) => return called.topic(topic),
        scan::Found::Nothing => return no_verb(&called, words),
    };
    let scanned = scan::scan(verb, rest, wants_help).map_err(|flag| called.flag_error(Some(verb), flag))?;
    if scanned.help {
        return Ok(Request::Help { text: called.verb(verb), asked: true });
    }
    if let Some(count) = Count::wanted(verb).broken_by(scanned.words.len()) {
        return Err(called.count_error(verb, count));
    }
    let matches = root.clone().try_get_matches_from(scanned.normal_form(verb));
    let command = matches.and_then(|matches| Command::from_arg_matches(&matches));
    command.map(|command| Request::Run(Box::new(command))).map_err(|error| called.value_error(verb, &error))
}

/// There is no verb: an unknown flag, a wish for help, a word that is no verb, or nothing at all.
fn no_verb(called: &help::Called<'_>, words: &[String]) -> Result<Request, ArgsError> {
    let scanned = scan::scan(called.root, words, false).map_err(|flag| called.flag_error(None, flag))?;
    match scanned.words.first() {
        _ if scanned.help => Ok(Request::Help { text: called.overview(), asked: true }),
        Some(word) => Err(called.unknown_command(word)),
        None => Ok(Request::Help { text: called.overview(), asked: false }),
    }
}

#[cfg(test)]
mod tests;
