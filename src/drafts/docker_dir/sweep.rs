//! Deletes what killed processes left. See `store-format.md`, "What a crash leaves".

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::lock::Lock;
use crate::drafts::docker_dir::paths::Paths;

/// Deletes sidecars and locks without a list, and staged files, unless another process holds their lock.
pub(super) fn sweep(paths: &Paths) -> Result<(), StoreError> {
    let mut names = BTreeSet::new();
    for folder in [paths.locks(), paths.sidecars()] {
        names.extend(ours(paths, &folder)?.into_iter().filter(|name| is_gone(paths, name)));
    }
    // Taking the lock clears the staged files.
    names.extend(ours(paths, &paths.staging_area())?);
    let mut first = Ok(());
    for name in names {
        let swept = sweep_one(paths, &name);
        first = first.and(swept);
    }
    first
}

fn sweep_one(paths: &Paths, name: &str) -> Result<(), StoreError> {
    let lock = match Lock::acquire(paths, name, &name, &|_| (), Some(Duration::ZERO)) {
        // Another process uses it, or it belongs to another user.
        Err(StoreError::InUse { .. } | StoreError::LockedOut { .. } | StoreError::Foreign { .. }) => return Ok(()),
        lock => lock?,
    };
    if !is_gone(paths, name) {
        return Ok(());
    }
    let path = paths.sidecar(name);
    match checked_access::file(&path).and_then(|_| fs::remove_file(&path).map_err(StoreError::io("remove", &path))) {
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
        Err(StoreError::Foreign { .. }) => {}
        done => done?,
    }
    lock.discard()
}

/// Whether nothing has this name. A name that cannot be checked counts as existing.
fn is_gone(paths: &Paths, name: &str) -> bool {
    fs::symlink_metadata(paths.list(name)).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The names in a folder of ours; empty if there is no such folder.
fn ours(paths: &Paths, folder: &Path) -> Result<Vec<String>, StoreError> {
    if checked_access::directory(&paths.own_folder())?.is_none() || checked_access::directory(folder)?.is_none() {
        return Ok(Vec::new());
    }
    Ok(directory::names(folder)?.unwrap_or_default())
}
