//! Copies a blob into a repository: mounts it, or streams it from another registry.
//!
//! After a broken connection to the target, the upload continues where the target says, or begins again. `BlobSource`
//! handles broken connections to the source. This applies to streams; other requests are retried by `Session`.

use crate::auth::scope::Access;
use crate::content::registry::blobs::copy_fault::{CopyFault, is_about_mount, is_break};
use crate::content::registry::blobs::source::{BlobReader, BlobSource, PROGRESS_MIN};
use crate::content::registry::blobs::verifying_reader::{ResumableHasher, VerifyingReader};
use crate::content::registry::client::Registry;
use crate::content::registry::session::Session;
use crate::content::registry::upload::{Upload, UploadStart, Uploads};
use crate::digest::Digest;
use crate::net::body::RequestBody;
use crate::net::deadline::Deadline;
use crate::net::error::{RegistryError, RegistryErrorKind, Retryable};
use crate::reference::Repository;

/// A blob of at most this many bytes is sent in the request that finishes its upload. That saves a request, and
/// beginning again is cheap.
const WHOLE_MAX: u64 = 8 * 1024 * 1024;

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

impl Registry {
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
        self.announce(target, Access::PullPush);
        distinct.iter().for_each(|source| self.announce(source, Access::Pull));
        self.transfer(target, blob, progress, |copy| copy.run(self, &distinct))
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
        self.announce(target, Access::PullPush);
        self.transfer(target, blob, progress, |copy| {
            copy.stream(self, reader).map_err(|fault| fault.error)?;
            Ok(BlobCopy::Copied(copy.hasher.at()))
        })
    }

    /// Calls `take` with a reader of a blob. The download continues after a break.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn read_blob<E>(
        &self,
        repository: &Repository,
        blob: &Blob<'_>,
        take: impl FnOnce(&mut dyn BlobReader) -> Result<(), E>,
    ) -> Result<(), E> {
        self.announce(repository, Access::Pull);
        let deadline = self.session.open_ended();
        take(&mut BlobSource::new(&self.session, repository, blob.digest, blob.size, &deadline))
    }

    fn transfer(
        &self,
        target: &Repository,
        blob: &Blob<'_>,
        progress: &(dyn Fn(u64) + Sync),
        work: impl FnOnce(&mut BlobTransfer<'_>) -> Result<BlobCopy, RegistryError>,
    ) -> Result<BlobCopy, RegistryError> {
        let deadline = self.session.open_ended();
        let mut copy = BlobTransfer {
            session: &self.session,
            deadline: &deadline,
            target,
            blob: *blob,
            uploads: Uploads::of(&self.session, target, &deadline),
            upload: None,
            arrived: 0,
            hasher: ResumableHasher::new(blob.digest, blob.size),
            step: StreamState::Idle,
            is_resumed: false,
            progress,
        };
        let copied = work(&mut copy);
        // An unused upload is cancelled, unless the target does not answer.
        if !copied.as_ref().is_err_and(|error| error.registry == target.domain() && is_break(error.kind)) {
            copy.abandon();
        }
        copied.map_err(|error| error.of_blob(blob.digest))
    }
}

