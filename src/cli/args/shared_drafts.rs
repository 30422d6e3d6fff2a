//! Flags for shared drafts, which are stored in a registry.

use std::path::PathBuf;
use std::time::Duration;

use super::values;

/// Whether the draft is shared, and the pipeline run that it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedDraftFlags {
    /// Use the shared draft in the registry, which many machines build together
    #[arg(long)]
    pub shared: bool,
    /// Run of the pipeline that the entries belong to (default: the CI system's)
    #[arg(long, value_name = "string", value_parser = values::run_id)]
    pub run: Option<String>,
}

/// When a shared draft is published, and which entries it may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedPublishFlags {
    /// Wait this long for the entries of required platforms (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::wait_time)]
    pub wait: Option<Duration>,
    /// Publish if all required platforms have entries, else exit with 0
    #[arg(long)]
    pub if_complete: bool,
    /// Use only entries of this attempt of the run, or of a later one
    #[arg(long = "fresh")]
    pub since_this_attempt: bool,
    /// Refuse entries whose digests are not in this file
    #[arg(long = "only-from", value_name = "string", value_parser = values::non_empty_path)]
    pub allowed_entries_file: Option<PathBuf>,
}
