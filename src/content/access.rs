//! The two sides of a copy.

use crate::content::error::ContentError;
use crate::content::registry::{Blob, BlobCopy, BlobReader, FetchedManifest, ManifestName};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;

/// A place that images are read from. Its methods may be called by several threads at once.
pub trait ContentSource: Sync {
    /// The manifest with this tag or digest, with the exact bytes, verified.
    ///
    /// # Errors
    /// A manifest that is not there, or that has another digest than its name.
    fn manifest(&self, name: &ManifestName) -> Result<FetchedManifest, ContentError>;

    /// Calls `take` with a reader of the blob. Whoever reads verifies the bytes.
    ///
    /// # Errors
    /// A blob that is not there, and the errors of `take`.
    fn read_blob(
        &self,
        blob: &Blob<'_>,
        take: &mut dyn FnMut(&mut dyn BlobReader) -> Result<(), ContentError>,
    ) -> Result<(), ContentError>;

    /// The repository, if the source is one. A registry can mount its blobs, and resume a download.
    fn repository(&self) -> Option<&Repository>;
}

/// A place that images are written to. Its methods may be called by several threads at once.
pub trait ContentSink: Sync {
    /// The digest that this tag or digest has there now; `None` if it is not there.
    ///
    /// # Errors
    /// A place that cannot be read.
    fn current(&self, name: &ManifestName) -> Result<Option<Digest>, ContentError>;

    /// Whether the manifest and everything that it needs are there already, as far as the place guarantees it.
    ///
    /// # Errors
    /// A place that cannot be read.
    fn has_image(&self, manifest: &Descriptor) -> Result<bool, ContentError>;

    /// Whether the blob is there.
    ///
    /// # Errors
    /// A place that cannot be read.
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError>;

    /// Copies a blob from a source, unless it is there. Its digest and size are verified before it counts as written.
    /// `progress` gets the number of bytes copied so far.
    ///
    /// # Errors
    /// The side that failed; a blob with another digest or size.
    fn copy_blob(
        &self,
        source: &dyn ContentSource,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, ContentError>;

    /// Writes a manifest that another manifest names. Everything that it names is there.
    ///
    /// # Errors
    /// A place that cannot be written.
    fn put_child(&self, digest: &Digest, media_type: &str, bytes: &[u8]) -> Result<(), ContentError>;

    /// Writes a manifest under a name. Everything that it names is there. This is the last step: nothing has a new name
    /// before it.
    ///
    /// # Errors
    /// A place that cannot be written.
    fn publish(&self, name: &ManifestName, media_type: &str, bytes: &[u8]) -> Result<(), ContentError>;
}
