//! The arguments of `check`. Their doc comments are the help texts, as in `verbs`.

use super::common_flags::NetworkFlags;
use super::examples;
use super::possible_values::RowsFormat;
use super::values;

/// `check`: tests which features a registry supports.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::CHECK)]
pub struct Check {
    /// The registry, and the repository in it to use (default "docker-manifest-check")
    #[arg(value_name = "REGISTRY[/REPOSITORY]", value_parser = values::non_empty_text)]
    pub target: String,
    /// Format: "table" or "json" (default "table")
    #[arg(long, value_name = "string", value_enum, default_value_t = RowsFormat::Table, hide_default_value = true)]
    pub format: RowsFormat,
    /// Keep what was pushed
    #[arg(long)]
    pub keep: bool,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}
