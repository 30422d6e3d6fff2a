//! A blob brought into a repository: mounted, or streamed there from another registry.
//!
//! What a broken connection to the target cuts off is gone on with where the target says that it has got to, or begun
//! again; one to the source is `BlobSource`'s. That is for streams only: the requests around them are whole, and
//! sending those again is `Session`'s.

use crate::auth::authenticator::Access;
use crate::content::registry::blobs::source::BlobSource;
use crate::content::registry::blobs::stream::{ReadError, ResumableHasher, VerifyingReader};
use crate::content::registry::client::Registry;
use crate::content::registry::session::Session;
use crate::content::registry::upload::{Upload, UploadStart, Uploads};
use crate::digest::Digest;
use crate::net::body::RequestBody;
use crate::net::deadline::Deadline;
use crate::net::error::{RegistryError, RegistryErrorKind, Retryable};
use crate::reference::Repository;

/// Up to this size, in bytes, a blob is sent whole in the request that finishes its upload: one request less, and to
/// begin again costs little.
const WHOLE_MAX: u64 = 8 * 1024 * 1024;
/// A connection that took so many bytes before it broke was worth the try.
const MOVED: u64 = 1024 * 1024;

/// A blob, as a descriptor has it.
#[derive(Debug, Clone, Copy)]
pub struct Blob<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Its size in bytes, where it is known; a blob of another size is refused.
    pub size: Option<u64>,
}

/// How a blob got to where it was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobCopy {
    /// It was there.
    Present,
    /// The registry had it in another repository.
    Mounted,
    /// It was streamed; so many bytes.
    Copied(u64),
}

impl Registry {
    /// Gets a blob into `target`, whatever it takes.
    ///
    /// Sources in the target's registry are asked for a mount, one request each. Where none is honoured, and the target
    /// does not have the blob, it is streamed from the first source that serves it, hashed on the way, in constant
    /// memory. Nothing is committed that does not have its digest and size. `progress` is told how many bytes have gone
    /// through so far, by the thread that calls this; after a broken connection that may be less than before.
    ///
    /// # Errors
    /// Of the side that failed. [`RegistryErrorKind::NotFound`] where no source has it.
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
        let deadline = self.session.open_ended();
        let mut copy = BlobTransfer {
            session: &self.session,
            deadline: &deadline,
            target,
            blob: *blob,
            uploads: Uploads::of(&self.session, target, &deadline),
            upload: None,
            arrived: 0,
            tally: ResumableHasher::new(blob.digest, blob.size),
            step: StreamState::Around,
            is_resumed: false,
            progress,
        };
        let brought = copy.bring(self, &distinct);
        // An upload that is of no use is cancelled, unless the target does not answer anyway.
        if !brought.as_ref().is_err_and(|error| error.registry == target.domain() && is_break(error.kind)) {
            copy.abandon();
        }
        brought.map_err(|error| error.of_blob(blob.digest))
    }
}

/// The stream that is under way, as far as the upload depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamState {
    /// None: the upload is what it was.
    Around,
    /// The whole blob in the last request.
    Whole,
    /// What there is of it, before the last request.
    Patch,
    /// The last request after that.
    Commit,
}

/// What went wrong, and on which side.
struct CopyFault {
    error: RegistryError,
    is_source: bool,
    /// Whether it broke the stream to the target off.
    is_break: bool,
}

impl CopyFault {
    fn source(error: RegistryError) -> CopyFault {
        CopyFault { error, is_source: true, is_break: false }
    }

    fn target(error: RegistryError) -> CopyFault {
        CopyFault { error, is_source: false, is_break: false }
    }

    fn of(trouble: ReadError, source: &BlobSource<'_>) -> CopyFault {
        CopyFault::source(match trouble {
            ReadError::Unread(error) => error,
            ReadError::Wrong(why) => source.error(RegistryErrorKind::Verification, why),
        })
    }

    fn breaking(self) -> CopyFault {
        CopyFault { is_break: true, ..self }
    }
}

