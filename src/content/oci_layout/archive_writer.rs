//! Writes a layout in a tar archive. The new archive is a temporary file that begins with the members of the old one.
//! At the end it replaces the old archive, unless another process has replaced that archive meanwhile.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use tar::{EntryType, Header};

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::directory_writer::{LAYOUT_VERSION, copy_verified};
use crate::content::oci_layout::files::{LayoutFiles, blob_path};
use crate::content::oci_layout::index_json::IndexJson;
use crate::content::oci_layout::layout_writer::LayoutWriter;
use crate::content::oci_layout::staged_file::{StagedFile, device_and_inode, parent_directory};
use crate::content::oci_layout::{
    DOCUMENT_MAX, INDEX_FILE, IndexChange, LAYOUT_FILE, Layout, LayoutReference, LockWait,
};
use crate::content::registry::{Blob, BlobReader};
use crate::digest::{Digest, Hasher};
use crate::locked_file::LockedFile;
use crate::sync::lock;

/// An archive that is written.
pub(super) struct ArchiveWriter {
    path: PathBuf,
    existing: Option<Layout>,
    /// The file that the old archive was read from.
    identity: Option<FileIdentity>,
    /// The new archive, from the first write on.
    archive: Mutex<Option<StagedArchive>>,
}

impl ArchiveWriter {
    pub(super) fn open(name: &LayoutReference) -> Result<ArchiveWriter, LayoutError> {
        // Taken before the archive is read, so that any later change is noticed.
        let identity = FileIdentity::read(&name.path)?;
        let existing = match name.path.symlink_metadata() {
            Ok(_) => Some(Layout::open(name)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LayoutError::io("look at", &name.path)(error)),
        };
        // The file that a link leads to is replaced, not the link.
        let path = match &existing {
            Some(_) => fs::canonicalize(&name.path).map_err(LayoutError::io("look at", &name.path))?,
            None => name.path.clone(),
        };
        Ok(ArchiveWriter { path, existing, identity, archive: Mutex::new(None) })
    }
}

impl LayoutWriter for ArchiveWriter {
    fn path(&self) -> &Path {
        &self.path
    }

    fn existing(&self) -> Option<&Layout> {
        self.existing.as_ref()
    }

    /// Whether the old archive has the blob, with the right bytes, or the new one.
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, LayoutError> {
        let name = blob_path(blob.digest);
        if lock(&self.archive).as_ref().is_some_and(|archive| archive.written.contains(&name)) {
            return Ok(true);
        }
        let Some(Layout { files, .. }) = &self.existing else { return Ok(false) };
        let Some((file, _)) = files.open(&name)? else { return Ok(false) };
        let (found, _) = Hasher::hash_reader(file, blob.digest).map_err(LayoutError::io("read", &self.path))?;
        if found == *blob.digest {
            return Ok(true);
        }
        Err(LayoutError::damaged(&self.path, blob.digest, "its bytes have another digest".to_owned()))
    }

    /// One blob at a time: a tar archive is one stream.
    fn write_blob(
        &self,
        blob: &Blob<'_>,
        reader: &mut dyn BlobReader,
        progress: &dyn Fn(u64),
    ) -> Result<u64, ContentError> {
        let mut archive = lock(&self.archive);
        let archive = self.staged_archive(&mut archive)?;
        let name = blob_path(blob.digest);
        if archive.written.contains(&name) {
            return Ok(0);
        }
        reader.open(0)?;
        let Some(size) = blob.size.or(reader.length()) else {
            return Err(reader.content_error("its size is not known".to_owned()).into());
        };
        archive.begin_member(&name, size)?;
        let written =
            copy_verified(&Blob { size: Some(size), ..*blob }, reader, progress, &mut |bytes| archive.append(bytes));
        // A member that is cut short makes the rest of the archive unusable.
        if written.is_err() {
            archive.is_broken = true;
        }
        archive.pad_member(size)?;
        archive.written.insert(name);
        written
    }

    fn read_manifest_unverified(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LayoutError> {
        self.existing.as_ref().map_or(Ok(None), |existing| existing.files.read(&blob_path(digest), DOCUMENT_MAX))
    }

    fn write_index_json(&self, change: &IndexChange<'_>, _: LockWait<'_>) -> Result<(), ContentError> {
        let mut index = self.existing.as_ref().map_or_else(IndexJson::new, |existing| existing.index.clone());
        change(&mut index)?;
        let mut slot = lock(&self.archive);
        let archive = self.staged_archive(&mut slot)?;
        archive.write_member(INDEX_FILE, &index.encode().map_err(LayoutError::document(&self.path, INDEX_FILE))?)?;
        archive.write_member(LAYOUT_FILE, LAYOUT_VERSION)?;
        match slot.take() {
            Some(archive) => Ok(archive.replace(&self.path, self.identity.as_ref())?),
            None => Ok(()),
        }
    }
}

impl ArchiveWriter {
    /// The new archive. The first call creates it with the members of the old one.
    fn staged_archive<'a>(&self, slot: &'a mut Option<StagedArchive>) -> Result<&'a mut StagedArchive, LayoutError> {
        if slot.is_none() {
            let mut archive = StagedArchive::create(&self.path)?;
            if let Some(Layout { files, .. }) = &self.existing {
                archive.copy_members(files)?;
            }
            *slot = Some(archive);
        }
        match slot {
            Some(archive) if !archive.is_broken => Ok(archive),
            _ => Err(LayoutError::unusable(&self.path, "an earlier blob could not be written")),
        }
    }
}

