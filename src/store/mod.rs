//! The local store of drafts: docker's own directory, read and written as `store-format.md` says.
//!
//! One narrow door: [`Store::draft`] reads, [`Store::change`] locks, reads, lets the caller make a new [`Draft`] of the
//! old one, and writes the difference. Nothing else touches the files, so that another place to keep drafts needs only
//! these verbs.

mod atomic;
mod error;
mod lock;
mod names;
mod owner;
mod paths;
mod read;

use std::io::ErrorKind;
use std::path::Path;

use crate::document::Draft;
use crate::document::draft;
use crate::reference::Reference;

pub use error::StoreError;
pub use names::StoredName;

use lock::Lock;
use owner::Owner;
use paths::Paths;
use read::Snapshot;

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
        read::draft(&self.paths, &self.checked_name(list)?, list)
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
            let before = read::snapshot(&self.paths, &self.checked_name(list)?, list)?;
            let after = change(before.as_ref().map(|snapshot| &snapshot.draft))?;
            match self.write(&lock, &name, list, before.as_ref(), after.as_ref()) {
                Err(error) if error.is_race() => last = Some(error),
                done => return Ok(done?),
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Busy { list: list.to_string() }).into())
    }

    /// The names of all drafts, as docker's directory names, sorted; none where there is no store.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn names(&self) -> Result<Vec<StoredName>, StoreError> {
        let names = read::directory_names(self.paths.root())?.unwrap_or_default();
        let visible = names.into_iter().filter(|name| !name.starts_with('.'));
        let named = visible.map(|directory| {
            let known = owner::read(&self.paths, &directory)?.map(|owner| owner.list);
            Ok(StoredName { directory, known })
        });
        named.collect()
    }

    /// Whether there is a directory `name`; one that cannot be looked at is not taken for one that is not there.
    fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.paths.list(name);
        match path.try_exists() {
            Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::InvalidFilename) => Ok(false),
            known => known.map_err(StoreError::io("look at", &path)),
        }
    }

    /// The name of the directory of `list`, which no other list has.
    fn checked_name(&self, list: &Reference) -> Result<String, StoreError> {
        let name = draft::key(list);
        if let Some(owner) = owner::read(&self.paths, &name)? {
            owner.check(list, &self.paths.list(&name))?;
        }
        Ok(name)
    }

    fn write(
        &self,
        lock: &Lock,
        name: &str,
        list: &Reference,
        before: Option<&Snapshot>,
        after: Option<&Draft>,
    ) -> Result<(), StoreError> {
        let target = self.paths.list(name);
        let Some(after) = after else {
            if before.is_some() {
                atomic::remove_directory(&self.paths, lock, &target)?;
            }
            return Ok(());
        };
        let files = read::encode(before, after, &target)?;
        match before {
            None => atomic::create_directory(&self.paths, lock, &target, &files, |directory| {
                Owner::of(list, directory)?.record(&self.paths, lock, name)
            }),
            Some(before) => {
                if owner::read(&self.paths, name)?.is_none() {
                    Owner::of(list, &target)?.record(&self.paths, lock, name)?;
                }
                atomic::replace_files(lock, &target, &before.files, &files)
            }
        }
    }
}

#[cfg(test)]
mod tests;
