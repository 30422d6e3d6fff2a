//! URLs of requests: an origin, a path with its query, and the resolution of a `Location` against them (RFC 3986,
//! section 5).
//!
//! A URL here has no user information: that of a `Location` is dropped, so that it is neither sent nor shown.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::net::host;

/// Query parameters that may be shown: they name content and are no secrets.
const SHOWN_PARAMETERS: [&str; 7] = ["mount", "from", "digest", "service", "scope", "n", "last"];

/// What a request line must not contain (RFC 3986, section 2).
const ENCODED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The origin of a connection. Credentials are sent only to an equal origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    /// Whether the scheme is `https`.
    pub(crate) https: bool,
    /// A name or an address in lower case; an IPv6 address without its brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl Origin {
    /// Reads `host`, `host:port` or `[v6]:port`. The default port is that of the scheme.
    pub(crate) fn parse_authority(https: bool, authority: &str) -> Option<Origin> {
        let (host, port) = host::split_authority(authority)?;
        let fits = |b: u8| b.is_ascii_graphic() && !b"\"#%/<>?@[\\]^`{|}".contains(&b);
        // A host cannot begin with a dot, which would also lead out of certs.d.
        if host.starts_with('.') || !host.bytes().all(fits) {
            return None;
        }
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Some(Origin { https, host: host.to_ascii_lowercase(), port })
    }

    /// `host`, or `host:port` if the port is not the scheme's default. It is also the name of the directory in certs.d.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.https { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority())
    }
}

/// A full URL. `Display` and `Debug` leave out query values that could be secrets.
#[derive(Clone)]
pub(crate) struct Url {
    /// Scheme, host and port.
    pub(crate) origin: Origin,
    target: String,
    /// Whether a server named the URL. Then it may repeat a secret.
    pub(crate) is_from_server: bool,
}

impl PartialEq for Url {
    fn eq(&self, other: &Url) -> bool {
        (&self.origin, &self.target) == (&other.origin, &other.target)
    }
}

impl Url {
    /// A path on a server. `target` begins with a slash and may have a query.
    pub(crate) fn new(origin: Origin, target: impl Into<String>) -> Url {
        Url { origin, target: target.into(), is_from_server: false }
    }

    /// Reads an absolute http or https URL. The error says what is wrong with it and does not quote it.
    pub(crate) fn parse_from_server(text: &str) -> Result<Url, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Url::parse_rest(true, rest),
            "http" => Url::parse_rest(false, rest),
            _ => Err("not an http or https URL"),
        }
    }

    fn parse_rest(https: bool, rest: &str) -> Result<Url, &'static str> {
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let origin = Origin::parse_authority(https, authority).ok_or("a URL whose host or port cannot be read")?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { origin, target: encode(&format!("{slash}{target}")), is_from_server: true })
    }

    /// Resolves a `Location` of the response to a request for this URL.
    pub(crate) fn join(&self, location: &str) -> Result<Url, &'static str> {
        let location = location.trim();
        if let Some(rest) = location.strip_prefix("//") {
            return Url::parse_rest(self.origin.https, rest);
        }
        let first = location.split(['/', '?', '#']).next().unwrap_or_default();
        if first.contains(':') {
            return Url::parse_from_server(location);
        }
        let relative = location.split('#').next().unwrap_or_default();
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match relative.chars().next() {
            None => return Err("empty"),
            Some('/') => relative.to_owned(),
            Some('?') => format!("{path}{relative}"),
            Some(_) => merge_paths(path, relative),
        };
        Ok(Url { origin: self.origin.clone(), target: encode(&target), is_from_server: true })
    }

    /// The path with its query, for the request line only.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Adds a query parameter. `pair` is `name=value`, percent-encoded where necessary.
    pub(crate) fn with_query(&self, pair: &str) -> Url {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        Url { target: format!("{}{separator}{pair}", self.target), ..self.clone() }
    }

    /// The same URL at another origin.
    pub(crate) fn with_origin(&self, origin: Origin) -> Url {
        Url { origin, ..self.clone() }
    }

    /// The full URL, for the request line only.
    pub(crate) fn reveal(&self) -> String {
        format!("{}{}", self.origin, self.target)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.target.split_once('?').map_or((self.target.as_str(), None), |(p, q)| (p, Some(q)));
        write!(f, "{}{path}", self.origin)?;
        let pairs = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
        for (at, pair) in pairs.enumerate() {
            let separator = if at == 0 { '?' } else { '&' };
            match pair.split_once('=') {
                Some((name, _)) if !SHOWN_PARAMETERS.contains(&name) => write!(f, "{separator}{name}=…")?,
                Some(_) => write!(f, "{separator}{pair}")?,
                None => write!(f, "{separator}…")?,
            }
        }
        Ok(())
    }
}

