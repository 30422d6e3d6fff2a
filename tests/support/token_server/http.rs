//! As much of HTTP/1.1 as a token server needs: a query, a form, Basic credentials, connections that stay open.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// A request's parts.
pub(super) struct HttpRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl HttpRequest {
    /// A header's value; `name` in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer, always JSON.
pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Answers the requests of one connection until it closes or has been silent for half a minute.
pub(super) fn serve(socket: TcpStream, tls: Option<Arc<ServerConfig>>, answer: impl Fn(&HttpRequest) -> HttpResponse) {
    let _ = socket.set_read_timeout(Some(Duration::from_secs(30)));
    let _ = socket.set_nodelay(true);
    match tls.map(ServerConnection::new) {
        None => answer_all(socket, answer),
        Some(Ok(connection)) => answer_all(StreamOwned::new(connection, socket), answer),
        Some(Err(_)) => {}
    }
}

fn answer_all(mut stream: impl Read + Write, answer: impl Fn(&HttpRequest) -> HttpResponse) {
    let mut pending = Vec::new();
    while let Ok(Some(request)) = receive(&mut stream, &mut pending) {
        let HttpResponse { status, body } = answer(&request);
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            if status == 200 { "OK" } else { "Refused" },
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// The next request; None at the end of the connection. What was read past it stays in `pending`.
fn receive(stream: &mut impl Read, pending: &mut Vec<u8>) -> io::Result<Option<HttpRequest>> {
    loop {
        if let Some((request, length)) = parse(pending)? {
            pending.drain(..length);
            return Ok(Some(request));
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => pending.extend_from_slice(&chunk[..read]),
        }
    }
}

/// A whole request and its length; None where more has to be read.
fn parse(bytes: &[u8]) -> io::Result<Option<(HttpRequest, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let end = head + length.unwrap_or(0);
    let Some(body) = bytes.get(head..end) else { return Ok(None) };
    let (path, query) = request.path.unwrap_or("/").split_once('?').unwrap_or((request.path.unwrap_or("/"), ""));
    let request = HttpRequest {
        method: request.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: pairs(query),
        headers,
        body: body.to_vec(),
    };
    Ok(Some((request, end)))
}

/// The pairs of a query or a form, decoded.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(key), decode(value))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match (first, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
