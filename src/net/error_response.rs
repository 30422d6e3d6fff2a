//! The errors of error responses, with the registry's own message if there is one.
//!
//! The form is that of docker's `errcode`: `manifest unknown: manifest unknown` is code and message. Messages are shown
//! on one line of a terminal, so line breaks and control characters are removed and the length is limited.

use serde_json::Value;
use ureq::http::StatusCode;

use crate::net::error::{ErrorBody, FailedRequest, RegistryError, RegistryErrorKind, RetryAfter, Retryable};
use crate::net::redact::Redactor;
use crate::net::response::HttpResponse;
use crate::sanitize;

const MESSAGE_CHARS_MAX: usize = 1000;
const BODY_LINE_CHARS_MAX: usize = 200;
/// The maximum length of one error code, and the maximum number of codes in one response.
const CODE_CHARS_MAX: usize = 60;
const CODES_MAX: usize = 100;

/// The error for a response whose status is not 2xx.
pub(crate) fn registry_error(registry: &str, request: FailedRequest, response: &HttpResponse) -> RegistryError {
    let (status, message) = (response.status, message(response));
    let kind =
        if status == 403 && mentions_quota(&message) { RegistryErrorKind::Quota } else { kind_of_status(status) };
    let error = RegistryError::new(kind, registry, message).with_request(request).with_status(status);
    let body = Some(parse_body(&response.body, &response.redactor)).filter(|body| *body != ErrorBody::default());
    RegistryError { body: body.map(Box::new), retryable: retryable(response), ..error }
}

/// Whether a refusal means that a quota is used up. There is no error code for it: Harbor, Quay and others answer
/// DENIED and say it in the message only.
fn mentions_quota(message: &str) -> bool {
    let message = message.to_lowercase();
    ["quota", "storage limit", "exceed the configured upper limit"].iter().any(|phrase| message.contains(phrase))
}

/// The codes and details of a body (distribution-spec, "Error Codes").
fn parse_body(body: &[u8], redactor: &Redactor) -> ErrorBody {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let codes = errors.iter().filter_map(|error| error.get("code")?.as_str());
    let codes = codes
        .map(|code| one_line(&redactor.redact(code).to_ascii_uppercase(), CODE_CHARS_MAX))
        .filter(|code| !code.is_empty());
    let mut details: Vec<String> = Vec::new();
    for error in errors {
        let detail = error.get("detail").and_then(detail_text);
        // Many registries repeat the message in `detail`.
        let is_new = |detail: &String| error.get("message").and_then(Value::as_str) != Some(detail);
        // Before the text is cut: a part of a secret is not found.
        let detail = detail.filter(is_new).map(|detail| redactor.redact(&detail));
        details.extend(detail.filter(|detail| !details.contains(detail)));
    }
    let detail = Some(one_line(&details.join("; "), MESSAGE_CHARS_MAX)).filter(|detail| !detail.is_empty());
    let says_more_than_codes = detail.is_some() || errors.iter().any(has_own_message);
    ErrorBody { codes: codes.take(CODES_MAX).collect(), detail, says_more_than_codes }
}

/// Whether an error's message says more than its code. `manifest invalid` says no more than `MANIFEST_INVALID`.
fn has_own_message(error: &Value) -> bool {
    let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
    let (code, message) = (text("code"), text("message"));
    !message.is_empty() && message != code && message != code.replace('_', " ")
}

/// A `detail` member as text. It may be any JSON; empty values are left out.
fn detail_text(detail: &Value) -> Option<String> {
    match detail {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        // An object with a message only.
        Value::Object(members) if members.len() == 1 => match members.get("message") {
            Some(Value::String(text)) => Some(text.clone()),
            _ => Some(detail.to_string()),
        },
        other => Some(other.to_string()),
    }
}

/// Whether the same request may succeed later, and when.
pub(crate) fn retryable(response: &HttpResponse) -> Retryable {
    match response.status {
        408 | 429 | 500 | 502..=504 => {
            Retryable::Later(response.header("Retry-After").as_deref().and_then(parse_retry_after))
        }
        _ => Retryable::Never,
    }
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. Anything else is ignored.
fn parse_retry_after(text: &str) -> Option<RetryAfter> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // A number that does not fit is longer than any wait.
        return Some(RetryAfter::Seconds(text.parse().unwrap_or(u64::MAX)));
    }
    httpdate::parse_http_date(text).ok().map(RetryAfter::At)
}

/// The kind of a failure with this status.
pub(crate) fn kind_of_status(status: u16) -> RegistryErrorKind {
    match status {
        401 => RegistryErrorKind::Unauthorized,
        403 => RegistryErrorKind::Forbidden,
        404 => RegistryErrorKind::NotFound,
        407 => RegistryErrorKind::Proxy,
        429 => RegistryErrorKind::RateLimited,
        400..=499 => RegistryErrorKind::RequestRefused,
        500..=599 => RegistryErrorKind::Server,
        _ => RegistryErrorKind::Protocol,
    }
}

