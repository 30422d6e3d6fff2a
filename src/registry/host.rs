//! Hosts and ports as they stand in names and URLs, and which of them are this machine itself.

use std::net::{IpAddr, Ipv6Addr};

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; the host comes without brackets.
///
/// `None` where the port is no number or the host is empty.
pub(super) fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    (!host.is_empty()).then_some((host, port))
}

/// Whether a host, without port and brackets, is this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a registry's host, with its port if it has one, is this machine.
pub(super) fn is_loopback_authority(authority: &str) -> bool {
    split(authority).is_some_and(|(host, _)| is_loopback(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(split("h"), Some(("h", None)));
        assert_eq!(split("h:5000"), Some(("h", Some(5000))));
        assert_eq!(split("h:"), Some(("h", None)));
        assert_eq!(split("[::1]:5000"), Some(("::1", Some(5000))));
        assert_eq!(split("[::1]"), Some(("::1", None)));
        for wrong in ["", ":80", "h:70000", "h:+1", "h:x", "[::1", "[::1]x", "[h]:1", "::1"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn loopback_is_by_name_or_address_and_not_by_looks() {
        for name in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.9.1", "[::1]:5000", "LOCALHOST"] {
            assert!(is_loopback_authority(name), "{name}");
        }
        for name in ["localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "[::2]", "example.com:127", ""] {
            assert!(!is_loopback_authority(name), "{name}");
        }
    }
}