/// Resolves a relative path against the directory of the request's path, and removes dot segments.
fn merge_paths(path: &str, relative: &str) -> String {
    let (relative, query) = relative.split_once('?').map_or((relative, None), |(r, q)| (r, Some(q)));
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut segments: Vec<&str> = directory.split('/').skip(1).collect();
    let mut rest = relative.split('/').peekable();
    while let Some(segment) = rest.next() {
        let last = rest.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if last {
                    segments.push("");
                }
            }
            _ => segments.push(segment),
        }
    }
    let merged = format!("/{}", segments.join("/"));
    query.map_or(merged.clone(), |query| format!("{merged}?{query}"))
}

/// Percent-encodes what a request line must not contain. Encoded characters stay as they are.
fn encode(target: &str) -> String {
    utf8_percent_encode(target, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(location: &str) -> Result<String, &'static str> {
        let base = Url::parse_from_server("https://h:5000/v2/a/blobs/sha256:x?y=1").expect("a URL");
        base.join(location).map(|url| url.reveal())
    }

    #[test]
    fn locations_are_resolved_against_the_request_url() {
        for (location, expected) in [
            ("/x?q=1#f", "https://h:5000/x?q=1"),
            ("?q", "https://h:5000/v2/a/blobs/sha256:x?q"),
            ("z", "https://h:5000/v2/a/blobs/z"),
            ("./z/./", "https://h:5000/v2/a/blobs/z/"),
            ("../z?a/../b", "https://h:5000/v2/a/z?a/../b"),
            ("../../../../../z", "https://h:5000/z"),
            ("//other/z", "https://other/z"),
            ("http://user:hunter2@[::1]:80/z", "http://[::1]/z"),
            ("HTTPS://H.Example", "https://h.example/"),
            ("https://h:443?x", "https://h/?x"),
            ("/a b/ü\"", "https://h:5000/a%20b/%C3%BC%22"),
            ("/a%20b", "https://h:5000/a%20b"),
        ] {
            assert_eq!(joined(location).as_deref(), Ok(expected), "{location}");
        }
        for wrong in [
            "",
            "#x",
            "ftp://h/x",
            "https://",
            "https:///x",
            "https://../x",
            "https://h:x/",
            "mailto:x",
            "https://a b/",
        ] {
            assert!(joined(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn displayed_url_hides_unknown_query_values() {
        let url = Url::parse_from_server("https://h/v2/a/blobs/uploads/?mount=sha256:x&from=b&X-Sig=hunter2&hunter3")
            .expect("a URL");
        assert_eq!(url.to_string(), "https://h/v2/a/blobs/uploads/?mount=sha256:x&from=b&X-Sig=…&…");
        assert_eq!(format!("{url:?}"), url.to_string());
    }

    #[test]
    fn with_query_keeps_the_existing_query() {
        for (text, expected) in
            [("https://h/a", "https://h/a?n=1"), ("https://h/a?_state=x", "https://h/a?_state=x&n=1")]
        {
            let url = Url::parse_from_server(text).expect("a URL").with_query("n=1");
            assert_eq!(url.reveal(), expected);
            assert!(url.reveal().ends_with(url.target()));
        }
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        let origin = |text| Url::parse_from_server(text).expect("a URL").origin;
        assert_eq!(origin("https://H/"), origin("https://h:443/x"));
        assert_ne!(origin("https://h/"), origin("http://h/"));
        assert_ne!(origin("https://h/"), origin("https://h:444/"));
        assert_eq!(origin("http://[::1]:5000/").authority(), "[::1]:5000");
    }
}
