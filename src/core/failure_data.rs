//! The data of each failure, for scripts and hints. A new variant of [`CommandError`] compiles only with a description
//! here.

use std::path::Path;

use crate::core::error::CommandError;
pub use crate::core::error_parts::Description;
use crate::core::missing_child::NamingList;
use crate::failure_kind::FailureKind;

impl CommandError {
    /// The data of the failure.
    pub fn describe(&self) -> Description<'_> {
        use CommandError as Error;
        use FailureKind as Kind;
        match self {
            Error::Layout(source) => {
                let (kind, path) = source.describe();
                Description::with_path((kind, Some(path)))
            }
            Error::InvalidLocation { typed, .. } => Description::new(Kind::Reference).reference(typed),
            Error::Reference(_) | Error::InvalidCheckTarget { .. } => Description::new(Kind::Reference),
            Error::InvalidName { typed, .. } => Description::new(Kind::Reference).reference(typed),
            Error::DraftExists { list, .. } => Description::new(Kind::Conflict).reference(list),
            Error::OtherDigestInName { target, .. } => Description::new(Kind::Conflict).reference(target),
            Error::Conflict(conflict) => Description::new(Kind::Conflict).reference(conflict.list()),
            Error::DuplicatePlatforms { .. } => Description::new(Kind::Conflict),
            Error::NotInList { image: name, .. }
            | Error::NotInDraft { image: name, .. }
            | Error::NoSuchDraft(name)
            | Error::NoImageAvailable(name)
            | Error::NoSuchContent { name, .. } => Description::new(Kind::Missing).reference(name),
            Error::NoSuchPlatform { .. } => Description::new(Kind::Missing),
            Error::Blob(error) => Description::new(error.kind()).reference(&error.target).registry_error(&error.source),
            Error::Incomplete { list, missing, extra, .. } => {
                Description { missing, extra, ..Description::new(Kind::Incomplete).reference(list) }
            }
            Error::MissingChild(child) if child.named_by == NamingList::SharedDraft => {
                Description { missing: &child.platforms, ..Description::new(Kind::Missing).reference(&child.list) }
            }
            Error::Shared(error) => error.describe(),
            Error::MissingChild(child) => Description {
                missing: &child.platforms,
                registry_error: child.source.as_ref(),
                ..Description::new(Kind::Incomplete).reference(&child.list)
            },
            Error::IsList(name) | Error::NotAList(name) | Error::NotAManifest { reference: name, .. } => {
                Description::new(Kind::Unsupported).reference(name)
            }
            Error::UnsupportedPlatform { .. }
            | Error::Limit(_)
            | Error::UnusableReferrers { .. }
            | Error::NoListFormatAccepted(_) => Description::new(Kind::Unsupported),
            Error::SeveralImages { selector: name, .. }
            | Error::DuplicateTarget(name)
            | Error::SubjectElsewhere { subject: name, .. } => Description::new(Kind::Usage).reference(name),
            Error::TemplateOfDraft(list) => Description::new(Kind::Unsupported).reference(list),
            Error::Template(_)
            | Error::AmbiguousDigest { .. }
            | Error::InvalidTag(_)
            | Error::NoManPage(_)
            | Error::SpecArguments(_)
            | Error::OneListOnly { .. }
            | Error::InvalidVariable { .. }
            | Error::VariableNotSet(_)
            | Error::Password(_) => Description::new(Kind::Usage),
            Error::EmptyDraft(list)
            | Error::AllImagesRemoved(list)
            | Error::ListTooLarge { list, .. }
            | Error::TooManyImages { list, .. } => Description::new(Kind::Draft).reference(list),
            Error::EmptyList(_) => Description::new(Kind::Draft),
            Error::InvalidDraft(source) | Error::InvalidPreview(source) => Description::new(source.kind(false)),
            Error::InvalidDocument { reference, source } => Description::new(source.kind(true)).reference(reference),
            Error::ReadBackMismatch { content, .. } => Description::new(Kind::Verification).reference(content),
            Error::DigestMismatch { source, .. } => Description::new(Kind::Verification).registry_error(source),
            Error::NoSuchManifest { reference: name, source }
            | Error::NoSuchList { list: name, source, .. }
            | Error::Put { reference: name, source, .. } => {
                Description::new(source.failure_kind()).reference(name).registry_error(source)
            }
            Error::Registry(source) => Description::new(source.failure_kind()).registry_error(source),
            Error::Store(source) => Description::with_path(source.describe()),
            Error::Shim(source) => Description::with_path(source.describe()),
            Error::File(source) => source.describe(),
            Error::Spec(source) => Description {
                position: Some((source.line, source.column)),
                ..Description::new(Kind::Spec).path(Path::new(&source.file))
            },
            Error::Unreadable { path, .. } => Description::new(Kind::Spec).path(path),
            Error::ResultFile { path, .. } => Description::new(Kind::Output).path(path),
            Error::Output(_) => Description::new(Kind::Output),
            Error::Several(errors) => Description::new(shared_kind(errors)),
            Error::Partial { error, .. } => match error.each() {
                [first, ..] => Description { kind: error.describe().kind, ..first.describe() },
                [] => error.describe(),
            },
        }
    }
}

/// The kind of all these errors; [`FailureKind::Several`] if they differ.
fn shared_kind(errors: &[CommandError]) -> FailureKind {
    let mut kinds = errors.iter().map(|error| error.describe().kind);
    let first = kinds.next();
    first.filter(|first| kinds.all(|kind| kind == *first)).unwrap_or(FailureKind::Several)
}
