//! The current step of a long command: one line on a terminal, nothing elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Streams, terminal};
use crate::sanitize;

/// The steps of a command. Every method may be called on any thread at any time. Dropping it removes the line.
pub struct StepProgress {
    streams: Arc<Streams>,
    line: Option<(MultiProgress, ProgressBar)>,
}

impl StepProgress {
    /// A line for this number of steps, if stderr is a terminal.
    pub fn new(streams: &Arc<Streams>, number: usize) -> StepProgress {
        let line = streams.stderr_is_terminal().then(|| {
            let multi = terminal::bars(streams.stderr());
            streams.set_bars(Some(multi.clone()));
            let bar = multi.add(ProgressBar::new(number as u64));
            let style = ProgressStyle::with_template("[{pos}/{len}] {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            (multi, bar)
        });
        StepProgress { streams: Arc::clone(streams), line }
    }

    /// Shows the current step.
    pub fn begin_step(&self, step: &str) {
        if let Some((_, bar)) = &self.line {
            bar.set_message(step.to_owned());
        }
    }

    /// Counts a finished step.
    pub fn finish_step(&self) {
        if let Some((_, bar)) = &self.line {
            bar.inc(1);
        }
    }
}

impl Drop for StepProgress {
    fn drop(&mut self) {
        if let Some((multi, bar)) = &self.line {
            self.streams.set_bars(None);
            multi.remove(bar);
            // A `StderrTerminal` never fails.
            let _ = multi.clear();
        }
    }
}

/// The images that a command fetches, whose number grows while indexes are taken apart: a line on a terminal once the
/// command takes long, and nothing elsewhere.
pub struct FetchProgress {
    streams: Arc<Streams>,
    since: Instant,
    total: AtomicUsize,
    fetched: AtomicUsize,
    steps: OnceLock<StepProgress>,
}

/// A shorter command shows no line.
const SHOW_AFTER: Duration = Duration::from_millis(500);

impl FetchProgress {
    /// Nothing is fetched yet.
    pub fn new(streams: &Arc<Streams>) -> FetchProgress {
        let (total, fetched, steps) = Default::default();
        FetchProgress { streams: Arc::clone(streams), since: Instant::now(), total, fetched, steps }
    }

    /// Adds to the number of images to fetch.
    pub fn expect_more(&self, number: usize) {
        self.total.fetch_add(number, Relaxed);
    }

    /// Counts a fetched image.
    pub fn add_fetched(&self, image: &str) {
        let fetched = self.fetched.fetch_add(1, Relaxed) + 1;
        if self.since.elapsed() < SHOW_AFTER {
            return;
        }
        let total = self.total.load(Relaxed);
        let steps = self.steps.get_or_init(|| StepProgress::new(&self.streams, total));
        if let Some((_, bar)) = &steps.line {
            bar.set_length(total as u64);
            bar.set_position(fetched as u64);
            bar.set_message(sanitize::short_line(image));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::progress::tests::Screen;
    use super::*;

    #[test]
    fn steps_are_shown_on_a_terminal_only() {
        for is_terminal in [true, false] {
            let screen = Screen::default();
            let streams = Arc::new(Streams::new(io::sink(), screen.clone()).with_stderr_terminal(is_terminal));
            let steps = StepProgress::new(&streams, 13);
            steps.begin_step("OCI images");
            assert_eq!(screen.text().contains("[0/13] OCI images"), is_terminal, "{:?}", screen.text());
            steps.finish_step();
            drop(steps);
            streams.message("the end");
            assert!(screen.text().ends_with("the end\n"), "{:?}", screen.text());
        }
    }
}
