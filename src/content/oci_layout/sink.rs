//! Writes images to a layout, in a directory or in an archive.

use std::sync::Mutex;

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::archive_writer::ArchiveWriter;
use crate::content::oci_layout::directory_writer::DirectoryWriter;
use crate::content::oci_layout::index_json::IndexJson;
use crate::content::oci_layout::layout_writer::LayoutWriter;
use crate::content::oci_layout::referrers::UnlistedReferrers;
use crate::content::oci_layout::{Layout, LayoutKind, LayoutReference, LockWait};
use crate::content::registry::{Blob, BlobCopy, ManifestName};
use crate::content::source_and_sink::{ContentSink, ContentSource, IsListed, Referrer};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;
use crate::sync::lock;

/// A layout to write to.
pub struct LayoutSink<'a> {
    name: LayoutReference,
    lock_wait: LockWait<'a>,
    writer: Box<dyn LayoutWriter>,
    /// Referrers that were written.
    unlisted: Mutex<UnlistedReferrers>,
}

impl<'a> LayoutSink<'a> {
    /// Opens a layout to write to. A directory or an archive that does not exist is created by the first write.
    ///
    /// # Errors
    /// A path that is no layout, and a layout that cannot be written.
    pub fn open(name: &LayoutReference, lock_wait: LockWait<'a>) -> Result<LayoutSink<'a>, LayoutError> {
        let writer: Box<dyn LayoutWriter> = match name.kind {
            LayoutKind::Directory => Box::new(DirectoryWriter::open(name)?),
            LayoutKind::Archive => Box::new(ArchiveWriter::open(name)?),
            LayoutKind::DockerArchive => {
                let reason = "an archive of docker save can only be read; write an oci-archive: instead";
                return Err(LayoutError::unusable(&name.path, reason));
            }
        };
        Ok(LayoutSink { name: name.clone(), lock_wait, writer, unlisted: Mutex::default() })
    }

    fn write_bytes(&self, digest: &Digest, bytes: &[u8]) -> Result<(), ContentError> {
        if self.has_blob(&Blob { digest, size: Some(bytes.len() as u64) })? {
            return Ok(());
        }
        self.writer.write_bytes(digest, bytes)
    }

    /// Changes `index.json`, and lists the referrers that were written.
    fn update_index(&self, change: impl Fn(&mut IndexJson)) -> Result<(), ContentError> {
        let unlisted = std::mem::take(&mut *lock(&self.unlisted));
        let change = |index: &mut IndexJson| {
            unlisted.add_to_index(index, &*self.writer)?;
            change(index);
            Ok(())
        };
        self.writer.write_index_json(&change, self.lock_wait)
    }
}

impl ContentSink for LayoutSink<'_> {
    fn repository(&self) -> Option<&Repository> {
        None
    }

    fn current_digest(&self, name: &ManifestName) -> Result<Option<Digest>, ContentError> {
        let Some(layout) = self.writer.existing() else { return Ok(None) };
        Ok(match name {
            ManifestName::Tag(tag) => match layout.index.find_by_name(tag).as_slice() {
                [] => None,
                found => Some(layout.single_entry(found, Some(tag))?.digest.clone()),
            },
            ManifestName::Digest(digest) => {
                let is_listed = layout.index.entries().iter().any(|entry| entry.digest == *digest);
                is_listed.then(|| digest.clone())
            }
        })
    }

    /// A layout does not guarantee that it has the blobs of an image, so each blob is checked.
    fn has_complete_manifest(&self, _: &Descriptor) -> Result<bool, ContentError> {
        Ok(false)
    }

    /// Reads the blob, because a file of that name may hold other bytes.
    fn has_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        Ok(self.writer.has_blob(blob)?)
    }

    fn copy_blob(
        &self,
        source: &dyn ContentSource,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, ContentError> {
        if self.has_blob(blob)? {
            return Ok(BlobCopy::Present);
        }
        let mut copied = 0;
        source.read_blob(blob, &mut |reader| {
            copied = self.writer.write_blob(blob, reader, progress)?;
            Ok(())
        })?;
        Ok(BlobCopy::Copied(copied))
    }

    fn put_by_digest(&self, digest: &Digest, _: &str, bytes: &[u8]) -> Result<IsListed, ContentError> {
        self.write_bytes(digest, bytes)?;
        Ok(false)
    }

    fn has_referrer(&self, referrer: &Referrer<'_>) -> Result<bool, ContentError> {
        let Referrer { digest, media_type, bytes, .. } = *referrer;
        if !self.has_blob(&Blob { digest, size: Some(bytes.len() as u64) })? {
            return Ok(false);
        }
        let subject = crate::model::referrers::subject(media_type, bytes);
        let (Some(subject), Some(layout)) = (subject, self.writer.existing()) else { return Ok(true) };
        Ok(layout.referrers_of(&subject, usize::MAX)?.iter().any(|known| known.digest == *digest))
    }

    fn put_referrer(&self, referrer: &Referrer<'_>) -> Result<IsListed, ContentError> {
        self.write_bytes(referrer.digest, referrer.bytes)?;
        lock(&self.unlisted).add(referrer);
        Ok(true)
    }

    fn as_source(&self) -> Result<Box<dyn ContentSource + '_>, ContentError> {
        Ok(Box::new(Layout::open(&self.name)?))
    }

    fn finish_without_publish(&self) -> Result<(), ContentError> {
        if lock(&self.unlisted).is_empty() { Ok(()) } else { self.update_index(|_| ()) }
    }

    fn publish(&self, name: &ManifestName, media_type: &str, bytes: &[u8]) -> Result<(), ContentError> {
        let (tag, digest) = match name {
            ManifestName::Tag(tag) => (Some(tag.as_str()), Digest::from_bytes(bytes)),
            ManifestName::Digest(digest) => (None, digest.clone()),
        };
        self.write_bytes(&digest, bytes)?;
        self.update_index(|index| index.set_entry(tag, media_type, &digest, bytes.len() as u64))
    }
}
