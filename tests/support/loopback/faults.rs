//! Faults, scripted by rule: what a well-behaved registry never does.

use std::io;
use std::sync::{Condvar, Mutex};

use super::http::{Connection, Head, Response};
use super::lock;
use super::serve::Next;

/// What goes wrong with a request. Those that say nothing else alter the right answer, so the request has its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, body and these headers instead of doing anything.
    Status(u16, String, Vec<(String, String)>),
    /// The connection is cut once the head was read, before the body is; nothing is done.
    CloseBeforeRead,
    /// The connection is cut once the whole request was read; nothing is done.
    CloseAfterRead,
    /// The connection is cut in place of the answer, after the request had its effect.
    CloseAfterEffect,
    /// Content-Length is right but only the first so many bytes of the body are sent, then the connection is cut.
    ShortBody(usize),
    /// The body comes in chunks, and the connection is cut in the middle of one.
    TruncatedChunk,
    /// `Docker-Content-Digest` names other bytes.
    WrongDigestHeader,
    /// No `Docker-Content-Digest`.
    NoDigestHeader,
    /// One byte of the body differs; a digit is chosen where there is one, so that JSON stays JSON.
    CorruptBody,
    /// Another Content-Type.
    ContentType(String),
    /// 200 with a web page, whatever was asked; nothing is done.
    Html200,
    /// A redirect; `{path}` in the location becomes the request's path and query. Nothing is done.
    Redirect {
        /// The status: 301, 302, 303, 307 or 308.
        status: u16,
        /// The Location header.
        location: String,
    },
    /// The answer is held back until `Registry::release`, and never sent if the registry is dropped first.
    Hang,
    /// The body is gzipped, with `Content-Encoding: gzip`, though nobody asked for it.
    GzipUnasked,
    /// Ten megabytes of headers before the body.
    HugeHeaders,
    /// A body that goes on until the client hangs up.
    EndlessBody,
    /// The right answer; then the idle connection is closed, without a `Connection: close` to warn of it.
    StaleClose,
    /// 401 with a challenge before the body is read, then the connection is cut; nothing is done.
    EarlyFinal401,
}

impl Fault {
    /// [`Fault::Status`] with an empty body and no headers.
    pub fn status(status: u16) -> Fault {
        Fault::Status(status, String::new(), Vec::new())
    }

    /// The answer that stands in for doing anything, where the fault has one.
    pub(crate) fn instead(&self, head: &Head) -> Option<Response> {
        match self {
            Fault::Status(status, body, headers) => {
                let mut response = Response::new(*status).body("application/json", body.as_bytes());
                for (name, value) in headers {
                    response.set(name, value);
                }
                Some(response)
            }
            Fault::Html200 => {
                let page = "<!DOCTYPE html>\n<html><body>Please sign in to this network.</body></html>\n";
                Some(Response::new(200).body("text/html; charset=utf-8", page))
            }
            Fault::Redirect { status, location } => {
                Some(Response::new(*status).header("Location", location.replace("{path}", &head.target)))
            }
            _ => None,
        }
    }

    /// Changes the right answer into the wrong one.
    pub(crate) fn alter(&self, response: &mut Response) {
        const DIGEST: &str = "Docker-Content-Digest";
        match self {
            Fault::WrongDigestHeader => response.set(DIGEST, &format!("sha256:{}", "0".repeat(64))),
            Fault::NoDigestHeader => response.unset(DIGEST),
            Fault::CorruptBody => corrupt(&mut response.body),
            Fault::ContentType(media_type) => response.set("Content-Type", media_type),
            Fault::GzipUnasked => {
                response.body = gzip_stored(&response.body);
                response.set("Content-Encoding", "gzip");
            }
            _ => {}
        }
    }

    /// Sends the answer as this fault has it.
    pub(crate) fn send(&self, connection: &mut Connection, head: &Head, response: &Response) -> io::Result<Next> {
        match self {
            Fault::ShortBody(length) => {
                let mut bytes = response.head_bytes(&response.content_length());
                bytes.extend(response.body.iter().take(*length));
                connection.send(&bytes)?;
            }
            Fault::TruncatedChunk => {
                let mut bytes = response.head_bytes("Transfer-Encoding: chunked\r\n");
                let length = response.body.len();
                bytes.extend_from_slice(format!("{:x}\r\n", length.max(2)).as_bytes());
                bytes.extend(response.body.iter().take(length / 2));
                connection.send(&bytes)?;
            }
            Fault::HugeHeaders => {
                let line = format!("X-Padding: {}\r\n", "x".repeat(1000));
                let framing = line.repeat(10_000) + &response.content_length();
                connection.send(&response.head_bytes(&framing))?;
                connection.send(&response.body)?;
            }
            Fault::EndlessBody => {
                connection.send(&response.head_bytes("Transfer-Encoding: chunked\r\n"))?;
                let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
                loop {
                    connection.send(chunk.as_bytes())?;
                }
            }
            Fault::StaleClose => {
                connection.respond(head, response)?;
                return Ok(Next::Close);
            }
            _ => return send_right(connection, head, response),
        }
        connection.cut();
        Ok(Next::Close)
    }
}

