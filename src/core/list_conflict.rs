//! Why a published list cannot be changed in one step: it has a draft, it is named by its digest, or another client
//! changes it.

use crate::digest::Digest;

/// The conflict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListConflict {
    /// A draft of that name, which may hold unpublished work.
    #[error("there is a draft of {list}: it would say something else than what is published")]
    DraftExists {
        /// The list.
        list: String,
    },
    /// The tag no longer serves the list that the change was made to.
    #[error("{list} was changed meanwhile, from {fetched} to {}; nothing was published", or_nothing(.current.as_ref()))]
    Moved {
        /// The list.
        list: String,
        /// The digest that the change was made to.
        fetched: Digest,
        /// The digest that it serves now.
        current: Option<Digest>,
    },
    /// The tag does not serve the list that was just published.
    #[error("{list} was published as {digest}, then replaced by {}", or_nothing(.current.as_ref()))]
    ReplacedAfterPush {
        /// The list.
        list: String,
        /// The digest of the published list.
        digest: Digest,
        /// The digest that it serves now.
        current: Option<Digest>,
    },
    /// A list named by its digest. No other list can be published under it.
    #[error("{list} is a digest, which always names the same list")]
    NamedByDigest {
        /// The list.
        list: String,
    },
}

impl ListConflict {
    /// The list.
    pub fn list(&self) -> &str {
        match self {
            ListConflict::DraftExists { list }
            | ListConflict::Moved { list, .. }
            | ListConflict::ReplacedAfterPush { list, .. }
            | ListConflict::NamedByDigest { list } => list,
        }
    }

    /// Whether another client has changed the list meanwhile, so that the same command may succeed now.
    pub fn is_race(&self) -> bool {
        matches!(self, ListConflict::Moved { .. } | ListConflict::ReplacedAfterPush { .. })
    }
}

fn or_nothing(current: Option<&Digest>) -> String {
    current.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}
