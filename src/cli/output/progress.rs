//! The progress of copied blobs.
//!
//! On a terminal, a bar for each blob that is being copied and one for all of them. Elsewhere, a line for each copied
//! blob, so that a log stays readable. With `--quiet`, nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once, OnceLock};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Streams, human, terminal};
use crate::core::push::reporter::{BlobProgress, TransferProgress};
use crate::digest::Digest;
use crate::sanitize;

/// Digits of a digest, as many as docker shows.
const DIGEST_DIGITS: usize = 12;

/// The template for a blob whose size is known.
const KNOWN_SIZE_TEMPLATE: &str =
    "{prefix:12} [{bar:12}] {decimal_bytes:>9}/{decimal_total_bytes:<9} {decimal_bytes_per_sec:>11} {wide_msg}";

/// The template for all blobs together, with the time that is left.
const TOTAL_TEMPLATE: &str = "{prefix:12} [{bar:12}] {decimal_bytes:>9}/{decimal_total_bytes:<9} \
    {decimal_bytes_per_sec:>11} {wide_msg} {eta:>3}";

/// The template for a blob whose size is not known.
const UNKNOWN_SIZE_TEMPLATE: &str =
    "{prefix:12} [{spinner:12}] {decimal_bytes:>9} {decimal_bytes_per_sec:>21} {wide_msg}";

/// The progress of one push. Every method may be called on any thread at any time. Dropping it removes all bars.
pub struct CopyProgress {
    state: Arc<ProgressState>,
}

struct ProgressState {
    streams: Arc<Streams>,
    /// The bars on a terminal.
    bars: Option<Bars>,
    /// Whether each copied blob is a line.
    prints_lines: bool,
    /// The number of finished blobs, copied or not.
    finished: AtomicU64,
    /// The number of copied blobs.
    copied: AtomicU64,
    copied_bytes: AtomicU64,
}

struct Bars {
    multi: MultiProgress,
    overall: ProgressBar,
    /// Set by the first byte: if all blobs are there already, no bar is drawn.
    shown: Once,
    is_cleared: AtomicBool,
    /// The bytes of all blobs together, modulo 2^64 while two threads change it.
    position: AtomicU64,
    total_blobs: AtomicU64,
}

impl CopyProgress {
    /// The progress of a push that begins now: none if `quiet`, bars if stderr is a terminal, otherwise lines.
    pub fn new(streams: &Arc<Streams>, quiet: bool) -> CopyProgress {
        let bars = (!quiet && streams.stderr_is_terminal()).then(|| Bars::new(streams));
        let (streams, prints_lines) = (Arc::clone(streams), !quiet && bars.is_none());
        let (finished, copied, copied_bytes) = Default::default();
        CopyProgress { state: Arc::new(ProgressState { streams, bars, prints_lines, finished, copied, copied_bytes }) }
    }
}

impl TransferProgress for CopyProgress {
    fn set_total(&self, bytes: u64, blobs: usize) {
        if let Some(bars) = &self.state.bars {
            bars.overall.set_style(style(TOTAL_TEMPLATE));
            bars.overall.set_length(bytes);
            bars.total_blobs.store(blobs as u64, Relaxed);
            self.state.show_finished();
        }
    }

    /// `source_to_target` is the text for where the blob goes: `docker.io/library/app → localhost:5000/app`.
    fn blob(&self, digest: &Digest, size: Option<u64>, source_to_target: &str) -> Box<dyn BlobProgress> {
        let hex = digest.as_str().split_once(':').map_or("", |(_, hex)| hex);
        Box::new(BlobCopyProgress {
            state: Arc::clone(&self.state),
            digest: hex.chars().take(DIGEST_DIGITS).collect(),
            size,
            source_to_target: sanitize::short_line(source_to_target),
            position: AtomicU64::new(0),
            drawn: OnceLock::new(),
            is_finished: false,
        })
    }

    /// A line with the copied amount replaces the bars.
    fn finish(self: Box<Self>) {
        let state = &self.state;
        let (blobs, bytes) = (state.copied.load(Relaxed), state.copied_bytes.load(Relaxed));
        if let Some(bars) = &state.bars {
            bars.clear(&state.streams);
            if blobs > 0 {
                let noun = if blobs == 1 { "blob" } else { "blobs" };
                state.streams.message(format!("copied {blobs} {noun}, {}", human::size(bytes)));
            }
        }
    }
}

