//! Drafts in the store, found by their directories, also those of docker. See `store-format.md`, "Names that docker
//! mixes" and "What does not belong".

use std::time::SystemTime;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::docker_names::{self, StoredName};
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::read;
use crate::drafts::docker_dir::sidecar;
use crate::model::Draft;

/// A draft in the store.
#[derive(Debug, Clone)]
pub struct StoredDraft {
    /// The draft.
    pub draft: Draft,
    /// Whether its name is a guess: docker created the draft, and docker does not store names.
    pub is_name_guessed: bool,
    /// The time of the last change.
    pub modified: SystemTime,
    /// The size of its entries in the store, in bytes.
    pub bytes: u64,
}

/// Reads the draft of a directory; `None` if it does not exist.
pub(super) fn read(paths: &Paths, name: &StoredName) -> Result<Option<StoredDraft>, StoreError> {
    let path = paths.list(&name.directory);
    let read = || {
        let Some(metadata) = checked_access::directory_metadata(&path)? else { return Ok(None) };
        let (mut entries, mut bytes) = (Vec::new(), 0_u64);
        let mut modified = metadata.modified().map_err(StoreError::io("look at", &path))?;
        let on_entry = |key, entry| entries.push((key, entry));
        let exists = read::read_entries(read::DRAFT_BYTES_MAX, &path, on_entry, |_, file, metadata| {
            bytes = bytes.saturating_add(file.len() as u64);
            modified = modified.max(metadata.modified().unwrap_or(modified));
        })?;
        Ok(exists.then_some((entries, bytes, modified)))
    };
    let Some((state, content)) = read::read_consistent(paths, &name.directory, |_| Ok(()), read)? else {
        return Ok(None);
    };
    let (sidecar, (entries, bytes, modified)) = (state.sidecar, content);
    let recorded_list = sidecar.as_ref().map(|sidecar| sidecar.list.clone());
    let is_name_guessed = recorded_list.is_none();
    let repositories = entries.iter().map(|(_, entry)| entry.reference.repository());
    let list = recorded_list.or_else(|| docker_names::most_likely_list(&name.directory, repositories));
    let mut draft = Draft::new(list.ok_or(StoreError::ImpossibleName { path })?);
    entries.into_iter().for_each(|(name, entry)| draft.insert_with_key(docker_names::entry_key(name, &entry), entry));
    let modified = match sidecar {
        Some(sidecar) => {
            sidecar.restore_list_fields(&mut draft);
            modified.max(sidecar::modified(paths, &name.directory).unwrap_or(modified))
        }
        None => modified,
    };
    Ok(Some(StoredDraft { draft, is_name_guessed, modified, bytes }))
}

/// The names of the directories and files below the root, except ours.
pub(super) fn visible_names(paths: &Paths) -> Result<Vec<String>, StoreError> {
    let mut names = directory_operations::names(paths.root())?.unwrap_or_default();
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}
