//! Failures as users read them: docker's line first if docker has one, then the causes, then the hints. With `--format
//! json` the same as an object.
//!
//! Only this module knows every error, and only it words hints.

mod hints;
mod json;

use std::path::Path;

use crate::cli::args::{ArgsError, ToolError};
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::shared_draft_error::SharedDraftError;
use crate::net::RegistryError;
use crate::sanitize;

pub use json::{arguments as arguments_json, command as json, wants_json};

pub(crate) use hints::entry_retention;
use hints::hints;

/// The text for stderr, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The whole text without its last newline.
    pub text: String,
    /// Docker's exit code, or one of ours if docker has none.
    pub exit_code: u8,
}

/// Docker's exit code for every failure but a malformed command line.
const EXIT_FAILURE: u8 = 1;

/// `--require` or `--exact` failed.
const EXIT_INCOMPLETE: u8 = 3;

/// Another client has changed the list meanwhile.
const EXIT_CONFLICT: u8 = 4;

/// A command line that cannot be run: docker's line, the usage, and where to find help.
pub fn arguments(error: &ArgsError) -> Report {
    let blocks = [Some(error.to_string()), error.usage(), error.hint()];
    let mut text = blocks.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    if let Some(suggestion) = &error.suggestion {
        text.push_str(&format!("\nhint: {}", hints::suggestion(suggestion)));
    }
    Report { text, exit_code: error.exit_code() }
}

/// A command line of manifest-tool that cannot be run. The exit code is manifest-tool's.
pub fn tool_arguments(error: &ToolError) -> Report {
    let mut text = format!("{error}\n\nUsage:  {}\n\n{}", error.usage, error.hint());
    if let Some(suggestion) = &error.suggestion {
        text.push_str(&format!("\nhint: did you mean '{suggestion}'?"));
    }
    Report { text, exit_code: EXIT_FAILURE }
}

/// The failure of a command.
///
/// `certificates` is the directory of certificates for registries.
pub fn command(error: &CommandError, certificates: &Path) -> Report {
    let mut lines = Vec::new();
    let mut advice: Vec<String> = Vec::new();
    for error in error.each() {
        lines.push(error.to_string());
        lines.extend(causes(error));
        lines.extend(details(error).into_iter().map(|detail| format!("  detail: {detail}")));
        for hint in hints(error, certificates) {
            // Each hint once, even if several failures have it.
            if !advice.contains(&hint) {
                advice.push(hint);
            }
        }
    }
    lines.extend(advice.into_iter().map(|hint| format!("hint: {hint}")));
    Report { text: sanitize::message(&lines.join("\n")), exit_code: exit_code(error) }
}

/// Several failures have their common exit code, or else the general one.
fn exit_code(error: &CommandError) -> u8 {
    let mut codes = error.each().iter().map(|error| match error {
        CommandError::Incomplete { .. } => EXIT_INCOMPLETE,
        CommandError::Shared(failure) if matches!(**failure, SharedDraftError::NoEntries { .. }) => EXIT_INCOMPLETE,
        CommandError::Conflict(conflict) if conflict.is_race() => EXIT_CONFLICT,
        CommandError::Partial { error: failure, done: PartialResult::Batch { .. } | PartialResult::Tags { .. } } => {
            exit_code(failure)
        }
        _ => EXIT_FAILURE,
    });
    let first = codes.next().unwrap_or(EXIT_FAILURE);
    if codes.all(|code| code == first) { first } else { EXIT_FAILURE }
}

/// The causes that docker's line leaves out.
fn causes(error: &CommandError) -> Vec<String> {
    let registry_error = || error.describe().registry_error.and_then(request_line);
    match error {
        CommandError::Partial { error: failure, done } => {
            failure.each().iter().flat_map(causes).chain([partial_result(done)]).collect()
        }
        CommandError::MissingChild(missing) => missing.causes().or_else(registry_error).into_iter().collect(),
        CommandError::DigestMismatch { source, .. } => vec![format!("  {source}")],
        CommandError::InvalidDocument { reference, .. } => {
            vec![format!("  in what the registry serves for {reference}")]
        }
        CommandError::Spec(error) => vec![error.excerpt().to_owned()],
        _ => registry_error().into_iter().collect(),
    }
}

/// The part of the work that was done before the failure.
fn partial_result(done: &PartialResult) -> String {
    let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    match done {
        PartialResult::Tags { moved, remaining } => {
            format!("  tags that moved: {}; tags that did not: {}", names(moved), names(remaining))
        }
        PartialResult::Batch { published, remaining } => {
            format!("  lists that are published: {}; lists that are not: {}", names(published), names(remaining))
        }
        PartialResult::PushedButNotReported { list, digest } => {
            format!("  {list} is published all the same, with the digest {digest}")
        }
    }
}

/// The `detail` of each registry error.
fn details(error: &CommandError) -> Vec<String> {
    if let CommandError::Partial { error: failure, .. } = error {
        return failure.each().iter().flat_map(details).collect();
    }
    let body = error.describe().registry_error.and_then(|source| source.body.as_ref());
    body.and_then(|body| body.detail.as_deref()).map(sanitize::short_line).into_iter().collect()
}

fn request_line(error: &RegistryError) -> Option<String> {
    let request = sanitize::short_line(&error.request.as_ref()?.to_string());
    Some(match error.status {
        Some(status) => format!("  {request} was answered with status {status}"),
        None => format!("  at {request}"),
    })
}

#[cfg(test)]
mod tests;