impl Drop for CopyProgress {
    fn drop(&mut self) {
        if let Some(bars) = &self.state.bars {
            bars.clear(&self.state.streams);
        }
    }
}

impl ProgressState {
    /// Updates the number of finished blobs on the overall bar.
    fn show_finished(&self) {
        if let Some(bars) = &self.bars {
            let (finished, blobs) = (self.finished.load(Relaxed), bars.total_blobs.load(Relaxed));
            bars.overall.set_message(format!("{finished} of {blobs} blobs"));
        }
    }
}

impl Bars {
    fn new(streams: &Streams) -> Bars {
        let overall = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        overall.set_style(style(UNKNOWN_SIZE_TEMPLATE));
        overall.set_prefix("total");
        let multi = terminal::bars(streams.stderr());
        let (is_cleared, position, blobs) = Default::default();
        Bars { multi, overall, shown: Once::new(), is_cleared, position, total_blobs: blobs }
    }

    /// Adds a bar for one blob above the overall bar.
    fn add(&self, blob: &BlobCopyProgress) -> ProgressBar {
        self.shown.call_once(|| {
            blob.state.streams.set_bars(Some(self.multi.clone()));
            self.multi.add(self.overall.clone()).tick();
        });
        let bar = ProgressBar::with_draw_target(blob.size, ProgressDrawTarget::hidden());
        bar.set_style(style(if blob.size.is_some() { KNOWN_SIZE_TEMPLATE } else { UNKNOWN_SIZE_TEMPLATE }));
        bar.set_prefix(blob.digest.clone());
        bar.set_message(blob.source_to_target.clone());
        self.multi.insert_from_back(1, bar)
    }

    /// Moves the overall bar as far as one blob's bar has moved.
    fn advance(&self, from: u64, to: u64) {
        let change = to.wrapping_sub(from);
        let position = self.position.fetch_add(change, Relaxed).wrapping_add(change);
        // Two threads may update in the wrong order. Then the sum is below zero for a moment.
        self.overall.set_position(if position > u64::MAX / 2 { 0 } else { position });
    }

    /// Removes all bars.
    fn clear(&self, streams: &Streams) {
        self.is_cleared.store(true, Relaxed);
        streams.set_bars(None);
        self.multi.remove(&self.overall);
        // A `StderrTerminal` never fails.
        let _ = self.multi.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ").tick_chars("|/-\\ ")
}

/// The progress of one blob.
struct BlobCopyProgress {
    state: Arc<ProgressState>,
    /// The first digits of the blob's digest.
    digest: String,
    size: Option<u64>,
    source_to_target: String,
    position: AtomicU64,
    drawn: OnceLock<ProgressBar>,
    is_finished: bool,
}

impl BlobProgress for BlobCopyProgress {
    fn set_bytes(&self, bytes: u64) {
        let before = self.position.swap(bytes, Relaxed);
        let Some(bars) = &self.state.bars else { return };
        bars.advance(before, bytes);
        if !bars.is_cleared.load(Relaxed) && (bytes > 0 || self.drawn.get().is_some()) {
            self.drawn.get_or_init(|| bars.add(self)).set_position(bytes);
        }
    }

    fn copied(mut self: Box<Self>) {
        let bytes = self.size.unwrap_or_else(|| self.position.load(Relaxed));
        self.state.copied.fetch_add(1, Relaxed);
        self.state.copied_bytes.fetch_add(bytes, Relaxed);
        self.finish_blob(bytes);
        if self.state.prints_lines {
            self.state.streams.message(format!(
                "copied {} {} {}",
                self.digest,
                human::size(bytes),
                self.source_to_target
            ));
        }
    }

    fn skipped(mut self: Box<Self>) {
        let bytes = self.size.unwrap_or_default();
        self.finish_blob(bytes);
    }
}

impl BlobCopyProgress {
    fn finish_blob(&mut self, bytes: u64) {
        self.is_finished = true;
        if let Some(bars) = &self.state.bars {
            bars.advance(self.position.swap(bytes, Relaxed), bytes);
        }
        self.state.finished.fetch_add(1, Relaxed);
        self.state.show_finished();
    }
}

impl Drop for BlobCopyProgress {
    fn drop(&mut self) {
        let Some(bars) = &self.state.bars else { return };
        if !self.is_finished {
            bars.advance(self.position.swap(0, Relaxed), 0);
        }
        if let Some(drawn) = self.drawn.get() {
            bars.multi.remove(drawn);
        }
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
pub(super) mod tests;
