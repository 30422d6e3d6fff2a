//! Copies a blob into a repository: mounts it, or streams it from another registry.
//!
//! After a broken connection to the target, the upload continues where the target says, or begins again.
//! `RegistryBlobReader` handles broken connections to the source. This applies to streams; other requests are retried
//! by `Session`.

use crate::auth::scope::Access;
use crate::content::registry::blobs::blob_reader::{BlobReader, RETRY_PROGRESS_BYTES_MIN, RegistryBlobReader};
use crate::content::registry::blobs::copy_error::{BlobCopyError, is_connection_loss, is_mount_refused};
use crate::content::registry::blobs::verifying_reader::{ResumableHasher, VerifyingReader};
use crate::content::registry::client::RegistryClient;
use crate::content::registry::session::Session;
use crate::content::registry::upload::{Upload, UploadStart, Uploads};
use crate::digest::Digest;
use crate::net::body::RequestBody;
use crate::net::deadline::Deadline;
use crate::net::error::{RegistryError, RegistryErrorKind, Retryable};
use crate::reference::Repository;

/// A blob of at most this many bytes is sent in the request that finishes its upload. That saves a request, and
/// beginning again is cheap.
const MONOLITHIC_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A blob, from its descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Blob<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// The size in bytes, if it is known. A blob of another size is refused.
    pub size: Option<u64>,
}

/// How a blob came to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobCopy {
    /// It existed there.
    Present,
    /// The registry mounted it from another repository.
    Mounted,
    /// It was streamed, with this many bytes.
    Copied(u64),
}

impl RegistryClient {
    /// Copies or mounts a blob into `target`.
    ///
    /// Sources in the target's registry are tried by a mount, one request each. If no mount succeeds and the target
    /// does not have the blob, it is streamed from the first source that serves it, and hashed, in constant memory. A
    /// blob with another digest or size is never committed. `progress` receives the number of bytes copied so far, on
    /// the calling thread; after a broken connection the number may decrease.
    ///
    /// # Errors
    /// The error of the side that failed. [`RegistryErrorKind::NotFound`] if no source has it.
    pub fn copy_blob(
        &self,
        target: &Repository,
        sources: &[&Repository],
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, RegistryError> {
        let mut distinct: Vec<&Repository> = Vec::new();
        for source in sources {
            if *source != target && !distinct.contains(source) {
                distinct.push(source);
            }
        }
        self.expect_access(target, Access::PullPush);
        distinct.iter().for_each(|source| self.expect_access(source, Access::Pull));
        self.transfer(target, blob, progress, |copy| copy.mount_or_stream(self, &distinct))
    }

    /// Uploads a blob that the target does not have, from anywhere. It is hashed on the way, and never committed with
    /// another digest or size. `progress` receives the number of bytes sent so far.
    ///
    /// # Errors
    /// The error of the side that failed.
    pub fn upload_blob(
        &self,
        target: &Repository,
        blob: &Blob<'_>,
        reader: &mut dyn BlobReader,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BlobCopy, RegistryError> {
        self.expect_access(target, Access::PullPush);
        self.transfer(target, blob, progress, |copy| {
            copy.stream(self, reader).map_err(|error| error.cause)?;
            Ok(BlobCopy::Copied(copy.hasher.position()))
        })
    }

    /// Calls `read` with a reader of a blob. The download continues after a break.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_blob<E>(
        &self,
        repository: &Repository,
        blob: &Blob<'_>,
        read: impl FnOnce(&mut dyn BlobReader) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect_access(repository, Access::Pull);
        let deadline = self.session.new_user_deadline();
        read(&mut RegistryBlobReader::new(&self.session, repository, blob.digest, blob.size, &deadline))
    }

    fn transfer(
        &self,
        target: &Repository,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
        work: impl FnOnce(&mut BlobTransfer<'_>) -> Result<BlobCopy, RegistryError>,
    ) -> Result<BlobCopy, RegistryError> {
        let deadline = self.session.new_user_deadline();
        let mut copy = BlobTransfer {
            session: &self.session,
            deadline: &deadline,
            target,
            blob: *blob,
            uploads: Uploads::new(&self.session, target, &deadline),
            upload: None,
            uploaded: 0,
            hasher: ResumableHasher::new(blob.digest, blob.size),
            state: StreamState::Idle,
            is_resumed: false,
            progress,
        };
        let copied = work(&mut copy);
        // An unused upload is cancelled, unless the target does not answer.
        if !copied.as_ref().is_err_and(|error| error.registry == target.domain() && is_connection_loss(error.kind)) {
            copy.cancel_upload();
        }
        copied.map_err(|error| error.with_blob(blob.digest))
    }
}

/// The stream in progress, as far as the upload depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamState {
    /// No stream: the upload has not changed.
    Idle,
    /// The whole blob in the last request.
    Monolithic,
    /// The data before the last request.
    Patch,
    /// The last request after the data.
    Commit,
}

/// The copy of one blob to one repository.
struct BlobTransfer<'a> {
    session: &'a Session,
    deadline: &'a Deadline,
    target: &'a Repository,
    blob: Blob<'a>,
    uploads: Uploads<'a>,
    upload: Option<Upload>,
    /// The number of bytes that the upload has.
    uploaded: u64,
    hasher: ResumableHasher<'a>,
    state: StreamState,
    /// Whether the upload was continued after a break.
    is_resumed: bool,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl BlobTransfer<'_> {
    fn mount_or_stream(&mut self, client: &RegistryClient, sources: &[&Repository]) -> Result<BlobCopy, RegistryError> {
        for source in sources.iter().filter(|source| source.domain() == self.target.domain()) {
            if self.mount(source)? {
                return Ok(BlobCopy::Mounted);
            }
        }
        if self.target_has_blob(client)? {
            return Ok(BlobCopy::Present);
        }
        let mut failed: Option<RegistryError> = None;
        for source in sources {
            let (blob, deadline) = (self.blob, self.deadline);
            let mut source = RegistryBlobReader::new(self.session, source, blob.digest, blob.size, deadline);
            let error = match self.stream(client, &mut source) {
                Ok(()) => return Ok(BlobCopy::Copied(self.hasher.position())),
                Err(error) => error,
            };
            if !error.is_at_source {
                return Err(error.cause);
            }
            if self.state != StreamState::Idle {
                self.reset();
            }
            // A missing blob in one source says less than the failure of another source.
            if failed.as_ref().is_none_or(|failed| failed.kind == RegistryErrorKind::NotFound)
                || error.cause.kind != RegistryErrorKind::NotFound
            {
                failed = Some(error.cause);
            }
        }
        let no_source = || {
            RegistryError::new(RegistryErrorKind::NotFound, self.target.domain(), "there is nowhere to copy it from")
        };
        Err(failed.unwrap_or_else(no_source))
    }

