//! Writes that are there as a whole or not at all: staged outside any directory that docker lists, synced, renamed,
//! and the directory synced. See `store-format.md`, "Writes".

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::store::directory;
use crate::store::error::{PLACE, StoreError};
use crate::store::lock::Lock;
use crate::store::paths::Paths;

/// The files of a list by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// One file that becomes another, `None` for no file.
pub(super) struct Step<'a> {
    pub(super) place: PathBuf,
    pub(super) before: Option<&'a [u8]>,
    pub(super) after: Option<&'a [u8]>,
}

/// Steps after which these folders are synced, before anything else happens.
pub(super) struct Stage<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) sync: Vec<PathBuf>,
}

/// Takes one step after the other. Everything is staged before anything is moved; a failure takes all steps back.
pub(super) fn replace(lock: &Lock, stages: &[Stage<'_>]) -> Result<(), StoreError> {
    let mut staged = Vec::new();
    for step in stages.iter().flat_map(|stage| &stage.steps) {
        let path = lock.staging()?.join(staged.len().to_string());
        if let Some(bytes) = step.after {
            write_file(&path, bytes).inspect_err(|_| clear(lock))?;
        }
        staged.push(path);
    }
    let mut taken = Vec::new();
    let mut staged = staged.iter();
    let moved = stages.iter().try_for_each(|stage| {
        for (step, staged) in stage.steps.iter().zip(&mut staged) {
            take(step, staged)?;
            taken.push(step);
        }
        stage.sync.iter().filter(|_| !stage.steps.is_empty()).try_for_each(|path| directory::sync(path))
    });
    moved.inspect_err(|_| {
        taken.into_iter().rev().for_each(|step| take_back(lock, step));
        clear(lock);
    })
}

fn take(step: &Step<'_>, staged: &Path) -> Result<(), StoreError> {
    match step.after {
        Some(_) => fs::rename(staged, &step.place).map_err(StoreError::io(PLACE, &step.place)),
        None => remove_file(&step.place),
    }
}

/// The way back after a failure half-way. What fails here cannot be mended; the error that led here is the one to tell.
pub(super) fn take_back(lock: &Lock, step: &Step<'_>) {
    let _ = match step.before {
        Some(bytes) => replace_file(lock, &step.place, bytes),
        None => remove_file(&step.place),
    };
}

/// Stages a list with all its files, synced: the folder that only needs its name.
pub(super) fn stage_directory(paths: &Paths, lock: &Lock, files: &Files) -> Result<PathBuf, StoreError> {
    let staged = lock.staging()?.join("list");
    directory::make(paths, &staged)?;
    for (name, bytes) in files {
        write_file(&staged.join(name), bytes)?;
    }
    directory::sync(&staged)?;
    Ok(staged)
}

/// Gives a staged list its name.
pub(super) fn place_directory(paths: &Paths, lock: &Lock, staged: &Path, target: &Path) -> Result<(), StoreError> {
    let placed = fs::rename(staged, target).map_err(StoreError::io(PLACE, target)).and_then(|()| {
        let synced = directory::sync(paths.root()).and_then(|()| directory::sync_above(paths.root()));
        synced.inspect_err(|_| {
            let _ = fs::rename(target, staged);
        })
    });
    placed.inspect_err(|_| clear(lock))
}

/// Takes a list away: out of docker's sight by one rename, then off the disk together with its side file, where what
/// resists is left for the next holder of the lock to clear: the list is gone all the same.
pub(super) fn remove_directory(paths: &Paths, lock: &Lock, target: &Path, side: &Path) -> Result<(), StoreError> {
    let away = lock.staging()?.join("removed");
    match fs::rename(target, &away) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        done => done.map_err(StoreError::io("remove", target))?,
    }
    directory::sync(paths.root()).inspect_err(|_| {
        let _ = fs::rename(&away, target);
    })?;
    let _ = fs::remove_file(side);
    let _ = fs::remove_dir_all(&away);
    Ok(())
}

fn replace_file(lock: &Lock, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let staged = lock.staging()?.join("file");
    write_file(&staged, bytes)?;
    fs::rename(&staged, path).map_err(StoreError::io("write", path))?;
    directory::sync_above(path)
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
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

/// Best effort: the next holder of the lock clears what stays.
fn clear(lock: &Lock) {
    let _ = lock.staging().map(fs::remove_dir_all);
}
