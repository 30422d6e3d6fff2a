//! A link with a given round-trip time between a client and a server on loopback, that counts what crosses it.
//!
//! The client talks to [`LatencyLink::proxy`], the link to the server. Every chunk is held for half a round trip in
//! each direction, in a queue of its own: order is kept, and throughput is not limited, since a chunk's time runs from
//! its arrival and not from the departure of the one before it.
//!
//! A TCP connect costs one round trip before the client may send. Here the kernel connects at once, so the link takes
//! a connection as open one round trip after it was accepted: whatever the client sends earlier counts as sent at that
//! moment. A client that writes at once (all of them do) therefore waits exactly as long as on a real line, and one
//! that opens a connection ahead of its use gains what it would gain there.
//!
//! Requests are counted as they reach the link, in plain HTTP only: a connection that opens with a TLS hello is one
//! probe, and nothing inside it is looked at.

mod request_parser;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use request_parser::Request;

use crate::tcp_proxy::{CHUNK_SIZE, SocketPair, TcpProxy, lock};
use request_parser::{Event, RequestParser};

/// What crossed a link since it was started or last asked by [`LatencyLink::take`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections, whatever they carried.
    pub connections: usize,
    /// Connections that opened with a TLS hello.
    pub tls_hellos: usize,
    /// HTTP requests, in the order in which their heads were whole.
    pub requests: Vec<Request>,
    /// Bytes from clients to the server.
    pub to_server: u64,
    /// Bytes from the server to clients.
    pub to_client: u64,
}

impl Counts {
    /// How many requests there were of each method.
    #[must_use]
    pub fn methods(&self) -> BTreeMap<&str, usize> {
        let mut methods = BTreeMap::new();
        for request in &self.requests {
            *methods.entry(request.method.as_str()).or_default() += 1;
        }
        methods
    }

    /// How many round trips a client that never does two things at once would make: one for every connection, probe
    /// and request.
    #[must_use]
    pub fn round_trips_without_concurrency(&self) -> usize {
        self.connections + self.tls_hellos + self.requests.len()
    }
}

/// A running link; dropping it closes every connection that goes through it.
#[derive(Debug)]
pub struct LatencyLink {
    /// Where clients connect.
    pub proxy: TcpProxy,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rtt: Duration,
    counts: Mutex<Counts>,
}

/// Bytes and the moment at which they may go on; none is the end of the direction.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

impl LatencyLink {
    /// Starts a link to a server, with a listener on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start(target: SocketAddr, rtt: Duration) -> io::Result<LatencyLink> {
        let shared = Arc::new(Shared { rtt, counts: Mutex::default() });
        let (accepting, forwarding) = (Arc::clone(&shared), Arc::clone(&shared));
        let on_accept = move || {
            lock(&accepting.counts).connections += 1;
            Instant::now()
        };
        let proxy = TcpProxy::start(target, on_accept, move |pair, accepted| forward(pair, accepted, &forwarding))?;
        Ok(LatencyLink { proxy, shared })
    }

    /// The time from a client's byte to the first byte that can answer it, the server's own time left out.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        self.shared.rtt
    }

    /// What has crossed so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.shared.counts).clone()
    }

    /// What has crossed so far, and begins again at nothing.
    #[must_use]
    pub fn take(&self) -> Counts {
        std::mem::take(&mut *lock(&self.shared.counts))
    }
}

/// Carries one connection to its end: a reader and a writer for each direction.
fn forward(pair: &SocketPair, accepted: Instant, shared: &Shared) {
    let open = accepted + shared.rtt;
    thread::scope(|scope| {
        let (to_server, from_client) = channel();
        let (to_client, from_server) = channel();
        scope.spawn(move || {
            let mut parser = RequestParser::default();
            read(&pair.client, open, shared.rtt / 2, &to_server, |bytes| {
                let mut counts = lock(&shared.counts);
                counts.to_server += bytes.len() as u64;
                parser.feed(bytes, |event| match event {
                    Event::TlsHello => counts.tls_hellos += 1,
                    Event::Request(request) => counts.requests.push(request),
                });
            });
        });
        scope.spawn(move || {
            read(&pair.server, accepted, shared.rtt / 2, &to_client, |bytes| {
                lock(&shared.counts).to_client += bytes.len() as u64;
            });
        });
        scope.spawn(move || write(&pair.server, &from_client, pair));
        write(&pair.client, &from_server, pair);
    });
}

/// Reads a socket to its end; what comes before `open` counts as come at that moment.
fn read(
    mut socket: &TcpStream,
    open: Instant,
    delay: Duration,
    queue: &Sender<Chunk>,
    mut on_bytes: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        let length = match socket.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A reset is an end too; the other side learns of it in its turn.
            Err(_) => 0,
        };
        let due = Instant::now().max(open) + delay;
        let bytes = buffer[..length].to_vec();
        if length > 0 {
            on_bytes(&bytes);
        }
        if queue.send(Chunk { due, bytes }).is_err() || length == 0 {
            return;
        }
    }
}

/// Writes chunks when they are due; a side that takes no more ends the whole connection.
fn write(mut socket: &TcpStream, queue: &Receiver<Chunk>, pair: &SocketPair) {
    for chunk in queue {
        thread::sleep(chunk.due.saturating_duration_since(Instant::now()));
        if chunk.bytes.is_empty() {
            let _ = socket.shutdown(Shutdown::Write);
            return;
        }
        if socket.write_all(&chunk.bytes).is_err() {
            return pair.close();
        }
    }
}
