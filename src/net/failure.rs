//! Why there was no answer: what the HTTP and TLS libraries say, sorted into the kinds that a user acts on.
//!
//! The libraries wrap errors in each other, and not the same way at each stage, so all unwrapping is done here.

use std::fmt;
use std::io;
use std::net::IpAddr;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::net::error::{Address, Again, FailedRequest, Kind, RegistryError};
use crate::net::tls::verifier::{NoRoots, is_authority_objection};

/// One exchange that brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What to tell the user.
    pub(crate) kind: Kind,
    /// What the library, the system or the peer said.
    pub(crate) detail: String,
    /// What it says about whether to try differently.
    pub(crate) hint: Hint,
    /// Whether the same request may be answered another time.
    pub(crate) again: Again,
    /// Whether a byte of a request was, or may have been, sent.
    pub(crate) sent: bool,
    /// Whether the detail has words of the peer's in it, which may repeat a secret.
    pub(crate) quotes: bool,
    /// The status with which a proxy refused to connect.
    pub(crate) status: Option<u16>,
    /// The server that was tried, where that is not the one of the request's URL.
    pub(crate) address: Option<Address>,
}

/// What a failure says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The peer answered the TLS handshake with something that is no TLS.
    NoTls,
    /// The peer closed the connection during the TLS handshake.
    NoHandshake,
    /// Nothing listens there, or the proxy does not lead there.
    NoListener,
    /// The connection ended before a byte of an answer came.
    NoAnswer,
    /// Nothing of the sort.
    None,
}

impl Failure {
    /// A failure that no other attempt would cure, of a request that was sent.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Failure {
        Failure {
            kind,
            detail: detail.into(),
            hint: Hint::None,
            again: Again::Never,
            sent: true,
            quotes: false,
            status: None,
            address: None,
        }
    }

    /// A failure before anything was sent.
    pub(crate) fn unsent(kind: Kind, detail: impl Into<String>) -> Failure {
        Failure { sent: false, ..Failure::new(kind, detail) }
    }

    /// The same failure, of a kind that passes.
    fn passing(self) -> Failure {
        Failure { again: if self.sent { Again::Repeatable } else { Again::Unsent }, ..self }
    }

    fn hinting(self, hint: Hint) -> Failure {
        Failure { hint, ..self }
    }

    fn quoting(self) -> Failure {
        Failure { quotes: true, ..self }
    }

    /// The error to report, of a registry and a request.
    pub(crate) fn into_error(self, registry: &str, request: FailedRequest) -> RegistryError {
        let address = self.address.or(request.address);
        let request = FailedRequest { address, ..request };
        let error = RegistryError::new(self.kind, registry, self.detail).at(request).with_again(self.again);
        RegistryError { status: self.status, ..error }
    }

    /// This failure over plain HTTP, or the one over TLS before it where nobody listens in the clear.
    pub(crate) fn or_nobody(self, secure: Failure) -> Failure {
        if self.hint == Hint::NoListener && secure.hint != Hint::NoTls { secure } else { self }
    }

    /// Sorts an error of an exchange.
    pub(crate) fn of(error: ureq::Error) -> Failure {
        match error {
            ureq::Error::Other(other) => match other.downcast::<Unconnected>() {
                Ok(unconnected) => of_connection(*unconnected),
                Err(other) => Failure::new(Kind::Connect, other.to_string()),
            },
            ureq::Error::Io(error) => of_io(&error),
            ureq::Error::Timeout(step @ ureq::Timeout::Connect) => {
                Failure::unsent(Kind::Timeout, timed_out(step)).passing()
            }
            ureq::Error::Timeout(step) => Failure::new(Kind::Timeout, timed_out(step)),
            ureq::Error::ConnectProxyFailed(why) => {
                // The library has the status in its text alone: `proxy server responded 407/407`.
                let status = why.rsplit_once('/').and_then(|(_, status)| status.parse().ok());
                Failure { status, ..Failure::unsent(Kind::Proxy, why).hinting(Hint::NoListener).quoting() }
            }
            ureq::Error::HostNotFound => Failure::unsent(Kind::Resolve, "it has no address"),
            ureq::Error::LargeResponseHeader(..) => Failure::new(Kind::Protocol, "the head of its answer is too large"),
            ureq::Error::Protocol(error) => Failure::new(Kind::Protocol, format!("not HTTP/1.1: {error}")).quoting(),
            error => Failure::new(Kind::Protocol, error.to_string()).quoting(),
        }
    }

    /// Sorts an error met while a body was read. The head was there, so it says nothing of the connection's age; a body
    /// that was cut short may be whole the next time.
    pub(crate) fn of_body(error: io::Error) -> Failure {
        let failure = Failure::of(ureq::Error::from(error));
        match failure.hint {
            Hint::NoAnswer => Failure::new(failure.kind, "the connection ended in the middle of the answer").passing(),
            _ => Failure::new(failure.kind, failure.detail),
        }
    }
}

