//! Failures without a response: the errors of the HTTP and TLS libraries, sorted into the kinds that a user can act on.
//!
//! The libraries wrap errors differently at each stage, so all unwrapping is done here.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::net::error::{Address, FailedRequest, RegistryError, RegistryErrorKind, Retryable};
use crate::net::tls::verifier::{NoAuthorities, is_authority_objection};
use crate::sanitize::io_error;

/// A request without a response.
#[derive(Debug)]
pub(crate) struct TransportFailure {
    /// The kind for the user.
    pub(crate) kind: RegistryErrorKind,
    /// The message of the library, the system or the peer.
    pub(crate) detail: String,
    /// Whether another attempt should differ.
    pub(crate) hint: FailureHint,
    /// Whether the same request may succeed later.
    pub(crate) again: Retryable,
    /// Whether a byte of a request was, or may have been, sent.
    pub(crate) sent: bool,
    /// Whether the detail contains text of the peer, which may repeat a secret.
    pub(crate) quotes: bool,
    /// The status with which a proxy refused to connect.
    pub(crate) status: Option<u16>,
    /// The server that was contacted, if it is not the one of the request's URL.
    pub(crate) address: Option<Address>,
}

/// What a failure says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureHint {
    /// The peer answered the TLS handshake with something else than TLS.
    NoTls,
    /// The peer closed the connection during the TLS handshake.
    NoHandshake,
    /// No process listens there, or the proxy does not lead there.
    NoListener,
    /// The connection ended before a byte of the response arrived.
    NoAnswer,
    /// None of these.
    None,
}

impl FailureHint {
    /// Whether there may be plain HTTP where there is no TLS.
    pub(crate) fn is_without_tls(self) -> bool {
        matches!(self, FailureHint::NoTls | FailureHint::NoHandshake | FailureHint::NoListener)
    }
}

impl TransportFailure {
    /// A failure of a request that was sent, which a repeat would not change.
    pub(crate) fn new(kind: RegistryErrorKind, detail: impl Into<String>) -> TransportFailure {
        TransportFailure {
            kind,
            detail: detail.into(),
            hint: FailureHint::None,
            again: Retryable::Never,
            sent: true,
            quotes: false,
            status: None,
            address: None,
        }
    }

    /// A failure before anything was sent.
    pub(crate) fn unsent(kind: RegistryErrorKind, detail: impl Into<String>) -> TransportFailure {
        TransportFailure { sent: false, ..TransportFailure::new(kind, detail) }
    }

    /// Marks the failure as temporary.
    fn passing(self) -> TransportFailure {
        TransportFailure { again: if self.sent { Retryable::Repeatable } else { Retryable::Unsent }, ..self }
    }

    fn hinting(self, hint: FailureHint) -> TransportFailure {
        TransportFailure { hint, ..self }
    }

    fn quoting(self) -> TransportFailure {
        TransportFailure { quotes: true, ..self }
    }

    /// The error for a registry and a request.
    pub(crate) fn into_error(self, registry: &str, request: FailedRequest) -> RegistryError {
        let address = self.address.or(request.address);
        let request = FailedRequest { address, ..request };
        let error = RegistryError::new(self.kind, registry, self.detail).at(request).with_again(self.again);
        RegistryError { status: self.status, ..error }
    }

    /// This failure over plain HTTP, or the previous one over TLS if no process listens for plain HTTP.
    pub(crate) fn unless_no_listener(self, secure: TransportFailure) -> TransportFailure {
        if self.hint == FailureHint::NoListener && secure.hint != FailureHint::NoTls { secure } else { self }
    }

    /// Sorts an error of a request.
    pub(crate) fn of(error: ureq::Error) -> TransportFailure {
        match error {
            ureq::Error::Other(other) => match other.downcast::<ConnectError>() {
                Ok(unconnected) => of_connection(*unconnected),
                Err(other) => TransportFailure::new(RegistryErrorKind::Connect, other.to_string()),
            },
            ureq::Error::Io(error) => of_io(&error),
            ureq::Error::Timeout(step @ ureq::Timeout::Connect) => {
                TransportFailure::unsent(RegistryErrorKind::Timeout, timed_out(step)).passing()
            }
            ureq::Error::Timeout(step) => TransportFailure::new(RegistryErrorKind::Timeout, timed_out(step)),
            ureq::Error::ConnectProxyFailed(why) => {
                // The library has the status in its text only: `proxy server responded 407/407`.
                let status = why.rsplit_once('/').and_then(|(_, status)| status.parse().ok());
                TransportFailure {
                    status,
                    ..TransportFailure::unsent(RegistryErrorKind::Proxy, why).hinting(FailureHint::NoListener).quoting()
                }
            }
            ureq::Error::HostNotFound => TransportFailure::unsent(RegistryErrorKind::Resolve, "it has no address"),
            ureq::Error::LargeResponseHeader(..) => {
                TransportFailure::new(RegistryErrorKind::Protocol, "the head of its answer is too large")
            }
            ureq::Error::Protocol(error) => {
                TransportFailure::new(RegistryErrorKind::Protocol, format!("not HTTP/1.1: {error}")).quoting()
            }
            error => TransportFailure::new(RegistryErrorKind::Protocol, error.to_string()).quoting(),
        }
    }

