//! Follows redirects. The HTTP library's own redirects would send credentials to another port of a host.
//!
//! A GET or HEAD is redirected by every redirect status; another request only by 307 and 308, which keep its method
//! (RFC 9110, section 15.4). `Authorization` is sent only to the origin that it belongs to, and an https request is
//! never redirected to http.

use crate::net::error::{ContactedServer, RegistryErrorKind, ServerNamedBy};
use crate::net::response::HttpResponse;
use crate::net::transport::OutgoingRequest;
use crate::net::transport_error::{Symptom, TransportError};
use crate::net::url::Url;

const REDIRECTS_MAX: usize = 10;

/// Sends the request and follows redirects. Returns the last response and its URL.
pub(crate) fn follow(
    request: &OutgoingRequest<'_>,
    insecure: bool,
    send: &dyn Fn(&OutgoingRequest<'_>) -> Result<HttpResponse, TransportError>,
) -> Result<(HttpResponse, Url), TransportError> {
    let mut url = request.url.clone();
    let mut server = None;
    for _ in 0..=REDIRECTS_MAX {
        let is_first_origin = url.origin == request.url.origin;
        let authorization = request.authorization.filter(|_| is_first_origin);
        let sent = send(&OutgoingRequest { url: &url, authorization, ..*request });
        let response = sent.map_err(|error| with_redirect_target(error, server.as_deref()))?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok((response, url));
        }
        url = next_url(request, &url, &response, insecure)?;
        server = Some(response.redact(&url.origin.to_string()));
    }
    let last = server.unwrap_or_default();
    let message = format!("more than {REDIRECTS_MAX} redirects, the last one to {last}");
    Err(TransportError::new(RegistryErrorKind::Protocol, message))
}

fn next_url(
    request: &OutgoingRequest<'_>,
    url: &Url,
    response: &HttpResponse,
    insecure: bool,
) -> Result<Url, TransportError> {
    let status = response.status;
    let refuse =
        |reason: &str| TransportError::new(RegistryErrorKind::Protocol, format!("a redirect ({status}) {reason}"));
    if !matches!(request.method, "GET" | "HEAD") && !matches!(status, 307 | 308) {
        return Err(refuse("that cannot be followed with the same method"));
    }
    let location = response.location().ok_or_else(|| refuse("without a readable Location"))?;
    let next = url.join(&location).map_err(|reason| refuse(&format!("to somewhere unusable: {reason}")))?;
    if url.origin.https && !next.origin.https && !insecure {
        return Err(refuse(&format!("from https to {}", response.redact(&next.origin.to_string()))));
    }
    Ok(next)
}

/// A failure after a redirect says nothing about the registry's own protocol. It names the server that failed.
fn with_redirect_target(error: TransportError, server: Option<&str>) -> TransportError {
    let Some(server) = server else { return error };
    let contacted_server = ContactedServer { origin: server.to_owned(), named_by: ServerNamedBy::Redirect };
    TransportError { symptom: Symptom::Other, contacted_server: Some(contacted_server), ..error }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::net::deadline::Deadline;
    use crate::secret::Secret;

    fn response(status: u16, location: &str) -> HttpResponse {
        let mut headers = ureq::http::HeaderMap::new();
        headers.insert("Location", location.parse().expect("a header value"));
        HttpResponse { status, headers, ..HttpResponse::default() }
    }

    /// Follows from https://h/a. Each request is recorded, with whether it had credentials.
    fn run(method: &'static str, insecure: bool, hops: &[(u16, &str)]) -> (Result<u16, String>, Vec<String>) {
        let url = Url::parse_from_server("https://h/a").expect("a URL");
        let secret = Secret::new("Bearer x");
        let authorization = Some(&secret);
        let request = OutgoingRequest { authorization, ..OutgoingRequest::new("h", method, &url, &Deadline::NONE) };
        let seen = RefCell::new(Vec::new());
        let send = |request: &OutgoingRequest<'_>| {
            let mut seen = seen.borrow_mut();
            let mark = if request.authorization.is_some() { "+" } else { "-" };
            seen.push(format!("{mark}{}", request.url));
            let (status, location) = hops.get(seen.len() - 1).copied().unwrap_or((200, ""));
            Ok(response(status, location))
        };
        let outcome = follow(&request, insecure, &send).map(|(response, _)| response.status).map_err(|f| f.message);
        (outcome, seen.into_inner())
    }

    #[test]
    fn redirects_keep_credentials_at_their_origin() {
        let hops = [(307, "/b"), (302, "https://h:444/c"), (301, "https://h:443/d"), (303, "https://other/e")];
        let (outcome, seen) = run("GET", false, &hops);
        assert_eq!(outcome, Ok(200));
        assert_eq!(run("HEAD", false, &hops), (outcome, seen.clone()), "a HEAD is followed as a GET is");
        assert_eq!(seen, ["+https://h/a", "+https://h/b", "-https://h:444/c", "+https://h/d", "-https://other/e"]);
    }

    #[test]
    fn redirect_from_https_to_http_needs_insecure() {
        assert!(run("GET", false, &[(302, "http://h/b")]).0.is_err_and(|text| text.contains("from https to http://h")));
        assert_eq!(run("GET", true, &[(302, "http://h/b")]).1, ["+https://h/a", "-http://h/b"]);
    }

    #[test]
    fn put_follows_only_redirects_that_keep_the_method() {
        assert_eq!(run("PUT", false, &[(307, "/b"), (308, "/c")]).0, Ok(200));
        for status in [301, 302, 303] {
            assert!(run("PUT", false, &[(status, "/b")]).0.is_err());
        }
    }

    #[test]
    fn redirect_loop_ends() {
        let (outcome, seen) = run("GET", false, &[(302, "/a"); 30]);
        assert!(outcome.is_err_and(|reason| reason.contains("more than 10 redirects")));
        assert_eq!(seen.len(), 11);
        assert!(run("GET", false, &[(302, "")]).0.is_err_and(|reason| reason.contains("Location")));
    }
}
