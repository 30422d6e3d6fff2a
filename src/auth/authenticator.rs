//! Answers a registry's 401: Basic, or Bearer by the distribution token specification.
//!
//! Nothing is read or sent before a registry asks. The first token is asked for all that the command has announced, so
//! that one serves it whole; where a registry or its token server will not have that, exactly what was challenged is
//! asked for. What a token turned out to be good for is `TokenCache`'s to know.

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

/// As much as one token request asks for: nginx refuses request lines, and headers such as the token is sent in, of
/// more than 8 KiB.
const SCOPES_MAX: usize = 50;
const URL_MAX: usize = 4096;

/// Sends one request to a token server, without following redirects.
type Send<'a> = &'a dyn Fn(&TokenRequest) -> Result<TokenResponse, RegistryError>;

/// Who asks for a login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChallengeOrigin<'a> {
    /// The registry's host as references have it; `docker.io` unmapped.
    pub(crate) registry: &'a str,
    /// Whether the request that was refused went over TLS.
    pub(crate) https: bool,
    /// Whether `--insecure` was given.
    pub(crate) insecure: bool,
    /// Whether the request is the look at a tag before a push.
    pub(crate) is_look: bool,
    /// How much is left of the time that the user has set, for a helper.
    pub(crate) left: Option<Duration>,
}

/// Answers registries' challenges for the time of one command.
#[derive(Debug)]
pub(crate) struct Authenticator {
    credentials: CredentialStore,
    secrets: Arc<Redactor>,
    registries: Mutex<BTreeMap<String, Arc<RegistryState>>>,
}

/// What is known of one registry.
#[derive(Debug, Default)]
struct RegistryState {
    /// Held while a token is fetched, so that threads refused together cause one request and not one each.
    token_lock: Mutex<()>,
    /// How many have come for the turn so far.
    arrivals: AtomicUsize,
    /// A header that is good for everything: Basic, or the registry token of the configuration.
    static_auth: StaticAuth,
    /// Held for an instant only, never while something is sent.
    state: Mutex<AuthState>,
}

#[derive(Debug, Default)]
struct AuthState {
    announced: Scopes,
    credential: Option<Result<Credential, RegistryError>>,
    /// The refresh token that a token server gave in the place of the stored one.
    refresh: Option<Secret>,
    cache: TokenCache,
    /// Whether the token server has refused to give one token for all, or the registry to take it.
    narrow: bool,
    /// Tokens for several repositories that were too large for the registry.
    too_large: Vec<Secret>,
    /// What the token server refused: to ask again only counts as one more failed login.
    failures: Vec<(Scopes, RegistryError)>,
    /// The token servers that have given a token, and those that refused the login before they gave one: it is not
    /// tried there for anything else either.
    granted: BTreeSet<String>,
    refused: BTreeMap<String, RegistryError>,
    /// Why the token server did not answer the last time, and how many had come for the turn by then. To those it
    /// happened to as well: one after the other, each would wait for it until its own time is up.
    unanswered: Option<(usize, RegistryError)>,
}

impl Authenticator {
    /// Starts with nothing asked and nothing looked up; what is quoted is rid of these secrets. Does no I/O.
    pub(crate) fn new(credentials: CredentialStore, secrets: Arc<Redactor>) -> Authenticator {
        Authenticator { credentials, secrets, registries: Mutex::default() }
    }

    /// Remembers that the command is going to need this scope; the first token asks for all of them.
    pub(crate) fn announce(&self, registry: &str, scope: Scope) {
        lock(&self.registry_state(registry).state).announced.add(&scope);
    }

    /// The `Authorization` header to send without being asked; `None` until the registry has asked once in this
    /// command, and where no token at hand covers `needed`.
    pub(crate) fn header(&self, registry: &str, needed: &[Scope]) -> Option<Secret> {
        let registry_state = self.registry_state(registry);
        registry_state
            .static_auth
            .good()
            .or_else(|| lock(&registry_state.state).cache.find(&Scopes::of(needed), Instant::now()).cloned())
    }

