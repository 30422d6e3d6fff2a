//! Opens connections to one origin: TCP, with or without a proxy, and TLS on top.
//!
//! It replaces the HTTP library's own chain of connectors, so that TLS is ours (see `tls`), names are resolved without
//! a thread each, buffers grow as they are needed, and every failure names its step.
//!
//! Proxies: an https target is reached by `CONNECT`, with the library's own connector. A request for a plain http
//! target is sent to the proxy in absolute form, as Go does it, because many proxies allow `CONNECT` to port 443 only.
//! The library lacks that, so `absolute_form` rewrites the request line.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, Transport, TransportAdapter, time,
};

use crate::net::absolute_form::AbsoluteFormRewriter;
use crate::net::address_policy::AddressPolicy;
use crate::net::buffers::GrowingBuffers;
use crate::net::dns_cache::DnsCache;
use crate::net::preconnect::{AcceptedAge, PreconnectPool, PreconnectedSocket, TakenConnection};
use crate::net::socket::{Socket, connect_to_first};
use crate::net::tls::config::TlsSetup;
use crate::net::tls::handshake::TlsSocket;
use crate::net::tls::stream::TlsTransport;
use crate::net::transport_error::ConnectError;

/// Where a request got its connection. The library does not say whether it used one of its pool. A failure on a
/// connection that existed before may be due to its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionSource {
    /// It was used before.
    Pool,
    /// It was opened ahead, handshake included, and had not been used.
    Preconnected,
    /// It was opened ahead so long ago that the server may have closed it, without a handshake.
    PreconnectedStale,
    /// It was opened for the request, or just before.
    New,
}

thread_local! {
    static USED_CONNECTION_SOURCE: Cell<ConnectionSource> = const { Cell::new(ConnectionSource::Pool) };
    static ACCEPTED_AGE: Cell<AcceptedAge> = const { Cell::new(AcceptedAge::Any) };
}

/// Begins a request of this thread. Where it cannot be repeated, it takes no preconnected connection that a server may
/// be about to close for its age.
pub(crate) fn begin_request(is_repeatable: bool) {
    USED_CONNECTION_SOURCE.set(ConnectionSource::Pool);
    ACCEPTED_AGE.set(if is_repeatable { AcceptedAge::Any } else { AcceptedAge::OnlyFresh });
}

/// Where the request of this thread got its connection.
pub(crate) fn used_connection_source() -> ConnectionSource {
    USED_CONNECTION_SOURCE.get()
}

/// The proxy of a plain HTTP target.
#[derive(Debug)]
pub(crate) struct ForwardProxy {
    /// Its host, without brackets, and its port.
    pub(crate) address: (String, u16),
    /// TLS to the proxy itself.
    pub(crate) tls: Option<TlsSetup>,
    /// What is rewritten in each request.
    pub(crate) rewriter: AbsoluteFormRewriter,
}

/// Connects to one origin.
#[derive(Debug, Default)]
pub(crate) struct OriginConnector {
    /// TLS to the origin.
    pub(crate) tls: Option<TlsSetup>,
    /// TLS to the proxy that `CONNECT` is sent to, if that is an https proxy.
    pub(crate) tunnel_proxy_tls: Option<TlsSetup>,
    /// Whether there is such a proxy.
    pub(crate) has_tunnel: bool,
    /// The proxy that gets the requests instead of the origin.
    pub(crate) forward_proxy: Option<ForwardProxy>,
    /// Connections to the origin that are opened ahead.
    pub(crate) preconnected: Option<Arc<PreconnectPool>>,
    /// The addresses of the command's hosts. They are looked up again if no connection succeeds.
    pub(crate) dns_cache: Arc<DnsCache>,
}

impl Connector<()> for OriginConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        // The tunnel's own connector calls this again for the connection to the proxy, with a configuration without a
        // proxy.
        let is_to_proxy = self.has_tunnel && details.config.proxy().is_none();
        let to_ureq_error = |error: ConnectError| {
            ureq::Error::from(if is_to_proxy || self.forward_proxy.is_some() {
                ConnectError::Proxy(Box::new(error))
            } else {
                error
            })
        };
        let transport: Box<dyn Transport> = match self.take_preconnected(details.timeout.not_zero().map(|left| *left)) {
            Some(TakenConnection { socket: PreconnectedSocket::Tls(tls_socket), .. }) if details.needs_tls() => {
                USED_CONNECTION_SOURCE.set(ConnectionSource::Preconnected);
                return Ok(Some(tls_transport(*tls_socket, details)));
            }
            Some(TakenConnection { socket: PreconnectedSocket::Tcp(socket), is_fresh }) => {
                USED_CONNECTION_SOURCE.set(if is_fresh {
                    ConnectionSource::New
                } else {
                    ConnectionSource::PreconnectedStale
                });
                Box::new(Socket::new(socket, buffers(details)))
            }
            _ => {
                USED_CONNECTION_SOURCE.set(ConnectionSource::New);
                match ConnectProxyConnector::default().connect(details, None::<()>)? {
                    Some(tunnel) => Box::new(tunnel),
                    None => Box::new(self.connect_tcp(details).map_err(to_ureq_error)?),
                }
            }
        };
        let host = without_brackets(details.uri.host().unwrap_or_default());
        if let Some(proxy) = &self.forward_proxy {
            let transport =
                start_tls(transport, proxy.tls.as_ref(), &proxy.address.0, details).map_err(to_ureq_error)?;
            return Ok(Some(Box::new(proxy.rewriter.wrap(transport))));
        }
        let tls = if !details.needs_tls() {
            None
        } else if is_to_proxy {
            self.tunnel_proxy_tls.as_ref()
        } else {
            self.tls.as_ref()
        };
        start_tls(transport, tls, host, details).map(Some).map_err(to_ureq_error)
    }
}

