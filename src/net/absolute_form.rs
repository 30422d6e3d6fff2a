//! Plain HTTP through a proxy, as Go does it: the request is sent to the proxy with its target in absolute form (RFC
//! 9112, section 3.2.2).
//!
//! The HTTP library writes the origin form only, so the head of each request is rewritten while it is sent. Without
//! pipelining, a request's head is the first data on a connection, or the first after received data.

use std::fmt;

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use crate::net::proxy::ProxyUrl;
use crate::secret::Secret;

/// What is written into the head of each request.
#[derive(Debug, Clone)]
pub(crate) struct AbsoluteFormRewriter {
    origin: String,
    authorization: Option<Secret>,
}

impl AbsoluteFormRewriter {
    /// For requests to `origin` (`http://h:5000`) through a proxy.
    pub(crate) fn new(origin: String, proxy: &ProxyUrl) -> AbsoluteFormRewriter {
        let field = |login: Secret| Secret::new(format!("Proxy-Authorization: {}\r\n", login.reveal()));
        let authorization = proxy.authorization().map(field);
        AbsoluteFormRewriter { origin, authorization }
    }

    /// Makes the connection to the proxy act as one to the origin.
    pub(crate) fn wrap(&self, inner: Box<dyn Transport>) -> impl Transport + use<> {
        AbsoluteFormTransport { inner, rewriter: self.clone(), at_request_start: true, head: Vec::new() }
    }

    /// `GET /x HTTP/1.1\r\n…` with its full target; `None` if it is not a request line.
    fn rewrite(&self, head: &[u8]) -> Option<Vec<u8>> {
        let line = head.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let target = head.iter().position(|byte| *byte == b' ')? + 1;
        if head.get(target) != Some(&b'/') {
            return None;
        }
        let extra = self.authorization.as_ref().map_or("", Secret::reveal);
        let (method, rest) = head.split_at(target);
        let (target, fields) = rest.split_at_checked(line.checked_sub(target)?)?;
        Some([method, self.origin.as_bytes(), target, extra.as_bytes(), fields].concat())
    }
}

struct AbsoluteFormTransport {
    inner: Box<dyn Transport>,
    rewriter: AbsoluteFormRewriter,
    at_request_start: bool,
    head: Vec<u8>,
}

impl AbsoluteFormTransport {
    /// Sends through the inner transport's own buffer, as its interface requires.
    fn send(&mut self, mut bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        while !bytes.is_empty() {
            let output = self.inner.buffers().output();
            let amount = bytes.len().min(output.len());
            let (now, later) = bytes.split_at(amount);
            if let Some(room) = output.get_mut(..amount) {
                room.copy_from_slice(now);
            }
            self.inner.transmit_output(amount, timeout)?;
            bytes = later;
        }
        Ok(())
    }
}

impl Transport for AbsoluteFormTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if !self.at_request_start {
            return self.inner.transmit_output(amount, timeout);
        }
        // The library may send a head in pieces: waits for the complete request line.
        self.head.extend_from_slice(self.inner.buffers().output().get(..amount).unwrap_or_default());
        if !self.head.windows(2).any(|pair| pair == b"\r\n") {
            return Ok(());
        }
        let head = std::mem::take(&mut self.head);
        let rewritten = self.rewriter.rewrite(&head).ok_or(ureq::Error::ConnectionFailed)?;
        self.at_request_start = false;
        self.send(&rewritten, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.at_request_start = true;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for AbsoluteFormTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AbsoluteFormTransport")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxied_request_gets_an_absolute_target_and_the_proxys_authorization() {
        let user = Some(("me".to_owned(), Secret::new("hunter2")));
        let proxy = ProxyUrl { scheme: ureq::ProxyProtocol::Http, host: "p".to_owned(), port: 80, user };
        let rewriter = AbsoluteFormRewriter::new("http://h:5000".to_owned(), &proxy);
        let head = rewriter.rewrite(b"GET /v2/ HTTP/1.1\r\nhost: h:5000\r\n\r\nbody").map(String::from_utf8);
        let expected =
            "GET http://h:5000/v2/ HTTP/1.1\r\nProxy-Authorization: Basic bWU6aHVudGVyMg==\r\nhost: h:5000\r\n\r\nbody";
        assert_eq!(head, Some(Ok(expected.to_owned())));
        for wrong in [&b"GET /v2/ HTTP/1.1"[..], b"\r\n", b"GET * HTTP/1.1\r\n", b"", b"\r\n GET /"] {
            assert_eq!(rewriter.rewrite(wrong), None);
        }
        assert!(!format!("{rewriter:?}").contains("bWU6"));
    }
}
