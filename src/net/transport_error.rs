//! Failures without a response: the errors of the HTTP and TLS libraries, sorted into the kinds that a user can act on.
//!
//! The libraries wrap errors differently at each stage, so all unwrapping is done here.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::io_message::io_message;
use crate::net::error::{ContactedServer, FailedRequest, RegistryError, RegistryErrorKind, Retryable};
use crate::net::tls::verifier::{NoTrustAnchors, is_ca_as_end_entity};

/// The error of a request without a response.
#[derive(Debug)]
pub(crate) struct TransportError {
    /// The kind for the user.
    pub(crate) kind: RegistryErrorKind,
    /// The message of the library, the system or the peer.
    pub(crate) message: String,
    /// Whether another attempt should differ.
    pub(crate) symptom: Symptom,
    /// Whether the same request may succeed later.
    pub(crate) retryable: Retryable,
    /// Whether a byte of a request was, or may have been, sent.
    pub(crate) maybe_sent: bool,
    /// Whether the message contains text of the peer, which may repeat a secret.
    pub(crate) message_may_hold_secret: bool,
    /// The status with which a proxy refused to connect.
    pub(crate) proxy_status: Option<u16>,
    /// The server that was contacted, if it is not the one of the request's URL.
    pub(crate) contacted_server: Option<ContactedServer>,
}

/// What was seen of the peer, as far as another attempt depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symptom {
    /// The peer answered the TLS handshake with something else than TLS.
    NotTls,
    /// The peer closed the connection during the TLS handshake.
    ClosedInHandshake,
    /// No process listens there, or the proxy does not lead there.
    Unreachable,
    /// The connection ended before a byte of the response arrived.
    NoResponse,
    /// None of these.
    Other,
}

impl Symptom {
    /// Whether there may be plain HTTP where there is no TLS.
    pub(crate) fn may_speak_plain_http(self) -> bool {
        matches!(self, Symptom::NotTls | Symptom::ClosedInHandshake | Symptom::Unreachable)
    }
}

impl TransportError {
    /// A failure of a request that was sent, which a repeat would not change.
    pub(crate) fn new(kind: RegistryErrorKind, message: impl Into<String>) -> TransportError {
        TransportError {
            kind,
            message: message.into(),
            symptom: Symptom::Other,
            retryable: Retryable::Never,
            maybe_sent: true,
            message_may_hold_secret: false,
            proxy_status: None,
            contacted_server: None,
        }
    }

    /// A failure before anything was sent.
    pub(crate) fn unsent(kind: RegistryErrorKind, message: impl Into<String>) -> TransportError {
        TransportError { maybe_sent: false, ..TransportError::new(kind, message) }
    }

    /// Marks the failure as temporary.
    fn marked_retryable(self) -> TransportError {
        TransportError { retryable: if self.maybe_sent { Retryable::IfRepeatable } else { Retryable::Unsent }, ..self }
    }

    fn with_symptom(self, symptom: Symptom) -> TransportError {
        TransportError { symptom, ..self }
    }

    fn with_possible_secret(self) -> TransportError {
        TransportError { message_may_hold_secret: true, ..self }
    }

    /// The error for a registry and a request.
    pub(crate) fn into_error(self, registry: &str, request: FailedRequest) -> RegistryError {
        let contacted_server = self.contacted_server.or(request.contacted_server);
        let request = FailedRequest { contacted_server, ..request };
        let error =
            RegistryError::new(self.kind, registry, self.message).with_request(request).with_retryable(self.retryable);
        RegistryError { status: self.proxy_status, ..error }
    }

    /// This failure over plain HTTP, or the previous one over TLS if no process listens for plain HTTP.
    pub(crate) fn or_tls_error_if_unreachable(self, tls_error: TransportError) -> TransportError {
        if self.symptom == Symptom::Unreachable && tls_error.symptom != Symptom::NotTls { tls_error } else { self }
    }

