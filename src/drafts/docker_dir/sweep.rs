//! Deletes the files that killed processes left. See `store-format.md`, "What a crash leaves".

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::lock::Lock;
use crate::drafts::docker_dir::paths::Paths;

/// Deletes sidecars and locks without a list, and staged files, unless another process holds their lock.
pub(super) fn sweep(paths: &Paths) -> Result<(), StoreError> {
    let mut names = BTreeSet::new();
    for directory in [paths.locks(), paths.sidecars()] {
        names.extend(names_in(paths, &directory)?.into_iter().filter(|name| is_absent(paths, name)));
    }
    // Whoever takes a lock clears its staged files.
    names.extend(names_in(paths, &paths.staging_area())?);
    let mut first_error = Ok(());
    for name in names {
        let result = sweep_list(paths, &name);
        first_error = first_error.and(result);
    }
    first_error
}

fn sweep_list(paths: &Paths, name: &str) -> Result<(), StoreError> {
    let lock = match Lock::acquire(paths, name, &name, &|_| (), Some(Duration::ZERO)) {
        // Another process uses the list, or its lock belongs to another user.
        Err(StoreError::LockHeld { .. } | StoreError::LockFileDenied { .. } | StoreError::ForeignOwner { .. }) => {
            return Ok(());
        }
        lock => lock?,
    };
    if !is_absent(paths, name) {
        return Ok(());
    }
    let path = paths.sidecar(name);
    match checked_access::file_metadata(&path)
        .and_then(|_| fs::remove_file(&path).map_err(StoreError::io("remove", &path)))
    {
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
        Err(StoreError::ForeignOwner { .. }) => {}
        done => done?,
    }
    lock.delete()
}

/// Whether the list does not exist. A list that cannot be checked counts as existing.
fn is_absent(paths: &Paths, name: &str) -> bool {
    fs::symlink_metadata(paths.list(name)).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The names in one of our directories; empty if it does not exist.
fn names_in(paths: &Paths, directory: &Path) -> Result<Vec<String>, StoreError> {
    if checked_access::directory_metadata(&paths.private_dir())?.is_none()
        || checked_access::directory_metadata(directory)?.is_none()
    {
        return Ok(Vec::new());
    }
    Ok(directory_operations::names(directory)?.unwrap_or_default())
}
