//! The lock on one list: flock(2) on a side file that is never deleted. See `store-format.md`, "Locks".
//!
//! fs2 by full path: since Rust 1.89 std's own methods of the same names would shadow the trait's.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::store::directory;
use crate::store::error::StoreError;
use crate::store::guard;
use crate::store::paths::Paths;

/// Held while it lives. Its staging directory is its holder's alone.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    paths: Paths,
    staging: PathBuf,
}

impl Lock {
    /// Takes the lock on the list in directory `name`, telling `notice` first if somebody else has it; `list` is what
    /// the user calls it.
    ///
    /// What a killed holder left in the staging directory is cleared away.
    pub(super) fn acquire(
        paths: &Paths,
        name: &str,
        list: &dyn Display,
        notice: &dyn Fn(&str),
    ) -> Result<Lock, StoreError> {
        let path = paths.lock(name);
        directory::make(paths, &paths.locks())?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let (mut file, _) = guard::open(&mut options, "open", &path)?;
        if !try_lock(&file, &path)? {
            let holder = holder(&mut file).map_or(String::new(), |pid| format!(" in process {pid}"));
            notice(&format!("waiting for another docker-manifest{holder} to finish with {list}"));
            wait(&file, &path)?;
        }
        say_who_holds(&mut file).map_err(StoreError::io("write", &path))?;
        let lock = Lock { file, paths: paths.clone(), staging: paths.staging(name) };
        lock.clear_staging()?;
        Ok(lock)
    }

    /// The directory for files on their way, made if it is not there.
    pub(super) fn staging(&self) -> Result<&Path, StoreError> {
        directory::make(&self.paths, &self.staging)?;
        Ok(&self.staging)
    }

    fn clear_staging(&self) -> Result<(), StoreError> {
        for folder in self.staging.parent().into_iter().chain([self.staging.as_path()]) {
            if guard::directory(folder)?.is_none() {
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
        // Nothing is left to do if these fail: the next holder clears the directory, and the file's closing unlocks.
        let _ = self.clear_staging();
        let _ = self.file.set_len(0);
    }
}

fn try_lock(file: &File, path: &Path) -> Result<bool, StoreError> {
    match fs2::FileExt::try_lock_exclusive(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(false),
        Err(error) => Err(no_lock(error, path)),
    }
}

fn wait(file: &File, path: &Path) -> Result<(), StoreError> {
    loop {
        match fs2::FileExt::lock_exclusive(file) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done.map_err(|error| no_lock(error, path)),
        }
    }
}

/// Only a filesystem that cannot lock refuses here: an unreadable file would not have opened.
fn no_lock(source: io::Error, path: &Path) -> StoreError {
    StoreError::NoLocks { path: path.to_owned(), source }
}

fn say_who_holds(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
