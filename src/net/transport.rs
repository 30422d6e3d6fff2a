//! One request and its answer, over connections that are kept for the next one.
//!
//! There is one agent (with its pool) for each origin and the registry in whose service it is called, because proxy and
//! TLS are fixed per agent: set per request, the HTTP library would never reuse a connection. Redirects, errors by
//! status, compression and `Expect` are all kept away from it. Bodies are read whole and never beyond their cap, but
//! for those of blobs on their way from one registry to another, which are read and sent as they come.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use percent_encoding::{CONTROLS, percent_encode};
use ureq::http::response::Parts;
use ureq::http::{HeaderMap, HeaderValue, Request as HttpRequest, Response};
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::env::Env;
use crate::net::body::{BodySlot, RequestBody, ResponseBody};
use crate::net::connections::{ConnectionPool, OriginConnections};
use crate::net::connector::take_connected;
use crate::net::deadline::{Deadline, shown};
use crate::net::error::RegistryErrorKind;
use crate::net::failure::{FailureHint, TransportFailure};
use crate::net::redact::Redactor;
use crate::net::url::{Origin, Url};
use crate::secret::Secret;

/// How much of the body of an answer that is no success is read, for its words and so that the connection lives.
const WORDS_MAX: u64 = 64 * 1024;
/// How often a request is sent again when the pool hands out connections that the other side has closed.
const STALE_MAX: usize = 3;

/// Takes a line for each request, for `--debug`: method, URL, status, time. Never a secret.
pub type Trace = Arc<dyn Fn(&str) + Send + Sync>;

/// A request to be sent. Without Debug, as the body may hold a secret.
#[derive(Clone, Copy)]
pub(crate) struct OutgoingRequest<'a> {
    /// The method.
    pub(crate) method: &'static str,
    /// Where to.
    pub(crate) url: &'a Url,
    /// Header fields beside those that every request has.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The `Authorization` field.
    pub(crate) authorization: Option<&'a Secret>,
    /// The body; an empty one says so with a `Content-Length` of 0.
    pub(crate) body: Option<&'a [u8]>,
    /// How large the body of a success may be, in bytes.
    pub(crate) cap: u64,
    /// Whether it does no harm when it is sent twice.
    pub(crate) repeatable: bool,
    /// Whether it was the registry's own idea to send it there: not into a private network from a public one.
    pub(crate) guarded: bool,
    /// When all of it has to be over.
    pub(crate) deadline: &'a Deadline,
}

/// What was answered, byte for byte. Shown for debugging without header fields and body, which may hold a token.
pub(crate) struct HttpResponse {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The body; of anything but a success (2xx) only its beginning.
    pub(crate) body: Vec<u8>,
    /// What [`HttpResponse::quote`] takes out.
    pub(crate) secrets: Arc<Redactor>,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl HttpResponse {
    /// A header field's first value; `None` where it is empty.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        match field_text(self.headers.get(name)?) {
            Cow::Borrowed(text) => Some(Cow::Borrowed(text.trim())),
            Cow::Owned(text) => Some(Cow::Owned(text.trim().to_owned())),
        }
        .filter(|value| !value.is_empty())
    }

    /// All values of a header field, in their order.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.headers.get_all(name).iter().map(field_text)
    }

    /// The `Location`, with every byte that cannot stand in a URL percent-encoded: the bytes are the server's own.
    pub(crate) fn location(&self) -> Option<String> {
        let bytes = self.headers.get("Location")?.as_bytes().trim_ascii();
        Some(percent_encode(bytes, CONTROLS).to_string()).filter(|location| !location.is_empty())
    }

    /// A text of this answer as it may stand in a message: without the secrets that were sent. Nothing else of an
    /// answer is redacted, because what is decided by its texts needs them as they came.
    pub(crate) fn quote(&self, text: &str) -> String {
        self.secrets.clean(text)
    }

    /// Whether the request did what it was sent for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A field's value as text. RFC 9110, 5.5, allows bytes above 0x7f without saying what they mean: UTF-8, where they are
/// that, and Latin-1, which every byte sequence is.
fn field_text(value: &HeaderValue) -> Cow<'_, str> {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), Cow::Borrowed)
}

/// All connections of a command.
pub(crate) struct Transport {
    trace: Option<Trace>,
    lines: ConnectionPool,
    secrets: Arc<Redactor>,
    sent: AtomicU64,
}

