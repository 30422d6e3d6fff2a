//! Faults, scripted by rule: behaviour that no correct registry has.

use std::io;

use super::gate::HeldRequest;
use super::http::{Connection, Head, Response};
use super::serve::AfterResponse;

/// What goes wrong with a request. Those that say nothing else alter the right answer, so the request has its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, body and these headers instead of doing anything.
    Status(u16, String, Vec<(String, String)>),
    /// The connection is cut once the head was read, before the body is; nothing is done.
    CutBeforeBody,
    /// The connection is cut once the whole request was read; nothing is done.
    CutAfterBody,
    /// The connection is reset (TCP RST) once the head was read; nothing is done.
    ResetBeforeBody,
    /// The connection is reset once the whole request was read; nothing is done.
    ResetAfterBody,
    /// The connection is cut in place of the answer, after the request had its effect.
    CutAfterEffect,
    /// The connection is cut once so many bytes of the request's body were read, or all of them where there are no
    /// more. What was read of an upload stays in it; nothing else is done.
    CutRequestAfter(u64),
    /// Content-Length is right but only the first so many bytes of the body are sent, then the connection is cut.
    ShortBody(usize),
    /// Content-Length says so many bytes more than there are, after which the connection is cut.
    LongLength(u64),
    /// Content-Length says so many bytes fewer than there are; the rest follows all the same, and the connection
    /// stays.
    ShortLength(u64),
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
    /// The answer is sent byte by byte, as many as `Registry::drip` has let through since the request came; the rest
    /// at `Registry::release`, or never if the registry is dropped first.
    Drip,
    /// The head and so many bytes of the body are sent; the rest at `Registry::release`, or never if the registry is
    /// dropped first.
    StallAfter(u64),
    /// The answer is sent at once but in pieces of a single byte.
    ByteByByte,
    /// Every token given out so far expires just before this request is looked at.
    ExpireTokens,
    /// The body is gzipped, with `Content-Encoding: gzip`, though nobody asked for it.
    UnrequestedGzip,
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

    /// Redirects to the very same address, for ever.
    pub fn redirect_loop() -> Fault {
        Fault::Redirect { status: 307, location: "{path}".into() }
    }

    /// Redirects to the same path at another server, `http://127.0.0.1:PORT` for instance.
    pub fn redirect_to(url: &str) -> Fault {
        Fault::Redirect { status: 307, location: format!("{url}{{path}}") }
    }

    /// One of every kind, but for those that redirect elsewhere. Those that [stall](Fault::stalls) come last.
    pub fn all() -> Vec<Fault> {
        let retry = |status| Fault::Status(status, String::new(), vec![("Retry-After".into(), "0".into())]);
        let mut all: Vec<Fault> = [400, 401, 403, 404, 405, 408, 500, 502, 504].map(Fault::status).into();
        all.extend([429, 503].map(retry));
        all.extend([
            Fault::CutBeforeBody,
            Fault::CutAfterBody,
            Fault::ResetBeforeBody,
            Fault::ResetAfterBody,
            Fault::CutAfterEffect,
            Fault::CutRequestAfter(20),
            Fault::ShortBody(10),
            Fault::LongLength(3),
            Fault::ShortLength(3),
            Fault::TruncatedChunk,
            Fault::WrongDigestHeader,
            Fault::NoDigestHeader,
            Fault::CorruptBody,
            Fault::ContentType("text/plain".into()),
            Fault::Html200,
            Fault::redirect_loop(),
            Fault::ByteByByte,
            Fault::ExpireTokens,
            Fault::UnrequestedGzip,
            Fault::HugeHeaders,
            Fault::EndlessBody,
            Fault::StaleClose,
            Fault::EarlyFinal401,
            Fault::Hang,
            Fault::Drip,
            Fault::StallAfter(5),
        ]);
        all
    }

    /// Whether the answer comes only when the test lets it, so that a client without it has to give up by itself.
    pub fn stalls(&self) -> bool {
        matches!(self, Fault::Hang | Fault::Drip | Fault::StallAfter(_))
    }

    /// Whether the request may do what it is for, and an upload take its body.
    pub(crate) fn has_effect(&self) -> bool {
        let replacement = matches!(self, Fault::Status(..) | Fault::Html200 | Fault::Redirect { .. });
        let ended = matches!(self, Fault::CutBeforeBody | Fault::CutAfterBody);
        let reset = matches!(self, Fault::ResetBeforeBody | Fault::ResetAfterBody);
        !replacement && !ended && !reset && *self != Fault::EarlyFinal401
    }

    /// Bytes of the body that are read.
    pub(crate) fn body_bytes_read(&self) -> u64 {
        if let Fault::CutRequestAfter(bytes) = self { *bytes } else { u64::MAX }
    }

    /// The answer that stands in for doing anything, where the fault has one.
    pub(crate) fn replacement(&self, head: &Head) -> Option<Response> {
        match self {
            Fault::Status(status, body, headers) => {
                let mut response = Response::new(*status).body("application/json", body.as_bytes());
                for (name, value) in headers {
                    response.set(name, value);
                }
                Some(response)
            }
            Fault::Html200 => Some(web_page()),
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
            Fault::CorruptBody => match &mut response.generated {
                Some(generated) => generated.corrupt = true,
                None => corrupt(&mut response.body),
            },
            Fault::ContentType(media_type) => response.set("Content-Type", media_type),
            Fault::UnrequestedGzip => {
                response.body = gzip_stored(&response.body);
                response.set("Content-Encoding", "gzip");
            }
            _ => {}
        }
    }

    /// Sends the answer as this fault has it.
    pub(crate) fn send(
        &self,
        connection: &mut Connection,
        head: &Head,
        response: &Response,
        held: &HeldRequest<'_>,
    ) -> io::Result<AfterResponse> {
        let length = response.length();
        let right_head = || response.head_bytes(&response.content_length());
        let lying_head = |length: u64| response.head_bytes(&format!("Content-Length: {length}\r\n"));
        match self {
            Fault::ShortBody(bytes) => {
                connection.send(&right_head())?;
                connection.send_body(head, response, *bytes as u64)?;
            }
            Fault::LongLength(more) => {
                connection.send(&lying_head(length + more))?;
                connection.send_body(head, response, u64::MAX)?;
            }
            Fault::ShortLength(fewer) => {
                connection.send(&lying_head(length.saturating_sub(*fewer)))?;
                connection.send_body(head, response, u64::MAX)?;
                return Ok(if head.keep_alive { AfterResponse::KeepAlive } else { AfterResponse::Close });
            }
            Fault::TruncatedChunk => {
                let framing = format!("Transfer-Encoding: chunked\r\n\r\n{:x}", length.max(2));
                connection.send(&response.head_bytes(&framing))?;
                connection.send_body(head, response, length / 2)?;
            }
            Fault::HugeHeaders => {
                let line = format!("X-Padding: {}\r\n", "x".repeat(1000));
                let framing = line.repeat(10_000) + &response.content_length();
                connection.send(&response.head_bytes(&framing))?;
                connection.send_body(head, response, u64::MAX)?;
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
                return Ok(AfterResponse::Close);
            }
            Fault::Drip | Fault::StallAfter(_) | Fault::ByteByByte => {
                return self.send_slowly(connection, head, response, held);
            }
            _ => return send_unaltered(connection, head, response),
        }
        connection.cut();
        Ok(AfterResponse::Close)
    }

    fn send_slowly(
        &self,
        connection: &mut Connection,
        head: &Head,
        response: &Response,
        held: &HeldRequest<'_>,
    ) -> io::Result<AfterResponse> {
        let head_bytes = response.head_bytes(&response.content_length());
        let start = if let Fault::StallAfter(bytes) = self { head_bytes.len() as u64 + bytes } else { 0 };
        let mut sent: u64 = 0;
        let mut send = |piece: &[u8]| {
            for byte in piece {
                let may = match self {
                    Fault::Drip => held.wait_to_drip(sent),
                    Fault::StallAfter(_) => sent < start || held.wait(),
                    _ => true,
                };
                if !may {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                connection.send(&[*byte])?;
                sent += 1;
            }
            Ok(())
        };
        send(&head_bytes)?;
        if head.method != "HEAD" && !matches!(response.status, 204 | 304) {
            match &response.generated {
                Some(generated) => generated.for_each_piece(u64::MAX, &mut send)?,
                None => send(&response.body)?,
            }
        }
        Ok(if head.keep_alive { AfterResponse::KeepAlive } else { AfterResponse::Close })
    }
}

