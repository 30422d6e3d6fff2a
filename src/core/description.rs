//! The data of each failure beside its text, for scripts and hints. A new variant of [`CommandError`] does not compile
//! before its description is written here.

use std::path::Path;

use crate::core::error::CommandError;
pub use crate::core::error_parts::Description;
use crate::core::missing_child::NamedBy;
use crate::failure_kind::FailureKind;

impl CommandError {
    /// The data of the failure.
    pub fn describe(&self) -> Description<'_> {
        use CommandError as Error;
        use FailureKind as Kind;
        match self {
            Error::Layout(source) => {
                let (kind, path) = source.describe();
                Description::at((kind, Some(path)))
            }
            Error::Location { typed, .. } => Description::of(Kind::Reference).about(typed),
            Error::Reference(_) | Error::CheckTarget { .. } => Description::of(Kind::Reference),
            Error::Name { typed, .. } => Description::of(Kind::Reference).about(typed),
            Error::Exists { list, .. } => Description::of(Kind::Conflict).about(list),
            Error::OtherDigest { target, .. } => Description::of(Kind::Conflict).about(target),
            Error::Conflict(conflict) => Description::of(Kind::Conflict).about(conflict.list()),
            Error::Twice { .. } => Description::of(Kind::Conflict),
            Error::NotInList { image: name, .. }
            | Error::NotStoredIn { image: name, .. }
            | Error::NotStored(name)
            | Error::NoneLeft(name)
            | Error::Gone { name, .. } => Description::of(Kind::Missing).about(name),
            Error::NoSuchPlatform { .. } => Description::of(Kind::Missing),
            Error::Blob(failure) => Description::of(failure.kind()).about(&failure.target).exchange(&failure.source),
            Error::Incomplete { list, missing, extra, .. } => {
                Description { missing, extra, ..Description::of(Kind::Incomplete).about(list) }
            }
            Error::MissingChild(child) if child.named_by == NamedBy::SharedDraft => {
                Description { missing: &child.platforms, ..Description::of(Kind::Missing).about(&child.list) }
            }
            Error::Shared(failure) => failure.describe(),
            Error::MissingChild(child) => Description {
                missing: &child.platforms,
                exchange: child.source.as_ref(),
                ..Description::of(Kind::Incomplete).about(&child.list)
            },
            Error::IsList(name) | Error::NotAList(name) | Error::NotAManifest { reference: name, .. } => {
                Description::of(Kind::Unsupported).about(name)
            }
            Error::Platform { .. } | Error::Limit(_) | Error::Referrers { .. } | Error::Unpublishable(_) => {
                Description::of(Kind::Unsupported)
            }
            Error::SeveralImages { word: name, .. }
            | Error::TargetTwice(name)
            | Error::SubjectElsewhere { subject: name, .. } => Description::of(Kind::Usage).about(name),
            Error::NotInADraft(list) => Description::of(Kind::Unsupported).about(list),
            Error::Template(_)
            | Error::Ambiguous { .. }
            | Error::TagName(_)
            | Error::NoPage(_)
            | Error::SpecArguments(_)
            | Error::ManyLists { .. }
            | Error::Variable { .. }
            | Error::NoVariable(_)
            | Error::Password(_) => Description::of(Kind::Usage),
            Error::Empty(list)
            | Error::NothingLeft(list)
            | Error::ListTooLarge { list, .. }
            | Error::TooManyImages { list, .. } => Description::of(Kind::Draft).about(list),
            Error::EmptyList(_) => Description::of(Kind::Draft),
            Error::Draft(source) | Error::Preview(source) => Description::of(source.kind(false)),
            Error::Served { reference, source } => Description::of(source.kind(true)).about(reference),
            Error::Unverified { content, .. } => Description::of(Kind::Verification).about(content),
            Error::NotVerified { source, .. } => Description::of(Kind::Verification).exchange(source),
            Error::NotServed { reference: name, source }
            | Error::NoList { list: name, source, .. }
            | Error::Put { reference: name, source, .. } => {
                Description::of(source.failure_kind()).about(name).exchange(source)
            }
            Error::Registry(source) => Description::of(source.failure_kind()).exchange(source),
            Error::Store(source) => Description::at(source.describe()),
            Error::Shim(source) => Description::at(source.describe()),
            Error::File(source) => source.describe(),
            Error::Spec(source) => Description {
                position: Some((source.line, source.column)),
                ..Description::of(Kind::Spec).path(Path::new(&source.file))
            },
            Error::Unreadable { path, .. } => Description::of(Kind::Spec).path(path),
            Error::ResultFile { path, .. } => Description::of(Kind::Output).path(path),
            Error::Output(_) => Description::of(Kind::Output),
            Error::Several(errors) => Description::of(shared_kind(errors)),
            Error::Partial { failure, .. } => match failure.each() {
                [first, ..] => Description { kind: failure.describe().kind, ..first.describe() },
                [] => failure.describe(),
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