impl Transport {
    /// Has no connections yet, and does no I/O.
    pub(crate) fn new(env: Env, insecure: bool, user_agent: &str, trace: Option<Trace>) -> Transport {
        Transport {
            trace,
            lines: ConnectionPool::new(env, insecure, user_agent),
            secrets: Arc::default(),
            sent: AtomicU64::new(0),
        }
    }

    /// What takes everything secret that was sent out of a text.
    pub(crate) fn secrets(&self) -> &Arc<Redactor> {
        &self.secrets
    }

    /// How many requests were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a request in a registry's service and reads the answer.
    ///
    /// A connection from the pool that turns out to be dead is replaced, where the request may be repeated.
    pub(crate) fn exchange(
        &self,
        registry: &str,
        request: &OutgoingRequest<'_>,
    ) -> Result<HttpResponse, TransportFailure> {
        self.repeat(registry, request, &|agent| self.read(run(agent, request, None)?, request.cap))
    }

    /// The same, but the body of a success is not read: it is put into the slot, in the place of what was there.
    pub(crate) fn download(
        &self,
        registry: &str,
        request: &OutgoingRequest<'_>,
        slot: &BodySlot,
    ) -> Result<HttpResponse, TransportFailure> {
        self.repeat(registry, request, &|agent| {
            let response = run(agent, request, None)?;
            if !response.status().is_success() {
                return self.read(response, request.cap);
            }
            let (parts, body) = response.into_parts();
            let answer = self.head(parts);
            plain(&answer)?;
            slot.replace(Some(ResponseBody::new(body)));
            Ok(answer)
        })
    }

    /// Sends a request with a body that is read as it goes out. Once only: what was read of it is gone.
    pub(crate) fn upload(
        &self,
        registry: &str,
        request: &OutgoingRequest<'_>,
        body: &mut RequestBody<'_>,
    ) -> Result<HttpResponse, TransportFailure> {
        let line = self.line(registry, request)?;
        self.once(request, || self.read(run(&line.agent, request, Some(body))?, request.cap))
    }

    fn repeat(
        &self,
        registry: &str,
        request: &OutgoingRequest<'_>,
        send: &dyn Fn(&Agent) -> Result<HttpResponse, TransportFailure>,
    ) -> Result<HttpResponse, TransportFailure> {
        let line = self.line(registry, request)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let _ = take_connected();
            let outcome = self.once(request, || send(&line.agent));
            let Err(failure) = outcome else { return outcome };
            let may_repeat = match failure.hint {
                FailureHint::NoAnswer => request.repeatable,
                // An old spare that was closed: nothing has been sent.
                FailureHint::NoHandshake => true,
                _ => return Err(failure),
            };
            if may_repeat && !take_connected() && tries < STALE_MAX {
                continue;
            }
            return Err(if failure.hint == FailureHint::NoAnswer { line.explain(failure) } else { failure });
        }
    }

    /// Sends once, and sees to all that goes with it: the count, the trace, the deadline and what was secret.
    fn once(
        &self,
        request: &OutgoingRequest<'_>,
        send: impl FnOnce() -> Result<HttpResponse, TransportFailure>,
    ) -> Result<HttpResponse, TransportFailure> {
        if let Some(authorization) = request.authorization {
            self.secrets.sent(authorization);
        }
        let late = |total| {
            TransportFailure::unsent(RegistryErrorKind::Timeout, format!("no whole answer within {}", shown(total)))
        };
        if let Some(total) = request.deadline.missed() {
            return Err(late(total));
        }
        let begun = Instant::now();
        let mut outcome = send();
        if let Err(failure) = &mut outcome {
            if let Some(total) = request.deadline.missed().filter(|_| failure.kind == RegistryErrorKind::Timeout) {
                *failure = TransportFailure { sent: failure.sent, ..late(total) };
            }
            if failure.quotes || request.url.is_named() {
                failure.detail = self.secrets.clean(&failure.detail);
            }
        }
        if outcome.as_ref().map_or_else(|failure| failure.sent, |_| true) {
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(request, &outcome, begun);
        outcome
    }

    /// Begins to make connections to an origin ahead of their use, unless it is reached through a proxy.
    pub(crate) fn prepare(&self, registry: &str, origin: &Origin, count: usize) {
        // A line that cannot be set up is reported by the exchange that needs it.
        let Ok(line) = self.lines.get(registry, origin, false, 0) else { return };
        if let Some(spares) = line.spares.as_ref().filter(|_| count > 0) {
            spares.open(&origin.host, origin.port, count);
        }
    }

    fn tell(&self, request: &OutgoingRequest<'_>, outcome: &Result<HttpResponse, TransportFailure>, begun: Instant) {
        let Some(trace) = &self.trace else { return };
        let (method, url, time) = (request.method, self.secrets.url(request.url), begun.elapsed().as_millis());
        let line = match outcome {
            Ok(answer) => format!("{method} {url}: {} in {time} ms", answer.status),
            Err(failure) => format!("{method} {url}: {} in {time} ms", failure.detail),
        };
        trace(&line);
    }

    fn read(&self, response: Response<Body>, cap: u64) -> Result<HttpResponse, TransportFailure> {
        let (parts, body) = response.into_parts();
        let mut answer = self.head(parts);
        if !answer.is_success() {
            // Its status stands, whatever becomes of its words.
            let _ = body.into_reader().take(WORDS_MAX).read_to_end(&mut answer.body);
            return Ok(answer);
        }
        let too_large =
            || TransportFailure::new(RegistryErrorKind::TooLarge, format!("its answer is larger than {cap} bytes"));
        if body.content_length().is_some_and(|length| length > cap) {
            return Err(too_large());
        }
        plain(&answer)?;
        let mut reader = body.into_reader().take(cap.saturating_add(1));
        reader.read_to_end(&mut answer.body).map_err(TransportFailure::of_body)?;
        if u64::try_from(answer.body.len()).unwrap_or(u64::MAX) > cap {
            return Err(too_large());
        }
        Ok(answer)
    }

    fn head(&self, parts: Parts) -> HttpResponse {
        let secrets = Arc::clone(&self.secrets);
        HttpResponse { status: parts.status.as_u16(), headers: parts.headers, body: Vec::new(), secrets }
    }

    fn line(&self, registry: &str, request: &OutgoingRequest<'_>) -> Result<Arc<OriginConnections>, TransportFailure> {
        let header = request.authorization.map_or(0, |header| header.reveal().len());
        let longest = header.max(request.url.target().len());
        let line = self.lines.get(registry, &request.url.origin, request.guarded, longest)?;
        if let Some(login) = &line.proxy_login {
            self.secrets.sent(login);
        }
        Ok(line)
    }
}

