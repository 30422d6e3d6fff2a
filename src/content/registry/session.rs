//! Sends a request: chooses the protocol, logs in, follows redirects, retries.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::auth::authenticator::Authenticator;
use crate::auth::credentials::CredentialStore;
use crate::auth::token_server_cache::TokenServerCache;
use crate::content::registry::expected_connections::ExpectedConnectionsByRegistry;
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::net::clock::Clock;
use crate::net::deadline::Deadline;
use crate::net::endpoint::{self, Endpoint, Endpoints, FirstRequestGuard};
use crate::net::error::{ContactedServer, FailedRequest, RegistryError, RegistryErrorKind, ServerNamedBy};
use crate::net::error_response;
use crate::net::options::ClientOptions;
use crate::net::redirect;
use crate::net::retry::RetryPolicy;
use crate::net::transport::{HttpTransport, OutgoingRequest};
use crate::net::transport_error::TransportError;
use crate::net::url::{Origin, Url};
use crate::secret::Secret;
use crate::sync::lock;

/// How often a request is sent with other credentials: two tokens (a wide and a narrow one) and an expiry.
const LOGIN_ROUNDS_MAX: usize = 4;
/// The largest body that is sent before the login is known, in bytes: a server that refuses early and closes the
/// connection discards its response.
const BODY_BEFORE_LOGIN_MAX: usize = 128 * 1024;
/// A server whose limit for a whole head is 8 KiB may refuse an `Authorization` longer than this.
const LONG_AUTHORIZATION_BYTES: usize = 4096;
/// Headers that only Artifactory sends.
const ARTIFACTORY_HEADERS: [&str; 2] = ["X-JFrog-Version", "X-Artifactory-Id"];
/// The time limit of a request whose result is ignored.
const BEST_EFFORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The default time limit of an operation.
const DEFAULT_OPERATION_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The state that all requests of a command share.
pub(crate) struct Session {
    pub(crate) transport: HttpTransport,
    pub(crate) endpoints: Endpoints,
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: RetryPolicy,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) jobs: NonZeroUsize,
    pub(super) timeout: Option<Duration>,
    pub(crate) insecure: bool,
    /// Whether credentials may go over plain HTTP.
    pub(super) allows_plain_http_login: bool,
    pub(super) token_server_cache: TokenServerCache,
    /// Registries that accepted an anonymous write: the next one needs no login either.
    pub(super) anonymous_writes: Mutex<BTreeSet<String>>,
    /// Registries whose API root requires no login, or one that the user does not have: their 404 is final. One request
    /// at a time finds this out.
    pub(super) final_not_found: Mutex<BTreeMap<String, Arc<Mutex<bool>>>>,
    /// Registries that have sent a header of Artifactory.
    pub(super) artifactory: Mutex<BTreeSet<String>>,
    pub(super) expected_connections: ExpectedConnectionsByRegistry,
}

/// The state of one request while it is sent.
pub(super) struct RequestState<'a> {
    pub(super) endpoint: &'a Endpoint,
    /// Held as long as other requests to the registry must wait for this one.
    pub(super) first_request: Option<FirstRequestGuard<'a>>,
    pub(super) deadline: &'a Deadline,
}

/// Whether the response may mean that the header with the token is too large. After a request with a body, a 413
/// concerns the body. A 400 may have any reason unless the header is larger than many servers accept.
fn suggests_large_authorization(request: &ApiRequest<'_>, response: &ApiResponse, header: &Secret) -> bool {
    let is_long = header.reveal().len() > LONG_AUTHORIZATION_BYTES;
    match response.http.status {
        414 | 431 => true,
        413 => is_long || request.body.is_none_or(<[u8]>::is_empty),
        400 => is_long,
        _ => false,
    }
}