impl OriginConnector {
    fn take_preconnected(&self, max_wait: Option<Duration>) -> Option<TakenConnection> {
        self.preconnected.as_ref()?.take_connection(max_wait, ACCEPTED_AGE.get())
    }

    fn connect_tcp(&self, details: &ConnectionDetails) -> Result<Socket, ConnectError> {
        let left = time_left_to_connect(details)?;
        let failure = match connect_to_first(&details.addrs, left.not_zero().map(|left| *left)) {
            Ok(stream) => return Ok(Socket::new(stream, buffers(details))),
            Err(error) if error.kind() == ErrorKind::TimedOut => ConnectError::TimedOut,
            Err(error) => ConnectError::Tcp(error),
        };
        self.dns_cache.forget(without_brackets(details.uri.host().unwrap_or_default()));
        Err(failure)
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// A connection whose handshake was done ahead.
fn tls_transport(tls_socket: TlsSocket, details: &ConnectionDetails) -> Box<dyn Transport> {
    let TlsSocket { connection, socket } = tls_socket;
    let socket: Box<dyn Transport> = Box::new(Socket::new(socket, buffers(details)));
    let socket = TransportAdapter::new(socket, details.current_time.clone());
    Box::new(TlsTransport::new(connection, socket, buffers(details)))
}

fn buffers(details: &ConnectionDetails) -> GrowingBuffers {
    GrowingBuffers::new(details.config.output_buffer_size())
}

fn start_tls(
    transport: Box<dyn Transport>,
    tls: Option<&TlsSetup>,
    host: &str,
    details: &ConnectionDetails,
) -> Result<Box<dyn Transport>, ConnectError> {
    let Some(tls) = tls else { return Ok(transport) };
    let failed = |error: std::io::Error| match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => ConnectError::TimedOut,
        error => ConnectError::Tls(error.into_io()),
    };
    let other = |error: rustls::Error| failed(std::io::Error::new(ErrorKind::InvalidData, error));
    let mut connection = tls.connection(host).map_err(other)?;
    let mut socket = TransportAdapter::new(transport, details.current_time.clone());
    socket.set_timeout(time_left_to_connect(details)?);
    connection.complete_io(&mut socket).map_err(failed)?;
    Ok(Box::new(TlsTransport::new(connection, socket, buffers(details))))
}

/// The time that is left to connect, or [`ConnectError::TimedOut`]: the wait for a preconnected connection and the TCP
/// connection use some of it.
fn time_left_to_connect(details: &ConnectionDetails) -> Result<NextTimeout, ConnectError> {
    time_left(details.timeout, details.now, (details.current_time)()).ok_or(ConnectError::TimedOut)
}

/// What is left at `now` of a time-out that began at `begun`; `None` if nothing is. The library would permit one more
/// second.
fn time_left(timeout: NextTimeout, begun: time::Instant, now: time::Instant) -> Option<NextTimeout> {
    let (time::Duration::Exact(all), time::Instant::Exact(begun), time::Instant::Exact(now)) =
        (timeout.after, begun, now)
    else {
        return Some(timeout);
    };
    let left = all.saturating_sub(now.saturating_duration_since(begun));
    (!left.is_zero()).then(|| NextTimeout { after: left.into(), ..timeout })
}

/// Finds addresses on the calling thread, and applies the address policy to them.
#[derive(Debug, Clone)]
pub(crate) struct NameResolver {
    /// All look-ups of the command.
    pub(crate) dns_cache: Arc<DnsCache>,
    /// Resolve this instead of the host that is asked for: the proxy that is called in place of the origin.
    pub(crate) proxy_address: Option<(String, u16)>,
    /// Which of the addresses may be contacted.
    pub(crate) policy: AddressPolicy,
}

impl NameResolver {
    /// The addresses of a host (IPv6 without brackets) that may be contacted.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`] and [`ConnectError::PrivateAddress`].
    pub(crate) fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = self.dns_cache.addresses(host, port);
        let found = found.map_err(|error| ConnectError::Resolve { host: host.to_owned(), error })?;
        match self.policy.record_and_find_forbidden(&found) {
            Some(address) => Err(ConnectError::PrivateAddress(address)),
            None => Ok(found),
        }
    }
}

impl Resolver for NameResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = without_brackets(uri.host().unwrap_or_default());
        let default_port =
            if uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) { 443 } else { 80 };
        let (host, port) = match &self.proxy_address {
            Some((host, port)) => (host.as_str(), *port),
            None => (host, uri.port_u16().unwrap_or(default_port)),
        };
        let mut addresses = self.empty();
        self.addresses(host, port)?.into_iter().for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn time_to_connect_ends_with_the_timeout() {
        let begun = Instant::now();
        let seconds = |seconds: u64| time::Instant::Exact(begun + Duration::from_secs(seconds));
        let timeout = NextTimeout { after: Duration::from_secs(30).into(), ..NextTimeout::default() };
        let left = |now| time_left(timeout, seconds(0), now).map(|left| *left.after);
        assert_eq!(left(seconds(0)), Some(Duration::from_secs(30)));
        assert_eq!(left(seconds(12)), Some(Duration::from_secs(18)));
        assert_eq!((left(seconds(30)), left(seconds(31))), (None, None));
        let unlimited = NextTimeout::default();
        assert!(time_left(unlimited, seconds(0), seconds(31)).is_some_and(|left| left.after.is_not_happening()));
    }
}
