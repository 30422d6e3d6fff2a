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

use super::socket::is_silent;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Servers close connections that say nothing for long; older ones are not worth a try.
const AGE_MAX: Duration = Duration::from_secs(15);
/// No server hangs up on a connection for having been silent so short a time.
const FRESH_MAX: Duration = Duration::from_secs(2);

/// The spare connections to one host and port.
#[derive(Debug, Default)]
pub(super) struct Spares {
    ready: Mutex<Vec<(Instant, TcpStream)>>,
    begun: AtomicBool,
}

impl Spares {
    /// Begins to make `count` connections and does not wait for them. Those that fail are nobody's loss, those for which
    /// the system has no thread included: whoever then connects for itself finds out why.
    pub(super) fn open(self: &Arc<Spares>, host: &str, port: u16, count: usize) {
        let (spares, host) = (Arc::clone(self), host.to_owned());
        let _ = thread::Builder::new().spawn(move || {
            let Some(address) = (host.as_str(), port).to_socket_addrs().ok().and_then(|mut found| found.next()) else {
                return;
            };
            for _ in 1..count {
                let spares = Arc::clone(&spares);
                let _ = thread::Builder::new().spawn(move || spares.connect(&address));
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

    /// A connection that is ready and that the other side has not closed, if there is one. The first to ask gets none:
    /// the spares are for those after it, and it would only sometimes be too early for one.
    ///
    /// With it comes whether it is fresh: what goes wrong on one that is not may be due to its age.
    pub(super) fn take(&self) -> Option<(TcpStream, bool)> {
        if !self.begun.swap(true, Ordering::Relaxed) {
            return None;
        }
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.retain(|(made, socket)| made.elapsed() < AGE_MAX && is_silent(socket));
        ready.pop().map(|(made, socket)| (socket, made.elapsed() < FRESH_MAX))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::TcpListener;

    use super::*;

    impl Spares {
        /// One connection that was made so long ago, and the first has been asked for.
        pub(in crate::registry) fn with(socket: TcpStream, age: Duration) -> Spares {
            let made = Instant::now().checked_sub(age).unwrap();
            Spares { ready: Mutex::new(vec![(made, socket)]), begun: AtomicBool::new(true) }
        }
    }

    #[test]
    fn one_that_the_other_side_has_closed_is_not_handed_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0);
        let (open, _peer) = connect();
        assert!(Spares::with(open, Duration::ZERO).take().is_some());
        let (closed, peer) = connect();
        drop(peer);
        // Returns when the end has arrived.
        assert_eq!(closed.peek(&mut [0]).unwrap(), 0);
        assert!(Spares::with(closed, Duration::ZERO).take().is_none());
    }

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
            taken.extend(spares.take().map(|(socket, _)| socket));
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
