//! A file that is locked with flock(2).
//!
//! fs2 is named in full, because since Rust 1.89 methods of std have the same names.

use std::fs::File;
use std::io;

/// A file with an exclusive lock, which is unlocked when this is dropped.
///
/// It is unlocked explicitly. Closing it does not release the lock while a child process that another thread is
/// starting has the descriptor, which it has until it runs its program.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Locks a file, or returns it if another process has locked it.
    ///
    /// # Errors
    /// A filesystem without locks.
    pub(crate) fn try_lock(file: File) -> io::Result<Result<LockedFile, File>> {
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => Ok(Ok(LockedFile(file))),
            Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(Err(file)),
            Err(error) => Err(error),
        }
    }

    /// Locks a file, and waits until no other process has locked it.
    ///
    /// # Errors
    /// A filesystem without locks.
    pub(crate) fn lock(file: File) -> io::Result<LockedFile> {
        loop {
            match fs2::FileExt::lock_exclusive(&file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done.map(|()| LockedFile(file)),
            }
        }
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // A failure is ignored: closing the file releases the lock, too.
        let _ = fs2::FileExt::unlock(&self.0);
    }
}
