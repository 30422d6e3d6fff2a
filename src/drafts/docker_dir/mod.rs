//! The local store of drafts: docker's own directory, read and written as `store-format.md` specifies.
//!
//! [`DockerManifestStore`] is a [`DraftStore`]. Other operations need its locks: [`DockerManifestStore::change`] locks
//! and reads a draft, gets a new [`Draft`] from the caller, and writes the difference. [`DockerManifestStore::replace`]
//! does not read the old draft. [`DockerManifestStore::stored_names`], [`DockerManifestStore::load_stored`] and
//! [`DockerManifestStore::remove_stored`] find drafts by the names of their directories. No other module opens these
//! files; other modules see paths only in errors.

mod atomic;
mod checked_access;
mod directory_handle;
mod directory_operations;
mod docker_names;
mod draft_id;
mod error;
mod format_3_members;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod lock;
mod paths;
mod read;
mod removable_directory;
mod sidecar;
mod stored_draft;
mod sweep;
mod write;

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

pub use docker_names::StoredName;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use docker_names::docker_name;
pub use error::StoreError;
pub use read::DRAFT_BYTES_MAX;
pub use removable_directory::RemovableDraft;
pub use stored_draft::StoredDraft;

use lock::Lock;
use paths::Paths;

/// The maximum number of attempts of a change. A further one is needed if docker, which uses no lock, has written
/// meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// Docker's `manifests` directory with its lists, and our private directory in it.
#[derive(Debug, Clone)]
pub struct DockerManifestStore {
    paths: Paths,
    /// The maximum wait for a lock.
    lock_timeout: Option<Duration>,
}

impl DockerManifestStore {
    /// The store in docker's configuration directory. Does no I/O; the first change creates the directory.
    pub fn new(config_dir: &Path) -> DockerManifestStore {
        DockerManifestStore { paths: Paths::new(&config_dir.join("manifests")), lock_timeout: None }
    }

    /// Sets the maximum wait for a lock; `None` waits without a limit.
    #[must_use]
    pub fn with_lock_timeout(self, lock_timeout: Option<Duration>) -> DockerManifestStore {
        DockerManifestStore { lock_timeout, ..self }
    }

    /// The draft for display. If it is not known whether the sidecar belongs to it, the draft is returned without the
    /// content of the sidecar, together with that error.
    ///
    /// # Errors
    /// As [`DraftStore::load`], except for that one.
    pub fn load_ignoring_unmatched_sidecar(
        &self,
        list: &Reference,
    ) -> Result<Option<(Draft, Option<StoreError>)>, StoreError> {
        read::for_display(&self.paths, &docker_names::docker_name(list), list)
    }