    /// Says that a request with this header was answered with something else than 401.
    ///
    /// It is what tells a token that has expired (another is asked for) from one that was never good (it is over).
    pub(crate) fn accepted(&self, registry: &str, needed: &[Scope], header: &Secret) {
        let registry_state = self.registry_state(registry);
        registry_state.static_auth.accept(header);
        lock(&registry_state.state).cache.accept(header, &Scopes::of(needed));
    }

    /// Says that a request with this header was refused as too large. True if that was a token for more than was
    /// needed: from now on there is one a repository.
    pub(crate) fn is_too_wide(&self, registry: &str, needed: &[Scope], header: &Secret) -> bool {
        let registry_state = self.registry_state(registry);
        let mut state = lock(&registry_state.state);
        let wide = state.cache.forget_wide(&Scopes::of(needed));
        state.too_large.extend(wide);
        let is_wide = state.too_large.contains(header);
        state.narrow |= is_wide;
        is_wide
    }

    /// Says that this thread's request is over, and how where it failed: a login that it had on trial and of which
    /// nothing was learned is for others to try.
    pub(crate) fn leave(&self, registry: &str, failure: Option<&RegistryError>) {
        self.registry_state(registry).static_auth.leave(failure);
    }

    /// What a 401 that stands means, `refused` being whether it was the login itself that was refused rather than a
    /// token that the login got: nobody is logged in, the login is wrong, or it is good and not enough. A login that
    /// any request was accepted with is good.
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

    /// Whether somebody may be logged in there, by what can be told without reading anything.
    pub(crate) fn may_have_login(&self, registry: &str) -> bool {
        self.credentials.may_know(registry)
    }

    /// Whether somebody is logged in there; credentials that cannot be read are nobody's here.
    pub(crate) fn has_login(&self, registry: &str, left: Option<Duration>) -> bool {
        let registry_state = self.registry_state(registry);
        let _turn = lock(&registry_state.token_lock);
        self.credential(&registry_state, registry, left).is_ok_and(|credential| !credential.is_anonymous())
    }

    /// What to send after a 401; `sent` is the header that was refused, if there was one.
    ///
    /// `Some` is to be sent again with the same request, `None` says that nothing is left to try and the 401 stands.
    /// For one request this ends after three answers at most per thread. One thread at a time fetches for a registry;
    /// the others wait and find its token. `send` must not come back here.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Credentials`] where the configuration or a helper cannot be used, the token server's own failures, and
    /// [`RegistryErrorKind::Protocol`] for a challenge that cannot or must not be followed.
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

    /// Looked up once a registry and command, while the turn is held: a helper may ask its user something.
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

/// A header that does not depend on what is asked for: it is tried once, and then sent with every request. Not while
/// the turn is held, which whoever is trying it may need.
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

/// The challenge's realm, where it may be asked: never over plain HTTP for a registry with TLS, and credentials go over
/// plain HTTP only within this machine. `--insecure` lifts both.
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

/// One answer to one Bearer challenge, made while the registry's turn is held.
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

    /// What is wanted and announced, as far as one request holds it. Where it does not hold all, what a token at hand
    /// is good for is left out.
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

    /// Whether a token server may have refused because of one scope among several, or because of how many there are. A
    /// 401 to a login is about the login: to repeat it could lock the user out.
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
                // To one that has taken the login before, it was not about the login.
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

    /// Sends to the token server, and notes for those who wait for the turn that there was no answer.
    fn send_request(&self, request: &TokenRequest) -> Result<TokenResponse, RegistryError> {
        (self.send)(request).inspect_err(|error| {
            let arrived = self.registry_state.arrivals.load(Ordering::Relaxed);
            lock(&self.registry_state.state).unanswered = Some((arrived, error.clone()));
        })
    }

    /// Asks by OAuth2 where there is an identity token; servers that do not know that form answer 404 or 405, some 401.
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
        // To a 401 the first answer says more: it is about the identity token that the user logged in with.
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

/// A lock whose holder panicked is taken over: every change under it is whole at any moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
