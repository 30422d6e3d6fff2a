//! The images that a user names, and the filters of platforms, sources and referrers, as values without argv and flags.

use crate::core::error::CommandError;
use crate::core::error_parts::NameRole;
use crate::location::{InvalidLocation, Location};
use crate::model::spec::AttestationsPolicy;
use crate::platform::{Platform, PlatformError};

/// An image that the user named, or an invalid name. The error is reported when the image is processed, as in docker.
pub type LocationResult = Result<Location, InvalidName>;

/// A word that names no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    /// The word; docker's messages quote it.
    pub typed: String,
    /// What is wrong with it.
    pub source: InvalidLocation,
}

impl From<InvalidName> for CommandError {
    fn from(InvalidName { typed, source }: InvalidName) -> CommandError {
        match source {
            InvalidLocation::Reference(source) => CommandError::InvalidName { role: NameRole::Any, typed, source },
            InvalidLocation::Layout(reason) => CommandError::InvalidLocation { typed, reason },
        }
    }
}

/// A platform that is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformFilter {
    /// As messages show it: as the user wrote it, if a user did.
    pub text: String,
    /// In normal form ([`Platform::parse`]).
    pub parsed: Platform,
}

impl PlatformFilter {
    /// Reads a known platform.
    ///
    /// # Errors
    /// An invalid form, or an unknown pair of operating system and architecture, with the nearest known one.
    pub fn parse_known(text: &str) -> Result<PlatformFilter, PlatformError> {
        let filter = PlatformFilter::parse(text)?;
        filter.parsed.check_known()?;
        Ok(filter)
    }

    /// Reads any platform that a list may have.
    ///
    /// # Errors
    /// An invalid form.
    pub fn parse(text: &str) -> Result<PlatformFilter, PlatformError> {
        let text = text.trim();
        Ok(PlatformFilter { text: text.to_owned(), parsed: Platform::parse(text)? })
    }
}

/// Which parts of an index are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// The selected platforms; all if empty.
    pub platforms: Vec<PlatformFilter>,
    /// Whether attestations are kept.
    pub attestations: AttestationsPolicy,
    /// Whether the attestation of an image without an index is searched for among its referrers.
    pub search_attestation_referrers: bool,
}

/// Which referrers of the images are copied or pushed with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersPolicy {
    /// Those that sign or attest (`keep` on the command line).
    SignaturesAndAttestations,
    /// No referrers.
    Drop,
    /// All referrers.
    All,
}

/// The options that select referrers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReferrerFilter {
    /// The policy, if the user chose one.
    pub policy: Option<ReferrersPolicy>,
    /// Only these artifact types; all types if empty.
    pub types: Vec<String>,
}

impl ReferrerFilter {
    /// The policy for a list. With types, the default is all referrers of these types. Without types, an unchanged list
    /// (`is_unchanged`) keeps signatures and attestations, and a new list keeps no referrers.
    pub(crate) fn policy(&self, is_unchanged: bool) -> ReferrersPolicy {
        let default = match (self.types.is_empty(), is_unchanged) {
            (false, _) => ReferrersPolicy::All,
            (true, true) => ReferrersPolicy::SignaturesAndAttestations,
            (true, false) => ReferrersPolicy::Drop,
        };
        self.policy.unwrap_or(default)
    }
}
