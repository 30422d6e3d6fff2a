//! A listener on a free loopback port and a thread per connection, all ended when it is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::{Connection, Head, Stream};
use super::lock;
use super::record::RequestLog;

/// Whether the connection lives on after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterResponse {
    KeepAlive,
    Close,
    /// Ended with a TCP reset.
    Reset,
}

/// What answers a request whose head was read; an error ends the connection without a word.
pub(crate) type Handler = dyn Fn(&mut Connection, Head) -> io::Result<AfterResponse> + Send + Sync;

/// A running listener.
pub(crate) struct Server {
    addr: SocketAddr,
    inner: Arc<Inner>,
    accept_thread: Option<JoinHandle<()>>,
}

struct Inner {
    stopping: AtomicBool,
    open: Mutex<BTreeMap<usize, TcpStream>>,
    /// Connections by which a request has come.
    used: Mutex<BTreeSet<usize>>,
    /// How many connections are accepted at once.
    max_connections: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
    tls: Option<Arc<ServerConfig>>,
    log: Arc<RequestLog>,
    handler: Arc<Handler>,
}

impl Server {
    /// Serves what arrives at `listener`, over TLS where a configuration is given.
    pub(crate) fn start(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        max_connections: usize,
        log: Arc<RequestLog>,
        handler: Arc<Handler>,
    ) -> Server {
        let addr = listener.local_addr().expect("a bound listener has an address");
        let (stopping, open, threads) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let inner =
            Arc::new(Inner { stopping, open, used: Mutex::default(), max_connections, threads, tls, log, handler });
        let accepting = Arc::clone(&inner);
        let accept_thread = thread::spawn(move || accept(&accepting, &listener, addr.port()));
        Server { addr, inner, accept_thread: Some(accept_thread) }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends every connection by which no request has come, after these bytes; gives how many that were.
    pub(crate) fn close_unused_connections(&self, goodbye: &[u8]) -> usize {
        let (open, used) = (lock(&self.inner.open), lock(&self.inner.used));
        let mut unused: Vec<&TcpStream> =
            open.iter().filter(|(number, _)| !used.contains(number)).map(|(_, socket)| socket).collect();
        for socket in &mut unused {
            socket.write_all(goodbye).ok();
            socket.shutdown(Shutdown::Both).ok();
        }
        unused.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which waits in accept(); if it is past that, nobody needs waking.
        drop(TcpStream::connect(self.addr));
        if let Some(accept_thread) = self.accept_thread.take() {
            accept_thread.join().ok();
        }
        for socket in lock(&self.inner.open).values() {
            socket.shutdown(Shutdown::Both).ok();
        }
        let threads = std::mem::take(&mut *lock(&self.inner.threads));
        for thread in threads {
            thread.join().ok();
        }
    }
}

fn accept(inner: &Arc<Inner>, listener: &TcpListener, port: u16) {
    for socket in listener.incoming() {
        if inner.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(socket) = socket else { continue };
        let Ok(handle) = socket.try_clone() else { continue };
        let number = inner.log.record_connection(port);
        if lock(&inner.open).len() >= inner.max_connections {
            continue;
        }
        lock(&inner.open).insert(number, handle);
        let connection_inner = Arc::clone(inner);
        let thread = thread::spawn(move || {
            // Errors of the client's connection are ignored; the log shows what was requested.
            serve_connection(&connection_inner, socket, number, port).ok();
            lock(&connection_inner.open).remove(&number);
        });
        let mut threads = lock(&inner.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }
}

fn serve_connection(inner: &Inner, socket: TcpStream, number: usize, port: u16) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let stream = match &inner.tls {
        None => Stream::Plain(socket),
        Some(_) if speaks_plain_http(&socket)? => {
            return refuse_plain_http(Connection::new(Stream::Plain(socket), 0, port));
        }
        Some(config) => {
            let mut socket = socket;
            let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            while connection.is_handshaking() {
                connection.complete_io(&mut socket)?;
            }
            inner.log.record_handshake(port);
            Stream::Tls(Box::new(StreamOwned::new(connection, socket)))
        }
    };
    let mut connection = Connection::new(stream, number, port);
    while let Some(head) = connection.read_head()? {
        lock(&inner.used).insert(number);
        match (inner.handler)(&mut connection, head)? {
            AfterResponse::KeepAlive => {}
            AfterResponse::Close => break,
            // No close_notify is sent. Closing the last handle sends the reset.
            AfterResponse::Reset => return connection.reset_at_end(),
        }
    }
    connection.close();
    Ok(())
}

/// Whether the first byte is a letter, as of a method, and not that of a TLS record.
fn speaks_plain_http(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(socket.peek(&mut first)? == 1 && first[0].is_ascii_uppercase())
}

/// Says what Go's server says to plain HTTP on a TLS port.
fn refuse_plain_http(mut connection: Connection) -> io::Result<()> {
    connection.read_head()?;
    connection.send(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
}
