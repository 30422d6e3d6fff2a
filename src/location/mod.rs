//! The name of an image in a registry or in a layout.

mod layout_reference;

use std::fmt;

use crate::digest::Digest;
use crate::reference::{Reference, ReferenceError};

pub use layout_reference::{LayoutKind, LayoutReference};

/// The location of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// In a repository of a registry.
    Registry(Reference),
    /// In an OCI image layout on disk.
    Layout(LayoutReference),
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// An invalid name of a layout, with the reason.
    #[error("{0}")]
    Layout(String),
    /// An invalid reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl Location {
    /// Reads a location as a user types it.
    ///
    /// # Errors
    /// A text that is neither a layout's name nor a reference.
    pub fn parse(text: &str) -> Result<Location, InvalidLocation> {
        match LayoutReference::parse(text) {
            Some(layout) => layout.map(Location::Layout).map_err(InvalidLocation::Layout),
            None => Reference::parse(text).map(Location::Registry).map_err(InvalidLocation::Reference),
        }
    }

    /// The reference, if it is in a registry.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Location::Registry(reference) => Some(reference),
            Location::Layout(_) => None,
        }
    }

    /// The layout, if it is in one.
    pub fn layout(&self) -> Option<&LayoutReference> {
        match self {
            Location::Registry(_) => None,
            Location::Layout(layout) => Some(layout),
        }
    }

    /// The tag, or the name in a layout.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Location::Registry(reference) => reference.tag(),
            Location::Layout(layout) => layout.tag.as_deref(),
        }
    }

    /// The same, with this digest. A tag of a registry stays.
    #[must_use]
    pub fn with_digest(&self, digest: &Digest) -> Location {
        match self {
            Location::Registry(reference) => Location::Registry(reference.with_digest(digest)),
            Location::Layout(layout) => Location::Layout(layout.at_digest(digest)),
        }
    }

    /// The manifest with this digest in the same repository or layout.
    #[must_use]
    pub fn at_digest(&self, digest: &Digest) -> Location {
        match self {
            Location::Registry(reference) => Location::Registry(reference.repository().at_digest(digest)),
            Location::Layout(layout) => Location::Layout(layout.at_digest(digest)),
        }
    }
}

impl From<Reference> for Location {
    fn from(reference: Reference) -> Location {
        Location::Registry(reference)
    }
}

/// A reference in full; a layout as it was typed.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Registry(reference) => reference.fmt(f),
            Location::Layout(layout) => layout.fmt(f),
        }
    }
}
