//! Creates directories so that they survive a power loss, syncs them, and lists them within limits. See
//! `store-format.md`, "Paths" and "What does not belong".

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::paths::Paths;

/// The maximum number of files in a directory. Docker takes seconds for a list of a thousand.
const NAMES_MAX: usize = 100_000;

/// Creates a directory that this program manages, and its parents. Checks those that exist.
pub(super) fn create_checked(paths: &Paths, path: &Path) -> Result<(), StoreError> {
    // The root of the store may be a symbolic link. The directories below it may not.
    if path == paths.root() {
        return create_following_links(path);
    }
    parent(path).map_or(Ok(()), |parent| create_checked(paths, parent))?;
    if checked_access::directory_metadata(path)?.is_none() {
        create_one(path)?;
        checked_access::directory_metadata(path)?;
    }
    Ok(())
}

fn create_following_links(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => parent(path).map_or(Ok(()), create_following_links)?,
        // Creating it reports the error.
        _ => {}
    }
    create_one(path)?;
    fs::metadata(path).map(drop).map_err(StoreError::io("create", path))
}

/// Creates one directory with docker's mode, and syncs its parent. Another process may create it first.
fn create_one(path: &Path) -> Result<(), StoreError> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "modes are unix's"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    match builder.create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result.map_err(StoreError::io("create", path))?,
    }
    parent(path).map_or(Ok(()), sync)
}

/// The directory that contains a path; the working directory for a bare name.
fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Syncs a directory. Filesystems that cannot sync one answer `InvalidInput` or `Unsupported`, and need no sync.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    ignore_unsupported(File::open(path).and_then(|directory| directory.sync_all()), path)
}

/// The result of a sync of the directory at `path`.
pub(super) fn ignore_unsupported(result: io::Result<()>, path: &Path) -> Result<(), StoreError> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(StoreError::io("sync", path)),
    }
}

/// Syncs the directory that contains `path`.
pub(super) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    parent(path).map_or(Ok(()), sync)
}

/// The identity of a directory, which a rename keeps: its inode and, because inodes are reused, its time of birth.
pub(super) fn identity(metadata: &Metadata) -> String {
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let born = born.map_or(0, |duration| duration.as_nanos());
    format!("{}.{born}", inode(metadata))
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// The names in a directory, sorted by bytes; `None` if there is no such directory.
pub(super) fn names(directory: &Path) -> Result<Option<Vec<String>>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        // Docker cannot have created a directory whose name is too long, so it does not exist.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename) => return Ok(None),
        Err(error) => return Err(StoreError::io("read", directory)(error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: io::Result<Vec<String>> = entries.map(name).take(NAMES_MAX + 1).collect();
    let mut names = names.map_err(StoreError::io("read", directory))?;
    if names.len() > NAMES_MAX {
        return Err(StoreError::TooManyFiles { path: directory.to_owned(), limit: NAMES_MAX });
    }
    names.sort_unstable();
    Ok(Some(names))
}