/// The page of a captive portal.
pub(crate) fn web_page() -> Response {
    let page = "<!DOCTYPE html>\n<html><body>Please sign in to this network.</body></html>\n";
    Response::new(200).body("text/html; charset=utf-8", page)
}

/// Sends an answer as it should be sent.
pub(crate) fn send_unaltered(
    connection: &mut Connection,
    head: &Head,
    response: &Response,
) -> io::Result<AfterResponse> {
    connection.respond(head, response)?;
    Ok(if head.keep_alive { AfterResponse::KeepAlive } else { AfterResponse::Close })
}

fn corrupt(body: &mut [u8]) {
    let middle = body.len() / 2;
    let at = body.iter().rposition(u8::is_ascii_digit).unwrap_or(middle);
    if let Some(byte) = body.get_mut(at) {
        *byte ^= 1;
    }
}

/// A gzip member whose deflate blocks are stored, so that no compressor is needed (RFC 1952, RFC 1951 3.2.4).
pub fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in bytes.chunks(0xffff) {
        let length = u16::try_from(block.len()).expect("a chunk is at most 65535 long");
        gzip.push(0);
        gzip.extend(length.to_le_bytes());
        gzip.extend((!length).to_le_bytes());
        gzip.extend(block);
    }
    gzip.extend([1, 0, 0, 0xff, 0xff]);
    gzip.extend(crc32(bytes).to_le_bytes());
    // The length field is defined modulo 2^32.
    gzip.extend((bytes.len() as u32).to_le_bytes());
    gzip
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
