//! The client's certificate: which pair of certs.d is sent to a server that requests one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

/// The key pairs for one host.
#[derive(Debug, Default)]
pub(crate) struct ClientIdentity {
    /// What is offered, in this order.
    pub(crate) client_pairs: Vec<Arc<CertifiedKey>>,
    requested: AtomicBool,
}

impl ClientIdentity {
    /// Offers these pairs, in this order.
    pub(crate) fn new(client_pairs: Vec<Arc<CertifiedKey>>) -> ClientIdentity {
        ClientIdentity { client_pairs, requested: AtomicBool::new(false) }
    }

    /// Whether the server requested a certificate.
    ///
    /// In TLS 1.3 a server refuses a certificate only after the handshake, and the alert may be lost if it closes at
    /// once. Then this is the only way to distinguish a refused certificate from a broken connection.
    pub(crate) fn was_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for ClientIdentity {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.requested.store(true, Ordering::Relaxed);
        let usable = || self.client_pairs.iter().filter(|pair| pair.key.choose_scheme(schemes).is_some());
        // As in Go: the first pair whose chain leads to an authority that the server names. If there is none, the first
        // pair, because a refusal says more than no certificate.
        let named = |pair: &&Arc<CertifiedKey>| {
            pair.cert.iter().any(|certificate| issuer(certificate).is_some_and(|name| authorities.contains(&name)))
        };
        usable().find(named).or_else(|| usable().next()).cloned()
    }

    fn has_certs(&self) -> bool {
        // True even without pairs, so that `resolve` is called and the server's request is recorded.
        true
    }
}

/// The issuer's name of a DER certificate, with its tag and length; `None` if it is not a certificate.
///
/// `Certificate ::= SEQUENCE { SEQUENCE { [0] version OPTIONAL, serial, algorithm, issuer, … } … }` (RFC 5280, section
/// 4.1).
pub(crate) fn issuer(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, _) = der_element(certificate)?;
    let (inner, _) = der_element(outer.content)?;
    let (mut field, mut rest) = der_element(inner.content)?;
    if field.tag == 0xa0 {
        (field, rest) = der_element(rest)?;
    }
    let (algorithm, rest) = der_element(rest)?;
    let (issuer, _) = der_element(rest)?;
    let tags = [outer.tag, inner.tag, field.tag, algorithm.tag, issuer.tag];
    (tags == [0x30, 0x30, 0x02, 0x30, 0x30]).then_some(issuer.whole)
}

struct DerElement<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
}

/// The first DER element, and the bytes after it.
fn der_element(bytes: &[u8]) -> Option<(DerElement<'_>, &[u8])> {
    let (tag, length, start): (u8, usize, usize) = match *bytes {
        [tag, length, ..] if length < 0x80 => (tag, usize::from(length), 2),
        [tag, 0x81, length, ..] => (tag, usize::from(length), 3),
        [tag, 0x82, high, low, ..] => (tag, usize::from(high) << 8 | usize::from(low), 4),
        _ => return None,
    };
    let (whole, rest) = bytes.split_at_checked(start.checked_add(length)?)?;
    Some((DerElement { tag, whole, content: whole.get(start..)? }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_is_parsed_with_and_without_a_version() {
        let name = [0x30, 2, 0x31, 0];
        let algorithm = [0x30, 0];
        let serial = [2, 1, 7];
        let fields = |version: &[u8]| [version, &serial, &algorithm, &name].concat();
        for version in [&[0xa0, 3, 2, 1, 2][..], &[]] {
            let fields = fields(version);
            let length = u8::try_from(fields.len()).expect("short");
            let certificate = [&[0x30, 0x81, length + 2, 0x30, length], &fields[..]].concat();
            assert_eq!(issuer(&certificate), Some(&name[..]));
            for cut in 0..certificate.len() {
                assert_eq!(issuer(&certificate[..cut]), None);
            }
        }
    }
}
