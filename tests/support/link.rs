//! A link with a given round-trip time between a client and a server on loopback, that counts what crosses it.
//!
//! The client talks to [`Link::addr`], the link to the server. Every chunk is held for half a round trip in each
//! direction, in a queue of its own: order is kept, and throughput is not limited, since a chunk's time runs from its
//! arrival and not from the departure of the one before it.
//!
//! A TCP connect costs one round trip before the client may send. Here the kernel connects at once, so the link takes
//! a connection as open one round trip after it was accepted: whatever the client sends earlier counts as sent at that
//! moment. A client that writes at once (all of them do) therefore waits exactly as long as on a real line, and one
//! that opens a connection ahead of its use gains what it would gain there.
//!
//! Requests are counted as they reach the link, in plain HTTP only: a connection that opens with a TLS hello is one
//! probe, and nothing inside it is looked at.

mod meter;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use meter::Request;

use meter::{Meter, Seen};

const CHUNK: usize = 64 * 1024;

/// What crossed a link since it was started or last asked by [`Link::take`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections, whatever they carried.
    pub connections: usize,
    /// Connections that opened with a TLS hello.
    pub probes: usize,
    /// HTTP requests, in the order in which their heads were whole.
    pub requests: Vec<Request>,
    /// Bytes from clients to the server.
    pub sent: u64,
    /// Bytes from the server to clients.
    pub received: u64,
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
    pub fn sequential_round_trips(&self) -> usize {
        self.connections + self.probes + self.requests.len()
    }
}

/// A running link; dropping it closes every connection that goes through it.
#[derive(Debug)]
pub struct Link {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    rtt: Duration,
    ended: AtomicBool,
    counts: Mutex<Counts>,
    /// The open connections, to be closed at the end; each takes itself out when it is over.
    open: Mutex<BTreeMap<u64, Arc<Pair>>>,
}

/// The two sockets of one connection.
#[derive(Debug)]
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// Bytes and the moment at which they may go on; none is the end of the direction.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Link {
    /// Starts a link to a server, with a listener on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start(target: SocketAddr, rtt: Duration) -> io::Result<Link> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            rtt,
            ended: AtomicBool::new(false),
            counts: Mutex::default(),
            open: Mutex::default(),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Link { addr, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as it stands in an image name.
    #[must_use]
    pub fn host(&self) -> String {
        self.addr.to_string()
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

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // The acceptor looks up when somebody comes.
        drop(TcpStream::connect(self.addr));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for pair in lock(&self.shared.open).values() {
            pair.close();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, client) in (0..).zip(listener.incoming()) {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let accepted = Instant::now();
        let Ok(client) = client else { continue };
        lock(&shared.counts).connections += 1;
        // A server that does not answer shows to the client as a connection closed at once.
        let Ok(server) = TcpStream::connect(shared.target) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let pair = Arc::new(Pair { client, server });
        lock(&shared.open).insert(number, Arc::clone(&pair));
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            carry(&pair, accepted, &shared);
            lock(&shared.open).remove(&number);
        });
    }
}

/// Carries one connection to its end: a reader and a writer for each direction.
fn carry(pair: &Pair, accepted: Instant, shared: &Shared) {
    let open = accepted + shared.rtt;
    thread::scope(|scope| {
        let (to_server, from_client) = channel();
        let (to_client, from_server) = channel();
        scope.spawn(move || {
            let mut meter = Meter::default();
            read(&pair.client, open, shared.rtt / 2, &to_server, |bytes| {
                let mut counts = lock(&shared.counts);
                counts.sent += bytes.len() as u64;
                meter.feed(bytes, |seen| match seen {
                    Seen::Hello => counts.probes += 1,
                    Seen::Request(request) => counts.requests.push(request),
                });
            });
        });
        scope.spawn(move || {
            read(&pair.server, accepted, shared.rtt / 2, &to_client, |bytes| {
                lock(&shared.counts).received += bytes.len() as u64;
            });
        });
        scope.spawn(move || write(&pair.server, &from_client, pair));
        write(&pair.client, &from_server, pair);
    });
}

/// Reads a socket to its end; what comes before `open` counts as come at that moment.
fn read(mut socket: &TcpStream, open: Instant, delay: Duration, queue: &Sender<Chunk>, mut look: impl FnMut(&[u8])) {
    let mut buffer = vec![0; CHUNK];
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
            look(&bytes);
        }
        if queue.send(Chunk { due, bytes }).is_err() || length == 0 {
            return;
        }
    }
}

/// Writes chunks when they are due; a side that takes no more ends the whole connection.
fn write(mut socket: &TcpStream, queue: &Receiver<Chunk>, pair: &Pair) {
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
