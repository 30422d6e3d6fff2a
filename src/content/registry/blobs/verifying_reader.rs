//! Counts and hashes a blob while it is copied. If it has the wrong digest or size, its last bytes are not sent.
//!
//! The hash can be rewound: after a broken connection the target may have less than was sent, and hashing continues
//! there. The state of the hash is saved at some positions, few enough for constant memory. Before the first saved
//! position hashing begins again.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::digest::{Digest, Hasher};
use crate::net::error::RegistryError;

/// The minimum distance of two saved states, in bytes.
const CHECKPOINT_BYTES: u64 = 1024 * 1024;
/// The number of saved states. Together they cover more than a connection and its proxies buffer.
const CHECKPOINTS_MAX: usize = 64;
const BUFFER_SIZE: usize = 64 * 1024;

/// The digest and size of the bytes that have passed so far.
#[derive(Debug)]
pub(crate) struct ResumableHasher<'a> {
    digest: &'a Digest,
    size: Option<u64>,
    hasher: Hasher,
    position: u64,
    checkpoints: VecDeque<(u64, Hasher)>,
    is_complete: bool,
}

impl<'a> ResumableHasher<'a> {
    /// The state before the first byte of the blob with this digest and, if known, this size in bytes.
    pub(crate) fn new(digest: &'a Digest, size: Option<u64>) -> ResumableHasher<'a> {
        let hasher = Hasher::for_digest(digest);
        ResumableHasher { digest, size, hasher, position: 0, checkpoints: VecDeque::new(), is_complete: false }
    }

    /// The number of bytes that have passed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the whole blob has passed and was correct.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Goes back to `to`, or to a saved position before it.
    pub(crate) fn rewind(&mut self, to: u64) {
        if to >= self.position {
            return;
        }
        self.is_complete = false;
        while self.checkpoints.back().is_some_and(|(at, _)| *at > to) {
            self.checkpoints.pop_back();
        }
        let checkpoint = self.checkpoints.back().cloned();
        (self.position, self.hasher) = checkpoint.unwrap_or_else(|| (0, Hasher::for_digest(self.digest)));
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.position = self.position.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let last = self.checkpoints.back().map_or(0, |(at, _)| *at);
        if self.position.saturating_sub(last) >= CHECKPOINT_BYTES {
            if self.checkpoints.len() >= CHECKPOINTS_MAX {
                self.checkpoints.pop_front();
            }
            self.checkpoints.push_back((self.position, self.hasher.clone()));
        }
    }

    /// Called at the end of the blob. The error says what is wrong with it.
    fn verify_content(&mut self) -> Result<(), String> {
        if let Some(size) = self.size.filter(|size| *size != self.position) {
            return Err(format!("it has {} bytes, not {size}", self.position));
        }
        let found = self.hasher.clone().finish();
        if found != *self.digest {
            return Err(format!("its bytes have the digest {found}"));
        }
        self.is_complete = true;
        Ok(())
    }
}

/// Why a source failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// It could not be read.
    Unreadable(RegistryError),
    /// Its content is wrong.
    InvalidContent(String),
}

/// Reads from this byte of the blob on; 0 is the end.
pub(crate) type ReadAt<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> Result<usize, RegistryError>;

/// Reads a blob from its source and hashes it. If the whole blob has arrived and is wrong, its last bytes are withheld,
/// so that the upload cannot be completed.
pub(crate) struct VerifyingReader<'a, 'b> {
    source: ReadAt<'a>,
    hasher: &'a mut ResumableHasher<'b>,
    /// The length of the blob, if its descriptor or the source states it.
    length: Option<u64>,
    progress: &'a dyn Fn(u64),
    error: Option<ReadError>,
}

impl<'a, 'b> VerifyingReader<'a, 'b> {
    /// A reader that continues at the hasher's position.
    pub(crate) fn new(
        source: ReadAt<'a>,
        hasher: &'a mut ResumableHasher<'b>,
        length: Option<u64>,
        progress: &'a dyn Fn(u64),
    ) -> VerifyingReader<'a, 'b> {
        VerifyingReader { source, hasher, length, progress, error: None }
    }

