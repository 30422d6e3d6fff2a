//! Reads a directory for a removal. No entry needs to be valid: a draft that cannot be read can be removed and
//! replaced. See `store-format.md`, "What does not belong" and "Writes".

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::Path;
use std::time::SystemTime;

use crate::drafts::docker_dir::atomic::Files;
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::docker_names::{self, StoredName};
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::read::{DRAFT_BYTES_MAX, DirectoryContents, LoadedDraft};
use crate::drafts::docker_dir::sidecar::{self, DirectoryAndSidecar, Sidecar};
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// The directory of a list and its files, all of which may be deleted.
pub(super) struct RemovableDirectory {
    identity: String,
    /// The sidecar of the directory: only the members of format 1 are read.
    sidecar: Option<Sidecar>,
    files: BTreeMap<String, RemovableFile>,
    /// The time of the last change of the directory, its files or the sidecar.
    modified: SystemTime,
}

/// One file of the directory.
struct RemovableFile {
    /// `None` for a file that cannot be read.
    bytes: Option<Vec<u8>>,
    length: u64,
    modified: Option<SystemTime>,
}

impl PartialEq for RemovableFile {
    fn eq(&self, other: &RemovableFile) -> bool {
        match (&self.bytes, &other.bytes) {
            (Some(bytes), Some(other_bytes)) => bytes == other_bytes,
            _ => (self.length, self.modified) == (other.length, other.modified),
        }
    }
}

/// A draft that a removal can delete, readable or not.
#[derive(Debug, Clone)]
pub struct RemovableDraft {
    /// The list, recorded or guessed.
    pub list: Reference,
    /// The time of the last change.
    pub modified: SystemTime,
    /// The size of its entries in the store, in bytes.
    pub bytes: u64,
}

/// Reads the directory `name`; `None` if it does not exist.
pub(super) fn read(paths: &Paths, name: &str) -> Result<Option<RemovableDirectory>, StoreError> {
    let path = paths.list(name);
    let Some(metadata) = checked_access::directory_metadata(&path)? else { return Ok(None) };
    let DirectoryAndSidecar { identity, sidecar, .. } = sidecar::read_state_for_removal(paths, name)?;
    let Some(identity) = identity else { return Ok(None) };
    let Some(files) = read_files(&path)? else { return Ok(None) };
    let mut modified = metadata.modified().map_err(StoreError::io("look at", &path))?;
    modified = files.values().filter_map(|file| file.modified).fold(modified, SystemTime::max);
    if sidecar.is_some() {
        modified = sidecar::modified(paths, name).map_or(modified, |sidecar_modified| modified.max(sidecar_modified));
    }
    Ok(Some(RemovableDirectory { identity, sidecar, files, modified }))
}

/// Reads the files of a directory. Refuses a file that is not known to be an entry.
fn read_files(directory: &Path) -> Result<Option<BTreeMap<String, RemovableFile>>, StoreError> {
    let Some(names) = directory_operations::names(directory)? else { return Ok(None) };
    let mut remaining = DRAFT_BYTES_MAX;
    let mut files = BTreeMap::new();
    for name in names {
        let path = directory.join(&name);
        let metadata = checked_access::file_metadata(&path)?;
        let file = read_file(&path, &name, &metadata, remaining)?;
        remaining = remaining.saturating_sub(file.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
        files.insert(name, file);
    }
    Ok(Some(files))
}

/// Reads a file. If a reference can give its name, it counts as an entry, readable or not. Otherwise its content must
/// be that of an entry.
fn read_file(path: &Path, name: &str, metadata: &Metadata, remaining: u64) -> Result<RemovableFile, StoreError> {
    let read = checked_access::read(path, checked_access::FILE_BYTES_MAX.min(remaining));
    let bytes = match read {
        read if docker_names::guess_list(name).is_some() => read.ok().map(|(bytes, _)| bytes),
        read => {
            let (bytes, _) = read?;
            Entry::decode(&bytes).map_err(|_| StoreError::NotAnEntry { path: path.to_owned() })?;
            Some(bytes)
        }
    };
    Ok(RemovableFile { bytes, length: metadata.len(), modified: metadata.modified().ok() })
}

/// Refuses a directory with a file that is not known to be an entry.
pub(super) fn check_files(directory: &Path) -> Result<(), StoreError> {
    read_files(directory).map(drop)
}

impl RemovableDirectory {
    /// Refuses a list that does not own this directory.
    pub(super) fn check_recorded_list(&self, list: &Reference, path: &Path) -> Result<(), StoreError> {
        self.sidecar.as_ref().map_or(Ok(()), |sidecar| sidecar.check_recorded_list(list, path))
    }

    /// Whether the directory at this path is the one that was read. Its content may have changed.
    pub(super) fn is_same_directory(&self, directory: &Path) -> Result<bool, StoreError> {
        Ok(sidecar::identity(directory)?.as_ref() == Some(&self.identity))
    }

    /// Whether the directory at this path is the one that was read, with unchanged content.
    pub(super) fn is_unchanged_since_read(&self, directory: &Path) -> Result<bool, StoreError> {
        Ok(self.is_same_directory(directory)? && read_files(directory)?.as_ref() == Some(&self.files))
    }

    /// Whether the list is still that of `name`, and the last change was before `older_than`. A name without a recorded
    /// list fits every list.
    pub(super) fn is_removable(&self, name: &StoredName, older_than: Option<SystemTime>) -> bool {
        let recorded_list = self.sidecar.as_ref().map(|sidecar| &sidecar.list);
        let is_same_list = name.recorded_list.as_ref().is_none_or(|list| recorded_list == Some(list));
        is_same_list && older_than.is_none_or(|limit| self.modified < limit)
    }

    /// The draft as a removal reports it.
    pub(super) fn removable_draft(&self, paths: &Paths, name: &StoredName) -> Result<RemovableDraft, StoreError> {
        let recorded_list = self.sidecar.as_ref().map(|sidecar| sidecar.list.clone());
        let list = recorded_list.or_else(|| {
            let entries = self.files.values().filter_map(|file| Entry::decode(file.bytes.as_deref()?).ok());
            let repositories: Vec<_> = entries.map(|entry| entry.reference.repository().clone()).collect();
            docker_names::most_likely_list(&name.directory, &repositories)
        });
        let list = list.ok_or_else(|| StoreError::ImpossibleName { path: paths.list(&name.directory) })?;
        let bytes = self.files.values().map(|file| file.length).sum();
        Ok(RemovableDraft { list, modified: self.modified, bytes })
    }

    /// An empty draft with the files of the directory: the base of a change that replaces all entries.
    pub(super) fn into_empty_draft(self, list: &Reference) -> LoadedDraft {
        let files: Files = self.files.into_iter().map(|(name, file)| (name, file.bytes.unwrap_or_default())).collect();
        LoadedDraft {
            draft: Draft::new(list.clone()),
            sidecar: self.sidecar,
            contents: DirectoryContents { identity: self.identity, files },
        }
    }
}
