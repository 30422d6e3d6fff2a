//! What can go wrong between here and a registry, as data.
//!
//! Docker says `no such manifest` for most of these; the kinds here keep them apart so that `report` can say what to do
//! about each, and scripts can branch on it. The text of an error never holds a secret: URLs are without user
//! information and query values that could carry a token.

use std::fmt;
use std::time::SystemTime;

use crate::plain;

/// What went wrong, as far as a user's next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The registry says that the manifest, blob or repository is not there (404).
    NotFound,
    /// The registry, or its token server, wants credentials, and there are none (401).
    Unauthorized,
    /// The registry, or its token server, refuses the credentials that there are (401).
    LoginRefused,
    /// The same of the login that the command line gave.
    GivenLoginRefused,
    /// The credentials are known and not enough (403).
    Forbidden,
    /// Too many requests (429).
    RateLimited,
    /// The registry refuses what was sent (another 4xx).
    Refused,
    /// The registry fails (5xx).
    Server,
    /// TLS was expected and the registry speaks plain HTTP.
    PlainHttp,
    /// Nobody who is known here stands for the registry's certificate.
    Certificate,
    /// The registry's certificate is not good, whoever stands for it: another name, expired, broken.
    CertificateUnfit,
    /// The registry asks for a client certificate, or refuses the one that it was given.
    ClientCertificate,
    /// A file in certs.d, or the system's roots, cannot be used. The detail names the file.
    TlsFiles,
    /// The host's name does not resolve.
    Resolve,
    /// No connection, or one that broke.
    Connect,
    /// A step took longer than its time-out.
    Timeout,
    /// The proxy refuses or cannot be understood.
    Proxy,
    /// A credential helper or config.json failed. The detail names it.
    Credentials,
    /// What came does not match its digest or its size.
    Verification,
    /// An answer outside the protocol: no JSON, too large, a redirect loop, a header that is missing.
    Protocol,
}

/// One failed exchange: its kind, whom it was with, and the other side's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// What went wrong.
    pub kind: Kind,
    /// The registry's host as the reference names it (`docker.io`, `h:5000`).
    pub registry: String,
    /// The request, `GET https://h/v2/…`, without secrets; `None` where none was sent.
    pub request: Option<String>,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// The registry's own words in docker's form (`manifest unknown: manifest unknown`), or what the
    /// operating system, the TLS library or the helper said. Never empty.
    pub detail: String,
    /// How often it was tried: more than once only where another try might have helped, and did not.
    pub tries: u32,
    /// Whether another try may help.
    pub(super) again: Again,
}

/// Whether what failed may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Again {
    /// It would fail again.
    #[default]
    Never,
    /// Yes, and nothing of the request was sent.
    Unsent,
    /// Yes, but the request may have had its effect.
    Repeatable,
    /// The registry answered that it could not do it now, and maybe when it could.
    Later(Option<After>),
}

/// A `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// So many seconds from now.
    Seconds(u64),
    /// Not before this.
    At(SystemTime),
}

impl RegistryError {
    /// An error with no request of its own.
    pub fn new(kind: Kind, registry: impl Into<String>, detail: impl Into<String>) -> RegistryError {
        RegistryError {
            kind,
            registry: registry.into(),
            request: None,
            status: None,
            detail: detail.into(),
            tries: 1,
            again: Again::Never,
        }
    }

    /// The same error, said of this request.
    pub fn at(mut self, request: impl Into<String>) -> RegistryError {
        self.request = Some(request.into());
        self
    }

    /// The same error, with the status that was answered.
    pub fn with_status(mut self, status: u16) -> RegistryError {
        self.status = Some(status);
        self
    }

    /// The same error, with whether another try may help.
    pub(super) fn with_again(mut self, again: Again) -> RegistryError {
        self.again = again;
        self
    }
}

impl fmt::Display for RegistryError {
    /// One line: what happened, where, and the other side's words. What to do next is `report`'s to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.write(f, &self.registry, &plain::word(&self.detail))?;
        if self.tries > 1 { write!(f, " (tried {} times)", self.tries) } else { Ok(()) }
    }
}

impl Kind {
    fn write(self, f: &mut fmt::Formatter<'_>, registry: &str, detail: &str) -> fmt::Result {
        match self {
            Kind::NotFound => write!(f, "{registry} does not have it: {detail}"),
            Kind::Unauthorized => write!(f, "unauthorized: {registry} wants a login: {detail}"),
            Kind::LoginRefused => {
                write!(f, "unauthorized: {registry} refuses the login that docker has for it: {detail}")
            }
            Kind::GivenLoginRefused => {
                write!(f, "unauthorized: {registry} refuses the login that was given: {detail}")
            }
            Kind::Forbidden => write!(f, "denied: {registry} refuses access: {detail}"),
            Kind::RateLimited => write!(f, "too many requests: {registry} asks to slow down: {detail}"),
            Kind::Refused => write!(f, "{registry} refuses the request: {detail}"),
            Kind::Server => write!(f, "{registry} failed: {detail}"),
            Kind::PlainHttp => write!(f, "{registry} speaks plain HTTP, not HTTPS: {detail}"),
            Kind::Certificate | Kind::CertificateUnfit => {
                write!(f, "the certificate of {registry} is not trusted: {detail}")
            }
            Kind::ClientCertificate => write!(f, "{registry} wants a client certificate: {detail}"),
            Kind::TlsFiles => write!(f, "certificates for {registry} cannot be used: {detail}"),
            Kind::Resolve => write!(f, "the name of {registry} does not resolve: {detail}"),
            Kind::Connect => write!(f, "cannot reach {registry}: {detail}"),
            Kind::Timeout => write!(f, "{registry} does not answer in time: {detail}"),
            Kind::Proxy => write!(f, "the proxy for {registry} cannot be used: {detail}"),
            Kind::Credentials => write!(f, "credentials for {registry} cannot be read: {detail}"),
            Kind::Verification => write!(f, "{registry} served something else than was asked for: {detail}"),
            Kind::Protocol => write!(f, "{registry} answered outside the protocol: {detail}"),
        }
    }
}

impl std::error::Error for RegistryError {}
