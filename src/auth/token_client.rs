//! Sends token requests and retries them.

use crate::auth::token_protocol::TokenRequest;
use crate::net::deadline::Deadline;
use crate::net::error::{ContactedServer, FailedRequest, RegistryError, RegistryErrorKind, Retryable, ServerNamedBy};
use crate::net::error_response;
use crate::net::redirect;
use crate::net::response::HttpResponse;
use crate::net::retry::RetryPolicy;
use crate::net::transport::{HttpTransport, OutgoingRequest};
use crate::net::transport_error::TransportError;
use crate::net::url::Url;

const RESPONSE_BYTES_MAX: u64 = 1024 * 1024;

/// Sends requests to the token servers that registries name.
pub(crate) struct TokenClient<'a> {
    pub(crate) transport: &'a HttpTransport,
    pub(crate) policy: &'a RetryPolicy,
    /// Whether `--insecure` was given.
    pub(crate) insecure: bool,
}

impl TokenClient<'_> {
    /// Sends one token request. If the request carries credentials, redirects are not followed.
    ///
    /// # Errors
    /// No response, or a response after which a retry might have succeeded, once all retries are used up.
    pub(crate) fn request_token(
        &self,
        registry: &str,
        request: &TokenRequest,
        deadline: &Deadline,
    ) -> Result<HttpResponse, RegistryError> {
        let refuse = |reason: &str| {
            RegistryError::new(RegistryErrorKind::Protocol, registry, format!("its token server's address is {reason}"))
        };
        let url = Url::parse_from_server(&request.url).map_err(refuse)?;
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let post = OutgoingRequest {
            headers: if request.form.is_some() { &form } else { &[] },
            authorization: request.authorization.as_ref(),
            body: request.form.as_ref().map(|form| form.reveal().as_bytes()),
            response_max: RESPONSE_BYTES_MAX,
            // A refresh token may be valid for one use only.
            repeatable: request.form.is_none(),
            forbids_private_addresses: true,
            ..OutgoingRequest::new(registry, request.method(), &url, deadline)
        };
        let redactor = &self.transport.redactor;
        if let Some(form) = &request.form {
            redactor.record_form(form);
        }
        // The registry's challenge chose this name.
        let server = format!("token server {}", redactor.redact(&url.origin.authority()));
        let shown = FailedRequest::new(post.method, redactor.redact_url(&url));
        let mut retry = self.policy.start(&server, post.repeatable, deadline);
        loop {
            let failed = match self.exchange_with_redirects(&post) {
                Ok(response) => {
                    let retryable = error_response::retryable(&response);
                    if retryable == Retryable::Never {
                        return Ok(response);
                    }
                    let detail = format!("{server}: {}", response.token_error_message(redactor));
                    let error = RegistryError::new(response.token_error_kind(), registry, detail);
                    error.with_request(shown.clone()).with_status(response.status).with_retryable(retryable)
                }
                Err(error) => {
                    let origin = redactor.redact(&url.origin.to_string());
                    let contacted_server = Some(ContactedServer { origin, named_by: ServerNamedBy::Challenge });
                    let request = FailedRequest { contacted_server, ..shown.clone() };
                    error.into_error(registry, request)
                }
            };
            // All retries were made here: the caller must not retry.
            retry.wait(failed).map_err(|error| error.with_retryable(Retryable::Never))?;
        }
    }

    fn exchange_with_redirects(&self, request: &OutgoingRequest<'_>) -> Result<HttpResponse, TransportError> {
        let send = |request: &OutgoingRequest<'_>| self.transport.exchange(request);
        if request.authorization.is_some() || request.body.is_some() {
            return send(request);
        }
        redirect::follow(request, self.insecure, &send).map(|(response, _)| response)
    }
}
