//! The local store of drafts: docker's own directory, read and written as `store-format.md` says.
//!
//! One narrow door: [`Store::draft`] reads, [`Store::change`] locks, reads, lets the caller make a new [`Draft`] of the
//! old one, and writes the difference. Beside these, [`Store::names`], [`Store::stored`] and [`Store::remove`] are for
//! drafts that nobody named. Nothing else touches the files, so that another place to keep drafts needs only these
//! verbs: values go in and come out, and paths are in errors alone.

mod atomic;
mod directory;
mod error;
mod folder;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod lock;
mod names;
mod owner;
mod paths;
mod read;
mod stored;
mod write;

use std::path::Path;
use std::time::SystemTime;

use crate::document::Draft;
use crate::document::draft;
use crate::reference::Reference;

pub use error::StoreError;
pub use names::StoredName;
pub use read::DRAFT_LIMIT;
pub use stored::Stored;

use lock::Lock;
use paths::Paths;

/// How often a change starts over because a docker client, which knows no lock, got in between.
const ATTEMPTS: usize = 8;

/// Docker's `manifests` directory, and ours beside its lists.
#[derive(Debug, Clone)]
pub struct Store {
    paths: Paths,
}

impl Store {
    /// The store in docker's configuration directory. Touches nothing; the directory is made by the first change.
    pub fn new(config_dir: &Path) -> Store {
        Store { paths: Paths::new(&config_dir.join("manifests")) }
    }

    /// The draft of `list`, or `None` where there is none. Takes no lock and waits for nobody.
    ///
    /// # Errors
    /// A file that cannot be read or is no entry; another list that has the same directory.
    pub fn draft(&self, list: &Reference) -> Result<Option<Draft>, StoreError> {
        read::draft(&self.paths, &draft::key(list), list)
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
        let name = draft::key(list);
        // An answer that needs no write, such as a refusal, needs no lock and makes no directory either.
        if !self.is_there(&name)? && change(None)?.is_none() {
            return Ok(());
        }
        let lock = Lock::acquire(&self.paths, &name, list, notice)?;
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
    /// A name whose side file cannot be read is not known; [`Store::stored`] says what is wrong with it.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn names(&self) -> Result<Vec<StoredName>, StoreError> {
        let named = stored::visible(&self.paths)?.into_iter().map(|directory| {
            let known = owner::look(&self.paths, &directory).ok().and_then(|look| look.owner).map(|owner| owner.list);
            StoredName { directory, known }
        });
        Ok(named.collect())
    }

    /// The draft behind a name, with what is known of it beside; `None` where it is gone by now. Takes no lock.
    ///
    /// # Errors
    /// A draft that cannot be read, or that holds what is no entry; a name that no list can have.
    pub fn stored(&self, name: &StoredName) -> Result<Option<Stored>, StoreError> {
        if name.is_a_step_down() { stored::look(&self.paths, name) } else { Ok(None) }
    }

    /// Removes the draft behind a name under its lock, if it is there, is still the one that the name speaks of, and,
    /// where `older_than` is given, was last changed before that; whether it did. `notice` is told, once, if the lock
    /// has to be waited for.
    ///
    /// # Errors
    /// As [`Store::stored`]: what is not known to be a draft stays. A store that cannot be locked or written.
    pub fn remove(
        &self,
        name: &StoredName,
        older_than: Option<SystemTime>,
        notice: &dyn Fn(&str),
    ) -> Result<bool, StoreError> {
        let directory = &name.directory;
        // What will not go needs no lock, and makes no directories for one.
        if !name.is_a_step_down() || stored::may_go(&self.paths, name, older_than)?.is_none() {
            return Ok(false);
        }
        let list = name.list().map_or_else(|| directory.clone(), |list| list.to_string());
        let lock = Lock::acquire(&self.paths, directory, &list, notice)?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let Some(seen) = stored::may_go(&self.paths, name, older_than)? else { return Ok(false) };
            match atomic::remove_directory(&self.paths, &lock, directory, |away| seen.is_still(away)) {
                Err(error) if error.is_race() => last = Some(error),
                done => return done.map(|()| true),
            }
        }
        Err(last.unwrap_or(StoreError::Busy { list }))
    }

    /// Whether there is a directory `name`; one that cannot be looked at is not taken for one that is not there.
    fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        guard::directory(&self.paths.list(name)).map(|found| found.is_some())
    }
}

#[cfg(test)]
mod tests;
