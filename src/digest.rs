//! Content digests (image-spec, "Digests").
//!
//! Grammar, algorithms and error texts are docker's: `sha256`, `sha384` and `sha512`, lower-case hexadecimal only.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The size of the buffer that content is hashed through, in bytes.
const BUFFER_SIZE: usize = 64 * 1024;

/// A valid `algorithm:hex` digest.
///
/// [`Hasher`] supports its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// Shared, because a push of many images names each blob several times.
    text: Arc<str>,
    algorithm: Algorithm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    fn hex_length(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha384 => 96,
            Algorithm::Sha512 => 128,
        }
    }
}

/// Why a text is not a digest. The texts are docker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text is not of the form `algorithm:encoded`.
    #[error("invalid checksum digest format")]
    Format,
    /// The encoded part is too long or too short for its algorithm.
    #[error("invalid checksum digest length")]
    Length,
    /// Neither this program nor docker supports the algorithm.
    #[error("unsupported digest algorithm")]
    Unsupported,
}

impl Digest {
    /// The sha256 digest of `bytes`. Every registry supports sha256.
    pub fn from_bytes(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher(HasherState::Sha256(Sha256::new()));
        hasher.update(bytes);
        hasher.finish()
    }

    /// Whether `bytes` have this digest, by its own algorithm.
    pub fn verifies(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::for_digest(self);
        hasher.update(bytes);
        hasher.finish() == *self
    }

    /// Whether both have the same algorithm, so that they can be compared.
    pub fn has_same_algorithm(&self, other: &Digest) -> bool {
        self.algorithm == other.algorithm
    }

    /// Whether the algorithm is sha256, that of [`Digest::from_bytes`].
    pub fn is_sha256(&self) -> bool {
        self.algorithm == Algorithm::Sha256
    }

    /// The digest as text, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let (name, encoded) = text.split_once(':').ok_or(DigestError::Format)?;
        if name.is_empty() || encoded.is_empty() {
            return Err(DigestError::Format);
        }
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ if is_algorithm_name(name) && encoded.bytes().all(is_encoded_byte) => {
                return Err(DigestError::Unsupported);
            }
            _ => return Err(DigestError::Format),
        };
        if encoded.len() != algorithm.hex_length() {
            return Err(DigestError::Length);
        }
        if !encoded.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(DigestError::Format);
        }
        Ok(Digest { text: text.into(), algorithm })
    }
}

/// `[a-z0-9]+(?:[.+_-][a-z0-9]+)*`, the name of any algorithm.
fn is_algorithm_name(name: &str) -> bool {
    name.split(['.', '+', '_', '-'])
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

fn is_encoded_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-')
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Computes a digest over bytes that arrive in pieces.
#[derive(Debug, Clone)]
pub struct Hasher(HasherState);

#[derive(Debug, Clone)]
enum HasherState {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// The digest of all that is read, by the algorithm of `like`, and the number of bytes.
    ///
    /// # Errors
    /// A failed read.
    pub fn hash_reader(mut reader: impl Read, like: &Digest) -> io::Result<(Digest, u64)> {
        let (mut hasher, mut size, mut buffer) = (Hasher::for_digest(like), 0_u64, vec![0; BUFFER_SIZE]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((hasher.finish(), size)),
                Ok(count) => {
                    hasher.update(buffer.get(..count).unwrap_or_default());
                    size = size.saturating_add(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A hasher with the algorithm of `digest`, to verify content against it.
    pub fn for_digest(digest: &Digest) -> Hasher {
        Hasher(match digest.algorithm {
            Algorithm::Sha256 => HasherState::Sha256(Sha256::new()),
            Algorithm::Sha384 => HasherState::Sha384(Sha384::new()),
            Algorithm::Sha512 => HasherState::Sha512(Sha512::new()),
        })
    }

    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            HasherState::Sha256(state) => state.update(bytes),
            HasherState::Sha384(state) => state.update(bytes),
            HasherState::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all pieces so far.
    pub fn finish(self) -> Digest {
        match self.0 {
            HasherState::Sha256(state) => digest_from_hash(Algorithm::Sha256, "sha256:", &state.finalize()),
            HasherState::Sha384(state) => digest_from_hash(Algorithm::Sha384, "sha384:", &state.finalize()),
            HasherState::Sha512(state) => digest_from_hash(Algorithm::Sha512, "sha512:", &state.finalize()),
        }
    }
}

fn digest_from_hash(algorithm: Algorithm, prefix: &str, hash: &[u8]) -> Digest {
    let mut text = String::with_capacity(prefix.len() + algorithm.hex_length());
    text.push_str(prefix);
    for byte in hash {
        for nibble in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    Digest { text: text.into(), algorithm }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte for each call, and is interrupted before each.
    struct Interrupted<'a>(&'a [u8], bool);

    impl Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn read_all_continues_after_an_interrupt() {
        let expected: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
        let (found, size) = Hasher::hash_reader(Interrupted(b"abc", false), &expected).unwrap();
        assert!(found.verifies(b"abc") && found.has_same_algorithm(&expected) && size == 3);
    }

    #[test]
    fn the_empty_input_has_its_well_known_digests() {
        assert_eq!(
            Digest::from_bytes(b"").as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for text in [
            "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ] {
            let digest: Digest = text.parse().expect(text);
            assert!(digest.verifies(b""));
            assert!(!digest.verifies(b"x"));
        }
    }

    #[test]
    fn malformed_digests_cause_dockers_errors() {
        let hex = "a".repeat(64);
        for (text, error) in [
            (String::new(), DigestError::Format),
            ("sha256".into(), DigestError::Format),
            ("sha256:".into(), DigestError::Format),
            (format!(":{hex}"), DigestError::Format),
            (format!("sha256:{}", "a".repeat(63)), DigestError::Length),
            (format!("sha256:{}", "A".repeat(64)), DigestError::Format),
            (format!("md5:{hex}"), DigestError::Unsupported),
            (format!("SHA256:{hex}"), DigestError::Format),
            (format!("sha256+b64:{hex}"), DigestError::Unsupported),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }
}
