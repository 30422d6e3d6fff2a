//! The kinds of failures that scripts branch on. Each error states its own; `cli/report` prints it.

use serde::Serialize;

/// The `kind` of a failure in JSON (`rate-limited`). Existing names never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// An invalid command line or environment variable.
    Usage,
    /// A file that describes lists, and cannot be read or is invalid.
    Spec,
    /// An invalid reference.
    Reference,
    /// A login is required, or was refused.
    Auth,
    /// The account lacks a right.
    Denied,
    /// The manifest, draft or image does not exist.
    Missing,
    /// `--require` or `--exact` failed, or a list names an image that the registry does not have.
    Incomplete,
    /// Too many requests.
    RateLimited,
    /// A conflict: a draft of that name, or a change by another process.
    Conflict,
    /// The registry cannot be reached, or the connection broke.
    Network,
    /// The registry did not answer in time.
    Timeout,
    /// A certificate, the registry's or the client's.
    Tls,
    /// The registry speaks plain HTTP.
    PlainHttp,
    /// A proxy.
    Proxy,
    /// The registry failed (5xx).
    Server,
    /// The registry refused the content.
    #[serde(rename = "refused")]
    ContentRefused,
    /// Bytes that do not match their digest or size.
    Verification,
    /// A response outside the protocol, or an invalid document.
    Protocol,
    /// config.json or a credential helper.
    Credentials,
    /// The local store cannot be read or written.
    Store,
    /// The draft cannot become a list, or not with these flags.
    Draft,
    /// The registry or this program does not support it.
    Unsupported,
    /// stdout or an output file cannot be written.
    Output,
    /// Several failures of different kinds.
    Several,
}
