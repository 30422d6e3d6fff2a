//! Opens files and folders of the store, and refuses everything else: it follows no links, never blocks, and reads
//! nothing that belongs to another user. See `store-format.md`, "What does not belong".

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::drafts::docker_dir::error::StoreError;

/// The largest file that is read, in bytes. An entry has a few thousand.
pub(super) const FILE_LIMIT: u64 = 64 << 20;

/// Reads a regular file of ours of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), StoreError> {
    let (file, metadata) = open(OpenOptions::new().read(true), "read", path)?;
    let too_large = || StoreError::TooLarge { path: path.to_owned(), limit };
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // It may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok((bytes, metadata)) }
}

/// Opens a regular file of ours. `what` is the verb in the error.
pub(super) fn open(options: &mut OpenOptions, what: &'static str, path: &Path) -> Result<(File, Metadata), StoreError> {
    as_it_is(options);
    let file = options.open(path).map_err(|source| {
        // A better reason than the system's, which is "too many levels of symbolic links" for a single link.
        let is_missing = source.kind() == ErrorKind::NotFound;
        let better = fs::symlink_metadata(path).ok().filter(|_| !is_missing);
        let better = better.and_then(|metadata| check(path, &metadata, FileType::is_file, "a file").err());
        better.unwrap_or_else(|| StoreError::io(what, path)(source))
    })?;
    let metadata = file.metadata().map_err(StoreError::io(what, path))?;
    check(path, &metadata, FileType::is_file, "a file")?;
    Ok((file, metadata))
}

/// The metadata of a regular file of ours, readable or not.
pub(super) fn file(path: &Path) -> Result<Metadata, StoreError> {
    let metadata = fs::symlink_metadata(path).map_err(StoreError::io("look at", path))?;
    check(path, &metadata, FileType::is_file, "a file")?;
    Ok(metadata)
}

/// The metadata of a folder of ours; `None` if there is none, or can be none.
pub(super) fn directory(path: &Path) -> Result<Option<Metadata>, StoreError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => return Ok(None),
            _ => return Err(StoreError::io("look at", path)(error)),
        },
    };
    check(path, &metadata, FileType::is_dir, "a folder")?;
    Ok(Some(metadata))
}

fn check(
    path: &Path,
    metadata: &Metadata,
    is_wanted: impl Fn(&FileType) -> bool,
    wanted: &'static str,
) -> Result<(), StoreError> {
    if !is_wanted(&metadata.file_type()) {
        let found = kind(metadata.file_type());
        return Err(StoreError::Misplaced { path: path.to_owned(), found, wanted });
    }
    match foreign_owner(metadata) {
        Some(user) => Err(StoreError::Foreign { path: path.to_owned(), user }),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn as_it_is(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    // The bits are an `int` of the system's C header.
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
}

/// The owner, if it is neither this user nor root. Root itself may read the files of all users.
#[cfg(unix)]
fn foreign_owner(metadata: &Metadata) -> Option<u32> {
    let owner = std::os::unix::fs::MetadataExt::uid(metadata);
    let us = rustix::process::geteuid();
    (owner != 0 && !us.is_root() && owner != us.as_raw()).then_some(owner)
}

#[cfg(unix)]
fn kind(found: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match found {
        _ if found.is_symlink() => "a symbolic link",
        _ if found.is_dir() => "a folder",
        _ if found.is_fifo() => "a FIFO",
        _ if found.is_socket() => "a socket",
        _ if found.is_file() => "a file",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn as_it_is(_: &mut OpenOptions) {}

#[cfg(not(unix))]
fn foreign_owner(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn kind(found: FileType) -> &'static str {
    match found {
        _ if found.is_symlink() => "a symbolic link",
        _ if found.is_dir() => "a folder",
        _ => "a file",
    }
}
