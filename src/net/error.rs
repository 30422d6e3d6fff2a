//! What can go wrong between here and a registry, as data.
//!
//! Docker says `no such manifest` for most of these; the kinds here keep them apart so that `report` can say what to do
//! about each, and scripts can branch on it. The text of an error never holds a secret: URLs are without user
//! information and query values that could carry a token.

use std::fmt;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::failure_kind::FailureKind;
use crate::sanitize;

/// What went wrong, as far as a user's next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegistryErrorKind {
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
    /// The quota of the account or the repository is used up (403).
    Quota,
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
    /// The name has no host that a registry could be at.
    NoHost,
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
    /// config.json begins with a byte order mark, which docker does not read either.
    ByteOrderMark,
    /// The body of an answer is larger than what is read.
    TooLarge,
    /// What came does not match its digest or its size.
    Verification,
    /// An answer outside the protocol: no JSON, too large, a redirect loop, a header that is missing.
    Protocol,
}

/// One failed exchange: its kind, whom it was with, and the other side's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// What went wrong.
    pub kind: RegistryErrorKind,
    /// The registry's host as the reference names it (`docker.io`, `h:5000`).
    pub registry: String,
    /// The request that failed; `None` where none was sent.
    pub request: Option<Box<FailedRequest>>,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// What the body of the answer holds beside its words.
    pub body: Option<Box<ErrorBody>>,
    /// The registry's own words in docker's form (`manifest unknown: manifest unknown`), or what the
    /// operating system, the TLS library or the helper said. Never empty.
    pub detail: String,
    /// How often it was tried: more than once only where another try might have helped, and did not.
    pub tries: u32,
    /// Whether another try may help.
    pub(crate) again: Retryable,
}

/// The request that failed, as it may be shown: there is nothing secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRequest {
    /// The method.
    pub method: &'static str,
    /// The URL without user information and without query values that could be secret.
    pub url: String,
    /// The repository's path in its registry, where the request is about one.
    pub repository: Option<String>,
    /// The tag or digest of the manifest that the request is about.
    pub reference: Option<String>,
    /// The digest of the blob that the request is about.
    pub blob: Option<String>,
    /// The server that was tried, where that is not simply what the registry's name says.
    pub address: Option<Address>,
}

/// The server that a request was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host and port: `https://h:5000`.
    pub origin: String,
    /// How it became known.
    pub source: AddressSource,
}

/// How the address of a request became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSource {
    /// It is what the registry's name stands for, as `registry-1.docker.io` is for `docker.io`.
    Name,
    /// The registry redirected the request.
    Redirect,
    /// The registry gave it as the place for an upload.
    Upload,
    /// The registry gave it as the place of the next page.
    NextPage,
    /// The registry named it as its token server.
    TokenServer,
}

/// What the body of an error answer holds, by the distribution specification, beside the words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The error codes in capitals, `MANIFEST_INVALID`, in the registry's order.
    pub codes: Vec<String>,
    /// The `detail` members as one line; `None` where there are none that say anything.
    pub detail: Option<String>,
    /// Whether an error says more than its code: it has a detail, or a message other than the words of the code.
    pub has_reason: bool,
}

impl FailedRequest {
    /// A request of which only the method and the URL are known.
    pub fn new(method: &'static str, url: impl fmt::Display) -> FailedRequest {
        let url = url.to_string();
        FailedRequest { method, url, repository: None, reference: None, blob: None, address: None }
    }

    /// Whether the request was to change what a registry has.
    pub fn is_write(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD")
    }
}

impl fmt::Display for FailedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

impl Address {
    /// Whether the registry gave it, so that it says nothing about the registry itself.
    pub fn is_given(&self) -> bool {
        self.source != AddressSource::Name
    }
}

/// Whether what failed may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Retryable {
    /// It would fail again.
    #[default]
    Never,
    /// Yes, and nothing of the request was sent.
    Unsent,
    /// Yes, but the request may have had its effect.
    Repeatable,
    /// The registry answered that it could not do it now, and maybe when it could.
    Later(Option<RetryAfter>),
}

/// A `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    /// So many seconds from now.
    Seconds(u64),
    /// Not before this.
    At(SystemTime),
}

impl RegistryError {
    /// An error with no request of its own.
    pub fn new(kind: RegistryErrorKind, registry: impl Into<String>, detail: impl Into<String>) -> RegistryError {
        RegistryError {
            kind,
            registry: registry.into(),
            request: None,
            status: None,
            body: None,
            detail: detail.into(),
            tries: 1,
            again: Retryable::Never,
        }
    }

    /// The same error, said of this request.
    pub fn at(mut self, request: FailedRequest) -> RegistryError {
        self.request = Some(Box::new(request));
        self
    }

    /// The same error, with what the body of the answer holds.
    pub fn with_body(mut self, body: ErrorBody) -> RegistryError {
        self.body = Some(Box::new(body)).filter(|body| **body != ErrorBody::default());
        self
    }

    /// The same error, said of this blob.
    pub(crate) fn of_blob(mut self, digest: &Digest) -> RegistryError {
        if let Some(request) = &mut self.request {
            request.blob = Some(digest.to_string());
        }
        self
    }

