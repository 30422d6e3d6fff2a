//! Blobs that are too large to be kept in memory: they are generated for each read, always with the same bytes.

use std::fmt;
use std::io;
use std::sync::Arc;

use sha2::{Digest, Sha256};

const BLOCK_SIZE: u64 = 64 << 10;

/// A blob of any size whose bytes follow from its size and seed. It cannot be compressed to anything, and two blocks
/// of it are never the same, so a client that repeats, skips or swaps some is found out by the digest.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedBlob {
    size: u64,
    digest: String,
    /// One block of noise; each block of the blob is this one with its number written over the first eight bytes.
    noise: Arc<Vec<u8>>,
}

impl GeneratedBlob {
    /// A blob of `size` bytes. It is read once here, for its digest.
    pub fn new(size: u64, seed: u64) -> GeneratedBlob {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        let noise = std::iter::repeat_with(|| random(&mut state).to_le_bytes());
        let noise = Arc::new(noise.take((BLOCK_SIZE / 8) as usize).flatten().collect::<Vec<u8>>());
        let mut blob = GeneratedBlob { size, digest: String::new(), noise };
        let mut hash = Sha256::new();
        let whole = blob.for_each_piece(0, size, |piece| {
            hash.update(piece);
            Ok(())
        });
        whole.expect("nothing here fails");
        blob.digest = sha256_digest(hash);
        blob
    }

    /// Something of this size that is not to be read: it has no digest, and is zeros.
    pub(crate) fn zeros(size: u64) -> GeneratedBlob {
        GeneratedBlob { size, digest: String::new(), noise: Arc::new(vec![0; BLOCK_SIZE as usize]) }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// `sha256:` and the hash of all its bytes.
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// The bytes from `from` up to but not including `to` (or the end, if that comes first), in pieces of at most
    /// 64 KiB; the first error that `take` gives ends it.
    pub fn for_each_piece(&self, from: u64, to: u64, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let end = to.min(self.size);
        let mut block = self.noise.to_vec();
        let mut at = from;
        while at < end {
            let number = at / BLOCK_SIZE;
            block[..8].copy_from_slice(&number.to_le_bytes());
            let start = at % BLOCK_SIZE;
            let stop = BLOCK_SIZE.min(start + end - at);
            take(&block[start as usize..stop as usize])?;
            at += stop - start;
        }
        Ok(())
    }
}

impl fmt::Debug for GeneratedBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeneratedBlob({} bytes, {})", self.size, self.digest)
    }
}

/// The part of a large blob that is the body of an answer.
#[derive(Clone, Debug)]
pub(crate) struct GeneratedBody {
    blob: GeneratedBlob,
    from: u64,
    to: u64,
    /// Whether its first byte is another one.
    pub(crate) corrupt: bool,
}

impl GeneratedBody {
    pub(crate) fn new(blob: &GeneratedBlob, from: u64, to: u64) -> GeneratedBody {
        GeneratedBody { blob: blob.clone(), from, to: to.min(blob.size), corrupt: false }
    }

    pub(crate) fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// The first `limit` bytes, piece by piece.
    pub(crate) fn for_each_piece(&self, limit: u64, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut first = self.corrupt;
        self.blob.for_each_piece(self.from, self.to.min(self.from.saturating_add(limit)), |piece| {
            if std::mem::take(&mut first) {
                let mut piece = piece.to_vec();
                piece[0] ^= 1;
                return take(&piece);
            }
            take(piece)
        })
    }
}

/// `sha256:` and the hex digits of a finished hash.
pub(crate) fn sha256_digest(hash: Sha256) -> String {
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The next number of a SplitMix64 generator.
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sha256;

    fn bytes(blob: &GeneratedBlob, from: u64, to: u64) -> Vec<u8> {
        let mut all = Vec::new();
        blob.for_each_piece(from, to, |piece| {
            all.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn a_generated_blob_is_the_same_at_every_read() {
        let blob = GeneratedBlob::new(3 * BLOCK_SIZE + 17, 1);
        let whole = bytes(&blob, 0, u64::MAX);
        assert_eq!((whole.len() as u64, sha256(&whole)), (blob.size(), blob.digest()));
        assert_eq!(bytes(&blob, BLOCK_SIZE - 3, 2 * BLOCK_SIZE + 5), whole[65533..131_077]);
        assert_eq!(bytes(&blob, blob.size(), u64::MAX), b"");
        assert_ne!(whole[..65536], whole[65536..131_072]);
        assert_ne!(GeneratedBlob::new(3 * BLOCK_SIZE + 17, 2).digest(), blob.digest());
    }
}
