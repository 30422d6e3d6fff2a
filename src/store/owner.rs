//! Which list a directory holds. Docker's names do not say (`h/a_b:1` and `h/a/b:1` share one), so a side file does.
//! See `store-format.md`, "Names that docker mixes".

use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::reference::Reference;
use crate::store::atomic;
use crate::store::error::StoreError;
use crate::store::lock::Lock;
use crate::store::paths::{self, Paths};

/// The format that this version writes, and the highest that it reads.
const FORMAT: u64 = 1;

/// What a side file says, of a directory that is still the one that it was written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) list: Reference,
    directory: String,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u64,
    list: String,
    directory: String,
}

/// Who owns the directory `name`, if it is there and we wrote down whose it is.
///
/// A side file that speaks of a directory since removed, by docker say, speaks of nobody.
pub(super) fn read(paths: &Paths, name: &str) -> Result<Option<Owner>, StoreError> {
    let path = paths.owner(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        // A name over the filesystem's limit has no directory either; whoever makes one is told then.
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => return Ok(None),
        Err(error) => return Err(StoreError::io("read", &path)(error)),
    };
    let Ok(format) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return Ok(None) };
    if let Some(format) = format.get("format").and_then(serde_json::Value::as_u64).filter(|format| *format > FORMAT) {
        return Err(StoreError::NewerFormat { path, format, known: FORMAT });
    }
    let Ok(file) = serde_json::from_value::<File>(format) else { return Ok(None) };
    let Ok(list) = Reference::parse_canonical(&file.list) else { return Ok(None) };
    let directory = match identity(&paths.list(name)) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("look at", &paths.list(name))(error)),
    };
    Ok((directory == file.directory).then_some(Owner { list, directory }))
}

impl Owner {
    /// `list` as the owner of a directory that is there, at its place or not yet.
    pub(super) fn of(list: &Reference, directory: &Path) -> Result<Owner, StoreError> {
        let identity = identity(directory).map_err(StoreError::io("look at", directory))?;
        Ok(Owner { list: list.clone(), directory: identity })
    }

    /// Refuses a list that is not the owner.
    pub(super) fn check(&self, wanted: &Reference, path: &Path) -> Result<(), StoreError> {
        if self.list == *wanted {
            return Ok(());
        }
        Err(StoreError::NameTaken { wanted: wanted.to_string(), holder: self.list.to_string(), path: path.to_owned() })
    }

    /// Writes it down for the directory `name`.
    pub(super) fn record(&self, paths: &Paths, lock: &Lock, name: &str) -> Result<(), StoreError> {
        paths::make_directory(&paths.owners())?;
        let file = File { format: FORMAT, list: self.list.to_string(), directory: self.directory.clone() };
        let path = paths.owner(name);
        let bytes = serde_json::to_vec(&file).map_err(io::Error::from).map_err(StoreError::io("write", &path))?;
        atomic::replace_file(lock, &path, &bytes)
    }
}

/// What stays with a directory when it is renamed and ends with it: its inode and, as inodes are used again, its birth.
fn identity(directory: &Path) -> io::Result<String> {
    let metadata = fs::metadata(directory)?;
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let born = born.map_or(0, |duration| duration.as_nanos());
    Ok(format!("{}.{born}", inode(&metadata)))
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}
