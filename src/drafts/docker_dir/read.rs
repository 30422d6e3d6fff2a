//! Reads drafts of docker and of this program. Docker writes without a lock and in place, so partial content is read
//! again before it counts as invalid. See `store-format.md`, "Readers".

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::drafts::docker_dir::atomic::Files;
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::docker_names;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::paths::Paths;
use crate::drafts::docker_dir::sidecar::{self, DirectoryAndSidecar, Sidecar};
use crate::model::{DocumentError, Draft, Entry};
use crate::reference::Reference;

/// The number of further attempts to read a file that is invalid or missing, or a directory that changes meanwhile, and
/// the pause between the attempts to read a file.
const RETRIES_MAX: u32 = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// No further attempt begins after this time: a slow read does not become complete by a repetition.
const RETRY_TIME_MAX: Duration = Duration::from_secs(1);
/// The same for a file that ends too early and was changed lately. Docker empties a file and then writes it in one
/// call; on a busy machine some time passes in between.
const INCOMPLETE_RETRIES_MAX: u32 = 200;
const INCOMPLETE_RETRY_TIME_MAX: Duration = Duration::from_secs(5);
/// A file that has not been changed for this time is not being written.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// The maximum size of one draft, in bytes of its files.
pub const DRAFT_BYTES_MAX: u64 = 256 << 20;

/// A draft at one moment, and the files that it was read from.
pub(super) struct LoadedDraft {
    pub(super) draft: Draft,
    pub(super) sidecar: Option<Sidecar>,
    pub(super) contents: DirectoryContents,
}

/// The directory and the bytes of the files that were read, to find out later whether they have changed.
pub(super) struct DirectoryContents {
    pub(super) identity: String,
    pub(super) files: Files,
}

impl DirectoryContents {
    /// Whether the directory at this path is the one that was read, with unchanged content. It may have been moved.
    pub(super) fn is_unchanged_since_read(&self, directory: &Path) -> Result<bool, StoreError> {
        let names = directory_operations::names(directory)?.unwrap_or_default();
        if sidecar::identity(directory)?.as_ref() != Some(&self.identity) || !names.iter().eq(self.files.keys()) {
            return Ok(false);
        }
        let mut files = self.files.iter().map(|(name, bytes)| {
            let (found, _) = checked_access::read(&directory.join(name), checked_access::FILE_BYTES_MAX)?;
            Ok(found == *bytes)
        });
        files.try_fold(true, |unchanged, file| Ok(unchanged && file?))
    }
}

/// The list in directory `name`; `None` if it does not exist.
pub(super) fn with_contents(paths: &Paths, name: &str, list: &Reference) -> Result<Option<LoadedDraft>, StoreError> {
    let found = read_consistent(
        paths,
        name,
        |state| check_recorded_list(paths, name, list, state),
        || {
            let mut files = Files::new();
            let draft = read_once(&paths.list(name), list, |name, bytes, _| {
                files.insert(name, bytes);
            })?;
            Ok(draft.map(|draft| (draft, files)))
        },
    )?;
    Ok(found.map(|(DirectoryAndSidecar { identity, sidecar, .. }, (draft, files))| {
        let contents = DirectoryContents { identity: identity.unwrap_or_default(), files };
        LoadedDraft { draft: with_sidecar(sidecar.as_ref(), draft), sidecar, contents }
    }))
}

/// As [`with_contents`], without the bytes of the files, which take much memory for a large list.
pub(super) fn draft(paths: &Paths, name: &str, list: &Reference) -> Result<Option<Draft>, StoreError> {
    let found = read_consistent(
        paths,
        name,
        |state| check_recorded_list(paths, name, list, state),
        || read_once(&paths.list(name), list, |_, _, _| ()),
    )?;
    Ok(found.map(|(state, draft)| with_sidecar(state.sidecar.as_ref(), draft)))
}

