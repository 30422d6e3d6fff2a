//! Reads the first record of a text by the rules of Go's `encoding/csv`. pflag reads list flags with it.

/// Splits the value of a list flag. An empty value is an empty list. Lines after the first record are ignored.
///
/// The error is Go's text, with its line, and its column counted in bytes from 1.
pub(super) fn fields(value: &str) -> Result<Vec<String>, String> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    CsvReader { lines: lines(value), line_number: 0 }.record()
}

/// Splits the value of a list flag that docker does not have. Blanks and line breaks around commas are ignored, and a
/// line break separates values too, so that the output of a build tool can be passed on. Quotes protect their content.
///
/// The error is Go's text, with its column in the text without those blanks.
pub(super) fn trimmed_fields_and_lines(value: &str) -> Result<Vec<String>, String> {
    let mut lines: Vec<&str> = Vec::new();
    for part in split_outside_quotes(value, ',') {
        let before = lines.len();
        lines.extend(split_outside_quotes(part, '\n').map(str::trim).filter(|line| !line.is_empty()));
        if lines.len() == before {
            lines.push("");
        }
    }
    fields(&lines.join(","))
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |letter| {
        is_quoted ^= letter == '"';
        !is_quoted && letter == separator
    })
}

/// The lines with their ends. CR LF is LF, and a CR at the very end is dropped.
fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| match line.strip_suffix("\r\n") {
        Some(line) => format!("{line}\n"),
        None => line.strip_suffix('\r').unwrap_or(line).to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

struct CsvReader {
    lines: Vec<String>,
    /// The number of lines read so far, which is the number of the current line.
    line_number: usize,
}

const BARE_QUOTE: &str = "bare \" in non-quoted-field";
const MISPLACED_QUOTE: &str = "extraneous or missing \" in quoted-field";

impl CsvReader {
    fn next_line(&mut self) -> Option<String> {
        let line = self.lines.get(self.line_number).cloned();
        self.line_number += usize::from(line.is_some());
        line
    }

    fn record(&mut self) -> Result<Vec<String>, String> {
        let mut line = loop {
            match self.next_line() {
                None => return Err("EOF".to_owned()),
                Some(line) if line == "\n" => {}
                Some(line) => break line,
            }
        };
        let start = self.line_number;
        let mut fields = Vec::new();
        let mut column = 1;
        loop {
            let (field, rest) = match line.strip_prefix('"') {
                Some(quoted) => self.read_quoted(start, quoted.to_owned(), &mut column)?,
                None => self.read_bare(start, &line, &mut column)?,
            };
            fields.push(field);
            match rest {
                Some(rest) => line = rest,
                None => return Ok(fields),
            }
        }
    }

    /// Reads a field without quotes. Returns the field, and the text after its comma if there was one.
    fn read_bare(&self, start_line: usize, line: &str, column: &mut usize) -> Result<(String, Option<String>), String> {
        let (field, rest) = match line.split_once(',') {
            Some((field, rest)) => (field, Some(rest.to_owned())),
            None => (line.strip_suffix('\n').unwrap_or(line), None),
        };
        if let Some(at) = field.find('"') {
            return Err(self.error(start_line, *column + at, BARE_QUOTE));
        }
        *column += field.len() + 1;
        Ok((field.to_owned(), rest))
    }

    /// Reads a quoted field after its first quote. Returns the field, and the text after its comma if there was one.
    fn read_quoted(
        &mut self,
        start_line: usize,
        mut line: String,
        column: &mut usize,
    ) -> Result<(String, Option<String>), String> {
        let mut field = String::new();
        *column += 1;
        loop {
            let Some((text, rest)) = line.split_once('"') else {
                field.push_str(&line);
                *column += line.len();
                match self.next_line() {
                    Some(next) => (line, *column) = (next, 1),
                    None => return Err(self.error(start_line, *column, MISPLACED_QUOTE)),
                }
                continue;
            };
            field.push_str(text);
            *column += text.len() + 1;
            if let Some(rest) = rest.strip_prefix('"') {
                field.push('"');
                *column += 1;
                line = rest.to_owned();
            } else if let Some(rest) = rest.strip_prefix(',') {
                *column += 1;
                return Ok((field, Some(rest.to_owned())));
            } else if rest.is_empty() || rest == "\n" {
                return Ok((field, None));
            } else {
                return Err(self.error(start_line, *column - 1, MISPLACED_QUOTE));
            }
        }
    }

    fn error(&self, start_line: usize, column: usize, message: &str) -> String {
        let line = self.line_number;
        let record_start = if start_line == line { String::new() } else { format!("record on line {start_line}; ") };
        format!("{record_start}parse error on line {line}, column {column}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_are_split_and_unquoted() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("a", &["a"]),
            ("a,b", &["a", "b"]),
            (",", &["", ""]),
            (" a , b ", &[" a ", " b "]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\"\"b\"", &["a\"b"]),
            ("\"a\nb\"", &["a\nb"]),
            ("\"a\r\nb\"", &["a\nb"]),
            ("a\nb\"", &["a"]),
            ("\n\na\r\n", &["a"]),
            ("a\r", &["a"]),
        ];
        for (value, expected) in cases {
            assert_eq!(fields(value).unwrap(), expected, "{value:?}");
        }
    }

    #[test]
    fn blanks_around_commas_are_trimmed_in_our_own_lists() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            (" \n ", &[]),
            ("a", &["a"]),
            (" a , b\t", &["a", "b"]),
            ("a,\n b,\r\n\tc\n", &["a", "b", "c"]),
            ("a\nb\r\n\r\nc", &["a", "b", "c"]),
            ("a,,b", &["a", "", "b"]),
            ("a, ,b", &["a", "", "b"]),
            ("a,", &["a", ""]),
            (" \" a, b \" , c", &[" a, b ", "c"]),
            ("\"k=1\n2\"\nl=3", &["k=1\n2", "l=3"]),
            ("\"a\"\"b\", c d", &["a\"b", "c d"]),
        ];
        for (value, expected) in cases {
            assert_eq!(trimmed_fields_and_lines(value).unwrap(), expected, "{value:?}");
        }
        let bare = "parse error on line 1, column 2: bare \" in non-quoted-field";
        assert_eq!(trimmed_fields_and_lines("a\"b"), Err(bare.to_owned()));
    }

    #[test]
    fn csv_errors_match_go_in_text_line_and_column() {
        // Measured with docker 28.2.2.
        let cases = [
            ("a\"b", "parse error on line 1, column 2: bare \" in non-quoted-field"),
            ("é\"", "parse error on line 1, column 3: bare \" in non-quoted-field"),
            ("\"ab", "parse error on line 1, column 4: extraneous or missing \" in quoted-field"),
            ("\"a\"b", "parse error on line 1, column 3: extraneous or missing \" in quoted-field"),
            ("\"a\nb", "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field"),
            (
                "\"a\nb\"c",
                "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field",
            ),
            ("\n", "EOF"),
        ];
        for (value, expected) in cases {
            assert_eq!(fields(value), Err(expected.to_owned()), "{value:?}");
        }
    }
}