impl Session {
    /// A session that knows nothing about any registry yet. Does no I/O.
    pub(crate) fn new(options: ClientOptions, clock: Arc<dyn Clock>) -> Session {
        let ClientOptions {
            env,
            config_dir,
            insecure,
            user_agent,
            trace,
            plain_http,
            login,
            jobs,
            retries,
            timeout,
            ..
        } = options;
        let (notice, allows_plain_http_login) = (options.notice, insecure || plain_http);
        let token_server_cache =
            TokenServerCache::new(&env, options.remember_token_servers && !allows_plain_http_login);
        let credentials =
            CredentialStore::new(env.clone(), config_dir, Arc::clone(&notice)).with_command_line_login(login);
        let policy = RetryPolicy::new(retries, notice, Arc::clone(&clock));
        let transport = HttpTransport::new(env, insecure, &user_agent, trace, Some(Arc::clone(&policy.limits)));
        Session {
            endpoints: Endpoints::new(insecure, plain_http),
            authenticator: Authenticator::new(credentials, Arc::clone(&transport.redactor)),
            transport,
            policy,
            clock,
            jobs,
            timeout,
            insecure,
            allows_plain_http_login,
            token_server_cache,
            expected_connections: ExpectedConnectionsByRegistry::default(),
            anonymous_writes: Mutex::default(),
            artifactory: Mutex::default(),
            final_not_found: Mutex::default(),
        }
    }

