//! A TCP proxy, the common part of [`crate::latency_link`] and [`crate::relay`]: it connects to a server for each
//! accepted connection, and closes all of them when it is dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// How much is read at once, in bytes.
pub(crate) const CHUNK_SIZE: usize = 64 * 1024;

/// The two sockets of one connection.
#[derive(Debug)]
pub(crate) struct SocketPair {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
}

impl SocketPair {
    pub(crate) fn close(&self) {
        // A side that is gone already is as good.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// A running listener; dropping it ends every connection that goes through it.
#[derive(Debug)]
pub struct TcpProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accept_thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    stopping: AtomicBool,
    /// The open connections, to be closed at the end; each takes itself out when it is over.
    open: Mutex<BTreeMap<u64, Arc<SocketPair>>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TcpProxy {
    /// Listens on a free port of 127.0.0.1. One thread calls `on_accept` for each connection. `forward` gets its
    /// result, and forwards the connection until it ends.
    pub(crate) fn start<T: Send + 'static>(
        target: SocketAddr,
        on_accept: impl Fn() -> T + Send + 'static,
        forward: impl Fn(&SocketPair, T) + Send + Sync + 'static,
    ) -> io::Result<TcpProxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared { target, stopping: AtomicBool::new(false), open: Mutex::default() });
        let accepting = Arc::clone(&shared);
        let accept_thread = thread::spawn(move || accept(&listener, &accepting, &on_accept, &Arc::new(forward)));
        Ok(TcpProxy { addr, shared, accept_thread: Some(accept_thread) })
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
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // A connection wakes the accepting thread.
        drop(TcpStream::connect(self.addr));
        if let Some(accept_thread) = self.accept_thread.take() {
            let _ = accept_thread.join();
        }
        for pair in lock(&self.shared.open).values() {
            pair.close();
        }
    }
}

fn accept<T: Send + 'static>(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    on_accept: &impl Fn() -> T,
    forward: &Arc<impl Fn(&SocketPair, T) + Send + Sync + 'static>,
) {
    for (number, client) in (0..).zip(listener.incoming()) {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let accepted = on_accept();
        // A server that does not answer shows to the client as a connection closed at once.
        let Ok(server) = TcpStream::connect(shared.target) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let pair = Arc::new(SocketPair { client, server });
        lock(&shared.open).insert(number, Arc::clone(&pair));
        let (shared, forward) = (Arc::clone(shared), Arc::clone(forward));
        thread::spawn(move || {
            forward(&pair, accepted);
            lock(&shared.open).remove(&number);
        });
    }
}
