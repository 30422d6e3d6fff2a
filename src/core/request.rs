//! What a command wants, as values: no argv, no flags.

use crate::core::error::CommandError;
use crate::model::spec::Attestations;
use crate::platform::{Platform, PlatformError};
use crate::reference::{Reference, ReferenceError};

/// An image that a user named, or why that is no reference. The error waits until the image's turn comes, as in docker.
pub type ImageName = Result<Reference, InvalidName>;

/// A word that is no reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    /// The word; docker's messages quote it.
    pub typed: String,
    /// What is wrong with it.
    pub source: ReferenceError,
}

impl From<InvalidName> for CommandError {
    fn from(InvalidName { typed, source }: InvalidName) -> CommandError {
        CommandError::Typed { typed, source }
    }
}

/// A platform that a user wants, in the user's spelling and in ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformFilter {
    /// The user's own spelling, for messages.
    pub typed: String,
    /// The platform, in one spelling for each word ([`Platform::parse`]).
    pub parsed: Platform,
}

impl PlatformFilter {
    /// Reads a platform whose words are known.
    ///
    /// # Errors
    /// Another form, or a word that is in no pair of operating system and architecture, with the nearest right one.
    pub fn new(typed: &str) -> Result<PlatformFilter, PlatformError> {
        let filter = PlatformFilter::any(typed)?;
        filter.parsed.check_words()?;
        Ok(filter)
    }

    /// Reads a platform that a list may have, whether it is a known one or not.
    ///
    /// # Errors
    /// Another form.
    pub fn any(typed: &str) -> Result<PlatformFilter, PlatformError> {
        let typed = typed.trim();
        Ok(PlatformFilter { typed: typed.to_owned(), parsed: Platform::parse(typed)? })
    }
}

/// What is taken from an image that is an index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// Only these platforms; all where there are none.
    pub platforms: Vec<PlatformFilter>,
    /// Whether attestations come along.
    pub attestations: Attestations,
}
