//! What [`crate::link`] and [`crate::relay`] have in common: a listener before a server that makes a connection to it
//! for each that comes, and closes them all when it is dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// How much is read at once, in bytes.
pub(crate) const CHUNK: usize = 64 * 1024;

/// The two sockets of one connection.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
}

impl Pair {
    pub(crate) fn close(&self) {
        // A side that is gone already is as good.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// A running listener; dropping it ends every connection that goes through it.
#[derive(Debug)]
pub(crate) struct Line {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    ended: AtomicBool,
    /// The open connections, to be closed at the end; each takes itself out when it is over.
    open: Mutex<BTreeMap<u64, Arc<Pair>>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// Listens on a free port of 127.0.0.1. `note` is called for each connection as it comes, by one thread; `carry`
    /// gets what it gave, and carries the connection to its end.
    pub(crate) fn start<T: Send + 'static>(
        target: SocketAddr,
        note: impl Fn() -> T + Send + 'static,
        carry: impl Fn(&Pair, T) + Send + Sync + 'static,
    ) -> io::Result<Line> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared { target, ended: AtomicBool::new(false), open: Mutex::default() });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &accepting, &note, &Arc::new(carry)));
        Ok(Line { addr, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Line {
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

fn accept<T: Send + 'static>(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    note: &impl Fn() -> T,
    carry: &Arc<impl Fn(&Pair, T) + Send + Sync + 'static>,
) {
    for (number, client) in (0..).zip(listener.incoming()) {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let noted = note();
        // A server that does not answer shows to the client as a connection closed at once.
        let Ok(server) = TcpStream::connect(shared.target) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let pair = Arc::new(Pair { client, server });
        lock(&shared.open).insert(number, Arc::clone(&pair));
        let (shared, carry) = (Arc::clone(shared), Arc::clone(carry));
        thread::spawn(move || {
            carry(&pair, noted);
            lock(&shared.open).remove(&number);
        });
    }
}