/// As [`draft`], for display: if it is not known whether the sidecar belongs to the entries, the draft has the entries
/// only, and the error is returned with it.
pub(super) fn for_display(
    paths: &Paths,
    name: &str,
    list: &Reference,
) -> Result<Option<(Draft, Option<StoreError>)>, StoreError> {
    let check_recorded_owner = |state: &DirectoryAndSidecar| {
        state.sidecar.as_ref().map_or(Ok(()), |sidecar| sidecar.check_recorded_list(list, &paths.list(name)))
    };
    let found =
        read_consistent(paths, name, check_recorded_owner, || read_once(&paths.list(name), list, |_, _, _| ()))?;
    Ok(found.map(|(state, draft)| {
        (with_sidecar(state.sidecar.as_ref(), draft), check_recorded_list(paths, name, list, &state).err())
    }))
}

/// Refuses a list that does not own this directory, and a list whose sidecar may belong to another directory.
fn check_recorded_list(
    paths: &Paths,
    name: &str,
    list: &Reference,
    state: &DirectoryAndSidecar,
) -> Result<(), StoreError> {
    if let Some(sidecar) = &state.sidecar {
        return sidecar.check_recorded_list(list, &paths.list(name));
    }
    match &state.unmatched_list {
        Some(recorded_list) if recorded_list == list => Err(StoreError::UnmatchedSidecar {
            list: list.to_string(),
            path: paths.sidecar(name),
            directory: paths.list(name),
        }),
        _ => Ok(()),
    }
}

fn with_sidecar(sidecar: Option<&Sidecar>, mut draft: Draft) -> Draft {
    if let Some(sidecar) = sidecar {
        sidecar.restore_list_fields(&mut draft);
    }
    draft
}

/// Reads a directory between two equal reads of its identity and sidecar, so that all of them belong together. Returns
/// the state and the result of `read`.
pub(super) fn read_consistent<T>(
    paths: &Paths,
    name: &str,
    check: impl Fn(&DirectoryAndSidecar) -> Result<(), StoreError>,
    mut read: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<Option<(DirectoryAndSidecar, T)>, StoreError> {
    let mut before = sidecar::read_state(paths, name)?;
    check(&before)?;
    let mut attempt = 0;
    loop {
        let Some(found) = retry_incomplete(&mut read)? else { return Ok(None) };
        let after = sidecar::read_state(paths, name)?;
        check(&after)?;
        if after == before || attempt == RETRIES_MAX {
            // If the identities still differ, the first one counts, so that a change of this directory is refused.
            return Ok(Some((DirectoryAndSidecar { identity: before.identity, ..after }, found)));
        }
        before = after;
        attempt += 1;
    }
}

/// Repeats a read until the content is valid, or until it counts as invalid.
fn retry_incomplete<T>(read: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    retry_with(read, &mut || thread::sleep(RETRY_PAUSE), Instant::now)
}

/// The same with these pauses and this clock. Another kind of error has its own number of attempts and time.
fn retry_with<T>(
    mut read: impl FnMut() -> Result<T, StoreError>,
    pause: &mut dyn FnMut(),
    now: impl Fn() -> Instant,
) -> Result<T, StoreError> {
    let mut last_limits = None;
    let (mut retries, mut started) = (0, now());
    loop {
        let error = match read() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some((retries_max, time_max)) = retry_limits(&error) else { return Err(error) };
        if last_limits.replace((retries_max, time_max)) != Some((retries_max, time_max)) {
            (retries, started) = (0, now());
        }
        if retries == retries_max || now().saturating_duration_since(started) >= time_max {
            return Err(error);
        }
        retries += 1;
        pause();
    }
}

/// How often and for how long a read is repeated after an error that may be due to a concurrent write of docker: a file
/// is incomplete while docker writes it, and missing if docker removes it before it is opened.
fn retry_limits(error: &StoreError) -> Option<(u32, Duration)> {
    match error {
        StoreError::InvalidEntry { path, source: DocumentError::IncompleteJson(_) } if was_changed_lately(path) => {
            Some((INCOMPLETE_RETRIES_MAX, INCOMPLETE_RETRY_TIME_MAX))
        }
        StoreError::Io { source, .. } if source.kind() != io::ErrorKind::NotFound => None,
        StoreError::InvalidEntry { .. } | StoreError::Io { .. } => Some((RETRIES_MAX, RETRY_TIME_MAX)),
        _ => None,
    }
}

/// Whether a file may be being written. A time in the future, by the clock of another machine, counts as now.
fn was_changed_lately(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().map_or(true, |age| age < WRITE_TIME_MAX))
}