    /// Sorts an error of a request.
    pub(crate) fn from_ureq(error: ureq::Error) -> TransportError {
        match error {
            ureq::Error::Other(other) => match other.downcast::<ConnectError>() {
                Ok(unconnected) => from_connect_error(*unconnected),
                Err(other) => TransportError::new(RegistryErrorKind::Connect, other.to_string()),
            },
            ureq::Error::Io(error) => from_io_error(&error),
            ureq::Error::Timeout(step @ ureq::Timeout::Connect) => {
                TransportError::unsent(RegistryErrorKind::Timeout, timeout_detail(step)).marked_retryable()
            }
            ureq::Error::Timeout(step) => TransportError::new(RegistryErrorKind::Timeout, timeout_detail(step)),
            ureq::Error::ConnectProxyFailed(reason) => {
                // The library has the status in its text only: `proxy server responded 407/407`.
                let proxy_status = reason.rsplit_once('/').and_then(|(_, status)| status.parse().ok());
                TransportError {
                    proxy_status,
                    ..TransportError::unsent(RegistryErrorKind::Proxy, reason)
                        .with_symptom(Symptom::Unreachable)
                        .with_possible_secret()
                }
            }
            ureq::Error::HostNotFound => TransportError::unsent(RegistryErrorKind::HostNotFound, "it has no address"),
            ureq::Error::LargeResponseHeader(..) => {
                TransportError::new(RegistryErrorKind::Protocol, "the head of its answer is too large")
            }
            ureq::Error::Protocol(error) => {
                TransportError::new(RegistryErrorKind::Protocol, format!("not HTTP/1.1: {error}"))
                    .with_possible_secret()
            }
            error => TransportError::new(RegistryErrorKind::Protocol, error.to_string()).with_possible_secret(),
        }
    }

    /// Sorts an error during the read of a body. The head arrived, so the error does not depend on the connection's
    /// age; a body that was cut short may be complete the next time.
    pub(crate) fn from_body_read(error: io::Error) -> TransportError {
        let transport_error = TransportError::from_ureq(ureq::Error::from(error));
        match transport_error.symptom {
            Symptom::NoResponse => {
                TransportError::new(transport_error.kind, "the connection ended in the middle of the answer")
                    .marked_retryable()
            }
            _ => TransportError::new(transport_error.kind, transport_error.message),
        }
    }
}

/// Why there is no connection. Passed through the HTTP library inside its own error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The name does not resolve.
    #[error("{host}: {}", io_message(error))]
    Resolve { host: String, error: Arc<io::Error> },
    /// The TCP connection failed.
    #[error("{}", io_message(.0))]
    Tcp(io::Error),
    /// The TCP connection was not made in time.
    #[error("no connection in time")]
    TimedOut,
    /// The TLS handshake failed.
    #[error("{}", io_message(.0))]
    Tls(io::Error),
    /// An address that the registry must not name.
    #[error("the private address {0} was named by a registry that is at a public one")]
    PrivateAddress(IpAddr),
    /// The proxy cannot be reached, for one of the other reasons.
    #[error("the proxy: {0}")]
    Proxy(Box<ConnectError>),
}

impl From<ConnectError> for ureq::Error {
    fn from(error: ConnectError) -> ureq::Error {
        ureq::Error::Other(Box::new(error))
    }
}

fn from_connect_error(error: ConnectError) -> TransportError {
    let text = error.to_string();
    match error {
        ConnectError::Resolve { .. } => TransportError::unsent(RegistryErrorKind::HostNotFound, text),
        ConnectError::PrivateAddress(_) => TransportError::unsent(RegistryErrorKind::Protocol, text),
        ConnectError::Tcp(error) => {
            let refused = TransportError::unsent(RegistryErrorKind::Connect, text).with_symptom(Symptom::Unreachable);
            if may_be_starting(&error) { refused.marked_retryable() } else { refused }
        }
        ConnectError::TimedOut => TransportError::unsent(RegistryErrorKind::Timeout, text)
            .with_symptom(Symptom::Unreachable)
            .marked_retryable(),
        ConnectError::Tls(error) => {
            let failed = TransportError { maybe_sent: false, ..from_handshake_error(&error) };
            if failed.symptom == Symptom::ClosedInHandshake { failed.marked_retryable() } else { failed }
        }
        ConnectError::Proxy(inner) => {
            let TransportError { message, retryable, .. } = from_connect_error(*inner);
            TransportError {
                retryable,
                ..TransportError::unsent(RegistryErrorKind::Proxy, message).with_symptom(Symptom::Unreachable)
            }
        }
    }
}

