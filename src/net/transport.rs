//! Sends one request and reads its response, over connections that are kept for the next one.
//!
//! There is one agent (with its pool) for each origin and the registry that it serves, because the HTTP library fixes
//! proxy and TLS per agent; set per request, a connection would never be reused. The library does not handle redirects,
//! error statuses, compression and `Expect`. Bodies are read completely within their limit, except for streamed blobs.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::http::{Request as HttpRequest, Response};
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::env::Env;
use crate::net::body::{RequestBody, ResponseBody};
use crate::net::connections::{ConnectionPool, OriginConnections};
use crate::net::connector::{ConnectionSource, begin_request, used_connection_source};
use crate::net::deadline::{Deadline, format_duration};
use crate::net::error::RegistryErrorKind;
use crate::net::rate_limit::RateLimits;
use crate::net::redact::Redactor;
use crate::net::response::HttpResponse;
use crate::net::transport_error::{Symptom, TransportError};
use crate::net::url::{Origin, Url};
use crate::secret::Secret;

/// The limit for the body of an error response, which is read for its message and to keep the connection.
const ERROR_BODY_MAX: u64 = 64 * 1024;
/// How often a request is repeated if the pool returns connections that the server has closed.
const ATTEMPTS_MAX: usize = 3;

/// The HTTP library walks each byte of a body for its own log, which nothing reads. A release build is without it.
#[cfg(not(debug_assertions))]
const _: () = assert!(matches!(log::STATIC_MAX_LEVEL, log::LevelFilter::Off));

/// Receives a line for each request, for `--debug`: method, URL, status, time. It contains no secret.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// A request. It has no `Debug`, because the body may contain a secret.
#[derive(Clone, Copy)]
pub(crate) struct OutgoingRequest<'a> {
    /// The registry that it serves.
    pub(crate) registry: &'a str,
    /// The method.
    pub(crate) method: &'static str,
    /// The URL.
    pub(crate) url: &'a Url,
    /// Header fields beside those that every request has.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The `Authorization` field.
    pub(crate) authorization: Option<&'a Secret>,
    /// The body. An empty one sends a `Content-Length` of 0.
    pub(crate) body: Option<&'a [u8]>,
    /// The largest body of a successful response, in bytes.
    pub(crate) response_max: u64,
    /// Whether it may be sent twice without harm.
    pub(crate) repeatable: bool,
    /// Whether the registry named the URL: then a public registry must not lead into a private network.
    pub(crate) forbids_private_addresses: bool,
    /// Whether the body of a successful response is streamed, and not read before the response is returned.
    pub(crate) streams_response: bool,
    /// The deadline of the whole request.
    pub(crate) deadline: &'a Deadline,
}

impl<'a> OutgoingRequest<'a> {
    /// A request without headers and body, whose response has no body. It is not repeated.
    pub(crate) fn new(
        registry: &'a str,
        method: &'static str,
        url: &'a Url,
        deadline: &'a Deadline,
    ) -> OutgoingRequest<'a> {
        OutgoingRequest {
            registry,
            method,
            url,
            headers: &[],
            authorization: None,
            body: None,
            response_max: 0,
            repeatable: false,
            forbids_private_addresses: false,
            streams_response: false,
            deadline,
        }
    }
}

/// All connections of a command.
pub(crate) struct HttpTransport {
    trace: Option<LineSink>,
    pool: ConnectionPool,
    /// Redacts all secrets that were sent.
    pub(crate) redactor: Arc<Redactor>,
    requests_sent: AtomicU64,
}

impl HttpTransport {
    /// Without connections. Records in `limits` how many connections each registry accepts. Does no I/O.
    pub(crate) fn new(
        env: Env,
        insecure: bool,
        user_agent: &str,
        trace: Option<LineSink>,
        limits: Option<Arc<RateLimits>>,
    ) -> HttpTransport {
        let pool = ConnectionPool::new(env, insecure, user_agent, limits);
        HttpTransport { trace, pool, redactor: Arc::default(), requests_sent: AtomicU64::new(0) }
    }

    /// Prints a line with `--debug`.
    pub(crate) fn trace_line(&self, line: &str) {
        if let Some(trace) = &self.trace {
            trace(line);
        }
    }

    /// The number of requests sent so far.
    pub(crate) fn request_count(&self) -> u64 {
        self.requests_sent.load(Ordering::Relaxed)
    }

