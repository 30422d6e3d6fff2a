//! Answers a Bearer challenge: chooses the scopes of a token and requests it through the `TokenClient`.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::auth::challenge::Challenge;
use crate::auth::credentials::Credential;
use crate::auth::registry_auth_state::{ChallengedRequest, RegistryAuthState, SendTokenRequest, TokenState};
use crate::auth::scope::Scopes;
use crate::auth::token_protocol::{GrantedToken, Realm, TokenRequest};
use crate::net::error::{FailedRequest, RegistryError, RegistryErrorKind};
use crate::net::redact::Redactor;
use crate::net::response::HttpResponse;
use crate::secret::Secret;
use crate::sync::lock;

/// Limits of one token request. nginx refuses a request line or a header of more than 8 KiB, and the token is sent in a
/// header: about (50 bytes + name) * 4 / 3 for each scope, 7.3 KB if both limits are reached. A list of 50 images from
/// 50 repositories needs 51 scopes.
const SCOPES_MAX: usize = 64;
const URL_LENGTH_MAX: usize = 4096;

/// The challenge's realm, if it may be used. A registry that speaks TLS must not name a realm that speaks plain HTTP,
/// and credentials go over plain HTTP only to a loopback address. `--insecure` permits both.
pub(crate) fn usable_realm(
    challenged: &ChallengedRequest<'_>,
    challenge: &Challenge,
    credential: &Credential,
    redactor: &Redactor,
) -> Result<Realm, RegistryError> {
    let refuse = |detail: String| RegistryError::new(RegistryErrorKind::Protocol, challenged.registry, detail);
    let text = challenge.parameter("realm").ok_or_else(|| refuse("its Bearer challenge has no realm".to_owned()))?;
    let realm = Realm::parse(text).map_err(refuse)?;
    let exposed = challenged.https || !(credential.is_anonymous() || realm.is_loopback());
    if !realm.https && !challenged.insecure && exposed {
        let host = redactor.redact(&realm.authority);
        return Err(refuse(format!("it names a token server that speaks plain HTTP, {host}")));
    }
    Ok(realm)
}

/// The answer to one Bearer challenge of a registry: chooses the scopes of a token, and requests it unless a known
/// token has them. It lives while the token lock of the registry is held.
pub(crate) struct RegistryAuth<'a> {
    pub(crate) registry_state: &'a RegistryAuthState,
    pub(crate) challenged: &'a ChallengedRequest<'a>,
    pub(crate) realm: Realm,
    pub(crate) challenge: &'a Challenge,
    pub(crate) credential: Credential,
    pub(crate) send: SendTokenRequest<'a>,
    pub(crate) redactor: &'a Redactor,
}