/// Sends an answer as it should be sent.
pub(crate) fn send_right(connection: &mut Connection, head: &Head, response: &Response) -> io::Result<Next> {
    connection.respond(head, response)?;
    Ok(if head.keep_alive { Next::KeepAlive } else { Next::Close })
}

/// When a fault strikes: which requests, and which of those.
#[derive(Clone, Debug)]
pub struct Rule {
    method: Option<String>,
    path_contains: String,
    authorized: bool,
    first: usize,
    last: usize,
}

impl Rule {
    /// Requests of this method (`*` for all) whose path and query contain the text; every one of them, unless
    /// narrowed by the calls below.
    pub fn on(method: &str, path_contains: &str) -> Rule {
        let method = (method != "*").then(|| method.to_owned());
        Rule { method, path_contains: path_contains.into(), authorized: false, first: 1, last: usize::MAX }
    }

    /// Every request.
    pub fn any() -> Rule {
        Rule::on("*", "")
    }

    /// Only the n-th that matches, counted from 1.
    pub fn nth(mut self, n: usize) -> Rule {
        (self.first, self.last) = (n, n);
        self
    }

    /// The first n that match.
    pub fn times(mut self, n: usize) -> Rule {
        (self.first, self.last) = (1, n);
        self
    }

    /// All that match, which is also the default.
    pub fn always(mut self) -> Rule {
        (self.first, self.last) = (1, usize::MAX);
        self
    }

    /// Only those that bear an `Authorization` header match.
    pub fn authorized(mut self) -> Rule {
        self.authorized = true;
        self
    }

    fn matches(&self, head: &Head) -> bool {
        self.method.as_ref().is_none_or(|method| *method == head.method)
            && head.target.contains(&self.path_contains)
            && (!self.authorized || head.header("Authorization").is_some())
    }
}

struct Scripted {
    rule: Rule,
    fault: Fault,
    matched: usize,
}

/// The rules in force, and how often each has matched.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Scripted>>);

impl Faults {
    pub(crate) fn add(&self, rule: Rule, fault: Fault) {
        lock(&self.0).push(Scripted { rule, fault, matched: 0 });
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The fault of the first rule that strikes; every rule counts what it matches, struck or not.
    pub(crate) fn pick(&self, head: &Head) -> Option<Fault> {
        let mut picked = None;
        for scripted in lock(&self.0).iter_mut().filter(|scripted| scripted.rule.matches(head)) {
            scripted.matched += 1;
            let strikes = (scripted.rule.first..=scripted.rule.last).contains(&scripted.matched);
            if strikes && picked.is_none() {
                picked = Some(scripted.fault.clone());
            }
        }
        picked
    }
}

/// Where hanging requests wait.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    /// How often it was opened so far; to be asked before a request is announced to anybody.
    pub(crate) fn opened(&self) -> usize {
        lock(&self.state).0
    }

    /// Lets everything through that has waited since before this call.
    pub(crate) fn open(&self) {
        lock(&self.state).0 += 1;
        self.changed.notify_all();
    }

    /// Lets everything through for good, to its end.
    pub(crate) fn shut_down(&self) {
        lock(&self.state).1 = true;
        self.changed.notify_all();
    }

    /// Waits for an opening after `seen`; false when there will be none.
    pub(crate) fn wait(&self, seen: usize) -> bool {
        let state = lock(&self.state);
        let waiting = |state: &mut (usize, bool)| state.0 == seen && !state.1;
        let state = self.changed.wait_while(state, waiting).unwrap_or_else(|poisoned| poisoned.into_inner());
        !state.1
    }
}

fn corrupt(body: &mut [u8]) {
    let middle = body.len() / 2;
    let at = body.iter().rposition(u8::is_ascii_digit).unwrap_or(middle);
    if let Some(byte) = body.get_mut(at) {
        *byte ^= 1;
    }
}

/// A gzip member whose deflate blocks are stored, so that no compressor is needed (RFC 1952, RFC 1951 3.2.4).
fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in bytes.chunks(0xffff) {
        let length = u16::try_from(block.len()).expect("a chunk is at most 65535 long");
        out.push(0);
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend([1, 0, 0, 0xff, 0xff]);
    out.extend(crc32(bytes).to_le_bytes());
    // The length field is defined modulo 2^32.
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn corruption_keeps_json_and_changes_it() {
        let mut body = br#"{"digest":"sha256:ab9c"}"#.to_vec();
        corrupt(&mut body);
        assert_eq!(body, br#"{"digest":"sha256:ab8c"}"#);
    }
}
