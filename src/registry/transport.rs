//! One request and its answer, over connections that are kept for the next one.
//!
//! There is one agent (with its pool) for each origin and the registry in whose service it is called, because proxy and
//! TLS are fixed per agent: set per request, the HTTP library would never reuse a connection. Redirects, errors by
//! status, compression and `Expect` are all kept away from it. Bodies are read whole and never beyond their cap, but for
//! those of blobs on their way from one registry to another, which are read and sent as they come.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, Request as HttpRequest, Response};
use ureq::{Agent, Body, Proxy, ProxyProtocol, SendBody};

use super::body::{Incoming, Outgoing, Slot};
use super::connector::{Connections, ForwardProxy, Names, take_connected};
use super::endpoint;
use super::error::Kind;
use super::failure::{Failure, Hint};
use super::forward::Forward;
use super::identity::Identity;
use super::proxy::{ProxyScheme, ProxyUrl, proxy_for};
use super::spare::Spares;
use super::tls::Tls;
use super::url::{Origin, Url};
use crate::env::Env;
use crate::secret::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// For each read or write: a body that moves may take as long as it likes.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// For the head of an answer, however slowly it drips.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
const IDLE_CONNECTIONS: usize = 64;
const HEAD_MAX: usize = 32 * 1024;
const BUFFER_IN: usize = 64 * 1024;
const BUFFER_OUT: usize = 32 * 1024;
/// How much of the body of an answer that is no success is read, for its words and so that the connection lives.
const WORDS_MAX: u64 = 64 * 1024;
/// How often a request is sent again when the pool hands out connections that the other side has closed.
const STALE_MAX: usize = 3;

/// Takes a line for each request, for `--debug`: method, URL, status, time. Never a secret.
pub type Trace = Arc<dyn Fn(&str) + Send + Sync>;

/// A request to be sent. Without Debug, as the body may hold a secret.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The method.
    pub(super) method: &'static str,
    /// Where to.
    pub(super) url: &'a Url,
    /// Header fields beside those that every request has.
    pub(super) headers: &'a [(&'static str, &'a str)],
    /// The `Authorization` field.
    pub(super) authorization: Option<&'a Secret>,
    /// The body; an empty one says so with a `Content-Length` of 0.
    pub(super) body: Option<&'a [u8]>,
    /// How large the body of a success may be, in bytes.
    pub(super) cap: u64,
    /// Whether it does no harm when it is sent twice.
    pub(super) repeatable: bool,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The header fields.
    pub(super) headers: HeaderMap,
    /// The body; of anything but a success (2xx) only its beginning.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A header field's first value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }

    /// Whether the request did what it was sent for.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// All connections of a command.
pub(super) struct Transport {
    env: Env,
    user_agent: String,
    trace: Option<Trace>,
    tls: Tls,
    lines: Mutex<BTreeMap<(String, Origin), Arc<Line>>>,
    spares: Mutex<BTreeMap<(String, u16), Arc<Spares>>>,
}

/// The connections to one origin.
struct Line {
    agent: Agent,
    /// The client's half of mutual TLS, where there is TLS.
    identity: Option<Arc<Identity>>,
    /// Connections made ahead, where the origin is connected to directly.
    spares: Option<Arc<Spares>>,
}

impl Transport {
    /// Has no connections yet, and does no I/O.
    pub(super) fn new(env: Env, insecure: bool, user_agent: &str, trace: Option<Trace>) -> Transport {
        let tls = Tls::new(&env, insecure);
        // The HTTP library panics on a value that cannot stand in a header.
        let user_agent = user_agent.chars().filter(|c| matches!(c, ' '..='~')).collect();
        Transport { env, user_agent, trace, tls, lines: Mutex::default(), spares: Mutex::default() }
    }

    /// Sends a request in a registry's service and reads the answer.
    ///
    /// A connection from the pool that turns out to be dead is replaced, where the request may be repeated.
    pub(super) fn exchange(&self, registry: &str, request: &Request<'_>) -> Result<Answer, Failure> {
        self.repeat(registry, request, &|agent| read(run(agent, request, None)?, request.cap))
    }

