//! The lock on `index.json`: flock(2) on `index.json.lock`, as buildx takes it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::content::error::LayoutError;
use crate::content::oci_layout::staged_file::device_and_inode;
use crate::locked_file::LockedFile;
use crate::regular_file::no_follow_or_block;

/// How often a wait checks whether the lock is free.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How a writer waits for another one.
#[derive(Clone, Copy)]
pub struct LockWait<'a> {
    /// The longest wait; without one it ends when the lock is free. Zero does not wait.
    pub limit: Option<Duration>,
    /// Receives a line when the lock must be waited for.
    pub notice: &'a (dyn Fn(&str) + Sync),
}

impl LockWait<'_> {
    /// Takes the lock. buildx deletes the file afterwards, and a lock on a deleted file protects nothing.
    pub(super) fn lock(&self, path: &Path) -> Result<LockedFile, LayoutError> {
        let failed = LayoutError::io("lock", path);
        let (start, mut has_notified) = (Instant::now(), false);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = no_follow_or_block(&mut options).open(path).map_err(&failed)?;
            if let Ok(locked) = LockedFile::try_lock(file).map_err(&failed)? {
                if is_still_at(locked.file(), path).map_err(&failed)? {
                    return Ok(locked);
                }
                continue;
            }
            let remaining = self.limit.map_or(POLL_INTERVAL, |limit| limit.saturating_sub(start.elapsed()));
            if remaining.is_zero() {
                return Err(LayoutError::InUse { path: path.to_owned() });
            }
            if !has_notified {
                (self.notice)(&format!("waiting for another process to finish with {}", path.display()));
                has_notified = true;
            }
            thread::sleep(remaining.min(POLL_INTERVAL));
        }
    }
}

fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    let locked = device_and_inode(&file.metadata()?);
    match fs::symlink_metadata(path) {
        Ok(current) => Ok(device_and_inode(&current) == locked),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a child process has it that another thread is starting.
    #[test]
    fn dropped_lock_is_free_even_if_a_child_process_has_its_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.json.lock");
        let wait = LockWait { limit: Some(Duration::ZERO), notice: &|notice| panic!("{notice}") };
        let locked = wait.lock(&path).unwrap();
        let inherited = locked.file().try_clone().unwrap();
        assert!(matches!(wait.lock(&path), Err(LayoutError::InUse { .. })));
        drop(locked);
        wait.lock(&path).unwrap();
        drop(inherited);
    }
}
