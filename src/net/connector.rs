//! Opens connections to one origin: TCP, with or without a proxy, and TLS on top.
//!
//! It replaces the HTTP library's own chain of connectors, so that TLS is ours (see `tls`), names are resolved without
//! a thread each, and every failure names its step.
//!
//! Proxies: an https target is reached by `CONNECT`, with the library's own connector. A request for a plain http
//! target is sent to the proxy in absolute form, as Go does it, because many proxies allow `CONNECT` to port 443 only.
//! The library lacks that, so `absolute_form` rewrites the request line.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport, TransportAdapter, time,
};

use crate::net::address_policy::AddressPolicy;
use crate::net::buffers::GrowingBuffers;
use crate::net::transport_error::ConnectError;
use crate::net::dns_cache::Names;
use crate::net::preconnect::{PreconnectPool, Preconnected};
use crate::net::absolute_form::Forward;
use crate::net::socket::Socket;
use crate::net::tls::config::TlsSetup;
use crate::net::tls::handshake::SecuredSocket;
use crate::net::tls::stream::TlsTransport;

/// Where a request got its connection. The library does not say whether it used one of its pool. A failure on a
/// connection that existed before may be due to its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionSource {
    /// It was used before.
    Pool,
    /// It was opened ahead, handshake included, and had not been used.
    Ahead,
    /// It was opened ahead so long ago that the server may have closed it, without a handshake.
    AheadAndOld,
    /// It was opened for the request, or just before.
    Own,
}

thread_local! {
    static SOURCE: Cell<ConnectionSource> = const { Cell::new(ConnectionSource::Pool) };
    static ONLY_FRESH: Cell<bool> = const { Cell::new(false) };
}

/// Begins a request of this thread. Where it cannot be repeated, it takes no preconnected connection that a server may
/// be about to close for its age.
pub(crate) fn begin_request(is_repeatable: bool) {
    SOURCE.set(ConnectionSource::Pool);
    ONLY_FRESH.set(!is_repeatable);
}

/// Where the request of this thread got its connection.
pub(crate) fn connection_source() -> ConnectionSource {
    SOURCE.get()
}

/// The proxy of a plain HTTP target.
#[derive(Debug)]
pub(crate) struct ForwardProxy {
    /// Its host, without brackets, and its port.
    pub(crate) address: (String, u16),
    /// TLS to the proxy itself.
    pub(crate) tls: Option<TlsSetup>,
    /// What is rewritten in each request.
    pub(crate) forward: Forward,
}

/// Connects to one origin.
#[derive(Debug, Default)]
pub(crate) struct OriginConnector {
    /// TLS to the origin.
    pub(crate) tls: Option<TlsSetup>,
    /// TLS to the proxy that `CONNECT` is sent to, if that is an https proxy.
    pub(crate) connect_tls: Option<TlsSetup>,
    /// Whether there is such a proxy.
    pub(crate) tunnels: bool,
    /// The proxy that gets the requests instead of the origin.
    pub(crate) forward: Option<ForwardProxy>,
    /// Connections to the origin that are opened ahead.
    pub(crate) preconnected: Option<Arc<PreconnectPool>>,
    /// The addresses of the command's hosts. They are looked up again if no connection succeeds.
    pub(crate) names: Arc<Names>,
}

impl Connector<()> for OriginConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        // The tunnel's own connector calls this again for the connection to the proxy, with a configuration without a
        // proxy.
        let is_hop = self.tunnels && details.config.proxy().is_none();
        let wrong = |error: ConnectError| {
            ureq::Error::from(if is_hop || self.forward.is_some() {
                ConnectError::Proxy(Box::new(error))
            } else {
                error
            })
        };
        let transport: Box<dyn Transport> = match self.take(details) {
            Some((Preconnected::Secured(secured), _)) if details.needs_tls() => {
                SOURCE.set(ConnectionSource::Ahead);
                return Ok(Some(with_tls(*secured, details)));
            }
            Some((Preconnected::Bare(socket), is_fresh)) => {
                SOURCE.set(if is_fresh { ConnectionSource::Own } else { ConnectionSource::AheadAndOld });
                Box::new(Socket::new(socket, buffers(details)))
            }
            _ => {
                SOURCE.set(ConnectionSource::Own);
                match ConnectProxyConnector::default().connect(details, None::<()>)? {
                    Some(tunnel) => Box::new(tunnel),
                    None => Box::new(self.tcp(details).map_err(wrong)?),
                }
            }
        };
        let bare = without_brackets(details.uri.host().unwrap_or_default());
        if let Some(proxy) = &self.forward {
            let transport = secure(transport, proxy.tls.as_ref(), &proxy.address.0, details).map_err(wrong)?;
            return Ok(Some(Box::new(proxy.forward.wrap(transport))));
        }
        let tls = if !details.needs_tls() {
            None
        } else if is_hop {
            self.connect_tls.as_ref()
        } else {
            self.tls.as_ref()
        };
        secure(transport, tls, bare, details).map(Some).map_err(wrong)
    }
}

