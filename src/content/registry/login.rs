//! Logins to a registry: the answers to its challenges, and what is known afterwards.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::authenticator::{ChallengeOrigin, TokenRequest};
use crate::auth::challenge::Challenge;
use crate::auth::token_server::TokenServer;
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::session::Session;
use crate::net::deadline::Deadline;
use crate::net::endpoint::{Endpoint, Turn};
use crate::net::error::RegistryError;
use crate::net::url::Url;
use crate::sanitize::io_error;
use crate::secret::Secret;
use crate::sync::lock;

impl Session {
    /// Ends the exclusive first request once there is a token for all, because the others need not wait for its
    /// response. A static login (Basic) must be accepted first, so that a wrong one is sent once.
    pub(super) fn end_turn(&self, first: &mut Option<Turn<'_>>, call: &ApiRequest<'_>) {
        if self.authenticator.header(call.registry, call.scopes).is_some() {
            *first = None;
        }
    }

    /// What to send after a 404 to an anonymous request, if the user is logged in: some registries hide their content
    /// from anonymous users, and require a login only at their API root.
    pub(super) fn known_at_the_door(
        &self,
        endpoint: &Endpoint,
        first: &mut Option<Turn<'_>>,
        call: &ApiRequest<'_>,
        deadline: &Deadline,
    ) -> Result<Option<Secret>, RegistryError> {
        let registry = call.registry;
        if call.is_ping() || self.is_open(registry) || !self.authenticator.may_have_login(registry) {
            return Ok(None);
        }
        let door = Arc::clone(lock(&self.doors).entry(registry.to_owned()).or_default());
        let mut is_settled = lock(&door);
        if *is_settled {
            return Ok(None);
        }
        if let Some(header) = self.authenticator.header(registry, call.scopes) {
            return Ok(Some(header));
        }
        // No login is looked up before the registry has sent a challenge.
        let reply = self.attempt(endpoint, first, &call.ping(), None, deadline)?;
        *is_settled = reply.answer.status != 401
            || !reply.is_home
            || !self.authenticator.has_login(registry, self.left(deadline));
        if *is_settled {
            return Ok(None);
        }
        drop(is_settled);
        self.login(endpoint, call, None, &reply, deadline)
    }

    /// Whether the registry has accepted an anonymous write.
    pub(crate) fn is_open(&self, registry: &str) -> bool {
        lock(&self.open).contains(registry)
    }

    /// Records with which header the registry accepted a request.
    pub(crate) fn took(&self, call: &ApiRequest<'_>, sent: Option<&Secret>, reply: &ApiResponse) {
        if reply.is_home && matches!(reply.answer.status, 429 | 500..) {
            // A failing server may not have checked the login.
            self.authenticator.leave(call.registry, None);
        }
        match sent {
            Some(header) => self.authenticator.accepted(call.registry, call.scopes, header),
            None if call.method != "GET" && call.method != "HEAD" && reply.answer.is_success() => {
                lock(&self.open).insert(call.registry.to_owned());
            }
            None => {}
        }
    }

    /// The time left of `--timeout`. The default limit does not apply to a helper, which may wait until its user
    /// unlocks a keychain.
    fn left(&self, deadline: &Deadline) -> Option<Duration> {
        self.timeout.and_then(|_| deadline.left())
    }

    /// What to send after the registry's 401; `None` if it is final.
    pub(super) fn login(
        &self,
        endpoint: &Endpoint,
        call: &ApiRequest<'_>,
        sent: Option<&Secret>,
        reply: &ApiResponse,
        deadline: &Deadline,
    ) -> Result<Option<Secret>, RegistryError> {
        let asker = ChallengeOrigin {
            registry: call.registry,
            https: endpoint.is_https(),
            insecure: self.exposed,
            is_look: call.is_look,
            left: self.left(deadline),
        };
        let values: Vec<_> = reply.answer.fields("WWW-Authenticate").collect();
        let challenges = Challenge::parse_all(values.iter().map(AsRef::as_ref));
        if challenges.iter().any(|challenge| challenge.scheme == "bearer") {
            self.expected.open_all(&self.transport, endpoint, call.registry);
        }
        let server = TokenServer { transport: &self.transport, policy: &self.policy, insecure: self.insecure };
        let send = |request: &TokenRequest| {
            let response = server.token(call.registry, request, deadline)?;
            if let Some(origin) = Url::parse(&request.url).ok().map(|url| url.origin)
                && endpoint.is_https()
                && origin.https
                && response.is_success()
            {
                self.known_servers.note(call.registry, &origin, self.clock.today());
            }
            Ok(response)
        };
        self.authenticator.answer(&asker, &challenges, call.scopes, sent, &send)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The next run works without it.
        if let Err(error) = self.known_servers.save(self.clock.today()) {
            self.transport.note(&format!("the token servers cannot be remembered: {}", io_error(&error)));
        }
    }
}
