//! Writes a draft in a safe order: at no time is the format number of the sidecar too low for an entry. Entries are
//! written one by one; a new list appears as a whole. See `store-format.md`,
//! "Writes".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use crate::drafts::docker_dir::atomic::{self, DirectoryChanges, FileChange, Files};
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_handle::DirectoryHandle;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::docker_names;
use crate::drafts::docker_dir::draft_id;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::lock::Lock;
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::read::LoadedDraft;
use crate::drafts::docker_dir::sidecar::{self, Sidecar};
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// The change that writes a sidecar over its present content.
fn sidecar_changes<'a>(paths: &Paths, name: &'a str, sidecar: &Sidecar) -> Result<DirectoryChanges<'a>, StoreError> {
    directory_operations::create_checked(paths, &paths.sidecars())?;
    let path = paths.sidecar(name);
    let before = match checked_access::read(&path, checked_access::FILE_BYTES_MAX) {
        Ok((bytes, _)) => Some(bytes.into()),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let after = Some(sidecar.encode().map_err(StoreError::io("write", &path))?.into());
    let directory = DirectoryHandle::open(&paths.sidecars())?;
    let changes = vec![FileChange { name, before, after, if_unchanged: false }];
    // A killed process may have created the parents without syncing them.
    let parents_to_sync = vec![paths.private_dir(), paths.root().to_owned()];
    Ok(DirectoryChanges { directory, changes, parents_to_sync })
}

/// Changes the draft `before` into `after`; `None` deletes it.
pub(super) fn write(
    paths: &Paths,
    lock: &Lock,
    name: &str,
    list: &Reference,
    before: Option<&LoadedDraft>,
    after: Option<&Draft>,
) -> Result<(), StoreError> {
    match (before, after) {
        (None, None) => Ok(()),
        (Some(before), None) => {
            atomic::remove_directory(paths, lock, name, |hidden| before.contents.is_unchanged_since_read(hidden))
        }
        (None, Some(after)) => create(paths, lock, name, list, after),
        (Some(before), Some(after)) => change_entries(paths, lock, name, list, before, after),
    }
}

/// Creates a draft. It appears as a whole.
fn create(paths: &Paths, lock: &Lock, name: &str, list: &Reference, after: &Draft) -> Result<(), StoreError> {
    let target = paths.list(name);
    // The identity is known once the list is staged. Nothing else in the sidecar depends on it.
    let sidecar = Sidecar::for_draft(list, after, String::new(), None);
    let files = encode_files(None, after, &target, &sidecar.draft_id)?;
    let staged = atomic::stage_directory(paths, lock, &files)?;
    let sidecar = sidecar.in_directory(sidecar::identity(&staged)?.unwrap_or_default());
    let directories = [sidecar_changes(paths, name, &sidecar)?];
    let applied = atomic::apply_changes(lock, &directories)?;
    atomic::move_into_place(paths, &staged, &target).inspect_err(|_| applied.revert(lock))
}

/// Changes an existing draft entry by entry.
fn change_entries(
    paths: &Paths,
    lock: &Lock,
    name: &str,
    list: &Reference,
    before: &LoadedDraft,
    after: &Draft,
) -> Result<(), StoreError> {
    let target = paths.list(name);
    let old_sidecar = before.sidecar.as_ref();
    let sidecar = Sidecar::for_draft(list, after, before.contents.identity.clone(), old_sidecar);
    let files = encode_files(Some(before), after, &target, &sidecar.draft_id)?;
    let id_changes = id_changes(before, after, &files, &sidecar.draft_id, &target)?;
    // The change applies to the directory that was read, even if another one has its name by now.
    let directory = DirectoryHandle::open(&target)?;
    directory.check_identity(&before.contents.identity)?;
    let format_decreases = old_sidecar.is_some_and(|before| before.format > sidecar.format);
    let is_unchanged = old_sidecar == Some(&sidecar);
    let mut directories = if is_unchanged { Vec::new() } else { vec![sidecar_changes(paths, name, &sidecar)?] };
    let mut changes = file_changes(&before.contents.files, &files);
    changes.extend(id_changes.iter().map(|(name, bytes)| FileChange {
        name,
        before: before.contents.files.get(name).map(Cow::from),
        after: Some(bytes.into()),
        if_unchanged: true,
    }));
    let entries = DirectoryChanges { directory, changes, parents_to_sync: Vec::new() };
    directories.insert(if format_decreases { 0 } else { directories.len() }, entries);
    atomic::apply_changes(lock, &directories).map(drop)
}

/// The files of unchanged entries that get or lose the draft id.
fn id_changes(
    before: &LoadedDraft,
    after: &Draft,
    files: &Files,
    draft_id: &str,
    target: &Path,
) -> Result<Files, StoreError> {
    let has_ids = !draft_id.is_empty() || before.sidecar.as_ref().is_some_and(|sidecar| !sidecar.draft_id.is_empty());
    let mut id_changes = Files::new();
    for (key, entry) in after.entries_by_key().iter().filter(|_| has_ids) {
        let name = docker_names::file_name(key);
        let (old, new) = (before.contents.files.get(&name), files.get(&name));
        if old.is_some_and(|old| new == Some(old) && draft_id::read(old) != draft_id) {
            let bytes = encode_entry(entry, target, &name)?;
            id_changes.insert(name, draft_id::append_id(bytes, draft_id));
        }
    }
    Ok(id_changes)
}

/// The changed files, then the deleted ones.
fn file_changes<'a>(before: &'a Files, after: &'a Files) -> Vec<FileChange<'a>> {
    let changed = after.iter().map(|(name, bytes)| FileChange {
        name,
        before: before.get(name).map(Cow::from),
        after: Some(bytes.into()),
        if_unchanged: false,
    });
    let changed = changed.filter(|change| change.before != change.after);
    let removed = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let removed =
        removed.map(|(name, bytes)| FileChange { name, before: Some(bytes.into()), after: None, if_unchanged: false });
    changed.chain(removed).collect()
}

/// The files of a draft with this draft id. An unchanged entry keeps its bytes.
///
/// Two images whose files would have the same name are refused.
fn encode_files(
    before: Option<&LoadedDraft>,
    after: &Draft,
    target: &Path,
    draft_id: &str,
) -> Result<Files, StoreError> {
    let mut files = Files::new();
    let mut by_file_name: BTreeMap<String, &Entry> = BTreeMap::new();
    for (key, entry) in after.entries_by_key() {
        let name = docker_names::file_name(key);
        if let Some(other) = by_file_name.insert(name.clone(), entry) {
            let exists = before.is_some_and(|before| before.draft.entries_by_key().contains_key(key));
            let (requested, existing) = if exists { (other, entry) } else { (entry, other) };
            let (requested, existing) = (requested.reference.to_string(), existing.reference.to_string());
            return Err(StoreError::FileTaken { requested, existing, path: target.join(name) });
        }
        let unchanged = before.filter(|before| before.draft.entries_by_key().get(key) == Some(entry));
        let bytes = match unchanged.and_then(|before| before.contents.files.get(&name)) {
            Some(bytes) => bytes.clone(),
            None => draft_id::append_id(encode_entry(entry, target, &name)?, draft_id),
        };
        files.insert(name, bytes);
    }
    Ok(files)
}

/// The bytes of an entry's file.
fn encode_entry(entry: &Entry, target: &Path, name: &str) -> Result<Vec<u8>, StoreError> {
    entry.encode().map_err(|source| StoreError::InvalidEntry { path: target.join(name), source })
}
