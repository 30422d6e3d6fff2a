//! What a terminal can show, and how to draw on it.

use std::fmt;
use std::io::{self, Write};
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

use super::streams::SharedSink;
use crate::env::Env;
use crate::sync::lock;

/// Whether to draw on a terminal, and to use colour: not with `TERM=dumb`, which cannot move a cursor, and not with
/// `NO_COLOR`.
pub fn allows_escape_sequences(env: &Env) -> bool {
    env.get("NO_COLOR").is_none() && env.get("TERM") != Some("dumb")
}

/// Whether the locale is UTF-8, by the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set.
pub fn is_utf8(env: &Env) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env.get(name)).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The columns of the terminal that stdout is; `None` if it is not a terminal.
pub fn stdout_width() -> Option<usize> {
    let stdout = console::Term::stdout();
    let size = if stdout.is_term() { stdout.size_checked() } else { None };
    size.map(|(_, columns)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// The terminal behind stderr, for indicatif.
///
/// Each drawing goes through the same sink as all messages, in one write. It never fails: a closed terminal must not
/// stop a copy, and indicatif would panic.
struct StderrTerminal {
    sink: SharedSink,
    pending: Mutex<String>,
}

impl StderrTerminal {
    fn add_pending(&self, text: &str) {
        lock(&self.pending).push_str(text);
    }

    /// Moves the cursor. A distance of zero sends nothing, because terminals read zero as one.
    fn move_cursor(&self, distance: usize, direction: char) -> io::Result<()> {
        if distance > 0 {
            self.add_pending(&format!("\x1b[{distance}{direction}"));
        }
        Ok(())
    }
}

/// The maximum number of redraws per second.
const REDRAWS_PER_SECOND: u8 = 10;

/// Bars that are drawn on what `sink` writes to.
pub(super) fn bars(sink: SharedSink) -> MultiProgress {
    let terminal = Box::new(StderrTerminal { sink, pending: Mutex::default() });
    MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(terminal, REDRAWS_PER_SECOND))
}

/// The size of a test's terminal: rows, columns.
#[cfg(test)]
pub(super) const TEST_SIZE: (u16, u16) = (24, 80);

/// Rows and columns of the terminal.
fn size() -> (u16, u16) {
    #[cfg(test)]
    let (rows, columns) = TEST_SIZE;
    #[cfg(not(test))]
    let (rows, columns) = console::Term::stderr().size();
    // indicatif divides by the width.
    (rows.max(1), columns.max(10))
}

impl fmt::Debug for StderrTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StderrTerminal").finish_non_exhaustive()
    }
}

impl TermLike for StderrTerminal {
    fn width(&self) -> u16 {
        size().1
    }

    fn height(&self) -> u16 {
        size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add_pending(text);
        self.add_pending("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add_pending(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add_pending("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let drawing = std::mem::take(&mut *lock(&self.pending));
        if !drawing.is_empty() {
            let mut sink = lock(&self.sink);
            let _ = sink.write_all(drawing.as_bytes()).and_then(|()| sink.flush());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_utf8_reads_the_first_locale_variable() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("LANG", "en_US.UTF-8")][..], true),
            (&[("LANG", "de_DE.utf8")][..], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")][..], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")][..], true),
            (&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8")][..], true),
            (&[("LC_CTYPE", "C.UTF-8"), ("LC_ALL", "POSIX")][..], false),
            (&[("LANG", "ja_JP.eucJP")][..], false),
        ] {
            assert_eq!(is_utf8(&Env::from_pairs(variables.iter().copied())), expected, "{variables:?}");
        }
    }

    #[test]
    fn dumb_terminals_and_no_color_prevent_drawing() {
        assert!(allows_escape_sequences(&Env::from_pairs([("TERM", "xterm"), ("NO_COLOR", "")])));
        assert!(!allows_escape_sequences(&Env::from_pairs([("TERM", "dumb")])));
        assert!(!allows_escape_sequences(&Env::from_pairs([("TERM", "xterm"), ("NO_COLOR", "1")])));
    }
}
