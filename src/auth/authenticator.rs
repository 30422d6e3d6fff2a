//! Answers a registry's 401 with Basic, or with Bearer by the distribution token specification.
//!
//! Before a registry sends a challenge, no credentials are read and no token is requested. The first token request
//! names all scopes that the command expects to need, so that one token serves the whole command. If the registry or
//! its token server refuses that, a second request names exactly the challenged scope. `TokenCache` records what each
//! token was accepted for.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::auth::bearer_challenge::{self, RegistryAuth};
use crate::auth::challenge::Challenge;
use crate::auth::credentials::{Credential, CredentialStore};
use crate::auth::registry_auth_state::{ChallengedRequest, RegistryAuthState, SendTokenRequest};
use crate::auth::scope::Scopes;
use crate::auth::token_protocol;
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::net::host;
use crate::net::redact::Redactor;
use crate::secret::Secret;
use crate::sync::lock;

/// Answers the challenges of all registries during one command.
#[derive(Debug)]
pub(crate) struct Authenticator {
    credentials: CredentialStore,
    redactor: Arc<Redactor>,
    registries: Mutex<BTreeMap<String, Arc<RegistryAuthState>>>,
}

impl Authenticator {
    /// Starts without any challenge or credential. Redacts secrets in every text that it quotes. Does no I/O.
    pub(crate) fn new(credentials: CredentialStore, redactor: Arc<Redactor>) -> Authenticator {
        Authenticator { credentials, redactor, registries: Mutex::default() }
    }

    /// Records that the command will need these scopes. The first token request names all expected scopes.
    pub(crate) fn expect_scopes(&self, registry: &str, scopes: &Scopes) {
        lock(&self.registry_state(registry).state).expected.add(scopes);
    }

    /// The `Authorization` header to send before any challenge. `None` until the registry has sent a challenge in this
    /// command, and if no cached token covers `needed`.
    pub(crate) fn header(&self, registry: &str, needed: &Scopes) -> Option<Secret> {
        let registry_state = self.registry_state(registry);
        let token = || lock(&registry_state.state).cache.find(needed, Instant::now()).cloned();
        registry_state.static_auth.accepted_header().or_else(token)
    }

    /// Records that a request with this header got a status other than 401.
    ///
    /// This distinguishes a token that expired (another one is requested) from a token that was never accepted (the 401
    /// is final).
    pub(crate) fn record_accepted(&self, registry: &str, needed: &Scopes, header: &Secret) {
        let registry_state = self.registry_state(registry);
        registry_state.static_auth.accept(header);
        lock(&registry_state.state).cache.accept(header, needed);
    }

    /// Records that the registry refused this header as too large. Returns true if its token covered more than
    /// `needed`; from then on each token covers one repository.
    pub(crate) fn record_token_too_large(&self, registry: &str, needed: &Scopes, header: &Secret) -> bool {
        let registry_state = self.registry_state(registry);
        let mut state = lock(&registry_state.state);
        let wide = state.cache.remove_overscoped(needed);
        state.too_large.extend(wide);
        let is_wide = state.too_large.contains(header);
        state.one_repository_per_token |= is_wide;
        is_wide
    }

    /// Ends this thread's request. `error` is its error, if it failed. If this thread was probing a login and the
    /// registry did not decide, another thread may probe it.
    pub(crate) fn release_login_probe(&self, registry: &str, error: Option<&RegistryError>) {
        self.registry_state(registry).static_auth.release_login_probe(error);
    }

    /// The kind of error that a final 401 is: no login, a wrong login, or a login without the necessary rights.
    /// `is_login_refused`: the registry refused the login itself and not a token. A login that was accepted for any
    /// request is right.
    pub(crate) fn unauthorized_kind(&self, registry: &str, is_login_refused: bool) -> RegistryErrorKind {
        let registry_state = self.registry_state(registry);
        let state = lock(&registry_state.state);
        match &state.credential {
            Some(Ok(credential)) if !credential.is_anonymous() => {
                if !is_login_refused && !registry_state.static_auth.is_refused() {
                    RegistryErrorKind::Forbidden
                } else if self.credentials.has_command_line_login(registry) {
                    RegistryErrorKind::CommandLineLoginRefused
                } else {
                    RegistryErrorKind::LoginRefused
                }
            }
            _ => RegistryErrorKind::Unauthorized,
        }
    }

    /// Whether the user may be logged in to this registry, decided without running a helper.
    pub(crate) fn may_have_login(&self, registry: &str) -> bool {
        self.credentials.may_have(registry)
    }

