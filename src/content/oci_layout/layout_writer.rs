//! What the sinks of directories and of archives have in common.

use std::path::Path;

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::{IndexChange, Layout, LockWait};
use crate::content::registry::{Blob, BlobReader};

/// A directory or an archive, while it is written.
pub(super) trait LayoutWriter: Sync {
    /// The directory or the archive.
    fn path(&self) -> &Path;

    /// The content before.
    fn existing(&self) -> Option<&Layout>;

    /// Whether the blob is there, with the right bytes.
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, LayoutError>;

    /// Writes a blob. Returns its size, in bytes.
    fn write_blob(&self, blob: &Blob<'_>, reader: &mut dyn BlobReader, progress: &dyn Fn(u64)) -> Result<u64, ContentError>;

    /// Changes `index.json`, whatever it says by now.
    fn write_index(&self, change: &IndexChange<'_>, lock_wait: LockWait<'_>) -> Result<(), LayoutError>;
}
