//! The connections to each origin: an agent of the HTTP library with the origin's settings.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ureq::config::AutoHeaderValue;
use ureq::{Agent, Proxy, ProxyProtocol};

use crate::env::Env;
use crate::net::absolute_form::AbsoluteFormRewriter;
use crate::net::address_policy::{AddressPolicy, PublicRegistries};
use crate::net::connector::{ForwardProxy, NameResolver, OriginConnector};
use crate::net::dns_cache::DnsCache;
use crate::net::endpoint;
use crate::net::error::RegistryErrorKind;
use crate::net::host;
use crate::net::preconnect::{PreconnectPool, PreconnectTarget};
use crate::net::proxy::{ProxyUrl, proxy_for};
use crate::net::rate_limit::RateLimits;
use crate::net::tls::config::{TlsSetup, TlsSetups};
use crate::net::transport_error::TransportError;
use crate::net::url::Origin;
use crate::secret::Secret;
use crate::sync::lock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The limit for each read or write. A body may take as long as data arrives.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The limit for the head of a response, however slowly it arrives.
const RESPONSE_HEAD_TIMEOUT: Duration = Duration::from_secs(120);
const IDLE_CONNECTIONS_MAX: usize = 64;
const RESPONSE_HEAD_BYTES_MAX: usize = 32 * 1024;
/// The output buffer for other heads, in bytes. Ours begin smaller, and grow.
const OUTPUT_BUFFER_SIZE: usize = 64 * 1024;
/// The HTTP library sends no line that exceeds its buffer, and a token may be long.
const OUTPUT_BUFFER_SIZE_LARGE: usize = 2 * 1024 * 1024;
/// A head whose longest line is longer needs the large buffer.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// The registry that an origin serves, the origin, and what changes the connection to it.
type PoolKey = (String, Origin, bool, bool);

/// The connections of a command: one agent for each origin and the registry that it serves.
pub(crate) struct ConnectionPool {
    env: Env,
    user_agent: String,
    tls: TlsSetups,
    by_origin: Mutex<BTreeMap<PoolKey, Arc<OriginConnections>>>,
    /// By registry, host and port: before the protocol of an origin is known, both schemes share one pool.
    preconnected: Mutex<BTreeMap<(String, String, u16), Arc<PreconnectPool>>>,
    dns_cache: Arc<DnsCache>,
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
    pub(crate) proxy_authorization: Option<Secret>,
}

impl ConnectionPool {
    /// A pool without connections, which records in `limits` how many connections a registry accepts. Does no I/O.
    pub(crate) fn new(env: Env, insecure: bool, user_agent: &str, limits: Option<Arc<RateLimits>>) -> ConnectionPool {
        let tls = TlsSetups::new(&env, insecure);
        // The HTTP library panics on a value that a header cannot carry.
        let user_agent = user_agent.chars().filter(|c| matches!(c, ' '..='~')).collect();
        ConnectionPool {
            env,
            user_agent,
            tls,
            by_origin: Mutex::default(),
            preconnected: Mutex::default(),
            dns_cache: Arc::default(),
            public: PublicRegistries::default(),
            limits,
        }
    }

    /// The connections to an origin that serves a registry. `forbids_private_addresses` says that the
    /// registry named the origin, which must not be in a private network then. `longest_head_line` is the length of the
    /// longest line in a request's head.
    pub(crate) fn get(
        &self,
        registry: &str,
        origin: &Origin,
        forbids_private_addresses: bool,
        longest_head_line: usize,
    ) -> Result<Arc<OriginConnections>, TransportError> {
        let is_registry_origin = endpoint::origin(registry, origin.https).as_ref() == Some(origin);
        let policy = match (is_registry_origin, forbids_private_addresses) {
            (true, _) => AddressPolicy::RegistryHost(self.public.is_public_flag(registry)),
            (false, true) => AddressPolicy::NamedByRegistry(self.public.is_public_flag(registry)),
            (false, false) => AddressPolicy::Unrestricted,
        };
        let buffer = if longest_head_line > LINE_BYTES_MAX { OUTPUT_BUFFER_SIZE_LARGE } else { OUTPUT_BUFFER_SIZE };
        let key = (
            registry.to_owned(),
            origin.clone(),
            forbids_private_addresses && !is_registry_origin,
            longest_head_line > LINE_BYTES_MAX,
        );
        let mut by_origin = lock(&self.by_origin);
        if let Some(connections) = by_origin.get(&key) {
            return Ok(Arc::clone(connections));
        }
        let connections = Arc::new(self.set_up(registry, origin, policy, buffer)?);
        by_origin.insert(key, Arc::clone(&connections));
        Ok(connections)
    }

