//! A layout in a directory, while it is written.
//!
//! A blob is written to a temporary file, synced and renamed. `index.json` is replaced in the same way under a lock on
//! `index.json.lock`, the name that buildx uses.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::files::{Files, blob_name, file_in};
use crate::content::oci_layout::index_json::LayoutIndex;
use crate::content::oci_layout::reader::{check_version, decode};
use crate::content::oci_layout::referrers::Documents;
use crate::content::oci_layout::staged_file::Staged;
use crate::content::oci_layout::layout_writer::LayoutWriter;
use crate::content::oci_layout::{DOCUMENT_MAX, INDEX, IndexChange, Layout, LayoutName, LockWait, MARKER};
use crate::content::registry::{Blob, BlobReader};
use crate::digest::{Digest, Hasher};

/// The content of the file `oci-layout`.
pub(super) const VERSION: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const LOCK: &str = "index.json.lock";
const BLOBS: &str = "blobs";
/// How the names of temporary files begin.
const STAGED: &str = ".docker-manifest-";
const BUFFER: usize = 64 * 1024;

pub(super) struct DirectorySink {
    root: PathBuf,
    before: Option<Layout>,
}

impl DirectorySink {
    /// An empty directory becomes a layout, and so does one where a write has begun; one with other files does not.
    pub(super) fn open(name: &LayoutName) -> Result<DirectorySink, LayoutError> {
        let root = name.path.clone();
        let before = match fs::read_dir(&root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LayoutError::io("read", &root)(error)),
            Ok(mut entries) => {
                // First, because another process may make it a layout meanwhile.
                let is_begun = entries.all(|entry| entry.is_ok_and(|entry| is_begun(&entry.file_name())));
                match file_in(&root, INDEX)? {
                    Some(_) => Some(Layout::open(name)?),
                    // Another process may be about to write its first image, or has failed to.
                    None if file_in(&root, MARKER)?.is_some() => {
                        check_version(&Files::Directory(root.clone()))?;
                        None
                    }
                    None if is_begun => None,
                    None => return Err(LayoutError::not_a_layout(&root, "the directory has other files in it")),
                }
            }
        };
        Ok(DirectorySink { root, before })
    }
}

impl LayoutWriter for DirectorySink {
    fn path(&self) -> &Path {
        &self.root
    }

    fn before(&self) -> Option<&Layout> {
        self.before.as_ref()
    }

    fn has(&self, blob: &Blob<'_>) -> Result<bool, LayoutError> {
        let Some((file, size)) = file_in(&self.root, &blob_name(blob.digest))? else { return Ok(false) };
        if blob.size.is_some_and(|wanted| wanted != size) {
            return Ok(false);
        }
        let (found, _) = Hasher::read_all(file, blob.digest).map_err(LayoutError::io("read", &self.root))?;
        Ok(found == *blob.digest)
    }

    fn write(&self, blob: &Blob<'_>, reader: &mut dyn BlobReader, progress: &dyn Fn(u64)) -> Result<u64, ContentError> {
        let target = self.root.join(blob_name(blob.digest));
        let mut staged = self.staged(&target)?;
        let written = copy(blob, reader, progress, &mut |bytes| staged.append(bytes))?;
        staged.place(&target)?;
        Ok(written)
    }

    fn publish(&self, change: &IndexChange<'_>, lock_wait: LockWait<'_>) -> Result<(), LayoutError> {
        self.prepare(&self.root)?;
        let lock = lock_wait.lock(&self.root.join(LOCK))?;
        let files = Files::Directory(self.root.clone());
        let before = files.read(INDEX, DOCUMENT_MAX)?;
        let mut index = before.as_ref().map_or(Ok(LayoutIndex::new()), |bytes| decode(&files, bytes))?;
        change(&mut index, &mut InDirectory(self))?;
        let bytes = index.encode().map_err(LayoutError::document(&self.root, INDEX))?;
        if file_in(&self.root, MARKER)?.is_none() {
            self.put(MARKER, VERSION)?;
        }
        if before.as_ref() != Some(&bytes) {
            self.put(INDEX, &bytes)?;
        }
        drop(lock);
        Ok(())
    }
}

impl DirectorySink {
    /// Replaces a file as a whole.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        let target = self.root.join(name);
        let mut staged = self.staged(&target)?;
        staged.append(bytes)?;
        staged.place(&target)
    }

    /// A temporary file in the folder of this file, which is made if it is missing.
    fn staged(&self, target: &Path) -> Result<Staged, LayoutError> {
        let folder = target.parent().unwrap_or(&self.root);
        self.prepare(folder)?;
        Staged::create(folder, STAGED)
    }

    /// Makes the folder and those above it. None below the layout may be a link.
    fn prepare(&self, folder: &Path) -> Result<(), LayoutError> {
        fs::create_dir_all(folder).map_err(LayoutError::io("create", folder))?;
        let mut below = folder;
        while below != self.root {
            let metadata = fs::symlink_metadata(below).map_err(LayoutError::io("look at", below))?;
            if !metadata.is_dir() {
                let member = below.display().to_string();
                return Err(LayoutError::Refused { path: self.root.clone(), member, why: "it is a link" });
            }
            below = below.parent().unwrap_or(&self.root);
        }
        Ok(())
    }
}

/// Whether a file of this name is there before the first image of a layout is complete.
fn is_begun(name: &OsStr) -> bool {
    name == BLOBS || name == LOCK || name.to_str().is_some_and(|name| name.starts_with(STAGED))
}

/// The manifests of the directory, under the lock.
struct InDirectory<'a>(&'a DirectorySink);

impl Documents for InDirectory<'_> {
    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LayoutError> {
        Files::Directory(self.0.root.clone()).read(&blob_name(digest), DOCUMENT_MAX)
    }

    fn write(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), LayoutError> {
        self.0.put(&blob_name(digest), bytes)
    }
}

/// Reads a blob to its end and verifies it. Returns its size, in bytes.
pub(super) fn copy(
    blob: &Blob<'_>,
    reader: &mut dyn BlobReader,
    progress: &dyn Fn(u64),
    write: &mut dyn FnMut(&[u8]) -> Result<(), LayoutError>,
) -> Result<u64, ContentError> {
    let mut hasher = Hasher::for_digest(blob.digest);
    let mut buffer = vec![0; BUFFER];
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
            return Err(reader.wrong(format!("it has over {size} bytes")).into());
        }
        hasher.update(bytes);
        write(bytes)?;
        progress(at);
    }
    if let Some(size) = blob.size.filter(|size| at != *size) {
        return Err(reader.wrong(format!("it has {at} bytes, not {size}")).into());
    }
    let found = hasher.finish();
    if found == *blob.digest { Ok(at) } else { Err(reader.wrong(format!("its bytes have the digest {found}")).into()) }
}
