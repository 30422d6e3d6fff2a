//! A request sent until it is answered: the registry's scheme, authorisation, redirects.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer;
use super::auth::{Authenticator, Origin as Asker, Scope, TokenReply, TokenRequest};
use super::body::{Incoming, Outgoing, Slot};
use super::challenge::Challenge;
use super::credentials::Credentials;
use super::endpoint::{Endpoint, Endpoints, Turn};
use super::error::{Kind, RegistryError};
use super::failure::Failure;
use super::options::Options;
use super::redirect;
use super::transport::{Answer, Request, Transport};
use super::url::Url;
use crate::secret::Secret;

/// How often a request is sent with other credentials; two tokens (a wide and a narrow one) and an expiry fit.
const ROUNDS_MAX: usize = 4;
/// A larger body is not sent before it is known whether the registry wants a login: a server that refuses early and
/// hangs up takes its answer down with it.
const BLIND_BODY_MAX: usize = 128 * 1024;
const TOKEN_MAX: u64 = 1024 * 1024;
const PING_MAX: u64 = 64 * 1024;

/// One operation on a registry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The registry, as references name it.
    pub(super) registry: &'a str,
    /// The method.
    pub(super) method: &'static str,
    /// The path, with its query.
    pub(super) target: &'a str,
    /// Header fields.
    pub(super) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(super) body: Option<&'a [u8]>,
    /// What it needs to be allowed.
    pub(super) scopes: &'a [Scope],
    /// How large the answer may be, in bytes.
    pub(super) cap: u64,
    /// Where the body of a success goes, where it is to be read as it comes; see [`Session::download`].
    pub(super) slot: Option<&'a Slot>,
}

/// The answer to a call, and the request that it answers.
#[derive(Debug)]
pub(super) struct Reply {
    /// The last answer, after redirects.
    pub(super) answer: Answer,
    /// Where it came from.
    pub(super) url: Url,
    /// The request as it may be shown: method and URL of the call.
    pub(super) request: String,
    /// Whether it came from the registry's own origin.
    pub(super) is_home: bool,
}

/// What all requests of a command share.
pub(super) struct Session {
    transport: Transport,
    endpoints: Endpoints,
    authenticator: Authenticator,
    insecure: bool,
    /// Registries that have taken a write from nobody in particular: they want no login for the next one either.
    open: Mutex<BTreeSet<String>>,
    /// Exchanges at once that each registry has to expect and has not been prepared for yet.
    expected: Mutex<BTreeMap<String, usize>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Starts with nothing known. Does no I/O.
    pub(super) fn new(options: Options) -> Session {
        let Options { env, config_dir, insecure, user_agent, trace } = options;
        Session {
            transport: Transport::new(env.clone(), insecure, &user_agent, trace),
            endpoints: Endpoints::new(insecure),
            authenticator: Authenticator::new(Credentials::new(env, config_dir)),
            insecure,
            expected: Mutex::default(),
            open: Mutex::default(),
        }
    }

    pub(super) fn requests(&self) -> u64 {
        0
    }

    /// Remembers a scope for the first token.
    pub(super) fn announce(&self, registry: &str, scope: Scope) {
        self.authenticator.announce(registry, scope);
    }

    /// Says how many exchanges with a registry there will be at once, so that connections can be made ahead.
    pub(super) fn expect(&self, registry: &str, exchanges: usize) {
        lock(&self.expected).insert(registry.to_owned(), exchanges);
    }

