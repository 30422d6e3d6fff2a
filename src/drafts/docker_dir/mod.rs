//! The local store of drafts: docker's own directory, read and written as `store-format.md` says.
//!
//! [`DockerDir`] is a [`DraftStore`]. Beside that it has what only a folder with a lock can do: [`DockerDir::change`]
//! locks, reads, lets the caller make a new [`Draft`] of the old one, and writes the difference, and
//! [`DockerDir::replace`] needs nothing of what is there. [`DockerDir::names`], [`DockerDir::stored`] and
//! [`DockerDir::remove_stored`] are for drafts that nobody named. Nothing else touches the files: values go in and come
//! out, and paths are in errors alone.

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

/// How often a change starts over because a docker client, which knows no lock, got in between.
const ATTEMPTS: usize = 8;

/// Docker's `manifests` directory, and ours beside its lists.
#[derive(Debug, Clone)]
pub struct DockerDir {
    paths: Paths,
    /// How long a lock is waited for.
    patience: Option<Duration>,
}

impl DockerDir {
    /// The store in docker's configuration directory. Touches nothing; the directory is made by the first change.
    pub fn new(config_dir: &Path) -> DockerDir {
        DockerDir { paths: Paths::new(&config_dir.join("manifests")), patience: None }
    }

    /// The same store, where waiting for a lock ends after this time, if one is given.
    #[must_use]
    pub fn waiting(self, patience: Option<Duration>) -> DockerDir {
        DockerDir { patience, ..self }
    }

    /// The draft for those who only show it. Where it is not known whether it says of itself what is written down of
    /// that list, it says nothing, and an error tells so.
    ///
    /// # Errors
    /// As [`DraftStore::load`], but for that one.
    pub fn shown(&self, list: &Reference) -> Result<Option<(Draft, Option<StoreError>)>, StoreError> {
        read::shown(&self.paths, &names::docker_name(list), list)
    }

    /// Changes the draft of `list` under its lock: `change` is given what is there and returns what shall be there,
    /// `None` for nothing. `notice` is told, once, if the lock has to be waited for.
    ///
    /// The entries that differ are written, each by an atomic rename; a new list appears as a whole. After an error
    /// everything is as it was before. `change` may be called again if docker wrote at the same time.
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
        // An answer that needs no write, such as a refusal, needs no lock and makes no directory either.
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

    /// The names of all drafts, as docker's directory names, sorted; none where there is no store.
    ///
    /// A name whose sidecar cannot be read is not known; [`DockerDir::stored`] says what is wrong with it.
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

    /// The draft behind a name, with what is known of it beside; `None` where it is gone by now. Takes no lock.
    ///
    /// # Errors
    /// A draft that cannot be read, or that holds what is no entry; a name that no list can have.
    pub fn stored(&self, name: &StoredName) -> Result<Option<StoredDraft>, StoreError> {
        if name.is_a_step_down() { stored::look(&self.paths, name) } else { Ok(None) }
    }

    /// Puts `draft` in the place of whatever there is of its list, readable or not. `notice` is told, once, if the lock
    /// has to be waited for.
    ///
    /// # Errors
    /// A directory with what is no entry, or of another list; a store that cannot be locked or written.
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

    /// What a removal needs to know of the draft behind a name, readable or not; `None` where it is gone by now.
    ///
    /// # Errors
    /// A directory with what is no entry, or that no list can have.
    pub fn removable(&self, name: &StoredName) -> Result<Option<Removable>, StoreError> {
        if !name.is_a_step_down() {
            return Ok(None);
        }
        let remains = remains::look(&self.paths, &name.directory)?;
        remains.map(|remains| remains.describe(&self.paths, name)).transpose()
    }

    /// Removes the draft behind a name under its lock, readable or not, if it is there, is still the one that the name
    /// speaks of, and, where `older_than` is given, was last changed before that; whether it did. `notice` is told,
    /// once, if the lock has to be waited for.
    ///
    /// # Errors
    /// As [`DockerDir::removable`]: what is not known to be a draft stays. A store that cannot be locked or written.
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
        // What will not go needs no lock, and makes no directories for one.
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

    /// Clears what killed processes left: staged files, and sidecars and locks of lists that are not there. What
    /// somebody is using stays.
    ///
    /// # Errors
    /// The first of what cannot be deleted; the rest is cleared all the same.
    pub fn sweep(&self) -> Result<(), StoreError> {
        sweep::sweep(&self.paths)
    }

    fn lock(&self, name: &str, list: &dyn Display, notice: &dyn Fn(&str)) -> Result<Lock, StoreError> {
        Lock::acquire(&self.paths, name, list, notice, self.patience)
    }

    /// Starts over where docker, which knows no lock, got in between.
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

    /// Whether there is a directory `name`; one that cannot be looked at is not taken for one that is not there.
    fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        checked_access::directory(&self.paths.list(name)).map(|found| found.is_some())
    }
}

impl DraftStore for DockerDir {
    type Error = StoreError;

    /// Docker does not write the names of lists down, so that some are guesses.
    fn lists(&self) -> Result<Vec<Reference>, StoreError> {
        Ok(self.names()?.iter().filter_map(StoredName::list).collect())
    }

    /// Takes no lock. Another list that has the same directory is an error.
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
        let mut gone = None;
        self.change(list, notice, |before| {
            gone = None;
            let Some(mut draft) = before.cloned() else { return Ok(None) };
            let chosen = choose(&draft)?;
            gone = Some(chosen.iter().flat_map(|entry| draft.take_out(entry)).collect());
            Ok::<_, E>(Some(draft))
        })?;
        Ok(gone)
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
            // Whatever docker has written into it meanwhile is of the list that is to go.
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
