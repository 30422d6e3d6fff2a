//! The kinds of failure that scripts can branch on. Each error gives its own; `cli/report` prints it.

use serde::Serialize;

/// What went wrong, as the `kind` of a JSON failure names it (`rate-limited`). None is ever renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The command line, or an environment variable, makes no sense.
    Usage,
    /// A file that describes lists, and that cannot be read or makes no sense.
    Spec,
    /// A reference that is none.
    Reference,
    /// A login is wanted, or the one that there is was refused.
    Auth,
    /// The account may not do this.
    Denied,
    /// The manifest, draft or image is not there.
    Missing,
    /// `--require` or `--exact` are not met, or an image that a list names is not in the registry.
    Incomplete,
    /// The registry asks to slow down.
    RateLimited,
    /// Something is in the way: a draft of that name, another's change.
    Conflict,
    /// The registry cannot be reached, or the connection broke.
    Network,
    /// The registry did not answer in time.
    Timeout,
    /// A certificate, the registry's or ours.
    Tls,
    /// The registry speaks plain HTTP.
    PlainHttp,
    /// The proxy.
    Proxy,
    /// The registry failed (5xx).
    Server,
    /// The registry would not take what was sent.
    Refused,
    /// Bytes that do not match their digest or their size.
    Verification,
    /// An answer outside the protocol, or no document.
    Protocol,
    /// config.json or a credential helper.
    Credentials,
    /// The local store cannot be read or written.
    Store,
    /// The draft cannot become a list, or not with these flags.
    Draft,
    /// Something that this program, or the registry, does not do.
    Unsupported,
    /// stdout, or a file that was to be written, cannot be written to.
    Output,
    /// Several failures of different kinds.
    Several,
}
