//! A tiny blocking HTTP/1.1 client, to seed registries and to look at what they serve.
//!
//! One connection per request, nothing followed, nothing retried: it must be too simple to share a fault with the
//! client under test. Anything unexpected panics with what was asked and what came, which is what a test wants.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::image::{DOCKER_LIST, DOCKER_MANIFEST, Image, Index, OCI_INDEX, OCI_MANIFEST, sha256};

/// What a server answered.
#[derive(Clone, Debug)]
pub struct ClientResponse {
    /// The status code.
    pub status: u16,
    /// The headers as sent, in order.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl ClientResponse {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, for messages and for JSON.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client of one registry.
#[derive(Clone)]
pub struct Client {
    addr: String,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<String>,
}

impl Client {
    /// A plain-HTTP client of `addr`, which is `host:port` (an IPv6 host in brackets).
    pub fn new(addr: impl ToString) -> Client {
        Client { addr: addr.to_string(), tls: None, authorization: None }
    }

    /// The same, over TLS.
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Client {
        self.tls = Some(config);
        self
    }

    /// The same, with this `Authorization` header on every request.
    pub fn authorization(mut self, value: &str) -> Client {
        self.authorization = Some(value.into());
        self
    }

    /// The same, with Basic credentials on every request.
    pub fn basic(self, user: &str, password: &str) -> Client {
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        self.authorization(&value)
    }

    /// The same, with a Bearer token on every request.
    pub fn bearer(self, token: &str) -> Client {
        self.authorization(&format!("Bearer {token}"))
    }

    /// Sends one request and gives the answer; panics when there is none.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> ClientResponse {
        let reply = self.try_request(method, path, headers, body);
        reply.unwrap_or_else(|error| panic!("{method} {}{path}: {error}", self.addr))
    }

    /// Sends one request; an error when there is no connection or no whole answer (30 seconds of silence included).
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<ClientResponse> {
        let socket = TcpStream::connect(&self.addr)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        socket.set_nodelay(true)?;
        let message = self.message(method, path, headers, body);
        match &self.tls {
            None => exchange(socket, method, &message),
            Some(config) => {
                let host = self.addr.rsplit_once(':').map_or(self.addr.as_str(), |(host, _)| host);
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(invalid)?;
                let connection = ClientConnection::new(Arc::clone(config), name).map_err(invalid)?;
                exchange(StreamOwned::new(connection, socket), method, &message)
            }
        }
    }

    fn message(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.addr);
        if let Some(value) = &self.authorization {
            head += &format!("Authorization: {value}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut message = (head + "\r\n").into_bytes();
        message.extend_from_slice(body);
        message
    }

    /// Uploads a blob (POST, then PUT at the Location it names) and gives its digest.
    pub fn push_blob(&self, repo: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let start = self.request("POST", &format!("/v2/{repo}/blobs/uploads/"), &[], b"");
        assert_eq!(start.status, 202, "upload to {repo} refused: {}", start.text());
        let location = start.header("Location").unwrap_or_else(|| panic!("no Location from {}: {start:?}", self.addr));
        let path = path_of(location);
        let separator = if path.contains('?') { '&' } else { '?' };
        let put = format!("{path}{separator}digest={}", digest.replace(':', "%3A"));
        let finished = self.request("PUT", &put, &[("Content-Type", "application/octet-stream")], bytes);
        assert_eq!(finished.status, 201, "blob of {repo} refused: {}", finished.text());
        digest
    }

    /// Uploads an image's blobs, then its manifest under a tag or its digest; gives the digest.
    pub fn push_image(&self, repo: &str, reference: &str, image: &Image) -> String {
        for blob in image.blobs() {
            self.push_blob(repo, blob);
        }
        self.push_manifest(repo, reference, &image.media_type, &image.manifest)
    }

    /// Uploads the images and indexes that an index carries, each by digest, then the index; gives its digest.
    pub fn push_index(&self, repo: &str, reference: &str, index: &Index) -> String {
        for child in &index.indexes {
            self.push_index(repo, &child.digest(), child);
        }
        for image in &index.images {
            self.push_image(repo, &image.digest(), image);
        }
        self.push_manifest(repo, reference, &index.media_type, &index.manifest)
    }

    /// Uploads a manifest's bytes as they are; gives their digest.
    pub fn push_manifest(&self, repo: &str, reference: &str, media_type: &str, bytes: &[u8]) -> String {
        let path = format!("/v2/{repo}/manifests/{reference}");
        let reply = self.request("PUT", &path, &[("Content-Type", media_type)], bytes);
        assert_eq!(reply.status, 201, "manifest {repo} {reference} refused: {}", reply.text());
        sha256(bytes)
    }

    /// The Content-Type and bytes that are served for a tag or digest; panics when there are none.
    pub fn manifest(&self, repo: &str, reference: &str) -> (String, Vec<u8>) {
        self.find_manifest(repo, reference).unwrap_or_else(|| panic!("{} has no {repo} {reference}", self.addr))
    }

    /// The same, `None` when the registry answers 404.
    pub fn find_manifest(&self, repo: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let accept = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX].join(", ");
        let reply = self.request("GET", &format!("/v2/{repo}/manifests/{reference}"), &[("Accept", &accept)], b"");
        match reply.status {
            200 => Some((reply.header("Content-Type").unwrap_or_default().to_owned(), reply.body)),
            404 => None,
            status => panic!("{} answered {status} for {repo} {reference}: {}", self.addr, reply.text()),
        }
    }
}