/// Whether the host exists and refused the connection, as a server does that is just starting. A missing route stays
/// missing.
fn may_be_starting(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | TimedOut)
}

fn from_handshake_error(error: &io::Error) -> TransportError {
    match tls_error(error) {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => TransportError::new(RegistryErrorKind::PlainHttp, "its answer to a TLS handshake is no TLS")
            .with_symptom(Symptom::NotTls),
        Some(error) => from_tls_error(error),
        None if is_disconnect(error) => {
            TransportError::new(RegistryErrorKind::Connect, "the connection was closed during the TLS handshake")
                .with_symptom(Symptom::ClosedInHandshake)
        }
        None => TransportError::new(RegistryErrorKind::Connect, format!("TLS handshake: {}", io_message(error))),
    }
}

fn from_io_error(error: &io::Error) -> TransportError {
    if let Some(error) = tls_error(error) {
        return from_tls_error(error);
    }
    if is_disconnect(error) {
        let detail = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed before an answer came".to_owned(),
            _ => io_message(error),
        };
        return TransportError::new(RegistryErrorKind::Connect, detail)
            .with_symptom(Symptom::NoResponse)
            .marked_retryable();
    }
    match error.kind() {
        io::ErrorKind::TimedOut => TransportError::new(RegistryErrorKind::Timeout, io_message(error)),
        _ => TransportError::new(RegistryErrorKind::Connect, io_message(error)),
    }
}

fn is_disconnect(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}

fn from_tls_error(error: &rustls::Error) -> TransportError {
    use AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            TransportError::new(certificate_error_kind(reason), certificate_detail(reason))
        }
        rustls::Error::NoCertificatesPresented => {
            TransportError::new(RegistryErrorKind::CertificateInvalid, "it showed none")
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
        ) => TransportError::new(
            RegistryErrorKind::ClientCertificate,
            format!("it ended the TLS handshake with {alert:?}"),
        ),
        // TLS 1.2 servers that require a client certificate send this, among others. The transport knows more.
        rustls::Error::AlertReceived(Alert::HandshakeFailure) => {
            TransportError::new(RegistryErrorKind::Connect, format!("TLS: {error}")).with_symptom(Symptom::NoResponse)
        }
        rustls::Error::Other(other) if other.0.is::<NoTrustAnchors>() => {
            TransportError::new(RegistryErrorKind::TlsFiles, other.0.to_string())
        }
        error => TransportError::new(RegistryErrorKind::Connect, format!("TLS: {error}")),
    }
}

/// Whether a further authority would help.
fn certificate_error_kind(reason: &CertificateError) -> RegistryErrorKind {
    match reason {
        CertificateError::UnknownIssuer => RegistryErrorKind::CertificateUntrusted,
        _ if is_ca_as_end_entity(reason) => RegistryErrorKind::CertificateUntrusted,
        _ => RegistryErrorKind::CertificateInvalid,
    }
}

fn certificate_detail(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => "it is signed by an unknown authority".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<&str> = presented.iter().map(|name| presented_name(name)).collect();
            format!("it is for another name: {}, not {}", presented.join(", "), expected.to_str())
        }
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        CertificateError::BadSignature => "its signature is wrong".to_owned(),
        CertificateError::Other(_) if is_ca_as_end_entity(reason) => {
            "it is an authority's own, and is not among those that are trusted".to_owned()
        }
        other => other.to_string(),
    }
}

/// The name in `DnsName("x")`, as rustls lists names.
fn presented_name(name: &str) -> &str {
    name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name).trim_matches('"')
}

fn timeout_detail(step: ureq::Timeout) -> String {
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
