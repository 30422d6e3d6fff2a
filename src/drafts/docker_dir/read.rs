//! Reads lists, docker's and ours. Docker writes without a lock and in place, so partial content is read again before
//! it counts as broken. See `store-format.md`, "Readers".

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::drafts::docker_dir::atomic::Files;
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::mark;
use crate::drafts::docker_dir::names;
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::sidecar::{self, DirectoryState, Sidecar};
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// How often an invalid file is read again, and the pause between. Docker's write takes far less.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);
/// No further attempt after this time: a slow read does not become complete by repeating it.
const PATIENCE: Duration = Duration::from_secs(1);
/// The maximum size of one draft, in bytes of its files.
pub const DRAFT_LIMIT: u64 = 256 << 20;

/// A list at one moment, and the files that it was read from.
pub(super) struct Snapshot {
    pub(super) draft: Draft,
    pub(super) sidecar: Option<Sidecar>,
    pub(super) seen: SeenFiles,
}

/// A directory and the bytes of its files, to find out later whether they have changed.
pub(super) struct SeenFiles {
    pub(super) identity: String,
    pub(super) files: Files,
}

impl SeenFiles {
    /// Whether this directory is the one that was read, with unchanged content, wherever it is now.
    pub(super) fn is_still(&self, directory: &Path) -> Result<bool, StoreError> {
        let names = directory::names(directory)?.unwrap_or_default();
        if sidecar::identity(directory)?.as_ref() != Some(&self.identity) || !names.iter().eq(self.files.keys()) {
            return Ok(false);
        }
        let mut files = self.files.iter().map(|(name, bytes)| {
            let (found, _) = checked_access::read(&directory.join(name), checked_access::FILE_LIMIT)?;
            Ok(found == *bytes)
        });
        files.try_fold(true, |same, file| Ok(same && file?))
    }
}

/// The list in directory `name`; `None` if it does not exist.
pub(super) fn snapshot(paths: &Paths, name: &str, list: &Reference) -> Result<Option<Snapshot>, StoreError> {
    let found = settled(
        paths,
        name,
        |look| check(paths, name, list, look),
        || {
            let mut files = Files::new();
            let draft = read_once(&paths.list(name), list, |name, bytes, _| {
                files.insert(name, bytes);
            })?;
            Ok(draft.map(|draft| (draft, files)))
        },
    )?;
    Ok(found.map(|(DirectoryState { identity, sidecar, .. }, (draft, files))| {
        let seen = SeenFiles { identity: identity.unwrap_or_default(), files };
        Snapshot { draft: with_sidecar(sidecar.as_ref(), draft), sidecar, seen }
    }))
}

/// As [`snapshot`], without the files' bytes, which are many for a large list.
pub(super) fn draft(paths: &Paths, name: &str, list: &Reference) -> Result<Option<Draft>, StoreError> {
    let found = settled(
        paths,
        name,
        |look| check(paths, name, list, look),
        || read_once(&paths.list(name), list, |_, _, _| ()),
    )?;
    Ok(found.map(|(state, draft)| with_sidecar(state.sidecar.as_ref(), draft)))
}

/// As [`draft`], for display: the entries, even if it is not known whether the sidecar belongs to them; then together
/// with that error.
pub(super) fn shown(
    paths: &Paths,
    name: &str,
    list: &Reference,
) -> Result<Option<(Draft, Option<StoreError>)>, StoreError> {
    let checked =
        |look: &DirectoryState| look.sidecar.as_ref().map_or(Ok(()), |sidecar| sidecar.check(list, &paths.list(name)));
    let found = settled(paths, name, checked, || read_once(&paths.list(name), list, |_, _, _| ()))?;
    Ok(found
        .map(|(state, draft)| (with_sidecar(state.sidecar.as_ref(), draft), check(paths, name, list, &state).err())))
}

/// Refuses a list that does not own this directory, and one whose sidecar may not belong to it.
fn check(paths: &Paths, name: &str, list: &Reference, look: &DirectoryState) -> Result<(), StoreError> {
    if let Some(sidecar) = &look.sidecar {
        return sidecar.check(list, &paths.list(name));
    }
    match &look.stray {
        Some(stray) if stray == list => {
            Err(StoreError::Stray { list: list.to_string(), path: paths.sidecar(name), folder: paths.list(name) })
        }
        _ => Ok(()),
    }
}

fn with_sidecar(sidecar: Option<&Sidecar>, mut draft: Draft) -> Draft {
    if let Some(sidecar) = sidecar {
        sidecar.apply_to(&mut draft);
    }
    draft
}

