//! The current step of a long command: one line on a terminal, nothing elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Streams, terminal};
use crate::sanitize;

/// The steps of a command. Every method may be called on any thread at any time. Dropping it removes the line.
pub struct Steps {
    streams: Arc<Streams>,
    line: Option<(MultiProgress, ProgressBar)>,
}

impl Steps {
    /// A line for this number of steps, if stderr is a terminal.
    pub fn new(streams: &Arc<Streams>, number: usize) -> Steps {
        let line = streams.stderr_is_terminal().then(|| {
            let multi = terminal::bars(streams.stderr());
            streams.set_bars(Some(multi.clone()));
            let bar = multi.add(ProgressBar::new(number as u64));
            let style = ProgressStyle::with_template("[{pos}/{len}] {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            (multi, bar)
        });
        Steps { streams: Arc::clone(streams), line }
    }

    /// Shows the current step.
    pub fn begin(&self, what: &str) {
        if let Some((_, bar)) = &self.line {
            bar.set_message(what.to_owned());
        }
    }

    /// Counts a finished step.
    pub fn done(&self) {
        if let Some((_, bar)) = &self.line {
            bar.inc(1);
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some((multi, bar)) = &self.line {
            self.streams.set_bars(None);
            multi.remove(bar);
            // The canvas cannot fail.
            let _ = multi.clear();
        }
    }
}

/// The images that a command fetches, whose number grows while indexes are taken apart: a line on a terminal once the
/// command takes long, and nothing elsewhere.
pub struct Fetches {
    streams: Arc<Streams>,
    since: Instant,
    total: AtomicUsize,
    done: AtomicUsize,
    steps: OnceLock<Steps>,
}

/// What is shorter needs no line.
const PATIENCE: Duration = Duration::from_millis(500);

impl Fetches {
    /// Nothing is fetched yet.
    pub fn new(streams: &Arc<Streams>) -> Fetches {
        let (total, done, steps) = Default::default();
        Fetches { streams: Arc::clone(streams), since: Instant::now(), total, done, steps }
    }

    /// So many more images are to be fetched.
    pub fn more(&self, number: usize) {
        self.total.fetch_add(number, Relaxed);
    }

    /// An image was fetched.
    pub fn fetched(&self, what: &str) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        if self.since.elapsed() < PATIENCE {
            return;
        }
        let total = self.total.load(Relaxed);
        let steps = self.steps.get_or_init(|| Steps::new(&self.streams, total));
        if let Some((_, bar)) = &steps.line {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message(sanitize::word(what));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::progress::tests::Screen;
    use super::*;

    #[test]
    fn a_terminal_shows_the_step_and_nothing_else_does() {
        for is_terminal in [true, false] {
            let screen = Screen::default();
            let streams = Arc::new(Streams::new(io::sink(), screen.clone()).with_terminal(is_terminal));
            let steps = Steps::new(&streams, 13);
            steps.begin("OCI images");
            assert_eq!(screen.text().contains("[0/13] OCI images"), is_terminal, "{:?}", screen.text());
            steps.done();
            drop(steps);
            streams.note("the end");
            assert!(screen.text().ends_with("the end\n"), "{:?}", screen.text());
        }
    }
}
