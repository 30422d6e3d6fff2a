//! The errors of requests to registries, as data.
//!
//! Docker prints `no such manifest` for most of them. The kinds here are separate so that `report` can add a hint to
//! each, and scripts can distinguish them. The text of an error never contains a secret: URLs are without user
//! information, and without query values that could carry a token.

use std::fmt;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::failure_kind::FailureKind;
use crate::sanitize;

/// What went wrong, as far as the user's next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegistryErrorKind {
    /// The registry does not have the manifest, blob or repository (404).
    NotFound,
    /// The registry, or its token server, requires credentials, and there are none (401).
    Unauthorized,
    /// The registry, or its token server, refuses the credentials (401).
    LoginRefused,
    /// The same for the login of the command line.
    CommandLineLoginRefused,
    /// The credentials are valid and lack a right (403).
    Forbidden,
    /// The quota of the account or the repository is used up (403).
    Quota,
    /// Too many requests (429).
    RateLimited,
    /// The registry refuses the content or the request (another 4xx).
    RequestRefused,
    /// The registry failed (5xx).
    Server,
    /// TLS was expected and the registry speaks plain HTTP.
    PlainHttp,
    /// No known authority signed the registry's certificate.
    CertificateUntrusted,
    /// The registry's certificate is not valid, and no further authority would help: another name, expired, malformed.
    CertificateInvalid,
    /// The registry requires a client certificate, or refuses the one that was sent.
    ClientCertificate,
    /// A file in certs.d, or the system's roots, cannot be used. The message names the file.
    TlsFiles,
    /// The name has no registry host, because a host with an underscore is read as a part of the repository.
    NoHost,
    /// The name of the host does not resolve, or is no valid host with a port.
    HostNotFound,
    /// No connection could be made, or it broke.
    Connect,
    /// A step exceeded its time limit.
    Timeout,
    /// The proxy refuses the request, or its setting is not valid.
    Proxy,
    /// A credential helper or config.json failed. The message names it.
    Credentials,
    /// config.json begins with a byte order mark. Docker cannot read it either.
    ByteOrderMark,
    /// The body of a response exceeds the limit.
    ResponseTooLarge,
    /// The content does not match its digest or its size.
    Verification,
    /// A response outside the protocol: no JSON, a redirect loop, a missing header.
    Protocol,
}

/// One failed request: its kind, the registry, and the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// What went wrong.
    pub kind: RegistryErrorKind,
    /// The registry's host as the reference names it (`docker.io`, `h:5000`).
    pub registry: String,
    /// The request that failed; `None` if none was sent.
    pub request: Option<Box<FailedRequest>>,
    /// The HTTP status of the response, if there was one.
    pub status: Option<u16>,
    /// The error codes and details of the response's body.
    pub body: Option<Box<ErrorBody>>,
    /// The registry's own message in docker's form (`manifest unknown: manifest unknown`), or that of the operating
    /// system, the TLS library or the helper. Never empty.
    pub message: String,
    /// The number of attempts. More than one only if a retry might have helped.
    pub attempts: u32,
    /// Whether a retry may help.
    pub(crate) retryable: Retryable,
}

/// The request that failed, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRequest {
    /// The method.
    pub method: &'static str,
    /// The URL without user information and without query values that could be secret.
    pub url: String,
    /// The repository's path in its registry, if the request concerns one.
    pub repository: Option<String>,
    /// The tag or digest of the manifest that the request concerns.
    pub reference: Option<String>,
    /// The digest of the blob that the request concerns.
    pub blob: Option<String>,
    /// The server that was contacted, if the registry's name does not say it.
    pub contacted_server: Option<ContactedServer>,
}

/// The server that a request was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactedServer {
    /// Scheme, host and port: `https://h:5000`.
    pub origin: String,
    /// What named it.
    pub named_by: ServerNamedBy,
}

/// What named the server that a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerNamedBy {
    /// The registry's name stands for it, as `docker.io` for `registry-1.docker.io`.
    RegistryName,
    /// The registry redirected the request.
    Redirect,
    /// The registry named it as the `Location` of an upload.
    UploadLocation,
    /// The registry named it in the `Link` to the next page.
    NextPageLink,
    /// The registry named it as its token server, in the `realm` of a challenge.
    Challenge,
}