    /// Sorts an error during the read of a body. The head arrived, so the error does not depend on the connection's
    /// age; a body that was cut short may be complete the next time.
    pub(crate) fn of_body(error: io::Error) -> TransportFailure {
        let failure = TransportFailure::of(ureq::Error::from(error));
        match failure.hint {
            FailureHint::NoAnswer => {
                TransportFailure::new(failure.kind, "the connection ended in the middle of the answer").passing()
            }
            _ => TransportFailure::new(failure.kind, failure.detail),
        }
    }
}

/// Why there is no connection. Passed through the HTTP library inside its own error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The name does not resolve.
    #[error("{host}: {}", io_error(error))]
    Resolve { host: String, error: Arc<io::Error> },
    /// The TCP connection failed.
    #[error("{}", io_error(.0))]
    Tcp(io::Error),
    /// The TCP connection was not made in time.
    #[error("no connection in time")]
    Slow,
    /// The TLS handshake failed.
    #[error("{}", io_error(.0))]
    Tls(io::Error),
    /// An address that the registry must not name.
    #[error("the private address {0} was named by a registry that is at a public one")]
    Private(IpAddr),
    /// The proxy cannot be reached, for one of the other reasons.
    #[error("the proxy: {0}")]
    Proxy(Box<ConnectError>),
}

impl From<ConnectError> for ureq::Error {
    fn from(error: ConnectError) -> ureq::Error {
        ureq::Error::Other(Box::new(error))
    }
}

fn of_connection(error: ConnectError) -> TransportFailure {
    let text = error.to_string();
    match error {
        ConnectError::Resolve { .. } => TransportFailure::unsent(RegistryErrorKind::Resolve, text),
        ConnectError::Private(_) => TransportFailure::unsent(RegistryErrorKind::Protocol, text),
        ConnectError::Tcp(error) => {
            let failure = TransportFailure::unsent(RegistryErrorKind::Connect, text).hinting(FailureHint::NoListener);
            if is_refusal(&error) { failure.passing() } else { failure }
        }
        ConnectError::Slow => {
            TransportFailure::unsent(RegistryErrorKind::Timeout, text).hinting(FailureHint::NoListener).passing()
        }
        ConnectError::Tls(error) => {
            let failure = TransportFailure { sent: false, ..of_handshake(&error) };
            if failure.hint == FailureHint::NoHandshake { failure.passing() } else { failure }
        }
        ConnectError::Proxy(inner) => {
            let TransportFailure { detail, again, .. } = of_connection(*inner);
            TransportFailure {
                again,
                ..TransportFailure::unsent(RegistryErrorKind::Proxy, detail).hinting(FailureHint::NoListener)
            }
        }
    }
}

/// Whether the host exists and refused the connection, as a server does that is just starting. A missing route stays
/// missing.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | TimedOut)
}

fn of_handshake(error: &io::Error) -> TransportFailure {
    match tls_error(error) {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => TransportFailure::new(RegistryErrorKind::PlainHttp, "its answer to a TLS handshake is no TLS")
            .hinting(FailureHint::NoTls),
        Some(error) => of_tls(error),
        None if is_hangup(error) => {
            TransportFailure::new(RegistryErrorKind::Connect, "the connection was closed during the TLS handshake")
                .hinting(FailureHint::NoHandshake)
        }
        None => TransportFailure::new(RegistryErrorKind::Connect, format!("TLS handshake: {}", io_error(error))),
    }
}

fn of_io(error: &io::Error) -> TransportFailure {
    if let Some(error) = tls_error(error) {
        return of_tls(error);
    }
    if is_hangup(error) {
        let detail = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed before an answer came".to_owned(),
            _ => io_error(error),
        };
        return TransportFailure::new(RegistryErrorKind::Connect, detail).hinting(FailureHint::NoAnswer).passing();
    }
    match error.kind() {
        io::ErrorKind::TimedOut => TransportFailure::new(RegistryErrorKind::Timeout, io_error(error)),
        _ => TransportFailure::new(RegistryErrorKind::Connect, io_error(error)),
    }
}

fn is_hangup(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}

fn of_tls(error: &rustls::Error) -> TransportFailure {
    use AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(why) => TransportFailure::new(objection(why), certificate(why)),
        rustls::Error::NoCertificatesPresented => {
            TransportFailure::new(RegistryErrorKind::CertificateUnfit, "it showed none")
        }
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
        ) => TransportFailure::new(
            RegistryErrorKind::ClientCertificate,
            format!("it ended the TLS handshake with {alert:?}"),
        ),
        // TLS 1.2 servers that require a client certificate send this, among others. The transport knows more.
        rustls::Error::AlertReceived(Alert::HandshakeFailure) => {
            TransportFailure::new(RegistryErrorKind::Connect, format!("TLS: {error}")).hinting(FailureHint::NoAnswer)
        }
        rustls::Error::Other(other) if other.0.is::<NoAuthorities>() => {
            TransportFailure::new(RegistryErrorKind::TlsFiles, other.0.to_string())
        }
        error => TransportFailure::new(RegistryErrorKind::Connect, format!("TLS: {error}")),
    }
}

/// Whether a further authority would help.
fn objection(why: &CertificateError) -> RegistryErrorKind {
    match why {
        CertificateError::UnknownIssuer => RegistryErrorKind::Certificate,
        _ if is_authority_objection(why) => RegistryErrorKind::Certificate,
        _ => RegistryErrorKind::CertificateUnfit,
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
            "it is an authority's own, and is not among those that are trusted".to_owned()
        }
        other => other.to_string(),
    }
}

/// The name in `DnsName("x")`, as rustls lists names.
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
#[path = "transport_error_tests.rs"]
mod tests;
