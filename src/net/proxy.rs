//! Selects the proxy of a connection by the rules of Go's `golang.org/x/net/http/httpproxy`.
//!
//! Docker's client is a Go program, so proxy variables that work for docker must work here. There is one difference: a
//! value that Go silently ignores is an error that names its variable.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use ureq::ProxyProtocol;

use crate::env::Env;
use crate::net::host;
use crate::secret::Secret;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyUrl {
    /// Its protocol: HTTP, plain or inside TLS.
    pub(crate) scheme: ProxyProtocol,
    /// Its host. An IPv6 address has no brackets.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// User name and password, percent-decoded.
    pub(crate) user: Option<(String, Secret)>,
}

impl ProxyUrl {
    /// The value of `Proxy-Authorization`, if there is a user.
    pub(crate) fn authorization(&self) -> Option<Secret> {
        let (user, password) = self.user.as_ref()?;
        Some(Secret::basic_authorization(user, password.reveal()))
    }
}

/// The proxy for a target; `host` may have brackets. `None` is a direct connection.
///
/// The error is one line that names the variable and contains no password.
pub(crate) fn proxy_for(env: &Env, https: bool, host: &str, port: u16) -> Result<Option<ProxyUrl>, String> {
    let names = if https { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let Some((name, value)) = names.into_iter().find_map(|name| Some((name, env.get(name)?))) else {
        return Ok(None);
    };
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if host::is_loopback(host) || is_exempt(env, host, port) {
        return Ok(None);
    }
    if !https && env.get("REQUEST_METHOD").is_some() {
        return Err(format!(
            "{name} is not obeyed in a CGI environment (REQUEST_METHOD is set): a client could have set it"
        ));
    }
    parse_proxy_url(value).map(Some).map_err(|reason| format!("{name}: {reason}"))
}

fn is_exempt(env: &Env, host: &str, port: u16) -> bool {
    let list = env.get("NO_PROXY").or_else(|| env.get("no_proxy")).unwrap_or_default();
    let host = host.to_lowercase();
    let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    list.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| entry_matches(&entry, &host, address, port))
}

/// Whether one entry of `NO_PROXY`, in lower case and trimmed, matches the target.
fn entry_matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = cidr(entry) {
        return address.is_some_and(|address| network_contains(network, bits, address));
    }
    let (name, wanted_port) = split_entry(entry);
    if name.is_empty() || wanted_port.is_some_and(|wanted| wanted != port.to_string()) {
        return false;
    }
    if let Ok(exempt) = name.parse::<IpAddr>() {
        return address == Some(exempt.to_canonical());
    }
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.')),
    }
}

/// An entry's host and port as Go's `SplitHostPort` splits them. What that refuses is a host as a whole.
fn split_entry(entry: &str) -> (&str, Option<&str>) {
    let split = match entry.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => entry.split_once(':').filter(|(_, port)| !port.contains(':')),
    };
    split.map_or((entry, None), |(host, port)| (host, Some(port).filter(|port| !port.is_empty())))
}

fn cidr(entry: &str) -> Option<(IpAddr, u32)> {
    let (network, bits) = entry.split_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    (bits <= if network.is_ipv4() { 32 } else { 128 }).then_some((network, bits))
}

/// Whether the first `bits` of both are equal.
fn network_contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits,
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits,
        _ => false,
    }
}

fn parse_proxy_url(value: &str) -> Result<ProxyUrl, String> {
    let value = value.trim();
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyProtocol::Http,
        "https" => ProxyProtocol::Https,
        "socks5" | "socks5h" => {
            return Err("SOCKS proxies are not supported, only http:// and https:// ones".to_owned());
        }
        // The text is not shown: without a known scheme, any part of it may be a password.
        _ => return Err("not the URL of an http:// or https:// proxy".to_owned()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, authority) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let unreadable_authority = || "its host or port cannot be read".to_owned();
    let (host, port) = host::split_authority(authority).ok_or_else(unreadable_authority)?;
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "\"\\%<>^`{|}".contains(c)) {
        return Err(unreadable_authority());
    }
    let port = port.unwrap_or(if scheme == ProxyProtocol::Https { 443 } else { 80 });
    let user = user.map(parse_user).transpose()?;
    Ok(ProxyUrl { scheme, host: host.to_owned(), port, user })
}

fn parse_user(text: &str) -> Result<(String, Secret), String> {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let malformed = || "its user name or password is not percent-encoded UTF-8".to_owned();
    Ok((percent_decode(name).ok_or_else(malformed)?, Secret::new(percent_decode(password).ok_or_else(malformed)?)))
}

