//! A file that is locked with flock(2).
//!
//! fs2 is named in full, because since Rust 1.89 methods of std have the same names.

use std::fs::File;

/// A locked file, which is unlocked when this is dropped.
///
/// It is unlocked explicitly. Closing it does not release the lock while a child process that another thread is
/// starting has the descriptor, which it has until it runs its program.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Takes over a file that is locked.
    pub(crate) fn new(file: File) -> LockedFile {
        LockedFile(file)
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
