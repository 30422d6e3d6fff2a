//! Logs in to a registry: responds to its challenges, and records which logins it accepts.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::challenge::Challenge;
use crate::auth::registry_auth_state::ChallengedRequest;
use crate::auth::token_client::TokenClient;
use crate::auth::token_protocol::TokenRequest;
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::session::{RequestState, Session};
use crate::io_message::io_message;
use crate::net::deadline::Deadline;
use crate::net::error::RegistryError;
use crate::net::url::Url;
use crate::secret::Secret;
use crate::sync::lock;

impl Session {
    /// Ends the exclusive first request once there is a token for all, because the others need not wait for its
    /// response. A static login (Basic) must be accepted first, so that a wrong one is sent once.
    pub(super) fn end_exclusive_first_request(&self, state: &mut RequestState<'_>, request: &ApiRequest<'_>) {
        if self.authenticator.header(request.registry, &request.scopes).is_some() {
            state.first_request = None;
        }
    }

    /// The header for a second attempt after a 404 to an anonymous request, if the user is logged in: some registries
    /// hide their content from anonymous users, and require a login only at their API root.
    pub(super) fn login_for_hidden_content(
        &self,
        state: &mut RequestState<'_>,
        request: &ApiRequest<'_>,
    ) -> Result<Option<Secret>, RegistryError> {
        let registry = request.registry;
        if request.is_ping()
            || self.has_accepted_anonymous_write(registry)
            || !self.authenticator.may_have_login(registry)
        {
            return Ok(None);
        }
        let root = Arc::clone(lock(&self.final_not_found).entry(registry.to_owned()).or_default());
        let mut is_final = lock(&root);
        if *is_final {
            return Ok(None);
        }
        if let Some(header) = self.authenticator.header(registry, &request.scopes) {
            return Ok(Some(header));
        }
        // No login is looked up before the registry has sent a challenge.
        let response = self.attempt(state, &request.ping(), None)?;
        *is_final = response.http.status != 401
            || !response.is_registry_origin
            || !self.authenticator.has_login(registry, self.remaining_timeout(state.deadline));
        if *is_final {
            return Ok(None);
        }
        drop(is_final);
        self.login(state, request, None, &response)
    }

    /// Whether the registry has accepted an anonymous write.
    pub(crate) fn has_accepted_anonymous_write(&self, registry: &str) -> bool {
        lock(&self.anonymous_writes).contains(registry)
    }

    /// Records what a response says of the login that was sent: accepted, or, without one, that anonymous writes are
    /// accepted. If the server may not have checked it, another thread may probe it.
    pub(crate) fn record_login_result(&self, request: &ApiRequest<'_>, sent: Option<&Secret>, response: &ApiResponse) {
        if response.is_registry_origin && matches!(response.http.status, 429 | 500..) {
            // A failing server may not have checked the login.
            self.authenticator.release_login_probe(request.registry, None);
        }
        match sent {
            Some(header) => self.authenticator.record_accepted(request.registry, &request.scopes, header),
            None if request.method != "GET" && request.method != "HEAD" && response.http.is_success() => {
                lock(&self.anonymous_writes).insert(request.registry.to_owned());
            }
            None => {}
        }
    }

    /// The time left of `--timeout`. The default limit does not apply to a helper, which may wait until its user
    /// unlocks a keychain.
    fn remaining_timeout(&self, deadline: &Deadline) -> Option<Duration> {
        self.timeout.and_then(|_| deadline.time_left())
    }

    /// The header for a second attempt after a 401; `None` if the 401 is final.
    pub(super) fn login(
        &self,
        state: &RequestState<'_>,
        request: &ApiRequest<'_>,
        sent: Option<&Secret>,
        response: &ApiResponse,
    ) -> Result<Option<Secret>, RegistryError> {
        let RequestState { endpoint, deadline, .. } = *state;
        let challenged = ChallengedRequest {
            registry: request.registry,
            https: endpoint.is_https_or_unknown(),
            insecure: self.allows_plain_http_login,
            is_check_before_push: request.is_check_before_push,
            time_left: self.remaining_timeout(deadline),
        };
        let values: Vec<_> = response.http.header_values("WWW-Authenticate").collect();
        let challenges = Challenge::parse_all(values.iter().map(AsRef::as_ref));
        if challenges.iter().any(|challenge| challenge.scheme == "bearer") {
            self.expected_connections.preconnect_all(&self.transport, endpoint, request.registry);
        }
        let client = TokenClient { transport: &self.transport, policy: &self.policy, insecure: self.insecure };
        let send = |token: &TokenRequest| {
            let response = client.request_token(request.registry, token, deadline)?;
            if let Some(origin) = Url::parse_from_server(&token.url).ok().map(|url| url.origin)
                && endpoint.is_https_or_unknown()
                && origin.https
                && response.is_success()
            {
                self.token_server_cache.record(request.registry, &origin, self.clock.system_time());
            }
            Ok(response)
        };
        self.authenticator.respond_to_challenge(&challenged, &challenges, &request.scopes, sent, &send)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The next run works without it.
        if let Err(error) = self.token_server_cache.save(self.clock.system_time()) {
            self.transport.trace_line(&format!("the token servers cannot be remembered: {}", io_message(&error)));
        }
    }
}
