//! Writes that are there as a whole or not at all: staged outside any directory that docker lists, synced, renamed,
//! and the directory synced. See `store-format.md`, "Writes".

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::store::error::{PLACE, StoreError};
use crate::store::lock::Lock;
use crate::store::paths::{self, Paths};

/// The files of a list by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Puts a list in place that was not there, all its files at once.
///
/// `record` is given the staged directory just before it gets its name.
pub(super) fn create_directory(
    paths: &Paths,
    lock: &Lock,
    target: &Path,
    files: &Files,
    record: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let staged = lock.staging()?.join("list");
    paths::make_directory(&staged)?;
    for (name, bytes) in files {
        write_file(&staged.join(name), bytes)?;
    }
    sync_directory(&staged)?;
    record(&staged)?;
    fs::rename(&staged, target).map_err(StoreError::io(PLACE, target)).inspect_err(|_| clear(&staged))?;
    sync_directory(paths.root()).inspect_err(|_| {
        let _ = fs::rename(target, &staged);
    })
}

/// Changes the files of a list from `before` to `after`, only where they differ.
///
/// Everything is staged before anything is moved; a move that fails takes the earlier ones back.
pub(super) fn replace_files(lock: &Lock, target: &Path, before: &Files, after: &Files) -> Result<(), StoreError> {
    let changed: Vec<(&String, &Vec<u8>)> =
        after.iter().filter(|(name, bytes)| before.get(*name) != Some(bytes)).collect();
    let removed: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();
    if changed.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let staging = lock.staging()?;
    let staged = |index: usize| staging.join(index.to_string());
    for (index, (_, bytes)) in changed.iter().enumerate() {
        write_file(&staged(index), bytes).inspect_err(|_| clear_all(staging))?;
    }
    let mut done = Vec::new();
    let moved = changed.iter().enumerate().try_for_each(|(index, (name, _))| {
        let place = target.join(name);
        fs::rename(staged(index), &place).map_err(StoreError::io(PLACE, &place))?;
        done.push(*name);
        Ok(())
    });
    let removed = moved.and_then(|()| {
        removed.iter().try_for_each(|name| {
            let place = target.join(name);
            remove_file(&place)?;
            done.push(name);
            Ok(())
        })
    });
    removed.and_then(|()| sync_directory(target)).inspect_err(|_| {
        take_back(lock, target, before, &done);
        clear_all(staging);
    })
}

/// Takes a list away: out of docker's sight by one rename, then off the disk, where what resists is left for the next
/// holder of the lock to clear: the list is gone all the same.
pub(super) fn remove_directory(paths: &Paths, lock: &Lock, target: &Path) -> Result<(), StoreError> {
    let away = lock.staging()?.join("removed");
    match fs::rename(target, &away) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        done => done.map_err(StoreError::io("remove", target))?,
    }
    sync_directory(paths.root()).inspect_err(|_| {
        let _ = fs::rename(&away, target);
    })?;
    let _ = fs::remove_dir_all(&away);
    Ok(())
}

/// Puts one file in place of what is there.
pub(super) fn replace_file(lock: &Lock, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let staged = lock.staging()?.join("file");
    write_file(&staged, bytes).inspect_err(|_| clear(&staged))?;
    fs::rename(&staged, path).map_err(StoreError::io("write", path)).inspect_err(|_| clear(&staged))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// The way back after a failure half-way. What fails here cannot be mended; the error that led here is the one to tell.
fn take_back(lock: &Lock, target: &Path, before: &Files, done: &[&String]) {
    for name in done {
        let path = target.join(name);
        let _ = match before.get(*name) {
            Some(bytes) => replace_file(lock, &path, bytes),
            None => remove_file(&path),
        };
    }
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn write_file(path: &PathBuf, bytes: &[u8]) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(StoreError::io("write", path))
}

/// Filesystems that cannot sync a directory say so with `InvalidInput` or `Unsupported`, and need none.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    match File::open(path).and_then(|directory| directory.sync_all()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        done => done.map_err(StoreError::io("sync", path)),
    }
}

/// Best effort: the next holder of the lock clears what stays.
fn clear(staged: &Path) {
    let _ = fs::remove_file(staged).or_else(|_| fs::remove_dir_all(staged));
}

fn clear_all(staging: &Path) {
    let _ = fs::remove_dir_all(staging);
}
