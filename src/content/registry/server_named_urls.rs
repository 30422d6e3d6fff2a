//! Requests to URLs that a registry named (`Location`, RFC 9110; `Link`, RFC 8288), and streamed bodies.
//!
//! Such a URL may be on any server. The registry's credentials are sent only to the registry itself.

use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::session::Session;
use crate::net::body::{RequestBody, ResponseBody};
use crate::net::deadline::Deadline;
use crate::net::error::{ContactedServer, FailedRequest, RegistryError, RegistryErrorKind, ServerNamedBy};
use crate::net::transport_error::TransportError;
use crate::net::url::{Origin, Url};
use crate::secret::Secret;

impl Session {
    /// Sends a request whose successful response is streamed.
    pub(crate) fn download(&self, request: &ApiRequest<'_>) -> Result<(ApiResponse, ResponseBody), RegistryError> {
        let mut response = self.send(&ApiRequest { streams_response: true, ..request.clone() })?;
        let missing = || RegistryError::new(RegistryErrorKind::Protocol, request.registry, "a response without a body");
        let body = response.http.stream.take().ok_or_else(missing)?;
        Ok((response, body))
    }

    /// Sends a request to a URL that the registry named, instead of its own target. If the URL is not on the registry
    /// itself, no credentials are sent.
    ///
    /// `named_by` says what the registry named the URL for.
    pub(crate) fn send_at(
        &self,
        request: &ApiRequest<'_>,
        url: &Url,
        named_by: ServerNamedBy,
    ) -> Result<ApiResponse, RegistryError> {
        let at_url = ApiRequest { target: url.target().to_owned(), ..request.clone() };
        if self.is_registry_origin(request.registry, url)? {
            return self.send(&at_url);
        }
        let own_deadline = self.deadline();
        let deadline = request.deadline.map_or(own_deadline.clone(), |whole| own_deadline.earlier(whole));
        let failed = self.failed_at_named_url(request, url, named_by);
        self.policy.run(request.registry, at_url.is_repeatable, &deadline, |_| {
            let followed = self.with_plain_http_fallback(request, url, None, |url, header| {
                self.send_following_redirects(&at_url, url.clone(), header, &deadline)
            });
            let response = followed.map(|response| {
                let contacted_server =
                    response.request.contacted_server.clone().or_else(|| failed.contacted_server.clone());
                let request = FailedRequest { contacted_server, ..response.request };
                ApiResponse { is_registry_origin: false, request, ..response }
            });
            self.require_success(&at_url, response.map_err(|error| error.into_error(request.registry, failed.clone())))
        })
    }

    /// Streams a body to a URL that the registry named. It cannot be repeated, so a cheap request before it finds out
    /// which login the registry wants.
    pub(crate) fn upload(
        &self,
        request: &ApiRequest<'_>,
        url: &Url,
        body: &mut RequestBody<'_>,
    ) -> Result<ApiResponse, RegistryError> {
        let deadline = request.deadline.unwrap_or(&Deadline::NONE);
        let permit = self.policy.limits.acquire(request.registry, deadline)?;
        let is_registry_origin = self.is_registry_origin(request.registry, url)?;
        let header = || self.credentials_for(request, url);
        let mut authorization = header();
        if is_registry_origin && authorization.is_none() && !self.has_accepted_anonymous_write(request.registry) {
            self.send(&request.ping())?;
            authorization = header();
        }
        let failed = if is_registry_origin {
            request.failed_request(self.redacted(url))
        } else {
            self.failed_at_named_url(request, url, ServerNamedBy::UploadLocation)
        };
        let sent = self.with_plain_http_fallback(request, url, authorization.as_ref(), |url, header| {
            let outgoing = request.outgoing(url, header, deadline);
            Ok((self.transport.upload(&outgoing, body)?, url.clone()))
        });
        let (http, url) = sent.map_err(|error| error.into_error(request.registry, failed.clone()))?;
        let response =
            ApiResponse { registry: request.registry.to_owned(), http, url, request: failed, is_registry_origin };
        if is_registry_origin && response.http.status != 401 {
            self.record_login_result(request, authorization.as_ref(), &response);
        }
        let result = self.require_success(request, Ok(response));
        if result.is_ok() {
            permit.record_success();
        }
        result
    }

    /// The URL of a `Location` or `Link` in this response. As with redirects, it must not lead from https to http. The
    /// error says what is wrong with it.
    ///
    /// An https URL at a port that was just found to speak plain HTTP becomes an http URL: a registry behind a proxy
    /// may not know its own protocol.
    pub(crate) fn resolve_location(&self, response: &ApiResponse, location: &str) -> Result<Url, String> {
        let url = response.url.join(location)?;
        let plain = Origin { https: false, ..url.origin.clone() };
        if response.url.origin == plain {
            return Ok(url.with_origin(plain));
        }
        if response.url.origin.https && !url.origin.https && !self.insecure {
            return Err(format!("from https to {}", response.http.redact(&url.origin.to_string())));
        }
        Ok(url)
    }

    /// A URL for a message.
    pub(crate) fn redacted(&self, url: &Url) -> String {
        self.transport.redactor.redact_url(url)
    }

    /// The request as errors show it, with the server that the registry named.
    fn failed_at_named_url(&self, request: &ApiRequest<'_>, url: &Url, named_by: ServerNamedBy) -> FailedRequest {
        let origin = self.transport.redactor.redact(&url.origin.to_string());
        FailedRequest {
            contacted_server: Some(ContactedServer { origin, named_by }),
            ..request.failed_request(self.redacted(url))
        }
    }

    /// Sends to a URL. If nothing was sent because there is no TLS, sends over plain HTTP too: with `--insecure`, for a
    /// registry that speaks plain HTTP itself.
    fn with_plain_http_fallback<T>(
        &self,
        request: &ApiRequest<'_>,
        url: &Url,
        authorization: Option<&Secret>,
        mut send: impl FnMut(&Url, Option<&Secret>) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let error = match send(url, authorization) {
            Err(error) => error,
            sent => return sent,
        };
        let has_no_tls = error.symptom.may_speak_plain_http();
        let is_plain = self.endpoints.get(request.registry).is_ok_and(|endpoint| !endpoint.is_https_or_unknown());
        if !(has_no_tls && !error.maybe_sent && self.insecure && url.origin.https && is_plain) {
            return Err(error);
        }
        let port = if url.origin.port == 443 { 80 } else { url.origin.port };
        let plain = url.with_origin(Origin { https: false, port, ..url.origin.clone() });
        let header = self.credentials_for(request, &plain);
        send(&plain, header.as_ref()).map_err(|plain| plain.or_tls_error_if_unreachable(error))
    }

    /// The credentials for the registry, if the URL is its own.
    fn credentials_for(&self, request: &ApiRequest<'_>, url: &Url) -> Option<Secret> {
        let is_registry_origin = self.is_registry_origin(request.registry, url).unwrap_or(false);
        self.authenticator.header(request.registry, &request.scopes).filter(|_| is_registry_origin)
    }

    /// Whether a URL is on the registry itself, so that its credentials may be sent there.
    pub(crate) fn is_registry_origin(&self, registry: &str, url: &Url) -> Result<bool, RegistryError> {
        Ok(*self.endpoints.get(registry)?.registry_origin() == url.origin)
    }
}
