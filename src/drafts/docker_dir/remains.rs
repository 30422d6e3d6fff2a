//! What a removal reads of a list's directory. It does not read the entries' content, so that a draft that cannot be
//! read can be removed and replaced. See `store-format.md`, "What does not belong" and "Writes".

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::Path;
use std::time::SystemTime;

use crate::drafts::docker_dir::atomic::Files;
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::names::{self, StoredName};
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::read::{DRAFT_LIMIT, SeenFiles, Snapshot};
use crate::drafts::docker_dir::sidecar::{self, Sidecar};
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// A list's directory in which every file may be deleted.
pub(super) struct Remains {
    identity: String,
    /// The sidecar of this directory, as far as it can be read.
    sidecar: Option<Sidecar>,
    files: BTreeMap<String, File>,
    modified: SystemTime,
}

/// One file of the directory.
struct File {
    bytes: Option<Vec<u8>>,
    length: u64,
    modified: Option<SystemTime>,
}

impl PartialEq for File {
    fn eq(&self, other: &File) -> bool {
        match (&self.bytes, &other.bytes) {
            (Some(own), Some(others)) => own == others,
            _ => (self.length, self.modified) == (other.length, other.modified),
        }
    }
}

/// A draft as a removal sees it.
#[derive(Debug, Clone)]
pub struct Removable {
    /// The list, recorded or guessed.
    pub list: Reference,
    /// The time of the last change.
    pub modified: SystemTime,
    /// The size of its entries in the store, in bytes.
    pub bytes: u64,
}

/// Reads the directory `name`; `None` if it does not exist.
pub(super) fn look(paths: &Paths, name: &str) -> Result<Option<Remains>, StoreError> {
    let path = paths.list(name);
    let Some(folder) = checked_access::directory(&path)? else { return Ok(None) };
    let (identity, sidecar) = sidecar::look_for_removal(paths, name)?;
    let Some(identity) = identity else { return Ok(None) };
    let Some(files) = files(&path)? else { return Ok(None) };
    let mut modified = folder.modified().map_err(StoreError::io("look at", &path))?;
    modified = files.values().filter_map(|file| file.modified).fold(modified, SystemTime::max);
    if sidecar.is_some() {
        modified = sidecar::written(paths, name).map_or(modified, |written| modified.max(written));
    }
    Ok(Some(Remains { identity, sidecar, files, modified }))
}

/// The files of a directory, all of which may be deleted.
fn files(directory: &Path) -> Result<Option<BTreeMap<String, File>>, StoreError> {
    let Some(names) = directory::names(directory)? else { return Ok(None) };
    let mut left = DRAFT_LIMIT;
    let mut files = BTreeMap::new();
    for name in names {
        let path = directory.join(&name);
        let metadata = checked_access::file(&path)?;
        let file = file(&path, &name, &metadata, left)?;
        left = left.saturating_sub(file.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
        files.insert(name, file);
    }
    Ok(Some(files))
}

/// A file whose name a reference can have is an entry, whatever it contains. Any other file is checked by its content.
fn file(path: &Path, name: &str, metadata: &Metadata, left: u64) -> Result<File, StoreError> {
    let read = checked_access::read(path, checked_access::FILE_LIMIT.min(left));
    let bytes = match read {
        read if names::guess(name).is_some() => read.ok().map(|(bytes, _)| bytes),
        read => {
            let (bytes, _) = read?;
            Entry::decode(&bytes).map_err(|_| StoreError::NoEntry { path: path.to_owned() })?;
            Some(bytes)
        }
    };
    Ok(File { bytes, length: metadata.len(), modified: metadata.modified().ok() })
}

/// Refuses a directory with a file that is not known to be an entry.
pub(super) fn check(directory: &Path) -> Result<(), StoreError> {
    files(directory).map(drop)
}

impl Remains {
    /// Refuses a list that does not own this directory.
    pub(super) fn check(&self, list: &Reference, path: &Path) -> Result<(), StoreError> {
        self.sidecar.as_ref().map_or(Ok(()), |sidecar| sidecar.check(list, path))
    }

    /// Whether the directory at this path is the one that was read, whatever it contains now.
    pub(super) fn is_at(&self, directory: &Path) -> Result<bool, StoreError> {
        Ok(sidecar::identity(directory)?.as_ref() == Some(&self.identity))
    }

    /// Whether it is the directory that was read, with unchanged content.
    pub(super) fn is_still(&self, directory: &Path) -> Result<bool, StoreError> {
        Ok(self.is_at(directory)? && files(directory)?.as_ref() == Some(&self.files))
    }

    /// Whether the directory is still the one of `name`, and was changed before `older_than`.
    ///
    /// If its list was not known, the directory cannot have been replaced by another list's.
    pub(super) fn may_go(&self, name: &StoredName, older_than: Option<SystemTime>) -> bool {
        let known = self.sidecar.as_ref().map(|sidecar| &sidecar.list);
        let is_the_same = name.known.as_ref().is_none_or(|name| known == Some(name));
        is_the_same && older_than.is_none_or(|limit| self.modified < limit)
    }

    /// The draft as a removal reports it.
    pub(super) fn describe(&self, paths: &Paths, name: &StoredName) -> Result<Removable, StoreError> {
        let known = self.sidecar.as_ref().map(|sidecar| sidecar.list.clone());
        let list = known.or_else(|| {
            let entries = self.files.values().filter_map(|file| Entry::decode(file.bytes.as_deref()?).ok());
            let repositories: Vec<_> = entries.map(|entry| entry.reference.repository().clone()).collect();
            names::guess_among(&name.directory, &repositories)
        });
        let list = list.or_else(|| StoredName { known: None, ..name.clone() }.list());
        let list = list.ok_or_else(|| StoreError::Nameless { path: paths.list(&name.directory) })?;
        let bytes = self.files.values().map(|file| file.length).sum();
        Ok(Removable { list, modified: self.modified, bytes })
    }

    /// The start of a change that keeps nothing of the draft.
    pub(super) fn into_snapshot(self, list: &Reference) -> Snapshot {
        let files: Files = self.files.into_iter().map(|(name, file)| (name, file.bytes.unwrap_or_default())).collect();
        Snapshot {
            draft: Draft::new(list.clone()),
            sidecar: self.sidecar,
            seen: SeenFiles { identity: self.identity, files },
        }
    }
}
