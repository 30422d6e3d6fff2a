//! Docker's own flags, which stand before the plugin's name: docker passes them on as they were typed.

use clap::{CommandFactory, FromArgMatches, Parser};

use super::error::{ArgsError, FlagError};
use super::scan;

/// Docker's flags. All are accepted, since docker hands on whatever it was given; the first three mean something here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Parser)]
#[command(disable_help_flag = true, disable_version_flag = true, no_binary_name = true)]
pub struct Globals {
    /// Location of client config files
    #[arg(long, value_name = "string")]
    pub config: Option<String>,
    /// Enable debug mode
    #[arg(short = 'D', long)]
    pub debug: bool,
    /// Print version information and quit
    #[arg(short = 'v', long)]
    pub version: bool,
    /// Flags that are for docker's engine.
    #[command(flatten)]
    pub engine: EngineFlags,
}

/// Flags of docker's that say how to reach an engine; nothing here needs one.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct EngineFlags {
    /// Name of the context to use to connect to the daemon
    #[arg(short = 'c', long, value_name = "string")]
    pub context: Option<String>,
    /// Daemon socket to connect to
    #[arg(short = 'H', long, value_name = "list")]
    pub host: Vec<String>,
    /// Set the logging level ("debug", "info", "warn", "error", "fatal")
    #[arg(short = 'l', long, value_name = "string")]
    pub log_level: Option<String>,
    /// Use TLS; implied by --tlsverify
    #[arg(long)]
    pub tls: bool,
    /// Trust certs signed only by this CA
    #[arg(long, value_name = "string")]
    pub tlscacert: Option<String>,
    /// Path to TLS certificate file
    #[arg(long, value_name = "string")]
    pub tlscert: Option<String>,
    /// Path to TLS key file
    #[arg(long, value_name = "string")]
    pub tlskey: Option<String>,
    /// Use TLS and verify the remote
    #[arg(long)]
    pub tlsverify: bool,
}

/// The flags at the head of a command line, and the rest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Docker's flags.
    pub globals: Globals,
    /// `--help` was among them.
    pub help: bool,
    /// From the first word that is no flag.
    pub rest: Vec<String>,
}

/// Reads docker's flags at the head of `words`. `name` is the program's, for the error's texts.
///
/// # Errors
/// A flag that docker does not have, or that has no value where it wants one.
pub fn globals(name: &str, words: &[String]) -> Result<Head, ArgsError> {
    let command = Globals::command();
    let refused = |flag: FlagError| ArgsError::of_program(name, flag);
    let mut scanned = scan::scan_head(&command, words).map_err(refused)?;
    let (help, rest) = (scanned.help, std::mem::take(&mut scanned.words));
    // What was scanned by this very description is what it describes.
    let matches = command.try_get_matches_from(scanned.flags());
    let globals = matches.and_then(|matches| Globals::from_arg_matches(&matches)).unwrap_or_default();
    Ok(Head { globals, help, rest })
}
