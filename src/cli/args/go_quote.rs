//! Go's `%q`, which docker's error texts quote arguments with.

use std::fmt::Write;

/// `text` as Go's `strconv.Quote` writes it. U+FFFD stands for bytes that were not UTF-8 and is written as itself.
pub(super) fn quote(text: &str) -> String {
    quoted(text.chars(), '"')
}

/// A byte as Go's `%q` writes it: a character literal of the code point with that number.
pub(super) fn quote_byte(byte: u8) -> String {
    quoted([char::from(byte)], '\'')
}

fn quoted(characters: impl IntoIterator<Item = char>, delimiter: char) -> String {
    let mut quoted = String::from(delimiter);
    characters.into_iter().for_each(|character| push_escaped(&mut quoted, character, delimiter));
    quoted.push(delimiter);
    quoted
}

fn push_escaped(quoted: &mut String, character: char, delimiter: char) {
    let escape = match character {
        '\u{7}' => Some('a'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{b}' => Some('v'),
        '\\' => Some('\\'),
        _ if character == delimiter => Some(delimiter),
        _ => None,
    };
    if let Some(letter) = escape {
        quoted.extend(['\\', letter]);
    } else if is_printable(character) {
        quoted.push(character);
    } else {
        let number = u32::from(character);
        // Writing to a String cannot fail.
        let _ = match number {
            0..0x80 => write!(quoted, "\\x{number:02x}"),
            0x80..0x1_0000 => write!(quoted, "\\u{number:04x}"),
            _ => write!(quoted, "\\U{number:08x}"),
        };
    }
}

/// Whether Go prints a character unescaped: letters, marks, numbers, punctuation, symbols and the ASCII space. Rust's
/// tables differ for marks, which it escapes if they stand alone.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        _ if character.is_control() || character.is_whitespace() => false,
        _ => character.is_alphanumeric() || !is_escaped_after_letter(character),
    }
}

/// Whether `escape_debug` escapes the character after a letter, where marks are not escaped.
fn is_escaped_after_letter(character: char) -> bool {
    let text: String = ['a', character].iter().collect();
    text.escape_debug().nth(1) == Some('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_does() {
        let cases = [
            ("x", r#""x""#),
            ("", r#""""#),
            ("\u{1}é\"\\'", r#""\x01é\"\\'""#),
            ("\n\t\u{7f}\u{a0}\u{2028}", r#""\n\t\x7f\u00a0\u2028""#),
            ("e\u{301}\u{200b}\u{1f600}", "\"e\u{301}\\u200b\u{1f600}\""),
            ("\u{e000}\u{f0000}", r#""\ue000\U000f0000""#),
        ];
        for (text, quoted) in cases {
            assert_eq!(quote(text), quoted, "{text:?}");
        }
    }

    #[test]
    fn bytes_are_quoted_as_code_points() {
        assert_eq!(quote_byte(b'x'), "'x'");
        assert_eq!(quote_byte(b'\''), r"'\''");
        assert_eq!(quote_byte(b'"'), "'\"'");
        assert_eq!(quote_byte(0xc3), "'Ã'");
    }
}