    /// What scripts see of it.
    pub fn failure_kind(&self) -> FailureKind {
        match (self.kind, self.status) {
            (RegistryErrorKind::Refused, Some(405)) => FailureKind::Unsupported,
            (RegistryErrorKind::Refused, Some(409 | 412)) => FailureKind::Conflict,
            _ => self.kind.description().0,
        }
    }

    /// The error codes that the registry gave.
    pub fn codes(&self) -> &[String] {
        self.body.as_ref().map_or(&[], |body| &body.codes)
    }

    /// The server that was tried, where that is not simply what the registry's name says.
    pub fn address(&self) -> Option<&Address> {
        self.request.as_ref()?.address.as_ref()
    }

    /// Whether the request was to change what a registry has.
    pub fn is_write(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.is_write())
    }

    /// Who failed, for kinds of failure of a server: the registry, or the address that it gave.
    fn server(&self) -> String {
        let registry = &self.registry;
        let Some(Address { origin, source }) = self.address() else { return registry.clone() };
        match source {
            AddressSource::Name => format!("{registry} at {origin}"),
            AddressSource::Redirect => format!("{origin} (where {registry} redirected the request)"),
            AddressSource::Upload => format!("{origin} (the upload address that {registry} gave)"),
            AddressSource::NextPage => format!("{origin} (the address of the next page that {registry} gave)"),
            AddressSource::TokenServer => format!("{origin} (the token server that {registry} named)"),
        }
    }

    /// The same error, with the status that was answered.
    pub fn with_status(mut self, status: u16) -> RegistryError {
        self.status = Some(status);
        self
    }

    /// The same error, with whether another try may help.
    pub(crate) fn with_again(mut self, again: Retryable) -> RegistryError {
        self.again = again;
        self
    }
}

impl fmt::Display for RegistryError {
    /// One line: what happened, where, and the other side's words. What to do next is `report`'s to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = sanitize::word(&self.detail);
        let (_, before, party, after) = self.kind.description();
        match party {
            _ if self.kind == RegistryErrorKind::NoHost => f.write_str(&detail)?,
            Party::Server => write!(f, "{before}{}{after}: {detail}", self.server())?,
            Party::Registry => write!(f, "{before}{}{after}: {detail}", self.registry)?,
        }
        if self.tries > 1 { write!(f, " (tried {} times)", self.tries) } else { Ok(()) }
    }
}

/// Whom a failure is about.
enum Party {
    /// The server that was tried: the registry, or one that it named.
    Server,
    /// The registry, whichever server was tried.
    Registry,
}

impl RegistryErrorKind {
    /// What scripts call the failure, and the words before and after the one that it is about.
    fn description(self) -> (FailureKind, &'static str, Party, &'static str) {
        use Party::{Registry, Server};
        use RegistryErrorKind as Kind;
        match self {
            Kind::NotFound => (FailureKind::Missing, "", Server, " does not have it"),
            Kind::Unauthorized => (FailureKind::Auth, "unauthorized: ", Registry, " wants a login"),
            Kind::LoginRefused => {
                (FailureKind::Auth, "unauthorized: ", Registry, " refuses the login that docker has for it")
            }
            Kind::GivenLoginRefused => {
                (FailureKind::Auth, "unauthorized: ", Registry, " refuses the login that was given")
            }
            Kind::Forbidden => (FailureKind::Denied, "denied: ", Server, " refuses access"),
            Kind::Quota => (FailureKind::Denied, "denied: ", Server, " has no room left for it"),
            Kind::RateLimited => (FailureKind::RateLimited, "too many requests: ", Server, " asks to slow down"),
            Kind::Refused => (FailureKind::Refused, "", Server, " refuses the request"),
            Kind::Server => (FailureKind::Server, "", Server, " failed"),
            Kind::PlainHttp => (FailureKind::PlainHttp, "", Server, " speaks plain HTTP, not HTTPS"),
            Kind::Certificate | Kind::CertificateUnfit => {
                (FailureKind::Tls, "the certificate of ", Server, " is not trusted")
            }
            Kind::ClientCertificate => (FailureKind::Tls, "", Server, " wants a client certificate"),
            Kind::TlsFiles => (FailureKind::Tls, "certificates for ", Registry, " cannot be used"),
            // The detail says it all.
            Kind::NoHost => (FailureKind::Network, "", Registry, ""),
            Kind::Resolve => (FailureKind::Network, "the name of ", Server, " does not resolve"),
            Kind::Connect => (FailureKind::Network, "cannot reach ", Server, ""),
            Kind::Timeout => (FailureKind::Timeout, "", Server, " does not answer in time"),
            Kind::Proxy => (FailureKind::Proxy, "the proxy for ", Server, " cannot be used"),
            Kind::TooLarge => (FailureKind::Protocol, "", Server, " answered with too much"),
            Kind::Credentials | Kind::ByteOrderMark => {
                (FailureKind::Credentials, "credentials for ", Registry, " cannot be read")
            }
            Kind::Verification => (FailureKind::Verification, "", Server, " served something else than was asked for"),
            Kind::Protocol => (FailureKind::Protocol, "", Server, " answered outside the protocol"),
        }
    }
}

impl std::error::Error for RegistryError {}