    /// The number of bytes that are left, if it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.length.map(|length| length.saturating_sub(self.hasher.position))
    }

    /// Why the source failed: the error of `Read` cannot hold it.
    pub(crate) fn into_error(self) -> Option<ReadError> {
        self.error
    }

    /// Hashes without returning bytes, up to a position that the target already has. Also checks an empty blob, of
    /// which nothing is read.
    pub(crate) fn skip_to(&mut self, position: u64) -> Result<(), ReadError> {
        let mut buffer = Vec::new();
        while self.hasher.position < position && !self.hasher.is_complete {
            buffer.resize(BUFFER_SIZE, 0);
            let remaining = usize::try_from(position.saturating_sub(self.hasher.position)).unwrap_or(usize::MAX);
            self.read_hashed(buffer.get_mut(..remaining.min(BUFFER_SIZE)).unwrap_or_default())?;
        }
        if self.remaining() == Some(0) && !self.hasher.is_complete { self.verify_end() } else { Ok(()) }
    }

    fn read_hashed(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let remaining =
            self.remaining().map_or(usize::MAX, |remaining| usize::try_from(remaining).unwrap_or(usize::MAX));
        let room = remaining.min(buffer.len());
        if room == 0 || self.hasher.is_complete {
            return Ok(0);
        }
        let count = (self.source)(self.hasher.position, buffer.get_mut(..room).unwrap_or_default())
            .map_err(ReadError::Unreadable)?;
        if count == 0 {
            return self.hasher.verify_content().map(|()| 0).map_err(ReadError::InvalidContent);
        }
        self.hasher.add(buffer.get(..count).unwrap_or_default());
        if self.remaining() == Some(0) {
            self.verify_end()?;
        }
        Ok(count)
    }

    fn verify_end(&mut self) -> Result<(), ReadError> {
        // Reading the end also lets the connection be reused.
        if (self.source)(self.hasher.position, &mut [0]).map_err(ReadError::Unreadable)? > 0 {
            return Err(ReadError::InvalidContent(format!("it has more than {} bytes", self.hasher.position)));
        }
        self.hasher.verify_content().map_err(ReadError::InvalidContent)
    }
}

impl Read for VerifyingReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_hashed(buffer) {
            Ok(count) => {
                (self.progress)(self.hasher.position);
                Ok(count)
            }
            Err(error) => {
                self.error = Some(error);
                Err(io::Error::other("the blob's source failed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(bytes: &'static [u8]) -> impl FnMut(u64, &mut [u8]) -> Result<usize, RegistryError> {
        move |at, buffer| Ok((&bytes[usize::try_from(at).unwrap()..]).read(buffer).unwrap())
    }

    fn read_all(bytes: &'static [u8], digest: &Digest, length: Option<u64>) -> (Vec<u8>, bool) {
        let (mut hasher, mut source) = (ResumableHasher::new(digest, length), reading(bytes));
        let mut reader = VerifyingReader::new(&mut source, &mut hasher, length, &|_| {});
        let mut out = Vec::new();
        let is_valid = reader.read_to_end(&mut out).is_ok();
        assert_eq!(!is_valid, matches!(reader.into_error(), Some(ReadError::InvalidContent(_))));
        assert_eq!(is_valid, hasher.is_complete());
        (out, is_valid)
    }

    #[test]
    fn reader_withholds_the_last_bytes_of_an_invalid_blob() {
        let digest = Digest::from_bytes(b"hello");
        for length in [Some(5), None] {
            assert_eq!(read_all(b"hello", &digest, length), (b"hello".to_vec(), true));
            let (out, is_valid) = read_all(b"hullo", &digest, length);
            assert!(!is_valid);
            assert!(length.is_none() || out.is_empty(), "a request without its length is ended by its last chunk");
            assert!(!read_all(b"hell", &digest, length).1);
        }
        assert_eq!(read_all(b"hello there", &digest, Some(5)), (vec![], false));
    }

    #[test]
    fn reader_verifies_an_empty_blob() {
        for (digest, expected) in [(Digest::from_bytes(b""), true), (Digest::from_bytes(b"x"), false)] {
            let (mut hasher, mut source) = (ResumableHasher::new(&digest, Some(0)), reading(b""));
            let mut reader = VerifyingReader::new(&mut source, &mut hasher, Some(0), &|_| {});
            assert_eq!(reader.skip_to(0).is_ok(), expected);
        }
    }

    #[test]
    fn rewound_hasher_reaches_the_same_digest() {
        let bytes: Vec<u8> = (0..5 * CHECKPOINT_BYTES).map(|n| (n % 251) as u8).collect();
        let digest = Digest::from_bytes(&bytes);
        let piece = BUFFER_SIZE + 7;
        for to in [0, 1, CHECKPOINT_BYTES, CHECKPOINT_BYTES + 1, 3 * CHECKPOINT_BYTES + 5, 5 * CHECKPOINT_BYTES] {
            let mut hasher = ResumableHasher::new(&digest, Some(5 * CHECKPOINT_BYTES));
            bytes.chunks(piece).for_each(|chunk| hasher.add(chunk));
            hasher.rewind(to);
            assert!(
                hasher.position() <= to && to - hasher.position() < CHECKPOINT_BYTES + 2 * piece as u64,
                "{to}: {}",
                hasher.position()
            );
            let rest = &bytes[usize::try_from(hasher.position()).unwrap()..];
            rest.chunks(piece).for_each(|chunk| hasher.add(chunk));
            assert!(hasher.verify_content().is_ok() && hasher.is_complete(), "{to}");
        }
    }

    #[test]
    fn hasher_keeps_a_bounded_number_of_checkpoints() {
        let digest = Digest::from_bytes(b"");
        let mut hasher = ResumableHasher::new(&digest, None);
        let piece = vec![0; CHECKPOINT_BYTES as usize];
        (0..2 * CHECKPOINTS_MAX).for_each(|_| hasher.add(&piece));
        assert_eq!(hasher.checkpoints.len(), CHECKPOINTS_MAX);
        hasher.rewind(5);
        assert_eq!(hasher.position(), 0, "a position before all checkpoints");
    }
}
