//! A registry of our own on loopback: correct by default, wrong on demand, and it remembers every request.
//!
//! It follows the OCI distribution spec 1.1, and docker-registry where that is stricter. Nothing in it waits for a
//! clock: tokens expire, and held answers go on, when a test says so. Dropping it ends every thread it started.

mod auth;
mod demand;
mod elsewhere;
mod faults;
mod http;
mod manifest;
mod record;
mod route;
mod serve;
mod storage;
#[cfg(test)]
mod tests;
mod upload;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::ServerConfig;

pub use demand::{Auth, Bearer};
pub use elsewhere::Redirected;
pub use faults::{Fault, Rule};
pub use record::Recorded;

use crate::image::{Image, Index};
use auth::Guard;
use faults::{Faults, Gate};
use http::{Connection, Head, Request, Response};
use record::Log;
use serve::{Next, Server};
use storage::{Habits, Storage};

/// A running registry.
pub struct Registry {
    shared: Arc<Shared>,
    server: Server,
    /// Kept for its life alone: where the tokens come from, when they have a port of their own.
    _tokens: Option<Server>,
}

/// What the threads of one registry have in common.
struct Shared {
    log: Arc<Log>,
    guard: Guard,
    storage: Storage,
    faults: Faults,
    gate: Gate,
}

/// How a registry is to be, before it runs.
pub struct Builder {
    auth: Auth,
    tls: Option<Arc<ServerConfig>>,
    address: &'static str,
    habits: Habits,
}

impl Builder {
    /// Demands this of clients.
    pub fn auth(mut self, auth: Auth) -> Builder {
        self.auth = auth;
        self
    }

    /// Demands Basic credentials.
    pub fn basic(self, user: &str, password: &str) -> Builder {
        self.auth(Auth::basic(user, password))
    }

    /// Demands Bearer tokens.
    pub fn bearer(self, bearer: Bearer) -> Builder {
        self.auth(Auth::Bearer(bearer))
    }

    /// Speaks TLS; `certs::Pair::server_config` makes the configuration.
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Builder {
        self.tls = Some(config);
        self.habits.https = true;
        self
    }

    /// Listens on `[::1]` instead of 127.0.0.1.
    pub fn ipv6(mut self) -> Builder {
        self.address = "[::1]:0";
        self
    }

    /// Every mount falls to an upload (202).
    pub fn without_mounts(mut self) -> Builder {
        self.habits.no_mounts = true;
        self
    }

    /// Knows nothing of referrers: 404, and no `OCI-Subject`.
    pub fn without_referrers(mut self) -> Builder {
        self.habits.no_referrers = true;
        self
    }

    /// Locations are paths, without scheme and host.
    pub fn relative_locations(mut self) -> Builder {
        self.habits.relative_locations = true;
        self
    }

    /// Lists at most so many tags at once, whatever is asked.
    pub fn page_limit(mut self, tags: usize) -> Builder {
        self.habits.page_limit = Some(tags);
        self
    }

    /// Starts it on a free port.
    pub fn start(self) -> Registry {
        let bind = || TcpListener::bind(self.address).unwrap_or_else(|error| panic!("{}: {error}", self.address));
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound listener has an address");
        let listener = bind();
        let own_port = matches!(&self.auth, Auth::Bearer(bearer) if bearer.own_port);
        let token_listener = own_port.then(bind);
        let scheme = if self.habits.https { "https" } else { "http" };
        let own_realm = format!("{scheme}://{}/token", address(token_listener.as_ref().unwrap_or(&listener)));
        let shared = Arc::new(Shared {
            log: Arc::default(),
            guard: Guard::new(self.auth.clone(), own_realm),
            storage: Storage { habits: self.habits.clone(), state: Mutex::default() },
            faults: Faults::default(),
            gate: Gate::default(),
        });
        let serve = |listener| {
            let handling = Arc::clone(&shared);
            let handler = move |connection: &mut Connection, head: Head| handling.handle(connection, head);
            Server::start(listener, self.tls.clone(), Arc::clone(&shared.log), Arc::new(handler))
        };
        let (server, tokens) = (serve(listener), token_listener.map(serve));
        Registry { shared, server, _tokens: tokens }
    }
}

impl Registry {
    /// A plain-HTTP registry without auth on a free port of 127.0.0.1.
    pub fn start() -> Registry {
        Registry::builder().start()
    }