/// One blob on its way to one repository.
struct BlobTransfer<'a> {
    session: &'a Session,
    deadline: &'a Deadline,
    target: &'a Repository,
    blob: Blob<'a>,
    uploads: Uploads<'a>,
    upload: Option<Upload>,
    /// How many bytes of it the upload has.
    arrived: u64,
    tally: ResumableHasher<'a>,
    step: StreamState,
    /// Whether the upload has been gone on with after a break.
    is_resumed: bool,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl BlobTransfer<'_> {
    fn bring(&mut self, registry: &Registry, sources: &[&Repository]) -> Result<BlobCopy, RegistryError> {
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
            let fault = match self.stream(registry, source) {
                Ok(()) => return Ok(BlobCopy::Copied(self.tally.at())),
                Err(fault) => fault,
            };
            if !fault.is_source {
                return Err(fault.error);
            }
            if self.step != StreamState::Around {
                self.restart();
            }
            // That one does not have it says less than why another one does not give it.
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

    /// Whether it is mounted. An upload that is begun in its place is kept, as the last one is as good as any.
    fn mount(&mut self, source: &Repository) -> Result<bool, RegistryError> {
        match self.uploads.mount(source, self.blob.digest) {
            Ok(UploadStart::Mounted) => return Ok(true),
            Ok(UploadStart::Upload(Some(upload))) => {
                self.abandon();
                self.upload = Some(upload);
            }
            Ok(UploadStart::Upload(None)) => {}
            // About this source, or about mounts: the blob can still be copied.
            Err(error)
                if matches!(
                    error.kind,
                    RegistryErrorKind::NotFound | RegistryErrorKind::Forbidden | RegistryErrorKind::Refused
                ) => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Whether the target is known to have it. Who may push but not pull is not told, and then it is sent.
    fn is_there(&self, registry: &Registry) -> Result<bool, RegistryError> {
        match registry.has_blob_for(self.target, self.blob.digest, Access::PullPush) {
            Err(error) if matches!(error.kind, RegistryErrorKind::Forbidden | RegistryErrorKind::LoginRefused) => {
                Ok(false)
            }
            told => told,
        }
    }

    /// Streams from one source until the blob is there, going on after a break as often as is worth it.
    fn stream(&mut self, registry: &Registry, source: &Repository) -> Result<(), CopyFault> {
        let mut source = BlobSource::new(self.session, source, self.blob.digest, self.blob.size, self.deadline);
        let mut retry = self.session.retry(self.target.domain(), true, self.deadline);
        loop {
            let fault = match self.attempt(&mut source) {
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
            if self.arrived >= before.saturating_add(MOVED) {
                retry.moved();
            }
        }
    }

    fn may_go_on(&self, fault: &CopyFault) -> bool {
        let error = &fault.error;
        // A token that has expired, an upload that is gone, one that has got to another place.
        let is_curable = matches!(error.status, Some(401 | 404 | 416)) || error.again != Retryable::Never;
        let is_mixed_up =
            self.is_resumed && self.step == StreamState::Commit && error.kind == RegistryErrorKind::Refused;
        fault.is_break && (is_break(error.kind) || is_curable || is_mixed_up)
    }

    /// Goes back to where the upload was before a request that a rate limit refused: that request had no effect.
    fn go_back(&mut self) {
        self.step = StreamState::Around;
        if self.tally.at() > self.arrived {
            self.tally.rewind(self.arrived);
        }
        (self.progress)(self.arrived);
    }

    /// Finds out after a break where to go on. True if the blob has got there all the same.
    fn catch_up(&mut self, registry: &Registry) -> Result<bool, RegistryError> {
        let step = std::mem::replace(&mut self.step, StreamState::Around);
        if matches!(step, StreamState::Whole | StreamState::Commit) && self.is_there(registry)? {
            self.upload = None;
            return Ok(true);
        }
        let known = match &self.upload {
            Some(upload) if step != StreamState::Whole => self.uploads.offset(upload)?,
            _ => None,
        };
        match known.filter(|(arrived, _)| *arrived <= self.tally.at()) {
            Some((arrived, upload)) => {
                self.tally.rewind(arrived);
                (self.upload, self.arrived, self.is_resumed) = (Some(upload), arrived, true);
                (self.progress)(arrived);
            }
            None => self.restart(),
        }
        Ok(false)
    }

    /// Forgets what has been sent.
    fn restart(&mut self) {
        self.abandon();
        self.tally.rewind(0);
        (self.step, self.arrived, self.is_resumed) = (StreamState::Around, 0, false);
        (self.progress)(0);
    }

    fn abandon(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.uploads.cancel(&upload);
        }
    }

    /// One try, from where the upload has got to.
    fn attempt(&mut self, source: &mut BlobSource<'_>) -> Result<(), CopyFault> {
        // A pause that the target asked for is over before the source is opened, which does not wait for that.
        drop(self.session.enter(self.target.domain(), self.deadline).map_err(CopyFault::target)?);
        // Before the source is opened: logins at the target are over before any of the blob flows.
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.uploads.begin().map_err(CopyFault::target)?,
        };
        self.upload = Some(upload.clone());
        let is_all_there = self.tally.is_whole() && self.tally.at() == self.arrived;
        let upload = match if is_all_there { Some(upload) } else { self.send(source, upload)? } {
            Some(upload) => upload,
            None => return Ok(()),
        };
        self.upload = Some(upload.clone());
        self.step = StreamState::Commit;
        let put = self.uploads.put(&upload, self.blob.digest, &[]);
        put.map_err(|error| CopyFault::target(error).breaking())
    }

    /// Sends all that is missing; gives the upload that is to be finished then, where it is not finished with that.
    fn send(&mut self, source: &mut BlobSource<'_>, upload: Upload) -> Result<Option<Upload>, CopyFault> {
        source.open(self.tally.at()).map_err(CopyFault::source)?;
        let length = source.length();
        let mut read = |at: u64, buffer: &mut [u8]| source.read(at, buffer);
        let mut pump = VerifyingReader::new(&mut read, &mut self.tally, length, self.progress);
        if let Err(trouble) = pump.skip_to(self.arrived) {
            return Err(CopyFault::of(trouble, source));
        }
        let left = pump.left();
        if left == Some(0) && self.arrived > 0 {
            return Ok(Some(upload));
        }
        let is_whole = self.arrived == 0 && length.is_some_and(|length| length <= WHOLE_MAX);
        self.step = if is_whole { StreamState::Whole } else { StreamState::Patch };
        let mut body = RequestBody { reader: &mut pump, length: left };
        let sent = if is_whole {
            self.uploads.put_stream(&upload, self.blob.digest, &mut body).map(|()| None)
        } else {
            self.uploads.patch(&upload, self.arrived, &mut body).map(Some)
        };
        if let Some(trouble) = pump.into_trouble() {
            return Err(CopyFault::of(trouble, source));
        }
        let next = sent.map_err(|error| CopyFault::target(error).breaking())?;
        self.arrived = self.tally.at();
        Ok(next)
    }
}

/// Whether the connection broke or stood still.
fn is_break(kind: RegistryErrorKind) -> bool {
    matches!(kind, RegistryErrorKind::Connect | RegistryErrorKind::Timeout)
}
