//! Connections opened before they are needed: while the first request finds out how a registry speaks and what login
//! it wants, the connections for the requests after it are already being opened.
//!
//! A preconnected connection is bare TCP as long as the registry may turn out to speak plain HTTP. Where it cannot, and
//! once it is known to speak TLS, the handshake is done ahead too. No HTTP is sent on it before a request takes it.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::rate_limit::RateLimits;
use crate::net::socket::{connect_to_first, is_idle};
use crate::net::tls::config::TlsSetup;
use crate::net::tls::handshake::TlsSocket;
use crate::sync::{lock, wait};

/// The longest wait of a request for a connection that is being opened. After it, the request tries all addresses of
/// the host itself.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The same for TCP and TLS together.
const CONNECT_AND_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Servers close connections on which nothing is sent. One that is older is closed by us.
const AGE_MAX: Duration = Duration::from_secs(15);
/// No server closes a connection that has been silent for a shorter time.
const FRESH_AGE_MAX: Duration = Duration::from_secs(2);

/// Finds the addresses of a host, if the address policy permits them.
pub(crate) type FindAddresses = Arc<dyn Fn() -> Option<Vec<SocketAddr>> + Send + Sync>;

/// The host that connections are opened to.
pub(crate) struct PreconnectTarget {
    /// Its name or address; IPv6 without brackets.
    pub(crate) host: String,
    /// Its addresses, after the address policy.
    pub(crate) addresses: FindAddresses,
    /// The limits of the registry that the host belongs to, and the registry's name.
    pub(crate) limits: Option<(Arc<RateLimits>, String)>,
    /// Whether the first request takes a connection from the pool too. Otherwise it opens its own, because it usually
    /// starts before the pool has one.
    pub(crate) serves_first_request: bool,
}

/// A connection for a request.
#[derive(Debug)]
pub(crate) enum PreconnectedSocket {
    /// TCP alone.
    Tcp(TcpStream),
    /// With TLS.
    Tls(Box<TlsSocket>),
}

/// Which of the ready connections a request accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptedAge {
    /// Each one that is not too old.
    Any,
    /// Only one that is so young that no server closes it.
    OnlyFresh,
}

/// A connection that a request takes from the pool.
#[derive(Debug)]
pub(crate) struct TakenConnection {
    pub(crate) socket: PreconnectedSocket,
    /// Whether it is so young that no server closes it. A failure on an older one may be due to its age.
    pub(crate) is_fresh: bool,
}

/// The preconnected connections to one host and port for one registry.
pub(crate) struct PreconnectPool {
    target: PreconnectTarget,
    state: Mutex<PreconnectState>,
    changed: Condvar,
}

#[derive(Default)]
struct PreconnectState {
    /// Whether a request has asked for a connection.
    had_request: bool,
    /// How many connections were begun, by the pool and by requests themselves.
    total_begun: usize,
    /// How many of the pool's are being opened.
    pending: usize,
    /// How many requests wait for one of those.
    waiting: usize,
    /// How many connections were opened.
    opened: usize,
    ready: Vec<ReadyConnection>,
    /// The TLS configuration, once it is known that the registry speaks TLS.
    tls: Option<TlsSetup>,
    /// Whether a connection could not be opened. Then no more are opened ahead.
    has_failed: bool,
}

struct ReadyConnection {
    opened_at: Instant,
    socket: PreconnectedSocket,
}

impl ReadyConnection {
    fn is_usable(&mut self) -> bool {
        self.opened_at.elapsed() < AGE_MAX
            && match &mut self.socket {
                PreconnectedSocket::Tcp(socket) => is_idle(socket),
                PreconnectedSocket::Tls(tls_socket) => tls_socket.is_idle(),
            }
    }
}

