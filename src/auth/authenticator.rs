//! Answers a registry's 401 with Basic, or with Bearer by the distribution token specification.
//!
//! Before a registry sends a challenge, no credentials are read and no token is requested. The first token request
//! names all scopes that the command announced, so that one token serves the whole command. If the registry or its
//! token server refuses that, a second request names exactly the challenged scope. [`TokenCache`] records what each
//! token was accepted for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::cache::TokenCache;
use crate::auth::challenge::Challenge;
use crate::auth::credentials::{Credential, CredentialStore};
pub use crate::auth::scope::Access;
pub(crate) use crate::auth::scope::Scope;
use crate::auth::scope::Scopes;
use crate::auth::static_auth::StaticAuth;
use crate::auth::token::{self, GrantedToken, Realm};
pub(crate) use crate::auth::token::{TokenRequest, TokenResponse};
use crate::net::error::{FailedRequest, RegistryError, RegistryErrorKind};
use crate::net::host;
use crate::net::redact::Redactor;
use crate::secret::Secret;

/// Limits of one token request. nginx refuses a request line or a header of more than 8 KiB, and the token is sent in a
/// header.
const SCOPES_MAX: usize = 50;
const URL_MAX: usize = 4096;

/// Sends one request to a token server. It does not follow redirects.
type Send<'a> = &'a dyn Fn(&TokenRequest) -> Result<TokenResponse, RegistryError>;

/// The request that a registry answered with a challenge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChallengeOrigin<'a> {
    /// The registry's host as in references; `docker.io` is not mapped to Docker Hub's API host.
    pub(crate) registry: &'a str,
    /// Whether the request that was refused went over TLS.
    pub(crate) https: bool,
    /// Whether `--insecure` was given.
    pub(crate) insecure: bool,
    /// Whether the request is the check of a tag before a push.
    pub(crate) is_look: bool,
    /// The time left of `--timeout`, for a credential helper.
    pub(crate) left: Option<Duration>,
}

/// Answers the challenges of all registries during one command.
#[derive(Debug)]
pub(crate) struct Authenticator {
    credentials: CredentialStore,
    secrets: Arc<Redactor>,
    registries: Mutex<BTreeMap<String, Arc<RegistryState>>>,
}

/// What is known about one registry.
#[derive(Debug, Default)]
struct RegistryState {
    /// Held while a token is fetched: threads that are refused together cause one token request.
    token_lock: Mutex<()>,
    /// How many threads have asked for the token lock so far.
    arrivals: AtomicUsize,
    /// A header that does not depend on the scope: Basic, or the registry token of the configuration.
    static_auth: StaticAuth,
    /// Never held while a request is sent.
    state: Mutex<AuthState>,
}

#[derive(Debug, Default)]
struct AuthState {
    announced: Scopes,
    credential: Option<Result<Credential, RegistryError>>,
    /// The refresh token that a token server returned in place of the stored one.
    refresh: Option<Secret>,
    cache: TokenCache,
    /// Whether the token server refused one token for all scopes, or the registry refused such a token.
    narrow: bool,
    /// Tokens for several repositories that the registry refused as too large.
    too_large: Vec<Secret>,
    /// Scopes that the token server refused. A second request for them would count as one more failed login.
    failures: Vec<(Scopes, RegistryError)>,
    /// Token servers that returned a token, and token servers that refused the login before they returned one. The
    /// login is not sent to the latter again.
    granted: BTreeSet<String>,
    refused: BTreeMap<String, RegistryError>,
    /// Why the token server did not answer the last request, and how many threads had asked for the token lock by then.
    /// Those threads get the same error; otherwise each would wait until its own deadline.
    unanswered: Option<(usize, RegistryError)>,
}

impl Authenticator {
    /// Starts without any challenge or credential. Removes `secrets` from every text that it quotes. Does no I/O.
    pub(crate) fn new(credentials: CredentialStore, secrets: Arc<Redactor>) -> Authenticator {
        Authenticator { credentials, secrets, registries: Mutex::default() }
    }

    /// Records that the command will need this scope. The first token request names all announced scopes.
    pub(crate) fn announce(&self, registry: &str, scope: Scope) {
        lock(&self.registry_state(registry).state).announced.add(&scope);
    }

    /// The `Authorization` header to send before any challenge. `None` until the registry has sent a challenge in this
    /// command, and if no cached token covers `needed`.
    pub(crate) fn header(&self, registry: &str, needed: &[Scope]) -> Option<Secret> {
        let registry_state = self.registry_state(registry);
        registry_state
            .static_auth
            .good()
            .or_else(|| lock(&registry_state.state).cache.find(&Scopes::of(needed), Instant::now()).cloned())
    }

