//! Positions in a text: converts offsets to lines and columns, and prints the line of an error with carets.

use std::ops::Range;

/// The maximum number of characters of a line before and after the start of an error that are shown.
const EXCERPT_BEFORE_MAX: usize = 60;
const EXCERPT_AFTER_MAX: usize = 60;

/// Line and column of an offset, both from 1, the column in characters. A line ends as in YAML: LF, CR LF or CR.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let offset = char_start(text, offset);
    let before = text.get(..offset).unwrap_or_default();
    let line_start = line_start_of(text, offset);
    let crlf_pairs = before.matches("\r\n").count();
    let is_within_crlf =
        usize::from(before.ends_with('\r') && text.get(offset..).is_some_and(|rest| rest.starts_with('\n')));
    let line = before.matches(['\n', '\r']).count() - crlf_pairs - is_within_crlf + 1;
    let column = text.get(line_start..offset).unwrap_or_default().trim_start_matches('\u{feff}').chars().count() + 1;
    (line, column)
}

/// The first line of a range, shortened around its start, and a line with carets under the range.
pub(super) fn excerpt(text: &str, range: &Range<usize>) -> String {
    let start = char_start(text, range.start);
    let line_start = line_start_of(text, start);
    let rest = text.get(start..).unwrap_or_default();
    let line_end = start + rest.find(['\n', '\r']).unwrap_or(rest.len());
    let before: Vec<char> =
        text.get(line_start..start).unwrap_or_default().trim_start_matches('\u{feff}').chars().collect();
    let after = text.get(start..line_end).unwrap_or_default();
    let end = char_start(text, range.end.clamp(start, line_end));
    let width = text.get(start..end).unwrap_or_default().chars().take(EXCERPT_AFTER_MAX).count().max(1);

    let shown_before: String =
        before.iter().skip(before.len().saturating_sub(EXCERPT_BEFORE_MAX)).copied().map(column_preserving).collect();
    let shown_after: String = after.chars().take(EXCERPT_AFTER_MAX).map(column_preserving).collect();
    let cut_before = if before.len() > EXCERPT_BEFORE_MAX { "…" } else { "" };
    let cut_after = if after.chars().nth(EXCERPT_AFTER_MAX).is_some() { "…" } else { "" };
    let number = position(text, start).0.to_string();
    let indent = " ".repeat(cut_before.chars().count() + shown_before.chars().count());
    let line = format!("{cut_before}{shown_before}{shown_after}{cut_after}");
    format!("  {number} | {}\n  {} | {indent}{}", line.trim_end(), " ".repeat(number.len()), "^".repeat(width))
}

/// A character that can be printed on a terminal.
pub(super) fn replace_unprintable(character: char) -> Option<char> {
    match character {
        // Characters that change the direction of writing would make another text appear.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        _ if character.is_control() => Some('\u{fffd}'),
        _ => Some(character),
    }
}

/// A character above the carets, one column wide: a tab is a space.
fn column_preserving(character: char) -> char {
    if character == '\t' { ' ' } else { replace_unprintable(character).unwrap_or(' ') }
}

fn line_start_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

/// The start of the character at an offset.
fn char_start(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
