//! Hosts and ports in references and URLs, and which hosts are loopback, private or public.

use std::net::{IpAddr, Ipv6Addr};

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`. The host is returned without brackets.
///
/// `None` if the port is not a number or the host is empty.
pub(crate) fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
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

/// Whether a host, without port and brackets, is loopback: `localhost`, 127.0.0.0/8 or `::1`.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a registry's host, with or without a port, is loopback.
pub(crate) fn is_loopback_authority(authority: &str) -> bool {
    split_authority(authority).is_some_and(|(host, _)| is_loopback(host))
}

/// Whether an address is public, by IANA's registries of special-purpose addresses. An IPv6 address that a gateway
/// translates to an IPv4 address counts as that address.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_for_tests = a == 198 && (18..20).contains(&b) || v4.is_documentation();
            let is_protocol = (a, b, c) == (192, 0, 0);
            let is_inside = v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared;
            !(is_inside || is_for_tests || is_protocol || a == 0 || a >= 224)
        }
        IpAddr::V6(v6) => match v6.segments() {
            // RFC 4291's compatible addresses, `::` and `::1`; NAT64 (RFC 6052); 6to4 (RFC 3056).
            [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                is_public(IpAddr::from([a, b, c, d]))
            }
            // Local NAT64 (RFC 8215), and the deprecated site-local addresses.
            [0x64, 0xff9b, 1, ..] | [0xfec0..=0xfeff, ..] => false,
            _ => !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_split_into_host_and_port() {
        assert_eq!(split_authority("h"), Some(("h", None)));
        assert_eq!(split_authority("h:5000"), Some(("h", Some(5000))));
        assert_eq!(split_authority("h:"), Some(("h", None)));
        assert_eq!(split_authority("[::1]:5000"), Some(("::1", Some(5000))));
        assert_eq!(split_authority("[::1]"), Some(("::1", None)));
        for wrong in ["", ":80", "h:70000", "h:+1", "h:x", "[::1", "[::1]x", "[h]:1", "::1"] {
            assert_eq!(split_authority(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn loopback_hosts_are_recognised_by_exact_name_or_address() {
        for name in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.9.1", "[::1]:5000", "LOCALHOST"] {
            assert!(is_loopback_authority(name), "{name}");
        }
        for name in ["localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "[::2]", "example.com:127", ""] {
            assert!(!is_loopback_authority(name), "{name}");
        }
    }

    #[test]
    fn is_public_distinguishes_private_from_public_addresses() {
        for inside in [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:a00:1::1",
            "fec0::1",
            "198.18.0.1",
            "192.0.0.192",
            "203.0.113.1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.169.0.1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }
}
