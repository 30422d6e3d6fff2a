//! Temporary files that get their final name when they are complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::content::error::LayoutError;

/// The number of names that are tried. Killed processes leave files behind, and in containers process ids repeat.
const ATTEMPTS_MAX: u32 = 1_000_000;

/// A temporary file. It is deleted unless it gets its final name.
pub(super) struct StagedFile {
    path: PathBuf,
    file: BufWriter<File>,
    is_persisted: bool,
}

impl StagedFile {
    /// Creates an empty file in a directory. Its name begins with `prefix`.
    pub(super) fn create(directory: &Path, prefix: &str) -> Result<StagedFile, LayoutError> {
        for number in 0..ATTEMPTS_MAX {
            let path = directory.join(format!("{prefix}{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(StagedFile { path, file: BufWriter::new(file), is_persisted: false }),
                // Another thread has that one, or a killed process had the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(LayoutError::io("create", &path)(error)),
            }
        }
        Err(LayoutError::io("create", directory)(io::ErrorKind::AlreadyExists.into()))
    }

    /// The temporary name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes bytes behind those that were written before.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), LayoutError> {
        self.file.write_all(bytes).map_err(LayoutError::io("write", &self.path))
    }

    /// Writes all that a reader has. Returns its size, in bytes.
    pub(super) fn append_all(&mut self, reader: &mut dyn Read) -> Result<u64, LayoutError> {
        io::copy(reader, &mut self.file).map_err(LayoutError::io("write", &self.path))
    }

    /// Writes the file to the disk. The error names `path`.
    pub(super) fn sync(&mut self, path: &Path) -> Result<(), LayoutError> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(LayoutError::io("write", path))
    }

    /// Syncs the file and gives it its final name.
    pub(super) fn persist(mut self, target: &Path) -> Result<(), LayoutError> {
        self.file.flush().map_err(LayoutError::io("write", &self.path))?;
        self.file.get_ref().sync_all().map_err(LayoutError::io("sync", &self.path))?;
        self.persist_synced(target)
    }

    /// Gives the file its final name. It was synced before.
    pub(super) fn persist_synced(mut self, target: &Path) -> Result<(), LayoutError> {
        fs::rename(&self.path, target).map_err(LayoutError::io("write", target))?;
        self.is_persisted = true;
        sync_parent(target)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.is_persisted {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The directory that a file is in.
pub(super) fn parent_directory(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs the directory of a file. Filesystems that cannot do so do not need it.
fn sync_parent(file: &Path) -> Result<(), LayoutError> {
    let directory = parent_directory(file);
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        done => done.map_err(LayoutError::io("sync", directory)),
    }
}

/// The device and inode, which differ between two files of the same name.
#[cfg(unix)]
pub(super) fn device_and_inode(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// The device and inode, which differ between two files of the same name.
#[cfg(not(unix))]
pub(super) fn device_and_inode(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}
