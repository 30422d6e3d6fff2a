//! Stores of drafts.
//!
//! [`DraftStore`] is what every store can do. Other operations belong to one store:
//! [`docker_dir::DockerManifestStore::change`] reads, changes and writes a draft under a lock, and a registry has no
//! locks.

pub mod docker_dir;
pub mod registry;

use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// A store of drafts. Its callers see drafts, and no file names, tags or locks.
///
/// `notice` is called with a message for the user if an operation must wait.
pub trait DraftStore {
    /// Why a draft cannot be read or changed.
    type Error: std::error::Error;

    /// The lists that have a draft in this store, as far as their names are known.
    ///
    /// # Errors
    /// A store that cannot be read.
    fn lists(&self) -> Result<Vec<Reference>, Self::Error>;

    /// The draft of `list`; `None` if it does not exist. Does not wait.
    ///
    /// # Errors
    /// A draft that cannot be read.
    fn load(&self, list: &Reference) -> Result<Option<Draft>, Self::Error>;

    /// Adds entries to the draft of `list`: `add` inserts them into the draft that it gets. Returns whether there is a
    /// draft.
    ///
    /// A store that changes a draft as a whole passes the present draft to `add`, and may call `add` again after a
    /// concurrent write. A store that keeps each entry separately may pass an empty draft.
    ///
    /// # Errors
    /// Those of `add`, and a store that cannot be read or written. Then nothing has changed.
    fn add_entries<E: From<Self::Error>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        add: impl FnMut(&mut Draft) -> Result<(), E>,
    ) -> Result<bool, E>;

    /// Removes entries from the draft of `list`: those that `choose` names, with their attestations and referrers.
    /// Returns all removed entries, or `None` if there is no draft.
    ///
    /// # Errors
    /// Those of `choose`, and a store that cannot be read or written.
    fn remove_entries<E: From<Self::Error>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        choose: impl FnMut(&Draft) -> Result<Vec<Entry>, E>,
    ) -> Result<Option<Vec<Entry>>, E>;

    /// Removes the draft of `list`, readable or not. Returns whether there was one.
    ///
    /// # Errors
    /// A store that cannot be written, and content that is not known to be a draft.
    fn remove(&self, list: &Reference, notice: &dyn Fn(&str)) -> Result<bool, Self::Error>;
}
