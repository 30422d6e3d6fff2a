//! Finds the requests in what a client sends on one connection, however it is cut into chunks.

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, …
    pub method: String,
    /// The path and query as sent.
    pub target: String,
}

/// What a connection showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It opened with a TLS hello.
    TlsHello,
    /// A request's head is whole.
    Request(Request),
}

/// The first byte of a TLS handshake record (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// A longer head than this is none: Go, and so the registry, takes 1 MB.
const HEAD_BYTES_MAX: usize = 1 << 20;
const HEADERS_MAX: usize = 128;

/// Where in the stream the next byte stands.
#[derive(Debug)]
enum ParserState {
    /// Before or in a head.
    Head(Vec<u8>),
    /// So many bytes of a body still to come.
    Body(u64),
    /// In the line that gives a chunk's size.
    ChunkSize(Vec<u8>),
    /// So many bytes of a chunk and its line end still to come.
    Chunk(u64),
    /// In the lines after the last chunk.
    Trailer(Vec<u8>),
    /// No HTTP (any more): nothing is looked at.
    Opaque,
}

/// The reader of one connection.
#[derive(Debug)]
pub(super) struct RequestParser {
    state: ParserState,
    at_start: bool,
}

impl Default for RequestParser {
    fn default() -> Self {
        Self { state: ParserState::Head(Vec::new()), at_start: true }
    }
}

impl RequestParser {
    /// Takes the next bytes, and tells what they completed.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut emit: impl FnMut(Event)) {
        if self.at_start && bytes.first() == Some(&HANDSHAKE_RECORD) {
            self.state = ParserState::Opaque;
            emit(Event::TlsHello);
        }
        self.at_start &= bytes.is_empty();
        while let Some((&byte, rest)) = bytes.split_first() {
            match &mut self.state {
                ParserState::Opaque => return,
                ParserState::Body(left) | ParserState::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u64;
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        self.state = self.state.after_bytes();
                    }
                    continue;
                }
                ParserState::Head(line) | ParserState::ChunkSize(line) | ParserState::Trailer(line) => line.push(byte),
            }
            bytes = rest;
            if byte == b'\n' {
                self.end_of_line(&mut emit);
            }
        }
    }

    fn end_of_line(&mut self, emit: &mut impl FnMut(Event)) {
        let next = match &self.state {
            ParserState::Head(head) if head.ends_with(b"\r\n\r\n") => match parse(head) {
                Some((request, body)) => {
                    emit(Event::Request(request));
                    body
                }
                None => ParserState::Opaque,
            },
            ParserState::Head(head) if head.len() > HEAD_BYTES_MAX => ParserState::Opaque,
            // Servers take empty lines before a request (RFC 9112, section 2.2).
            ParserState::Head(head) if head == b"\r\n" => ParserState::Head(Vec::new()),
            ParserState::ChunkSize(line) => match httparse::parse_chunk_size(line) {
                Ok(httparse::Status::Complete((_, 0))) => ParserState::Trailer(Vec::new()),
                Ok(httparse::Status::Complete((_, size))) => ParserState::Chunk(size.saturating_add(2)),
                _ => ParserState::Opaque,
            },
            ParserState::Trailer(lines) if lines == b"\r\n" || lines.ends_with(b"\r\n\r\n") => {
                ParserState::Head(Vec::new())
            }
            _ => return,
        };
        self.state = next;
    }
}

impl ParserState {
    fn after_bytes(&self) -> ParserState {
        match self {
            ParserState::Chunk(_) => ParserState::ChunkSize(Vec::new()),
            _ => ParserState::Head(Vec::new()),
        }
    }
}

/// A head, and what follows it; `None` where it is no HTTP.
fn parse(head: &[u8]) -> Option<(Request, ParserState)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok()?;
    let found = Request { method: request.method?.to_owned(), target: request.path?.to_owned() };
    let header = |name: &str| {
        let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let state = match (header("Transfer-Encoding"), header("Content-Length")) {
        (Some(_), _) => ParserState::ChunkSize(Vec::new()),
        (None, Some(length)) => match length.trim().parse().ok()? {
            0 => ParserState::Head(Vec::new()),
            length => ParserState::Body(length),
        },
        (None, None) => ParserState::Head(Vec::new()),
    };
    Some((found, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n\
        PUT /v2/a/manifests/1?x=y HTTP/1.1\r\ncontent-length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\n..\
        PATCH /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n12;x=y\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\n\r\n\
        POST /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nA: b\r\n\r\n\
        \r\nHEAD /z HTTP/1.1\r\nContent-Length: 0\r\n\r\nDELETE /z HTTP/1.1\r\n\r\n";

    fn seen(stream: &[u8], step: usize) -> Vec<String> {
        let (mut parser, mut all) = (RequestParser::default(), Vec::new());
        for chunk in stream.chunks(step) {
            parser.feed(chunk, |seen| {
                all.push(match seen {
                    Event::TlsHello => "hello".to_owned(),
                    Event::Request(request) => format!("{} {}", request.method, request.target),
                });
            });
        }
        all
    }

    #[test]
    fn requests_are_found_and_bodies_are_not_however_the_stream_is_cut() {
        for step in 1..=STREAM.len() {
            assert_eq!(
                seen(STREAM.as_bytes(), step),
                ["GET /v2/", "PUT /v2/a/manifests/1?x=y", "PATCH /up", "POST /up", "HEAD /z", "DELETE /z"],
                "cut every {step} bytes"
            );
        }
    }

    #[test]
    fn a_hello_is_a_probe_and_nothing_in_it_a_request() {
        assert_eq!(seen(b"\x16\x03\x01GET / HTTP/1.1\r\n\r\n", 4), ["hello"]);
        // The same byte later in a stream is nothing.
        assert_eq!(seen(b"GET / HTTP/1.1\r\n\r\n\x16\x03", 18), ["GET /"]);
    }

    #[test]
    fn bytes_that_are_not_http_are_ignored() {
        assert!(seen(b"hello there\r\n\r\nGET / HTTP/1.1\r\n\r\n", 7).is_empty());
        let half = b"PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert!(seen(half, 5).is_empty());
    }
}
