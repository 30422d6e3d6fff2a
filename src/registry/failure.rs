//! Why there was no answer: what the HTTP and TLS libraries say, sorted into the kinds that a user acts on.
//!
//! The libraries wrap errors in each other, and not the same way at each stage, so all unwrapping is done here.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::error::{Kind, RegistryError};
use super::verifier::{NoRoots, is_authority_objection};

/// One exchange that brought no answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// What to tell the user.
    pub(super) kind: Kind,
    /// What the library, the system or the peer said.
    pub(super) detail: String,
    /// What it says about whether to try differently.
    pub(super) hint: Hint,
}

/// What a failure says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
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
    /// A failure that no other attempt would cure.
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Failure {
        Failure { kind, detail: detail.into(), hint: Hint::None }
    }

    fn hinting(self, hint: Hint) -> Failure {
        Failure { hint, ..self }
    }

    /// The error to report, of a registry and a request.
    pub(super) fn into_error(self, registry: &str, request: impl Into<String>) -> RegistryError {
        RegistryError::new(self.kind, registry, self.detail).at(request)
    }

    /// Sorts an error of an exchange.
    pub(super) fn of(error: ureq::Error) -> Failure {
        match error {
            ureq::Error::Other(other) => match other.downcast::<Unconnected>() {
                Ok(unconnected) => of_connection(*unconnected),
                Err(other) => Failure::new(Kind::Connect, other.to_string()),
            },
            ureq::Error::Io(error) => of_io(&error),
            ureq::Error::Timeout(step) => Failure::new(Kind::Timeout, timed_out(step)),
            ureq::Error::ConnectProxyFailed(why) => Failure::new(Kind::Proxy, why).hinting(Hint::NoListener),
            ureq::Error::HostNotFound => Failure::new(Kind::Resolve, "it has no address"),
            ureq::Error::LargeResponseHeader(..) => Failure::new(Kind::Protocol, "the head of its answer is too large"),
            ureq::Error::Protocol(error) => Failure::new(Kind::Protocol, format!("not HTTP/1.1: {error}")),
            error => Failure::new(Kind::Protocol, error.to_string()),
        }
    }

    /// Sorts an error met while a body was read. The head was there, so it is never a reason to try again.
    pub(super) fn of_body(error: io::Error) -> Failure {
        let failure = Failure::of(ureq::Error::from(error));
        let detail = match failure.hint {
            Hint::NoAnswer => "the connection ended in the middle of the answer".to_owned(),
            _ => failure.detail,
        };
        Failure::new(failure.kind, detail)
    }
}

/// Why there is no connection; carried through the HTTP library inside its own error.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// The name does not resolve.
    Resolve { host: String, error: io::Error },
    /// No TCP connection.
    Tcp(io::Error),
    /// No TCP connection in time.
    Slow,
    /// TCP, but no TLS.
    Tls(io::Error),
    /// The proxy itself cannot be reached, for one of the other reasons.
    Proxy(Box<Unconnected>),
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unconnected::Resolve { host, error } => write!(f, "{host}: {error}"),
            Unconnected::Tcp(error) | Unconnected::Tls(error) => error.fmt(f),
            Unconnected::Slow => f.write_str("no connection in time"),
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
        Unconnected::Resolve { .. } => Failure::new(Kind::Resolve, text),
        Unconnected::Tcp(_) => Failure::new(Kind::Connect, text).hinting(Hint::NoListener),
        Unconnected::Slow => Failure::new(Kind::Timeout, text).hinting(Hint::NoListener),
        Unconnected::Tls(error) => of_handshake(&error),
        Unconnected::Proxy(inner) => {
            let inner = of_connection(*inner).detail;
            Failure::new(Kind::Proxy, inner).hinting(Hint::NoListener)
        }
    }
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
        return Failure::new(Kind::Connect, detail).hinting(Hint::NoAnswer);
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
    fn a_body_cut_short_is_never_a_reason_to_ask_again() {
        let failure = Failure::of_body(io::ErrorKind::UnexpectedEof.into());
        assert_eq!((failure.kind, failure.hint), (Kind::Connect, Hint::None));
        assert!(failure.detail.contains("middle"));
    }
}
