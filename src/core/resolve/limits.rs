//! How much one command takes out of indexes. A registry writes them as it likes: 4 MiB are room for tens of thousands
//! of lines, each of which may name one manifest of 4 MiB again.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::core::error::CommandError;
use crate::drafts::docker_dir;
use crate::reference::Reference;

/// How deep indexes may lie in indexes.
pub(crate) const DEPTH_MAX: usize = 8;
/// How many lines of indexes one command takes.
pub(crate) const CHILDREN_MAX: usize = 10_000;
/// How many bytes of manifests it keeps, a manifest that several lines name once for each. The store has a manifest in
/// base64 and once more as JSON: so many bytes make a draft that can be read again.
pub(crate) const BYTES_MAX: u64 = docker_dir::DRAFT_LIMIT / 8 * 3;

/// What indexes have brought so far.
#[derive(Debug, Default)]
pub(crate) struct ResolvedSize {
    lines: usize,
    bytes: AtomicU64,
}

impl ResolvedSize {
    /// One line more, of `list` or of what lies in it.
    ///
    /// # Errors
    /// Where that is one too much.
    pub(crate) fn line(&mut self, list: &Reference) -> Result<(), CommandError> {
        self.lines += 1;
        match self.lines > CHILDREN_MAX {
            true => Err(CommandError::TooMany { list: list.to_string(), most: CHILDREN_MAX }),
            false => Ok(()),
        }
    }

    /// A manifest of so many bytes, kept so many times. To be asked before any of that is kept.
    ///
    /// # Errors
    /// Where that is too much.
    pub(crate) fn keep(&self, list: &Reference, bytes: &[u8], times: usize) -> Result<(), CommandError> {
        let more = (bytes.len() as u64).saturating_mul(times as u64);
        let before = self.bytes.fetch_add(more, Ordering::Relaxed);
        match before.saturating_add(more) > BYTES_MAX {
            true => Err(CommandError::TooLarge { list: list.to_string(), most: BYTES_MAX }),
            false => Ok(()),
        }
    }
}