    /// Records that a request with this header got a status other than 401.
    ///
    /// This distinguishes a token that expired (another one is requested) from a token that was never accepted (the 401
    /// is final).
    pub(crate) fn accepted(&self, registry: &str, needed: &[Scope], header: &Secret) {
        let registry_state = self.registry_state(registry);
        registry_state.static_auth.accept(header);
        lock(&registry_state.state).cache.accept(header, &Scopes::of(needed));
    }

    /// Records that the registry refused this header as too large. Returns true if its token covered more than
    /// `needed`; from then on each token covers one repository.
    pub(crate) fn is_too_wide(&self, registry: &str, needed: &[Scope], header: &Secret) -> bool {
        let registry_state = self.registry_state(registry);
        let mut state = lock(&registry_state.state);
        let wide = state.cache.forget_wide(&Scopes::of(needed));
        state.too_large.extend(wide);
        let is_wide = state.too_large.contains(header);
        state.narrow |= is_wide;
        is_wide
    }

    /// Ends this thread's request. `failure` is its error, if it failed. If this thread was probing a login and the
    /// registry did not decide, another thread may probe it.
    pub(crate) fn leave(&self, registry: &str, failure: Option<&RegistryError>) {
        self.registry_state(registry).static_auth.leave(failure);
    }

    /// The kind of error that a final 401 is: no login, a wrong login, or a login without the necessary rights.
    /// `refused` says that the registry refused the login itself and not a token. A login that was accepted for any
    /// request is right.
    pub(crate) fn unauthorized(&self, registry: &str, refused: bool) -> RegistryErrorKind {
        let registry_state = self.registry_state(registry);
        let state = lock(&registry_state.state);
        match &state.credential {
            Some(Ok(credential)) if !credential.is_anonymous() => {
                if !refused && !registry_state.static_auth.is_refused() {
                    RegistryErrorKind::Forbidden
                } else if self.credentials.is_given(registry) {
                    RegistryErrorKind::GivenLoginRefused
                } else {
                    RegistryErrorKind::LoginRefused
                }
            }
            _ => RegistryErrorKind::Unauthorized,
        }
    }

    /// Whether the user may be logged in to this registry, decided without running a helper.
    pub(crate) fn may_have_login(&self, registry: &str) -> bool {
        self.credentials.may_know(registry)
    }

    /// Whether the user is logged in to this registry. Credentials that cannot be read count as none.
    pub(crate) fn has_login(&self, registry: &str, left: Option<Duration>) -> bool {
        let registry_state = self.registry_state(registry);
        let _turn = lock(&registry_state.token_lock);
        self.credential(&registry_state, registry, left).is_ok_and(|credential| !credential.is_anonymous())
    }

    /// The header to send after a 401. `sent` is the header that was refused, if there was one.
    ///
    /// `Some` means: repeat the request with this header. `None` means that the 401 is final. Each thread gets at most
    /// three headers for one request. One thread at a time fetches tokens for a registry; the others wait and use its
    /// token. `send` must not call this method.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Credentials`] if the configuration or a helper cannot be used, the errors of the token
    /// server, and [`RegistryErrorKind::Protocol`] for a challenge that cannot or must not be followed.
    pub(crate) fn answer(
        &self,
        origin: &ChallengeOrigin<'_>,
        challenges: &[Challenge],
        needed: &[Scope],
        sent: Option<&Secret>,
        send: Send<'_>,
    ) -> Result<Option<Secret>, RegistryError> {
        let by_scheme = |scheme| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let (bearer, basic) = (by_scheme("bearer"), by_scheme("basic"));
        if bearer.is_none() && basic.is_none() {
            return Ok(None);
        }
        let registry_state = self.registry_state(origin.registry);
        let arrival = registry_state.arrivals.fetch_add(1, Ordering::Relaxed);
        let token_lock = lock(&registry_state.token_lock);
        if let Some((_, error)) =
            lock(&registry_state.state).unanswered.as_ref().filter(|(arrived, _)| arrival < *arrived)
        {
            return Err(error.clone());
        }
        let credential = self.credential(&registry_state, origin.registry, origin.left)?;
        let Some(challenge) = bearer.filter(|bearer| basic.is_none() || bearer.parameter("realm").is_some()) else {
            let header = credential.login().map(|(user, password)| token::basic(user, password.reveal()));
            drop(token_lock);
            return static_auth(&registry_state, origin, header, sent);
        };
        if let Some(token) = &credential.registry_token {
            let unfit = || {
                let detail = "its \"registrytoken\" in docker's configuration cannot stand in a header";
                RegistryError::new(RegistryErrorKind::Credentials, origin.registry, detail)
            };
            let header = token::bearer(token).ok_or_else(unfit)?;
            drop(token_lock);
            return static_auth(&registry_state, origin, Some(header), sent);
        }
        let realm = usable_realm(origin, challenge, &credential, &self.secrets)?;
        let registry_state = RegistryAuth {
            registry_state: &registry_state,
            origin,
            realm,
            challenge,
            credential,
            send,
            secrets: &self.secrets,
        };
        registry_state.answer(&Scopes::of(needed), sent)
    }

