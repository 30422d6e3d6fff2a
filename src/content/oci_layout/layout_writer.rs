//! The operations of [`LayoutSink`](super::LayoutSink) on files: a directory or an archive implements them.

use std::io::Read;
use std::path::Path;

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::{IndexChange, Layout, LockWait};
use crate::content::registry::{Blob, BlobReader};
use crate::digest::Digest;
use crate::net::{RegistryError, RegistryErrorKind};

/// Writes the blobs and the `index.json` of a layout.
pub(super) trait LayoutWriter: Sync {
    /// The directory or the archive.
    fn path(&self) -> &Path;

    /// The layout as it was before the first write; `None` if it did not exist.
    fn existing(&self) -> Option<&Layout>;

    /// Whether the layout has the blob with the right bytes.
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, LayoutError>;

    /// Writes a blob. Returns its size, in bytes.
    fn write_blob(
        &self,
        blob: &Blob<'_>,
        reader: &mut dyn BlobReader,
        progress: &dyn Fn(u64),
    ) -> Result<u64, ContentError>;

    /// Writes a blob that is in memory, such as a manifest.
    fn write_bytes(&self, digest: &Digest, bytes: &[u8]) -> Result<(), ContentError> {
        let blob = Blob { digest, size: Some(bytes.len() as u64) };
        self.write_blob(&blob, &mut MemoryBlob(bytes), &|_| ()).map(drop)
    }

    /// The bytes of a manifest as they are now, unverified; `None` if it is not there.
    fn read_manifest_unverified(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LayoutError>;

    /// Applies a change to the current `index.json` and writes it.
    fn write_index_json(&self, change: &IndexChange<'_>, lock_wait: LockWait<'_>) -> Result<(), ContentError>;
}

/// Bytes that are in memory, as a blob.
struct MemoryBlob<'a>(&'a [u8]);

impl BlobReader for MemoryBlob<'_> {
    fn length(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        let mut rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        rest.read(buffer).map_err(|error| self.content_error(error.to_string()))
    }

    fn content_error(&mut self, reason: String) -> RegistryError {
        RegistryError::new(RegistryErrorKind::Verification, String::new(), reason)
    }
}
