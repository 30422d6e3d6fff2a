//! stdout and stderr behind locks, so that several threads do not mix their lines.
//!
//! While bars are drawn ([`super::CopyProgress`]), every write removes them first and redraws them after it.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use indicatif::MultiProgress;
use serde::Serialize;

use super::style::{self, ColorChoice};
use super::{Table, json};
use crate::sanitize;
use crate::sync::lock;

type Sink = Mutex<Box<dyn Write + Send>>;

/// A stream with several writers.
pub(super) type SharedSink = Arc<Sink>;

/// The output streams, shared by the whole command.
pub struct Streams {
    out: Sink,
    err: SharedSink,
    stderr_is_terminal: bool,
    stdout_width: Option<usize>,
    bars: Mutex<Option<MultiProgress>>,
    /// Whether stdout and stderr show colour without `--color`.
    default_color: [bool; 2],
    /// Whether they show colour now.
    has_color: [AtomicBool; 2],
}

impl Streams {
    /// Streams that write to these two: the process's own, or a test's. Neither counts as a terminal.
    pub fn new(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Streams {
        Streams {
            out: Mutex::new(Box::new(out)),
            err: Arc::new(Mutex::new(Box::new(err))),
            stderr_is_terminal: false,
            stdout_width: None,
            bars: Mutex::default(),
            default_color: [false; 2],
            has_color: [false; 2].map(AtomicBool::new),
        }
    }

    /// Sets whether stderr is a terminal that can be drawn on.
    #[must_use]
    pub fn with_stderr_terminal(self, stderr_is_terminal: bool) -> Streams {
        Streams { stderr_is_terminal, ..self }
    }

    /// Sets the columns of the terminal that stdout is, if it is one.
    #[must_use]
    pub fn with_stdout_width(self, stdout_width: Option<usize>) -> Streams {
        Streams { stdout_width, ..self }
    }

    /// The columns of the terminal that stdout is, if it is one.
    pub fn stdout_width(&self) -> Option<usize> {
        self.stdout_width
    }

    /// Whether stderr is a terminal that can be drawn on.
    pub fn stderr_is_terminal(&self) -> bool {
        self.stderr_is_terminal
    }

    /// The same streams, where stdout and stderr show colour, or do not.
    #[must_use]
    pub fn with_color(self, out: bool, err: bool) -> Streams {
        Streams { default_color: [out, err], has_color: [out, err].map(AtomicBool::new), ..self }
    }

    /// Applies `--color`.
    pub fn set_color(&self, choice: ColorChoice) {
        let default_color = match choice {
            ColorChoice::Auto => self.default_color,
            ColorChoice::Always => [true; 2],
            ColorChoice::Never => [false; 2],
        };
        self.has_color.iter().zip(default_color).for_each(|(has_color, shows)| has_color.store(shows, Relaxed));
    }

    /// A table as this stdout shows it: within its columns, with its colours.
    pub fn table_for_stdout(&self, table: Table) -> Table {
        table.within(self.stdout_width).with_color(self.has_color[0].load(Relaxed))
    }

    /// Writes data to stdout in which lines that begin with a plus, a minus or a tilde are differences.
    ///
    /// # Errors
    /// As [`Streams::data`].
    pub fn diff(&self, text: &str) -> io::Result<()> {
        self.data(if self.has_color[0].load(Relaxed) { style::diff(text) } else { text.to_owned() }.as_bytes())
    }

    /// Writes data to stdout and flushes it.
    ///
    /// A closed pipe (`| head -1`) is not an error: the command continues.
    ///
    /// # Errors
    /// Any other failure, such as a full disk.
    pub fn data(&self, bytes: &[u8]) -> io::Result<()> {
        self.without_bars(|| {
            let mut out = lock(&self.out);
            match out.write_all(bytes).and_then(|()| out.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                done => done,
            }
        })
    }

    /// Writes one or more lines of data to stdout, without control characters.
    ///
    /// # Errors
    /// As [`Streams::data`].
    pub fn line(&self, text: impl fmt::Display) -> io::Result<()> {
        self.data(sanitize::message(&format!("{text}\n")).as_bytes())
    }

    /// Writes `value` to stdout as `--format json` does (see [`json`]).
    ///
    /// # Errors
    /// As [`Streams::data`] and [`json::text`].
    pub fn json<T: Serialize + ?Sized>(&self, value: &T) -> io::Result<()> {
        self.data(json::text(value)?.as_bytes())
    }

    /// Writes a message to stderr, without control characters. A failure is ignored, because there is no other place to
    /// report it.
    pub fn message(&self, text: impl fmt::Display) {
        self.write_message(&format!("{text}\n"), style::message);
    }

    /// Writes a warning to stderr, as [`Streams::message`] does.
    pub fn warning(&self, text: impl fmt::Display) {
        self.message(format_args!("warning: {text}"));
    }

    /// Writes the report of a failure to stderr, as [`Streams::message`] does.
    pub fn failure(&self, text: &str) {
        self.write_message(&format!("{text}\n"), style::failure);
    }

    fn write_message(&self, text: &str, paint: impl Fn(&str) -> String) {
        let plain = sanitize::message(text);
        let text = if self.has_color[1].load(Relaxed) { paint(&plain) } else { plain };
        self.without_bars(|| {
            let mut err = lock(&self.err);
            let _ = err.write_all(text.as_bytes());
        });
    }

    /// stderr, for what draws on it.
    pub(super) fn stderr(&self) -> SharedSink {
        Arc::clone(&self.err)
    }

    /// Sets the bars that are drawn on stderr.
    pub(super) fn set_bars(&self, bars: Option<MultiProgress>) {
        *lock(&self.bars) = bars;
    }

    fn without_bars<R>(&self, write: impl FnOnce() -> R) -> R {
        // Not under the lock: other threads draw bars through here at the same time.
        let bars = lock(&self.bars).clone();
        match bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct FailingWriter(io::ErrorKind);

    impl Write for FailingWriter {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn stdout_ignores_a_closed_pipe_and_reports_a_full_disk() {
        let closed = Streams::new(FailingWriter(io::ErrorKind::BrokenPipe), io::sink());
        assert!(closed.line("x").is_ok());
        let full = Streams::new(FailingWriter(io::ErrorKind::StorageFull), io::sink());
        assert!(full.line("x").is_err());
    }
}
