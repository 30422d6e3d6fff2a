//! Docker's own flags. They stand before the plugin's name, and docker passes them on as typed.

use clap::{CommandFactory, FromArgMatches, Parser};

use super::error::{ArgsError, FlagError};
use super::{pflag, possible_values};
use crate::cli::output::ColorChoice;

/// Docker's flags. All are accepted, because docker passes on all that it got. The first four have an effect here. The
/// others select an engine, which no command here needs.
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
    /// When to use colour: "auto", "always" or "never" (default "auto")
    #[arg(long, value_name = "string", value_enum)]
    pub color: Option<ColorChoice>,
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

/// Docker's flags at the start of a command line, and the rest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadingFlags {
    /// Docker's flags.
    pub globals: Globals,
    /// Whether `--help` was among them.
    pub wants_help: bool,
    /// The rest, from the first word that is not a flag.
    pub rest: Vec<String>,
}

/// Reads docker's flags at the start of `words`. `name` is the program's name in error messages.
///
/// # Errors
/// A flag that docker does not have, or a flag without its value.
pub fn leading_flags(name: &str, words: &[String]) -> Result<LeadingFlags, ArgsError> {
    let command = Globals::command();
    let refused = |flag: FlagError| ArgsError::before_command(name, flag);
    let mut scanned = pflag::scan_leading_flags(&command, words).map_err(refused)?;
    if let Some(typed) = scanned.value("color") {
        possible_values::parse_color(typed).map_err(refused)?;
    }
    let (wants_help, rest) = (scanned.wants_help, std::mem::take(&mut scanned.positionals));
    // The arguments were scanned with this same description, so parsing them cannot fail.
    let matches = command.try_get_matches_from(scanned.flags());
    let globals = matches.and_then(|matches| Globals::from_arg_matches(&matches)).unwrap_or_default();
    Ok(LeadingFlags { globals, wants_help, rest })
}