/// Sends a request once and waits for the head of its answer. `stream` is sent in the place of the request's body.
fn run(
    agent: &Agent,
    request: &OutgoingRequest<'_>,
    stream: Option<&mut RequestBody<'_>>,
) -> Result<Response<Body>, TransportFailure> {
    let mut builder = HttpRequest::builder().method(request.method).uri(request.url.reveal());
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    if let Some(authorization) = request.authorization {
        builder = builder.header("Authorization", authorization.reveal());
    }
    // Neither the library's error nor ours repeats a value here: it may be the secret one.
    let unfit = |_| {
        TransportFailure::unsent(
            RegistryErrorKind::Protocol,
            "a request that cannot be written: its URL or a header is malformed",
        )
    };
    let left = request.deadline.left();
    let response = match (stream, request.body) {
        (Some(stream), _) => {
            if let Some(length) = stream.length {
                builder = builder.header("Content-Length", length);
            }
            let body = SendBody::from_reader(stream.reader);
            agent.run(within(agent, builder.body(body).map_err(unfit)?, left))
        }
        (None, Some(body)) => agent.run(within(agent, builder.body(body).map_err(unfit)?, left)),
        (None, None) => agent.run(within(agent, builder.body(()).map_err(unfit)?, left)),
    };
    response.map_err(TransportFailure::of)
}

/// The request with a bound on all of it: name, connection, handshake, head and body.
fn within<B: AsSendBody>(agent: &Agent, request: HttpRequest<B>, left: Option<Duration>) -> HttpRequest<B> {
    agent.configure_request(request).timeout_global(left).build()
}

