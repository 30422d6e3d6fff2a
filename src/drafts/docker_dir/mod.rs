//! The local store of drafts: docker's own directory, read and written as `store-format.md` says.
//!
//! [`DockerDir`] is a [`DraftStore`]. It has further operations that need a folder with a lock: [`DockerDir::change`]
//! locks, reads, lets the caller make a new [`Draft`] from the old one, and writes the difference.
//! [`DockerDir::replace`] does not read the old draft. [`DockerDir::names`], [`DockerDir::stored`] and
//! [`DockerDir::remove_stored`] address drafts by their directories. No other module opens these files; paths leave
//! this module only in errors.

mod atomic;
mod checked_access;
mod directory;
mod error;
mod folder;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod lock;
mod mark;
mod names;
mod paths;
mod read;
mod remains;
mod sidecar;
mod stored;
mod sweep;
mod write;

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::drafts::DraftStore;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

pub use error::StoreError;
pub use names::StoredName;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use names::docker_name;
pub use read::DRAFT_LIMIT;
pub use remains::Removable;
pub use stored::StoredDraft;

use lock::Lock;
use paths::Paths;

/// How often a change starts over because a docker client, which uses no lock, has written meanwhile.
const ATTEMPTS: usize = 8;

/// Docker's `manifests` directory, and ours beside its lists.
#[derive(Debug, Clone)]
pub struct DockerDir {
    paths: Paths,
    /// The maximum wait for a lock.
    patience: Option<Duration>,
}

impl DockerDir {
    /// The store in docker's configuration directory. Does no I/O; the first change creates the directory.
    pub fn new(config_dir: &Path) -> DockerDir {
        DockerDir { paths: Paths::new(&config_dir.join("manifests")), patience: None }
    }

    /// Limits the wait for a lock, if a time is given.
    #[must_use]
    pub fn waiting(self, patience: Option<Duration>) -> DockerDir {
        DockerDir { patience, ..self }
    }

    /// The draft, for display. If it is not known whether the sidecar belongs to it, it is returned without the
    /// sidecar's content, together with an error.
    ///
    /// # Errors
    /// As [`DraftStore::load`], except for that one.
    pub fn shown(&self, list: &Reference) -> Result<Option<(Draft, Option<StoreError>)>, StoreError> {
        read::shown(&self.paths, &names::docker_name(list), list)
    }

