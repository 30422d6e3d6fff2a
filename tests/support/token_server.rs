//! A token server beside a registry with Bearer authentication.
//!
//! It supports both forms of docker's token specification, the GET with Basic credentials and the OAuth2 POST,
//! signs real JWTs that docker-registry accepts (see `jwt`), and records every request, so that a test can count
//! them: docker requests seventeen tokens where this program requests one.

mod http;
mod jwt;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use serde_json::{Value, json};

use http::{HttpRequest, HttpResponse};
use jwt::{Access, Signer};

/// What someone may do in some repositories.
#[derive(Debug, Clone)]
pub struct Grant {
    /// A repository's name, `team/*` for all below `team/`, or `*` for all.
    pub repository: String,
    /// `pull`, `push`, `delete`.
    pub actions: Vec<String>,
}

impl Grant {
    /// `actions` is written as in a scope: `pull,push`.
    pub fn new(repository: &str, actions: &str) -> Self {
        Self { repository: repository.into(), actions: actions.split(',').map(str::to_owned).collect() }
    }

    fn covers(&self, repository: &str) -> bool {
        match self.repository.strip_suffix('*') {
            Some(prefix) => repository.starts_with(prefix),
            None => self.repository == repository,
        }
    }
}

/// Someone whom the server knows.
#[derive(Debug, Clone)]
pub struct TokenUser {
    /// The name to log in with.
    pub name: String,
    /// The password that goes with it.
    pub password: String,
    /// A refresh token (config.json's `identitytoken`) that stands for this user too.
    pub refresh_token: Option<String>,
    /// What the user may do.
    pub grants: Vec<Grant>,
}

impl TokenUser {
    /// A user who may do everything everywhere, with `refresh-NAME` as refresh token.
    pub fn all(name: &str, password: &str) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            refresh_token: Some(format!("refresh-{name}")),
            grants: vec![Grant::new("*", "pull,push,delete")],
        }
    }
}

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// The known users.
    pub users: Vec<TokenUser>,
    /// What may be done without a name; where it is empty, asking without a name is answered 401.
    pub anonymous: Vec<Grant>,
    /// How long a token is good for, in seconds; `expires_in` says so. None leaves `expires_in` out and means 60.
    pub lifetime_seconds: Option<u64>,
    /// This many tokens, the first ones, ran out an hour ago whatever `expires_in` says: a client that sends one
    /// is answered 401 by the registry and has to ask again.
    pub expired_first: usize,
    /// Whether the OAuth2 POST is known; where not, it is answered 404 as by servers that know only GET.
    pub oauth2: bool,
    /// Where nothing of what was asked for is granted: answer 403 DENIED in place of a token that opens nothing.
    pub deny_empty_grants: bool,
    /// Whether the answer's key is `access_token` alone, as some servers have it, in place of `token`.
    pub access_token_only: bool,
}

impl Default for TokenConfig {
    /// One user, `alice` with password `secret`, who may do everything; nothing without a name.
    fn default() -> Self {
        Self {
            users: vec![TokenUser::all("alice", "secret")],
            anonymous: Vec::new(),
            lifetime_seconds: Some(300),
            expired_first: 0,
            oauth2: true,
            deny_empty_grants: false,
            access_token_only: false,
        }
    }
}

/// One request as the server got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTokenRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The service that was named, empty if none was.
    pub service: String,
    /// Every scope, in order, one an entry however they were sent.
    pub scopes: Vec<String>,
    /// Whom the credentials named, whether or not they were right; None is anonymous or a refresh token.
    pub user: Option<String>,
    /// OAuth2's `grant_type`; None with GET.
    pub grant_type: Option<String>,
    /// OAuth2's `client_id`, GET's too where it was sent.
    pub client_id: Option<String>,
    /// The answer's status.
    pub status: u16,
}

struct Shared {
    config: TokenConfig,
    signer: Signer,
    issued: Mutex<usize>,
    requests: Mutex<Vec<RecordedTokenRequest>>,
    stopping: AtomicBool,
}

/// A running server; it ends when dropped.
pub struct TokenServer {
    addr: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accept_thread: Option<JoinHandle<()>>,
}