/// The path and query of a Location, absolute or relative to the host.
fn path_of(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => location,
    }
}

fn exchange(mut stream: impl Read + Write, method: &str, message: &[u8]) -> io::Result<ClientResponse> {
    // A server may answer and close before it has read everything: its answer counts, not our broken pipe.
    let sent = stream.write_all(message).and_then(|()| stream.flush());
    let mut bytes = Vec::new();
    let received = read_to_end(&mut stream, &mut bytes);
    match parse(method, &bytes) {
        Err(_) if sent.is_err() => Err(sent.expect_err("just looked")),
        Err(_) if received.is_err() => Err(received.expect_err("just looked")),
        parsed => parsed,
    }
}

/// Reads until the server closes; a TLS connection closed without a goodbye is an end like any other.
fn read_to_end(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_to_end(bytes) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

fn parse(method: &str, mut bytes: &[u8]) -> io::Result<ClientResponse> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes).map_err(invalid)? else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed before a whole answer"));
        };
        let status = head.code.unwrap_or(0);
        bytes = &bytes[length..];
        if (100..200).contains(&status) {
            continue;
        }
        let text = |header: &httparse::Header<'_>| String::from_utf8_lossy(header.value).into_owned();
        let headers = head.headers.iter().map(|header| (header.name.to_owned(), text(header))).collect();
        let mut reply = ClientResponse { status, headers, body: Vec::new() };
        if method != "HEAD" && status != 204 && status != 304 {
            reply.body = body(&reply, bytes)?;
        }
        return Ok(reply);
    }
}

fn body(reply: &ClientResponse, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "the body is shorter than was said");
    if reply.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return dechunk(bytes).ok_or_else(short);
    }
    match reply.header("Content-Length").map(str::parse) {
        None => Ok(bytes.to_vec()),
        Some(length) => bytes.get(..length.map_err(invalid)?).map(<[u8]>::to_vec).ok_or_else(short),
    }
}

/// The chunks joined; `None` when one is cut short or the last is missing.
fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(bytes) {
        if size == 0 {
            return Some(body);
        }
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        body.extend_from_slice(bytes.get(start..end)?);
        bytes = bytes.get(end + 2..)?;
    }
    None
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_parsed_completely() {
        let reply =
            parse("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi");
        let reply = reply.unwrap();
        assert_eq!((reply.status, reply.header("x-a"), reply.text().as_str()), (200, Some("b"), "hi"));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse("GET", chunked).unwrap().body, b"abcd");
        assert!(parse("GET", &chunked[..chunked.len() - 8]).is_err());
        assert!(parse("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi").is_err());
        assert!(parse("GET", b"HTTP/1.1 200 OK\r\nConte").is_err());
        assert_eq!(parse("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").unwrap().body, b"");
    }

    #[test]
    fn locations_are_cut_to_their_path() {
        assert_eq!(path_of("http://h:1/v2/x?y=z"), "/v2/x?y=z");
        assert_eq!(path_of("/v2/x?y=z"), "/v2/x?y=z");
    }
}
