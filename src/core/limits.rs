//! Limits on what one command reads from indexes. An index of 4 MiB can have tens of thousands of descriptors, and each
//! may name another manifest of 4 MiB.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::drafts::docker_dir;

/// The maximum depth of nested indexes.
pub(crate) const DEPTH_MAX: usize = 8;
/// The maximum number of descriptors that one command reads from indexes.
pub(crate) const DESCRIPTORS_MAX: usize = 10_000;
/// The maximum number of descriptors of an index and its nested indexes whose order is kept, selected or not.
pub(crate) const LEAVES_MAX: usize = 100_000;
/// The maximum bytes of manifests that a command keeps; a manifest counts once for each descriptor. The store has each
/// manifest in base64 and again as JSON, so a draft within this limit can be read again.
pub(crate) const BYTES_MAX: u64 = docker_dir::DRAFT_BYTES_MAX / 8 * 3;

/// A list that exceeds a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Nested indexes beyond the maximum depth.
    #[error("{list} has indexes nested more than {max} deep")]
    Depth {
        /// The outermost list.
        list: String,
        /// The maximum depth.
        max: usize,
    },
    /// More manifests in indexes than the maximum.
    #[error("{list} brings the manifests taken out of indexes to more than {max}")]
    Descriptors {
        /// The list that exceeded it.
        list: String,
        /// The maximum number.
        max: usize,
    },
    /// More bytes of manifests in indexes than the maximum.
    #[error("{list} brings the manifests taken out of indexes to more than {max} bytes")]
    Bytes {
        /// The list that exceeded it.
        list: String,
        /// The maximum in bytes.
        max: u64,
    },
}

/// Counts what a command takes from indexes, against the limits.
#[derive(Debug, Default)]
pub(crate) struct IndexBudget {
    counted_descriptors: usize,
    counted_bytes: AtomicU64,
}

impl IndexBudget {
    /// Counts `more` descriptors of a list and of its nested indexes. `list` is its name.
    ///
    /// # Errors
    /// The limit is exceeded.
    pub(crate) fn count_descriptors(&mut self, more: usize, list: impl Fn() -> String) -> Result<(), LimitError> {
        self.counted_descriptors = self.counted_descriptors.saturating_add(more);
        match self.counted_descriptors > DESCRIPTORS_MAX {
            true => Err(LimitError::Descriptors { list: list(), max: DESCRIPTORS_MAX }),
            false => Ok(()),
        }
    }

    /// Counts the bytes of a manifest that is kept `times` times.
    ///
    /// # Errors
    /// The limit is exceeded.
    pub(crate) fn count_bytes(&self, list: &dyn Display, bytes: &[u8], times: usize) -> Result<(), LimitError> {
        let more = (bytes.len() as u64).saturating_mul(times as u64);
        let before = self.counted_bytes.fetch_add(more, Ordering::Relaxed);
        match before.saturating_add(more) > BYTES_MAX {
            true => Err(LimitError::Bytes { list: list.to_string(), max: BYTES_MAX }),
            false => Ok(()),
        }
    }
}