/// Reads a list's directory between two equal reads of its identity and sidecar, so that all belong together. Returns
/// that state, and what was read.
pub(super) fn settled<T>(
    paths: &Paths,
    name: &str,
    check: impl Fn(&DirectoryState) -> Result<(), StoreError>,
    mut read: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<Option<(DirectoryState, T)>, StoreError> {
    let mut before = sidecar::look(paths, name)?;
    check(&before)?;
    let mut attempt = 0;
    loop {
        let Some(found) = again(&mut read)? else { return Ok(None) };
        let after = sidecar::look(paths, name)?;
        check(&after)?;
        if after == before || attempt == ATTEMPTS {
            // If the identities still differ, the one that a change is then refused for.
            return Ok(Some((DirectoryState { identity: before.identity, ..after }, found)));
        }
        before = after;
        attempt += 1;
    }
}

/// Reads until the content is valid, or is finally broken.
fn again<T>(mut read: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let begun = Instant::now();
    let mut attempt = 0;
    loop {
        match read() {
            Err(error) if attempt < ATTEMPTS && may_pass(&error) && begun.elapsed() < PATIENCE => thread::sleep(PAUSE),
            done => return done,
        }
        attempt += 1;
    }
}

/// A file that docker is writing is cut short; a file that is being removed is gone when it is opened.
fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Entry { .. } => true,
        StoreError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Reads every file, and passes each to `keep` once it is decoded.
fn read_once(
    directory: &Path,
    list: &Reference,
    keep: impl FnMut(String, Vec<u8>, &Metadata),
) -> Result<Option<Draft>, StoreError> {
    let mut draft = Draft::new(list.clone());
    let found = entries(directory, |name, entry| draft.insert_keyed(names::entry_key(name, &entry), entry), keep)?;
    Ok(found.then_some(draft))
}

/// Reads every file of a list's directory and passes its entry to `take`, then its bytes to `keep`. Returns whether
/// there is such a directory.
pub(super) fn entries(
    directory: &Path,
    take: impl FnMut(String, Entry),
    keep: impl FnMut(String, Vec<u8>, &Metadata),
) -> Result<bool, StoreError> {
    entries_within(DRAFT_LIMIT, directory, take, keep)
}

fn entries_within(
    limit: u64,
    directory: &Path,
    mut take: impl FnMut(String, Entry),
    mut keep: impl FnMut(String, Vec<u8>, &Metadata),
) -> Result<bool, StoreError> {
    if checked_access::directory(directory)?.is_none() {
        return Ok(false);
    }
    let Some(names) = directory::names(directory)? else { return Ok(false) };
    let mut left = limit;
    for name in names {
        let path = directory.join(&name);
        let (bytes, metadata) = checked_access::read(&path, checked_access::FILE_LIMIT)?;
        left = left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| StoreError::TooLarge { path: directory.to_owned(), limit })?;
        let entry = Entry::decode(&bytes).map_err(|source| StoreError::Entry { path, source })?;
        take(name.clone(), entry);
        keep(name, bytes, &metadata);
    }
    Ok(true)
}

/// The files of a draft, written with this mark. An unchanged entry keeps its bytes.
///
/// Two images whose files would have the same name are refused.
pub(super) fn encode(before: Option<&Snapshot>, after: &Draft, target: &Path, mark: &str) -> Result<Files, StoreError> {
    let mut files = Files::new();
    let mut holders: BTreeMap<String, &Entry> = BTreeMap::new();
    for (key, entry) in after.keyed() {
        let name = names::file_name(key);
        if let Some(other) = holders.insert(name.clone(), entry) {
            let is_there = before.is_some_and(|before| before.draft.keyed().contains_key(key));
            let (requested, holder) = if is_there { (other, entry) } else { (entry, other) };
            let (requested, holder) = (requested.reference.to_string(), holder.reference.to_string());
            return Err(StoreError::FileTaken { requested, holder, path: target.join(name) });
        }
        let same = before.filter(|before| before.draft.keyed().get(key) == Some(entry));
        let bytes = match same.and_then(|before| before.seen.files.get(&name)) {
            Some(bytes) => bytes.clone(),
            None => mark::marked(encoded(entry, target, &name)?, mark),
        };
        files.insert(name, bytes);
    }
    Ok(files)
}

/// The bytes of an entry's file.
pub(super) fn encoded(entry: &Entry, target: &Path, name: &str) -> Result<Vec<u8>, StoreError> {
    entry.encode().map_err(|source| StoreError::Entry { path: target.join(name), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Schema;

    #[test]
    fn more_than_any_draft_has_is_not_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let image = Reference::parse("h.x/app:1").unwrap();
        let entry = Entry::fetched(image, Schema::Oci, b"{}".to_vec(), None).encode().unwrap();
        (0..3).for_each(|number| std::fs::write(directory.path().join(number.to_string()), &entry).unwrap());
        let whole = 3 * entry.len() as u64;
        let read = |limit| {
            let mut taken = 0;
            let outcome = entries_within(limit, directory.path(), |_, _| taken += 1, |_, _, _| ());
            (taken, outcome.map_err(|error| error.to_string()))
        };
        assert_eq!(read(whole), (3, Ok(true)));
        let (taken, outcome) = read(whole - 1);
        assert_eq!(taken, 2, "the one beyond is read, as nobody knows its size before, but not understood");
        let expected = StoreError::TooLarge { path: directory.path().to_owned(), limit: whole - 1 };
        assert_eq!(outcome, Err(expected.to_string()));
    }
}
