//! The errors of the store. Every error names its path.

use std::io;
use std::path::{Path, PathBuf};

use crate::failure_kind::FailureKind;
use crate::io_message::io_message;
use crate::model::DocumentError;
use crate::regular_file::FileKind;

/// Why a draft cannot be read or changed. The draft itself has not changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An error of the operating system.
    #[error("cannot {verb} {}: {}", path.display(), io_message(source))]
    Io {
        /// The verb, as in "cannot VERB PATH".
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file with the name of an entry and invalid content.
    #[error("invalid manifest file {}: {source}", path.display())]
    InvalidEntry {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A filesystem without locks.
    #[error("cannot lock {}: its filesystem has no file locks ({})", path.display(), io_message(source))]
    LocksUnsupported {
        /// The lock file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A lock file that may not be opened.
    #[error("cannot open {}, which belongs to user number {user}: {}", path.display(), io_message(source))]
    LockFileDenied {
        /// The lock file.
        path: PathBuf,
        /// The owner's user id.
        user: u32,
        /// The system's error.
        source: io::Error,
    },
    /// Another process holds the lock, and the time limit has passed.
    #[error("another docker-manifest{} is still busy with {list}", process(*holder))]
    LockHeld {
        /// The list.
        list: String,
        /// The lock file.
        path: PathBuf,
        /// The process id of the holder, if it is known.
        holder: Option<u32>,
    },
    /// A file in a list's directory that is not an entry.
    #[error("{} is no entry of a manifest list", path.display())]
    NotAnEntry {
        /// The file.
        path: PathBuf,
    },
    /// Another list has the same directory name.
    #[error("manifest list {requested} cannot be kept beside {existing}: docker's store has one directory for both, \
        {}", path.display())]
    NameTaken {
        /// The requested list.
        requested: String,
        /// The list that owns the directory.
        existing: String,
        /// The directory.
        path: PathBuf,
    },
    /// Two images of one draft have the same file name.
    #[error(
        "image {requested} cannot stand beside {existing} in one manifest list: docker's store has one file for \
        both"
    )]
    FileTaken {
        /// The image to be added.
        requested: String,
        /// The image that owns the file.
        existing: String,
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program has written an unknown format.
    #[error("{} is of format {format}, and this version knows only {known}", path.display())]
    NewerFormat {
        /// The file with the format.
        path: PathBuf,
        /// The format.
        format: u64,
        /// The highest known format.
        known: u64,
    },
    /// A sidecar of a known format, for an existing directory, with invalid content.
    #[error("{} is damaged: {source}", path.display())]
    InvalidSidecar {
        /// The sidecar.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A sidecar that names the list, and may belong to another draft than the present one.
    #[error(
        "{} says more of manifest list {list}, of a draft that was in another directory than {} is now",
        path.display(), directory.display()
    )]
    UnmatchedSidecar {
        /// The list.
        list: String,
        /// The sidecar.
        path: PathBuf,
        /// The list's directory.
        directory: PathBuf,
    },
    /// A file or directory of the store has been replaced by something else.
    #[error("{} is {found}, where {expected} of the store should be", path.display())]
    UnexpectedFileKind {
        /// The path.
        path: PathBuf,
        /// What is there, as in "is FOUND".
        found: FileKind,
        /// What should be there.
        expected: FileKind,
    },
    /// A file or directory of another user.
    #[error("{} belongs to another user, number {user}", path.display())]
    ForeignOwner {
        /// The file or directory.
        path: PathBuf,
        /// The owner's user id.
        user: u32,
    },
    /// A file or draft above the size limit.
    #[error("{} is larger than the limit of {limit} bytes", path.display())]
    TooLarge {
        /// The file, or the draft's directory.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A directory with too many files.
    #[error("{} has over {limit} files", path.display())]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
        /// The maximum number.
        limit: usize,
    },
    /// A directory whose name no manifest list can have.
    #[error("{}: no image reference maps to this name", path.display())]
    ImpossibleName {
        /// The directory.
        path: PathBuf,
    },
}

fn process(holder: Option<u32>) -> String {
    holder.map_or(String::new(), |pid| format!(" (process {pid})"))
}

impl StoreError {
    /// The kind for scripts, and the file or directory that the error is about.
    pub fn kind_and_path(&self) -> (FailureKind, Option<&Path>) {
        match self {
            StoreError::Io { path, .. }
            | StoreError::InvalidEntry { path, .. }
            | StoreError::LocksUnsupported { path, .. }
            | StoreError::InvalidSidecar { path, .. }
            | StoreError::UnexpectedFileKind { path, .. }
            | StoreError::ForeignOwner { path, .. }
            | StoreError::TooLarge { path, .. }
            | StoreError::TooManyFiles { path, .. }
            | StoreError::ImpossibleName { path }
            | StoreError::LockFileDenied { path, .. }
            | StoreError::NotAnEntry { path } => (FailureKind::Store, Some(path)),
            StoreError::NameTaken { path, .. }
            | StoreError::FileTaken { path, .. }
            | StoreError::UnmatchedSidecar { path, .. } => (FailureKind::Conflict, Some(path)),
            StoreError::LockHeld { path, .. } => (FailureKind::Timeout, Some(path)),
            StoreError::NewerFormat { path, .. } => (FailureKind::Unsupported, Some(path)),
        }
    }

    /// For `map_err`: an error of the operating system about a path.
    pub(super) fn io<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
        move |source| StoreError::Io { verb, path: path.to_owned(), source }
    }

    /// The content at `path` has changed since it was read.
    pub(super) fn race(path: &Path) -> StoreError {
        let source = io::Error::new(io::ErrorKind::ResourceBusy, "another program has changed it meanwhile");
        StoreError::Io { verb: MOVE_INTO_PLACE, path: path.to_owned(), source }
    }

    /// Whether a client without a lock changed the list between our read and our write.
    pub(super) fn is_race(&self) -> bool {
        use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound, ResourceBusy};
        match self {
            StoreError::Io { verb, source, .. } => {
                let is_race = matches!(source.kind(), NotFound | AlreadyExists | DirectoryNotEmpty | ResourceBusy);
                is_race && (*verb == MOVE_INTO_PLACE || *verb == REMOVE)
            }
            _ => false,
        }
    }
}

/// The verbs of the steps that a race can interrupt: moving staged files into place, and removing files.
pub(super) const MOVE_INTO_PLACE: &str = "move into place";
pub(super) const REMOVE: &str = "remove";
