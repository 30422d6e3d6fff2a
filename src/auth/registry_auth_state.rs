//! What is known about the authentication of one registry, and the request that it answered with a challenge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::auth::credentials::Credential;
use crate::auth::scope::Scopes;
use crate::auth::static_auth::StaticAuth;
use crate::auth::token_cache::TokenCache;
use crate::auth::token_protocol::TokenRequest;
use crate::net::error::RegistryError;
use crate::net::response::HttpResponse;
use crate::secret::Secret;

/// Sends one request to a token server. It does not follow redirects.
pub(crate) type SendTokenRequest<'a> = &'a dyn Fn(&TokenRequest) -> Result<HttpResponse, RegistryError>;

/// The request that a registry answered with a challenge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChallengedRequest<'a> {
    /// The registry's host as in references; `docker.io` is not mapped to Docker Hub's API host.
    pub(crate) registry: &'a str,
    /// Whether the request that was refused went over TLS.
    pub(crate) https: bool,
    /// Whether `--insecure` was given.
    pub(crate) insecure: bool,
    /// Whether the request checks before a push what the registry has.
    pub(crate) is_check_before_push: bool,
    /// The time left of `--timeout`, for a credential helper.
    pub(crate) time_left: Option<Duration>,
}

/// What is known about one registry.
#[derive(Debug, Default)]
pub(crate) struct RegistryAuthState {
    /// Held while a token is fetched: threads that are refused together cause one token request.
    pub(crate) token_lock: Mutex<()>,
    /// The number of threads that have asked for the token lock so far. Each takes the next ticket.
    pub(crate) token_lock_tickets: AtomicUsize,
    /// A header that does not depend on the scope: Basic, or the registry token of the configuration.
    pub(crate) static_auth: StaticAuth,
    /// Never held while a request is sent.
    pub(crate) state: Mutex<TokenState>,
}

#[derive(Debug, Default)]
pub(crate) struct TokenState {
    pub(crate) expected: Scopes,
    pub(crate) credential: Option<Result<Credential, RegistryError>>,
    /// The refresh token that a token server returned in place of the stored one.
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) cache: TokenCache,
    /// Whether the token server refused one token for all scopes, or the registry refused such a token.
    pub(crate) one_repository_per_token: bool,
    /// Tokens for several repositories that the registry refused as too large.
    pub(crate) too_large: Vec<Secret>,
    /// Scopes that the token server refused. A second request for them would count as one more failed login.
    pub(crate) refused_scopes: Vec<(Scopes, RegistryError)>,
    /// Token servers that returned a token, and token servers that refused the login before they returned one. The
    /// login is not sent to the latter again.
    pub(crate) servers_that_granted: BTreeSet<String>,
    pub(crate) servers_that_refused_login: BTreeMap<String, RegistryError>,
    /// Why the token server did not answer the last request, and how many threads had asked for the token lock by then.
    /// Those threads get the same error; otherwise each would wait until its own deadline.
    pub(crate) last_send_error: Option<(usize, RegistryError)>,
}
