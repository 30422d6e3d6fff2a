//! What a push reports while it works. How that is shown is up to the caller.

use crate::digest::Digest;

/// Receives what a push has to say.
pub(crate) trait PushReporter: Sync {
    /// A line for people.
    fn note(&self, line: &str);

    /// Blobs of one repository are about to be sent.
    fn transfers(&self) -> Box<dyn TransferProgress>;
}

/// The progress of all blobs that go to one repository. Any thread may call any method at any time.
pub(crate) trait TransferProgress: Sync {
    /// How much there is to do: the bytes of all blobs whose size is known, and the number of blobs.
    fn total(&self, bytes: u64, blobs: usize);

    /// A blob that may have to be copied. `size` is in bytes; `route` says from where to where.
    fn blob(&self, digest: &Digest, size: Option<u64>, route: &str) -> Box<dyn BlobProgress>;

    /// All blobs are done with, or the push has failed.
    fn finish(self: Box<Self>);
}

/// The progress of one blob. One that is dropped before it is copied or skipped could not be sent.
pub(crate) trait BlobProgress: Sync {
    /// The number of bytes that have arrived; fewer than before where the copy had to begin again.
    fn at(&self, bytes: u64);

    /// The blob was copied.
    fn copied(self: Box<Self>);

    /// The blob was there already, or was mounted.
    fn skipped(self: Box<Self>);
}
