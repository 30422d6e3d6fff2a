//! A failure as JSON, for `--format json`: one line on stderr, the last one, so that notes before it do no harm.

use std::path::Path;

use serde::Serialize;

use super::kind::{FailureKind, kind};
use super::{Report, cause, exit_code, hints};
use crate::cli::args::ArgsError;
use crate::core::error::CommandError;
use crate::drafts::docker_dir::StoreError;
use crate::net::RegistryError;

/// `{"error": …}`.
#[derive(Serialize)]
struct Failed {
    error: Failure,
}

/// One failure. Lists are always there; the other members only where there is something to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    kind: FailureKind,
    /// The first line of the text form.
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    /// The repository's path in its registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    /// The server that was tried, where it is not simply what the registry's name says.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The registry's own error codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<String>,
    /// What the registry said in the `detail` of its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// In the file at `path`, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// In that line, in characters and counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// Of [`FailureKind::Incomplete`]: the platforms that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    /// Of [`FailureKind::Incomplete`]: the platforms that should not be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra: Vec<String>,
    /// Of a list that was to get several tags: what became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Tags>,
    /// Of several failures: each of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Failure>,
    exit_code: u8,
}

/// A verb that failed; [`super::command`] is the same as text.
///
/// `certificates` is the folder that certificates for registries are read from.
pub fn command(error: &CommandError, certificates: &Path) -> Report {
    report(failure(error, certificates))
}

/// A command line that cannot be run; [`super::arguments`] is the same as text.
pub fn arguments(error: &ArgsError) -> Report {
    let near = error.near().map(super::hints::meant);
    let hints = [error.usage(), error.hint(), near].into_iter().flatten().collect();
    let exit_code = error.exit_code();
    report(Failure { hints, exit_code, ..Failure::new(FailureKind::Usage, &error.to_string()) })
}

/// Whether these words of a command line, parsable or not, ask for JSON: `--format json` or `--format=json` before any
/// `--`, the last `--format` winning.
pub fn wants_json(words: &[String]) -> bool {
    let mut words = words.iter().map(String::as_str).take_while(|word| *word != "--");
    let mut wanted = false;
    while let Some(word) = words.next() {
        if word == "--format" {
            wanted = words.next() == Some("json");
        } else if let Some(value) = word.strip_prefix("--format=") {
            wanted = value == "json";
        }
    }
    wanted
}

fn report(error: Failure) -> Report {
    let exit_code = error.exit_code;
    // Texts, numbers and lists of them always have a JSON; the empty object is for the type's sake.
    let text = serde_json::to_string(&Failed { error }).unwrap_or_else(|_| "{}".to_owned());
    Report { text, exit_code }
}

/// What a failure left behind.
#[derive(Serialize)]
struct Tags {
    moved: Vec<String>,
    left: Vec<String>,
}

impl Failure {
    /// A failure of which nothing else is known.
    fn new(kind: FailureKind, text: &str) -> Failure {
        Failure {
            kind,
            message: text.lines().next().unwrap_or_default().to_owned(),
            causes: text.lines().skip(1).map(|line| line.trim().to_owned()).collect(),
            hints: Vec::new(),
            reference: None,
            registry: None,
            status: None,
            request: None,
            method: None,
            repository: None,
            blob: None,
            address: None,
            codes: Vec::new(),
            detail: None,
            path: None,
            line: None,
            column: None,
            missing: Vec::new(),
            extra: Vec::new(),
            tags: None,
            errors: Vec::new(),
            exit_code: super::FAILURE,
        }
    }
}

fn failure(error: &CommandError, certificates: &Path) -> Failure {
    let exit_code = exit_code(error);
    if let CommandError::Several(errors) = error {
        let message = errors.first().map(ToString::to_string).unwrap_or_default();
        let message = message.lines().next().unwrap_or_default();
        let errors = errors.iter().map(|error| failure(error, certificates)).collect();
        return Failure { errors, exit_code, ..Failure::new(kind(error), message) };
    }
    let mut failure = Failure::new(kind(error), &error.to_string());
    failure.causes.extend(cause(error).iter().flat_map(|cause| cause.lines()).map(|line| line.trim().to_owned()));
    failure.hints = hints(error, certificates);
    failure.reference = reference(error).map(ToOwned::to_owned);
    failure.exit_code = exit_code;
    if let Some(source) = exchange(error) {
        failure.registry = Some(source.registry.clone());
        failure.status = source.status;
        failure.codes = source.codes().to_vec();
        failure.detail = source.body.as_ref().and_then(|body| body.detail.clone());
        if let Some(request) = &source.request {
            failure.request = Some(request.to_string());
            failure.method = Some(request.method);
            failure.repository.clone_from(&request.repository);
            failure.blob.clone_from(&request.blob);
            failure.address = request.address.as_ref().map(|address| address.origin.clone());
        }
    }
    if let CommandError::Store(source) = error {
        failure.path = path(source).map(|path| path.display().to_string());
    }
    if let CommandError::Spec(source) = error {
        // The line itself, with the place marked, is for people.
        failure.causes.clear();
        failure.path = Some(source.file.clone());
        failure.line = Some(source.line);
        failure.column = Some(source.column);
    }
    if let CommandError::PartialBatch { failure: inner, .. } | CommandError::PushedButNotReported { failure: inner, .. } =
        error
        && let CommandError::Several(errors) = &**inner
    {
        failure.errors = errors.iter().map(|error| self::failure(error, certificates)).collect();
    }
    let innermost = if let CommandError::PushedButNotReported { failure, .. } = error { failure } else { error };
    if let CommandError::ResultFile { path, .. } | CommandError::Unreadable { path, .. } = innermost {
        failure.path = Some(path.display().to_string());
    }
    if let CommandError::PartialTags { failure: inner, moved, left } = error {
        failure.tags = Some(Tags { moved: moved.clone(), left: left.clone() });
        if let CommandError::Several(errors) = &**inner {
            failure.errors = errors.iter().map(|error| self::failure(error, certificates)).collect();
        }
    }
    if let CommandError::Incomplete { missing, extra, .. } = error {
        failure.missing.clone_from(missing);
        failure.extra.clone_from(extra);
    }
    if let CommandError::MissingChild(missing) = error {
        failure.missing.clone_from(&missing.platforms);
    }
    failure
}