const ISSUER: &str = "docker-manifest test token server";
const SERVICE: &str = "registry.test.service";

impl TokenServer {
    /// Starts on a free loopback port. Panics where the machine gives none: without it no test could run.
    pub fn start(config: TokenConfig) -> Self {
        Self::start_on(config, "127.0.0.1:0").expect("a free loopback port")
    }

    /// As `start`, over TLS.
    pub fn start_tls(config: TokenConfig, tls: Arc<ServerConfig>) -> Self {
        Self::listen(config, "127.0.0.1:0", Some(tls)).expect("a free loopback port")
    }

    /// As `start`, on an address of the caller's.
    pub fn start_on(config: TokenConfig, addr: &str) -> io::Result<Self> {
        Self::listen(config, addr, None)
    }

    fn listen(config: TokenConfig, addr: &str, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            signer: Signer::generate(),
            issued: Mutex::new(0),
            requests: Mutex::new(Vec::new()),
            stopping: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let accepting = thread::spawn(move || accept(&listener, tls.as_ref(), &serving));
        Ok(Self { addr, scheme, shared, accept_thread: Some(accepting) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL for docker-registry's `auth.token.realm`.
    pub fn realm(&self) -> String {
        self.realm_at(self.addr)
    }

    /// The same for clients that reach the server at another address, such as that of a link to it.
    pub fn realm_at(&self, addr: SocketAddr) -> String {
        format!("{}://{addr}/token", self.scheme)
    }

    /// For docker-registry's `auth.token.service`.
    pub fn service(&self) -> &str {
        SERVICE
    }

    /// For docker-registry's `auth.token.issuer`.
    pub fn issuer(&self) -> &str {
        ISSUER
    }

    /// The text of the file that docker-registry's `auth.token.rootcertbundle` names.
    pub fn certificate_pem(&self) -> &str {
        self.shared.signer.certificate_pem()
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<RecordedTokenRequest> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests so far.
    pub fn clear(&self) {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A token as for config.json's `registrytoken`: opens exactly `scopes`, whoever holds it. Counts as no request.
    pub fn issue(&self, subject: &str, scopes: &[&str]) -> String {
        let access: Vec<_> = scopes.iter().filter_map(|scope| Access::parse(scope)).collect();
        self.shared.signer.sign(ISSUER, SERVICE, subject, &access, 300)
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Accept waits for a connection: give it one, so that it sees the flag.
        let _ = TcpStream::connect(self.addr);
        if let Some(accepting) = self.accept_thread.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (shared, tls) = (Arc::clone(shared), tls.cloned());
        thread::spawn(move || http::serve(stream, tls, |request| shared.answer(request)));
    }
}

/// Whom a request comes from.
enum Requester<'a> {
    Known(&'a TokenUser),
    Anonymous,
    Wrong,
}

impl Shared {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut record = RecordedTokenRequest {
            method: request.method.clone(),
            service: String::new(),
            scopes: Vec::new(),
            user: None,
            grant_type: None,
            client_id: None,
            status: 0,
        };
        let answer = self.decide(request, &mut record);
        record.status = answer.status;
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        answer
    }

    fn decide(&self, request: &HttpRequest, record: &mut RecordedTokenRequest) -> HttpResponse {
        if request.path != "/token" {
            return error_response(404, "NOT_FOUND", "only /token is served here");
        }
        let form = match request.method.as_str() {
            "GET" => request.query.clone(),
            "POST" if self.config.oauth2 => http::pairs(&String::from_utf8_lossy(&request.body)),
            "POST" => return error_response(404, "NOT_FOUND", "page not found"),
            _ => return error_response(405, "UNSUPPORTED", "GET or POST"),
        };
        let value = |key: &str| form.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        record.service = value("service").unwrap_or_default();
        record.client_id = value("client_id");
        record.grant_type = value("grant_type").filter(|_| request.method == "POST");
        record.scopes = form
            .iter()
            .filter(|(key, _)| key == "scope")
            .flat_map(|(_, scopes)| scopes.split_ascii_whitespace().map(str::to_owned))
            .collect();
        let who = match record.grant_type.as_deref() {
            Some("refresh_token") => self.by_refresh_token(&value("refresh_token").unwrap_or_default()),
            Some("password") => {
                record.user = value("username");
                self.by_password(record.user.as_deref(), &value("password").unwrap_or_default())
            }
            Some(_) => return error_response(400, "UNSUPPORTED", "unsupported_grant_type"),
            None if request.method == "POST" => return error_response(400, "UNSUPPORTED", "grant_type is missing"),
            None => self.by_basic(request.header("authorization"), record),
        };
        let offline = value("offline_token").as_deref() == Some("true")
            || value("access_type").as_deref() == Some("offline")
            || record.grant_type.as_deref() == Some("refresh_token");
        self.grant(&who, record, offline)
    }

    fn grant(&self, who: &Requester<'_>, record: &RecordedTokenRequest, offline: bool) -> HttpResponse {
        let (subject, grants) = match who {
            Requester::Known(user) => (user.name.as_str(), &user.grants),
            Requester::Anonymous if !self.config.anonymous.is_empty() => ("", &self.config.anonymous),
            Requester::Anonymous => return error_response(401, "UNAUTHORIZED", "authentication required"),
            Requester::Wrong => return error_response(401, "UNAUTHORIZED", "incorrect username or password"),
        };
        if record.service != SERVICE {
            return error_response(400, "UNSUPPORTED", "unknown service");
        }
        let access: Vec<_> = record.scopes.iter().filter_map(|scope| allowed(grants, scope)).collect();
        if access.is_empty() && !record.scopes.is_empty() && self.config.deny_empty_grants {
            return error_response(403, "DENIED", "requested access to the resource is denied");
        }
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        *issued += 1;
        let lifetime = self.config.lifetime_seconds.unwrap_or(60) as i64;
        let seconds = if *issued <= self.config.expired_first { -3600 } else { lifetime };
        let token = self.signer.sign(ISSUER, SERVICE, subject, &access, seconds);
        let mut body = if self.config.access_token_only || record.method == "POST" {
            json!({ "access_token": token })
        } else {
            json!({ "token": token, "access_token": token })
        };
        if let Some(seconds) = self.config.lifetime_seconds {
            body["expires_in"] = json!(seconds);
        }
        if let (true, Requester::Known(TokenUser { refresh_token: Some(refresh), .. })) = (offline, who) {
            body["refresh_token"] = json!(refresh);
        }
        HttpResponse { status: 200, body }
    }

    fn by_basic(&self, header: Option<&str>, record: &mut RecordedTokenRequest) -> Requester<'_> {
        let Some(header) = header else { return Requester::Anonymous };
        let decoded = header.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
        let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else { return Requester::Wrong };
        let Some((name, password)) = text.split_once(':') else { return Requester::Wrong };
        record.user = Some(name.to_owned());
        self.by_password(Some(name), password)
    }

    fn by_password(&self, name: Option<&str>, password: &str) -> Requester<'_> {
        let known = self.config.users.iter().find(|user| Some(user.name.as_str()) == name && user.password == password);
        known.map_or(Requester::Wrong, Requester::Known)
    }

    fn by_refresh_token(&self, token: &str) -> Requester<'_> {
        let known = self.config.users.iter().find(|user| user.refresh_token.as_deref() == Some(token));
        known.map_or(Requester::Wrong, Requester::Known)
    }
}

/// The part of a scope that the grants allow; None where that is nothing.
fn allowed(grants: &[Grant], scope: &str) -> Option<Access> {
    let mut access = Access::parse(scope)?;
    access
        .actions
        .retain(|action| grants.iter().any(|grant| grant.covers(&access.name) && grant.actions.contains(action)));
    (!access.actions.is_empty()).then_some(access)
}

fn error_response(status: u16, code: &str, message: &str) -> HttpResponse {
    let body: Value = json!({ "errors": [{ "code": code, "message": message }], "details": message });
    HttpResponse { status, body }
}

#[cfg(test)]
mod tests;
