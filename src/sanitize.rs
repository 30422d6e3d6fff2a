//! Sanitizes text that may come from a registry: characters that move a terminal's cursor, change colours, end the line
//! or change the direction of writing (UAX #9) become `?`, and long text is cut.

/// The maximum length of a name or value in a message, in characters.
const SHORT_LINE_LENGTH_MAX: usize = 1000;
/// The maximum length of a line of messages, in characters. Ours are far shorter.
const MESSAGE_LINE_LENGTH_MAX: usize = 10_000;

/// Whether a character is shown unchanged.
pub fn is_printable(character: char) -> bool {
    let changes_direction =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_line = matches!(character, '\u{2028}' | '\u{2029}');
    !(character.is_control() || changes_direction || ends_line)
}

fn printable_or_mark(character: char) -> char {
    if is_printable(character) { character } else { '?' }
}

/// The text on one line.
pub fn line(text: &str) -> String {
    text.chars().map(printable_or_mark).collect()
}

/// The text on one line, cut after 1000 characters.
pub fn short_line(text: &str) -> String {
    line(&truncate(text, SHORT_LINE_LENGTH_MAX))
}

/// The text, cut after 1000 characters and not sanitized.
pub fn truncated_unsanitized(text: &str) -> String {
    truncate(text, SHORT_LINE_LENGTH_MAX)
}

/// Messages: newlines and tabs stay, and long lines are cut.
pub fn message(text: &str) -> String {
    let line = |line: &str| -> String {
        truncate(line, MESSAGE_LINE_LENGTH_MAX)
            .chars()
            .map(|c| if c == '\t' { c } else { printable_or_mark(c) })
            .collect()
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// JSON with escapes for characters that are valid in it but could control a terminal. Its value does not change.
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) || matches!(character, '\n' | '\t') {
            escaped.push(character);
        } else {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    escaped
}

fn truncate(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}1m\u{7f}\r\n\tb\u{202e}c\u{2028}é東";

    #[test]
    fn sanitizing_replaces_only_what_controls_a_terminal() {
        assert_eq!(line(HOSTILE), "a?[2J?1m????b?c?é東");
        assert_eq!(message(HOSTILE), "a?[2J?1m??\n\tb?c?é東");
        assert_eq!(message("a\n\nb\n"), "a\n\nb\n");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = "é".repeat(20_000);
        assert_eq!(short_line(&long).chars().count(), SHORT_LINE_LENGTH_MAX + 1);
        assert!(short_line(&long).ends_with("é…") && short_line("é…") == "é…" && truncated_unsanitized("\n") == "\n");
        assert_eq!(message(&format!("{long}\nb")).chars().count(), MESSAGE_LINE_LENGTH_MAX + 3);
    }

    #[test]
    fn sanitized_json_has_the_same_value() {
        let text = serde_json::to_string_pretty(&[HOSTILE]).unwrap();
        let escaped = json(&text);
        assert!(escaped.chars().all(|c| is_printable(c) || c == '\n'), "{escaped:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [HOSTILE]);
    }
}