    /// Sets up the connections to an origin, without opening one.
    fn set_up(
        &self,
        registry: &str,
        origin: &Origin,
        policy: AddressPolicy,
        buffer: usize,
    ) -> Result<OriginConnections, TransportError> {
        let tls_files_error = |reason: String| TransportError::unsent(RegistryErrorKind::TlsFiles, reason);
        let mut connector = OriginConnector { dns_cache: Arc::clone(&self.dns_cache), ..OriginConnector::default() };
        if origin.https {
            let registry_dir = endpoint::certs_d_name(registry);
            let is_registry_origin = endpoint::origin(registry, true).as_ref() == Some(origin);
            let other_name = (!is_registry_origin).then(|| origin.authority());
            let host_dir = endpoint::certs_d_name(other_name.as_deref().unwrap_or(registry));
            let setup = self.tls.for_host(host_dir.as_slice(), registry_dir.as_slice());
            connector.tls = Some(setup.map_err(tls_files_error)?);
        }
        let found = proxy_for(&self.env, origin.https, &origin.host, origin.port);
        let proxy = found.map_err(|reason| TransportError::unsent(RegistryErrorKind::Proxy, reason))?;
        let proxy_tls = match &proxy {
            Some(proxy) if proxy.scheme == ProxyProtocol::Https => {
                Some(self.tls.for_host(&[], &[]).map_err(tls_files_error)?)
            }
            _ => None,
        };
        let mut resolver = NameResolver { dns_cache: Arc::clone(&self.dns_cache), proxy_address: None, policy };
        connector.preconnected = proxy.is_none().then(|| self.preconnect_pool(registry, origin, &resolver));
        let mut tunnel = None;
        let proxy_authorization = proxy.as_ref().and_then(ProxyUrl::authorization);
        if let Some(proxy) = proxy {
            // From here on the proxy's name is resolved, which may be anywhere. The host beyond it counts as public.
            if let AddressPolicy::RegistryHost(is_public) = std::mem::take(&mut resolver.policy) {
                is_public.fetch_or(origin.host.parse().map_or(true, host::is_public), Ordering::Relaxed);
            }
            if origin.https {
                tunnel = Some(tunnel_proxy(&proxy)?);
                (connector.has_tunnel, connector.tunnel_proxy_tls) = (true, proxy_tls);
            } else {
                let rewriter = AbsoluteFormRewriter::new(origin.to_string(), &proxy);
                let address = (proxy.host, proxy.port);
                resolver.proxy_address = Some(address.clone());
                connector.forward_proxy = Some(ForwardProxy { address, tls: proxy_tls, rewriter });
            }
        }
        let (tls, preconnected) = (connector.tls.clone(), connector.preconnected.clone());
        let agent = Agent::with_parts(self.config(tunnel, buffer), connector, resolver);
        Ok(OriginConnections { agent, tls, preconnected, proxy_authorization })
    }

    /// The pool for an origin that is connected to directly.
    fn preconnect_pool(&self, registry: &str, origin: &Origin, resolver: &NameResolver) -> Arc<PreconnectPool> {
        let key = (registry.to_owned(), origin.host.clone(), origin.port);
        let mut pools = lock(&self.preconnected);
        let pool = pools.entry(key).or_insert_with(|| {
            let (host, port) = (origin.host.clone(), origin.port);
            let is_named_by_registry = matches!(resolver.policy, AddressPolicy::NamedByRegistry(..));
            let registry_origin = endpoint::origin(registry, true).filter(|_| is_named_by_registry);
            let policy = AddressPolicy::RegistryHost(self.public.is_public_flag(registry));
            let registry_resolver = NameResolver { policy, ..resolver.clone() };
            let (resolver, name) = (resolver.clone(), host.clone());
            let addresses = move || {
                // Whether the registry is public must be known before it is decided which hosts it may name.
                if let Some(registry_origin) = &registry_origin {
                    registry_resolver.addresses(&registry_origin.host, registry_origin.port).ok()?;
                }
                resolver.addresses(&name, port).ok()
            };
            let limits =
                self.limits.clone().filter(|_| !is_named_by_registry).map(|limits| (limits, registry.to_owned()));
            let target = PreconnectTarget {
                host,
                addresses: Arc::new(addresses),
                limits,
                serves_first_request: is_named_by_registry,
            };
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
            .timeout_recv_response(Some(RESPONSE_HEAD_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_per_write(Some(STALL_TIMEOUT))
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .max_response_header_size(RESPONSE_HEAD_BYTES_MAX)
            .output_buffer_size(buffer)
            .build()
    }
}

impl OriginConnections {
    /// A server that wanted another client certificate may just close the connection (see
    /// [`crate::net::tls::identity::ClientIdentity::was_requested`]).
    pub(crate) fn or_client_certificate_error(&self, error: TransportError) -> TransportError {
        match &self.tls {
            Some(tls) if tls.identity.was_requested() => TransportError::new(
                RegistryErrorKind::ClientCertificate,
                format!("it asked for one and then ended the connection ({})", error.message),
            ),
            _ => error,
        }
    }
}

fn tunnel_proxy(proxy: &ProxyUrl) -> Result<Proxy, TransportError> {
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let mut builder = Proxy::builder(proxy.scheme).host(&host).port(proxy.port).resolve_target(false);
    if let Some((user, password)) = &proxy.user {
        builder = builder.username(user).password(password.reveal());
    }
    builder.build().map_err(|_| {
        TransportError::unsent(RegistryErrorKind::Proxy, format!("the address of the proxy {host} cannot be used"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ConnectionPool {
        /// Uses this pool for an origin that is the registry's own.
        pub(crate) fn insert_preconnected(&self, registry: &str, origin: &Origin, pool: PreconnectPool) {
            let key = (registry.to_owned(), origin.host.clone(), origin.port);
            self.preconnected.lock().unwrap().insert(key, Arc::new(pool));
        }

        /// Records whether a registry has a public address.
        pub(crate) fn set_public(&self, registry: &str, is_public: bool) {
            self.public.is_public_flag(registry).store(is_public, Ordering::Relaxed);
        }
    }
}