/// Reads every file of a draft once, and passes each to `on_file` after it is decoded.
fn read_once(
    directory: &Path,
    list: &Reference,
    on_file: impl FnMut(String, Vec<u8>, &Metadata),
) -> Result<Option<Draft>, StoreError> {
    let mut draft = Draft::new(list.clone());
    let exists = read_entries(
        DRAFT_BYTES_MAX,
        directory,
        |name, entry| draft.insert_with_key(docker_names::entry_key(name, &entry), entry),
        on_file,
    )?;
    Ok(exists.then_some(draft))
}

/// Reads every file of a directory, up to `limit` bytes in all, and passes its entry to `on_entry`, then its bytes to
/// `on_file`. Returns whether the directory exists.
pub(super) fn read_entries(
    limit: u64,
    directory: &Path,
    mut on_entry: impl FnMut(String, Entry),
    mut on_file: impl FnMut(String, Vec<u8>, &Metadata),
) -> Result<bool, StoreError> {
    if checked_access::directory_metadata(directory)?.is_none() {
        return Ok(false);
    }
    let Some(names) = directory_operations::names(directory)? else { return Ok(false) };
    let mut remaining = limit;
    for name in names {
        let path = directory.join(&name);
        let (bytes, metadata) = checked_access::read(&path, checked_access::FILE_BYTES_MAX)?;
        remaining = remaining
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| StoreError::TooLarge { path: directory.to_owned(), limit })?;
        let entry = Entry::decode(&bytes).map_err(|source| StoreError::InvalidEntry { path, source })?;
        on_entry(name.clone(), entry);
        on_file(name, bytes, &metadata);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::manifest::ImageFormat;

    /// Section "Readers".
    #[test]
    fn file_that_ends_too_early_is_read_again_more_often_if_it_was_changed_lately() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("entry");
        let changed = |age| {
            let file = fs::File::create(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        let reads = |contents: &[(&[u8], u32)]| {
            let mut contents = contents.iter().flat_map(|(content, times)| (0..*times).map(move |_| *content));
            let (mut reads, mut pauses) = (0, 0);
            let read = || {
                reads += 1;
                serde_json::from_slice::<serde_json::Value>(contents.next().unwrap_or(b"{}"))
                    .map_err(|error| StoreError::InvalidEntry { path: path.clone(), source: error.into() })
            };
            let begun = Instant::now();
            let is_read = retry_with(read, &mut || pauses += 1, || begun).is_ok();
            assert_eq!(pauses + 1, reads);
            (is_read, reads)
        };
        changed(0);
        assert_eq!(reads(&[(b"", 200)]), (true, 201));
        assert_eq!(reads(&[(b"{\"Ref\":", 201)]), (false, 201));
        assert_eq!(reads(&[(b"]", 10)]), (true, 11));
        assert_eq!(reads(&[(b"]", 11)]), (false, 11));
        assert_eq!(reads(&[(b"", 150), (b"]", 10), (b"", 150)]), (true, 311), "each kind has its own attempts");
        changed(3600);
        assert_eq!(reads(&[(b"", 11)]), (false, 11));
    }

    #[test]
    fn read_ends_at_the_size_limit_of_a_draft() {
        let directory = tempfile::tempdir().unwrap();
        let image = Reference::parse("h.x/app:1").unwrap();
        let entry = Entry::fetched(image, ImageFormat::Oci, b"{}".to_vec(), None).encode().unwrap();
        (0..3).for_each(|number| std::fs::write(directory.path().join(number.to_string()), &entry).unwrap());
        let total = 3 * entry.len() as u64;
        let read = |limit| {
            let mut entries = 0;
            let outcome = read_entries(limit, directory.path(), |_, _| entries += 1, |_, _, _| ());
            (entries, outcome.map_err(|error| error.to_string()))
        };
        assert_eq!(read(total), (3, Ok(true)));
        let (entries, outcome) = read(total - 1);
        assert_eq!(entries, 2, "the file that exceeds the limit is not decoded");
        let expected = StoreError::TooLarge { path: directory.path().to_owned(), limit: total - 1 };
        assert_eq!(outcome, Err(expected.to_string()));
    }
}
