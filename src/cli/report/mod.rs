//! Failures as users read them: docker's line first if docker has one, then the causes, then the hints. With `--format
//! json` the same as an object.
//!
//! Only this module knows every error, and only it words hints.

mod exit_code;
mod hints;
mod json;

use std::path::Path;

use crate::cli::args::{ArgsError, Suggestion, ToolError};
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::net::RegistryError;
use crate::sanitize;

pub use json::{argument_error as argument_error_json, command_error as command_error_json, wants_json};

use exit_code::{EXIT_FAILURE, exit_code};
use hints::hints;
pub(crate) use hints::{docker_before_shim_on_path, entry_cleanup_hint};

/// The text for stderr, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The whole text without its last newline.
    pub text: String,
    /// Docker's exit code, or one of ours if docker has none.
    pub exit_code: u8,
}

/// A command line that cannot be run: docker's line, the usage, and where to find help.
pub fn argument_error(error: &ArgsError) -> Report {
    let blocks = [Some(error.to_string()), error.usage(), error.help_line()];
    let mut text = blocks.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    if let Some(suggestion) = &error.suggestion {
        text.push_str(&format!("\nhint: {}", hints::suggestion(suggestion)));
    }
    Report { text, exit_code: error.exit_code() }
}

/// A command line of manifest-tool that cannot be run. The exit code is manifest-tool's.
pub fn manifest_tool_argument_error(error: &ToolError) -> Report {
    let mut text = format!("{error}\n\nUsage:  {}\n\n{}", error.usage, error.help_line());
    if let Some(word) = &error.suggestion {
        text.push_str(&format!("\nhint: {}", hints::suggestion(&Suggestion::Name(word.clone()))));
    }
    Report { text, exit_code: EXIT_FAILURE }
}

/// The failure of a command.
///
/// `certs_d` is the directory of certificates for registries.
pub fn command_error(error: &CommandError, certs_d: &Path) -> Report {
    let mut lines = Vec::new();
    let mut all_hints: Vec<String> = Vec::new();
    for error in error.each() {
        lines.push(error.to_string());
        lines.extend(detail_lines(error));
        lines.extend(details(error).into_iter().map(|detail| format!("  detail: {detail}")));
        for hint in hints(error, certs_d) {
            // Each hint once, even if several failures have it.
            if !all_hints.contains(&hint) {
                all_hints.push(hint);
            }
        }
    }
    lines.extend(all_hints.into_iter().map(|hint| format!("hint: {hint}")));
    Report { text: sanitize::message(&lines.join("\n")), exit_code: exit_code(error) }
}

/// The causes that docker's line leaves out.
fn detail_lines(error: &CommandError) -> Vec<String> {
    let request = || error.failure_data().registry_error.and_then(request_line);
    match error {
        CommandError::Partial { error: cause, done } => {
            cause.each().iter().flat_map(detail_lines).chain([partial_result(done)]).collect()
        }
        CommandError::MissingChild(missing) => missing.causes().or_else(request).into_iter().collect(),
        CommandError::DigestMismatch { source, .. } => vec![format!("  {source}")],
        CommandError::InvalidDocument { reference, .. } => {
            vec![format!("  in what the registry serves for {reference}")]
        }
        CommandError::Spec(error) => vec![error.excerpt().to_owned()],
        _ => request().into_iter().collect(),
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
    if let CommandError::Partial { error: cause, .. } = error {
        return cause.each().iter().flat_map(details).collect();
    }
    let body = error.failure_data().registry_error.and_then(|source| source.body.as_ref());
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