/// What the failure is about: the manifest, else the list, as the text has it.
fn reference(error: &CommandError) -> Option<&str> {
    match error {
        CommandError::Typed { typed, .. }
        | CommandError::CreateListName { typed, .. }
        | CommandError::AnnotateListName { typed, .. }
        | CommandError::AnnotateImageName { typed, .. } => Some(typed),
        CommandError::Exists { list } | CommandError::Incomplete { list, .. } => Some(list),
        CommandError::NotInList { image, .. } | CommandError::NotStoredIn { image, .. } => Some(image),
        CommandError::SeveralImages { word, .. } => Some(word),
        CommandError::MissingChild(missing) => Some(&missing.list),
        CommandError::NotStored(reference) | CommandError::Empty(reference) | CommandError::IsList(reference) => {
            Some(reference)
        }
        CommandError::NotServed { reference, .. }
        | CommandError::NotAManifest { reference, .. }
        | CommandError::Served { reference, .. }
        | CommandError::Put { reference, .. } => Some(reference),
        CommandError::NotMounted { target, .. }
        | CommandError::Mount { target, .. }
        | CommandError::Copy { target, .. } => Some(target),
        CommandError::OtherDigest { target, .. } => Some(target),
        CommandError::ListTooLarge { list, .. } | CommandError::TooManyImages { list, .. } => Some(list),
        CommandError::Gone { name, .. } => Some(name),
        CommandError::PartialTags { failure, .. }
        | CommandError::PartialBatch { failure, .. }
        | CommandError::PushedButNotReported { failure, .. } => failure.each().first().and_then(reference),
        CommandError::NoneLeft(list) | CommandError::NotAList(list) | CommandError::TargetTwice(list) => Some(list),
        _ => None,
    }
}

/// The exchanges with registries that the failure comes from.
pub(super) fn exchanges(error: &CommandError) -> Vec<&RegistryError> {
    match error {
        CommandError::PartialTags { failure, .. }
        | CommandError::PartialBatch { failure, .. }
        | CommandError::PushedButNotReported { failure, .. } => failure.each().iter().flat_map(exchanges).collect(),
        one => exchange(one).into_iter().collect(),
    }
}

/// The exchange with a registry that the failure comes from.
fn exchange(error: &CommandError) -> Option<&RegistryError> {
    match error {
        CommandError::Put { source, .. }
        | CommandError::Mount { source, .. }
        | CommandError::Copy { source, .. }
        | CommandError::NotMounted { source, .. }
        | CommandError::NotServed { source, .. }
        | CommandError::NotVerified { source, .. } => Some(source),
        CommandError::Registry(source) => Some(source),
        CommandError::MissingChild(missing) => missing.source.as_ref(),
        CommandError::PartialTags { failure, .. }
        | CommandError::PartialBatch { failure, .. }
        | CommandError::PushedButNotReported { failure, .. } => failure.each().first().and_then(exchange),
        _ => None,
    }
}

fn path(error: &StoreError) -> Option<&Path> {
    match error {
        StoreError::Io { path, .. }
        | StoreError::Entry { path, .. }
        | StoreError::NoLocks { path, .. }
        | StoreError::NameTaken { path, .. }
        | StoreError::NewerFormat { path, .. }
        | StoreError::SideFile { path, .. }
        | StoreError::Misplaced { path, .. }
        | StoreError::Foreign { path, .. }
        | StoreError::TooLarge { path, .. }
        | StoreError::TooMany { path, .. }
        | StoreError::LockedOut { path, .. }
        | StoreError::InUse { path, .. }
        | StoreError::NoEntry { path }
        | StoreError::Stray { path, .. }
        | StoreError::Nameless { path } => Some(path),
        StoreError::Busy { .. } => None,
    }
}
