//! Drafts in the store by their directories, those of docker too. See `store-format.md`, "Names that docker mixes" and
//! "What does not belong".

use std::time::SystemTime;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::names::{self, StoredName};
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::read;
use crate::drafts::docker_dir::sidecar;
use crate::model::Draft;

/// A draft in the store.
#[derive(Debug, Clone)]
pub struct StoredDraft {
    /// The draft itself.
    pub draft: Draft,
    /// Whether its name is a guess: docker made it, and docker does not store names.
    pub guessed: bool,
    /// The time of the last change.
    pub modified: SystemTime,
    /// The size of its entries in the store, in bytes.
    pub bytes: u64,
}

pub(super) fn look(paths: &Paths, name: &StoredName) -> Result<Option<StoredDraft>, StoreError> {
    let path = paths.list(&name.directory);
    let read = || {
        let Some(folder) = checked_access::directory(&path)? else { return Ok(None) };
        let (mut entries, mut bytes) = (Vec::new(), 0_u64);
        let mut modified = folder.modified().map_err(StoreError::io("look at", &path))?;
        let take = |key, entry| entries.push((key, entry));
        let found = read::entries(&path, take, |_, file, metadata| {
            bytes = bytes.saturating_add(file.len() as u64);
            modified = modified.max(metadata.modified().unwrap_or(modified));
        })?;
        Ok(found.then_some((entries, bytes, modified)))
    };
    let Some((state, found)) = read::settled(paths, &name.directory, |_| Ok(()), read)? else { return Ok(None) };
    let (sidecar, (entries, bytes, modified)) = (state.sidecar, found);
    let known = sidecar.as_ref().map(|sidecar| sidecar.list.clone());
    let guessed = known.is_none();
    let repositories = entries.iter().map(|(_, entry)| entry.reference.repository());
    let list = known.or_else(|| names::guess_among(&name.directory, repositories));
    let list = list.or_else(|| StoredName { known: None, ..name.clone() }.list());
    let mut draft = Draft::new(list.ok_or(StoreError::Nameless { path })?);
    entries.into_iter().for_each(|(name, entry)| draft.insert_keyed(names::entry_key(name, &entry), entry));
    let modified = match sidecar {
        Some(sidecar) => {
            sidecar.apply_to(&mut draft);
            modified.max(sidecar::written(paths, &name.directory).unwrap_or(modified))
        }
        None => modified,
    };
    Ok(Some(StoredDraft { draft, guessed, modified, bytes }))
}

/// The names of the folders and files below the root, except ours.
pub(super) fn visible(paths: &Paths) -> Result<Vec<String>, StoreError> {
    let mut names = directory::names(paths.root())?.unwrap_or_default();
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}