/// The codes and details in the body of an error response (distribution-spec, "Error Codes").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The error codes in capitals, `MANIFEST_INVALID`, in the registry's order.
    pub codes: Vec<String>,
    /// The `detail` members as one line; `None` if they are empty.
    pub detail: Option<String>,
    /// Whether an error says more than its code: it has a detail, or a message that differs from the code.
    pub says_more_than_codes: bool,
}

impl FailedRequest {
    /// A request of which only method and URL are known.
    pub fn new(method: &'static str, url: impl fmt::Display) -> FailedRequest {
        let url = url.to_string();
        FailedRequest { method, url, repository: None, reference: None, blob: None, contacted_server: None }
    }
}

impl fmt::Display for FailedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

impl ContactedServer {
    /// Whether the registry named it in a response, so that it says nothing about the registry itself.
    pub fn is_named_in_response(&self) -> bool {
        self.named_by != ServerNamedBy::RegistryName
    }
}

/// Whether a failed request may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Retryable {
    /// It would fail again.
    #[default]
    Never,
    /// Yes, and nothing of the request was sent.
    Unsent,
    /// Yes, but the request may have had its effect.
    IfRepeatable,
    /// The registry answered that the request may succeed later, and perhaps when.
    Later(Option<RetryAfter>),
}

/// A `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    /// The number of seconds from now.
    Seconds(u64),
    /// Not before this.
    At(SystemTime),
}

impl RegistryError {
    /// An error without a request.
    pub fn new(kind: RegistryErrorKind, registry: impl Into<String>, message: impl Into<String>) -> RegistryError {
        RegistryError {
            kind,
            registry: registry.into(),
            request: None,
            status: None,
            body: None,
            message: message.into(),
            attempts: 1,
            retryable: Retryable::Never,
        }
    }

    /// Sets the request.
    pub fn with_request(mut self, request: FailedRequest) -> RegistryError {
        self.request = Some(Box::new(request));
        self
    }

    /// Sets the blob of the request.
    pub(crate) fn with_blob(mut self, digest: &Digest) -> RegistryError {
        if let Some(request) = &mut self.request {
            request.blob = Some(digest.to_string());
        }
        self
    }

    /// What scripts see of it.
    pub fn failure_kind(&self) -> FailureKind {
        match (self.kind, self.status) {
            (RegistryErrorKind::RequestRefused, Some(405)) => FailureKind::Unsupported,
            (RegistryErrorKind::RequestRefused, Some(409 | 412)) => FailureKind::Conflict,
            _ => self.kind.kind_and_message().0,
        }
    }

    /// The error codes of the registry.
    pub fn codes(&self) -> &[String] {
        self.body.as_ref().map_or(&[], |body| &body.codes)
    }

    /// Whether the registry refused the request with a 4xx status for another reason than the login (401) or a rate
    /// limit (429).
    pub fn is_permanent_client_error(&self) -> bool {
        self.status.is_some_and(|status| matches!(status, 400..=499) && !matches!(status, 401 | 429))
    }

    /// Whether the registry does not know something that a manifest names.
    pub fn is_missing_dependency(&self) -> bool {
        let unknown = ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"];
        self.codes().iter().any(|code| unknown.contains(&code.as_str()))
    }

    /// The server that was contacted, if the registry's name does not say it.
    pub fn contacted_server(&self) -> Option<&ContactedServer> {
        self.request.as_ref()?.contacted_server.as_ref()
    }

    /// Whether the request would change the registry.
    pub fn is_write(&self) -> bool {
        self.request.as_ref().is_some_and(|request| !matches!(request.method, "GET" | "HEAD"))
    }