impl PreconnectPool {
    /// Opens nothing yet.
    pub(crate) fn new(target: PreconnectTarget) -> PreconnectPool {
        let state = PreconnectState { had_request: target.serves_first_request, ..PreconnectState::default() };
        PreconnectPool { target, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Begins to open `count` connections and does not wait for them. A failure is not reported: the request that then
    /// connects itself finds out why. After a failure nothing more is opened.
    pub(crate) fn open(self: &Arc<PreconnectPool>, count: usize) {
        let count = {
            let mut state = lock(&self.state);
            let count = if state.has_failed { 0 } else { count };
            state.pending += count;
            state.total_begun += count;
            count
        };
        if count == 0 {
            return;
        }
        let pool = Arc::clone(self);
        let begun = thread::Builder::new().spawn(move || {
            let addresses = (pool.target.addresses)().unwrap_or_default();
            for _ in 1..count {
                let addresses = addresses.clone();
                pool.spawn_attempt(move |pool| pool.connect(&addresses));
            }
            pool.record_attempt(pool.connect(&addresses));
        });
        // Without a thread nothing is opened ahead.
        if begun.is_err() {
            (0..count).for_each(|_| self.record_attempt(None));
        }
    }

    /// Opens connections until there are `total`, including those of requests.
    pub(crate) fn open_up_to(self: &Arc<PreconnectPool>, total: usize) {
        let missing = total.saturating_sub(lock(&self.state).total_begun);
        self.open(missing);
    }

    /// Does the TLS handshake on each connection from now on, and in the background on those that are open.
    pub(crate) fn start_tls(self: &Arc<PreconnectPool>, setup: &TlsSetup) {
        let tcp_connections = {
            let mut state = lock(&self.state);
            if state.tls.replace(setup.clone()).is_some() {
                return;
            }
            let is_tcp = |ready: &mut ReadyConnection| matches!(ready.socket, PreconnectedSocket::Tcp(_));
            let tcp_connections: Vec<ReadyConnection> = state.ready.extract_if(.., is_tcp).collect();
            state.pending += tcp_connections.len();
            tcp_connections
        };
        for ready in tcp_connections {
            let PreconnectedSocket::Tcp(socket) = ready.socket else { continue };
            self.spawn_attempt(move |pool| {
                pool.handshake_if_tls(socket, Instant::now() + CONNECT_AND_HANDSHAKE_TIMEOUT)
            });
        }
    }

    /// Makes an attempt on a thread of its own, and records its end. Without a thread it has failed.
    fn spawn_attempt(
        self: &Arc<PreconnectPool>,
        attempt: impl FnOnce(&PreconnectPool) -> Option<PreconnectedSocket> + Send + 'static,
    ) {
        let pool = Arc::clone(self);
        if thread::Builder::new().spawn(move || pool.record_attempt(attempt(&pool))).is_err() {
            self.record_attempt(None);
        }
    }

    fn connect(&self, addresses: &[SocketAddr]) -> Option<PreconnectedSocket> {
        let deadline = Instant::now() + CONNECT_AND_HANDSHAKE_TIMEOUT;
        // The others have failed meanwhile.
        if lock(&self.state).has_failed {
            return None;
        }
        let connected = connect_to_first(addresses, Some(CONNECT_TIMEOUT)).ok();
        connected.and_then(|socket| self.handshake_if_tls(socket, deadline))
    }

    /// The connection with TLS, where that is wanted.
    fn handshake_if_tls(&self, socket: TcpStream, deadline: Instant) -> Option<PreconnectedSocket> {
        let Some(setup) = lock(&self.state).tls.clone() else { return Some(PreconnectedSocket::Tcp(socket)) };
        let tls_socket = TlsSocket::handshake(socket, &setup, &self.target.host, deadline);
        tls_socket.ok().map(|tls_socket| PreconnectedSocket::Tls(Box::new(tls_socket)))
    }

    /// Records the end of an attempt to open a connection. `None` is a failure.
    fn record_attempt(&self, connection: Option<PreconnectedSocket>) {
        let mut state = lock(&self.state);
        state.pending = state.pending.saturating_sub(1);
        match connection {
            Some(connection) => {
                state.opened += 1;
                state.ready.push(ReadyConnection { opened_at: Instant::now(), socket: connection });
            }
            None => state.has_failed = true,
        }
        // The connection of the first request is one more.
        let accepted = state.opened + usize::from(!self.target.serves_first_request);
        let is_limited = state.has_failed && state.opened > 0;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        drop(state);
        if let Some((limits, registry)) = self.target.limits.as_ref().filter(|_| is_limited) {
            limits.cap_concurrency(registry, accepted);
        }
    }

    /// A usable connection of an accepted age. Waits for one that is being opened, for at most `max_wait` if that is
    /// set. `None` if there is neither.
    pub(crate) fn take_connection(
        &self,
        max_wait: Option<Duration>,
        accepted_age: AcceptedAge,
    ) -> Option<TakenConnection> {
        let mut state = lock(&self.state);
        let is_first = !std::mem::replace(&mut state.had_request, true);
        let end = max_wait.and_then(|max_wait| Instant::now().checked_add(max_wait));
        loop {
            if is_first {
                break;
            }
            let is_fresh = |ready: &ReadyConnection| ready.opened_at.elapsed() < FRESH_AGE_MAX;
            while let Some(mut ready) = state.ready.pop_if(|ready| accepted_age == AcceptedAge::Any || is_fresh(ready))
            {
                if ready.is_usable() {
                    return Some(TakenConnection { is_fresh: is_fresh(&ready), socket: ready.socket });
                }
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if state.pending <= state.waiting || left.is_some_and(|left| left.is_zero()) {
                break;
            }
            state.waiting += 1;
            state = match left {
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => wait(&self.changed, state),
            };
            state.waiting = state.waiting.saturating_sub(1);
        }
        state.total_begun += 1;
        None
    }

    /// Closes connections that no request has taken for [`AGE_MAX`].
    pub(crate) fn close_old(&self) {
        lock(&self.state).ready.retain(|ready| ready.opened_at.elapsed() < AGE_MAX);
    }
}

impl fmt::Debug for PreconnectPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreconnectPool").field("host", &self.target.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "preconnect_tests.rs"]
mod tests;