/// Refuses an answer whose body has been packed: its bytes would not be those that digests are about.
fn plain(answer: &HttpResponse) -> Result<(), TransportFailure> {
    let encoding = answer.header("Content-Encoding").filter(|name| !name.eq_ignore_ascii_case("identity"));
    let Some(encoding) = encoding else { return Ok(()) };
    let encoding: String = answer.quote(&encoding).chars().filter(char::is_ascii_graphic).take(20).collect();
    Err(TransportFailure::new(
        RegistryErrorKind::Protocol,
        format!("its answer is packed with {encoding}, which was not asked for"),
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::net::preconnect::PreconnectPool;

    /// What comes of an exchange over TLS whose spare connection is closed in the handshake. The connection after it
    /// meets a peer that speaks no TLS.
    fn after_a_spare_of(age: Duration) -> FailureHint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Url::parse(&format!("https://127.0.0.1:{port}/v2/")).unwrap();
        let transport = Transport::new(Env::default(), false, "test/1", None);
        let spare = PreconnectPool::with(TcpStream::connect(("127.0.0.1", port)).unwrap(), age);
        transport.lines.keep(&url.origin, spare);
        let server = thread::spawn(move || {
            let (mut spare, _) = listener.accept().unwrap();
            spare.read_exact(&mut [0]).unwrap();
            drop(spare);
            let (mut plain, _) = listener.accept().unwrap();
            // Read first, or closing it would take the answer away.
            let _ = plain.read(&mut [0; 4096]);
            let _ = plain.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let request = OutgoingRequest {
            method: "POST",
            url: &url,
            headers: &[],
            authorization: None,
            body: None,
            cap: 0,
            repeatable: false,
            guarded: false,
            deadline: &Deadline::NONE,
        };
        let hint = transport.exchange("127.0.0.1", &request).unwrap_err().hint;
        // Lets the server go on where there was no second connection.
        let _ = TcpStream::connect(("127.0.0.1", port));
        server.join().unwrap();
        hint
    }

    #[test]
    fn an_old_spare_that_dies_in_the_handshake_is_replaced_and_a_fresh_one_is_not() {
        assert_eq!(after_a_spare_of(Duration::from_secs(5)), FailureHint::NoTls);
        assert_eq!(after_a_spare_of(Duration::ZERO), FailureHint::NoHandshake);
    }

    #[test]
    fn a_public_registry_cannot_have_us_ask_inside() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let transport = Transport::new(Env::default(), false, "test/1", None);
        transport.lines.note("registry.example", true);
        let ask = |url: &str, guarded| {
            let url = Url::parse(url).unwrap();
            let request = OutgoingRequest {
                method: "GET",
                url: &url,
                headers: &[],
                authorization: None,
                body: None,
                cap: 0,
                repeatable: false,
                guarded,
                deadline: &Deadline::NONE,
            };
            transport.exchange("registry.example", &request).unwrap_err()
        };
        for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]"] {
            for scheme in ["http", "https"] {
                let failure = ask(&format!("{scheme}://{host}:{port}/token"), true);
                assert!(failure.kind == RegistryErrorKind::Protocol && !failure.sent, "{host}: {}", failure.detail);
                assert!(failure.detail.starts_with("the private address "), "{host}: {}", failure.detail);
            }
        }
        assert_eq!(transport.sent(), 0);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody has come");
        drop(listener);
        // A redirect carries no credentials, and many a public registry keeps its blobs inside.
        assert_eq!(ask(&format!("http://127.0.0.1:{port}/blob"), false).kind, RegistryErrorKind::Connect);
    }

    #[test]
    fn fields_are_read_whatever_bytes_are_in_them() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("A", &b" caf\xc3\xa9 "[..]),
            ("B", b"caf\xe9"),
            ("C", b"  "),
            ("Location", b"/caf\xe9/\xc3\xa9 %41\t?x"),
            ("D", b"\x7e\x80\xff"),
        ] {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers.append("B", HeaderValue::from_bytes(b"x").unwrap());
        let answer = HttpResponse { status: 200, headers, body: Vec::new(), secrets: Arc::default() };
        assert_eq!(answer.header("A").as_deref(), Some("café"));
        assert_eq!(answer.header("B").as_deref(), Some("café"));
        assert_eq!((answer.header("C"), answer.header("E")), (None, None));
        assert_eq!(answer.header("D").as_deref(), Some("~\u{80}ÿ"));
        assert_eq!(answer.fields("B").collect::<Vec<_>>(), ["café", "x"]);
        assert_eq!(answer.location().as_deref(), Some("/caf%E9/%C3%A9 %41%09?x"), "the bytes are the server's");
    }

    #[test]
    fn an_answer_shown_for_debugging_holds_nothing_of_what_came() {
        let mut headers = HeaderMap::new();
        headers.insert("X-Echo", "hunter2".parse().unwrap());
        let answer = HttpResponse { status: 200, headers, body: b"hunter2".to_vec(), secrets: Arc::default() };
        assert_eq!(format!("{answer:?}"), "HttpResponse { status: 200, .. }");
    }
}