    fn registry_state(&self, registry: &str) -> Arc<RegistryState> {
        let mut registries = lock(&self.registries);
        Arc::clone(registries.entry(registry.to_owned()).or_default())
    }

    /// Looks the credentials up once for each registry. The caller holds the token lock, because a helper may prompt
    /// its user.
    fn credential(
        &self,
        registry_state: &RegistryState,
        registry: &str,
        left: Option<Duration>,
    ) -> Result<Credential, RegistryError> {
        if let Some(known) = lock(&registry_state.state).credential.clone() {
            return known;
        }
        let found = self.credentials.lookup(registry, left);
        lock(&registry_state.state).credential = Some(found.clone());
        found
    }
}

/// Offers a header that does not depend on the scope. It is probed once and then sent with every request. The caller
/// must not hold the token lock: the thread that probes the header may need it.
fn static_auth(
    registry_state: &RegistryState,
    origin: &ChallengeOrigin<'_>,
    header: Option<Secret>,
    sent: Option<&Secret>,
) -> Result<Option<Secret>, RegistryError> {
    let Some(header) = header else { return Ok(None) };
    if sent == Some(&header) {
        registry_state.static_auth.refuse(origin.is_look);
        return Ok(None);
    }
    if !(origin.https || origin.insecure || host::is_loopback_authority(origin.registry)) {
        let detail = "it asks for a login over plain HTTP, and credentials are not sent that way";
        return Err(RegistryError::new(RegistryErrorKind::Protocol, origin.registry, detail));
    }
    registry_state.static_auth.take(&header, origin.is_look)
}

/// The challenge's realm, if it may be used. A registry that speaks TLS must not name a realm that speaks plain HTTP,
/// and credentials go over plain HTTP only to a loopback address. `--insecure` permits both.
fn usable_realm(
    origin: &ChallengeOrigin<'_>,
    challenge: &Challenge,
    credential: &Credential,
    secrets: &Redactor,
) -> Result<Realm, RegistryError> {
    let refuse = |detail: String| RegistryError::new(RegistryErrorKind::Protocol, origin.registry, detail);
    let text = challenge.parameter("realm").ok_or_else(|| refuse("its Bearer challenge has no realm".to_owned()))?;
    let realm = Realm::parse(text).map_err(refuse)?;
    let exposed = origin.https || !(credential.is_anonymous() || realm.is_loopback());
    if !realm.https && !origin.insecure && exposed {
        let host = secrets.clean(&realm.host);
        return Err(refuse(format!("it names a token server that speaks plain HTTP, {host}")));
    }
    Ok(realm)
}

/// Answers one Bearer challenge while the registry's token lock is held.
struct RegistryAuth<'a> {
    registry_state: &'a RegistryState,
    origin: &'a ChallengeOrigin<'a>,
    realm: Realm,
    challenge: &'a Challenge,
    credential: Credential,
    send: Send<'a>,
    secrets: &'a Redactor,
}