    /// Whether the user is logged in to this registry. Credentials that cannot be read count as none.
    pub(crate) fn has_login(&self, registry: &str, time_left: Option<Duration>) -> bool {
        let registry_state = self.registry_state(registry);
        let _token_lock = lock(&registry_state.token_lock);
        self.credential(&registry_state, registry, time_left).is_ok_and(|credential| !credential.is_anonymous())
    }

    /// The header to send after a 401. `refused_header` is the one that was sent, if there was one.
    ///
    /// `Some` means: repeat the request with this header. `None` means that the 401 is final. Each thread gets at most
    /// three headers for one request. One thread at a time fetches tokens for a registry; the others wait and use its
    /// token. `send` must not call this method.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Credentials`] if the configuration or a helper cannot be used, the errors of the token
    /// server, and [`RegistryErrorKind::Protocol`] for a challenge that cannot or must not be followed.
    pub(crate) fn respond_to_challenge(
        &self,
        challenged: &ChallengedRequest<'_>,
        challenges: &[Challenge],
        needed: &Scopes,
        refused_header: Option<&Secret>,
        send: SendTokenRequest<'_>,
    ) -> Result<Option<Secret>, RegistryError> {
        let by_scheme = |scheme| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let (bearer, basic) = (by_scheme("bearer"), by_scheme("basic"));
        if bearer.is_none() && basic.is_none() {
            return Ok(None);
        }
        let registry_state = self.registry_state(challenged.registry);
        let ticket = registry_state.token_lock_tickets.fetch_add(1, Ordering::Relaxed);
        let token_lock = lock(&registry_state.token_lock);
        if let Some((_, error)) =
            lock(&registry_state.state).last_send_error.as_ref().filter(|(tickets, _)| ticket < *tickets)
        {
            return Err(error.clone());
        }
        let credential = self.credential(&registry_state, challenged.registry, challenged.time_left)?;
        let Some(challenge) = bearer.filter(|bearer| basic.is_none() || bearer.parameter("realm").is_some()) else {
            let header = credential
                .username_and_password()
                .map(|(user, password)| Secret::basic_authorization(user, password.reveal()));
            drop(token_lock);
            return respond_with_static_header(&registry_state, challenged, header, refused_header);
        };
        if let Some(token) = &credential.registry_token {
            let unfit = || {
                let detail = "its \"registrytoken\" in docker's configuration cannot stand in a header";
                RegistryError::new(RegistryErrorKind::Credentials, challenged.registry, detail)
            };
            let header = token_protocol::bearer_header(token).ok_or_else(unfit)?;
            drop(token_lock);
            return respond_with_static_header(&registry_state, challenged, Some(header), refused_header);
        }
        let realm = bearer_challenge::usable_realm(challenged, challenge, &credential, &self.redactor)?;
        let auth = RegistryAuth {
            registry_state: &registry_state,
            challenged,
            realm,
            challenge,
            credential,
            send,
            redactor: &self.redactor,
        };
        auth.respond(needed, refused_header)
    }

    fn registry_state(&self, registry: &str) -> Arc<RegistryAuthState> {
        let mut registries = lock(&self.registries);
        Arc::clone(registries.entry(registry.to_owned()).or_default())
    }

    /// Looks the credentials up once for each registry. The caller holds the token lock, because a helper may prompt
    /// its user.
    fn credential(
        &self,
        registry_state: &RegistryAuthState,
        registry: &str,
        time_left: Option<Duration>,
    ) -> Result<Credential, RegistryError> {
        if let Some(known) = lock(&registry_state.state).credential.clone() {
            return known;
        }
        let found = self.credentials.lookup(registry, time_left);
        lock(&registry_state.state).credential = Some(found.clone());
        found
    }
}

/// Offers a header that does not depend on the scope. It is probed once and then sent with every request. The caller
/// must not hold the token lock: the thread that probes the header may need it.
fn respond_with_static_header(
    registry_state: &RegistryAuthState,
    challenged: &ChallengedRequest<'_>,
    header: Option<Secret>,
    refused_header: Option<&Secret>,
) -> Result<Option<Secret>, RegistryError> {
    let Some(header) = header else { return Ok(None) };
    if refused_header == Some(&header) {
        registry_state.static_auth.refuse(challenged.is_check_before_push);
        return Ok(None);
    }
    if !(challenged.https || challenged.insecure || host::is_loopback_authority(challenged.registry)) {
        let detail = "it asks for a login over plain HTTP, and credentials are not sent that way";
        return Err(RegistryError::new(RegistryErrorKind::Protocol, challenged.registry, detail));
    }
    registry_state.static_auth.header_to_send(&header, challenged.is_check_before_push)
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
