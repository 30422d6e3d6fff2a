//! The commands that set this program up on a machine, and `version`. Their doc comments are the help texts, as
//! in `verbs`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::examples;
use super::possible_values::{CompletionShell, Format, Shell};
use super::values;

/// `shell-init`: prints the shell function that makes `docker manifest` run this program.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::SHELL_INIT)]
pub struct ShellInit {
    /// bash, zsh, fish or sh
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// What `shim` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShimAction {
    /// Install the shim.
    Install,
    /// Remove the shim.
    Remove,
    /// Show where the shim is and which callers reach it.
    Status,
}

/// `shim`: installs a `docker` that comes before docker on the PATH.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::SHIM)]
pub struct Shim {
    /// install, remove or status
    #[arg(value_name = "install|remove|status")]
    pub action: ShimAction,
    /// Directory of the shim (default "~/.local/bin", for root "/usr/local/bin", or a directory before that on the PATH
    /// if docker is there)
    #[arg(long, value_name = "string", value_parser = values::non_empty_path)]
    pub dir: Option<PathBuf>,
    /// Format of the result: "json" (default: lines and a table)
    #[arg(long, value_name = "string", value_enum)]
    pub format: Option<Format>,
}

/// `completion`: prints what a shell completes this program with.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::COMPLETION)]
pub struct Completion {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL")]
    pub shell: CompletionShell,
}

/// `man`: prints a manual page, or writes all of them.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::MAN)]
pub struct Man {
    /// Command whose page to print (default: the page of the program)
    #[arg(value_name = "COMMAND", value_parser = values::non_empty_text)]
    pub command: Option<String>,
    /// Write every page into this directory
    #[arg(short = 'o', long, value_name = "string", value_parser = values::non_empty_path)]
    pub output: Option<PathBuf>,
    /// Print Markdown: one page about all commands, or the section about COMMAND
    #[arg(long)]
    pub markdown: bool,
}

/// `version`: prints the version of this program.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::VERSION)]
pub struct Version {
    /// Format: "json" (default: lines)
    #[arg(long, value_name = "string", value_enum)]
    pub format: Option<Format>,
}