/// The stream in progress, as far as the upload depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamState {
    /// No stream: the upload has not changed.
    Idle,
    /// The whole blob in the last request.
    Whole,
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
    arrived: u64,
    hasher: ResumableHasher<'a>,
    step: StreamState,
    /// Whether the upload was continued after a break.
    is_resumed: bool,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl BlobTransfer<'_> {
    fn run(&mut self, registry: &Registry, sources: &[&Repository]) -> Result<BlobCopy, RegistryError> {
        for source in sources.iter().filter(|source| source.domain() == self.target.domain()) {
            if self.mount(source)? {
                return Ok(BlobCopy::Mounted);
            }
        }
        if self.is_there(registry)? {
            return Ok(BlobCopy::Present);
        }
        let mut failed: Option<RegistryError> = None;
        for source in sources {
            let (blob, deadline) = (self.blob, self.deadline);
            let mut source = BlobSource::new(self.session, source, blob.digest, blob.size, deadline);
            let fault = match self.stream(registry, &mut source) {
                Ok(()) => return Ok(BlobCopy::Copied(self.hasher.at())),
                Err(fault) => fault,
            };
            if !fault.is_source {
                return Err(fault.error);
            }
            if self.step != StreamState::Idle {
                self.restart();
            }
            // A missing blob in one source says less than the failure of another source.
            if failed.as_ref().is_none_or(|failed| failed.kind == RegistryErrorKind::NotFound)
                || fault.error.kind != RegistryErrorKind::NotFound
            {
                failed = Some(fault.error);
            }
        }
        let nowhere = || {
            RegistryError::new(RegistryErrorKind::NotFound, self.target.domain(), "there is nowhere to copy it from")
        };
        Err(failed.unwrap_or_else(nowhere))
    }

    /// Tries a mount. An upload that the registry begins instead is kept for the stream.
    fn mount(&mut self, source: &Repository) -> Result<bool, RegistryError> {
        match self.uploads.mount(source, self.blob.digest) {
            Ok(UploadStart::Mounted) => return Ok(true),
            Ok(UploadStart::Upload(Some(upload))) => {
                self.abandon();
                self.upload = Some(upload);
            }
            Ok(UploadStart::Upload(None)) => {}
            Err(error) if is_about_mount(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Whether the target is known to have the blob. A login without the right to pull does not learn it; then the blob
    /// is sent.
    fn is_there(&self, registry: &Registry) -> Result<bool, RegistryError> {
        match registry.has_blob_for(self.target, self.blob.digest, Access::PullPush) {
            Err(error) if matches!(error.kind, RegistryErrorKind::Forbidden | RegistryErrorKind::LoginRefused) => {
                Ok(false)
            }
            known => known,
        }
    }

    /// Streams from one source. Continues after a break, as often as that makes progress.
    fn stream(&mut self, registry: &Registry, source: &mut dyn BlobReader) -> Result<(), CopyFault> {
        let mut retry = self.session.policy.start(self.target.domain(), true, self.deadline);
        loop {
            let fault = match self.attempt(source) {
                Ok(()) => {
                    self.upload = None;
                    return Ok(());
                }
                Err(fault) => fault,
            };
            if !self.may_go_on(&fault) {
                return Err(fault);
            }
            let is_limited = fault.error.is_rate_limit();
            let again = if fault.error.again == Retryable::Never { Retryable::Repeatable } else { fault.error.again };
            retry.wait(fault.error.with_again(again)).map_err(CopyFault::target)?;
            if is_limited {
                self.go_back();
                continue;
            }
            let before = self.arrived;
            if self.catch_up(registry).map_err(CopyFault::target)? {
                return Ok(());
            }
            if self.arrived >= before.saturating_add(PROGRESS_MIN) {
                retry.record_progress();
            }
        }
    }

    fn may_go_on(&self, fault: &CopyFault) -> bool {
        let error = &fault.error;
        // An expired token, an upload that no longer exists, or one at another position.
        let is_curable = matches!(error.status, Some(401 | 404 | 416)) || error.again != Retryable::Never;
        let is_mixed_up =
            self.is_resumed && self.step == StreamState::Commit && error.kind == RegistryErrorKind::Refused;
        fault.is_break && (is_break(error.kind) || is_curable || is_mixed_up)
    }

    /// Goes back to the position before a request that a rate limit refused. That request had no effect.
    fn go_back(&mut self) {
        self.step = StreamState::Idle;
        if self.hasher.at() > self.arrived {
            self.hasher.rewind(self.arrived);
        }
        (self.progress)(self.arrived);
    }

    /// Finds out after a break where to continue. True if the target has the whole blob.
    fn catch_up(&mut self, registry: &Registry) -> Result<bool, RegistryError> {
        let step = std::mem::replace(&mut self.step, StreamState::Idle);
        if matches!(step, StreamState::Whole | StreamState::Commit) && self.is_there(registry)? {
            self.upload = None;
            return Ok(true);
        }
        let known = match &self.upload {
            Some(upload) if step != StreamState::Whole => self.uploads.offset(upload)?,
            _ => None,
        };
        match known.filter(|(arrived, _)| *arrived <= self.hasher.at()) {
            Some((arrived, upload)) => {
                self.hasher.rewind(arrived);
                (self.upload, self.arrived, self.is_resumed) = (Some(upload), arrived, true);
                (self.progress)(arrived);
            }
            None => self.restart(),
        }
        Ok(false)
    }

    /// Discards the upload.
    fn restart(&mut self) {
        self.abandon();
        self.hasher.rewind(0);
        (self.step, self.arrived, self.is_resumed) = (StreamState::Idle, 0, false);
        (self.progress)(0);
    }

    fn abandon(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.uploads.cancel(&upload);
        }
    }

    /// One attempt, from the upload's position on.
    fn attempt(&mut self, source: &mut dyn BlobReader) -> Result<(), CopyFault> {
        // Waits for the target's rate limit before the source is opened, because an open source does not wait.
        let limits = &self.session.policy.limits;
        drop(limits.acquire(self.target.domain(), self.deadline).map_err(CopyFault::target)?);
        // Begun before the source is opened, so that the login at the target happens before any data is read.
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.uploads.begin().map_err(CopyFault::target)?,
        };
        self.upload = Some(upload.clone());
        let is_all_there = self.hasher.is_whole() && self.hasher.at() == self.arrived;
        let upload = match if is_all_there { Some(upload) } else { self.send(source, upload)? } {
            Some(upload) => upload,
            None => return Ok(()),
        };
        self.upload = Some(upload.clone());
        self.step = StreamState::Commit;
        let put = self.uploads.put(&upload, self.blob.digest, &[]);
        put.map_err(|error| CopyFault::target(error).breaking())
    }

    /// Sends all that is missing. Returns the upload if it must still be finished.
    fn send(&mut self, source: &mut dyn BlobReader, upload: Upload) -> Result<Option<Upload>, CopyFault> {
        source.open(self.hasher.at()).map_err(CopyFault::source)?;
        let length = source.length();
        let mut read = |at: u64, buffer: &mut [u8]| source.read(at, buffer);
        let mut reader = VerifyingReader::new(&mut read, &mut self.hasher, length, self.progress);
        if let Err(error) = reader.skip_to(self.arrived) {
            return Err(CopyFault::of(error, source));
        }
        let left = reader.left();
        if left == Some(0) && self.arrived > 0 {
            return Ok(Some(upload));
        }
        let is_whole = self.arrived == 0 && length.is_some_and(|length| length <= WHOLE_MAX);
        self.step = if is_whole { StreamState::Whole } else { StreamState::Patch };
        let mut body = RequestBody { reader: &mut reader, length: left };
        let sent = if is_whole {
            self.uploads.put_stream(&upload, self.blob.digest, &mut body).map(|()| None)
        } else {
            self.uploads.patch(&upload, self.arrived, &mut body).map(Some)
        };
        if let Some(error) = reader.into_error() {
            return Err(CopyFault::of(error, source));
        }
        let next = sent.map_err(|error| CopyFault::target(error).breaking())?;
        self.arrived = self.hasher.at();
        Ok(next)
    }
}