    /// The deadline of an operation that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout.unwrap_or(DEFAULT_OPERATION_TIMEOUT), &self.clock)
    }

    /// The deadline of an operation without a default limit, such as a blob while data arrives.
    pub(crate) fn new_user_deadline(&self) -> Deadline {
        self.timeout.map_or(Deadline::NONE, |total| Deadline::after(total, &self.clock))
    }

    /// Sends the request. Logs in after a 401, and retries failures. Returns a successful response.
    pub(crate) fn send(&self, request: &ApiRequest<'_>) -> Result<ApiResponse, RegistryError> {
        let endpoint = self.endpoints.get(request.registry)?;
        let mut first = self.preconnect_or_await_first_request(&endpoint, request.registry);
        // Begins after the wait for the first request, so that a thread that waited has its full time.
        let own_deadline = if request.streams_response { self.new_user_deadline() } else { self.deadline() };
        let deadline = request.deadline.map_or(own_deadline.clone(), |whole| own_deadline.earlier(whole));
        self.policy.run(request.registry, request.is_repeatable, &deadline, |_| {
            let mut state = RequestState { endpoint: &endpoint, first_request: first.take(), deadline: &deadline };
            self.require_success(request, self.send_and_release_login_probe(&mut state, request))
        })
    }

    /// Returns a successful response, and turns any other into an error.
    pub(crate) fn require_success(
        &self,
        request: &ApiRequest<'_>,
        outcome: Result<ApiResponse, RegistryError>,
    ) -> Result<ApiResponse, RegistryError> {
        let (error, by_token_server) = match outcome {
            Ok(response) if response.http.is_success() => return Ok(response),
            Ok(response) => {
                let error = error_response::registry_error(request.registry, response.request, &response.http);
                if !response.is_registry_origin {
                    return Err(error);
                }
                (error, false)
            }
            Err(error) => (error, true),
        };
        if error.kind != RegistryErrorKind::Unauthorized {
            return Err(error);
        }
        let kind = self.authenticator.unauthorized_kind(request.registry, by_token_server);
        Err(RegistryError { kind, ..error })
    }

    /// Waits for the first request to the registry to end, or begins it.
    fn preconnect_or_await_first_request<'e>(
        &self,
        endpoint: &'e Endpoint,
        registry: &str,
    ) -> Option<FirstRequestGuard<'e>> {
        let first = endpoint.begin_or_await_first_request();
        if first.is_some() {
            self.expected_connections.preconnect_for_first_request(&self.transport, endpoint, registry);
            if let Some(server) = self.token_server_cache.get(registry, self.clock.system_time()) {
                self.transport.preconnect_token_server(registry, endpoint.registry_origin(), &server);
            }
        }
        first
    }

    fn send_and_release_login_probe(
        &self,
        state: &mut RequestState<'_>,
        request: &ApiRequest<'_>,
    ) -> Result<ApiResponse, RegistryError> {
        let outcome = self.send_with_login(state, request);
        self.authenticator.release_login_probe(request.registry, outcome.as_ref().err());
        outcome
    }

    fn send_with_login(
        &self,
        state: &mut RequestState<'_>,
        request: &ApiRequest<'_>,
    ) -> Result<ApiResponse, RegistryError> {
        let mut authorization = self.authenticator.header(request.registry, &request.scopes);
        let is_login_unknown = authorization.is_none() && !self.has_accepted_anonymous_write(request.registry);
        if is_login_unknown && request.body.is_some_and(|body| body.len() > BODY_BEFORE_LOGIN_MAX) {
            self.send_and_release_login_probe(state, &request.ping())?;
            authorization = self.authenticator.header(request.registry, &request.scopes);
        }
        let mut rounds = 0;
        loop {
            rounds += 1;
            let response = self.attempt(state, request, authorization.as_ref())?;
            if authorization.is_none() && response.http.status == 404 && response.is_registry_origin {
                authorization = self.login_for_hidden_content(state, request)?;
                if authorization.is_some() {
                    self.end_exclusive_first_request(state, request);
                    continue;
                }
            }
            if let Some(header) = authorization.as_ref().filter(|header| {
                response.is_registry_origin && suggests_large_authorization(request, &response, header)
            }) && self.authenticator.record_token_too_large(request.registry, &request.scopes, header)
            {
                authorization = self.authenticator.header(request.registry, &request.scopes);
                continue;
            }
            if response.http.status != 401 || !response.is_registry_origin {
                self.record_login_result(request, authorization.as_ref(), &response);
                return Ok(response);
            }
            if rounds >= LOGIN_ROUNDS_MAX {
                return Ok(response);
            }
            match self.login(state, request, authorization.as_ref(), &response)? {
                Some(header) => {
                    authorization = Some(header);
                    self.end_exclusive_first_request(state, request);
                }
                None => return Ok(response),
            }
        }
    }

    pub(super) fn attempt(
        &self,
        state: &mut RequestState<'_>,
        request: &ApiRequest<'_>,
        authorization: Option<&Secret>,
    ) -> Result<ApiResponse, RegistryError> {
        let last = RefCell::new(None);
        let deadline = state.deadline;
        let send = |origin: &Origin| {
            let url = Url::new(origin.clone(), &*request.target);
            let contacted_server = endpoint::contacted_server(request.registry, origin);
            last.replace(Some(FailedRequest { contacted_server, ..request.failed_request(self.redacted(&url)) }));
            self.send_following_redirects(request, url, authorization, deadline)
        };
        let sent = state.endpoint.with_protocol(&mut state.first_request, send, ApiResponse::may_be_from_tls_port);
        sent.map_err(|error| {
            let unsent = || FailedRequest::new(request.method, &request.target);
            error.into_error(request.registry, last.into_inner().unwrap_or_else(unsent))
        })
    }

    /// Sends once, following redirects. The credentials stay with the first origin.
    pub(crate) fn send_following_redirects(
        &self,
        request: &ApiRequest<'_>,
        url: Url,
        authorization: Option<&Secret>,
        deadline: &Deadline,
    ) -> Result<ApiResponse, TransportError> {
        let outgoing = request.outgoing(&url, authorization, deadline);
        let send = |outgoing: &OutgoingRequest<'_>| self.transport.exchange(outgoing);
        let (http, last) = redirect::follow(&outgoing, self.insecure, &send)?;
        let is_registry_origin = last.origin == url.origin;
        if is_registry_origin && ARTIFACTORY_HEADERS.iter().any(|name| http.header(name).is_some()) {
            lock(&self.artifactory).insert(request.registry.to_owned());
        }
        let redirected = || {
            let origin = http.redact(&last.origin.to_string());
            ContactedServer { origin, named_by: ServerNamedBy::Redirect }
        };
        let contacted_server = (!is_registry_origin).then(redirected);
        let failed = FailedRequest { contacted_server, ..request.failed_request(self.redacted(&url)) };
        Ok(ApiResponse { registry: request.registry.to_owned(), http, request: failed, url: last, is_registry_origin })
    }

    /// Sends a request once, to the registry itself, and ignores the result.
    pub(crate) fn send_best_effort(&self, request: &ApiRequest<'_>, url: &Url) {
        let authorization = self.authenticator.header(request.registry, &request.scopes);
        let deadline = Deadline::after(BEST_EFFORT_TIMEOUT, &self.clock);
        let outgoing = request.outgoing(url, authorization.as_ref(), &deadline);
        let _ = self.transport.exchange(&outgoing);
    }
}
