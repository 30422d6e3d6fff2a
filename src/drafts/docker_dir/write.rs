//! The files that a change writes, and their order: a sidecar with a lower format number never stands beside an entry
//! that needs the higher one; entries are written one by one; a new list appears as a whole. See `store-format.md`,
//! "Writes".

use std::path::{Path, PathBuf};

use crate::drafts::docker_dir::atomic::{self, FileChange, Files, FolderChanges};
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::folder::Folder;
use crate::drafts::docker_dir::lock::Lock;
use crate::drafts::docker_dir::mark;
use crate::drafts::docker_dir::names;
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::read::{self, Snapshot};
use crate::drafts::docker_dir::sidecar::{self, Sidecar};
use crate::model::Draft;
use crate::reference::Reference;

/// A staged sidecar.
struct StagedSidecar {
    folder: Folder,
    name: String,
    above: Vec<PathBuf>,
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

impl StagedSidecar {
    fn new(paths: &Paths, name: &str, sidecar: &Sidecar) -> Result<StagedSidecar, StoreError> {
        directory::create_checked(paths, &paths.sidecars())?;
        let path = paths.sidecar(name);
        let before = match checked_access::read(&path, checked_access::FILE_LIMIT) {
            Ok((bytes, _)) => Some(bytes),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let after = sidecar.encode().map_err(StoreError::io("write", &path))?;
        // The folders above too: a killed process may have created them without syncing them.
        let above = vec![paths.own_folder(), paths.root().to_owned()];
        Ok(StagedSidecar { folder: Folder::open(&paths.sidecars())?, name: name.to_owned(), above, before, after })
    }

    fn stage(&self) -> FolderChanges<'_> {
        let step = FileChange {
            name: &self.name,
            before: self.before.as_deref(),
            after: Some(&self.after),
            if_unchanged: false,
        };
        FolderChanges { folder: &self.folder, steps: vec![step], above: &self.above }
    }
}

/// Changes the draft `before` into its new state; `None` deletes it.
pub(super) fn write(
    paths: &Paths,
    lock: &Lock,
    name: &str,
    list: &Reference,
    before: Option<&Snapshot>,
    after: Option<&Draft>,
) -> Result<(), StoreError> {
    match (before, after) {
        (None, None) => Ok(()),
        (Some(before), None) => atomic::remove_directory(paths, lock, name, |away| before.seen.is_still(away)),
        (None, Some(after)) => make(paths, lock, name, list, after),
        (Some(before), Some(after)) => alter(paths, lock, name, list, before, after),
    }
}

/// Creates a list. It appears as a whole.
fn make(paths: &Paths, lock: &Lock, name: &str, list: &Reference, after: &Draft) -> Result<(), StoreError> {
    let target = paths.list(name);
    // The identity is known once the list is staged. Nothing else in the sidecar depends on it.
    let sidecar = Sidecar::of(list, after, String::new(), None);
    let files = read::encode(None, after, &target, &sidecar.mark)?;
    let staged = atomic::stage_directory(paths, lock, &files)?;
    let sidecar = sidecar.in_directory(sidecar::identity(&staged)?.unwrap_or_default());
    let staged_sidecar = StagedSidecar::new(paths, name, &sidecar)?;
    let stages = [staged_sidecar.stage()];
    let moved = atomic::replace(lock, &stages)?;
    atomic::place_directory(paths, &staged, &target).inspect_err(|_| moved.take_back(lock))
}

/// Changes an existing list entry by entry.
fn alter(
    paths: &Paths,
    lock: &Lock,
    name: &str,
    list: &Reference,
    before: &Snapshot,
    after: &Draft,
) -> Result<(), StoreError> {
    let target = paths.list(name);
    let known = before.sidecar.as_ref();
    let sidecar = Sidecar::of(list, after, before.seen.identity.clone(), known);
    let files = read::encode(Some(before), after, &target, &sidecar.mark)?;
    let marks = marks(before, after, &files, &sidecar.mark, &target)?;
    // The change is made in this folder only, and so is its sidecar.
    let folder = Folder::open(&target)?;
    folder.check(&before.seen.identity)?;
    let format_falls = known.is_some_and(|before| before.format > sidecar.format);
    let staged_sidecar = if known == Some(&sidecar) { None } else { Some(StagedSidecar::new(paths, name, &sidecar)?) };
    let mut stages: Vec<FolderChanges<'_>> = staged_sidecar.iter().map(StagedSidecar::stage).collect();
    let mut steps = entries(&before.seen.files, &files);
    steps.extend(marks.iter().map(|(name, bytes)| FileChange {
        name,
        before: before.seen.files.get(name).map(Vec::as_slice),
        after: Some(bytes),
        if_unchanged: true,
    }));
    let entries = FolderChanges { folder: &folder, steps, above: &[] };
    stages.insert(if format_falls { 0 } else { stages.len() }, entries);
    atomic::replace(lock, &stages).map(drop)
}

/// The unchanged entries that gain or lose the mark.
fn marks(before: &Snapshot, after: &Draft, files: &Files, mark: &str, target: &Path) -> Result<Files, StoreError> {
    let is_due = !mark.is_empty() || before.sidecar.as_ref().is_some_and(|sidecar| !sidecar.mark.is_empty());
    let mut marks = Files::new();
    for (key, entry) in after.keyed().iter().filter(|_| is_due) {
        let name = names::file_name(key);
        let (old, new) = (before.seen.files.get(&name), files.get(&name));
        if old.is_some_and(|old| new == Some(old) && mark::of(old) != mark) {
            let bytes = read::encoded(entry, target, &name)?;
            marks.insert(name, mark::marked(bytes, mark));
        }
    }
    Ok(marks)
}

/// The changed files, then the deleted ones.
fn entries<'a>(before: &'a Files, after: &'a Files) -> Vec<FileChange<'a>> {
    let changed = after.iter().map(|(name, bytes)| FileChange {
        name,
        before: before.get(name).map(Vec::as_slice),
        after: Some(bytes),
        if_unchanged: false,
    });
    let changed = changed.filter(|step| step.before != step.after);
    let removed = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let removed =
        removed.map(|(name, bytes)| FileChange { name, before: Some(bytes), after: None, if_unchanged: false });
    changed.chain(removed).collect()
}