impl RegistryAuth<'_> {
    fn answer(&self, needed: &Scopes, sent: Option<&Secret>) -> Result<Option<Secret>, RegistryError> {
        let challenged = self.challenge.parameter("scope").map(Scopes::parse).filter(|scopes| !scopes.is_empty());
        let want = challenged.as_ref().map_or_else(|| needed.clone(), |scopes| scopes.union(needed));
        let exact = challenged.unwrap_or_else(|| needed.clone());
        let plan = {
            let mut state = lock(&self.registry_state.state);
            if let Some(sent) = sent {
                let invalid = self.challenge.parameter("error") == Some("invalid_token");
                state.cache.refuse(sent, needed, &want, invalid);
            }
            if let Some(header) = state.cache.find(&want, Instant::now()) {
                return Ok(Some(header.clone()));
            }
            let announced = if state.narrow { want.clone() } else { self.at_once(&state, &want) };
            state.cache.plan(&announced, &want, &exact)
        };
        let Some((last, wider)) = plan.split_last() else {
            return Ok(None);
        };
        for scopes in wider {
            match self.obtain(scopes, &want) {
                Err(error) if self.may_be_too_much(&error) => lock(&self.registry_state.state).narrow = true,
                other => return other.map(Some),
            }
        }
        self.obtain(last, &want).map(Some)
    }

    /// The wanted scopes and as many announced scopes as one request holds. If not all fit, scopes that a cached token
    /// covers are left out.
    fn at_once(&self, state: &AuthState, want: &Scopes) -> Scopes {
        let service = self.challenge.parameter("service");
        let fits = |scopes: &Scopes| {
            scopes.len() <= SCOPES_MAX && self.realm.get(service, scopes, &self.credential).url.len() <= URL_MAX
        };
        let all = state.announced.union(want);
        if fits(&all) {
            return all;
        }
        let now = Instant::now();
        let missing = state.announced.each().filter(|scopes| state.cache.find(scopes, now).is_none());
        let mut scopes = want.clone();
        for more in missing {
            let more = scopes.union(&more);
            if !fits(&more) {
                break;
            }
            scopes = more;
        }
        scopes
    }

    /// Whether the token server may have refused one of several scopes, or their number. A 401 to a login concerns the
    /// login itself; a second attempt could lock the account.
    fn may_be_too_much(&self, error: &RegistryError) -> bool {
        match error.status {
            Some(400 | 403 | 404 | 413 | 414 | 431) => error.kind != RegistryErrorKind::Unauthorized,
            Some(401) => self.credential.is_anonymous(),
            _ => false,
        }
    }

    fn obtain(&self, scopes: &Scopes, want: &Scopes) -> Result<Secret, RegistryError> {
        let known = |state: &AuthState| {
            let same = state.failures.iter().find(|(failed, _)| failed == scopes).map(|(_, error)| error);
            same.or_else(|| state.refused.get(&self.realm.host)).cloned()
        };
        if let Some(error) = known(&lock(&self.registry_state.state)) {
            return Err(error);
        }
        let asked_at = Instant::now();
        let granted = self.fetch(scopes);
        let mut state = lock(&self.registry_state.state);
        match granted {
            Ok(GrantedToken { header, lifetime, refresh }) => {
                state.refresh = refresh.or_else(|| state.refresh.take());
                state.granted.insert(self.realm.host.clone());
                state.cache.insert(header.clone(), scopes.clone(), want, asked_at, lifetime);
                Ok(header)
            }
            Err(error) => {
                // A token server that accepted the login before refuses something else.
                let is_login = error.kind == RegistryErrorKind::Unauthorized && !self.credential.is_anonymous();
                if is_login && !state.granted.contains(&self.realm.host) {
                    state.refused.insert(self.realm.host.clone(), error.clone());
                }
                if matches!(error.kind, RegistryErrorKind::Unauthorized | RegistryErrorKind::Forbidden) {
                    state.failures.push((scopes.clone(), error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Sends a request to the token server. Records a missing answer for the threads that wait for the token lock.
    fn send_request(&self, request: &TokenRequest) -> Result<TokenResponse, RegistryError> {
        (self.send)(request).inspect_err(|error| {
            let arrived = self.registry_state.arrivals.load(Ordering::Relaxed);
            lock(&self.registry_state.state).unanswered = Some((arrived, error.clone()));
        })
    }

    /// Requests a token by OAuth2 if there is an identity token. A server without that form answers 404 or 405, some
    /// answer 401.
    fn fetch(&self, scopes: &Scopes) -> Result<GrantedToken, RegistryError> {
        let service = self.challenge.parameter("service");
        let refreshed = lock(&self.registry_state.state).refresh.clone();
        let Some(identity) = refreshed.or_else(|| self.credential.identity_token.clone()) else {
            let request = self.realm.get(service, scopes, &self.credential);
            return self.granted(&request, &self.send_request(&request)?);
        };
        let request = self.realm.refresh(service, scopes, &identity);
        let response = self.send_request(&request)?;
        if !matches!(response.status, 401 | 404 | 405) {
            return self.granted(&request, &response);
        }
        let second = self.realm.get_with_identity(service, scopes, &self.credential, &identity);
        let fallback = self.send_request(&second)?;
        // After a 401 the first answer says more: it is about the identity token that the user logged in with.
        if response.status == 401 && !fallback.is_success() {
            return self.granted(&request, &response);
        }
        self.granted(&second, &fallback)
    }

    fn granted(&self, request: &TokenRequest, response: &TokenResponse) -> Result<GrantedToken, RegistryError> {
        let method = if request.form.is_some() { "POST" } else { "GET" };
        let error = |kind, words: &str| {
            let host = self.secrets.clean(&self.realm.host);
            let url = self.secrets.clean(self.realm.shown());
            RegistryError::new(kind, self.origin.registry, format!("token server {host}: {words}"))
                .at(FailedRequest::new(method, url))
                .with_status(response.status)
        };
        if response.is_success() {
            return response.grant().map_err(|why| error(RegistryErrorKind::Protocol, &why));
        }
        Err(error(response.failure_kind(), &response.words(self.secrets)))
    }
}

/// Takes the lock of a thread that panicked: every change under it is complete at any moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
