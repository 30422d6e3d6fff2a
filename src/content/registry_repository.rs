//! A repository of a registry as the source or the target of a copy.

use crate::content::error::ContentError;
use crate::content::registry::{Blob, BlobCopy, BlobReader, FetchedManifest, ManifestName, RegistryClient};
use crate::content::source_and_sink::{ContentSink, ContentSource, IsListed, Referrer};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;

/// A repository, and the client that talks to its registry.
#[derive(Clone, Copy)]
pub struct RegistryRepository<'a> {
    client: &'a RegistryClient,
    repository: &'a Repository,
}

impl<'a> RegistryRepository<'a> {
    /// A repository of the registry that it names. Does no I/O.
    pub fn new(client: &'a RegistryClient, repository: &'a Repository) -> RegistryRepository<'a> {
        RegistryRepository { client, repository }
    }
}

impl ContentSource for RegistryRepository<'_> {
    /// One request.
    fn manifest(&self, name: &ManifestName) -> Result<FetchedManifest, ContentError> {
        let fetched = match name {
            ManifestName::Digest(digest) => self.client.manifest(&self.repository.at_digest(digest)),
            ManifestName::Tag(tag) => self.client.manifest(&self.repository.at_tag(tag)?),
        };
        Ok(fetched?)
    }

    /// One request (HEAD).
    fn has_manifest(&self, manifest: &Descriptor) -> Result<bool, ContentError> {
        Ok(self.client.has_manifest(self.repository, &manifest.digest, &manifest.media_type)?)
    }

    /// One request (HEAD).
    fn has_blob_unverified(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        Ok(self.client.has_blob(self.repository, blob.digest)?)
    }

    /// One request.
    fn small_blob(&self, blob: &Blob<'_>, max: u64) -> Result<Vec<u8>, ContentError> {
        Ok(self.client.blob(self.repository, blob.digest, blob.size, max)?)
    }

    /// One request, and one more after each break.
    fn read_blob(
        &self,
        blob: &Blob<'_>,
        read: &mut dyn FnMut(&mut dyn BlobReader) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        self.client.read_blob(self.repository, blob, read)
    }

    fn repository(&self) -> Option<&Repository> {
        Some(self.repository)
    }

    /// One request a page; `None` where the registry has no referrers API.
    fn referrers(&self, subject: &Digest, max: usize) -> Result<Option<Vec<Descriptor>>, ContentError> {
        Ok(self.client.referrer_descriptors(self.repository, subject, max)?)
    }

    /// One request (HEAD).
    fn resolve_tag(&self, tag: &str) -> Result<Option<Digest>, ContentError> {
        Ok(self.client.manifest_digest(self.repository, &ManifestName::Tag(tag.to_owned()))?)
    }
}

impl ContentSink for RegistryRepository<'_> {
    fn repository(&self) -> Option<&Repository> {
        Some(self.repository)
    }

    /// One request (HEAD).
    fn current_digest(&self, name: &ManifestName) -> Result<Option<Digest>, ContentError> {
        Ok(match name {
            ManifestName::Tag(tag) => self.client.digest_before_push(self.repository, tag)?,
            ManifestName::Digest(_) => self.client.manifest_digest(self.repository, name)?,
        })
    }

    /// One request (HEAD). A registry that serves an image has its blobs, because it refuses a manifest without them.
    fn has_complete_manifest(&self, manifest: &Descriptor) -> Result<bool, ContentError> {
        self.has_manifest(manifest)
    }

    /// One request (HEAD).
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        self.has_blob_unverified(blob)
    }

    fn copy_blob(
        &self,
        source: &dyn ContentSource,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, ContentError> {
        if let Some(repository) = source.repository() {
            return Ok(self.client.copy_blob(self.repository, &[repository], blob, progress)?);
        }
        // The source is not opened for a blob that is there.
        if self.client.has_blob(self.repository, blob.digest)? {
            return Ok(BlobCopy::Present);
        }
        let mut copied = BlobCopy::Present;
        source.read_blob(blob, &mut |reader| {
            copied = self.client.upload_blob(self.repository, blob, reader, progress)?;
            Ok(())
        })?;
        Ok(copied)
    }

    /// One request.
    fn put_by_digest(&self, digest: &Digest, media_type: &str, bytes: &[u8]) -> Result<IsListed, ContentError> {
        let name = ManifestName::Digest(digest.clone());
        Ok(self.client.put_manifest(self.repository, &name, media_type, bytes)?.subject_processed)
    }

    /// One request (HEAD).
    fn has_referrer(&self, referrer: &Referrer<'_>) -> Result<bool, ContentError> {
        Ok(self.client.has_manifest(self.repository, referrer.digest, referrer.media_type)?)
    }

    /// One request, or one for each tag.
    fn put_referrer(&self, referrer: &Referrer<'_>) -> Result<IsListed, ContentError> {
        let Referrer { digest, media_type, bytes, tags } = referrer;
        let by_digest = tags.is_empty().then(|| ManifestName::Digest((*digest).clone()));
        let mut is_listed = false;
        for name in tags.iter().cloned().map(ManifestName::Tag).chain(by_digest) {
            is_listed |= self.client.put_manifest(self.repository, &name, media_type, bytes)?.subject_processed;
        }
        Ok(is_listed)
    }

    fn as_source(&self) -> Result<Box<dyn ContentSource + '_>, ContentError> {
        Ok(Box::new(*self))
    }

    fn finish_without_publish(&self) -> Result<(), ContentError> {
        Ok(())
    }

    /// One request.
    fn publish(&self, name: &ManifestName, media_type: &str, bytes: &[u8]) -> Result<(), ContentError> {
        self.client.put_manifest(self.repository, name, media_type, bytes)?;
        Ok(())
    }
}