    /// Tries a mount. An upload that the registry begins instead is kept for the stream.
    fn mount(&mut self, source: &Repository) -> Result<bool, RegistryError> {
        match self.uploads.mount(source, self.blob.digest) {
            Ok(UploadStart::Mounted) => return Ok(true),
            Ok(UploadStart::Upload(Some(upload))) => {
                self.cancel_upload();
                self.upload = Some(upload);
            }
            Ok(UploadStart::Upload(None)) => {}
            Err(error) if is_mount_refused(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Whether the target is known to have the blob. A login without the right to pull does not learn it; then the blob
    /// is sent.
    fn target_has_blob(&self, client: &RegistryClient) -> Result<bool, RegistryError> {
        match client.has_blob_for(self.target, self.blob.digest, Access::PullPush) {
            Err(error) if matches!(error.kind, RegistryErrorKind::Forbidden | RegistryErrorKind::LoginRefused) => {
                Ok(false)
            }
            known => known,
        }
    }

    /// Streams from one source. Continues after a break, as often as that makes progress.
    fn stream(&mut self, client: &RegistryClient, source: &mut dyn BlobReader) -> Result<(), BlobCopyError> {
        let mut retry = self.session.policy.start(self.target.domain(), true, self.deadline);
        loop {
            let error = match self.attempt_upload(source) {
                Ok(()) => {
                    self.upload = None;
                    return Ok(());
                }
                Err(error) => error,
            };
            if !self.can_resume(&error) {
                return Err(error);
            }
            let is_limited = error.cause.is_rate_limit();
            let retryable =
                if error.cause.retryable == Retryable::Never { Retryable::IfRepeatable } else { error.cause.retryable };
            retry.wait(error.cause.with_retryable(retryable)).map_err(BlobCopyError::target)?;
            if is_limited {
                self.rewind_to_uploaded();
                continue;
            }
            let before = self.uploaded;
            if self.resume_after_break(client).map_err(BlobCopyError::target)? {
                return Ok(());
            }
            if self.uploaded >= before.saturating_add(RETRY_PROGRESS_BYTES_MIN) {
                retry.record_progress();
            }
        }
    }

    fn can_resume(&self, error: &BlobCopyError) -> bool {
        let cause = &error.cause;
        // An expired token, an upload that no longer exists, or one at another position.
        let is_recoverable = matches!(cause.status, Some(401 | 404 | 416)) || cause.retryable != Retryable::Never;
        let is_corrupt_resume =
            self.is_resumed && self.state == StreamState::Commit && cause.kind == RegistryErrorKind::RequestRefused;
        error.interrupts_stream && (is_connection_loss(cause.kind) || is_recoverable || is_corrupt_resume)
    }

    /// Goes back to the position before a request that a rate limit refused. That request had no effect.
    fn rewind_to_uploaded(&mut self) {
        self.state = StreamState::Idle;
        if self.hasher.position() > self.uploaded {
            self.hasher.rewind(self.uploaded);
        }
        (self.progress)(self.uploaded);
    }

    /// Finds out after a break where to continue. True if the target has the whole blob.
    fn resume_after_break(&mut self, client: &RegistryClient) -> Result<bool, RegistryError> {
        let state = std::mem::replace(&mut self.state, StreamState::Idle);
        if matches!(state, StreamState::Monolithic | StreamState::Commit) && self.target_has_blob(client)? {
            self.upload = None;
            return Ok(true);
        }
        let known = match &self.upload {
            Some(upload) if state != StreamState::Monolithic => self.uploads.offset(upload)?,
            _ => None,
        };
        match known.filter(|(uploaded, _)| *uploaded <= self.hasher.position()) {
            Some((uploaded, upload)) => {
                self.hasher.rewind(uploaded);
                (self.upload, self.uploaded, self.is_resumed) = (Some(upload), uploaded, true);
                (self.progress)(uploaded);
            }
            None => self.reset(),
        }
        Ok(false)
    }

    /// Discards the upload.
    fn reset(&mut self) {
        self.cancel_upload();
        self.hasher.rewind(0);
        (self.state, self.uploaded, self.is_resumed) = (StreamState::Idle, 0, false);
        (self.progress)(0);
    }

    fn cancel_upload(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.uploads.cancel(&upload);
        }
    }

    /// One attempt, from the upload's position on.
    fn attempt_upload(&mut self, source: &mut dyn BlobReader) -> Result<(), BlobCopyError> {
        // Waits for the target's rate limit before the source is opened, because an open source does not wait.
        let limits = &self.session.policy.limits;
        drop(limits.acquire(self.target.domain(), self.deadline).map_err(BlobCopyError::target)?);
        // Begun before the source is opened, so that the login at the target happens before any data is read.
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.uploads.begin().map_err(BlobCopyError::target)?,
        };
        self.upload = Some(upload.clone());
        let is_fully_uploaded = self.hasher.is_complete() && self.hasher.position() == self.uploaded;
        let upload = match if is_fully_uploaded { Some(upload) } else { self.send_missing(source, upload)? } {
            Some(upload) => upload,
            None => return Ok(()),
        };
        self.upload = Some(upload.clone());
        self.state = StreamState::Commit;
        let put = self.uploads.finish_with_bytes(&upload, self.blob.digest, &[]);
        put.map_err(|error| BlobCopyError::target(error).interrupting())
    }

    /// Sends all that is missing. Returns the upload if it must still be finished.
    fn send_missing(&mut self, source: &mut dyn BlobReader, upload: Upload) -> Result<Option<Upload>, BlobCopyError> {
        source.open(self.hasher.position()).map_err(BlobCopyError::source)?;
        let length = source.length();
        let mut read = |at: u64, buffer: &mut [u8]| source.read(at, buffer);
        let mut reader = VerifyingReader::new(&mut read, &mut self.hasher, length, self.progress);
        if let Err(error) = reader.skip_to(self.uploaded) {
            return Err(BlobCopyError::from_read_error(error, source));
        }
        let remaining = reader.remaining();
        if remaining == Some(0) && self.uploaded > 0 {
            return Ok(Some(upload));
        }
        let is_monolithic = self.uploaded == 0 && length.is_some_and(|length| length <= MONOLITHIC_BYTES_MAX);
        self.state = if is_monolithic { StreamState::Monolithic } else { StreamState::Patch };
        let mut body = RequestBody { reader: &mut reader, length: remaining };
        let sent = if is_monolithic {
            self.uploads.finish_with_stream(&upload, self.blob.digest, &mut body).map(|()| None)
        } else {
            self.uploads.patch(&upload, self.uploaded, &mut body).map(Some)
        };
        if let Some(error) = reader.into_error() {
            return Err(BlobCopyError::from_read_error(error, source));
        }
        let next = sent.map_err(|error| BlobCopyError::target(error).interrupting())?;
        self.uploaded = self.hasher.position();
        Ok(next)
    }
}
