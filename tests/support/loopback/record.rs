//! The record of a loopback server: connections and requests in the order of their arrival.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::http::{Connection, Head};
use super::lock;

const RECORDED_BODY_MAX: usize = 1 << 20;

/// One request as it arrived, and what was answered.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The path with its query, as sent.
    pub target: String,
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

impl RecordedRequest {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether this asked for a token.
    pub fn is_token_request(&self) -> bool {
        self.target.starts_with("/token")
    }

    /// `METHOD target status`: one line that a test can compare.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.method, self.target, self.status)
    }
}

#[derive(Default)]
struct Records {
    requests: Vec<RecordedRequest>,
    arrived: usize,
    /// Over the server's life.
    connections_total: usize,
    /// Since the record was cleared: the port of each connection, and of each TLS handshake that was done.
    accepted: Vec<u16>,
    handshakes: Vec<u16>,
}

/// The record of one server, or of several that share it.
#[derive(Default)]
pub(crate) struct RequestLog {
    records: Mutex<Records>,
    changed: Condvar,
}

impl RequestLog {
    /// Counts a connection and gives its number.
    pub(crate) fn record_connection(&self, port: u16) -> usize {
        let mut records = lock(&self.records);
        records.connections_total += 1;
        records.accepted.push(port);
        self.changed.notify_all();
        records.connections_total
    }

    /// A TLS handshake is done.
    pub(crate) fn record_handshake(&self, port: u16) {
        lock(&self.records).handshakes.push(port);
        self.changed.notify_all();
    }

    /// Records a request whose head has arrived; the number given stands for it below.
    pub(crate) fn record_arrival(&self, head: &Head, connection: &Connection) -> usize {
        let mut records = lock(&self.records);
        records.arrived += 1;
        let serial = records.arrived;
        records.requests.push(RecordedRequest {
            method: head.method.clone(),
            target: head.target.clone(),
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
    pub(crate) fn record_body(&self, serial: usize, bytes: &[u8]) {
        self.update(serial, |request| {
            request.body_len += bytes.len();
            if request.body_len <= RECORDED_BODY_MAX {
                request.body.extend_from_slice(bytes);
            } else {
                request.body = Vec::new();
            }
        });
    }

    /// To be called before the answer is sent, so that whoever has the answer finds it recorded.
    pub(crate) fn record_status(&self, serial: usize, status: u16) {
        self.update(serial, |request| request.status = status);
    }

    fn update(&self, serial: usize, change: impl FnOnce(&mut RecordedRequest)) {
        if let Some(request) = lock(&self.records).requests.iter_mut().rev().find(|request| request.serial == serial) {
            change(request);
        }
        self.changed.notify_all();
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.records).requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.records).accepted.len()
    }

    pub(crate) fn connections_to(&self, port: u16) -> usize {
        lock(&self.records).accepted.iter().filter(|accepted| **accepted == port).count()
    }

    pub(crate) fn handshakes_with(&self, port: u16) -> usize {
        lock(&self.records).handshakes.iter().filter(|secured| **secured == port).count()
    }

    pub(crate) fn clear(&self) {
        let mut records = lock(&self.records);
        records.requests.clear();
        records.accepted.clear();
        records.handshakes.clear();
    }

    /// Blocks until so many connections to this port were accepted, and so many TLS handshakes done with it; panics
    /// after a minute.
    pub(crate) fn wait_for_connections(&self, port: u16, connections: usize, handshakes: usize) {
        let count = |ports: &[u16]| ports.iter().filter(|found| **found == port).count();
        let waiting =
            |records: &mut Records| count(&records.accepted) < connections || count(&records.handshakes) < handshakes;
        let records = lock(&self.records);
        let (records, result) = self
            .changed
            .wait_timeout_while(records, Duration::from_secs(60), waiting)
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let found = (count(&records.accepted), count(&records.handshakes));
        drop(records);
        assert!(!result.timed_out(), "waited a minute for {connections} and {handshakes}, found {found:?}");
    }

    /// Blocks until the requests recorded satisfy `condition`; panics after a minute, when the test has failed anyway.
    pub(crate) fn wait_until(&self, condition: impl Fn(&[RecordedRequest]) -> bool) {
        let records = lock(&self.records);
        let waiting = |records: &mut Records| !condition(&records.requests);
        let (records, result) = self
            .changed
            .wait_timeout_while(records, Duration::from_secs(60), waiting)
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let lines: Vec<String> = records.requests.iter().map(RecordedRequest::line).collect();
        drop(records);
        assert!(!result.timed_out(), "waited a minute for requests that did not come; these did: {lines:#?}");
    }
}