    /// The same, but the body of a success is not read: it is put into the slot, in the place of what was there.
    pub(super) fn download(&self, registry: &str, request: &Request<'_>, slot: &Slot) -> Result<Answer, Failure> {
        self.repeat(registry, request, &|agent| {
            let response = run(agent, request, None)?;
            if !response.status().is_success() {
                return read(response, request.cap);
            }
            let (parts, body) = response.into_parts();
            let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body: Vec::new() };
            plain(&answer)?;
            slot.replace(Some(Incoming::new(body)));
            Ok(answer)
        })
    }

    /// Sends a request with a body that is read as it goes out. Once only: what was read of it is gone.
    pub(super) fn upload(
        &self,
        registry: &str,
        request: &Request<'_>,
        body: &mut Outgoing<'_>,
    ) -> Result<Answer, Failure> {
        let line = self.line(registry, &request.url.origin)?;
        let begun = Instant::now();
        let outcome = run(&line.agent, request, Some(body)).and_then(|response| read(response, request.cap));
        self.tell(request, &outcome, begun);
        outcome
    }

    fn repeat(
        &self,
        registry: &str,
        request: &Request<'_>,
        send: &dyn Fn(&Agent) -> Result<Answer, Failure>,
    ) -> Result<Answer, Failure> {
        let line = self.line(registry, &request.url.origin)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let begun = Instant::now();
            let _ = take_connected();
            let outcome = send(&line.agent);
            self.tell(request, &outcome, begun);
            let Err(failure) = outcome else { return outcome };
            let may_repeat = match failure.hint {
                Hint::NoAnswer => request.repeatable,
                // An old spare that was closed: nothing has been sent.
                Hint::NoHandshake => true,
                _ => return Err(failure),
            };
            if may_repeat && !take_connected() && tries < STALE_MAX {
                continue;
            }
            return Err(if failure.hint == Hint::NoAnswer { line.explain(failure) } else { failure });
        }
    }

    /// Begins to make connections to an origin ahead of their use, unless it is reached through a proxy.
    pub(super) fn prepare(&self, registry: &str, origin: &Origin, count: usize) {
        // A line that cannot be set up is reported by the exchange that needs it.
        let Ok(line) = self.line(registry, origin) else { return };
        if let Some(spares) = line.spares.as_ref().filter(|_| count > 0) {
            spares.open(&origin.host, origin.port, count);
        }
    }

    fn tell(&self, request: &Request<'_>, outcome: &Result<Answer, Failure>, begun: Instant) {
        let Some(trace) = &self.trace else { return };
        let (method, url, time) = (request.method, request.url, begun.elapsed().as_millis());
        match outcome {
            Ok(answer) => trace(&format!("{method} {url}: {} in {time} ms", answer.status)),
            Err(failure) => trace(&format!("{method} {url}: {} in {time} ms", failure.detail)),
        }
    }

    fn line(&self, registry: &str, origin: &Origin) -> Result<Arc<Line>, Failure> {
        let key = (registry.to_owned(), origin.clone());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&key) {
            return Ok(Arc::clone(line));
        }
        let line = Arc::new(self.open(registry, origin)?);
        lines.insert(key, Arc::clone(&line));
        Ok(line)
    }

    /// Sets up the connections to an origin, without making one.
    fn open(&self, registry: &str, origin: &Origin) -> Result<Line, Failure> {
        let files = |why: String| Failure::new(Kind::TlsFiles, why);
        let mut connections = Connections::default();
        if origin.https {
            let trusted = endpoint::certs_d_names(registry);
            let at_home = endpoint::origin(registry, true).as_ref() == Some(origin);
            let own = if at_home { trusted.clone() } else { vec![origin.authority()] };
            connections.tls = Some(self.tls.setup(&own, &trusted).map_err(files)?);
        }
        let found = proxy_for(&self.env, origin.https, &origin.host, origin.port);
        let proxy = found.map_err(|why| Failure::new(Kind::Proxy, why))?;
        let proxy_tls = match &proxy {
            Some(proxy) if proxy.scheme == ProxyScheme::Https => Some(self.tls.setup(&[], &[]).map_err(files)?),
            _ => None,
        };
        let spares = proxy.is_none().then(|| {
            let mut all = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry((origin.host.clone(), origin.port)).or_default())
        });
        connections.spares.clone_from(&spares);
        let mut names = Names::default();
        let mut tunnel = None;
        if let Some(proxy) = proxy {
            if origin.https {
                tunnel = Some(tunnel_through(&proxy)?);
                (connections.tunnels, connections.connect_tls) = (true, proxy_tls);
            } else {
                let forward = Forward::new(origin.to_string(), &proxy);
                let address = (proxy.host, proxy.port);
                names.instead = Some(address.clone());
                connections.forward = Some(ForwardProxy { address, tls: proxy_tls, forward });
            }
        }
        let identity = connections.tls.as_ref().map(|tls| Arc::clone(&tls.identity));
        let agent = Agent::with_parts(self.config(tunnel), connections, names);
        Ok(Line { agent, identity, spares })
    }

    fn config(&self, tunnel: Option<Proxy>) -> ureq::config::Config {
        Agent::config_builder()
            .proxy(tunnel)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(self.user_agent.as_str())
            .accept(AutoHeaderValue::None)
            .accept_encoding("identity")
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(HEAD_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_per_write(Some(STALL_TIMEOUT))
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .max_response_header_size(HEAD_MAX)
            .input_buffer_size(BUFFER_IN)
            .output_buffer_size(BUFFER_OUT)
            .build()
    }
}

impl Line {
    /// A server that wanted another client certificate may just hang up (see [`Identity::was_asked`]).
    fn explain(&self, failure: Failure) -> Failure {
        match &self.identity {
            Some(identity) if identity.was_asked() => Failure::new(
                Kind::ClientCertificate,
                format!("it asked for one and then ended the connection ({})", failure.detail),
            ),
            _ => failure,
        }
    }
}