/// The properties that differ if a file was replaced or written again.
#[derive(Debug, PartialEq, Eq)]
struct FileIdentity {
    device_and_inode: (u64, u64),
    size: u64,
    modified: Option<SystemTime>,
}

impl FileIdentity {
    /// Reads those of the file at a path. Follows links. `None` if there is no file.
    fn read(path: &Path) -> Result<Option<FileIdentity>, LayoutError> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(FileIdentity {
                device_and_inode: device_and_inode(&metadata),
                size: metadata.len(),
                modified: metadata.modified().ok(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LayoutError::io("look at", path)(error)),
        }
    }
}

/// An archive that replaces the old one when it is complete.
struct StagedArchive {
    staged: StagedFile,
    written: BTreeSet<String>,
    is_broken: bool,
}

impl StagedArchive {
    fn create(target: &Path) -> Result<StagedArchive, LayoutError> {
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let directory = target.parent().unwrap_or(Path::new(""));
        let staged = StagedFile::create(directory, &format!(".{name}.docker-manifest-"))?;
        Ok(StagedArchive { staged, written: BTreeSet::new(), is_broken: false })
    }

    fn copy_members(&mut self, files: &LayoutFiles) -> Result<(), LayoutError> {
        let LayoutFiles::Archive(archive) = files else { return Ok(()) };
        // `manifest.json` and `repositories` are docker's. They describe the images of the old `index.json`.
        let names = archive.members.keys().filter(|name| ![INDEX_FILE, LAYOUT_FILE].contains(&name.as_str()));
        let mut names: Vec<&String> = names.collect();
        names.sort_by_key(|name| archive.read_position(name));
        for name in names {
            let Some((mut content, size)) = files.open(name)? else { continue };
            self.begin_member(name, size)?;
            if self.staged.append_all(&mut content)? != size {
                let reason = format!("{name} is shorter than its header says");
                return Err(LayoutError::unusable(files.path(), reason));
            }
            self.pad_member(size)?;
            self.written.insert(name.clone());
        }
        Ok(())
    }

    /// Writes a member that is in memory.
    fn write_member(&mut self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        self.begin_member(name, bytes.len() as u64)?;
        self.append(bytes)?;
        self.pad_member(bytes.len() as u64)
    }

    /// Writes the header of a member.
    fn begin_member(&mut self, name: &str, size: u64) -> Result<(), LayoutError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        if header.set_path(name).is_err() {
            // A name that does not fit gets an extended header in front (pax, "path").
            let record = pax_record("path", name);
            let mut extended = header.clone();
            extended.set_entry_type(EntryType::XHeader);
            extended.set_size(record.len() as u64);
            self.write_header(extended, "pax")?;
            self.append(record.as_bytes())?;
            self.pad_member(record.len() as u64)?;
            return self.write_header(header, "long");
        }
        header.set_cksum();
        self.append(header.as_bytes())
    }

    fn write_header(&mut self, mut header: Header, name: &str) -> Result<(), LayoutError> {
        header.set_path(name).map_err(LayoutError::io("write", self.staged.path()))?;
        header.set_cksum();
        self.append(header.as_bytes())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), LayoutError> {
        self.staged.append(bytes)
    }

    /// Fills the last block of a member.
    fn pad_member(&mut self, size: u64) -> Result<(), LayoutError> {
        let padding = usize::try_from((512 - size % 512) % 512).unwrap_or_default();
        let zeros = [0; 512];
        self.append(zeros.get(..padding).unwrap_or_default())
    }

    /// Replaces the old archive, if that is still the file that was read.
    fn replace(mut self, target: &Path, before: Option<&FileIdentity>) -> Result<(), LayoutError> {
        self.append(&[0; 1024])?;
        self.staged.sync(target)?;
        // The directory is locked, so that two processes do not both find the old archive. Such a lock leaves no file
        // behind. On filesystems without locks only the check protects the archive.
        let directory = File::open(parent_directory(target)).map_err(LayoutError::io("open", target))?;
        let _locked = LockedFile::lock(directory);
        if FileIdentity::read(target)?.as_ref() != before {
            return Err(LayoutError::Replaced { path: target.to_owned() });
        }
        self.staged.persist_synced(target)
    }
}

/// A pax record. Its length counts its own digits.
fn pax_record(key: &str, value: &str) -> String {
    let length_without_digits = key.len() + value.len() + 3;
    let mut length = length_without_digits;
    while length != length_without_digits + length.to_string().len() {
        length = length_without_digits + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

#[cfg(test)]
#[path = "concurrent_writer_tests.rs"]
mod tests;