    /// The server that failed: the registry, or one that it named.
    fn server(&self) -> String {
        let registry = &self.registry;
        let Some(ContactedServer { origin, named_by }) = self.contacted_server() else { return registry.clone() };
        match named_by {
            ServerNamedBy::RegistryName => format!("{registry} at {origin}"),
            ServerNamedBy::Redirect => format!("{origin} (where {registry} redirected the request)"),
            ServerNamedBy::UploadLocation => format!("{origin} (the upload address that {registry} gave)"),
            ServerNamedBy::NextPageLink => format!("{origin} (the address of the next page that {registry} gave)"),
            ServerNamedBy::Challenge => format!("{origin} (the token server that {registry} named)"),
        }
    }

    /// Sets the status of the response.
    pub fn with_status(mut self, status: u16) -> RegistryError {
        self.status = Some(status);
        self
    }

    /// Sets whether a retry may help.
    pub(crate) fn with_retryable(mut self, retryable: Retryable) -> RegistryError {
        self.retryable = retryable;
        self
    }
}

impl fmt::Display for RegistryError {
    /// One line: what happened, where, and the message. `report` adds what to do next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = sanitize::short_line(&self.message);
        let (_, template) = self.kind.kind_and_message();
        match (template.split_once("SERVER"), template.split_once("REGISTRY")) {
            (Some((before, after)), _) => write!(f, "{before}{}{after}: {message}", self.server())?,
            (None, Some((before, after))) => write!(f, "{before}{}{after}: {message}", self.registry)?,
            (None, None) => f.write_str(&message)?,
        }
        if self.attempts > 1 { write!(f, " (tried {} times)", self.attempts) } else { Ok(()) }
    }
}

impl RegistryErrorKind {
    /// The kind for scripts, and the template of what is shown before the message. `SERVER` stands for the server that
    /// was tried: the registry, or one that it named. `REGISTRY` stands for the registry, whichever server was tried.
    fn kind_and_message(self) -> (FailureKind, &'static str) {
        use RegistryErrorKind as Kind;
        match self {
            Kind::NotFound => (FailureKind::Missing, "SERVER does not have it"),
            Kind::Unauthorized => (FailureKind::Auth, "unauthorized: REGISTRY wants a login"),
            Kind::LoginRefused => {
                (FailureKind::Auth, "unauthorized: REGISTRY refuses the login that docker has for it")
            }
            Kind::CommandLineLoginRefused => {
                (FailureKind::Auth, "unauthorized: REGISTRY refuses the login that was given")
            }
            Kind::Forbidden => (FailureKind::Denied, "denied: SERVER refuses access"),
            Kind::Quota => (FailureKind::Denied, "denied: SERVER has no room left for it"),
            Kind::RateLimited => (FailureKind::RateLimited, "too many requests: SERVER asks to slow down"),
            Kind::RequestRefused => (FailureKind::ContentRefused, "SERVER refuses the request"),
            Kind::Server => (FailureKind::Server, "SERVER failed"),
            Kind::PlainHttp => (FailureKind::PlainHttp, "SERVER speaks plain HTTP, not HTTPS"),
            Kind::CertificateUntrusted | Kind::CertificateInvalid => {
                (FailureKind::Tls, "the certificate of SERVER is not trusted")
            }
            Kind::ClientCertificate => (FailureKind::Tls, "SERVER wants a client certificate"),
            Kind::TlsFiles => (FailureKind::Tls, "certificates for REGISTRY cannot be used"),
            // The message says it all.
            Kind::NoHost => (FailureKind::Network, ""),
            Kind::HostNotFound => (FailureKind::Network, "the name of SERVER does not resolve"),
            Kind::Connect => (FailureKind::Network, "cannot reach SERVER"),
            Kind::Timeout => (FailureKind::Timeout, "SERVER does not answer in time"),
            Kind::Proxy => (FailureKind::Proxy, "the proxy for SERVER cannot be used"),
            Kind::ResponseTooLarge => (FailureKind::Protocol, "SERVER answered with too much"),
            Kind::Credentials | Kind::ByteOrderMark => {
                (FailureKind::Credentials, "credentials for REGISTRY cannot be read")
            }
            Kind::Verification => (FailureKind::Verification, "SERVER served something else than was asked for"),
            Kind::Protocol => (FailureKind::Protocol, "SERVER answered outside the protocol"),
        }
    }
}

impl std::error::Error for RegistryError {}
