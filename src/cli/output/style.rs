//! Colour in what is printed. The text stays the same: without the escape sequences it is what a pipe gets.

use console::Style;

/// The words that begin a message on stderr, with their colours.
fn labels() -> [(&'static str, Style); 2] {
    [("hint:", Style::new().cyan()), ("warning:", Style::new().yellow())]
}

/// Whether to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// Where the stream is a terminal that shows colour.
    #[default]
    Auto,
    /// Always, into a pipe too.
    Always,
    /// Never.
    Never,
}

/// A message on stderr, with its label in colour.
pub(super) fn message(text: &str) -> String {
    let labels = labels();
    paint_lines(text, |line| {
        let (label, style) = labels.iter().find(|(label, _)| line.starts_with(label))?;
        Some(format!("{}{}", paint(style, label), line.strip_prefix(label)?))
    })
}

/// The report of a failure: its first line in red, and labels as in a message.
pub(super) fn failure(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!("{}\n{}", paint(&Style::new().red().bold(), first), message(rest))
}

/// The headers of a table.
pub(super) fn headers(line: &str) -> String {
    paint(&Style::new().bold(), line)
}

/// Differences, one line each: what is added in green, what is removed in red, what changes in yellow.
pub(super) fn diff(text: &str) -> String {
    paint_lines(text, |line| {
        let style = match line.split_once(' ')?.0 {
            "+" => Style::new().green(),
            "-" => Style::new().red(),
            "~" => Style::new().yellow(),
            _ => return None,
        };
        Some(paint(&style, line))
    })
}

fn paint(style: &Style, text: &str) -> String {
    style.clone().force_styling(true).apply_to(text).to_string()
}

/// The text with some of its lines painted.
fn paint_lines(text: &str, paint: impl Fn(&str) -> Option<String>) -> String {
    let lines = text.split('\n').map(|line| paint(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use console::strip_ansi_codes;

    use super::*;

    #[test]
    fn colour_adds_only_escape_sequences() {
        let text = "no such manifest: app:1\n  detail: hint: x\nhint: check the name\nwarning: w\n+ a\n- b\n~ c\n-d\n";
        for painted in [message(text), failure(text), diff(text), headers("A  B")] {
            let plain = strip_ansi_codes(&painted).into_owned();
            assert!(plain == text || plain == "A  B", "{plain:?}");
            assert!(painted.contains("\u{1b}["), "{painted:?}");
        }
        assert!(failure(text).starts_with("\u{1b}[31m\u{1b}[1mno such manifest: app:1\u{1b}[0m\n  detail: hint: x\n"));
        assert!(message(text).contains("\n\u{1b}[36mhint:\u{1b}[0m check the name\n\u{1b}[33mwarning:\u{1b}[0m w\n"));
        assert!(diff(text).contains("\n\u{1b}[32m+ a\u{1b}[0m\n\u{1b}[31m- b\u{1b}[0m\n\u{1b}[33m~ c\u{1b}[0m\n-d\n"));
    }
}
