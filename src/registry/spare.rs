//! Connections made ahead of their use: while the first exchange with a registry finds out how it speaks and what it
//! wants to see, the connections that the others are going to need are already being made.
//!
//! A spare is a bare TCP connection, good for TLS and for plain HTTP alike. One that is never used costs the registry a
//! connection and nothing else: no byte goes over it.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Servers close connections that say nothing for long; older ones are not worth a try.
const AGE_MAX: Duration = Duration::from_secs(15);

/// The spare connections to one host and port.
#[derive(Debug, Default)]
pub(super) struct Spares {
    ready: Mutex<Vec<(Instant, TcpStream)>>,
    begun: AtomicBool,
}

impl Spares {
    /// Begins to make `count` connections and does not wait for them. Those that fail are nobody's loss: whoever then
    /// connects for itself finds out why.
    pub(super) fn open(self: &Arc<Spares>, host: &str, port: u16, count: usize) {
        let (spares, host) = (Arc::clone(self), host.to_owned());
        thread::spawn(move || {
            let Some(address) = (host.as_str(), port).to_socket_addrs().ok().and_then(|mut found| found.next()) else {
                return;
            };
            for _ in 1..count {
                let spares = Arc::clone(&spares);
                thread::spawn(move || spares.connect(&address));
            }
            spares.connect(&address);
        });
    }

    fn connect(&self, address: &SocketAddr) {
        let Ok(socket) = TcpStream::connect_timeout(address, CONNECT_TIMEOUT) else { return };
        if socket.set_nodelay(true).is_ok() {
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), socket));
        }
    }

    /// A connection that is ready, if there is one. The first to ask gets none: the spares are for those after it, and
    /// it would only sometimes be too early for one.
    pub(super) fn take(&self) -> Option<TcpStream> {
        if !self.begun.swap(true, Ordering::Relaxed) {
            return None;
        }
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.retain(|(made, _)| made.elapsed() < AGE_MAX);
        ready.pop().map(|(_, socket)| socket)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn connections_are_made_and_handed_out_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let spares = Arc::new(Spares::default());
        spares.open("127.0.0.1", address.port(), 2);
        assert!(spares.take().is_none(), "the first makes its own");
        let accepted: Vec<TcpStream> = listener.incoming().take(2).map(Result::unwrap).collect();
        // The client's side may be put away a moment after the server's is there.
        let mut taken = Vec::new();
        while taken.len() < 2 {
            taken.extend(spares.take());
            thread::yield_now();
        }
        assert!(spares.take().is_none());
        let mut ports: Vec<u16> = taken.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        let mut peers: Vec<u16> = accepted.iter().map(|socket| socket.peer_addr().unwrap().port()).collect();
        ports.sort_unstable();
        peers.sort_unstable();
        assert_eq!(ports, peers);
    }
}
