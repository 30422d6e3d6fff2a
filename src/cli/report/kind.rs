//! The kinds of failure that scripts can branch on. A new error has to choose one here before it compiles.

use serde::Serialize;

use crate::core::error::CommandError;
use crate::drafts::docker_dir::StoreError;
use crate::model::DocumentError;
use crate::net::{RegistryError, RegistryErrorKind};

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

/// The kind of a verb's failure.
pub fn kind(error: &CommandError) -> FailureKind {
    match error {
        CommandError::Reference(_)
        | CommandError::Typed { .. }
        | CommandError::CreateListName { .. }
        | CommandError::AnnotateListName { .. }
        | CommandError::AnnotateImageName { .. } => FailureKind::Reference,
        CommandError::Exists { .. } | CommandError::OtherDigest { .. } => FailureKind::Conflict,
        CommandError::NotInList { .. }
        | CommandError::NotStored(_)
        | CommandError::NotStoredIn { .. }
        | CommandError::NoSuchPlatform { .. } => FailureKind::Missing,
        CommandError::Incomplete { .. } | CommandError::MissingChild(_) => FailureKind::Incomplete,
        CommandError::Platform { .. } | CommandError::IsList(_) | CommandError::NotAManifest { .. } => {
            FailureKind::Unsupported
        }
        CommandError::TooDeep { .. } | CommandError::TooMany { .. } | CommandError::TooLarge { .. } => {
            FailureKind::Unsupported
        }
        CommandError::Ambiguous { .. } | CommandError::SeveralImages { .. } => FailureKind::Usage,
        CommandError::Unpublishable(_) => FailureKind::Unsupported,
        CommandError::CheckTarget { .. } => FailureKind::Reference,
        CommandError::Empty(_)
        | CommandError::EmptyList(_)
        | CommandError::ListTooLarge { .. }
        | CommandError::TooManyImages { .. } => FailureKind::Draft,
        CommandError::Served { source, .. } => of_served(source),
        CommandError::NotMounted { .. } | CommandError::Gone { .. } => FailureKind::Missing,
        CommandError::TagName(_) => FailureKind::Usage,
        CommandError::Copy { source, .. } => of_registry(source),
        CommandError::Twice { .. } => FailureKind::Conflict,
        CommandError::PartialTags { failure, .. }
        | CommandError::PartialBatch { failure, .. }
        | CommandError::PushedButNotReported { failure, .. } => kind(failure),
        CommandError::Spec(_) | CommandError::Unreadable { .. } => FailureKind::Spec,
        CommandError::SpecArguments(_) | CommandError::ManyLists { .. } | CommandError::TargetTwice(_) => {
            FailureKind::Usage
        }
        CommandError::NoneLeft(_) => FailureKind::Missing,
        CommandError::NotAList(_) => FailureKind::Unsupported,
        CommandError::ResultFile { .. } => FailureKind::Output,
        CommandError::NotServed { source, .. }
        | CommandError::Mount { source, .. }
        | CommandError::Put { source, .. } => of_registry(source),
        CommandError::NotVerified { .. } => FailureKind::Verification,
        CommandError::Registry(source) => of_registry(source),
        CommandError::Store(source) => of_store(source),
        CommandError::Draft(source) | CommandError::Preview(source) => of_draft(source),
        CommandError::Several(errors) => shared(errors),
        CommandError::Variable { .. } | CommandError::Password { .. } => FailureKind::Usage,
        CommandError::Output(_) => FailureKind::Output,
    }
}

/// The kind that all of them have, so that scripts can branch on it however many there are.
fn shared(errors: &[CommandError]) -> FailureKind {
    let mut kinds = errors.iter().map(kind);
    let first = kinds.next();
    first.filter(|first| kinds.all(|kind| kind == *first)).unwrap_or(FailureKind::Several)
}

