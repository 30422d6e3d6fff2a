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
const MARK_EVERY: u64 = 1024 * 1024;
/// The number of saved states. Together they cover more than a connection and its proxies buffer.
const MARKS_MAX: usize = 64;
const BUFFER: usize = 64 * 1024;

/// The digest and size of the bytes that have passed so far.
#[derive(Debug)]
pub(crate) struct ResumableHasher<'a> {
    digest: &'a Digest,
    size: Option<u64>,
    hasher: Hasher,
    at: u64,
    marks: VecDeque<(u64, Hasher)>,
    is_whole: bool,
}

impl<'a> ResumableHasher<'a> {
    /// The state before the first byte of the blob with this digest and, if known, this size in bytes.
    pub(crate) fn new(digest: &'a Digest, size: Option<u64>) -> ResumableHasher<'a> {
        let hasher = Hasher::for_digest(digest);
        ResumableHasher { digest, size, hasher, at: 0, marks: VecDeque::new(), is_whole: false }
    }

    /// The number of bytes that have passed.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether the whole blob has passed and was correct.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Goes back to `to`, or to a saved position before it.
    pub(crate) fn rewind(&mut self, to: u64) {
        if to >= self.at {
            return;
        }
        self.is_whole = false;
        while self.marks.back().is_some_and(|(at, _)| *at > to) {
            self.marks.pop_back();
        }
        let mark = self.marks.back().cloned();
        (self.at, self.hasher) = mark.unwrap_or_else(|| (0, Hasher::for_digest(self.digest)));
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let last = self.marks.back().map_or(0, |(at, _)| *at);
        if self.at.saturating_sub(last) >= MARK_EVERY {
            if self.marks.len() >= MARKS_MAX {
                self.marks.pop_front();
            }
            self.marks.push_back((self.at, self.hasher.clone()));
        }
    }

    /// Called at the end of the blob. The error says what is wrong with it.
    fn finish(&mut self) -> Result<(), String> {
        if let Some(size) = self.size.filter(|size| *size != self.at) {
            return Err(format!("it has {} bytes, not {size}", self.at));
        }
        let found = self.hasher.clone().finish();
        if found != *self.digest {
            return Err(format!("its bytes have the digest {found}"));
        }
        self.is_whole = true;
        Ok(())
    }
}

/// Why a source failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// It could not be read.
    Unread(RegistryError),
    /// Its content is wrong.
    Wrong(String),
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
    pub(crate) fn left(&self) -> Option<u64> {
        self.length.map(|length| length.saturating_sub(self.hasher.at))
    }

    /// Why the source failed. The error of `Read` does not say it.
    pub(crate) fn into_error(self) -> Option<ReadError> {
        self.error
    }

    /// Hashes without returning bytes, up to a position that the target already has. Also checks an empty blob, of
    /// which nothing is read.
    pub(crate) fn skip_to(&mut self, position: u64) -> Result<(), ReadError> {
        let mut buffer = Vec::new();
        while self.hasher.at < position && !self.hasher.is_whole {
            buffer.resize(BUFFER, 0);
            let left = usize::try_from(position.saturating_sub(self.hasher.at)).unwrap_or(usize::MAX);
            self.pull(buffer.get_mut(..left.min(BUFFER)).unwrap_or_default())?;
        }
        if self.left() == Some(0) && !self.hasher.is_whole { self.end() } else { Ok(()) }
    }

    fn pull(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let left = self.left().map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let room = left.min(buffer.len());
        if room == 0 || self.hasher.is_whole {
            return Ok(0);
        }
        let count =
            (self.source)(self.hasher.at, buffer.get_mut(..room).unwrap_or_default()).map_err(ReadError::Unread)?;
        if count == 0 {
            return self.hasher.finish().map(|()| 0).map_err(ReadError::Wrong);
        }
        self.hasher.add(buffer.get(..count).unwrap_or_default());
        if self.left() == Some(0) {
            self.end()?;
        }
        Ok(count)
    }

    fn end(&mut self) -> Result<(), ReadError> {
        // Reading the end also lets the connection be reused.
        if (self.source)(self.hasher.at, &mut [0]).map_err(ReadError::Unread)? > 0 {
            return Err(ReadError::Wrong(format!("it has more than {} bytes", self.hasher.at)));
        }
        self.hasher.finish().map_err(ReadError::Wrong)
    }
}

impl Read for VerifyingReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pull(buffer) {
            Ok(count) => {
                (self.progress)(self.hasher.at);
                Ok(count)
            }
            Err(error) => {
                self.error = Some(error);
                Err(io::Error::other("the blob's source gave out"))
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
        let is_right = reader.read_to_end(&mut out).is_ok();
        assert_eq!(!is_right, matches!(reader.into_error(), Some(ReadError::Wrong(_))));
        assert_eq!(is_right, hasher.is_whole());
        (out, is_right)
    }

    #[test]
    fn the_last_bytes_of_a_wrong_blob_are_kept_back() {
        let digest = Digest::of(b"hello");
        for length in [Some(5), None] {
            assert_eq!(read_all(b"hello", &digest, length), (b"hello".to_vec(), true));
            let (out, is_right) = read_all(b"hullo", &digest, length);
            assert!(!is_right);
            assert!(length.is_none() || out.is_empty(), "a request without its length is ended by its last chunk");
            assert!(!read_all(b"hell", &digest, length).1);
        }
        assert_eq!(read_all(b"hello there", &digest, Some(5)), (vec![], false));
    }

    #[test]
    fn a_blob_without_bytes_is_looked_at_too() {
        for (digest, expected) in [(Digest::of(b""), true), (Digest::of(b"x"), false)] {
            let (mut hasher, mut source) = (ResumableHasher::new(&digest, Some(0)), reading(b""));
            let mut reader = VerifyingReader::new(&mut source, &mut hasher, Some(0), &|_| {});
            assert_eq!(reader.skip_to(0).is_ok(), expected);
        }
    }

    #[test]
    fn a_tally_goes_back_to_the_place_or_before_it_and_comes_to_the_same_digest() {
        let bytes: Vec<u8> = (0..5 * MARK_EVERY).map(|n| (n % 251) as u8).collect();
        let digest = Digest::of(&bytes);
        let piece = BUFFER + 7;
        for to in [0, 1, MARK_EVERY, MARK_EVERY + 1, 3 * MARK_EVERY + 5, 5 * MARK_EVERY] {
            let mut hasher = ResumableHasher::new(&digest, Some(5 * MARK_EVERY));
            bytes.chunks(piece).for_each(|chunk| hasher.add(chunk));
            hasher.rewind(to);
            assert!(hasher.at() <= to && to - hasher.at() < MARK_EVERY + 2 * piece as u64, "{to}: {}", hasher.at());
            let rest = &bytes[usize::try_from(hasher.at()).unwrap()..];
            rest.chunks(piece).for_each(|chunk| hasher.add(chunk));
            assert!(hasher.finish().is_ok() && hasher.is_whole(), "{to}");
        }
    }

    #[test]
    fn the_states_that_are_kept_do_not_grow_with_the_blob() {
        let digest = Digest::of(b"");
        let mut hasher = ResumableHasher::new(&digest, None);
        let piece = vec![0; MARK_EVERY as usize];
        (0..2 * MARKS_MAX).for_each(|_| hasher.add(&piece));
        assert_eq!(hasher.marks.len(), MARKS_MAX);
        hasher.rewind(5);
        assert_eq!(hasher.at(), 0, "a place before all of them");
    }
}
