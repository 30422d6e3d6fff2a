//! What a copy of blobs looks like while it goes on.
//!
//! On a terminal: a bar for each blob that moves and one for all of them. Elsewhere: a line for each blob that was
//! copied, so that a log stays readable. With `--quiet`: nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once, OnceLock};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Canvas;
use super::{Streams, human};
use crate::digest::Digest;
use crate::sanitize;

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
            route: sanitize::word(route),
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

/// The talk of one blob. Dropped before it is [`Bar::copied`] or [`Bar::skipped`], the blob could not be
/// copied; why is the error's to say.
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
#[path = "progress_tests.rs"]
mod tests;
