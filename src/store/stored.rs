//! What lies in the store, whoever put it there: looked at and removed by its directory, where no list was named. See
//! `store-format.md`, "Names that docker mixes" and "What does not belong".

use std::time::SystemTime;

use crate::document::Draft;
use crate::store::atomic::Files;
use crate::store::directory;
use crate::store::error::StoreError;
use crate::store::guard;
use crate::store::names::{self, StoredName};
use crate::store::owner::Look;
use crate::store::paths::Paths;
use crate::store::read::{self, Seen, Settled};

/// A draft as it lies in the store.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it says.
    pub draft: Draft,
    /// Whether its name is a guess: docker made it, and docker does not write names down.
    pub guessed: bool,
    /// When it was changed last.
    pub modified: SystemTime,
    /// The size of its entries as they are kept, in bytes.
    pub bytes: u64,
}

pub(super) fn look(paths: &Paths, name: &StoredName) -> Result<Option<Stored>, StoreError> {
    Ok(look_closely(paths, name)?.map(|(stored, _)| stored))
}

/// The same, with what it was read from.
fn look_closely(paths: &Paths, name: &StoredName) -> Result<Option<(Stored, Seen)>, StoreError> {
    let path = paths.list(&name.directory);
    let read = || {
        let Some(folder) = guard::directory(&path)? else { return Ok(None) };
        let (mut entries, mut files) = (Vec::new(), Files::new());
        let mut modified = folder.modified().map_err(StoreError::io("look at", &path))?;
        let kept = |key, entry| entries.push((key, entry));
        let found = read::entries(&path, kept, |name, bytes, metadata| {
            files.insert(name, bytes);
            modified = modified.max(metadata.modified().unwrap_or(modified));
        })?;
        Ok(found.then_some((entries, files, modified)))
    };
    let Some(Settled { look, found }) = read::settled(paths, &name.directory, |_| Ok(()), read)? else {
        return Ok(None);
    };
    let (Look { identity, owner }, (entries, files, modified)) = (look, found);
    let known = owner.as_ref().map(|owner| owner.list.clone());
    let guessed = known.is_none();
    let repositories = entries.iter().map(|(_, entry)| entry.reference.repository());
    let list = known.or_else(|| names::guess_among(&name.directory, repositories));
    let list = list.or_else(|| StoredName { known: None, ..name.clone() }.list());
    let mut draft = Draft::new(list.ok_or(StoreError::Nameless { path })?);
    entries.into_iter().for_each(|(key, entry)| draft.insert_keyed(key, entry));
    let modified = match owner {
        Some(owner) => {
            owner.tell(&mut draft);
            modified.max(written(paths, &name.directory).unwrap_or(modified))
        }
        None => modified,
    };
    let bytes = files.values().map(|bytes| bytes.len() as u64).sum();
    let seen = Seen { identity: identity.unwrap_or_default(), files };
    Ok(Some((Stored { draft, guessed, modified, bytes }, seen)))
}

/// Whether the directory is still the one that `name` speaks of, holds nothing but entries, and nothing in it was
/// changed at `older_than` or later: what was read of it, or `None` where it may not go.
pub(super) fn may_go(
    paths: &Paths,
    name: &StoredName,
    older_than: Option<SystemTime>,
) -> Result<Option<Seen>, StoreError> {
    match look_closely(paths, name)? {
        None => Ok(None),
        Some((stored, seen)) => {
            // Where nothing was known of it, not even a name, no other can have come in its place.
            let is_the_same =
                name.known.as_ref().is_none_or(|known| !stored.guessed && stored.draft.reference == *known);
            let may_go = is_the_same && older_than.is_none_or(|limit| stored.modified < limit);
            Ok(may_go.then_some(seen))
        }
    }
}

/// When the side file was written.
fn written(paths: &Paths, name: &str) -> Option<SystemTime> {
    paths.owner(name).symlink_metadata().and_then(|metadata| metadata.modified()).ok()
}

/// The names of the folders below the root, and of what else lies there, but for ours.
pub(super) fn visible(paths: &Paths) -> Result<Vec<String>, StoreError> {
    let mut names = directory::names(paths.root())?.unwrap_or_default();
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}
