//! Flags for shared drafts, which lie in the registry: the same words for every verb that has them.

use std::path::PathBuf;
use std::time::Duration;

use super::values;

/// That a draft lies in the registry, and which run it is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedDraftFlags {
    /// Use the shared draft in the registry, which many machines build together
    #[arg(long)]
    pub shared: bool,
    /// Run of the pipeline that the entries belong to (default: the CI system's)
    #[arg(long, value_name = "string", value_parser = values::run_id)]
    pub run: Option<String>,
}

/// When and of which entries a shared draft is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedPublishFlags {
    /// Wait this long for the entries of required platforms (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::wait_time)]
    pub wait: Option<Duration>,
    /// Publish if all required platforms have entries, else exit with 0
    #[arg(long)]
    pub if_complete: bool,
    /// Use only entries of this attempt of the run, or of a later one
    #[arg(long)]
    pub fresh: bool,
    /// Refuse entries whose digests are not in this file
    #[arg(long, value_name = "string", value_parser = values::non_empty_path)]
    pub only_from: Option<PathBuf>,
}
