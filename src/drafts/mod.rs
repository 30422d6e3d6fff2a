//! Where drafts are kept.
//!
//! [`DraftStore`] is what every place for drafts can do. What only one place can do belongs to that place:
//! [`docker_dir::DockerDir::change`] reads, changes and writes a draft under a lock, and a registry has no locks.

pub mod docker_dir;

use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// A place for drafts. A draft goes in and comes out as a value; file names, tags and locks stay inside.
///
/// `notice` is called with a line for the user where an operation has to wait.
pub trait DraftStore {
    /// Why a draft cannot be read or changed.
    type Error: std::error::Error;

    /// The lists that have a draft here, as far as their names are known.
    ///
    /// # Errors
    /// A store that cannot be read.
    fn lists(&self) -> Result<Vec<Reference>, Self::Error>;

    /// The draft of `list`, or `None` where there is none. Waits for nobody.
    ///
    /// # Errors
    /// A draft that cannot be read.
    fn load(&self, list: &Reference) -> Result<Option<Draft>, Self::Error>;

    /// Adds entries to the draft of `list`: `add` puts them into the draft that it is given. Returns whether there is a
    /// draft to add to.
    ///
    /// A store that changes a draft as a whole gives `add` the draft as it is, and may call it again if someone else
    /// wrote at the same time. A store that keeps each entry by itself may give it an empty draft.
    ///
    /// # Errors
    /// Those of `add`, and a store that cannot be read or written. Nothing has changed then.
    fn add<E: From<Self::Error>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        add: impl FnMut(&mut Draft) -> Result<(), E>,
    ) -> Result<bool, E>;

    /// Removes entries from the draft of `list`: those that `choose` names, and what belongs to them. Returns all that
    /// were removed, or `None` where there is no draft.
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
    /// A store that cannot be written, and what is not known to be a draft.
    fn remove(&self, list: &Reference, notice: &dyn Fn(&str)) -> Result<bool, Self::Error>;
}
