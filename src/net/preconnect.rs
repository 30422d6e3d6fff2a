//! Connections made ahead of their use: while the first exchange with a registry finds out how it speaks and what it
//! wants to see, the connections that the others are going to need are already being made.
//!
//! A spare is a bare TCP connection, good for TLS and for plain HTTP alike. One that is never used costs the registry a
//! connection and nothing else: no byte goes over it.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::socket::is_silent;
use crate::sync::{lock, wait};

/// Others wait for a spare so long at most, before they try all of the host's addresses for themselves.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Servers close connections that say nothing for long; older ones are not worth a try.
const AGE_MAX: Duration = Duration::from_secs(15);
/// No server hangs up on a connection for having been silent so short a time.
const FRESH_MAX: Duration = Duration::from_secs(2);

/// The spare connections to one host and port.
#[derive(Debug, Default)]
pub(crate) struct PreconnectPool {
    state: Mutex<PreconnectState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct PreconnectState {
    /// Whether anybody has asked for one.
    begun: bool,
    /// How many are being made.
    pending: usize,
    ready: Vec<(Instant, TcpStream)>,
}

impl PreconnectPool {
    /// Begins to make `count` connections and does not wait for them. Those that fail are nobody's loss: whoever then
    /// connects for itself finds out why.
    pub(crate) fn open(self: &Arc<PreconnectPool>, host: &str, port: u16, count: usize) {
        lock(&self.state).pending += count;
        let (spares, host) = (Arc::clone(self), host.to_owned());
        let begun = thread::Builder::new().spawn(move || {
            let address = (host.as_str(), port).to_socket_addrs().ok().and_then(|mut found| found.next());
            for _ in 1..count {
                let another = Arc::clone(&spares);
                if thread::Builder::new().spawn(move || another.connect(address)).is_err() {
                    spares.done(None);
                }
            }
            spares.connect(address);
        });
        // No thread is to be had: then nothing is made ahead.
        if begun.is_err() {
            (0..count).for_each(|_| self.done(None));
        }
    }

    fn connect(&self, address: Option<SocketAddr>) {
        let connected = address.and_then(|address| TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).ok());
        self.done(connected.filter(|socket| socket.set_nodelay(true).is_ok()));
    }

    /// One that was being made is there, or will never be.
    fn done(&self, spare: Option<TcpStream>) {
        let mut state = lock(&self.state);
        state.pending = state.pending.saturating_sub(1);
        state.ready.extend(spare.map(|socket| (Instant::now(), socket)));
        self.changed.notify_all();
    }

    /// A connection that is ready and not closed by the other side since, or that was begun to be made before; `None`
    /// where there is neither. The first to ask gets none: the spares are for those after it, and it would only
    /// sometimes be too early for one.
    ///
    /// With it comes whether it is fresh: what goes wrong on one that is not may be due to its age.
    pub(crate) fn take(&self) -> Option<(TcpStream, bool)> {
        let mut state = lock(&self.state);
        if !std::mem::replace(&mut state.begun, true) {
            return None;
        }
        loop {
            state.ready.retain(|(made, socket)| made.elapsed() < AGE_MAX && is_silent(socket));
            if let Some((made, socket)) = state.ready.pop() {
                return Some((socket, made.elapsed() < FRESH_MAX));
            }
            if state.pending == 0 {
                return None;
            }
            state = wait(&self.changed, state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    impl PreconnectPool {
        /// One connection that was made so long ago, after the first has been asked for.
        pub(crate) fn with(socket: TcpStream, age: Duration) -> PreconnectPool {
            let made = Instant::now().checked_sub(age).unwrap();
            let state = PreconnectState { begun: true, pending: 0, ready: vec![(made, socket)] };
            PreconnectPool { state: Mutex::new(state), changed: Condvar::new() }
        }
    }

    #[test]
    fn one_that_the_other_side_has_closed_is_not_handed_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0);
        let (open, _peer) = connect();
        assert!(PreconnectPool::with(open, Duration::ZERO).take().is_some());
        let (closed, peer) = connect();
        drop(peer);
        // Returns when the end has arrived.
        assert_eq!(closed.peek(&mut [0]).unwrap(), 0);
        assert!(PreconnectPool::with(closed, Duration::ZERO).take().is_none());
    }

    #[test]
    fn connections_are_made_and_handed_out_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let spares = Arc::new(PreconnectPool::default());
        spares.open("127.0.0.1", address.port(), 2);
        assert!(spares.take().is_none(), "the first makes its own");
        let accepted: Vec<TcpStream> = listener.incoming().take(2).map(Result::unwrap).collect();
        let taken: Vec<TcpStream> = (0..2).map(|_| spares.take().unwrap().0).collect();
        assert!(spares.take().is_none());
        let mut ports: Vec<u16> = taken.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        let mut peers: Vec<u16> = accepted.iter().map(|socket| socket.peer_addr().unwrap().port()).collect();
        ports.sort_unstable();
        peers.sort_unstable();
        assert_eq!(ports, peers);
    }

    #[test]
    fn connections_that_cannot_be_made_are_not_waited_for() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let spares = Arc::new(PreconnectPool::default());
        spares.open("127.0.0.1", closed.port(), 3);
        spares.open("no such name", 1, 1);
        assert!(spares.take().is_none());
        assert!(spares.take().is_none());
    }
}
