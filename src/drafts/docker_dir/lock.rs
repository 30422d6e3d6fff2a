//! The lock of a list: flock(2) on a file of its own. Only the holder deletes the file, and only if the list does not
//! exist.
//! See `store-format.md`, "Locks".

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::paths::Paths;
use crate::locked_file::LockedFile;

/// The interval at which a wait with a limit tries again. flock(2) itself has no time limit.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Holds the lock of a list until it is dropped. The staging directory of the list belongs to the holder.
#[derive(Debug)]
pub(super) struct Lock {
    locked: LockedFile,
    path: PathBuf,
    paths: Paths,
    staging: PathBuf,
}

impl Lock {
    /// Takes the lock of the list in directory `name`. If another process holds it, first calls `notice` with a line
    /// that names `list`. The wait ends after `limit`, if there is one; a limit of zero does not wait.
    ///
    /// Deletes the files that a killed holder left in the staging directory.
    pub(super) fn acquire(
        paths: &Paths,
        name: &str,
        list: &dyn Display,
        notice: &dyn Fn(&str),
        limit: Option<Duration>,
    ) -> Result<Lock, StoreError> {
        let path = paths.lock(name);
        directory_operations::create_checked(paths, &paths.locks())?;
        let started = Instant::now();
        let mut has_notified = false;
        let locked = loop {
            let locked = match try_lock(open(&path)?, &path)? {
                Ok(locked) => locked,
                Err(mut file) => {
                    let holder = holder(&mut file);
                    if !has_notified && limit != Some(Duration::ZERO) {
                        let process = holder.map_or(String::new(), |pid| format!(" in process {pid}"));
                        notice(&format!("waiting for another docker-manifest{process} to finish with {list}"));
                        has_notified = true;
                    }
                    wait_until_locked(file, &path, limit, started)?.ok_or_else(|| StoreError::LockHeld {
                        list: list.to_string(),
                        path: path.clone(),
                        holder,
                    })?
                }
            };
            if !is_deleted(locked.file(), &path)? {
                break locked;
            }
        };
        // For processes that wait. An error is ignored, because a removal must work on a full disk.
        let _ = record_holder(locked.file());
        let lock = Lock { locked, path, paths: paths.clone(), staging: paths.staging(name) };
        lock.clear_staging()?;
        Ok(lock)
    }

    /// The directory for staged files, which is created if it does not exist.
    pub(super) fn create_staging(&self) -> Result<&Path, StoreError> {
        directory_operations::create_checked(&self.paths, &self.staging)?;
        Ok(&self.staging)
    }

    /// The path to which a removed directory is moved. It is that of the staging directory, which must not exist.
    pub(super) fn hidden_path(&self) -> Result<&Path, StoreError> {
        directory_operations::create_checked(&self.paths, &self.paths.staging_area())?;
        Ok(&self.staging)
    }

    /// Deletes the file of the lock. Processes that wait for it notice that and create another one.
    pub(super) fn delete(self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(StoreError::io("remove", &self.path))
    }

    fn clear_staging(&self) -> Result<(), StoreError> {
        for directory in self.staging.parent().into_iter().chain([self.staging.as_path()]) {
            if checked_access::directory_metadata(directory)?.is_none() {
                return Ok(());
            }
        }
        match fs::remove_dir_all(&self.staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("clear", &self.staging)(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Failures are ignored: the next holder clears the directory.
        let _ = self.clear_staging();
        let _ = self.locked.file().set_len(0);
    }
}

/// Waits for the lock until `limit` after `started`; `None` if another process has it still.
fn wait_until_locked(
    mut file: File,
    path: &Path,
    limit: Option<Duration>,
    started: Instant,
) -> Result<Option<LockedFile>, StoreError> {
    let Some(limit) = limit else {
        return LockedFile::lock(file).map(Some).map_err(|error| locks_unsupported_error(error, path));
    };
    loop {
        let remaining = limit.saturating_sub(started.elapsed());
        if remaining.is_zero() {
            return Ok(None);
        }
        thread::sleep(remaining.min(POLL_INTERVAL));
        file = match try_lock(file, path)? {
            Ok(locked) => return Ok(Some(locked)),
            Err(file) => file,
        };
    }
}

fn try_lock(file: File, path: &Path) -> Result<Result<LockedFile, File>, StoreError> {
    LockedFile::try_lock(file).map_err(|error| locks_unsupported_error(error, path))
}

/// Opens the file of the lock, or creates it for this user alone: a process that can open it can hold the lock for
/// ever.
fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match checked_access::open(&mut options, "open", path) {
        Ok((file, _)) => Ok(file),
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
            Err(lock_file_denied_error(path, source))
        }
        Err(error) => Err(error),
    }
}

/// The error for a lock file that may not be opened, with its owner if that is another user.
fn lock_file_denied_error(path: &Path, source: io::Error) -> StoreError {
    #[cfg(unix)]
    if let Ok(metadata) = fs::symlink_metadata(path)
        && let user = std::os::unix::fs::MetadataExt::uid(&metadata)
        && user != rustix::process::geteuid().as_raw()
    {
        return StoreError::LockFileDenied { path: path.to_owned(), user, source };
    }
    StoreError::io("open", path)(source)
}

/// Whether the file has been deleted since it was opened. A lock on a deleted file protects nothing.
#[cfg(unix)]
fn is_deleted(file: &File, path: &Path) -> Result<bool, StoreError> {
    let metadata = file.metadata().map_err(StoreError::io("look at", path))?;
    Ok(std::os::unix::fs::MetadataExt::nlink(&metadata) == 0)
}

#[cfg(not(unix))]
fn is_deleted(_: &File, _: &Path) -> Result<bool, StoreError> {
    Ok(false)
}

/// The error for a filesystem without locks. The file itself is open already.
fn locks_unsupported_error(source: io::Error, path: &Path) -> StoreError {
    StoreError::LocksUnsupported { path: path.to_owned(), source }
}

fn record_holder(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a child process has it that another thread is starting.
    #[test]
    fn dropped_lock_is_free_even_if_a_child_process_has_its_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let paths = Paths::new(&directory.path().join("manifests"));
        let acquire = || Lock::acquire(&paths, "l", &"l:1", &|notice| panic!("{notice}"), Some(Duration::ZERO));
        let lock = acquire().unwrap();
        let inherited = lock.locked.file().try_clone().unwrap();
        assert!(matches!(acquire(), Err(StoreError::LockHeld { .. })));
        drop(lock);
        acquire().unwrap();
        drop(inherited);
    }
}
