//! The files of a layout, in a directory or in an archive. Nothing is unpacked to disk. Anything but a file or a
//! directory is refused.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::content::error::LayoutError;
use crate::content::oci_layout::archive::{Archive, SizedReader};
use crate::digest::Digest;
use crate::regular_file::open_regular;

/// Where the files are.
pub(super) enum LayoutFiles {
    /// In this directory.
    Directory(PathBuf),
    /// In this archive.
    Archive(Archive),
}

/// The name of a blob's file, below the layout.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}", digest.as_str().replacen(':', "/", 1))
}

impl LayoutFiles {
    /// The files of an archive. Reads all of it, once.
    pub(super) fn open_archive(path: &Path) -> Result<LayoutFiles, LayoutError> {
        Archive::open(path).map(LayoutFiles::Archive)
    }

    /// The layout.
    pub(super) fn path(&self) -> &Path {
        match self {
            LayoutFiles::Directory(path) => path,
            LayoutFiles::Archive(archive) => &archive.path,
        }
    }

    /// Opens a file; `None` if it does not exist. Returns its size too, in bytes.
    pub(super) fn open(&self, name: &str) -> Result<Option<SizedReader>, LayoutError> {
        match self {
            LayoutFiles::Directory(root) => match open_in(root, name)? {
                Some((file, size)) => Ok(Some((Box::new(file), size))),
                None => Ok(None),
            },
            LayoutFiles::Archive(archive) => archive.member(name),
        }
    }

    /// The position of a file, if files should be read in the order of their positions and one at a time.
    pub(super) fn read_position(&self, name: &str) -> Option<u64> {
        match self {
            LayoutFiles::Directory(_) => None,
            LayoutFiles::Archive(archive) => archive.read_position(name),
        }
    }

    /// The size of a file, in bytes; `None` if it does not exist.
    pub(super) fn size(&self, name: &str) -> Result<Option<u64>, LayoutError> {
        match self {
            LayoutFiles::Directory(root) => Ok(open_in(root, name)?.map(|(_, size)| size)),
            LayoutFiles::Archive(archive) => Ok(archive.members.get(name).map(|(_, size)| *size)),
        }
    }

    /// Reads a whole file of at most `max` bytes.
    pub(super) fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, LayoutError> {
        let Some((reader, size)) = self.open(name)? else { return Ok(None) };
        let refused = || LayoutError::FileRefused {
            path: self.path().to_owned(),
            file: name.to_owned(),
            reason: "it is larger than any document of a layout",
        };
        if size > max {
            return Err(refused());
        }
        let mut bytes = Vec::new();
        // A file may grow.
        let read = reader.take(max.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(LayoutError::io("read", self.path()))?;
        if bytes.len() as u64 > max { Err(refused()) } else { Ok(Some(bytes)) }
    }
}

/// Opens a regular file below a directory, without following links.
pub(super) fn open_in(root: &Path, name: &str) -> Result<Option<(File, u64)>, LayoutError> {
    let refused = |reason| LayoutError::FileRefused { path: root.to_owned(), file: name.to_owned(), reason };
    let mut path = root.to_owned();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_not_found(&error) => return Ok(None),
            Err(error) => return Err(LayoutError::io("look at", &path)(error)),
        };
        let is_last = parts.peek().is_none();
        match metadata.file_type() {
            kind if kind.is_symlink() => return Err(refused("it is a link")),
            kind if is_last && !kind.is_file() => return Err(refused("it is no regular file")),
            kind if !is_last && !kind.is_dir() => return Err(refused("it is not in a directory")),
            _ => {}
        }
    }
    match open_regular(&path, false) {
        Ok(Some(found)) => Ok(Some(found)),
        Ok(None) => Err(refused("it is no regular file")),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(LayoutError::io("open", &path)(error)),
    }
}

fn is_not_found(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn gzip_archive_expands_within_a_bound() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("bomb.tar.gz");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1 << 20];
        // Past the bound: deflate packs zeros a thousand to one.
        let mut header = tar::Header::new_gnu();
        header.set_size(200 << 20);
        header.as_mut_bytes()[0] = b'a';
        header.set_cksum();
        gzip.write_all(header.as_bytes()).unwrap();
        (0..200).for_each(|_| gzip.write_all(&zeros).unwrap());
        fs::write(&path, gzip.finish().unwrap()).unwrap();
        let error = LayoutFiles::open_archive(&path).err().expect("a bomb");
        assert!(error.to_string().contains("it expands to more than any layout has"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn layout_refuses_links_and_fifos() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("layout");
        fs::create_dir_all(root.join("blobs/sha256")).unwrap();
        fs::write(home.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(home.path().join("secret"), root.join("index.json")).unwrap();
        std::os::unix::fs::symlink(home.path(), root.join("linked")).unwrap();
        let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), fifo, mode, 0).unwrap();
        let files = LayoutFiles::Directory(root.clone());
        for (name, reason) in [
            ("index.json", "it is a link"),
            ("linked/secret", "it is a link"),
            ("fifo", "it is no regular file"),
            ("blobs", "it is no regular file"),
        ] {
            let error = files.read(name, 10).unwrap_err().to_string();
            assert!(error.ends_with(reason), "{error}");
        }
        assert!(LayoutFiles::open_archive(&root.join("fifo")).is_err());
        assert!(files.read("blobs/sha256/none", 10).unwrap().is_none());
        fs::write(root.join("large"), "12345678901").unwrap();
        assert!(files.read("large", 10).is_err());
    }
}
