//! Why a shared draft could not be changed or published.

use crate::core::failure_data::FailureData;
use crate::drafts::registry::SharedStoreError;
use crate::drafts::registry::entry::EntryCreationError;
use crate::drafts::registry::pipeline_run::InvalidRunId;
use crate::failure_kind::FailureKind;

/// A failure that only shared drafts have.
#[derive(Debug, thiserror::Error)]
pub enum SharedDraftError {
    /// The store of the entries.
    #[error(transparent)]
    Store(#[from] SharedStoreError),
    /// `--key` for more than one image.
    #[error("--key names one image, and there are {0}")]
    KeyForManyImages(usize),
    /// `--if-complete` with an image that no required platform matches.
    #[error("{key} is not among the platforms that --require names")]
    NotRequired {
        /// The entry.
        key: String,
    },
    /// An annotation with our prefix.
    #[error("annotations that begin with org.docker-manifest. are reserved: {0}")]
    ReservedAnnotation(String),
    /// `--fresh` without a count of attempts.
    #[error("--fresh needs the attempt of this run, and GITHUB_RUN_ATTEMPT is not set")]
    NoRunAttempt,
    /// `--only-from`: an entry whose digest the file does not have.
    #[error("{tag}@{digest} is not among the entries in {file}")]
    NotAllowed {
        /// The entry.
        tag: String,
        /// Its digest.
        digest: String,
        /// The file.
        file: String,
    },
    /// `--only-from`: a line of the file without a digest, or a file without lines.
    #[error("{file}: {reason}")]
    AllowedFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `--entry`: content that is no entry of this list.
    #[error("{digest} is no entry of {list}: {reason}")]
    NotAnEntry {
        /// The named digest.
        digest: String,
        /// The list.
        list: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry that names an index as an image.
    #[error("{child} is an index, and an entry says that it is an image")]
    NestedIndex {
        /// The manifest.
        child: String,
    },
    /// A run id that cannot be used.
    #[error(transparent)]
    Run(#[from] InvalidRunId),
    /// A list without entries.
    #[error("{list} has no entries{}", run.as_ref().map(|run| format!(" of run {run}")).unwrap_or_default())]
    NoEntries {
        /// The list.
        list: String,
        /// The run.
        run: Option<String>,
    },
    /// `remove --shared`: no entry of that platform or key.
    #[error("{list} has no entry for {key}")]
    NoEntry {
        /// The list.
        list: String,
        /// What was typed.
        key: String,
    },
}

impl SharedDraftError {
    /// The data of the failure.
    pub(super) fn failure_data(&self) -> FailureData<'_> {
        let new = FailureData::new;
        match self {
            SharedDraftError::Store(SharedStoreError::Conflict { reference, source }) => {
                new(FailureKind::Conflict).reference(reference).registry_error(source)
            }
            SharedDraftError::Store(SharedStoreError::Put { reference, source }) => {
                new(source.failure_kind()).reference(reference).registry_error(source)
            }
            SharedDraftError::Store(SharedStoreError::Registry(source)) => {
                new(source.failure_kind()).registry_error(source)
            }
            SharedDraftError::Store(SharedStoreError::InvalidEntry { reference, .. }) => {
                new(FailureKind::Draft).reference(reference)
            }
            SharedDraftError::NotAllowed { tag, .. } => new(FailureKind::Conflict).reference(tag),
            SharedDraftError::Store(SharedStoreError::EntryCreation(EntryCreationError::SameKey { .. })) => {
                new(FailureKind::Conflict)
            }
            SharedDraftError::Store(SharedStoreError::EntryCreation(EntryCreationError::NoPlatform(name)))
            | SharedDraftError::NotAnEntry { list: name, .. }
            | SharedDraftError::NestedIndex { child: name } => new(FailureKind::Unsupported).reference(name),
            SharedDraftError::NoEntries { list, .. } => new(FailureKind::Incomplete).reference(list),
            SharedDraftError::NoEntry { list, .. } => new(FailureKind::Missing).reference(list),
            SharedDraftError::KeyForManyImages(_)
            | SharedDraftError::NotRequired { .. }
            | SharedDraftError::ReservedAnnotation(_)
            | SharedDraftError::NoRunAttempt
            | SharedDraftError::AllowedFile { .. }
            | SharedDraftError::Run(_) => new(FailureKind::Usage),
        }
    }
}
