//! The connections to each origin: an agent of the HTTP library with the origin's settings.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ureq::config::AutoHeaderValue;
use ureq::{Agent, Proxy, ProxyProtocol};

use crate::env::Env;
use crate::net::address_policy::{AddressPolicy, PublicRegistries};
use crate::net::connector::{ForwardProxy, NameResolver, OriginConnector};
use crate::net::endpoint;
use crate::net::error::RegistryErrorKind;
use crate::net::transport_error::TransportFailure;
use crate::net::host;
use crate::net::dns_cache::Names;
use crate::net::preconnect::{PreconnectPool, PreconnectTarget};
use crate::net::proxy::{ProxyUrl, proxy_for};
use crate::net::absolute_form::Forward;
use crate::net::rate_limit::RateLimits;
use crate::net::tls::config::{Tls, TlsSetup};
use crate::net::url::Origin;
use crate::secret::Secret;
use crate::sync::lock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The limit for each read or write. A body may take as long as data arrives.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The limit for the head of a response, however slowly it arrives.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
const IDLE_CONNECTIONS: usize = 64;
const HEAD_MAX: usize = 32 * 1024;
const BUFFER_IN: usize = 64 * 1024;
/// As much as is read at once: a copy sends what one read has brought in one call.
const BUFFER_OUT: usize = BUFFER_IN;
/// The HTTP library sends no line that exceeds its buffer, and a token may be long.
const BUFFER_OUT_LARGE: usize = 2 * 1024 * 1024;
/// A head whose longest line is longer needs the large buffer.
const LINE_MAX: usize = 16 * 1024;

/// The registry that an origin serves, the origin, and what changes the connection to it.
type PoolKey = (String, Origin, bool, bool);

/// The connections of a command: one agent for each origin and the registry that it serves.
pub(crate) struct ConnectionPool {
    env: Env,
    user_agent: String,
    tls: Tls,
    open: Mutex<BTreeMap<PoolKey, Arc<OriginConnections>>>,
    /// By registry, host and port: before the protocol of an origin is known, both schemes share one pool.
    preconnected: Mutex<BTreeMap<(String, String, u16), Arc<PreconnectPool>>>,
    names: Arc<Names>,
    public: PublicRegistries,
    limits: Option<Arc<RateLimits>>,
}

/// The connections to one origin.
pub(crate) struct OriginConnections {
    /// Sends requests, and keeps the connections.
    pub(crate) agent: Agent,
    /// The TLS handshakes' configuration, if there is TLS.
    pub(crate) tls: Option<TlsSetup>,
    /// Connections opened ahead, if the origin is connected to directly.
    pub(crate) preconnected: Option<Arc<PreconnectPool>>,
    /// The header that logs in to the proxy. The proxy may repeat it.
    pub(crate) proxy_login: Option<Secret>,
}

impl ConnectionPool {
    /// A pool without connections, which records in `limits` how many connections a registry accepts. Does no I/O.
    pub(crate) fn new(env: Env, insecure: bool, user_agent: &str, limits: Option<Arc<RateLimits>>) -> ConnectionPool {
        let tls = Tls::new(&env, insecure);
        // The HTTP library panics on a value that a header cannot carry.
        let user_agent = user_agent.chars().filter(|c| matches!(c, ' '..='~')).collect();
        ConnectionPool {
            env,
            user_agent,
            tls,
            open: Mutex::default(),
            preconnected: Mutex::default(),
            names: Arc::default(),
            public: PublicRegistries::default(),
            limits,
        }
    }

    /// The connections to an origin that serves a registry. `guarded` says that the registry named the origin, which
    /// must not be in a private network then. `longest` is the length of the longest line in a request's head.
    pub(crate) fn get(
        &self,
        registry: &str,
        origin: &Origin,
        guarded: bool,
        longest: usize,
    ) -> Result<Arc<OriginConnections>, TransportFailure> {
        let at_home = endpoint::origin(registry, origin.https).as_ref() == Some(origin);
        let policy = match (at_home, guarded) {
            (true, _) => AddressPolicy::Home(self.public.of(registry)),
            (false, true) => AddressPolicy::Guarded(self.public.of(registry)),
            (false, false) => AddressPolicy::Anywhere,
        };
        let buffer = if longest > LINE_MAX { BUFFER_OUT_LARGE } else { BUFFER_OUT };
        let key = (registry.to_owned(), origin.clone(), guarded && !at_home, longest > LINE_MAX);
        let mut open = lock(&self.open);
        if let Some(connections) = open.get(&key) {
            return Ok(Arc::clone(connections));
        }
        let connections = Arc::new(self.open(registry, origin, policy, buffer)?);
        open.insert(key, Arc::clone(&connections));
        Ok(connections)
    }