    /// Changes the draft of `list` under its lock: `change` gets the present draft and returns the new one; `None`
    /// deletes it. `notice` is called once if the lock must be waited for.
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
        let name = names::docker_name(list);
        // A result that needs no write, such as a refusal, needs no lock and creates no directory.
        if !self.is_there(&name)? && change(None)?.is_none() {
            return Ok(());
        }
        let lock = self.lock(&name, list, notice)?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let before = read::snapshot(&self.paths, &name, list)?;
            let after = change(before.as_ref().map(|snapshot| &snapshot.draft))?;
            match write::write(&self.paths, &lock, &name, list, before.as_ref(), after.as_ref()) {
                Err(error) if error.is_race() => last = Some(error),
                done => return Ok(done?),
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Busy { list: list.to_string() }).into())
    }

    /// The names of all drafts, as docker's directory names, sorted; empty if there is no store.
    ///
    /// The list is not known if the sidecar cannot be read; [`DockerDir::stored`] returns that error.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn names(&self) -> Result<Vec<StoredName>, StoreError> {
        let named = stored::visible(&self.paths)?.into_iter().map(|directory| {
            let known =
                sidecar::look(&self.paths, &directory).ok().and_then(|look| look.sidecar).map(|sidecar| sidecar.list);
            StoredName { directory, known }
        });
        Ok(named.collect())
    }

    /// The draft of a directory, with its metadata; `None` if it no longer exists. Takes no lock.
    ///
    /// # Errors
    /// A draft that cannot be read, a directory with a file that is no entry, and a name that no list can have.
    pub fn stored(&self, name: &StoredName) -> Result<Option<StoredDraft>, StoreError> {
        if name.is_a_step_down() { stored::look(&self.paths, name) } else { Ok(None) }
    }

    /// Replaces the draft of the same list, readable or not, by `draft`. `notice` is called once if the lock must be
    /// waited for.
    ///
    /// # Errors
    /// A directory with a file that is no entry, or of another list; a store that cannot be locked or written.
    pub fn replace(&self, draft: &Draft, notice: &dyn Fn(&str)) -> Result<(), StoreError> {
        let list = &draft.reference;
        let name = names::docker_name(list);
        let lock = self.lock(&name, list, notice)?;
        DockerDir::again(list, || {
            let before = remains::look(&self.paths, &name)?;
            before.as_ref().map_or(Ok(()), |before| before.check(list, &self.paths.list(&name)))?;
            let before = before.map(|before| before.into_snapshot(list));
            write::write(&self.paths, &lock, &name, list, before.as_ref(), Some(draft))
        })
    }

    /// What a removal reads of the draft of a directory, readable or not; `None` if it no longer exists.
    ///
    /// # Errors
    /// A directory with a file that is no entry, or that no list can have.
    pub fn removable(&self, name: &StoredName) -> Result<Option<Removable>, StoreError> {
        if !name.is_a_step_down() {
            return Ok(None);
        }
        let remains = remains::look(&self.paths, &name.directory)?;
        remains.map(|remains| remains.describe(&self.paths, name)).transpose()
    }

    /// Removes the draft of a directory under its lock, readable or not, if it is still the one that `name` was read
    /// from and, with `older_than`, was last changed before that time. Returns whether it was removed. `notice` is
    /// called once if the lock must be waited for.
    ///
    /// # Errors
    /// As [`DockerDir::removable`], and a store that cannot be locked or written.
    pub fn remove_stored(
        &self,
        name: &StoredName,
        older_than: Option<SystemTime>,
        notice: &dyn Fn(&str),
    ) -> Result<bool, StoreError> {
        let directory = &name.directory;
        let look = || {
            let remains = remains::look(&self.paths, directory)?.filter(|remains| remains.may_go(name, older_than));
            remains.map(|remains| Ok((remains.describe(&self.paths, name)?.list, remains))).transpose()
        };
        // A directory that cannot be removed needs no lock, and no directories for one.
        if !name.is_a_step_down() {
            return Ok(false);
        }
        let Some((list, _)) = look()? else { return Ok(false) };
        let lock = self.lock(directory, &list, notice)?;
        DockerDir::again(&list, || {
            let Some((_, remains)) = look()? else { return Ok(false) };
            atomic::remove_directory(&self.paths, &lock, directory, |away| remains.is_still(away)).map(|()| true)
        })
    }

    /// Deletes what killed processes left: staged files, and sidecars and locks without a list. Files in use stay.
    ///
    /// # Errors
    /// The first file that cannot be deleted; the others are deleted anyway.
    pub fn sweep(&self) -> Result<(), StoreError> {
        sweep::sweep(&self.paths)
    }

    fn lock(&self, name: &str, list: &dyn Display, notice: &dyn Fn(&str)) -> Result<Lock, StoreError> {
        Lock::acquire(&self.paths, name, list, notice, self.patience)
    }

    /// Starts over if docker, which uses no lock, has written meanwhile.
    fn again<T>(list: &Reference, mut attempt: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match attempt() {
                Err(error) if error.is_race() => last = Some(error),
                done => return done,
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Busy { list: list.to_string() }))
    }

    /// Whether there is a directory `name`. One that cannot be checked is an error.
    fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        checked_access::directory(&self.paths.list(name)).map(|found| found.is_some())
    }
}

impl DraftStore for DockerDir {
    type Error = StoreError;

    /// Docker does not store the names of lists, so some names are guesses.
    fn lists(&self) -> Result<Vec<Reference>, StoreError> {
        Ok(self.names()?.iter().filter_map(StoredName::list).collect())
    }

    /// Takes no lock. If another list has the same directory, that is an error.
    fn load(&self, list: &Reference) -> Result<Option<Draft>, StoreError> {
        read::draft(&self.paths, &names::docker_name(list), list)
    }

    fn add<E: From<StoreError>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        mut add: impl FnMut(&mut Draft) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut is_there = false;
        self.change(list, notice, |before| {
            let mut draft = before.cloned();
            is_there = draft.is_some();
            draft.iter_mut().try_for_each(&mut add)?;
            Ok::<_, E>(draft)
        })?;
        Ok(is_there)
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
            removed = Some(chosen.iter().flat_map(|entry| draft.take_out(entry)).collect());
            Ok::<_, E>(Some(draft))
        })?;
        Ok(removed)
    }

    fn remove(&self, list: &Reference, notice: &dyn Fn(&str)) -> Result<bool, StoreError> {
        let name = names::docker_name(list);
        if !self.is_there(&name)? {
            return Ok(false);
        }
        let lock = self.lock(&name, list, notice)?;
        DockerDir::again(list, || {
            let Some(remains) = remains::look(&self.paths, &name)? else { return Ok(false) };
            remains.check(list, &self.paths.list(&name))?;
            // What docker has written into it meanwhile belongs to the list that is removed.
            let may_go = |away: &Path| {
                remains::check(away)?;
                remains.is_at(away)
            };
            atomic::remove_directory(&self.paths, &lock, &name, may_go).map(|()| true)
        })
    }
}

#[cfg(test)]
mod tests;