fn tunnel_through(proxy: &ProxyUrl) -> Result<Proxy, Failure> {
    let protocol = match proxy.scheme {
        ProxyScheme::Http => ProxyProtocol::Http,
        ProxyScheme::Https => ProxyProtocol::Https,
    };
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let mut builder = Proxy::builder(protocol).host(&host).port(proxy.port).resolve_target(false);
    if let Some((user, password)) = &proxy.user {
        builder = builder.username(user).password(password.reveal());
    }
    builder.build().map_err(|_| Failure::new(Kind::Proxy, format!("the address of the proxy {host} cannot be used")))
}

/// Sends a request once and waits for the head of its answer. `stream` is sent in the place of the request's body.
fn run(agent: &Agent, request: &Request<'_>, stream: Option<&mut Outgoing<'_>>) -> Result<Response<Body>, Failure> {
    let mut builder = HttpRequest::builder().method(request.method).uri(request.url.reveal());
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    if let Some(authorization) = request.authorization {
        builder = builder.header("Authorization", authorization.reveal());
    }
    // Neither the library's error nor ours repeats a value here: it may be the secret one.
    let unfit = |_| Failure::new(Kind::Protocol, "a request that cannot be written: its URL or a header is malformed");
    let response = match (stream, request.body) {
        (Some(stream), _) => {
            if let Some(length) = stream.length {
                builder = builder.header("Content-Length", length);
            }
            agent.run(builder.body(SendBody::from_reader(stream.reader)).map_err(unfit)?)
        }
        (None, Some(body)) => agent.run(builder.body(body).map_err(unfit)?),
        (None, None) => agent.run(builder.body(()).map_err(unfit)?),
    };
    response.map_err(Failure::of)
}

fn read(response: Response<Body>, cap: u64) -> Result<Answer, Failure> {
    let (parts, body) = response.into_parts();
    let mut answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body: Vec::new() };
    if !answer.is_success() {
        // Its status stands, whatever becomes of its words.
        let _ = body.into_reader().take(WORDS_MAX).read_to_end(&mut answer.body);
        return Ok(answer);
    }
    let too_large = || Failure::new(Kind::Protocol, format!("its answer is larger than {cap} bytes"));
    if body.content_length().is_some_and(|length| length > cap) {
        return Err(too_large());
    }
    plain(&answer)?;
    let mut reader = body.into_reader().take(cap.saturating_add(1));
    reader.read_to_end(&mut answer.body).map_err(Failure::of_body)?;
    if u64::try_from(answer.body.len()).unwrap_or(u64::MAX) > cap {
        return Err(too_large());
    }
    Ok(answer)
}

/// Refuses an answer whose body has been packed: its bytes would not be those that digests are about.
fn plain(answer: &Answer) -> Result<(), Failure> {
    let encoding = answer.header("Content-Encoding").filter(|name| !name.eq_ignore_ascii_case("identity"));
    let Some(encoding) = encoding else { return Ok(()) };
    let encoding: String = encoding.chars().filter(char::is_ascii_graphic).take(20).collect();
    Err(Failure::new(Kind::Protocol, format!("its answer is packed with {encoding}, which was not asked for")))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// What comes of an exchange over TLS whose spare connection is closed in the handshake. The connection after it
    /// meets a peer that speaks no TLS.
    fn after_a_spare_of(age: Duration) -> Hint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Url::parse(&format!("https://127.0.0.1:{port}/v2/")).unwrap();
        let transport = Transport::new(Env::default(), false, "test/1", None);
        let spare = Spares::with(TcpStream::connect(("127.0.0.1", port)).unwrap(), age);
        transport.spares.lock().unwrap().insert((url.origin.host.clone(), port), Arc::new(spare));
        let server = thread::spawn(move || {
            let (mut spare, _) = listener.accept().unwrap();
            spare.read_exact(&mut [0]).unwrap();
            drop(spare);
            let (mut plain, _) = listener.accept().unwrap();
            // Read first, or closing it would take the answer away.
            let _ = plain.read(&mut [0; 4096]);
            let _ = plain.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let request = Request {
            method: "POST",
            url: &url,
            headers: &[],
            authorization: None,
            body: None,
            cap: 0,
            repeatable: false,
        };
        let hint = transport.exchange("127.0.0.1", &request).unwrap_err().hint;
        // Lets the server go on where there was no second connection.
        let _ = TcpStream::connect(("127.0.0.1", port));
        server.join().unwrap();
        hint
    }

    #[test]
    fn an_old_spare_that_dies_in_the_handshake_is_replaced_and_a_fresh_one_is_not() {
        assert_eq!(after_a_spare_of(Duration::from_secs(5)), Hint::NoTls);
        assert_eq!(after_a_spare_of(Duration::ZERO), Hint::NoHandshake);
    }
}
