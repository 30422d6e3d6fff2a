//! Reads a blob from its source repository, from any byte on, over as many connections as necessary.
//!
//! The reader does not notice a broken connection. So a broken source never interrupts the upload to the target.

use std::io::Read;

use crate::auth::scope::Access;
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::session::Session;
use crate::digest::Digest;
use crate::net::body::ResponseBody;
use crate::net::deadline::{Deadline, format_duration};
use crate::net::error::{FailedRequest, RegistryError, RegistryErrorKind, Retryable};
use crate::net::retry::Attempts;
use crate::net::transport_error::TransportError;
use crate::reference::Repository;

/// A connection that transferred this many bytes before it broke counts as progress.
pub(super) const RETRY_PROGRESS_BYTES_MIN: u64 = 1024 * 1024;
/// A blob of at most this many bytes is buffered until it has been sent. If the target refuses it because of too many
/// requests, it can be sent again without another request to the source.
const BUFFERED_BLOB_MAX: u64 = 1024 * 1024;
/// The buffer size for skipped bytes, if a registry serves a blob only from its beginning.
const SKIP_BUFFER_SIZE: usize = 64 * 1024;

/// A blob that can be read again from any byte on.
pub trait BlobReader {
    /// The length in bytes, if it is known.
    fn length(&self) -> Option<u64>;

    /// Makes the blob readable from this byte on.
    ///
    /// # Errors
    /// A blob that cannot be opened.
    fn open(&mut self, _at: u64) -> Result<(), RegistryError> {
        Ok(())
    }

    /// Reads from this byte on; 0 is the end.
    ///
    /// # Errors
    /// A blob that cannot be read.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, RegistryError>;

    /// The error that its bytes are wrong.
    fn content_error(&mut self, reason: String) -> RegistryError;
}

/// A blob in a repository.
pub(crate) struct RegistryBlobReader<'a> {
    session: &'a Session,
    repository: &'a Repository,
    digest: &'a Digest,
    /// The length in bytes, if the descriptor or the registry states it.
    length: Option<u64>,
    stream: Option<BlobStream>,
    /// The buffered beginning of a small blob.
    buffered: Vec<u8>,
    deadline: &'a Deadline,
    retry: Attempts<'a>,
    /// The position at the last break.
    last_break: u64,
}

/// A connection that delivers the blob.
struct BlobStream {
    body: ResponseBody,
    position: u64,
    request: FailedRequest,
}

impl<'a> RegistryBlobReader<'a> {
    /// The blob with this digest and, if known, this size, to be read by this deadline. Does no I/O.
    pub(crate) fn new(
        session: &'a Session,
        repository: &'a Repository,
        digest: &'a Digest,
        size: Option<u64>,
        deadline: &'a Deadline,
    ) -> RegistryBlobReader<'a> {
        let retry = session.policy.start(repository.domain(), true, deadline);
        RegistryBlobReader {
            session,
            repository,
            digest,
            length: size,
            stream: None,
            buffered: Vec::new(),
            deadline,
            retry,
            last_break: 0,
        }
    }

    /// An error of this source about its content.
    pub(crate) fn error(&self, kind: RegistryErrorKind, detail: impl Into<String>) -> RegistryError {
        let error = RegistryError::new(kind, self.repository.domain(), detail);
        match &self.stream {
            Some(stream) => error.with_request(stream.request.clone()),
            None => error,
        }
    }

    /// Whether the whole blob is buffered.
    fn is_fully_buffered(&self) -> bool {
        self.length.is_some_and(|length| length > 0 && u64::try_from(self.buffered.len()) == Ok(length))
    }

    fn buffer_bytes(&mut self, at: u64, bytes: &[u8]) {
        let is_small = self.length.is_some_and(|length| length <= BUFFERED_BLOB_MAX);
        if is_small && u64::try_from(self.buffered.len()) == Ok(at) {
            self.buffered.extend_from_slice(bytes);
        }
    }

    fn read_buffered(&self, at: u64, buffer: &mut [u8]) -> usize {
        let mut rest = usize::try_from(at).ok().and_then(|at| self.buffered.get(at..)).unwrap_or_default();
        // Reading from memory does not fail.
        rest.read(buffer).unwrap_or_default()
    }

    fn interruption(&self, error: TransportError) -> RegistryError {
        if let Some(total) = self.deadline.exceeded_limit() {
            return self
                .error(RegistryErrorKind::Timeout, format!("not all of it came within {}", format_duration(total)));
        }
        let is_transient = matches!(error.kind, RegistryErrorKind::Connect | RegistryErrorKind::Timeout);
        let retryable = if is_transient { Retryable::IfRepeatable } else { error.retryable };
        self.error(error.kind, error.message).with_retryable(retryable)
    }

    fn read_stream(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, TransportError> {
        let Some(stream) = &mut self.stream else { return Err(ended_early()) };
        let mut scratch = Vec::new();
        while stream.position < at {
            scratch.resize(SKIP_BUFFER_SIZE, 0);
            let room = usize::try_from(at.saturating_sub(stream.position)).unwrap_or(usize::MAX).min(SKIP_BUFFER_SIZE);
            if stream.read(scratch.get_mut(..room).unwrap_or_default())? == 0 {
                return Err(ended_early());
            }
        }
        stream.read(buffer)
    }
}

