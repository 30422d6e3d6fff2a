//! A registry before it runs.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use super::auth::AccessControl;
use super::auth_config::{Auth, Bearer};
use super::distribution_api::DistributionApi;
use super::habits::{Habits, PutsInFlight};
use super::http::{Connection, Head};
use super::rate_limit::RateLimit;
use super::serve::Server;
use super::{Faults, Gate, Registry, Shared};

/// How a registry is to be, before it runs.
pub struct Builder {
    auth: Auth,
    tls: Option<Arc<ServerConfig>>,
    address: &'static str,
    max_connections: usize,
    pub(super) habits: Habits,
    pub(super) rate_limit: Option<RateLimit>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        let (auth, habits) = (Auth::None, Habits::default());
        Builder { auth, tls: None, address: "127.0.0.1:0", max_connections: usize::MAX, habits, rate_limit: None }
    }

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
        self.habits.serves_tls = true;
        self
    }

    /// Listens on `[::1]` instead of 127.0.0.1.
    pub fn ipv6(mut self) -> Builder {
        self.address = "[::1]:0";
        self
    }

    /// Accepts so many connections at once. Those beyond that are closed without a word.
    pub fn max_connections(mut self, max_connections: usize) -> Builder {
        self.max_connections = max_connections;
        self
    }

    /// Starts it on a free port.
    pub fn start(self) -> Registry {
        let bind = || TcpListener::bind(self.address).unwrap_or_else(|error| panic!("{}: {error}", self.address));
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound listener has an address");
        let listener = bind();
        let own_port = matches!(&self.auth, Auth::Bearer(bearer) if bearer.own_port);
        let token_listener = own_port.then(bind);
        let scheme = if self.habits.serves_tls { "https" } else { "http" };
        let own_realm = format!("{scheme}://{}/token", address(token_listener.as_ref().unwrap_or(&listener)));
        let shared = Arc::new(Shared {
            log: Arc::default(),
            access_control: AccessControl::new(self.auth.clone(), own_realm),
            api: DistributionApi { habits: self.habits.clone(), state: Mutex::default() },
            faults: Faults::default(),
            gate: Gate::default(),
            rate_limit: self.rate_limit.clone(),
            puts_in_flight: PutsInFlight::default(),
        });
        let serve = |listener| {
            let handling = Arc::clone(&shared);
            let handler = move |connection: &mut Connection, head: Head| handling.handle(connection, head);
            Server::start(listener, self.tls.clone(), self.max_connections, Arc::clone(&shared.log), Arc::new(handler))
        };
        let (server, tokens) = (serve(listener), token_listener.map(serve));
        Registry { shared, server, token_server: Mutex::new(tokens) }
    }
}