/// Why there is no connection; carried through the HTTP library inside its own error.
#[derive(Debug)]
pub(crate) enum Unconnected {
    /// The name does not resolve.
    Resolve { host: String, error: io::Error },
    /// No TCP connection.
    Tcp(io::Error),
    /// No TCP connection in time.
    Slow,
    /// TCP, but no TLS.
    Tls(io::Error),
    /// An address that the registry must not send to.
    Private(IpAddr),
    /// The proxy itself cannot be reached, for one of the other reasons.
    Proxy(Box<Unconnected>),
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unconnected::Resolve { host, error } => write!(f, "{host}: {error}"),
            Unconnected::Tcp(error) | Unconnected::Tls(error) => error.fmt(f),
            Unconnected::Slow => f.write_str("no connection in time"),
            Unconnected::Private(address) => {
                write!(f, "the private address {address} was named by a registry that is at a public one")
            }
            Unconnected::Proxy(inner) => write!(f, "the proxy: {inner}"),
        }
    }
}

impl std::error::Error for Unconnected {}

impl From<Unconnected> for ureq::Error {
    fn from(error: Unconnected) -> ureq::Error {
        ureq::Error::Other(Box::new(error))
    }
}

fn of_connection(error: Unconnected) -> Failure {
    let text = error.to_string();
    match error {
        Unconnected::Resolve { .. } => Failure::unsent(Kind::Resolve, text),
        Unconnected::Private(_) => Failure::unsent(Kind::Protocol, text),
        Unconnected::Tcp(error) => {
            let failure = Failure::unsent(Kind::Connect, text).hinting(Hint::NoListener);
            if is_refusal(&error) { failure.passing() } else { failure }
        }
        Unconnected::Slow => Failure::unsent(Kind::Timeout, text).hinting(Hint::NoListener).passing(),
        Unconnected::Tls(error) => {
            let failure = Failure { sent: false, ..of_handshake(&error) };
            if failure.hint == Hint::NoHandshake { failure.passing() } else { failure }
        }
        Unconnected::Proxy(inner) => {
            let Failure { detail, again, .. } = of_connection(*inner);
            Failure { again, ..Failure::unsent(Kind::Proxy, detail).hinting(Hint::NoListener) }
        }
    }
}

/// Whether a host was there and did not let us in, as one does that is just being started: a missing route stays.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | TimedOut)
}

fn of_handshake(error: &io::Error) -> Failure {
    match tls_error(error) {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => Failure::new(Kind::PlainHttp, "its answer to a TLS handshake is no TLS").hinting(Hint::NoTls),
        Some(error) => of_tls(error),
        None if is_hangup(error) => {
            Failure::new(Kind::Connect, "the connection was closed during the TLS handshake").hinting(Hint::NoHandshake)
        }
        None => Failure::new(Kind::Connect, format!("TLS handshake: {error}")),
    }
}

fn of_io(error: &io::Error) -> Failure {
    if let Some(error) = tls_error(error) {
        return of_tls(error);
    }
    if is_hangup(error) {
        let detail = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed before an answer came".to_owned(),
            _ => error.to_string(),
        };
        return Failure::new(Kind::Connect, detail).hinting(Hint::NoAnswer).passing();
    }
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::new(Kind::Timeout, error.to_string()),
        _ => Failure::new(Kind::Connect, error.to_string()),
    }
}

fn is_hangup(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}

fn of_tls(error: &rustls::Error) -> Failure {
    use AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(why) => Failure::new(objection(why), certificate(why)),
        rustls::Error::NoCertificatesPresented => Failure::new(Kind::CertificateUnfit, "it showed none"),
        rustls::Error::AlertReceived(
            alert @ (Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::NoCertificate
            | Alert::AccessDenied),
        ) => Failure::new(Kind::ClientCertificate, format!("it ended the TLS handshake with {alert:?}")),
        // What TLS 1.2 servers say that wanted a client certificate, among other things: the transport knows more.
        rustls::Error::AlertReceived(Alert::HandshakeFailure) => {
            Failure::new(Kind::Connect, format!("TLS: {error}")).hinting(Hint::NoAnswer)
        }
        rustls::Error::Other(other) if other.0.is::<NoRoots>() => Failure::new(Kind::TlsFiles, other.0.to_string()),
        error => Failure::new(Kind::Connect, format!("TLS: {error}")),
    }
}

