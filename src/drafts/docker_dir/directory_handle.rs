//! An open directory. Files are moved into it and out of it even if another process renames it meanwhile, and never
//! into another directory of its name. See `store-format.md`, "Writes".

#[cfg(not(unix))]
use std::fs;
#[cfg(unix)]
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::error::{MOVE_INTO_PLACE, StoreError};

/// A directory, and the path that it was opened by.
pub(super) struct DirectoryHandle {
    path: PathBuf,
    #[cfg(unix)]
    handle: File,
}

impl DirectoryHandle {
    /// Opens a directory without following symbolic links. NotFound is reported as a race, because the caller has just
    /// seen the directory.
    pub(super) fn open(path: &Path) -> Result<DirectoryHandle, StoreError> {
        DirectoryHandle::open_handle(path).map_err(StoreError::io(MOVE_INTO_PLACE, path))
    }

    #[cfg(unix)]
    fn open_handle(path: &Path) -> io::Result<DirectoryHandle> {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let mut options = OpenOptions::new();
        // The bits are an `int` of the system's C header.
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
        let handle = options.read(true).open(path)?;
        Ok(DirectoryHandle { path: path.to_owned(), handle })
    }

    #[cfg(not(unix))]
    fn open_handle(path: &Path) -> io::Result<DirectoryHandle> {
        fs::symlink_metadata(path)?;
        Ok(DirectoryHandle { path: path.to_owned() })
    }

    /// Refuses, as a race, a directory of another identity.
    pub(super) fn check_identity(&self, identity: &str) -> Result<(), StoreError> {
        #[cfg(unix)]
        let metadata = self.handle.metadata();
        #[cfg(not(unix))]
        let metadata = fs::symlink_metadata(&self.path);
        let found = metadata
            .map(|metadata| directory_operations::identity(&metadata))
            .map_err(StoreError::io(MOVE_INTO_PLACE, &self.path))?;
        if found == identity { Ok(()) } else { Err(StoreError::race(&self.path)) }
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Moves a file into it and replaces the file of that name.
    pub(super) fn move_in(&self, from: &Path, name: &str) -> io::Result<()> {
        #[cfg(unix)]
        return Ok(rustix::fs::renameat(rustix::fs::CWD, from, &self.handle, name)?);
        #[cfg(not(unix))]
        fs::rename(from, self.file(name))
    }

    /// Moves a file out of it.
    pub(super) fn move_out(&self, name: &str, to: &Path) -> io::Result<()> {
        #[cfg(unix)]
        return Ok(rustix::fs::renameat(&self.handle, name, rustix::fs::CWD, to)?);
        #[cfg(not(unix))]
        fs::rename(self.file(name), to)
    }

    /// Gives a file of it a second name elsewhere, if the filesystem has hard links.
    pub(super) fn link_to(&self, name: &str, to: &Path) -> io::Result<()> {
        #[cfg(unix)]
        return Ok(rustix::fs::linkat(&self.handle, name, rustix::fs::CWD, to, rustix::fs::AtFlags::empty())?);
        #[cfg(not(unix))]
        fs::hard_link(self.file(name), to)
    }

    /// Deletes a file of it.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        #[cfg(unix)]
        return Ok(rustix::fs::unlinkat(&self.handle, name, rustix::fs::AtFlags::empty())?);
        #[cfg(not(unix))]
        fs::remove_file(self.file(name))
    }

    /// Syncs the directory.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        #[cfg(unix)]
        return directory_operations::ignore_unsupported(self.handle.sync_all(), &self.path);
        #[cfg(not(unix))]
        directory::sync(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The moment after the directory was opened, which no test can reach from outside.
    #[cfg(unix)]
    #[test]
    fn directory_handle_never_writes_into_another_directory_of_its_name() {
        let home = tempfile::tempdir().unwrap();
        let (path, staged) = (home.path().join("list"), home.path().join("staged"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a"), "old").unwrap();
        fs::write(&staged, "new").unwrap();
        let directory = DirectoryHandle::open(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a"), "docker's").unwrap();
        let is_not_found = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::NotFound;
        assert!(is_not_found(directory.move_in(&staged, "a")));
        assert!(is_not_found(directory.move_out("a", &home.path().join("kept"))));
        assert!(is_not_found(directory.link_to("a", &home.path().join("kept"))));
        assert!(is_not_found(directory.remove("a")));
        assert_eq!(fs::read(path.join("a")).unwrap(), b"docker's");
    }
}