    /// Sets up the connections to an origin, without opening one.
    fn open(
        &self,
        registry: &str,
        origin: &Origin,
        policy: AddressPolicy,
        buffer: usize,
    ) -> Result<OriginConnections, TransportFailure> {
        let files = |why: String| TransportFailure::unsent(RegistryErrorKind::TlsFiles, why);
        let mut connector = OriginConnector { names: Arc::clone(&self.names), ..OriginConnector::default() };
        if origin.https {
            let trusted = endpoint::certs_d_name(registry);
            let at_home = endpoint::origin(registry, true).as_ref() == Some(origin);
            let own = if at_home { trusted.clone() } else { endpoint::certs_d_name(&origin.authority()) };
            connector.tls = Some(self.tls.setup(own.as_slice(), trusted.as_slice()).map_err(files)?);
        }
        let found = proxy_for(&self.env, origin.https, &origin.host, origin.port);
        let proxy = found.map_err(|why| TransportFailure::unsent(RegistryErrorKind::Proxy, why))?;
        let proxy_tls = match &proxy {
            Some(proxy) if proxy.scheme == ProxyProtocol::Https => Some(self.tls.setup(&[], &[]).map_err(files)?),
            _ => None,
        };
        let mut resolver = NameResolver { names: Arc::clone(&self.names), instead: None, policy };
        connector.preconnected = proxy.is_none().then(|| self.preconnect_pool(registry, origin, &resolver));
        let mut tunnel = None;
        let proxy_login = proxy.as_ref().and_then(ProxyUrl::login);
        if let Some(proxy) = proxy {
            // From here on the proxy's name is resolved, which may be anywhere. The host beyond it counts as public.
            if let AddressPolicy::Home(is_public) = std::mem::take(&mut resolver.policy) {
                is_public.fetch_or(origin.host.parse().map_or(true, host::is_public), Ordering::Relaxed);
            }
            if origin.https {
                tunnel = Some(tunnel_through(&proxy)?);
                (connector.tunnels, connector.connect_tls) = (true, proxy_tls);
            } else {
                let forward = Forward::new(origin.to_string(), &proxy);
                let address = (proxy.host, proxy.port);
                resolver.instead = Some(address.clone());
                connector.forward = Some(ForwardProxy { address, tls: proxy_tls, forward });
            }
        }
        let (tls, preconnected) = (connector.tls.clone(), connector.preconnected.clone());
        let agent = Agent::with_parts(self.config(tunnel, buffer), connector, resolver);
        Ok(OriginConnections { agent, tls, preconnected, proxy_login })
    }

    /// The pool for an origin that is connected to directly.
    fn preconnect_pool(&self, registry: &str, origin: &Origin, resolver: &NameResolver) -> Arc<PreconnectPool> {
        let key = (registry.to_owned(), origin.host.clone(), origin.port);
        let mut pools = lock(&self.preconnected);
        let pool = pools.entry(key).or_insert_with(|| {
            let (host, port) = (origin.host.clone(), origin.port);
            let is_named = matches!(resolver.policy, AddressPolicy::Guarded(..));
            let home = endpoint::origin(registry, true).filter(|_| is_named);
            let policy = AddressPolicy::Home(self.public.of(registry));
            let homes = NameResolver { policy, ..resolver.clone() };
            let (resolver, name) = (resolver.clone(), host.clone());
            let addresses = move || {
                // Whether the registry is public must be known before it is decided which hosts it may name.
                if let Some(home) = &home {
                    homes.find(&home.host, home.port).ok()?;
                }
                resolver.find(&name, port).ok()
            };
            let limits = self.limits.clone().filter(|_| !is_named).map(|limits| (limits, registry.to_owned()));
            let target = PreconnectTarget { host, addresses: Arc::new(addresses), limits, serves_first: is_named };
            Arc::new(PreconnectPool::new(target))
        });
        Arc::clone(pool)
    }

    fn config(&self, tunnel: Option<Proxy>, buffer: usize) -> ureq::config::Config {
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
            .output_buffer_size(buffer)
            .build()
    }
}

impl OriginConnections {
    /// A server that wanted another client certificate may just close the connection (see
    /// [`ClientIdentity::was_asked`]).
    pub(crate) fn explain(&self, failure: TransportFailure) -> TransportFailure {
        match &self.tls {
            Some(tls) if tls.identity.was_asked() => TransportFailure::new(
                RegistryErrorKind::ClientCertificate,
                format!("it asked for one and then ended the connection ({})", failure.detail),
            ),
            _ => failure,
        }
    }
}

fn tunnel_through(proxy: &ProxyUrl) -> Result<Proxy, TransportFailure> {
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let mut builder = Proxy::builder(proxy.scheme).host(&host).port(proxy.port).resolve_target(false);
    if let Some((user, password)) = &proxy.user {
        builder = builder.username(user).password(password.reveal());
    }
    builder.build().map_err(|_| {
        TransportFailure::unsent(RegistryErrorKind::Proxy, format!("the address of the proxy {host} cannot be used"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ConnectionPool {
        /// Uses this pool for an origin that is the registry's own.
        pub(crate) fn keep(&self, registry: &str, origin: &Origin, pool: PreconnectPool) {
            let key = (registry.to_owned(), origin.host.clone(), origin.port);
            self.preconnected.lock().unwrap().insert(key, Arc::new(pool));
        }

        /// Records whether a registry has a public address.
        pub(crate) fn note(&self, registry: &str, is_public: bool) {
            self.public.of(registry).store(is_public, Ordering::Relaxed);
        }
    }
}
