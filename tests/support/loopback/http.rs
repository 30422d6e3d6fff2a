//! The server's side of HTTP/1.1: heads, bodies and answers on one connection, plain or TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::generated_blob::GeneratedBody;

const HEAD_BYTES_MAX: usize = 1 << 20;

/// A request line with its headers.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) keep_alive: bool,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Every value of a query parameter, decoded.
    pub(crate) fn query(&self, name: &str) -> Vec<String> {
        self.target.split_once('?').map_or_else(Vec::new, |(_, query)| form_values(query, name))
    }

    pub(crate) fn wants_continue(&self) -> bool {
        self.header("Expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}

/// A request with its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    /// The body; empty for one that went into an upload as it came, or was not wanted.
    pub(crate) body: Vec<u8>,
    /// Whether the body went into the upload that the path names.
    pub(crate) is_body_in_upload: bool,
}

/// An answer, not yet sent.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Stands in for the body where it is too large to be held.
    pub(crate) generated: Option<GeneratedBody>,
}

impl Response {
    pub(crate) fn new(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new(), generated: None }
    }

    /// Bytes of the body.
    pub(crate) fn length(&self) -> u64 {
        self.generated.as_ref().map_or(self.body.len() as u64, GeneratedBody::length)
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn body(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Response {
        self.set("Content-Type", media_type);
        self.body = bytes.into();
        self
    }

    pub(crate) fn json(self, value: &Value) -> Response {
        self.body("application/json", format!("{value}\n"))
    }

    /// One error in the form of the distribution spec.
    pub(crate) fn error(status: u16, code: &str, message: &str, detail: Value) -> Response {
        Response::new(status).json(&json!({"errors": [{"code": code, "message": message, "detail": detail}]}))
    }

    /// Replaces a header, or adds it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.headers.push((name.into(), value.into()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// The status line and headers, with whatever says how long the body is; ends in the empty line.
    pub(crate) fn head_bytes(&self, framing: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        format!("{head}{framing}\r\n").into_bytes()
    }

    /// The framing line of a body of known length; 204 and 304 have none.
    pub(crate) fn content_length(&self) -> String {
        match self.status {
            204 | 304 => String::new(),
            _ => format!("Content-Length: {}\r\n", self.length()),
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        300..400 => "Redirect",
        _ => "Scripted",
    }
}

/// The bytes of a connection, plain or inside TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// One accepted connection.
pub(crate) struct Connection {
    stream: Stream,
    unread: Vec<u8>,
    /// Counted from 1 over the life of the log that it is recorded in.
    pub(crate) number: usize,
    /// The port that it came in by.
    pub(crate) port: u16,
}

impl Connection {
    pub(crate) fn new(stream: Stream, number: usize, port: u16) -> Connection {
        Connection { stream, unread: Vec::new(), number, port }
    }

    /// The next request's head; `None` when the client is done or speaks no HTTP. Like Go's server it tells the latter
    /// so, in plain HTTP: this is how a client that tried TLS learns that there is none.
    pub(crate) fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            match parse_head(&self.unread) {
                Ok(None) => {}
                Ok(Some((head, length))) => {
                    self.unread.drain(..length);
                    return Ok(Some(head));
                }
                Err(error) => {
                    let framing = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";
                    self.send(format!("HTTP/1.1 400 Bad Request\r\n{framing}").as_bytes())?;
                    return Err(error);
                }
            }
            if self.unread.len() > HEAD_BYTES_MAX || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Hands on the body that belongs to `head` as it comes, at most `limit` bytes of it; an error when the client
    /// stops short of it.
    pub(crate) fn read_body(&mut self, head: &Head, limit: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        if head.wants_continue() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if head.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks(limit, take);
        }
        let length: u64 = head.header("Content-Length").map_or(Ok(0), str::parse).map_err(invalid)?;
        self.pass(length.min(limit), &mut take)
    }

    fn read_chunks(&mut self, mut limit: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            match httparse::parse_chunk_size(&self.unread) {
                Ok(httparse::Status::Complete((start, size))) => {
                    self.unread.drain(..start);
                    self.pass(size.min(limit), &mut take)?;
                    if size > limit {
                        return Ok(());
                    }
                    limit -= size;
                    // The line end after a chunk; after the last, the empty line that stands for no trailers.
                    self.pass(2, &mut |_| {})?;
                    if size == 0 {
                        return Ok(());
                    }
                }
                Ok(httparse::Status::Partial) if self.fill()? => {}
                _ => return Err(invalid("a chunk that is none")),
            }
        }
    }

    fn pass(&mut self, mut length: u64, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while length > 0 {
            if self.unread.is_empty() && !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let some = usize::try_from(length).unwrap_or(usize::MAX).min(self.unread.len());
            take(&self.unread[..some]);
            self.unread.drain(..some);
            length -= some as u64;
        }
        Ok(())
    }

    /// Reads what there is; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 64 << 10];
        let length = self.stream.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..length]);
        Ok(length > 0)
    }

    /// Sends an answer whole, but for the body where the request was a HEAD.
    pub(crate) fn respond(&mut self, head: &Head, response: &Response) -> io::Result<()> {
        let mut bytes = response.head_bytes(&response.content_length());
        if response.generated.is_none() && head.method != "HEAD" && !matches!(response.status, 204 | 304) {
            bytes.extend_from_slice(&response.body);
            return self.send(&bytes);
        }
        self.send(&bytes)?;
        self.send_body(head, response, u64::MAX)
    }

    /// Sends the first `limit` bytes of an answer's body, or nothing where the answer to this request has none.
    pub(crate) fn send_body(&mut self, head: &Head, response: &Response, limit: u64) -> io::Result<()> {
        if head.method == "HEAD" || matches!(response.status, 204 | 304) {
            return Ok(());
        }
        match &response.generated {
            Some(generated) => generated.for_each_piece(limit, |piece| self.send(piece)),
            None => {
                let length = usize::try_from(limit).unwrap_or(usize::MAX).min(response.body.len());
                self.send(&response.body[..length])
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Ends the connection politely, with TLS's goodbye.
    pub(crate) fn close(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            // The client may be gone already; there is nobody to tell.
            stream.flush().ok();
        }
        self.cut();
    }

    /// Ends the connection without a word.
    pub(crate) fn cut(&mut self) {
        // Already closed by the other side is as good.
        self.socket().shutdown(Shutdown::Both).ok();
    }

    /// Has the kernel reset the connection when its last handle is closed, rather than end it in order.
    pub(crate) fn reset_at_end(&self) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO))?)
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).map_err(invalid)? else { return Ok(None) };
    let text = |header: &httparse::Header<'_>| String::from_utf8_lossy(header.value).into_owned();
    let mut head = Head {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed.headers.iter().map(|header| (header.name.to_owned(), text(header))).collect(),
        keep_alive: parsed.version == Some(1),
    };
    if head.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        head.keep_alive = false;
    }
    Ok(Some((head, length)))
}

/// Every value of `name` in `a=b&c=d`, decoded.
pub(crate) fn form_values(form: &str, name: &str) -> Vec<String> {
    let pairs = form.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).collect()
}

/// Undoes form encoding: `%XX` and `+`.
fn decode(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                decoded.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            other => decoded.push(other),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
