//! The data of each failure, for scripts and hints. A new variant of [`CommandError`] compiles only with its data
//! here.

use std::path::Path;

use crate::core::error::CommandError;
use crate::core::failure_data::FailureData;
use crate::core::missing_child::ParentList;
use crate::failure_kind::FailureKind;

impl CommandError {
    /// The data of the failure.
    pub fn failure_data(&self) -> FailureData<'_> {
        use CommandError as Error;
        use FailureKind as Kind;
        match self {
            Error::Layout(source) => {
                let (kind, path) = source.kind_and_path();
                FailureData::new(kind).path(path)
            }
            Error::InvalidLocation { typed, .. } => FailureData::new(Kind::Reference).reference(typed),
            Error::Reference(_) | Error::InvalidCheckTarget { .. } => FailureData::new(Kind::Reference),
            Error::InvalidName { typed, .. } => FailureData::new(Kind::Reference).reference(typed),
            Error::DraftExists { list, .. } => FailureData::new(Kind::Conflict).reference(list),
            Error::OtherDigestInName { target, .. } => FailureData::new(Kind::Conflict).reference(target),
            Error::Conflict(conflict) => FailureData::new(Kind::Conflict).reference(conflict.list()),
            Error::DuplicatePlatforms { .. } => FailureData::new(Kind::Conflict),
            Error::ImageNotInList { image: name, .. }
            | Error::InspectImageMissing { image: name, .. }
            | Error::NoSuchDraftOrImage(name)
            | Error::NoImageAvailable(name)
            | Error::NoSuchContent { name, .. } => FailureData::new(Kind::Missing).reference(name),
            Error::NoSuchPlatform { .. } => FailureData::new(Kind::Missing),
            Error::Blob(error) => FailureData::new(error.kind()).reference(&error.list).registry_error(&error.source),
            Error::Incomplete { list, missing, extra, .. } => {
                FailureData { missing, extra, ..FailureData::new(Kind::Incomplete).reference(list) }
            }
            Error::MissingChild(child) if child.parent == ParentList::SharedDraft => {
                FailureData { missing: &child.platforms, ..FailureData::new(Kind::Missing).reference(&child.list) }
            }
            Error::SharedDraft(error) => error.failure_data(),
            Error::MissingChild(child) => FailureData {
                missing: &child.platforms,
                registry_error: child.source.as_ref(),
                ..FailureData::new(Kind::Incomplete).reference(&child.list)
            },
            Error::IsList(name) | Error::NotAList(name) | Error::NotAManifest { reference: name, .. } => {
                FailureData::new(Kind::Unsupported).reference(name)
            }
            Error::UnsupportedPlatform { .. }
            | Error::Limit(_)
            | Error::UnusableReferrers { .. }
            | Error::NoListFormatAccepted(_) => FailureData::new(Kind::Unsupported),
            Error::SeveralImages { selector: name, .. }
            | Error::DuplicateTarget(name)
            | Error::SubjectElsewhere { subject: name, .. } => FailureData::new(Kind::Usage).reference(name),
            Error::TemplateOfDraft(list) => FailureData::new(Kind::Unsupported).reference(list),
            Error::Template(_)
            | Error::AmbiguousDigest { .. }
            | Error::InvalidTag(_)
            | Error::NoManPage(_)
            | Error::SpecArguments(_)
            | Error::OneListOnly { .. }
            | Error::InvalidVariable { .. }
            | Error::VariableNotSet(_)
            | Error::Password(_) => FailureData::new(Kind::Usage),
            Error::EmptyDraft(list)
            | Error::AllImagesRemoved(list)
            | Error::ListTooLarge { list, .. }
            | Error::TooManyImages { list, .. } => FailureData::new(Kind::Draft).reference(list),
            Error::EmptyList(_) => FailureData::new(Kind::Draft),
            Error::InvalidDraft(source) | Error::UndisplayableDraft(source) => FailureData::new(source.kind(false)),
            Error::InvalidDocument { reference, source } => FailureData::new(source.kind(true)).reference(reference),
            Error::ReadBackMismatch { content, .. } => FailureData::new(Kind::Verification).reference(content),
            Error::DigestMismatch { source, .. } => FailureData::new(Kind::Verification).registry_error(source),
            Error::NoSuchManifest { reference: name, source }
            | Error::NoSuchList { list: name, source, .. }
            | Error::Put { reference: name, source, .. } => {
                FailureData::new(source.failure_kind()).reference(name).registry_error(source)
            }
            Error::Registry(source) => FailureData::new(source.failure_kind()).registry_error(source),
            Error::Store(source) => FailureData::with_path(source.kind_and_path()),
            Error::Shim(source) => FailureData::with_path(source.kind_and_path()),
            Error::File(source) => source.failure_data(),
            Error::Spec(source) => FailureData {
                position: Some((source.line, source.column)),
                ..FailureData::new(Kind::Spec).path(Path::new(&source.file))
            },
            Error::Unreadable { path, .. } => FailureData::new(Kind::Spec).path(path),
            Error::ResultFile { path, .. } => FailureData::new(Kind::Output).path(path),
            Error::Output(_) => FailureData::new(Kind::Output),
            Error::Several(errors) => FailureData::new(shared_kind(errors)),
            Error::Partial { error, .. } => match error.each() {
                [first, ..] => FailureData { kind: error.failure_data().kind, ..first.failure_data() },
                [] => error.failure_data(),
            },
        }
    }
}

/// The kind of all these errors; [`FailureKind::Several`] if they differ.
fn shared_kind(errors: &[CommandError]) -> FailureKind {
    let mut kinds = errors.iter().map(|error| error.failure_data().kind);
    let first = kinds.next();
    first.filter(|first| kinds.all(|kind| kind == *first)).unwrap_or(FailureKind::Several)
}