    /// Changes the draft of `list` under its lock. `change` gets the present draft and returns the new one; `None`
    /// deletes it. `notice` is called once if another process holds the lock.
    ///
    /// Changed entries are written one by one, each by an atomic rename; a new list appears as a whole. After an error
    /// everything is as before. `change` may be called again if docker wrote at the same time.
    ///
    /// # Errors
    /// Those of `change`, and a store that cannot be read, locked or written.
    pub fn change<E: From<StoreError>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        mut change: impl FnMut(Option<&Draft>) -> Result<Option<Draft>, E>,
    ) -> Result<(), E> {
        let name = docker_names::docker_name(list);
        // A result that needs no write, such as a refusal, needs no lock and creates no directory.
        if !self.directory_exists(&name)? && change(None)?.is_none() {
            return Ok(());
        }
        self.with_lock(&name, list, notice, |lock| {
            let before = read::with_contents(&self.paths, &name, list)?;
            let after = match change(before.as_ref().map(|loaded| &loaded.draft)) {
                Ok(after) => after,
                Err(error) => return Ok(Err(error)),
            };
            write::write(&self.paths, lock, &name, list, before.as_ref(), after.as_ref()).map(Ok)
        })?
    }

    /// The names of all drafts: the names of docker's directories, sorted. Empty if there is no store.
    ///
    /// A name has no recorded list if the sidecar cannot be read; [`DockerManifestStore::load_stored`] returns that
    /// error.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn stored_names(&self) -> Result<Vec<StoredName>, StoreError> {
        let names = stored_draft::visible_names(&self.paths)?.into_iter().map(|directory| {
            let recorded_list = sidecar::read_state(&self.paths, &directory)
                .ok()
                .and_then(|state| state.sidecar)
                .map(|sidecar| sidecar.list);
            StoredName { directory, recorded_list }
        });
        Ok(names.collect())
    }

    /// The draft of a directory, with its metadata; `None` if it no longer exists. Takes no lock.
    ///
    /// # Errors
    /// A draft that cannot be read, a directory with a file that is not an entry, and a name that no list can have.
    pub fn load_stored(&self, name: &StoredName) -> Result<Option<StoredDraft>, StoreError> {
        if name.is_visible_directory_name() { stored_draft::read(&self.paths, name) } else { Ok(None) }
    }

    /// Replaces the draft of the same list, readable or not, by `draft`. `notice` is called once if another
    /// process holds the lock.
    ///
    /// # Errors
    /// A directory of another list, or with a file that is not an entry; a store that cannot be locked or written.
    pub fn replace(&self, draft: &Draft, notice: &dyn Fn(&str)) -> Result<(), StoreError> {
        let list = &draft.reference;
        let name = docker_names::docker_name(list);
        self.with_lock(&name, list, notice, |lock| {
            let before = removable_directory::read(&self.paths, &name)?;
            before.as_ref().map_or(Ok(()), |before| before.check_recorded_list(list, &self.paths.list(&name)))?;
            let before = before.map(|before| before.into_empty_draft(list));
            write::write(&self.paths, lock, &name, list, before.as_ref(), Some(draft))
        })
    }

    /// The draft of a directory, readable or not, as a removal reports it; `None` if it no longer exists.
    ///
    /// # Errors
    /// A directory with a file that is not an entry, or with a name that no list can have.
    pub fn removable_draft(&self, name: &StoredName) -> Result<Option<RemovableDraft>, StoreError> {
        if !name.is_visible_directory_name() {
            return Ok(None);
        }
        let removable = removable_directory::read(&self.paths, &name.directory)?;
        removable.map(|removable| removable.removable_draft(&self.paths, name)).transpose()
    }

    /// Removes the draft of a directory, readable or not, under its lock. The draft stays if its list is no longer that
    /// of `name`, or if it was last changed at `older_than` or later. Returns whether it was removed. `notice` is
    /// called once if another process holds the lock.
    ///
    /// # Errors
    /// As [`DockerManifestStore::removable_draft`], and a store that cannot be locked or written.
    pub fn remove_stored(
        &self,
        name: &StoredName,
        older_than: Option<SystemTime>,
        notice: &dyn Fn(&str),
    ) -> Result<bool, StoreError> {
        let directory = &name.directory;
        let read_removable = || {
            let removable = removable_directory::read(&self.paths, directory)?
                .filter(|removable| removable.is_removable(name, older_than));
            removable.map(|removable| Ok((removable.removable_draft(&self.paths, name)?.list, removable))).transpose()
        };
        // For a draft that stays, no lock is taken, and no directory is created for one.
        if !name.is_visible_directory_name() {
            return Ok(false);
        }
        let Some((list, _)) = read_removable()? else { return Ok(false) };
        self.with_lock(directory, &list, notice, |lock| {
            let Some((_, removable)) = read_removable()? else { return Ok(false) };
            atomic::remove_directory(&self.paths, lock, directory, |hidden| removable.is_unchanged_since_read(hidden))
                .map(|()| true)
        })
    }

    /// Deletes the files that killed processes left: staged files, and sidecars and locks without a list. Files in use
    /// stay.
    ///
    /// # Errors
    /// The first file that cannot be deleted. The others are deleted nevertheless.
    pub fn sweep(&self) -> Result<(), StoreError> {
        sweep::sweep(&self.paths)
    }

    /// Makes an attempt under the lock of `list`, whose directory is `name`. Repeats it if docker, which uses no lock,
    /// has written meanwhile.
    fn with_lock<T>(
        &self,
        name: &str,
        list: &Reference,
        notice: &dyn Fn(&str),
        mut attempt: impl FnMut(&Lock) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lock = Lock::acquire(&self.paths, name, list, notice, self.lock_timeout)?;
        for _ in 1..ATTEMPTS_MAX {
            match attempt(&lock) {
                Err(error) if error.is_race() => {}
                done => return done,
            }
        }
        attempt(&lock)
    }

    /// Whether the directory `name` exists.
    fn directory_exists(&self, name: &str) -> Result<bool, StoreError> {
        checked_access::directory_metadata(&self.paths.list(name)).map(|metadata| metadata.is_some())
    }
}

impl DraftStore for DockerManifestStore {
    type Error = StoreError;

    /// Docker does not store the names of lists, so the names of its drafts are guesses.
    fn lists(&self) -> Result<Vec<Reference>, StoreError> {
        Ok(self.stored_names()?.iter().filter_map(StoredName::list).collect())
    }

    /// Takes no lock. If another list has the same directory, that is an error.
    fn load(&self, list: &Reference) -> Result<Option<Draft>, StoreError> {
        read::draft(&self.paths, &docker_names::docker_name(list), list)
    }

    fn add_entries<E: From<StoreError>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        mut add: impl FnMut(&mut Draft) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut exists = false;
        self.change(list, notice, |before| {
            let mut draft = before.cloned();
            exists = draft.is_some();
            draft.iter_mut().try_for_each(&mut add)?;
            Ok::<_, E>(draft)
        })?;
        Ok(exists)
    }

    fn remove_entries<E: From<StoreError>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        mut choose: impl FnMut(&Draft) -> Result<Vec<Entry>, E>,
    ) -> Result<Option<Vec<Entry>>, E> {
        let mut removed = None;
        self.change(list, notice, |before| {
            removed = None;
            let Some(mut draft) = before.cloned() else { return Ok(None) };
            let chosen = choose(&draft)?;
            removed = Some(chosen.iter().flat_map(|entry| draft.remove_with_dependents(entry)).collect());
            Ok::<_, E>(Some(draft))
        })?;
        Ok(removed)
    }

    fn remove(&self, list: &Reference, notice: &dyn Fn(&str)) -> Result<bool, StoreError> {
        let name = docker_names::docker_name(list);
        if !self.directory_exists(&name)? {
            return Ok(false);
        }
        self.with_lock(&name, list, notice, |lock| {
            let Some(removable) = removable_directory::read(&self.paths, &name)? else { return Ok(false) };
            removable.check_recorded_list(list, &self.paths.list(&name))?;
            // Entries that docker has added meanwhile belong to the list and are removed, too.
            let is_same_directory = |hidden: &Path| {
                removable_directory::check_files(hidden)?;
                removable.is_same_directory(hidden)
            };
            atomic::remove_directory(&self.paths, lock, &name, is_same_directory).map(|()| true)
        })
    }
}

#[cfg(test)]
#[path = "store_format_tests.rs"]
mod tests;
