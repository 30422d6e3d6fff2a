//! Reading lists, docker's and ours. Docker writes without a lock and in place, so what is read half-written is read
//! again before it is called broken. See `store-format.md`, "Readers".

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::document::{Draft, Entry};
use crate::reference::Reference;
use crate::store::atomic::Files;
use crate::store::error::StoreError;
use crate::store::paths::Paths;

/// How often a file that makes no sense is read again, and how long between: docker's write takes far less.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// A list as it was at one moment, with the bytes of its files.
pub(super) struct Snapshot {
    pub(super) draft: Draft,
    pub(super) files: Files,
}

/// The list in directory `name`, or `None` where there is none.
pub(super) fn snapshot(paths: &Paths, name: &str, list: &Reference) -> Result<Option<Snapshot>, StoreError> {
    again(|| {
        let mut files = Files::new();
        let draft = read_once(&paths.list(name), list, |name, bytes| {
            files.insert(name, bytes);
        })?;
        Ok(draft.map(|draft| Snapshot { draft, files }))
    })
}

/// The same without the files' bytes, of which a large list has many.
pub(super) fn draft(paths: &Paths, name: &str, list: &Reference) -> Result<Option<Draft>, StoreError> {
    again(|| read_once(&paths.list(name), list, |_, _| ()))
}

/// Reads until what is read makes sense, or is broken for good.
fn again<T>(mut read: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut attempt = 0;
    loop {
        match read() {
            Err(error) if attempt < ATTEMPTS && may_pass(&error) => thread::sleep(PAUSE),
            done => return done,
        }
        attempt += 1;
    }
}

/// A file that docker is writing is cut short; one that is being removed is gone when it is opened.
fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Entry { .. } => true,
        StoreError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Reads every file, and gives each to `keep` once it is understood.
fn read_once(
    directory: &Path,
    list: &Reference,
    mut keep: impl FnMut(String, Vec<u8>),
) -> Result<Option<Draft>, StoreError> {
    let Some(names) = directory_names(directory)? else { return Ok(None) };
    let mut draft = Draft::new(list.clone());
    for name in names {
        let path = directory.join(&name);
        let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
        let entry = Entry::decode(&bytes).map_err(|source| StoreError::Entry { path, source })?;
        draft.insert_keyed(name.clone(), entry);
        keep(name, bytes);
    }
    Ok(Some(draft))
}

/// The files that a draft is kept in. An entry that is as it was keeps the bytes that it was read from.
pub(super) fn encode(before: Option<&Snapshot>, after: &Draft, target: &Path) -> Result<Files, StoreError> {
    let kept = |name: &String, entry: &Entry| {
        let before = before.filter(|before| before.draft.keyed().get(name) == Some(entry))?;
        before.files.get(name).cloned()
    };
    let encoded = after.keyed().iter().map(|(name, entry)| {
        let bytes = match kept(name, entry) {
            Some(bytes) => bytes,
            None => entry.encode().map_err(|source| StoreError::Entry { path: target.join(name), source })?,
        };
        Ok((name.clone(), bytes))
    });
    encoded.collect()
}

/// The names in a directory, sorted by bytes; `None` where there is no such directory.
pub(super) fn directory_names(directory: &Path) -> Result<Option<Vec<String>>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Docker could not have made a directory of such a name, so there is none.
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => return Ok(None),
        Err(error) => return Err(StoreError::io("read", directory)(error)),
    };
    let names: io::Result<Vec<String>> =
        entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned())).collect();
    let mut names = names.map_err(StoreError::io("read", directory))?;
    names.sort_unstable();
    Ok(Some(names))
}
