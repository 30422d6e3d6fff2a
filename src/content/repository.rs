//! A repository of a registry as a source and a sink.

use crate::content::access::{ContentSink, ContentSource};
use crate::content::error::ContentError;
use crate::content::registry::{Blob, BlobCopy, BlobReader, FetchedManifest, ManifestName, Registry};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::reference::{Reference, Repository};

/// A repository, and the client that talks to its registry.
#[derive(Clone, Copy)]
pub struct RegistryRepository<'a> {
    registry: &'a Registry,
    /// Any reference in the repository.
    reference: &'a Reference,
}

impl<'a> RegistryRepository<'a> {
    /// The repository of this reference. Does no I/O.
    pub fn new(registry: &'a Registry, reference: &'a Reference) -> RegistryRepository<'a> {
        RegistryRepository { registry, reference }
    }

    fn repository(&self) -> &'a Repository {
        self.reference.repository()
    }
}

impl ContentSource for RegistryRepository<'_> {
    /// One request.
    fn manifest(&self, name: &ManifestName) -> Result<FetchedManifest, ContentError> {
        let fetched = match name {
            ManifestName::Digest(digest) => self.registry.manifest(&self.repository().at_digest(digest)),
            ManifestName::Tag(tag) => self.registry.manifest(&self.repository().at_tag(tag)?),
        };
        Ok(fetched?)
    }

    /// One request, and one more after each break.
    fn read_blob(
        &self,
        blob: &Blob<'_>,
        take: &mut dyn FnMut(&mut dyn BlobReader) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        self.registry.read_blob(self.repository(), blob, take)
    }

    fn repository(&self) -> Option<&Repository> {
        Some(self.reference.repository())
    }
}

impl ContentSink for RegistryRepository<'_> {
    /// One request (HEAD).
    fn current(&self, name: &ManifestName) -> Result<Option<Digest>, ContentError> {
        Ok(match name {
            ManifestName::Tag(tag) => self.registry.digest_before_push(self.repository(), tag)?,
            ManifestName::Digest(_) => self.registry.has_manifest(self.repository(), name)?,
        })
    }

    /// One request (HEAD). A registry that serves an image has its blobs, because it refuses a manifest without them.
    fn has_image(&self, manifest: &Descriptor) -> Result<bool, ContentError> {
        Ok(self.registry.has_child(self.repository(), &manifest.digest, &manifest.media_type)?)
    }

    /// One request (HEAD).
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        Ok(self.registry.has_blob(self.repository(), blob.digest)?)
    }

    fn copy_blob(
        &self,
        source: &dyn ContentSource,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, ContentError> {
        if let Some(repository) = source.repository() {
            return Ok(self.registry.copy_blob(self.repository(), &[repository], blob, progress)?);
        }
        // The source is not opened for a blob that is there.
        if self.registry.has_blob(self.repository(), blob.digest)? {
            return Ok(BlobCopy::Present);
        }
        let mut copied = BlobCopy::Present;
        source.read_blob(blob, &mut |reader| {
            copied = self.registry.upload_blob(self.repository(), blob, reader, progress)?;
            Ok(())
        })?;
        Ok(copied)
    }

    /// One request.
    fn put_child(&self, digest: &Digest, media_type: &str, bytes: &[u8]) -> Result<(), ContentError> {
        self.publish(&ManifestName::Digest(digest.clone()), media_type, bytes)
    }

    /// One request.
    fn publish(&self, name: &ManifestName, media_type: &str, bytes: &[u8]) -> Result<(), ContentError> {
        self.registry.put_manifest(self.repository(), name, media_type, bytes)?;
        Ok(())
    }
}
