//! A file of the user as a blob. It is hashed before anything is sent, and again while it is sent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::content::registry::BlobReader;
use crate::digest::{Digest, Hasher};
use crate::io_message::io_message;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::regular_file::{FileKind, open_regular};

/// A file whose digest and size are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFileBlob {
    path: PathBuf,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a file cannot be a blob.
#[derive(Debug)]
pub enum UserFileBlobError {
    /// An error of the operating system.
    Io(io::Error),
    /// It is no regular file.
    Kind(FileKind),
    /// It is larger than the maximum.
    TooLarge,
}

impl UserFileBlob {
    /// Reads a regular file of at most `max` bytes. Follows no link, and does not block.
    ///
    /// # Errors
    /// A path that is no regular file, a larger file, and a file that cannot be read.
    pub fn hash(path: &Path, max: u64) -> Result<UserFileBlob, UserFileBlobError> {
        let found = FileKind::from_file_type(path.symlink_metadata().map_err(UserFileBlobError::Io)?.file_type());
        if found != FileKind::File {
            return Err(UserFileBlobError::Kind(found));
        }
        let file = open(path).map_err(UserFileBlobError::Io)?.take(max.saturating_add(1));
        let (digest, size) = Hasher::hash_reader(file, &Digest::from_bytes(b"")).map_err(UserFileBlobError::Io)?;
        if size > max {
            return Err(UserFileBlobError::TooLarge);
        }
        Ok(UserFileBlob { path: path.to_owned(), digest, size })
    }

    /// A reader for an upload, which compares the bytes with the digest.
    pub fn reader(&self) -> impl BlobReader + '_ {
        FileReader { blob: self, file: None }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // The path may be another file by now.
    let opened = open_regular(path, false)?;
    opened.map(|(file, _)| file).ok_or_else(|| io::Error::other("it is no regular file"))
}

struct FileReader<'a> {
    blob: &'a UserFileBlob,
    /// The file, and the position in it.
    file: Option<(File, u64)>,
}

impl FileReader<'_> {
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, position) = match &mut self.file {
            Some(open) => open,
            None => self.file.insert((open(&self.blob.path)?, 0)),
        };
        if *position != at {
            *position = file.seek(SeekFrom::Start(at))?;
        }
        let count = file.read(buffer)?;
        *position = position.saturating_add(count as u64);
        Ok(count)
    }

    fn failed(&self, reason: &str) -> RegistryError {
        let detail = format!("{}: {reason}", self.blob.path.display());
        RegistryError::new(RegistryErrorKind::Verification, String::new(), detail)
    }
}

impl BlobReader for FileReader<'_> {
    fn length(&self) -> Option<u64> {
        Some(self.blob.size)
    }

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        self.read_at(at, buffer).map_err(|error| self.failed(&io_message(&error)))
    }

    fn content_error(&mut self, _: String) -> RegistryError {
        self.failed("the file was changed while it was being sent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn file_blob_accepts_only_a_regular_file_within_the_bound() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        std::fs::write(path("file"), "abc").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), fifo, mode, 0).unwrap();
        let blob = UserFileBlob::hash(&path("file"), 3).unwrap();
        assert_eq!((blob.digest.clone(), blob.size), (Digest::from_bytes(b"abc"), 3));
        assert!(matches!(UserFileBlob::hash(&path("file"), 2), Err(UserFileBlobError::TooLarge)));
        for (name, kind) in [("link", FileKind::Symlink), ("fifo", FileKind::Fifo), (".", FileKind::Directory)] {
            assert!(
                matches!(UserFileBlob::hash(&path(name), 9), Err(UserFileBlobError::Kind(found)) if found == kind),
                "{name}"
            );
        }
        assert!(matches!(UserFileBlob::hash(&path("none"), 9), Err(UserFileBlobError::Io(_))));
        let (mut reader, mut buffer) = (blob.reader(), [0; 2]);
        assert_eq!((reader.read(1, &mut buffer).unwrap(), &buffer), (2, b"bc"));
        assert_eq!((reader.read(0, &mut buffer).unwrap(), &buffer), (2, b"ab"));
        assert_eq!(reader.read(3, &mut buffer).unwrap(), 0);
    }
}