    /// Sends a request and reads the response.
    ///
    /// A closed connection of the pool is replaced if the request may be repeated.
    pub(crate) fn exchange(&self, request: &OutgoingRequest<'_>) -> Result<HttpResponse, TransportError> {
        let connections = self.prepare_connections(request)?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            begin_request(request.repeatable);
            let outcome = self
                .send_once(request, || self.read_response(send_request(&connections.agent, request, None)?, request));
            let Err(error) = outcome else { return outcome };
            let source = used_connection_source();
            let may_repeat = match error.symptom {
                // The connection may have ended before the request arrived.
                Symptom::NoResponse => request.repeatable && source != ConnectionSource::New,
                // A connection that was closed because of its age: nothing has been sent.
                Symptom::ClosedInHandshake => source == ConnectionSource::PreconnectedStale,
                _ => return Err(error),
            };
            if may_repeat && attempts < ATTEMPTS_MAX {
                continue;
            }
            return Err(if error.symptom == Symptom::NoResponse {
                connections.or_client_certificate_error(error)
            } else {
                error
            });
        }
    }

    /// Sends a request whose body is streamed. It cannot be repeated.
    pub(crate) fn upload(
        &self,
        request: &OutgoingRequest<'_>,
        body: &mut RequestBody<'_>,
    ) -> Result<HttpResponse, TransportError> {
        let connections = self.prepare_connections(request)?;
        begin_request(false);
        self.send_once(request, || self.read_response(send_request(&connections.agent, request, Some(body))?, request))
    }

    /// Sends once, and handles the count, the trace, the deadline and the secrets.
    fn send_once(
        &self,
        request: &OutgoingRequest<'_>,
        send: impl FnOnce() -> Result<HttpResponse, TransportError>,
    ) -> Result<HttpResponse, TransportError> {
        if let Some(authorization) = request.authorization {
            self.redactor.record_authorization(authorization);
        }
        let timeout_error = |total| {
            let message = format!("no whole answer within {}", format_duration(total));
            TransportError::unsent(RegistryErrorKind::Timeout, message)
        };
        if let Some(total) = request.deadline.exceeded_limit() {
            return Err(timeout_error(total));
        }
        let begun = Instant::now();
        let mut outcome = send();
        if let Err(error) = &mut outcome {
            if let Some(total) = request.deadline.exceeded_limit().filter(|_| error.kind == RegistryErrorKind::Timeout)
            {
                *error = TransportError { maybe_sent: error.maybe_sent, ..timeout_error(total) };
            }
            if error.message_may_hold_secret || request.url.is_from_server {
                error.message = self.redactor.redact(&error.message);
            }
        }
        if outcome.as_ref().map_or_else(|error| error.maybe_sent, |_| true) {
            self.requests_sent.fetch_add(1, Ordering::Relaxed);
        }
        self.trace_exchange(request, &outcome, begun);
        outcome
    }

    /// Begins to open connections to an origin before they are needed, unless it is reached through a proxy: as many as
    /// are missing to `total`. With `with_handshake` the TLS handshake is done ahead too: the
    /// origin is known not to speak plain HTTP.
    pub(crate) fn preconnect(&self, registry: &str, origin: &Origin, total: usize, with_handshake: bool) {
        // The request that needs a connection reports why it cannot be opened.
        let Ok(connections) = self.pool.get(registry, origin, false, 0) else { return };
        let Some(preconnected) = &connections.preconnected else { return };
        if let Some(setup) = connections.tls.as_ref().filter(|_| with_handshake) {
            preconnected.start_tls(setup);
        }
        preconnected.open_up_to(total);
    }

    /// Begins to open one connection to the token server that a registry is known to name, unless one of the two is
    /// reached through a proxy. The address policy is that of a server which the registry has named. No request is
    /// sent.
    ///
    /// No connection is opened to a server that would get a client certificate: the registry has to name it first.
    pub(crate) fn preconnect_token_server(&self, registry: &str, registry_origin: &Origin, server: &Origin) {
        let direct =
            |origin, forbids_private_addresses| self.pool.get(registry, origin, forbids_private_addresses, 0).ok();
        if registry_origin == server
            || direct(registry_origin, false).is_none_or(|connections| connections.preconnected.is_none())
        {
            return;
        }
        let Some(connections) = direct(server, true) else { return };
        if let (Some(pool), Some(setup)) = (&connections.preconnected, &connections.tls)
            && setup.identity.client_pairs.is_empty()
        {
            pool.start_tls(setup);
            pool.open_up_to(1);
        }
    }

    fn trace_exchange(
        &self,
        request: &OutgoingRequest<'_>,
        outcome: &Result<HttpResponse, TransportError>,
        begun: Instant,
    ) {
        let Some(trace) = &self.trace else { return };
        let (method, url, time) = (request.method, self.redactor.redact_url(request.url), begun.elapsed().as_millis());
        let line = match outcome {
            Ok(response) => format!("{method} {url}: {} in {time} ms", response.status),
            Err(error) => format!("{method} {url}: {} in {time} ms", error.message),
        };
        trace(&line);
    }

    fn read_response(
        &self,
        response: Response<Body>,
        request: &OutgoingRequest<'_>,
    ) -> Result<HttpResponse, TransportError> {
        let (parts, body) = response.into_parts();
        let (status, headers, redactor) = (parts.status.as_u16(), parts.headers, Arc::clone(&self.redactor));
        let mut response = HttpResponse { status, headers, redactor, ..HttpResponse::default() };
        let cap = request.response_max;
        if !response.is_success() {
            // The status counts, even if the message cannot be read.
            let _ = body.into_reader().take(ERROR_BODY_MAX).read_to_end(&mut response.body);
            return Ok(response);
        }
        let too_large = || {
            TransportError::new(RegistryErrorKind::ResponseTooLarge, format!("its answer is larger than {cap} bytes"))
        };
        if body.content_length().is_some_and(|length| length > cap) {
            return Err(too_large());
        }
        check_content_encoding(&response)?;
        if request.streams_response {
            response.stream = Some(ResponseBody::new(body));
            return Ok(response);
        }
        let mut reader = body.into_reader().take(cap.saturating_add(1));
        reader.read_to_end(&mut response.body).map_err(TransportError::from_body_read)?;
        if u64::try_from(response.body.len()).unwrap_or(u64::MAX) > cap {
            return Err(too_large());
        }
        Ok(response)
    }

    fn prepare_connections(&self, request: &OutgoingRequest<'_>) -> Result<Arc<OriginConnections>, TransportError> {
        let header = request.authorization.map_or(0, |header| header.reveal().len());
        let longest_head_line = header.max(request.url.target().len());
        let connections = self.pool.get(
            request.registry,
            &request.url.origin,
            request.forbids_private_addresses,
            longest_head_line,
        )?;
        if let Some(preconnected) = &connections.preconnected {
            preconnected.close_old();
        }
        if let Some(login) = &connections.proxy_authorization {
            self.redactor.record_authorization(login);
        }
        Ok(connections)
    }
}

