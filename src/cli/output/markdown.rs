//! A published list as Markdown, for summaries of CI systems. Platforms are a registry's words, and nothing in them is
//! markup: whatever could be is written as a character reference (CommonMark 0.31, section 2.5).

use std::fmt::Write;

use crate::core::json_output::ListEntryJson;
use crate::core::push::outcome::PushOutcome;
use crate::sanitize;

/// The table of a list, with its names and its digest above it.
pub(crate) fn summary(outcome: &PushOutcome) -> String {
    let mut table = format!("### {}\n\n", code(&outcome.reference));
    let state = match (outcome.dry_run, outcome.unchanged) {
        (true, _) => "Would be published as",
        (false, true) => "Unchanged:",
        (false, false) => "Published as",
    };
    // Writing to a text cannot fail.
    let _ = writeln!(table, "{state} {}\n", code(&outcome.digest));
    for name in outcome.names() {
        let _ = writeln!(table, "- {}", code(&name));
    }
    table.push_str("\n| Platform | Digest |\n| --- | --- |\n");
    for image in &outcome.platforms {
        let _ = writeln!(table, "| {} | {} |", escape(&platform(image)), code(&image.digest));
    }
    table
}

fn platform(image: &ListEntryJson) -> String {
    match (&image.attests, &image.platform) {
        (Some(_), _) => "attestation".to_owned(),
        (None, Some(platform)) => platform.clone(),
        (None, None) => "-".to_owned(),
    }
}

/// Code: a name or a digest, of which the grammars have neither a backtick nor a bar.
fn code(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@[]".contains(c);
    if text.chars().all(is_plain) { format!("`{text}`") } else { self::escape(text) }
}

/// Text in which nothing is markup, a link, a mention or another cell of a table.
pub(crate) fn escape(text: &str) -> String {
    let shown = sanitize::short_line(text);
    let characters: Vec<char> = shown.chars().collect();
    let mut escaped = String::with_capacity(shown.len());
    for (at, character) in characters.iter().enumerate() {
        let is_digit = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_digit);
        let is_number = *character == '.' && is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
        if character.is_alphanumeric() || matches!(character, ' ' | '/' | '-') && at > 0 || is_number {
            escaped.push(*character);
        } else {
            let _ = write!(escaped, "&#{};", u32::from(*character));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_need_no_escaping() {
        for plain in ["linux/arm64/v8", "windows/amd64 10.0.20348.1", "linux/arm", "日本"] {
            assert_eq!(escape(plain), plain);
        }
        assert_eq!(escape("-"), "&#45;");
    }

    #[test]
    fn hostile_text_becomes_no_markup() {
        let hostile =
            "a|b\n\r`c` *d* _e_ [f](http://g.example) <h> &amp; \\ #1 @team www.example.org ![](x)\u{1b}[2J\u{202e}";
        let escaped = escape(hostile);
        let references = escaped.split(';').filter(|part| part.contains("&#")).count();
        assert!(references > 20, "{escaped}");
        let remaining: String =
            escaped.split("&#").map(|part| part.split_once(';').map_or(part, |(_, rest)| rest)).collect();
        assert!(remaining.chars().all(|c| c.is_alphanumeric() || " /-".contains(c)), "{remaining}");
        assert!(!remaining.contains('\n'));
        // A list item or a rule would begin with these.
        for start in ["- a", "---", "+ a", "1. a", "# a", "> a"] {
            assert!(!escape(start).starts_with(['-', '+', '#', '>']) && !escape(start).contains(". "), "{start}");
        }
    }

    #[test]
    fn only_names_without_markup_become_code() {
        assert_eq!(code("h.x:5000/a_b/c-d:1@sha256:ab"), "`h.x:5000/a_b/c-d:1@sha256:ab`");
        assert_eq!(code("a`b|c"), "a&#96;b&#124;c");
    }
}
