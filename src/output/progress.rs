//! What a copy of blobs looks like while it goes on.
//!
//! On a terminal: a bar for each blob that moves and one for all of them. Elsewhere: a line for each blob that was
//! copied, so that a log stays readable. With `--quiet`: nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once, OnceLock};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Canvas;
use super::{Streams, human, plain};
use crate::digest::Digest;

/// How often a second the bars are drawn, at most.
const DRAWINGS: u8 = 10;

/// As many digits of a digest as docker shows.
const SHORT: usize = 12;

/// A blob whose size is known, and all of them together.
const KNOWN: &str =
    "{prefix:12} [{bar:12}] {decimal_bytes:>9}/{decimal_total_bytes:<9} {decimal_bytes_per_sec:>11} {wide_msg}";

/// A blob whose size is not known.
const UNKNOWN: &str = "{prefix:12} [{spinner:12}] {decimal_bytes:>9} {decimal_bytes_per_sec:>21} {wide_msg}";

/// The talk of one copy. Every method can be called by any thread at any time; dropped, it leaves no bar behind.
pub struct Progress {
    shared: Arc<Shared>,
}

struct Shared {
    streams: Arc<Streams>,
    look: Look,
    /// Blobs that are done with, copied or not needed.
    done: AtomicU64,
    /// Of those, the copied ones.
    copied: AtomicU64,
    copied_bytes: AtomicU64,
}

enum Look {
    Quiet,
    Lines,
    Bars(Bars),
}

struct Bars {
    multi: MultiProgress,
    overall: ProgressBar,
    /// The bars come with the first byte: a copy of which all is there already never draws one.
    shown: Once,
    over: AtomicBool,
    /// The bytes of all blobs together, modulo 2^64 while two threads are at it.
    position: AtomicU64,
    blobs: AtomicU64,
}

impl Progress {
    /// The talk of a copy that begins now: none if `quiet`, else bars where stderr is a terminal, else lines.
    pub fn new(streams: &Arc<Streams>, quiet: bool) -> Progress {
        let look = match (quiet, streams.stderr_is_terminal()) {
            (true, _) => Look::Quiet,
            (false, false) => Look::Lines,
            (false, true) => Look::Bars(Bars::new(streams)),
        };
        let streams = Arc::clone(streams);
        let (done, copied, copied_bytes) = Default::default();
        Progress { shared: Arc::new(Shared { streams, look, done, copied, copied_bytes }) }
    }

    /// Says how much there is to do: bytes of all blobs whose size is known, and how many blobs.
    pub fn total(&self, bytes: u64, blobs: usize) {
        if let Look::Bars(bars) = &self.shared.look {
            bars.overall.set_style(style(KNOWN));
            bars.overall.set_length(bytes);
            bars.blobs.store(blobs as u64, Relaxed);
            self.shared.tell_done();
        }
    }

    /// A blob that may have to be copied. `size` is in bytes; `route` is where it goes from and to, as people are to
    /// read it: `docker.io/library/app → localhost:5000/app`.
    pub fn blob(&self, digest: &Digest, size: Option<u64>, route: &str) -> Bar {
        let hex = digest.as_str().split_once(':').map_or("", |(_, hex)| hex);
        Bar {
            shared: Arc::clone(&self.shared),
            digest: hex.chars().take(SHORT).collect(),
            size,
            route: plain(route),
            position: AtomicU64::new(0),
            drawn: OnceLock::new(),
            settled: false,
        }
    }