impl RegistryAuth<'_> {
    /// The header for the next attempt; `None` if no other token could help.
    pub(crate) fn respond(
        &self,
        needed: &Scopes,
        refused_header: Option<&Secret>,
    ) -> Result<Option<Secret>, RegistryError> {
        let challenge_scopes = self.challenge.parameter("scope").map(Scopes::parse).filter(|scopes| !scopes.is_empty());
        let challenge_scopes = challenge_scopes.unwrap_or_else(|| needed.clone());
        let to_cover = challenge_scopes.union(needed);
        let plan = {
            let mut state = lock(&self.registry_state.state);
            if let Some(refused_header) = refused_header {
                let invalid = self.challenge.parameter("error") == Some("invalid_token");
                state.cache.refuse(refused_header, needed, &to_cover, invalid);
            }
            if let Some(header) = state.cache.find(&to_cover, Instant::now()) {
                return Ok(Some(header.clone()));
            }
            let expected =
                if state.one_repository_per_token { to_cover.clone() } else { self.scopes_that_fit(&state, &to_cover) };
            state.cache.scopes_to_request(&expected, &to_cover, &challenge_scopes)
        };
        let Some((last, wider)) = plan.split_last() else {
            return Ok(None);
        };
        for scopes in wider {
            match self.fetch_and_record_token(scopes, &to_cover) {
                Err(error) if self.is_about_scopes(&error) => {
                    lock(&self.registry_state.state).one_repository_per_token = true
                }
                other => return other.map(Some),
            }
        }
        self.fetch_and_record_token(last, &to_cover).map(Some)
    }

    /// The scopes to cover and as many expected scopes as one request holds. If not all fit, scopes that a cached
    /// token covers are left out.
    fn scopes_that_fit(&self, state: &TokenState, to_cover: &Scopes) -> Scopes {
        let service = self.challenge.parameter("service");
        let fits = |scopes: &Scopes| {
            scopes.len() <= SCOPES_MAX
                && self.realm.build_get_request(service, scopes, &self.credential, None).url.len() <= URL_LENGTH_MAX
        };
        let all = state.expected.union(to_cover);
        if fits(&all) {
            return all;
        }
        let now = Instant::now();
        let missing = state.expected.per_resource().filter(|scopes| state.cache.find(scopes, now).is_none());
        let mut scopes = to_cover.clone();
        for scope in missing {
            let extended = scopes.union(&scope);
            if !fits(&extended) {
                break;
            }
            scopes = extended;
        }
        scopes
    }

    /// Whether the token server may have refused one of several scopes, or their number. A 401 to a login concerns the
    /// login itself; a second attempt could lock the account.
    fn is_about_scopes(&self, error: &RegistryError) -> bool {
        match error.status {
            Some(400 | 403 | 404 | 413 | 414 | 431) => error.kind != RegistryErrorKind::Unauthorized,
            Some(401) => self.credential.is_anonymous(),
            _ => false,
        }
    }

    /// Requests a token with these scopes, unless the server has refused them or the login. Records the outcome.
    fn fetch_and_record_token(&self, scopes: &Scopes, to_cover: &Scopes) -> Result<Secret, RegistryError> {
        let known = |state: &TokenState| {
            let refusal = state.refused_scopes.iter().find(|(failed, _)| failed == scopes).map(|(_, error)| error);
            refusal.or_else(|| state.servers_that_refused_login.get(&self.realm.authority)).cloned()
        };
        if let Some(error) = known(&lock(&self.registry_state.state)) {
            return Err(error);
        }
        let asked_at = Instant::now();
        let granted = self.fetch_token(scopes);
        let mut state = lock(&self.registry_state.state);
        match granted {
            Ok(GrantedToken { header, lifetime, refresh_token }) => {
                state.refresh_token = refresh_token.or_else(|| state.refresh_token.take());
                state.servers_that_granted.insert(self.realm.authority.clone());
                state.cache.insert(header.clone(), scopes.clone(), to_cover, asked_at, lifetime);
                Ok(header)
            }
            Err(error) => {
                // A token server that accepted the login before refuses something else.
                let is_login = error.kind == RegistryErrorKind::Unauthorized && !self.credential.is_anonymous();
                if is_login && !state.servers_that_granted.contains(&self.realm.authority) {
                    state.servers_that_refused_login.insert(self.realm.authority.clone(), error.clone());
                }
                if matches!(error.kind, RegistryErrorKind::Unauthorized | RegistryErrorKind::Forbidden) {
                    state.refused_scopes.push((scopes.clone(), error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Sends a request to the token server. Records a missing answer for the threads that wait for the token lock.
    fn send_request(&self, request: &TokenRequest) -> Result<HttpResponse, RegistryError> {
        (self.send)(request).inspect_err(|error| {
            let tickets = self.registry_state.token_lock_tickets.load(Ordering::Relaxed);
            lock(&self.registry_state.state).last_send_error = Some((tickets, error.clone()));
        })
    }

    /// Requests a token by OAuth2 if there is an identity token. A server without that form answers 404 or 405, some
    /// answer 401.
    fn fetch_token(&self, scopes: &Scopes) -> Result<GrantedToken, RegistryError> {
        let service = self.challenge.parameter("service");
        let refreshed = lock(&self.registry_state.state).refresh_token.clone();
        let Some(identity) = refreshed.or_else(|| self.credential.identity_token.clone()) else {
            let request = self.realm.build_get_request(service, scopes, &self.credential, None);
            return self.parse_grant(&request, &self.send_request(&request)?);
        };
        let request = self.realm.build_post_request(service, scopes, &identity);
        let response = self.send_request(&request)?;
        if !matches!(response.status, 401 | 404 | 405) {
            return self.parse_grant(&request, &response);
        }
        let second = self.realm.build_get_request(service, scopes, &self.credential, Some(&identity));
        let fallback = self.send_request(&second)?;
        // After a 401 the first answer says more: it is about the identity token that the user logged in with.
        if response.status == 401 && !fallback.is_success() {
            return self.parse_grant(&request, &response);
        }
        self.parse_grant(&second, &fallback)
    }

    fn parse_grant(&self, request: &TokenRequest, response: &HttpResponse) -> Result<GrantedToken, RegistryError> {
        let error = |kind, words: &str| {
            let host = self.redactor.redact(&self.realm.authority);
            let url = self.redactor.redact(self.realm.url_without_query());
            RegistryError::new(kind, self.challenged.registry, format!("token server {host}: {words}"))
                .with_request(FailedRequest::new(request.method(), url))
                .with_status(response.status)
        };
        if response.is_success() {
            return response.granted_token().map_err(|reason| error(RegistryErrorKind::Protocol, &reason));
        }
        Err(error(response.token_error_kind(), &response.token_error_message(self.redactor)))
    }
}
