//! What a push reports while it works. The caller decides how it is shown.

use std::fmt::Arguments;

use crate::content::registry::BlobCopy;
use crate::digest::Digest;

/// Receives the reports of a push.
pub(crate) trait PushReporter: Sync {
    /// A line for the user.
    fn note(&self, line: &str);

    /// A step that was done, for a user who wants to see each.
    fn step(&self, line: Arguments<'_>);

    /// Blobs of one repository are about to be sent.
    fn transfers(&self) -> Box<dyn TransferProgress>;
}

/// The progress of all blobs that go to one repository. Every method may be called on any thread at any time.
pub(crate) trait TransferProgress: Sync {
    /// The totals: the bytes of all blobs whose size is known, and the number of blobs.
    fn set_total(&self, bytes: u64, blobs: usize);

    /// A blob that may have to be copied. `size` is in bytes. `route` names its source and target.
    fn blob(&self, digest: &Digest, size: Option<u64>, route: &str) -> Box<dyn BlobProgress>;

    /// All blobs are finished, or the push has failed.
    fn finish(self: Box<Self>);
}

/// The progress of one blob. Dropping it before it is copied or skipped means that it could not be sent.
pub(crate) trait BlobProgress: Sync {
    /// The number of copied bytes. It may decrease if the copy began again.
    fn set_bytes(&self, bytes: u64);

    /// The blob was copied.
    fn copied(self: Box<Self>);

    /// The blob was there already, or was mounted.
    fn skipped(self: Box<Self>);

    /// The blob is in its repository or layout now.
    fn done(self: Box<Self>, copy: &BlobCopy) {
        match copy {
            BlobCopy::Copied(_) => self.copied(),
            BlobCopy::Mounted | BlobCopy::Present => self.skipped(),
        }
    }
}
