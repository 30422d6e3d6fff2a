//! Positions in a text: from an offset to line and column, and to the line with a caret.

use std::ops::Range;

/// How many characters of a line are shown before and after the start of the error.
const BEFORE: usize = 60;
const BEHIND: usize = 60;

/// Line and column of an offset, both from 1, the column in characters. A line ends as in YAML: LF, CR LF or CR.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let offset = floor(text, offset);
    let before = text.get(..offset).unwrap_or_default();
    let begin = line_begin(text, offset);
    let pairs = before.matches("\r\n").count();
    let split = usize::from(before.ends_with('\r') && text.get(offset..).is_some_and(|rest| rest.starts_with('\n')));
    let line = before.matches(['\n', '\r']).count() - pairs - split + 1;
    let column = text.get(begin..offset).unwrap_or_default().trim_start_matches('\u{feff}').chars().count() + 1;
    (line, column)
}

/// The line of the range's start, shortened around it, and a line with carets under the part of the range in it.
pub(super) fn excerpt(text: &str, at: &Range<usize>) -> String {
    let start = floor(text, at.start);
    let begin = line_begin(text, start);
    let rest = text.get(start..).unwrap_or_default();
    let line_end = start + rest.find(['\n', '\r']).unwrap_or(rest.len());
    let before: Vec<char> = text.get(begin..start).unwrap_or_default().trim_start_matches('\u{feff}').chars().collect();
    let behind = text.get(start..line_end).unwrap_or_default();
    let end = floor(text, at.end.clamp(start, line_end));
    let width = text.get(start..end).unwrap_or_default().chars().take(BEHIND).count().max(1);

    let shown_before: String = before.iter().skip(before.len().saturating_sub(BEFORE)).copied().map(blank).collect();
    let shown_behind: String = behind.chars().take(BEHIND).map(blank).collect();
    let left = if before.len() > BEFORE { "…" } else { "" };
    let right = if behind.chars().nth(BEHIND).is_some() { "…" } else { "" };
    let number = position(text, start).0.to_string();
    let indent = " ".repeat(left.chars().count() + shown_before.chars().count());
    let line = format!("{left}{shown_before}{shown_behind}{right}");
    format!("  {number} | {}\n  {} | {indent}{}", line.trim_end(), " ".repeat(number.len()), "^".repeat(width))
}

/// A character as it may be printed on a terminal.
pub(super) fn printable(character: char) -> Option<char> {
    match character {
        // Characters that change the direction of writing would show another text.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        _ if character.is_control() => Some('\u{fffd}'),
        _ => Some(character),
    }
}

/// Above carets each character keeps its column: a tab is one blank.
fn blank(character: char) -> char {
    if character == '\t' { ' ' } else { printable(character).unwrap_or(' ') }
}

fn line_begin(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

/// The offset, or the start of the character that it is in.
fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