/// Sends a request once and waits for the head of the response. `upload_body` replaces the request's body.
fn send_request(
    agent: &Agent,
    request: &OutgoingRequest<'_>,
    upload_body: Option<&mut RequestBody<'_>>,
) -> Result<Response<Body>, TransportError> {
    let mut builder = HttpRequest::builder().method(request.method).uri(request.url.reveal());
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    if let Some(authorization) = request.authorization {
        builder = builder.header("Authorization", authorization.reveal());
    }
    // The error must not repeat a value, which may be the secret.
    let malformed = |_| {
        let message = "a request that cannot be written: its URL or a header is malformed";
        TransportError::unsent(RegistryErrorKind::Protocol, message)
    };
    let left = request.deadline.time_left();
    let response = match (upload_body, request.body) {
        (Some(stream), _) => {
            if let Some(length) = stream.length {
                builder = builder.header("Content-Length", length);
            }
            let body = SendBody::from_reader(stream.reader);
            agent.run(with_time_limit(agent, builder.body(body).map_err(malformed)?, left))
        }
        (None, Some(body)) => agent.run(with_time_limit(agent, builder.body(body).map_err(malformed)?, left)),
        (None, None) => agent.run(with_time_limit(agent, builder.body(()).map_err(malformed)?, left)),
    };
    response.map_err(TransportError::from_ureq)
}

/// The request with a time limit for all of it: name, connection, handshake, head and body.
fn with_time_limit<B: AsSendBody>(agent: &Agent, request: HttpRequest<B>, left: Option<Duration>) -> HttpRequest<B> {
    agent.configure_request(request).timeout_global(left).build()
}

/// Refuses a compressed response: digests are about the uncompressed bytes.
fn check_content_encoding(response: &HttpResponse) -> Result<(), TransportError> {
    let encoding = response.header("Content-Encoding").filter(|name| !name.eq_ignore_ascii_case("identity"));
    let Some(encoding) = encoding else { return Ok(()) };
    let encoding: String = response.redact(&encoding).chars().filter(char::is_ascii_graphic).take(20).collect();
    let message = format!("its answer is packed with {encoding}, which was not asked for");
    Err(TransportError::new(RegistryErrorKind::Protocol, message))
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