impl OriginConnector {
    fn take(&self, details: &ConnectionDetails) -> Option<(Preconnected, bool)> {
        let patience = details.timeout.not_zero().map(|left| *left);
        self.preconnected.as_ref()?.take(patience, ONLY_FRESH.get())
    }

    fn tcp(&self, details: &ConnectionDetails) -> Result<impl Transport + use<>, ConnectError> {
        let failed = match TcpConnector::default().connect(details, None::<()>) {
            Ok(Some(transport)) => return Ok(transport),
            Ok(None) => ConnectError::Tcp(std::io::ErrorKind::NotConnected.into()),
            Err(ureq::Error::Timeout(_)) => ConnectError::Slow,
            Err(error) => ConnectError::Tcp(error.into_io()),
        };
        self.names.forget(without_brackets(details.uri.host().unwrap_or_default()));
        Err(failed)
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// A connection whose handshake was done ahead.
fn with_tls(secured: SecuredSocket, details: &ConnectionDetails) -> Box<dyn Transport> {
    let SecuredSocket { connection, socket } = secured;
    let socket: Box<dyn Transport> = Box::new(Socket::new(socket, buffers(details)));
    let socket = TransportAdapter::new(socket, details.current_time.clone());
    Box::new(TlsTransport::new(connection, socket, buffers(details)))
}

fn buffers(details: &ConnectionDetails) -> GrowingBuffers {
    GrowingBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size())
}

fn secure(
    transport: Box<dyn Transport>,
    tls: Option<&TlsSetup>,
    host: &str,
    details: &ConnectionDetails,
) -> Result<Box<dyn Transport>, ConnectError> {
    let Some(tls) = tls else { return Ok(transport) };
    let failed = |error: std::io::Error| match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => ConnectError::Slow,
        error => ConnectError::Tls(error.into_io()),
    };
    let other = |error: rustls::Error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
    let mut connection = tls.connection(host).map_err(other)?;
    let mut socket = TransportAdapter::new(transport, details.current_time.clone());
    socket.set_timeout(left(details));
    connection.complete_io(&mut socket).map_err(failed)?;
    Ok(Box::new(TlsTransport::new(connection, socket, buffers(details))))
}

/// The time that is left to connect: the TCP connection has used some of it.
fn left(details: &ConnectionDetails) -> NextTimeout {
    let time::Duration::Exact(all) = details.timeout.after else { return details.timeout };
    let spent = match ((details.current_time)(), details.now) {
        (time::Instant::Exact(now), time::Instant::Exact(begun)) => now.saturating_duration_since(begun),
        _ => Duration::ZERO,
    };
    NextTimeout { after: all.saturating_sub(spent).into(), ..details.timeout }
}

/// Finds addresses on the calling thread, and applies the address policy to them.
#[derive(Debug, Clone)]
pub(crate) struct NameResolver {
    /// All look-ups of the command.
    pub(crate) names: Arc<Names>,
    /// Resolve this instead of the host that is asked for: the proxy that is called in place of the origin.
    pub(crate) instead: Option<(String, u16)>,
    /// Which of the addresses may be contacted.
    pub(crate) policy: AddressPolicy,
}

impl NameResolver {
    /// The addresses of a host (IPv6 without brackets) that may be contacted.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`] and [`ConnectError::Private`].
    pub(crate) fn find(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = self.names.addresses(host, port);
        let found = found.map_err(|error| ConnectError::Resolve { host: host.to_owned(), error })?;
        match self.policy.forbidden(&found) {
            Some(address) => Err(ConnectError::Private(address)),
            None => Ok(found),
        }
    }
}

impl Resolver for NameResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = without_brackets(uri.host().unwrap_or_default());
        let default =
            if uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) { 443 } else { 80 };
        let (host, port) = match &self.instead {
            Some((host, port)) => (host.as_str(), *port),
            None => (host, uri.port_u16().unwrap_or(default)),
        };
        let mut addresses = self.empty();
        self.find(host, port)?.into_iter().for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}
