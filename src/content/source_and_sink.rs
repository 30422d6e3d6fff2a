//! The traits of the source and the target of a copy. A repository of a registry and an OCI layout implement both.

use crate::content::error::ContentError;
use crate::content::registry::{Blob, BlobCopy, BlobReader, FetchedManifest, ManifestName};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;

/// A repository or a layout that images are read from. Its methods may be called by several threads at once.
pub trait ContentSource: Sync {
    /// The manifest with this tag or digest, with the exact bytes, verified.
    ///
    /// # Errors
    /// A missing manifest, and a manifest with another digest than its name.
    fn manifest(&self, name: &ManifestName) -> Result<FetchedManifest, ContentError>;

    /// Whether the source has the manifest of a descriptor.
    ///
    /// # Errors
    /// A source that cannot be read.
    fn has_manifest(&self, manifest: &Descriptor) -> Result<bool, ContentError>;

    /// Whether the source has a blob, with its size if that is known.
    ///
    /// # Errors
    /// A source that cannot be read.
    fn has_blob_unverified(&self, blob: &Blob<'_>) -> Result<bool, ContentError>;

    /// A blob of at most `max` bytes, verified.
    ///
    /// # Errors
    /// A missing blob, a larger blob, and a blob with another digest or size.
    fn small_blob(&self, blob: &Blob<'_>, max: u64) -> Result<Vec<u8>, ContentError>;

    /// Calls `read` with a reader of the blob. The caller verifies the bytes.
    ///
    /// # Errors
    /// A missing blob, and the errors of `read`.
    fn read_blob(
        &self,
        blob: &Blob<'_>,
        read: &mut dyn FnMut(&mut dyn BlobReader) -> Result<(), ContentError>,
    ) -> Result<(), ContentError>;

    /// The repository, if the source is one. A registry can mount its blobs, and resume a download.
    fn repository(&self) -> Option<&Repository>;

    /// Whether the source has the blob. A layout reads it, because a file of that name may hold other bytes.
    ///
    /// # Errors
    /// A source that cannot be read, and in a layout other bytes.
    fn has_intact_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        self.has_blob_unverified(blob)
    }

    /// The position of a blob in the source, if blobs should be read in the order of their positions and one at a time.
    fn read_position(&self, _blob: &Digest) -> Option<u64> {
        None
    }

    /// The descriptors of a manifest's referrers; `None` if the source does not list referrers. Then the
    /// referrers tag may list them.
    ///
    /// # Errors
    /// A source that cannot be read, and more than `max` descriptors.
    fn referrers(&self, subject: &Digest, max: usize) -> Result<Option<Vec<Descriptor>>, ContentError>;

    /// The digest that this tag has; `None` without such a tag.
    ///
    /// # Errors
    /// A source that cannot be read.
    fn resolve_tag(&self, tag: &str) -> Result<Option<Digest>, ContentError>;
}

/// A manifest that refers to another one, or belongs to one that does.
#[derive(Debug, Clone, Copy)]
pub struct Referrer<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Its media type.
    pub media_type: &'a str,
    /// The exact bytes.
    pub bytes: &'a [u8],
    /// Cosign's tags, which it has instead of its digest.
    pub tags: &'a [String],
}

/// Whether the target lists a manifest under its subject.
pub(crate) type IsListed = bool;

/// A repository or a layout that images are written to. Its methods may be called by several threads at once.
pub trait ContentSink: Sync {
    /// The repository, if the target is one.
    fn repository(&self) -> Option<&Repository>;

    /// The digest of this name in the target; `None` if the target does not have the name.
    ///
    /// # Errors
    /// A target that cannot be read.
    fn current_digest(&self, name: &ManifestName) -> Result<Option<Digest>, ContentError>;

    /// Whether the target has the manifest and everything that it names, as far as it guarantees that.
    ///
    /// # Errors
    /// A target that cannot be read.
    fn has_complete_manifest(&self, manifest: &Descriptor) -> Result<bool, ContentError>;

    /// Whether the target has the blob.
    ///
    /// # Errors
    /// A target that cannot be read.
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError>;

    /// Copies a blob from a source, unless the target has it. Its digest and size are verified before it counts as
    /// written. `progress` gets the number of bytes copied so far.
    ///
    /// # Errors
    /// The side that failed; a blob with another digest or size.
    fn copy_blob(
        &self,
        source: &dyn ContentSource,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, ContentError>;

    /// Writes a manifest that another manifest names. The target must have everything that it names.
    ///
    /// # Errors
    /// A target that cannot be written.
    fn put_by_digest(&self, digest: &Digest, media_type: &str, bytes: &[u8]) -> Result<IsListed, ContentError>;

    /// Whether the target has a referrer; a layout must also list it under its subject. Its tags are not checked.
    ///
    /// # Errors
    /// A target that cannot be read.
    fn has_referrer(&self, referrer: &Referrer<'_>) -> Result<bool, ContentError>;

    /// Writes a manifest that refers to another one, under its tags if it has any. The target must have everything that
    /// it names. A layout lists it with the next `publish` or `finish_without_publish`.
    ///
    /// # Errors
    /// A target that cannot be written.
    fn put_referrer(&self, referrer: &Referrer<'_>) -> Result<IsListed, ContentError>;

    /// A source that reads what was written.
    ///
    /// # Errors
    /// A target that cannot be read.
    fn as_source(&self) -> Result<Box<dyn ContentSource + '_>, ContentError>;

    /// Completes a copy that publishes no name.
    ///
    /// # Errors
    /// A target that cannot be written.
    fn finish_without_publish(&self) -> Result<(), ContentError>;

    /// Writes a manifest under a name. The target must have everything that it names. This is the last step: no name
    /// changes before it.
    ///
    /// # Errors
    /// A target that cannot be written.
    fn publish(&self, name: &ManifestName, media_type: &str, bytes: &[u8]) -> Result<(), ContentError>;
}