fn of_registry(error: &RegistryError) -> FailureKind {
    match error.kind {
        RegistryErrorKind::NotFound => FailureKind::Missing,
        RegistryErrorKind::Unauthorized | RegistryErrorKind::LoginRefused | RegistryErrorKind::GivenLoginRefused => {
            FailureKind::Auth
        }
        RegistryErrorKind::Forbidden | RegistryErrorKind::Quota => FailureKind::Denied,
        RegistryErrorKind::RateLimited => FailureKind::RateLimited,
        RegistryErrorKind::Refused => match error.status {
            Some(405) => FailureKind::Unsupported,
            Some(409 | 412) => FailureKind::Conflict,
            _ => FailureKind::Refused,
        },
        RegistryErrorKind::Server => FailureKind::Server,
        RegistryErrorKind::PlainHttp => FailureKind::PlainHttp,
        RegistryErrorKind::Certificate
        | RegistryErrorKind::CertificateUnfit
        | RegistryErrorKind::ClientCertificate
        | RegistryErrorKind::TlsFiles => FailureKind::Tls,
        RegistryErrorKind::NoHost | RegistryErrorKind::Resolve | RegistryErrorKind::Connect => FailureKind::Network,
        RegistryErrorKind::Timeout => FailureKind::Timeout,
        RegistryErrorKind::Proxy => FailureKind::Proxy,
        RegistryErrorKind::Credentials | RegistryErrorKind::ByteOrderMark => FailureKind::Credentials,
        RegistryErrorKind::Verification => FailureKind::Verification,
        RegistryErrorKind::Protocol | RegistryErrorKind::TooLarge => FailureKind::Protocol,
    }
}

fn of_store(error: &StoreError) -> FailureKind {
    match error {
        StoreError::Io { .. }
        | StoreError::Entry { .. }
        | StoreError::NoLocks { .. }
        | StoreError::SideFile { .. }
        | StoreError::Misplaced { .. }
        | StoreError::Foreign { .. }
        | StoreError::TooLarge { .. }
        | StoreError::TooMany { .. }
        | StoreError::Nameless { .. }
        | StoreError::LockedOut { .. }
        | StoreError::NoEntry { .. } => FailureKind::Store,
        StoreError::NameTaken { .. } | StoreError::Busy { .. } | StoreError::Stray { .. } => FailureKind::Conflict,
        StoreError::InUse { .. } => FailureKind::Timeout,
        StoreError::NewerFormat { .. } => FailureKind::Unsupported,
    }
}

fn of_draft(error: &DocumentError) -> FailureKind {
    match error {
        DocumentError::KeyTaken { .. } => FailureKind::Conflict,
        DocumentError::Json(_)
        | DocumentError::Type(_)
        | DocumentError::Missing(_)
        | DocumentError::IndexAsManifest
        | DocumentError::ManifestAsIndex
        | DocumentError::TwoTypes { .. }
        | DocumentError::Reference(_)
        | DocumentError::Digest(..)
        | DocumentError::Size(_)
        | DocumentError::Base64(_)
        | DocumentError::OldEntry { .. }
        | DocumentError::Mismatch { .. }
        | DocumentError::Length { .. }
        | DocumentError::NoPayload(_)
        | DocumentError::NoPlatform(_)
        | DocumentError::BeyondDocker { .. } => FailureKind::Draft,
    }
}

/// The same errors, met in what a registry served.
fn of_served(error: &DocumentError) -> FailureKind {
    match error {
        DocumentError::OldEntry { .. } | DocumentError::Mismatch { .. } | DocumentError::Length { .. } => {
            FailureKind::Verification
        }
        DocumentError::Json(_)
        | DocumentError::Type(_)
        | DocumentError::Missing(_)
        | DocumentError::IndexAsManifest
        | DocumentError::ManifestAsIndex
        | DocumentError::TwoTypes { .. }
        | DocumentError::Reference(_)
        | DocumentError::Digest(..)
        | DocumentError::Size(_)
        | DocumentError::Base64(_)
        | DocumentError::NoPayload(_) => FailureKind::Protocol,
        // These are about what is made of it here.
        DocumentError::KeyTaken { .. } | DocumentError::NoPlatform(_) | DocumentError::BeyondDocker { .. } => {
            of_draft(error)
        }
    }
}
