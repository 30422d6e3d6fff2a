//! Makes connections: TCP, through a proxy or not, and TLS on top, for one origin.
//!
//! This stands in for the HTTP library's own chain of connectors, so that TLS is ours (see `tls`), names are resolved
//! without a thread for each, and every failure says at which step it happened.
//!
//! Proxies: an https target is reached by `CONNECT`, with the library's own connector. A plain http target is asked for
//! at the proxy itself, in absolute form, as Go does it: many proxies allow `CONNECT` to port 443 only. The library has
//! nothing for that, so `proxy_connect` rewrites the request line on its way out.

use std::cell::Cell;
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter, time,
};

use crate::net::address_policy::AddressPolicy;
use crate::net::failure::ConnectError;
use crate::net::preconnect::PreconnectPool;
use crate::net::proxy_connect::Forward;
use crate::net::socket::Socket;
use crate::net::tls::config::TlsSetup;

/// As many addresses as the library's list of them holds.
const ADDRESSES_MAX: usize = 16;

thread_local! {
    static CONNECTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a connection has been made on this thread since the last call; the library does not say whether it took one
/// from its pool, and only what went wrong on one of those may be due to its age.
pub(crate) fn take_connected() -> bool {
    CONNECTED.replace(false)
}

/// A plain-HTTP target's proxy.
#[derive(Debug)]
pub(crate) struct ForwardProxy {
    /// Its host, without brackets, and its port.
    pub(crate) address: (String, u16),
    /// TLS to the proxy itself.
    pub(crate) tls: Option<TlsSetup>,
    /// What is rewritten on the way.
    pub(crate) forward: Forward,
}

/// Connects to one origin.
#[derive(Debug, Default)]
pub(crate) struct OriginConnector {
    /// TLS to the origin.
    pub(crate) tls: Option<TlsSetup>,
    /// TLS to the proxy that `CONNECT` is sent to, when that is an https one.
    pub(crate) connect_tls: Option<TlsSetup>,
    /// Whether there is such a proxy.
    pub(crate) tunnels: bool,
    /// The proxy that is asked instead of the origin.
    pub(crate) forward: Option<ForwardProxy>,
    /// Connections to the origin that were made ahead.
    pub(crate) spares: Option<Arc<PreconnectPool>>,
}

impl Connector<()> for OriginConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        // The tunnel's own connector comes back here for the connection to the proxy, with a configuration without one.
        let is_hop = self.tunnels && details.config.proxy().is_none();
        let wrong = |error: ConnectError| {
            ureq::Error::from(if is_hop || self.forward.is_some() {
                ConnectError::Proxy(Box::new(error))
            } else {
                error
            })
        };
        let transport: Box<dyn Transport> = match self.spares.as_ref().and_then(|spares| spares.take()) {
            Some((spare, is_fresh)) => {
                CONNECTED.set(is_fresh);
                Box::new(Socket::new(spare, buffers(details)))
            }
            None => {
                CONNECTED.set(true);
                match ConnectProxyConnector::default().connect(details, None::<()>)? {
                    Some(tunnel) => Box::new(tunnel),
                    None => Box::new(tcp(details).map_err(wrong)?),
                }
            }
        };
        let host = details.uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
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

fn tcp(details: &ConnectionDetails) -> Result<impl Transport, ConnectError> {
    match TcpConnector::default().connect(details, None::<()>) {
        Ok(Some(transport)) => Ok(transport),
        Ok(None) => Err(ConnectError::Tcp(std::io::ErrorKind::NotConnected.into())),
        Err(ureq::Error::Timeout(_)) => Err(ConnectError::Slow),
        Err(error) => Err(ConnectError::Tcp(error.into_io())),
    }
}

fn buffers(details: &ConnectionDetails) -> LazyBuffers {
    LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size())
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
    Ok(Box::new(TlsTransport { buffers: buffers(details), stream: StreamOwned::new(connection, socket) }))
}

/// What is left of the time to connect: the TCP connection has taken some of it.
fn left(details: &ConnectionDetails) -> NextTimeout {
    let time::Duration::Exact(all) = details.timeout.after else { return details.timeout };
    let spent = match ((details.current_time)(), details.now) {
        (time::Instant::Exact(now), time::Instant::Exact(begun)) => now.saturating_duration_since(begun),
        _ => Duration::ZERO,
    };
    NextTimeout { after: all.saturating_sub(spent).into(), ..details.timeout }
}

/// A TLS connection as the HTTP library wants it.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<Box<dyn Transport>>>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        // rustls may hold back what did not fit; the library asks for the answer next and would wait for it in vain.
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

/// Resolves names with the system's resolver, which has time-outs of its own, on the calling thread.
#[derive(Debug, Default)]
pub(crate) struct NameResolver {
    /// Resolve this instead of whatever is asked: the proxy that is spoken to in place of the origin.
    pub(crate) instead: Option<(String, u16)>,
    /// Which of the addresses found may be called.
    pub(crate) reach: AddressPolicy,
}

impl Resolver for NameResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let default =
            if uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) { 443 } else { 80 };
        let (host, port) = match &self.instead {
            Some((host, port)) => (host.as_str(), *port),
            None => (host, uri.port_u16().unwrap_or(default)),
        };
        let found = (host, port).to_socket_addrs();
        let failed = |error| ConnectError::Resolve { host: host.to_owned(), error };
        let found: Vec<SocketAddr> = found.map_err(failed)?.take(ADDRESSES_MAX).collect();
        if let Some(address) = self.reach.forbidden(&found) {
            return Err(ConnectError::Private(address).into());
        }
        let mut addresses = self.empty();
        found.into_iter().for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}