impl BlobReader for RegistryBlobReader<'_> {
    fn length(&self) -> Option<u64> {
        self.length
    }

    /// Opens the blob at this byte, unless the stream is there already. One request. If the response begins earlier,
    /// the bytes before are skipped later.
    fn open(&mut self, at: u64) -> Result<(), RegistryError> {
        if self.stream.as_ref().is_some_and(|stream| stream.position <= at) || self.is_fully_buffered() {
            return Ok(());
        }
        let range = format!("bytes={at}-");
        let headers = [("Accept", "*/*"), ("Range", range.as_str())];
        let (response, body) = self.session.download(&ApiRequest {
            headers: headers.get(..if at == 0 { 1 } else { 2 }).unwrap_or_default(),
            response_max: u64::MAX,
            deadline: Some(self.deadline),
            ..ApiRequest::blob("GET", self.repository, self.digest, Access::Pull)
        })?;
        let stream = self.stream.insert(BlobStream { body, position: 0, request: response.request.clone() });
        let extent = extent(&response, &stream.body, at);
        let (begins, length) = extent.map_err(|reason| self.error(RegistryErrorKind::Protocol, reason))?;
        if let (Some(length), Some(expected)) = (length, self.length)
            && length != expected
        {
            return Err(self.error(RegistryErrorKind::Verification, format!("it has {length} bytes, not {expected}")));
        }
        self.length = self.length.or(length);
        if let Some(stream) = &mut self.stream {
            stream.position = begins;
        }
        Ok(())
    }

    /// Reads from this byte on; 0 is the end. After a break the blob is opened again, as often as that makes progress.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        let is_past_end = self.length.is_some_and(|length| at >= length);
        if self.is_fully_buffered() && self.stream.as_ref().is_none_or(|stream| stream.position != at) {
            return Ok(self.read_buffered(at, buffer));
        }
        loop {
            if is_past_end && self.stream.is_none() {
                return Ok(0);
            }
            self.open(at)?;
            let failure = match self.read_stream(at, buffer) {
                Ok(0) if !is_past_end && self.length.is_some() => ended_early(),
                Ok(count) => {
                    self.buffer_bytes(at, buffer.get(..count).unwrap_or_default());
                    return Ok(count);
                }
                // The whole blob has arrived, so the error does not matter.
                Err(_) if is_past_end => return Ok(0),
                Err(failure) => failure,
            };
            let error = self.interruption(failure);
            self.stream = None;
            if at >= self.last_break.saturating_add(RETRY_PROGRESS_BYTES_MIN) {
                self.retry.record_progress();
            }
            self.last_break = at;
            self.retry.wait(error)?;
        }
    }

    fn content_error(&mut self, reason: String) -> RegistryError {
        self.error(RegistryErrorKind::Verification, reason)
    }
}

impl BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        let count = self.body.read(buffer).map_err(TransportError::from_body_read)?;
        self.position = self.position.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

fn ended_early() -> TransportError {
    TransportError::new(RegistryErrorKind::Connect, "the connection ended in the middle of the answer")
}

/// Where the body of a response begins within the blob, and the length of the blob, if stated.
fn extent(response: &ApiResponse, body: &ResponseBody, from: u64) -> Result<(u64, Option<u64>), String> {
    match response.http.status {
        200 => Ok((0, body.length)),
        206 => {
            let range = response.http.header("Content-Range").as_deref().and_then(parse_content_range);
            let (first, total) = range.ok_or("a part of a blob that does not say which")?;
            if first != from {
                return Err(format!("the part of a blob from byte {first} on, not the one from {from} on"));
            }
            Ok((first, total.or_else(|| body.length.map(|length| length.saturating_add(first)))))
        }
        status => Err(format!("status {status} for a blob")),
    }
}

/// First byte and total size of `bytes 100-199/200`; the size may be a star.
fn parse_content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.strip_prefix("bytes ")?.trim().split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    if total == "*" { Some((first, None)) } else { Some((first, Some(total.parse().ok()?))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_parsed() {
        for (value, expected) in [
            ("bytes 100-199/200", Some((100, Some(200)))),
            ("bytes 0-0/*", Some((0, None))),
            ("bytes */200", None),
            ("bytes 1-2/x", None),
            ("1-2/3", None),
        ] {
            assert_eq!(parse_content_range(value), expected, "{value}");
        }
    }
}
