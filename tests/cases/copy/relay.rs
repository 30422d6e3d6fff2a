//! What stands between a client and a server: bytes go through as they come, until the connection is cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Which way the bytes are counted that lead to a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// A running relay. Dropping it closes its connections.
pub(super) struct Relay {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    way: Way,
    /// A connection is cut when so many bytes have gone that way.
    after: u64,
    cuts_left: AtomicUsize,
    ended: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Cuts the first `cuts` connections through which `after` bytes have gone that way.
    pub(super) fn start(server: SocketAddr, way: Way, after: u64, cuts: usize) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            server,
            way,
            after,
            cuts_left: AtomicUsize::new(cuts),
            ended: AtomicBool::new(false),
            sockets: Mutex::default(),
        });
        let inner = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            let mut threads = Vec::new();
            for client in listener.incoming() {
                if inner.ended.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(client) = client else { continue };
                let inner = Arc::clone(&inner);
                threads.push(thread::spawn(move || pass(&inner, client).unwrap_or_default()));
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap_or_default());
        });
        Relay { addr, shared, accepting: Some(accepting) }
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn host(&self) -> String {
        self.addr.to_string()
    }

    /// How many connections are still to be cut.
    pub(super) fn cuts_left(&self) -> usize {
        self.shared.cuts_left.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.addr));
        for socket in self.shared.sockets.lock().expect("no panic so far").iter() {
            socket.shutdown(Shutdown::Both).unwrap_or_default();
        }
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap_or_default();
        }
    }
}

fn pass(shared: &Arc<Shared>, client: TcpStream) -> io::Result<()> {
    let server = TcpStream::connect(shared.server)?;
    shared.sockets.lock().expect("no panic so far").extend([client.try_clone()?, server.try_clone()?]);
    let (up_from, up_to) = (client.try_clone()?, server.try_clone()?);
    let inner = Arc::clone(shared);
    let up = thread::spawn(move || pump(&inner, Way::Up, up_from, up_to).unwrap_or_default());
    let down = pump(shared, Way::Down, server, client);
    up.join().unwrap_or_default();
    down
}

fn pump(shared: &Shared, way: Way, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let (mut buffer, mut passed) = (vec![0; 16 << 10], 0_u64);
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            // The other direction may have something to say yet.
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(&buffer[..count])?;
        passed += count as u64;
        if way == shared.way && passed >= shared.after && take(&shared.cuts_left) {
            from.shutdown(Shutdown::Both)?;
            return to.shutdown(Shutdown::Both);
        }
    }
}

fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