    /// The copy is over. Bars go away; a line with how much was copied stays in their place.
    pub fn finish(self) {
        let shared = &self.shared;
        let (blobs, bytes) = (shared.copied.load(Relaxed), shared.copied_bytes.load(Relaxed));
        if let Look::Bars(bars) = &shared.look {
            bars.clear(&shared.streams);
            if blobs > 0 {
                let noun = if blobs == 1 { "blob" } else { "blobs" };
                shared.streams.note(format!("copied {blobs} {noun}, {}", human::size(bytes)));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Look::Bars(bars) = &self.shared.look {
            bars.clear(&self.shared.streams);
        }
    }
}

impl Shared {
    /// Shows on the overall bar how many blobs are done with.
    fn tell_done(&self) {
        if let Look::Bars(bars) = &self.look {
            let (done, blobs) = (self.done.load(Relaxed), bars.blobs.load(Relaxed));
            bars.overall.set_message(format!("{done} of {blobs} blobs"));
        }
    }
}

impl Bars {
    fn new(streams: &Streams) -> Bars {
        let canvas = Box::new(Canvas::new(streams.stderr()));
        let target = ProgressDrawTarget::term_like_with_hz(canvas, DRAWINGS);
        let overall = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        overall.set_style(style(UNKNOWN));
        overall.set_prefix("total");
        let multi = MultiProgress::with_draw_target(target);
        let (over, position, blobs) = Default::default();
        Bars { multi, overall, shown: Once::new(), over, position, blobs }
    }

    /// A bar for one blob, above the one for all.
    fn add(&self, blob: &Bar) -> ProgressBar {
        self.shown.call_once(|| {
            blob.shared.streams.set_bars(Some(self.multi.clone()));
            self.multi.add(self.overall.clone()).tick();
        });
        let bar = ProgressBar::with_draw_target(blob.size, ProgressDrawTarget::hidden());
        bar.set_style(style(if blob.size.is_some() { KNOWN } else { UNKNOWN }));
        bar.set_prefix(blob.digest.clone());
        bar.set_message(blob.route.clone());
        self.multi.insert_from_back(1, bar)
    }

    /// Moves the overall bar by what one blob has moved.
    fn advance(&self, from: u64, to: u64) {
        let change = to.wrapping_sub(from);
        let position = self.position.fetch_add(change, Relaxed).wrapping_add(change);
        // Two threads may come by in the wrong order, and for that moment it is below zero.
        self.overall.set_position(if position > u64::MAX / 2 { 0 } else { position });
    }

    /// Takes all bars away.
    fn clear(&self, streams: &Streams) {
        self.over.store(true, Relaxed);
        streams.set_bars(None);
        self.multi.remove(&self.overall);
        // The canvas cannot fail.
        let _ = self.multi.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ").tick_chars("|/-\\ ")
}

/// The talk of one blob. Dropped before it is [`Bar::copied`] or [`Bar::skipped`], the blob has failed.
pub struct Bar {
    shared: Arc<Shared>,
    /// The first digits of the blob's digest.
    digest: String,
    size: Option<u64>,
    route: String,
    position: AtomicU64,
    drawn: OnceLock<ProgressBar>,
    settled: bool,
}

impl Bar {
    /// So many bytes have arrived in all; fewer than before where the copy had to begin again. Cheap.
    pub fn at(&self, bytes: u64) {
        let before = self.position.swap(bytes, Relaxed);
        let Look::Bars(bars) = &self.shared.look else { return };
        bars.advance(before, bytes);
        if !bars.over.load(Relaxed) && (bytes > 0 || self.drawn.get().is_some()) {
            self.drawn.get_or_init(|| bars.add(self)).set_position(bytes);
        }
    }

    /// The blob is where it should be, and was copied there.
    pub fn copied(mut self) {
        let bytes = self.size.unwrap_or_else(|| self.position.load(Relaxed));
        self.shared.copied.fetch_add(1, Relaxed);
        self.shared.copied_bytes.fetch_add(bytes, Relaxed);
        self.settle(bytes);
        if matches!(self.shared.look, Look::Lines) {
            self.shared.streams.note(format!("copied {} {} {}", self.digest, human::size(bytes), self.route));
        }
    }

    /// The blob was there already, or was mounted: nothing to tell, and nothing left to do.
    pub fn skipped(mut self) {
        self.settle(self.size.unwrap_or_default());
    }

    /// The blob could not be copied. Why is the error's to say.
    pub fn failed(self) {
        drop(self);
    }

    fn settle(&mut self, bytes: u64) {
        self.settled = true;
        if let Look::Bars(bars) = &self.shared.look {
            bars.advance(self.position.swap(bytes, Relaxed), bytes);
        }
        self.shared.done.fetch_add(1, Relaxed);
        self.shared.tell_done();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let Look::Bars(bars) = &self.shared.look else { return };
        if !self.settled {
            bars.advance(self.position.swap(0, Relaxed), 0);
        }
        if let Some(drawn) = self.drawn.get() {
            bars.multi.remove(drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use super::super::terminal::TEST_SIZE;
    use super::*;

    const WIDTH: usize = TEST_SIZE.1 as usize;

    /// A stderr that can be looked at.
    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// What a terminal shows in the end: enough of one for what indicatif sends. Like a real one it begins a new
        /// row only with the character after a full one.
        fn shown(&self) -> Vec<String> {
            let (text, mut lines) = (self.text(), vec![vec![' '; WIDTH]; 100]);
            let (mut row, mut column, mut rest) = (0, 0, text.as_str());
            while let Some(first) = rest.chars().next() {
                let mut taken = first.len_utf8();
                if let Some(sequence) = rest.strip_prefix("\x1b[") {
                    let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    let count: usize = sequence[..end].parse().unwrap();
                    match &sequence[end..=end] {
                        "A" => row -= count,
                        "B" => row += count,
                        "K" => lines[row].fill(' '),
                        other => panic!("{other}"),
                    }
                    taken = 2 + end + 1;
                } else if first == '\n' {
                    (row, column) = (row + 1, 0);
                } else if first == '\r' {
                    column = 0;
                } else {
                    if column == WIDTH {
                        (row, column) = (row + 1, 0);
                    }
                    lines[row][column] = first;
                    column += 1;
                }
                rest = &rest[taken..];
            }
            let lines = lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned());
            lines.filter(|line| !line.is_empty()).collect()
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen(is_terminal: bool) -> (Screen, Arc<Streams>) {
        let screen = Screen::default();
        (screen.clone(), Arc::new(Streams::new(io::sink(), screen).with_terminal(is_terminal)))
    }

    fn digest() -> Digest {
        Digest::of(b"blob")
    }

    fn short() -> String {
        digest().as_str()["sha256:".len()..][..12].to_owned()
    }

    /// One blob copied, one present, one failed.
    fn copy(streams: &Arc<Streams>, quiet: bool) -> Progress {
        let progress = Progress::new(streams, quiet);
        progress.total(3000, 3);
        let bar = progress.blob(&digest(), Some(1500), "a/app → b/app");
        bar.at(700);
        bar.at(0);
        bar.at(1500);
        bar.copied();
        progress.blob(&digest(), Some(500), "a/app → b/app").skipped();
        let lost = progress.blob(&digest(), None, "a/app → b/app");
        lost.at(5);
        lost.failed();
        progress
    }

    #[test]
    fn elsewhere_a_copied_blob_is_a_line() {
        let (screen, streams) = screen(false);
        copy(&streams, false).finish();
        assert_eq!(screen.text(), format!("copied {} 1.5kB a/app → b/app\n", short()));
    }

    #[test]
    fn a_blob_of_unknown_size_is_as_large_as_what_arrived() {
        let (screen, streams) = screen(false);
        let progress = Progress::new(&streams, false);
        let bar = progress.blob(&digest(), None, "a → b\u{1b}[2J");
        bar.at(42);
        bar.copied();
        assert!(screen.text().ends_with(" 42B a → b?[2J\n"), "{}", screen.text());
    }

    #[test]
    fn quiet_is_silent_even_on_a_terminal() {
        for is_terminal in [true, false] {
            let (screen, streams) = screen(is_terminal);
            copy(&streams, true).finish();
            assert_eq!(screen.text(), "");
        }
    }

    #[test]
    fn a_terminal_shows_bars_and_in_the_end_one_line() {
        let (screen, streams) = screen(true);
        let progress = copy(&streams, false);
        // indicatif holds back drawings that come too soon; a note has them drawn.
        let moving = progress.blob(&digest(), Some(2000), "x");
        moving.at(1000);
        streams.note("a note");
        let shown = screen.shown();
        assert_eq!(shown[0], "a note");
        assert!(shown[1].starts_with(&short()) && shown[1].contains("1.00 kB/2.00 kB "), "{shown:?}");
        assert!(shown[2].starts_with("total") && shown[2].contains("3.00 kB/3.00 kB"), "{shown:?}");
        assert!(shown[2].ends_with("2 of 3 blobs"), "{shown:?}");
        assert_eq!(shown.len(), 3, "{shown:?}");
        moving.failed();
        progress.finish();
        assert_eq!(screen.shown(), ["a note", "copied 1 blob, 1.5kB"]);
        streams.note("after it");
        assert_eq!(screen.shown(), ["a note", "copied 1 blob, 1.5kB", "after it"]);
    }

    #[test]
    fn where_nothing_is_copied_nothing_is_drawn() {
        let (screen, streams) = screen(true);
        let progress = Progress::new(&streams, false);
        progress.total(10, 1);
        let bar = progress.blob(&digest(), Some(10), "x");
        bar.at(0);
        bar.skipped();
        progress.finish();
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn a_copy_that_is_given_up_leaves_no_bar() {
        let (screen, streams) = screen(true);
        let progress = Progress::new(&streams, false);
        let bar = progress.blob(&digest(), None, "x");
        bar.at(1);
        streams.note("a note");
        assert_eq!(screen.shown().len(), 3);
        drop(progress);
        bar.at(2);
        drop(bar);
        streams.note("an error");
        assert_eq!(screen.shown(), ["a note", "an error"]);
    }

    #[test]
    fn many_threads_can_talk_at_once_and_no_note_is_torn() {
        let (screen, streams) = screen(true);
        let progress = Progress::new(&streams, false);
        progress.total(8 * 1000, 8);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (progress, streams) = (&progress, &streams);
                scope.spawn(move || {
                    let bar = progress.blob(&digest(), Some(1000), "x");
                    for bytes in (0..=1000).step_by(10) {
                        bar.at(bytes);
                    }
                    streams.note(format!("note {thread}"));
                    bar.copied();
                });
            }
        });
        progress.finish();
        let mut shown = screen.shown();
        shown.sort();
        let notes: Vec<String> = (0..8).map(|thread| format!("note {thread}")).collect();
        assert_eq!(shown[1..], notes);
        assert_eq!(shown[0], "copied 8 blobs, 8kB");
    }
}
