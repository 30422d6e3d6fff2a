//! Flags for shared drafts, which lie in the registry: the same words for every verb that has them.

use std::path::PathBuf;
use std::time::Duration;

use super::values;
use crate::digest::Digest;
use crate::drafts::registry::SharedKey;

/// That a draft lies in the registry, and which run it is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedRun {
    /// Use the shared draft in the registry, which many machines build together
    #[arg(long)]
    pub shared: bool,
    /// Run of the pipeline that the entries belong to (default: the CI system's)
    #[arg(long, value_name = "string", value_parser = values::run)]
    pub run: Option<String>,
}

/// When and of which entries a shared draft is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedPublish {
    /// Wait this long for the entries of required platforms (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::wait)]
    pub wait: Option<Duration>,
    /// Publish if all required platforms have entries, else exit with 0
    #[arg(long)]
    pub if_complete: bool,
    /// Use only entries of this attempt of the run, or of a later one
    #[arg(long)]
    pub fresh: bool,
    /// Refuse entries whose digests are not in this file
    #[arg(long, value_name = "string", value_parser = values::path)]
    pub only_from: Option<PathBuf>,
}

/// The entry that this job has stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct OwnEntries {
    /// Entry that must be seen before it is decided what is missing, by the digest that add printed
    #[arg(long = "entry", value_name = "strings", value_parser = values::digest)]
    pub entries: Vec<Digest>,
}

/// How an entry is named and what happens after it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SharedAdd {
    /// Name of the entry instead of its platform
    #[arg(long, value_name = "string", value_parser = SharedKey::named)]
    pub key: Option<SharedKey>,
    /// Delete the entries after they are published
    #[arg(short = 'p', long)]
    pub purge: bool,
}