    /// The same, to be changed before it starts.
    pub fn builder() -> Builder {
        Builder { auth: Auth::None, tls: None, address: "127.0.0.1:0", habits: Habits::default() }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// `127.0.0.1:PORT` or `[::1]:PORT`: the registry half of a reference.
    pub fn host(&self) -> String {
        self.addr().to_string()
    }

    /// `http://…` or `https://…`, without a path.
    pub fn url(&self) -> String {
        let scheme = if self.shared.storage.habits.https { "https" } else { "http" };
        format!("{scheme}://{}", self.addr())
    }

    /// Puts an image and its blobs in place, under a tag or its digest; gives the digest.
    pub fn put_image(&self, repo: &str, reference: &str, image: &Image) -> String {
        let mut state = lock(&self.shared.storage.state);
        for blob in image.blobs() {
            state.add_blob(repo, blob);
        }
        state.add_manifest(repo, reference, &image.media_type, &image.manifest)
    }

    /// Puts an index and the images that it carries in place; gives its digest.
    pub fn put_index(&self, repo: &str, reference: &str, index: &Index) -> String {
        for image in &index.images {
            self.put_image(repo, &image.digest(), image);
        }
        self.put_manifest(repo, reference, &index.media_type, &index.manifest)
    }

    /// Puts any bytes in place as a manifest, unchecked; gives their digest.
    pub fn put_manifest(&self, repo: &str, reference: &str, media_type: &str, bytes: &[u8]) -> String {
        lock(&self.shared.storage.state).add_manifest(repo, reference, media_type, bytes)
    }

    /// Puts a blob in place; gives its digest.
    pub fn put_blob(&self, repo: &str, bytes: &[u8]) -> String {
        lock(&self.shared.storage.state).add_blob(repo, bytes)
    }

    /// The Content-Type and bytes held under a tag or digest.
    pub fn manifest(&self, repo: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let state = lock(&self.shared.storage.state);
        let repo = state.repos.get(repo)?;
        let (media_type, bytes) = repo.manifests.get(&repo.resolve(reference)?)?;
        Some((media_type.clone(), bytes.to_vec()))
    }

    /// The tags of a repository, sorted.
    pub fn tags(&self, repo: &str) -> Vec<String> {
        let state = lock(&self.shared.storage.state);
        state.repos.get(repo).map_or_else(Vec::new, |repo| repo.tags.keys().cloned().collect())
    }

    /// Whether the repository has a blob.
    pub fn has_blob(&self, repo: &str, digest: &str) -> bool {
        lock(&self.shared.storage.state).has_blob(repo, digest)
    }

    /// Uploads that were begun and neither finished nor cancelled.
    pub fn open_uploads(&self) -> usize {
        lock(&self.shared.storage.state).uploads.len()
    }

    /// Every request since the start or the last [`Registry::clear`], in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log.requests()
    }

    /// Connections accepted since the start or the last [`Registry::clear`].
    pub fn connections(&self) -> usize {
        self.shared.log.connections()
    }

    /// Forgets what was recorded; what is stored, the faults and the tokens stay.
    pub fn clear(&self) {
        self.shared.log.clear();
    }

    /// Blocks until what was recorded satisfies `wanted` (a request is recorded when its head has arrived, and again
    /// when it is answered); panics after a minute.
    pub fn wait_until(&self, wanted: impl Fn(&[Recorded]) -> bool) {
        self.shared.log.wait_until(wanted);
    }

    /// From now on, this goes wrong. The first rule that strikes wins; each counts for itself.
    pub fn fault(&self, rule: Rule, fault: Fault) {
        self.shared.faults.add(rule, fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Lets the requests that [`Fault::Hang`] holds go on to their right answers.
    pub fn release(&self) {
        self.shared.gate.open();
    }

    /// Every token given out so far is refused from now on (`error="invalid_token"`).
    pub fn expire_tokens(&self) {
        self.shared.guard.expire_tokens();
    }

    /// Every token given out so far, refresh tokens included: what must not be found in any output.
    pub fn issued_tokens(&self) -> Vec<String> {
        self.shared.guard.issued()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The servers' own drop then joins the threads that this lets go.
        self.shared.gate.shut_down();
    }
}

impl Shared {
    fn handle(&self, connection: &mut Connection, head: Head) -> io::Result<Next> {
        let opened = self.gate.opened();
        // Before it is announced: whoever waits for it may let others come, which must not be struck in its place.
        let fault = self.faults.pick(&head);
        let serial = self.log.arrived(&head, connection);
        match &fault {
            Some(Fault::CloseBeforeRead) => return Ok(cut(connection)),
            Some(Fault::EarlyFinal401) => return self.refuse_early(connection, &head, serial),
            None if head.wants_continue() && self.refusal(&head).is_some() => {
                return self.refuse_early(connection, &head, serial);
            }
            _ => {}
        }
        let body = connection.read_body(&head)?;
        self.log.read(serial, &body);
        let request = Request { head, body };
        if fault == Some(Fault::CloseAfterRead) || (fault == Some(Fault::Hang) && !self.gate.wait(opened)) {
            return Ok(cut(connection));
        }
        let mut response =
            fault.as_ref().and_then(|fault| fault.instead(&request.head)).unwrap_or_else(|| self.answer(&request));
        if fault == Some(Fault::CloseAfterEffect) {
            return Ok(cut(connection));
        }
        if let Some(fault) = &fault {
            fault.alter(&mut response);
        }
        self.log.answering(serial, response.status);
        match fault {
            Some(fault) => fault.send(connection, &request.head, &response),
            None => faults::send_right(connection, &request.head, &response),
        }
    }

    fn answer(&self, request: &Request) -> Response {
        if request.head.path() == "/token" {
            return self.guard.token(request);
        }
        match self.guard.check(&request.head) {
            Ok(access) => self.storage.answer(request, access),
            Err(refusal) => *refusal,
        }
    }

    fn refusal(&self, head: &Head) -> Option<Response> {
        if head.path() == "/token" { None } else { self.guard.check(head).err().map(|refusal| *refusal) }
    }

    /// The final 401 of a request whose body was not read; as that may still be under way, the connection ends.
    fn refuse_early(&self, connection: &mut Connection, head: &Head, serial: usize) -> io::Result<Next> {
        let response = self.refusal(head).unwrap_or_else(|| self.guard.challenge(head, None));
        self.log.answering(serial, response.status);
        connection.respond(head, &response.header("Connection", "close"))?;
        Ok(Next::Close)
    }
}

fn cut(connection: &mut Connection) -> Next {
    connection.cut();
    Next::Close
}

/// The lock, whether or not a thread that held it panicked: its panic is reported where it happened.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
