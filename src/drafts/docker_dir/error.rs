//! What can go wrong with the store. Every error names the path that it is about.

use std::io;
use std::path::{Path, PathBuf};

use crate::failure_kind::FailureKind;
use crate::model::DocumentError;
use crate::sanitize::io_error;

/// Why a draft cannot be read or changed. The draft itself is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refuses.
    #[error("cannot {what} {}: {}", path.display(), io_error(source))]
    Io {
        /// The verb, as in "cannot VERB PATH".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// A file is there and is no entry.
    #[error("invalid manifest file {}: {source}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The filesystem has no locks.
    #[error("cannot lock {}: its filesystem has no file locks ({})", path.display(), io_error(source))]
    NoLocks {
        /// The lock file.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// The file of a lock that we may not open.
    #[error("cannot open {}, which belongs to user number {user}: {}", path.display(), io_error(source))]
    LockedOut {
        /// The lock file.
        path: PathBuf,
        /// Whom it belongs to.
        user: u32,
        /// The operating system's words.
        source: io::Error,
    },
    /// Another process holds the lock, and the time to wait for it is over.
    #[error("another docker-manifest{} is still busy with {list}", process(*holder))]
    InUse {
        /// The list.
        list: String,
        /// The lock file.
        path: PathBuf,
        /// The number of the process that holds it, where that is known.
        holder: Option<u32>,
    },
    /// A file in a list's folder that is no entry of a list.
    #[error("{} is no entry of a manifest list", path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
    },
    /// Docker's naming gives two lists the same directory, and the other one has it.
    #[error("manifest list {wanted} cannot be kept beside {holder}: docker's store has one directory for both, {}", path.display())]
    NameTaken {
        /// The list that was asked for.
        wanted: String,
        /// The list that has the directory.
        holder: String,
        /// The directory.
        path: PathBuf,
    },
    /// Two images of one draft share the name of the file that docker keeps them in.
    #[error("image {wanted} cannot stand beside {holder} in one manifest list: docker's store has one file for both")]
    FileTaken {
        /// The image that was to be added.
        wanted: String,
        /// The image that is there.
        holder: String,
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program has written what this one does not know.
    #[error("{} is of format {format}, and this version knows only {known}", path.display())]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        format: u64,
        /// The highest format known here.
        known: u64,
    },
    /// Our sidecar for a folder that is there, of a format that is known, and yet it makes no sense.
    #[error("{} is damaged: {source}", path.display())]
    Sidecar {
        /// The sidecar.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The sidecar speaks of the list, and it is not known whether of the draft that is there.
    #[error(
        "{} says more of manifest list {list}, of a draft that was in another folder than {} is now",
        path.display(), folder.display()
    )]
    Stray {
        /// The list.
        list: String,
        /// The sidecar.
        path: PathBuf,
        /// The list's folder.
        folder: PathBuf,
    },
    /// Something else stands where a file or a folder of the store should be.
    #[error("{} is {found}, where {wanted} of the store should be", path.display())]
    Misplaced {
        /// The place.
        path: PathBuf,
        /// What is there, as in "is FOUND".
        found: &'static str,
        /// What should be there.
        wanted: &'static str,
    },
    /// A file or a folder that another user put there.
    #[error("{} belongs to another user, number {user}", path.display())]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// Whom it belongs to.
        user: u32,
    },
    /// A file, or a draft, of a size that none has.
    #[error("{} is over the {limit} bytes that are read at most", path.display())]
    TooLarge {
        /// The file, or the draft's folder.
        path: PathBuf,
        /// How much is read, in bytes.
        limit: u64,
    },
    /// A folder with more in it than any draft has.
    #[error("{} has over {limit} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// How many are read.
        limit: usize,
    },
    /// A folder that no manifest list can have.
    #[error("{} has a name that no manifest list has", path.display())]
    Nameless {
        /// The folder.
        path: PathBuf,
    },
    /// Docker wrote to the same list again and again.
    #[error("manifest list {list} is being changed by docker all the time")]
    Busy {
        /// The list.
        list: String,
    },
}

fn process(holder: Option<u32>) -> String {
    holder.map_or(String::new(), |pid| format!(" (process {pid})"))
}

impl StoreError {
    /// What scripts see of it: its kind, and the file or folder that it is about.
    pub fn describe(&self) -> (FailureKind, Option<&Path>) {
        match self {
            StoreError::Io { path, .. }
            | StoreError::Entry { path, .. }
            | StoreError::NoLocks { path, .. }
            | StoreError::Sidecar { path, .. }
            | StoreError::Misplaced { path, .. }
            | StoreError::Foreign { path, .. }
            | StoreError::TooLarge { path, .. }
            | StoreError::TooMany { path, .. }
            | StoreError::Nameless { path }
            | StoreError::LockedOut { path, .. }
            | StoreError::NoEntry { path } => (FailureKind::Store, Some(path)),
            StoreError::NameTaken { path, .. }
            | StoreError::FileTaken { path, .. }
            | StoreError::Stray { path, .. } => (FailureKind::Conflict, Some(path)),
            StoreError::InUse { path, .. } => (FailureKind::Timeout, Some(path)),
            StoreError::NewerFormat { path, .. } => (FailureKind::Unsupported, Some(path)),
            StoreError::Busy { .. } => (FailureKind::Conflict, None),
        }
    }

    /// For `map_err`: an error of the operating system, said of a path.
    pub(super) fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
        move |source| StoreError::Io { what, path: path.to_owned(), source }
    }

    /// What is at `path` is no longer what was read there.
    pub(super) fn race(path: &Path) -> StoreError {
        let source = io::Error::new(io::ErrorKind::ResourceBusy, "another program has changed it meanwhile");
        StoreError::Io { what: PLACE, path: path.to_owned(), source }
    }

    /// Whether a client that takes no lock changed the list between our look and our write.
    pub(super) fn is_race(&self) -> bool {
        use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound, ResourceBusy};
        match self {
            StoreError::Io { what, source, .. } => {
                let is_race = matches!(source.kind(), NotFound | AlreadyExists | DirectoryNotEmpty | ResourceBusy);
                is_race && (*what == PLACE || *what == TAKE)
            }
            _ => false,
        }
    }
}

/// The verbs of the steps that a race can break: moving what is staged to its place, and taking away what is there.
pub(super) const PLACE: &str = "move into place";
pub(super) const TAKE: &str = "remove";
