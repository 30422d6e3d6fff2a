//! Opens files and directories of the store. Refuses everything else: it follows no links, never blocks, and reads
//! nothing that belongs to another user. See `store-format.md`, "What does not belong".

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::drafts::docker_dir::error::StoreError;
use crate::regular_file::{FileKind, no_follow_or_block};

/// The maximum size of a file that is read, in bytes. An entry has a few thousand.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads a regular file of ours of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), StoreError> {
    let (file, metadata) = open(OpenOptions::new().read(true), "read", path)?;
    let too_large = || StoreError::TooLarge { path: path.to_owned(), limit };
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // The file may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok((bytes, metadata)) }
}

/// Opens a regular file of ours. `verb` is for the error.
pub(super) fn open(options: &mut OpenOptions, verb: &'static str, path: &Path) -> Result<(File, Metadata), StoreError> {
    let file = no_follow_or_block(options).open(path).map_err(|source| {
        // For a link, the system's error is "too many levels of symbolic links". The kind of the file is clearer.
        let is_missing = source.kind() == ErrorKind::NotFound;
        let metadata = fs::symlink_metadata(path).ok().filter(|_| !is_missing);
        let kind_error = metadata.and_then(|metadata| check_kind_and_owner(path, &metadata, FileKind::File).err());
        kind_error.unwrap_or_else(|| StoreError::io(verb, path)(source))
    })?;
    let metadata = file.metadata().map_err(StoreError::io(verb, path))?;
    check_kind_and_owner(path, &metadata, FileKind::File)?;
    Ok((file, metadata))
}

/// The metadata of a regular file of ours, readable or not.
pub(super) fn file_metadata(path: &Path) -> Result<Metadata, StoreError> {
    let metadata = fs::symlink_metadata(path).map_err(StoreError::io("look at", path))?;
    check_kind_and_owner(path, &metadata, FileKind::File)?;
    Ok(metadata)
}

/// The metadata of a directory of ours; `None` if it does not exist, or cannot exist.
pub(super) fn directory_metadata(path: &Path) -> Result<Option<Metadata>, StoreError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => return Ok(None),
            _ => return Err(StoreError::io("look at", path)(error)),
        },
    };
    check_kind_and_owner(path, &metadata, FileKind::Directory)?;
    Ok(Some(metadata))
}

fn check_kind_and_owner(path: &Path, metadata: &Metadata, expected: FileKind) -> Result<(), StoreError> {
    let found = FileKind::from_file_type(metadata.file_type());
    if found != expected {
        return Err(StoreError::UnexpectedFileKind { path: path.to_owned(), found, expected });
    }
    match foreign_owner(metadata) {
        Some(user) => Err(StoreError::ForeignOwner { path: path.to_owned(), user }),
        None => Ok(()),
    }
}

/// The owner, if it is neither this user nor root. Root itself may read the files of all users.
#[cfg(unix)]
fn foreign_owner(metadata: &Metadata) -> Option<u32> {
    let owner = std::os::unix::fs::MetadataExt::uid(metadata);
    let us = rustix::process::geteuid();
    (owner != 0 && !us.is_root() && owner != us.as_raw()).then_some(owner)
}

#[cfg(not(unix))]
fn foreign_owner(_: &Metadata) -> Option<u32> {
    None
}