    /// Sends the call until there is an answer other than a 401 that can be done something about. The answer is a
    /// success or the error.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Reply, RegistryError> {
        self.judge(call, self.send(call))
    }

    fn judge(&self, call: &Call<'_>, outcome: Result<Reply, RegistryError>) -> Result<Reply, RegistryError> {
        let (error, by_token_server) = match outcome {
            Ok(reply) if reply.answer.is_success() => return Ok(reply),
            Ok(reply) => {
                let error = answer::refusal(call.registry, &reply.request, &reply.answer);
                if !reply.is_home {
                    let detail = format!("redirected to {}: {}", reply.url.origin, error.detail);
                    return Err(RegistryError { detail, ..error });
                }
                (error, false)
            }
            Err(error) => (error, true),
        };
        if error.kind != Kind::Unauthorized {
            return Err(error);
        }
        let kind = self.authenticator.unauthorized(call.registry, by_token_server);
        Err(RegistryError { kind, ..error })
    }

    /// The same, but the body of a success is handed out, to be read as it comes.
    pub(super) fn download(&self, call: &Call<'_>) -> Result<(Reply, Incoming), RegistryError> {
        let slot = Slot::default();
        let reply = self.call(&Call { slot: Some(&slot), ..*call })?;
        let missing = || RegistryError::new(Kind::Protocol, call.registry, "an answer without a body");
        slot.into_inner().ok_or_else(missing).map(|body| (reply, body))
    }

    /// The same call at a URL that the registry named, instead of its target: as ever where that is the registry itself,
    /// and without credentials where it is not.
    pub(super) fn call_at(&self, call: &Call<'_>, url: &Url) -> Result<Reply, RegistryError> {
        if self.is_home(call.registry, url)? {
            return self.call(&Call { target: url.target(), ..*call });
        }
        let followed = self.follow(call, url.clone(), None);
        let failed = |failure: Failure| failure.into_error(call.registry, format!("{} {url}", call.method));
        self.judge(call, followed.map(|reply| Reply { is_home: false, ..reply }).map_err(failed))
    }

    /// Sends a body that is read as it goes out, to a URL that the registry named. Once, as what was read is gone: what
    /// the registry wants of a login is found out before, by a request that is cheap.
    pub(super) fn upload(&self, call: &Call<'_>, url: &Url, body: &mut Outgoing<'_>) -> Result<Reply, RegistryError> {
        let is_home = self.is_home(call.registry, url)?;
        let header = || self.authenticator.header(call.registry, call.scopes).filter(|_| is_home);
        let mut authorization = header();
        if is_home && authorization.is_none() && !lock(&self.open).contains(call.registry) {
            self.call(&Call { method: "GET", target: "/v2/", headers: &[], body: None, cap: PING_MAX, ..*call })?;
            authorization = header();
        }
        let request = Request {
            method: call.method,
            url,
            headers: call.headers,
            authorization: authorization.as_ref(),
            body: None,
            cap: call.cap,
            repeatable: false,
        };
        let shown = format!("{} {url}", call.method);
        let answered = self.transport.upload(call.registry, &request, body);
        let answer = answered.map_err(|failure| failure.into_error(call.registry, shown.clone()))?;
        let reply = Reply { answer, url: url.clone(), request: shown, is_home };
        if is_home && reply.answer.status != 401 {
            self.took(call, authorization.as_ref(), &reply);
        }
        self.judge(call, Ok(reply))
    }

    /// Where a `Location` or `Link` of this reply leads: anywhere but from https to http, as with redirects. The error
    /// says what is wrong with it.
    pub(super) fn place(&self, reply: &Reply, location: &str) -> Result<Url, String> {
        let url = reply.url.join(location)?;
        if reply.url.origin.https && !url.origin.https && !self.insecure {
            return Err(format!("from https to {}", url.origin));
        }
        Ok(url)
    }

    /// Whether a URL is the registry's own, so that credentials for the registry may be sent there.
    pub(super) fn is_home(&self, registry: &str, url: &Url) -> Result<bool, RegistryError> {
        Ok(*self.endpoints.of(registry)?.home() == url.origin)
    }

    fn send(&self, call: &Call<'_>) -> Result<Reply, RegistryError> {
        let endpoint = self.endpoints.of(call.registry)?;
        let mut first = endpoint.first();
        if first.is_some() {
            let expected = lock(&self.expected).remove(call.registry).unwrap_or(1);
            let (origin, count) = endpoint.ahead(expected);
            self.transport.prepare(call.registry, origin, count);
        }
        self.send_to(&endpoint, &mut first, call)
    }

    fn send_to(
        &self,
        endpoint: &Endpoint,
        first: &mut Option<Turn<'_>>,
        call: &Call<'_>,
    ) -> Result<Reply, RegistryError> {
        let mut sent = self.authenticator.header(call.registry, call.scopes);
        let is_blind = sent.is_none() && !lock(&self.open).contains(call.registry);
        if is_blind && call.body.is_some_and(|body| body.len() > BLIND_BODY_MAX) {
            let ping = Call { method: "GET", target: "/v2/", headers: &[], body: None, cap: PING_MAX, ..*call };
            self.send_to(endpoint, first, &ping)?;
            sent = self.authenticator.header(call.registry, call.scopes);
        }
        let mut rounds = 0;
        loop {
            rounds += 1;
            let reply = self.attempt(endpoint, first, call, sent.as_ref())?;
            if reply.answer.status != 401 || !reply.is_home {
                self.took(call, sent.as_ref(), &reply);
                return Ok(reply);
            }
            if rounds >= ROUNDS_MAX {
                return Ok(reply);
            }
            match self.login(endpoint, call, sent.as_ref(), &reply)? {
                Some(header) => sent = Some(header),
                None => return Ok(reply),
            }
        }
    }

    fn attempt(
        &self,
        endpoint: &Endpoint,
        first: &mut Option<Turn<'_>>,
        call: &Call<'_>,
        sent: Option<&Secret>,
    ) -> Result<Reply, RegistryError> {
        let last = RefCell::new(String::new());
        let attempt = endpoint.attempt(first, |origin| {
            let url = Url::new(origin.clone(), call.target);
            last.replace(format!("{} {url}", call.method));
            self.follow(call, url, sent)
        });
        attempt.map_err(|failure| failure.into_error(call.registry, last.into_inner()))
    }

    /// Notes what it took for the registry to take a request.
    fn took(&self, call: &Call<'_>, sent: Option<&Secret>, reply: &Reply) {
        match sent {
            Some(header) => self.authenticator.accepted(call.registry, call.scopes, header),
            None if call.body.is_some() && reply.answer.is_success() => {
                lock(&self.open).insert(call.registry.to_owned());
            }
            None => {}
        }
    }

    /// What to send after the registry's 401; `None` where nothing is left to try.
    fn login(
        &self,
        endpoint: &Endpoint,
        call: &Call<'_>,
        sent: Option<&Secret>,
        reply: &Reply,
    ) -> Result<Option<Secret>, RegistryError> {
        let asker = Asker { registry: call.registry, https: endpoint.is_https(), insecure: self.insecure };
        let values = reply.answer.headers.get_all("WWW-Authenticate").iter();
        let challenges = Challenge::parse_all(values.filter_map(|value| value.to_str().ok()));
        let send = |request: &TokenRequest| self.token(call.registry, request);
        self.authenticator.answer(&asker, &challenges, call.scopes, sent, &send)
    }

    /// Sends once, following redirects; the credentials stay with the first origin.
    fn follow(&self, call: &Call<'_>, url: Url, authorization: Option<&Secret>) -> Result<Reply, Failure> {
        let request = Request {
            method: call.method,
            url: &url,
            headers: call.headers,
            authorization,
            body: call.body,
            cap: call.cap,
            repeatable: true,
        };
        let send = |request: &Request<'_>| match call.slot {
            Some(slot) => self.transport.download(call.registry, request, slot),
            None => self.transport.exchange(call.registry, request),
        };
        let (answer, last) = redirect::follow(&request, self.insecure, &send)?;
        let is_home = last.origin == url.origin;
        Ok(Reply { answer, request: format!("{} {url}", call.method), url: last, is_home })
    }

    /// Asks a token server. With credentials in the request, a redirect is an answer like any other.
    fn token(&self, registry: &str, request: &TokenRequest) -> Result<TokenReply, RegistryError> {
        let refuse =
            |why: &str| RegistryError::new(Kind::Protocol, registry, format!("its token server's address is {why}"));
        let url = Url::parse(&request.url).map_err(refuse)?;
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let post = Request {
            method: if request.form.is_some() { "POST" } else { "GET" },
            url: &url,
            headers: if request.form.is_some() { &form } else { &[] },
            authorization: request.authorization.as_ref(),
            body: request.form.as_ref().map(|form| form.reveal().as_bytes()),
            cap: TOKEN_MAX,
            // A refresh token may be good for one use.
            repeatable: request.form.is_none(),
        };
        let send = |request: &Request<'_>| self.transport.exchange(registry, request);
        let answered = if request.authorization.is_some() || request.form.is_some() {
            send(&post)
        } else {
            redirect::follow(&post, self.insecure, &send).map(|(answer, _)| answer)
        };
        let failed = |failure: Failure| {
            let detail = format!("token server {}: {}", url.origin.authority(), failure.detail);
            RegistryError::new(failure.kind, registry, detail).at(format!("{} {url}", post.method))
        };
        let answer = answered.map_err(failed)?;
        Ok(TokenReply { status: answer.status, body: answer.body })
    }

    /// Sends a request that is only a courtesy: once, to the registry itself, and whatever comes of it.
    pub(super) fn courtesy(&self, call: &Call<'_>, url: &Url) {
        let authorization = self.authenticator.header(call.registry, call.scopes);
        let request = Request {
            method: call.method,
            url,
            headers: call.headers,
            authorization: authorization.as_ref(),
            body: call.body,
            cap: call.cap,
            repeatable: false,
        };
        let _ = self.transport.exchange(call.registry, &request);
    }
}