fn message(response: &HttpResponse) -> String {
    let own = json_message(&response.body, &response.redactor).map(|own| one_line(&own, MESSAGE_CHARS_MAX));
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        return own;
    }
    let reason = StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason());
    let mut message = format!("received unexpected HTTP status: {}", response.status);
    if let Some(reason) = reason {
        message = format!("{message} {reason}");
    }
    // Before the text is cut: a part of a secret is not found.
    match first_line(&response.redact(&String::from_utf8_lossy(&response.body))) {
        Some(line) => format!("{message}: {line}"),
        None => message,
    }
}

/// The message in a JSON body, in any of the forms in use: the registry's `errors`, OAuth2's `error`, Docker Hub's
/// `details`, and variants that proxies send. Its full length, without secrets; [`one_line`] shortens it.
pub(crate) fn json_message(body: &[u8], redactor: &Redactor) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty()).map(|text| redactor.redact(text))
    };
    let pair = |code: Option<String>, message: Option<String>| match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    };
    if let Some(errors) = body.get("errors").and_then(Value::as_array) {
        let each = errors.iter().filter_map(|error| {
            let code = text(error, "code").map(|code| code.to_lowercase().replace('_', " "));
            pair(code, text(error, "message"))
        });
        let all = each.collect::<Vec<_>>().join("; ");
        return Some(all).filter(|all| !all.is_empty());
    }
    text(&body, "details")
        .or_else(|| text(&body, "message"))
        .or_else(|| pair(text(&body, "error"), text(&body, "error_description")))
}

/// The first line that is not empty; for HTML, the text outside the tags.
fn first_line(text: &str) -> Option<String> {
    let is_html = text.trim_start().starts_with('<');
    text.lines().map(|text| if is_html { without_tags(text) } else { text.to_owned() }).find_map(|text| {
        let line = one_line(&text, BODY_LINE_CHARS_MAX);
        (!line.is_empty()).then_some(line)
    })
}

fn without_tags(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = text.chars().filter(|c| {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    });
    outside.collect()
}

/// The text on one line, without control characters and with at most `max` characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let flat = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| sanitize::is_printable(*c));
    flat.take(max).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn empty(status: u16) -> HttpResponse {
        HttpResponse { status, ..HttpResponse::default() }
    }

    fn shown(status: u16, body: &str) -> String {
        message(&HttpResponse { body: body.as_bytes().to_vec(), ..empty(status) })
    }

    #[test]
    fn error_message_has_dockers_form() {
        let one = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1"}}]}"#;
        assert_eq!(shown(404, one), "manifest unknown: manifest unknown");
        let two = r#"{"errors":[{"code":"DENIED","message":"a\nb\u001b[1m"},{"code":"X"},{"message":"m"},7]}"#;
        assert_eq!(shown(403, two), "denied: a b[1m; x; m");
        assert_eq!(shown(401, r#"{"details":"incorrect username or password"}"#), "incorrect username or password");
    }

    #[test]
    fn error_body_has_a_reason_only_beyond_its_code() {
        for (members, has_reason) in [
            ("", false),
            (r#","message":"manifest invalid","detail":{}"#, false),
            (r#","message":" MANIFEST_INVALID ""#, false),
            (r#","message":"","detail":null"#, false),
            (r#","message":"manifest invalid","detail":"no layers""#, true),
            (r#","message":"no layers""#, true),
        ] {
            let body = format!(r#"{{"errors":[{{"code":"MANIFEST_INVALID"{members}}}]}}"#);
            assert_eq!(parse_body(body.as_bytes(), &Redactor::default()).says_more_than_codes, has_reason, "{members}");
        }
    }

    #[test]
    fn retry_after_is_parsed_in_all_forms() {
        let at = |seconds| Some(RetryAfter::At(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)));
        for (text, expected) in [
            ("0", Some(RetryAfter::Seconds(0))),
            ("120", Some(RetryAfter::Seconds(120))),
            ("99999999999999999999999", Some(RetryAfter::Seconds(u64::MAX))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", at(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", at(784_111_777)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(text), expected, "{text}");
        }
    }

    #[test]
    fn only_temporary_statuses_are_retryable() {
        let retryable = |status| super::retryable(&empty(status));
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(retryable(status), Retryable::Later(None), "{status}");
        }
        for status in [200, 302, 400, 401, 403, 404, 405, 409, 416, 418, 501, 505, 511] {
            assert_eq!(retryable(status), Retryable::Never, "{status}");
        }
    }

    #[test]
    fn error_response_without_a_json_message_is_its_status_and_first_line() {
        let status = "received unexpected HTTP status: 503 Service Unavailable";
        assert_eq!(shown(503, ""), status);
        assert_eq!(shown(503, r#"{"errors":[]}"#), format!("{status}: {{\"errors\":[]}}"));
        assert_eq!(shown(503, "\n \n back\tsoon\x07 \nmore"), format!("{status}: back soon"));
        let html = "<html>\n<head><title>503 Busy</title></head>\n<body>";
        assert_eq!(shown(503, html), format!("{status}: 503 Busy"));
        assert_eq!(shown(599, &"x".repeat(300)).len(), "received unexpected HTTP status: 599: ".len() + 200);
    }
}
