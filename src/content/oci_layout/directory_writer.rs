//! Writes a layout in a directory.
//!
//! A blob is written to a temporary file, synced and renamed. `index.json` is replaced in the same way under a lock on
//! `index.json.lock`, the name that buildx uses.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::files::{LayoutFiles, blob_path, open_in};
use crate::content::oci_layout::index_json::IndexJson;
use crate::content::oci_layout::layout::{check_version, decode_index};
use crate::content::oci_layout::layout_writer::LayoutWriter;
use crate::content::oci_layout::staged_file::StagedFile;
use crate::content::oci_layout::{
    DOCUMENT_MAX, INDEX_FILE, IndexChange, LAYOUT_FILE, Layout, LayoutReference, LockWait,
};
use crate::content::registry::{Blob, BlobReader};
use crate::digest::{Digest, Hasher};

/// The content of the file `oci-layout`.
pub(super) const LAYOUT_VERSION: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const LOCK_FILE: &str = "index.json.lock";
const BLOBS_DIRECTORY: &str = "blobs";
/// How the names of temporary files begin.
const STAGED_PREFIX: &str = ".docker-manifest-";
const BUFFER_SIZE: usize = 64 * 1024;

/// A directory that is written.
pub(super) struct DirectoryWriter {
    root: PathBuf,
    existing: Option<Layout>,
}

impl DirectoryWriter {
    /// Opens a directory. An empty one becomes a layout, and so does one where another process has begun to write a
    /// layout. A directory with other files is refused.
    pub(super) fn open(name: &LayoutReference) -> Result<DirectoryWriter, LayoutError> {
        let root = name.path.clone();
        let existing = match fs::read_dir(&root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LayoutError::io("read", &root)(error)),
            Ok(mut entries) => {
                // First, because another process may make it a layout meanwhile.
                let is_unfinished =
                    entries.all(|entry| entry.is_ok_and(|entry| belongs_to_unfinished_layout(&entry.file_name())));
                match open_in(&root, INDEX_FILE)? {
                    Some(_) => Some(Layout::open(name)?),
                    // Another process may be about to write its first image, or has failed to.
                    None if open_in(&root, LAYOUT_FILE)?.is_some() => {
                        check_version(&LayoutFiles::Directory(root.clone()))?;
                        None
                    }
                    None if is_unfinished => None,
                    None => return Err(LayoutError::unusable(&root, "the directory has other files in it")),
                }
            }
        };
        Ok(DirectoryWriter { root, existing })
    }
}

impl LayoutWriter for DirectoryWriter {
    fn path(&self) -> &Path {
        &self.root
    }

    fn existing(&self) -> Option<&Layout> {
        self.existing.as_ref()
    }

    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, LayoutError> {
        let Some((file, size)) = open_in(&self.root, &blob_path(blob.digest))? else { return Ok(false) };
        if blob.size.is_some_and(|expected| expected != size) {
            return Ok(false);
        }
        let (found, _) = Hasher::hash_reader(file, blob.digest).map_err(LayoutError::io("read", &self.root))?;
        Ok(found == *blob.digest)
    }

    fn write_blob(
        &self,
        blob: &Blob<'_>,
        reader: &mut dyn BlobReader,
        progress: &dyn Fn(u64),
    ) -> Result<u64, ContentError> {
        let target = self.root.join(blob_path(blob.digest));
        let mut staged = self.stage(&target)?;
        let written = copy_verified(blob, reader, progress, &mut |bytes| staged.append(bytes))?;
        staged.persist(&target)?;
        Ok(written)
    }

    fn read_manifest_unverified(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LayoutError> {
        LayoutFiles::Directory(self.root.clone()).read(&blob_path(digest), DOCUMENT_MAX)
    }

    fn write_index_json(&self, change: &IndexChange<'_>, lock_wait: LockWait<'_>) -> Result<(), ContentError> {
        self.create_directory_without_links(&self.root)?;
        let lock = lock_wait.lock(&self.root.join(LOCK_FILE))?;
        let files = LayoutFiles::Directory(self.root.clone());
        let before = files.read(INDEX_FILE, DOCUMENT_MAX)?;
        let mut index = before.as_ref().map_or(Ok(IndexJson::new()), |bytes| decode_index(&files, bytes))?;
        change(&mut index)?;
        let bytes = index.encode().map_err(LayoutError::document(&self.root, INDEX_FILE))?;
        if open_in(&self.root, LAYOUT_FILE)?.is_none() {
            self.replace_file(LAYOUT_FILE, LAYOUT_VERSION)?;
        }
        if before.as_ref() != Some(&bytes) {
            self.replace_file(INDEX_FILE, &bytes)?;
        }
        drop(lock);
        Ok(())
    }
}

impl DirectoryWriter {
    /// Replaces a file as a whole.
    fn replace_file(&self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        let target = self.root.join(name);
        let mut staged = self.stage(&target)?;
        staged.append(bytes)?;
        staged.persist(&target)
    }

    /// A temporary file in the directory of this file. Creates the directory if it is missing.
    fn stage(&self, target: &Path) -> Result<StagedFile, LayoutError> {
        let directory = target.parent().unwrap_or(&self.root);
        self.create_directory_without_links(directory)?;
        StagedFile::create(directory, STAGED_PREFIX)
    }

    /// Creates the directory and its parents. None of them below the layout may be a link.
    fn create_directory_without_links(&self, directory: &Path) -> Result<(), LayoutError> {
        fs::create_dir_all(directory).map_err(LayoutError::io("create", directory))?;
        let mut below = directory;
        while below != self.root {
            let metadata = fs::symlink_metadata(below).map_err(LayoutError::io("look at", below))?;
            if !metadata.is_dir() {
                let member = below.display().to_string();
                return Err(LayoutError::FileRefused { path: self.root.clone(), file: member, reason: "it is a link" });
            }
            below = below.parent().unwrap_or(&self.root);
        }
        Ok(())
    }
}

/// Whether a layout may have a file of this name before its first image is complete.
fn belongs_to_unfinished_layout(name: &OsStr) -> bool {
    name == BLOBS_DIRECTORY || name == LOCK_FILE || name.to_str().is_some_and(|name| name.starts_with(STAGED_PREFIX))
}

/// Reads a blob to its end and verifies it. Returns its size, in bytes.
pub(super) fn copy_verified(
    blob: &Blob<'_>,
    reader: &mut dyn BlobReader,
    progress: &dyn Fn(u64),
    write: &mut dyn FnMut(&[u8]) -> Result<(), LayoutError>,
) -> Result<u64, ContentError> {
    let mut hasher = Hasher::for_digest(blob.digest);
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut at = 0_u64;
    reader.open(0)?;
    loop {
        let count = reader.read(at, &mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        at = at.saturating_add(count as u64);
        if let Some(size) = blob.size.filter(|size| at > *size) {
            return Err(reader.content_error(format!("it has over {size} bytes")).into());
        }
        hasher.update(bytes);
        write(bytes)?;
        progress(at);
    }
    if let Some(size) = blob.size.filter(|size| at != *size) {
        return Err(reader.content_error(format!("it has {at} bytes, not {size}")).into());
    }
    let found = hasher.finish();
    if found == *blob.digest {
        Ok(at)
    } else {
        Err(reader.content_error(format!("its bytes have the digest {found}")).into())
    }
}
