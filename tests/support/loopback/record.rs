//! What a loopback server saw, in the order in which it arrived.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::http::{Connection, Head};
use super::lock;

const KEPT_BODY: usize = 1 << 20;

/// One request as it arrived, and what was answered.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with its query, as sent.
    pub path: String,
    /// The headers, in order, as sent.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body that were read so far (0 when a fault left it unread).
    pub body_len: usize,
    /// The body itself, as far as it is at most 1 MiB; else empty.
    pub body: Vec<u8>,
    /// The status answered; 0 when none was.
    pub status: u16,
    /// The connection that it came by, counted from 1 over the server's life.
    pub connection: usize,
    /// The port that it came by (a Bearer realm may have one of its own).
    pub port: u16,
    serial: usize,
}

impl Recorded {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether this asked for a token.
    pub fn is_token(&self) -> bool {
        self.path.starts_with("/token")
    }

    /// `METHOD path status`: one line that a test can compare.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.method, self.path, self.status)
    }
}

#[derive(Default)]
struct Seen {
    requests: Vec<Recorded>,
    arrived: usize,
    /// Over the server's life.
    connections: usize,
    /// Since the record was cleared: the port of each connection, and of each TLS handshake that was done.
    connected: Vec<u16>,
    secured: Vec<u16>,
}

/// The record of one server, or of several that share it.
#[derive(Default)]
pub(crate) struct Log {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Log {
    /// Counts a connection and gives its number.
    pub(crate) fn connected(&self, port: u16) -> usize {
        let mut seen = lock(&self.seen);
        seen.connections += 1;
        seen.connected.push(port);
        self.changed.notify_all();
        seen.connections
    }

    /// A TLS handshake is done.
    pub(crate) fn secured(&self, port: u16) {
        lock(&self.seen).secured.push(port);
        self.changed.notify_all();
    }

    /// Records a request whose head has arrived; the number given stands for it below.
    pub(crate) fn arrived(&self, head: &Head, connection: &Connection) -> usize {
        let mut seen = lock(&self.seen);
        seen.arrived += 1;
        let serial = seen.arrived;
        seen.requests.push(Recorded {
            method: head.method.clone(),
            path: head.target.clone(),
            headers: head.headers.clone(),
            body_len: 0,
            body: Vec::new(),
            status: 0,
            connection: connection.number,
            port: connection.port,
            serial,
        });
        self.changed.notify_all();
        serial
    }

    /// Some more of a request's body has come.
    pub(crate) fn read(&self, serial: usize, bytes: &[u8]) {
        self.update(serial, |request| {
            request.body_len += bytes.len();
            if request.body_len <= KEPT_BODY {
                request.body.extend_from_slice(bytes);
            } else {
                request.body = Vec::new();
            }
        });
    }

    /// To be called before the answer is sent, so that whoever has the answer finds it recorded.
    pub(crate) fn answering(&self, serial: usize, status: u16) {
        self.update(serial, |request| request.status = status);
    }

    fn update(&self, serial: usize, change: impl FnOnce(&mut Recorded)) {
        if let Some(request) = lock(&self.seen).requests.iter_mut().rev().find(|request| request.serial == serial) {
            change(request);
        }
        self.changed.notify_all();
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        lock(&self.seen).requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.seen).connected.len()
    }

    pub(crate) fn connections_to(&self, port: u16) -> usize {
        lock(&self.seen).connected.iter().filter(|connected| **connected == port).count()
    }

    pub(crate) fn handshakes_with(&self, port: u16) -> usize {
        lock(&self.seen).secured.iter().filter(|secured| **secured == port).count()
    }

    pub(crate) fn clear(&self) {
        let mut seen = lock(&self.seen);
        seen.requests.clear();
        seen.connected.clear();
        seen.secured.clear();
    }

    /// Blocks until so many connections to this port were accepted, and so many TLS handshakes done with it; panics
    /// after a minute.
    pub(crate) fn wait_for_connections(&self, port: u16, connections: usize, handshakes: usize) {
        let count = |ports: &[u16]| ports.iter().filter(|found| **found == port).count();
        let waiting = |seen: &mut Seen| count(&seen.connected) < connections || count(&seen.secured) < handshakes;
        let seen = lock(&self.seen);
        let (seen, result) = self
            .changed
            .wait_timeout_while(seen, Duration::from_secs(60), waiting)
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let found = (count(&seen.connected), count(&seen.secured));
        drop(seen);
        assert!(!result.timed_out(), "waited a minute for {connections} and {handshakes}, found {found:?}");
    }

    /// Blocks until the requests recorded satisfy `wanted`; panics after a minute, when the test has failed anyway.
    pub(crate) fn wait_until(&self, wanted: impl Fn(&[Recorded]) -> bool) {
        let seen = lock(&self.seen);
        let waiting = |seen: &mut Seen| !wanted(&seen.requests);
        let (seen, result) = self
            .changed
            .wait_timeout_while(seen, Duration::from_secs(60), waiting)
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let lines: Vec<String> = seen.requests.iter().map(Recorded::line).collect();
        drop(seen);
        assert!(!result.timed_out(), "waited a minute for requests that did not come; these did: {lines:#?}");
    }
}