fn percent_decode(text: &str) -> Option<String> {
    // The crate keeps a percent sign without two digits.
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    text.split('%').skip(1).all(is_escape).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env::from_pairs(pairs.iter().copied())
    }

    fn plain(host: &str, port: u16) -> Option<ProxyUrl> {
        Some(ProxyUrl { scheme: ProxyProtocol::Http, host: host.to_owned(), port, user: None })
    }

    #[test]
    fn proxy_variable_depends_on_the_targets_scheme_and_prefers_upper_case() {
        let both =
            env(&[("HTTPS_PROXY", "a:1"), ("https_proxy", "b:2"), ("http_proxy", "http://c"), ("ALL_PROXY", "d")]);
        assert_eq!(proxy_for(&both, true, "h.example", 443), Ok(plain("a", 1)));
        assert_eq!(proxy_for(&both, false, "h.example", 80), Ok(plain("c", 80)));
        assert_eq!(proxy_for(&env(&[("HTTP_PROXY", "c")]), true, "h.example", 443), Ok(None));
        assert_eq!(proxy_for(&env(&[("HTTPS_PROXY", ""), ("https_proxy", "b:2")]), true, "h", 443), Ok(plain("b", 2)));
        assert_eq!(proxy_for(&env(&[]), true, "h.example", 443), Ok(None));
    }

    #[test]
    fn cgi_environment_cannot_set_the_proxy_of_plain_http() {
        let cgi = env(&[("HTTP_PROXY", "evil:1"), ("HTTPS_PROXY", "good:1"), ("REQUEST_METHOD", "GET")]);
        assert!(proxy_for(&cgi, false, "h", 80).unwrap_err().contains("HTTP_PROXY"));
        assert_eq!(proxy_for(&cgi, true, "h", 443), Ok(plain("good", 1)));
        assert_eq!(proxy_for(&env(&[("REQUEST_METHOD", "GET")]), false, "h", 80), Ok(None));
    }

    #[test]
    fn loopback_targets_are_never_proxied() {
        let env = env(&[("HTTP_PROXY", "p:1"), ("HTTPS_PROXY", "p:1")]);
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"] {
            assert_eq!(proxy_for(&env, true, host, 5000), Ok(None), "{host}");
            assert_eq!(proxy_for(&env, false, host, 5000), Ok(None), "{host}");
        }
        assert_eq!(proxy_for(&env, true, "localhost.example", 5000), Ok(plain("p", 1)));
    }

    #[test]
    fn no_proxy_is_matched_as_in_go() {
        let rows: &[(&str, &str, u16, bool)] = &[
            ("*", "h.example", 443, true),
            ("x, *", "10.0.0.1", 443, true),
            ("foo.com", "foo.com", 443, true),
            ("foo.com", "bar.foo.com", 443, true),
            ("foo.com", "BAR.foo.COM", 443, true),
            ("foo.com", "afoo.com", 443, false),
            (".foo.com", "foo.com", 443, false),
            (".foo.com", "bar.foo.com", 443, true),
            ("*.foo.com", "bar.foo.com", 443, true),
            ("*.foo.com", "foo.com", 443, false),
            ("*foo.com", "foo.com", 443, false),
            ("foo.com:5000", "foo.com", 5000, true),
            ("foo.com:5000", "foo.com", 443, false),
            ("foo.com:", "foo.com", 443, true),
            (" Foo.com , , x ", "foo.com", 443, true),
            (":443", "foo.com", 443, false),
            ("10.0.0.0/8", "10.1.2.3", 443, true),
            ("10.0.0.0/8", "11.1.2.3", 443, false),
            ("0.0.0.0/0", "11.1.2.3", 443, true),
            ("10.0.0.0/33", "10.0.0.0", 443, false),
            ("fd00::/8", "fd12::1", 443, true),
            ("fd00::/8", "fe12::1", 443, false),
            ("10.0.0.0/8", "fd12::1", 443, false),
            ("::/0", "fd12::1", 443, true),
            ("10.0.0.1", "10.0.0.1", 443, true),
            ("10.0.0.1:80", "10.0.0.1", 443, false),
            ("10.0.0.1:443", "10.0.0.1", 443, true),
            ("[fd12::1]:443", "[fd12::1]", 443, true),
            ("fd12::1", "fd12:0::1", 443, true),
            ("10.0.0", "10.0.0.1", 443, false),
            ("", "h.example", 443, false),
        ];
        for (list, host, port, exempt) in rows {
            let env = env(&[("HTTPS_PROXY", "p:1"), ("no_proxy", list)]);
            let expected = if *exempt { None } else { plain("p", 1) };
            assert_eq!(proxy_for(&env, true, host, *port), Ok(expected), "{list} {host} {port}");
        }
    }

    #[test]
    fn proxy_url_is_parsed_with_all_its_parts() {
        let read = |value: &str| proxy_for(&env(&[("HTTPS_PROXY", value)]), true, "h.example", 443);
        assert_eq!(read("p"), Ok(plain("p", 80)));
        assert_eq!(read("HTTP://p:3128/"), Ok(plain("p", 3128)));
        assert_eq!(read("http://[fd00::1]:3128"), Ok(plain("fd00::1", 3128)));
        let secure = read("https://me:p%40ss%3A@p").unwrap().unwrap();
        assert_eq!((secure.scheme, secure.port), (ProxyProtocol::Https, 443));
        let (name, password) = secure.user.clone().unwrap();
        assert_eq!((name.as_str(), password.reveal()), ("me", "p@ss:"));
        assert!(!format!("{secure:?}").contains("p@ss"));
    }

    #[test]
    fn invalid_proxy_url_is_reported_without_its_password() {
        for value in [
            "socks5://me:hunter2@p:1080",
            "ftp://me:hunter2@p",
            "http://me:hunter2@",
            "http://me:hunter2@p:x",
            "http://me:hunter2%zz@p",
            "http://me:hunter2@a b",
        ] {
            let error = proxy_for(&env(&[("https_proxy", value)]), true, "h.example", 443).unwrap_err();
            assert!(error.starts_with("https_proxy: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn invalid_proxy_url_is_ignored_for_exempt_targets() {
        let env = env(&[("https_proxy", "socks5://p"), ("NO_PROXY", "h.example")]);
        assert_eq!(proxy_for(&env, true, "h.example", 443), Ok(None));
    }
}
