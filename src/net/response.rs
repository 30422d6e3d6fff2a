//! The response to one request.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use percent_encoding::{CONTROLS, percent_encode};
use ureq::http::{HeaderMap, HeaderValue};

use crate::net::body::ResponseBody;
use crate::net::redact::Redactor;

/// A response, byte for byte. `Debug` leaves out the header fields and the body, which may contain a token.
#[derive(Default)]
pub(crate) struct HttpResponse {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The body; for a status other than 2xx only its beginning.
    pub(crate) body: Vec<u8>,
    /// The body, if it is streamed.
    pub(crate) stream: Option<ResponseBody>,
    /// The secrets that [`HttpResponse::redact`] redacts.
    pub(crate) redactor: Arc<Redactor>,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl HttpResponse {
    /// The first value of a header field; `None` if it is empty.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        match field_text(self.headers.get(name)?) {
            Cow::Borrowed(text) => Some(Cow::Borrowed(text.trim())),
            Cow::Owned(text) => Some(Cow::Owned(text.trim().to_owned())),
        }
        .filter(|value| !value.is_empty())
    }

    /// All values of a header field, in their order.
    pub(crate) fn header_values(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.headers.get_all(name).iter().map(field_text)
    }

    /// The `Location`. Bytes that a URL must not contain are percent-encoded.
    pub(crate) fn location(&self) -> Option<String> {
        let bytes = self.headers.get("Location")?.as_bytes().trim_ascii();
        Some(percent_encode(bytes, CONTROLS).to_string()).filter(|location| !location.is_empty())
    }

    /// A text of this response for a message, with secrets redacted. Other uses need the unchanged text.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }

    /// Whether the status is 2xx.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The value of a field as text. RFC 9110, section 5.5, allows bytes above 0x7f without a meaning: read as UTF-8 if
/// they are valid, otherwise as Latin-1.
fn field_text(value: &HeaderValue) -> Cow<'_, str> {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_read_with_any_bytes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("A", &b" caf\xc3\xa9 "[..]),
            ("B", b"caf\xe9"),
            ("C", b"  "),
            ("Location", b"/caf\xe9/\xc3\xa9 %41\t?x"),
            ("D", b"\x7e\x80\xff"),
        ] {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers.append("B", HeaderValue::from_bytes(b"x").unwrap());
        let response = HttpResponse { status: 200, headers, ..HttpResponse::default() };
        assert_eq!(response.header("A").as_deref(), Some("café"));
        assert_eq!(response.header("B").as_deref(), Some("café"));
        assert_eq!((response.header("C"), response.header("E")), (None, None));
        assert_eq!(response.header("D").as_deref(), Some("~\u{80}ÿ"));
        assert_eq!(response.header_values("B").collect::<Vec<_>>(), ["café", "x"]);
        assert_eq!(response.location().as_deref(), Some("/caf%E9/%C3%A9 %41%09?x"), "the bytes are the server's");
    }

    #[test]
    fn debug_of_a_response_shows_only_its_status() {
        let mut headers = HeaderMap::new();
        headers.insert("X-Echo", "hunter2".parse().unwrap());
        let response = HttpResponse { status: 200, headers, body: b"hunter2".to_vec(), ..HttpResponse::default() };
        assert_eq!(format!("{response:?}"), "HttpResponse { status: 200, .. }");
    }
}
