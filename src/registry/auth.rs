//! skeleton
use super::challenge::Challenge;
use super::credentials::Credentials;
use super::error::RegistryError;
pub use super::scope::Access;
pub(super) use super::scope::Scope;
pub(super) use super::token::{TokenReply, TokenRequest};
use crate::secret::Secret;

/// Who asks for a login.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The registry's host as references have it; `docker.io` unmapped.
    pub(super) registry: &'a str,
    /// Whether the request that was refused went over TLS.
    pub(super) https: bool,
    /// Whether `--insecure` was given.
    pub(super) insecure: bool,
}

/// Answers registries' challenges for the time of one command.
#[derive(Debug)]
pub(super) struct Authenticator {
    credentials: Credentials,
}

impl Authenticator {
    /// Starts with nothing asked and nothing looked up.
    pub(super) fn new(credentials: Credentials) -> Authenticator {
        Authenticator { credentials }
    }

    /// Remembers that the command is going to need this scope; the first token asks for all of them.
    pub(super) fn announce(&self, registry: &str, scope: Scope) {
        let _ = (registry, scope);
    }

    /// The `Authorization` header to send without being asked, where an earlier one covers `needed`.
    pub(super) fn header(&self, registry: &str, needed: &[Scope]) -> Option<Secret> {
        let _ = (registry, needed);
        None
    }

    /// Says that a request with this header was answered with something else than 401.
    ///
    /// It is what tells a token that has expired (ask for another) from one that was never good (give up).
    pub(super) fn accepted(&self, registry: &str, needed: &[Scope], header: &Secret) {
        let _ = (registry, needed, header);
    }

    /// What to send after a 401. `sent` is the header that was refused, if there was one.
    pub(super) fn answer(
        &self,
        origin: &Origin<'_>,
        challenges: &[Challenge],
        needed: &[Scope],
        sent: Option<&Secret>,
        send: &dyn Fn(&TokenRequest) -> Result<TokenReply, RegistryError>,
    ) -> Result<Option<Secret>, RegistryError> {
        let _ = (origin, challenges, needed, sent, send);
        Ok(None)
    }
}