/// Whether knowing one more authority would help.
fn objection(why: &CertificateError) -> Kind {
    match why {
        CertificateError::UnknownIssuer => Kind::Certificate,
        _ if is_authority_objection(why) => Kind::Certificate,
        _ => Kind::CertificateUnfit,
    }
}

fn certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "it is signed by an unknown authority".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<&str> = presented.iter().map(|name| shown_name(name)).collect();
            format!("it is for another name: {}, not {}", presented.join(", "), expected.to_str())
        }
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        CertificateError::BadSignature => "its signature is wrong".to_owned(),
        CertificateError::Other(_) if is_authority_objection(why) => {
            "it is an authority's own, and does not lie in certs.d".to_owned()
        }
        other => other.to_string(),
    }
}

/// `DnsName("x")` as rustls lists names, bare.
fn shown_name(name: &str) -> &str {
    name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name).trim_matches('"')
}

fn timed_out(step: ureq::Timeout) -> String {
    match step {
        ureq::Timeout::Connect => "no connection in time".to_owned(),
        ureq::Timeout::PerRead | ureq::Timeout::RecvResponse => "no answer came in time".to_owned(),
        ureq::Timeout::PerWrite => "it does not take what is sent".to_owned(),
        step => format!("timed out: {step}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(error: rustls::Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    #[test]
    fn plain_http_and_a_hangup_are_told_apart_in_a_handshake() {
        let plain = of_handshake(&tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)));
        assert_eq!((plain.kind, plain.hint), (Kind::PlainHttp, Hint::NoTls));
        let closed = of_handshake(&io::ErrorKind::UnexpectedEof.into());
        assert_eq!((closed.kind, closed.hint), (Kind::Connect, Hint::NoHandshake));
        let bad = of_handshake(&tls(rustls::Error::InvalidMessage(InvalidMessage::MissingKeyExchange)));
        assert_eq!((bad.kind, bad.hint), (Kind::Connect, Hint::None));
    }

    #[test]
    fn certificates_are_told_apart_from_client_certificates() {
        let unknown = of_io(&tls(CertificateError::UnknownIssuer.into()));
        assert_eq!(unknown.kind, Kind::Certificate);
        let wanted = of_io(&tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
        assert_eq!(wanted.kind, Kind::ClientCertificate);
        let roots = of_io(&tls(rustls::Error::Other(rustls::OtherError(std::sync::Arc::new(NoRoots("none".into()))))));
        assert_eq!((roots.kind, roots.detail.as_str()), (Kind::TlsFiles, "none"));
    }

    #[test]
    fn a_proxy_that_is_not_there_is_the_proxys_trouble() {
        let inner = Unconnected::Tcp(io::ErrorKind::ConnectionRefused.into());
        let failure = Failure::of(Unconnected::Proxy(Box::new(inner)).into());
        assert_eq!((failure.kind, failure.hint), (Kind::Proxy, Hint::NoListener));
    }

    #[test]
    fn only_what_passes_is_a_reason_to_try_again() {
        let again = |error: Unconnected| Failure::of(error.into()).again;
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut] {
            assert_eq!(again(Unconnected::Tcp(kind.into())), Again::Unsent, "{kind}");
            assert_eq!(again(Unconnected::Proxy(Box::new(Unconnected::Tcp(kind.into())))), Again::Unsent, "{kind}");
        }
        assert_eq!(again(Unconnected::Slow), Again::Unsent);
        assert_eq!(again(Unconnected::Tls(io::ErrorKind::ConnectionReset.into())), Again::Unsent);
        assert_eq!(of_io(&io::ErrorKind::ConnectionReset.into()).again, Again::Repeatable);
        let unresolved = Unconnected::Resolve { host: "h".to_owned(), error: io::Error::other("no such name") };
        for lasting in [
            unresolved,
            Unconnected::Tcp(io::ErrorKind::NetworkUnreachable.into()),
            Unconnected::Tls(tls(CertificateError::UnknownIssuer.into())),
            Unconnected::Tls(tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))),
            Unconnected::Tls(tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))),
            Unconnected::Private("10.0.0.1".parse().unwrap()),
        ] {
            let text = lasting.to_string();
            assert_eq!(again(lasting), Again::Never, "{text}");
        }
        assert_eq!(of_io(&tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))).again, Again::Never);
    }

    #[test]
    fn a_body_cut_short_says_nothing_of_the_connections_age() {
        let failure = Failure::of_body(io::ErrorKind::UnexpectedEof.into());
        assert_eq!((failure.kind, failure.hint, failure.again), (Kind::Connect, Hint::None, Again::Repeatable));
        assert_eq!(Failure::of_body(io::ErrorKind::InvalidData.into()).again, Again::Never);
        assert!(failure.detail.contains("middle"));
    }
}
