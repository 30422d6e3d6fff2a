//! A failure as JSON, for `--format json`: the last line on stderr, so that notes before it do not matter.

use std::path::Path;

use serde_json::{Value, json};

use super::exit_code::exit_code;
use super::{Report, detail_lines, hints};
use crate::cli::args::ArgsError;
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::failure_kind::FailureKind;

/// The failure of a command; [`super::command_error`] is the same as text.
///
/// `certs_d` is the directory of certificates for registries.
pub fn command_error(error: &CommandError, certs_d: &Path) -> Report {
    report(failure(error, certs_d), exit_code(error))
}

/// A command line that cannot be run; [`super::argument_error`] is the same as text.
pub fn argument_error(error: &ArgsError) -> Report {
    let suggestion = error.suggestion.as_ref().map(super::hints::suggestion);
    let hints: Vec<String> = [error.usage(), error.help_line(), suggestion].into_iter().flatten().collect();
    let text = error.to_string();
    let (message, causes) = message_and_causes(&text);
    let failure = json!({
        "kind": FailureKind::Usage, "message": message, "causes": causes, "hints": hints, "exitCode": error.exit_code(),
    });
    report(failure, error.exit_code())
}

/// Whether these words, parsable or not, request JSON: `--format json` or `--format=json` before any `--`. The last
/// `--format` counts.
pub fn wants_json(words: &[String]) -> bool {
    let mut words = words.iter().map(String::as_str).take_while(|word| *word != "--");
    let mut is_json = false;
    while let Some(word) = words.next() {
        if word == "--format" {
            is_json = words.next() == Some("json");
        } else if let Some(value) = word.strip_prefix("--format=") {
            is_json = value == "json";
        }
    }
    is_json
}

fn report(error: Value, exit_code: u8) -> Report {
    Report { text: json!({ "error": error }).to_string(), exit_code }
}

/// The first line of a text, and the others.
fn message_and_causes(text: &str) -> (&str, Vec<String>) {
    let mut lines = text.lines();
    (lines.next().unwrap_or_default(), trimmed(lines))
}

fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    lines.map(|line| line.trim().to_owned()).collect()
}

/// One failure as an object. `causes` and `hints` are always there, other members only if they have a value.
fn failure(error: &CommandError, certs_d: &Path) -> Value {
    let text = error.to_string();
    let (message, mut causes) = message_and_causes(&text);
    let each = |errors: &[CommandError]| errors.iter().map(|error| failure(error, certs_d)).collect::<Vec<_>>();
    let (mut hints, mut errors, mut tags) = (hints(error, certs_d), Vec::new(), Value::Null);
    match error {
        CommandError::Several(several) => {
            (causes, hints, errors) = (Vec::new(), Vec::new(), each(several));
        }
        // The excerpt of the file is for people.
        CommandError::Spec(_) => causes.clear(),
        _ => causes.extend(detail_lines(error).iter().flat_map(|cause| trimmed(cause.lines()))),
    }
    if let CommandError::Partial { error: cause, done } = error {
        if let PartialResult::Tags { moved, remaining } = done {
            tags = json!({ "moved": moved, "left": remaining });
        }
        if let CommandError::Several(several) = &**cause {
            errors = each(several);
        }
    }
    let description = error.failure_data();
    let registry_error = description.registry_error;
    let request = registry_error.and_then(|error| error.request.as_ref());
    let mut failure = json!({
        "kind": description.kind,
        // The first line of the text form.
        "message": message,
        "causes": causes,
        "hints": hints,
        "reference": description.reference,
        "registry": registry_error.map(|error| &error.registry),
        "status": registry_error.and_then(|error| error.status),
        "request": request.map(ToString::to_string),
        "method": request.map(|request| request.method),
        // The repository's path in its registry.
        "repository": request.and_then(|request| request.repository.as_ref()),
        "blob": request.and_then(|request| request.blob.as_ref()),
        // The server that was contacted, if the registry's name does not say it.
        "address": request.and_then(|request| request.contacted_server.as_ref()).map(|server| &server.origin),
        // The registry's error codes, and the `detail` of its error.
        "codes": registry_error.map(|error| error.codes()),
        "detail": registry_error.and_then(|error| error.body.as_ref()).and_then(|body| body.detail.as_ref()),
        "path": description.path.map(|path| path.display().to_string()),
        "line": description.position.map(|(line, _)| line),
        "column": description.position.map(|(_, column)| column),
        // The missing platforms, and those that must not be there.
        "missing": description.missing,
        "extra": description.extra,
        // For a list with several tags: which tags were moved.
        "tags": tags,
        // Each of several failures.
        "errors": errors,
        "exitCode": exit_code(error),
    });
    if let Value::Object(members) = &mut failure {
        let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        members.retain(|name, value| matches!(name.as_str(), "causes" | "hints") || !is_empty(value));
    }
    failure
}
