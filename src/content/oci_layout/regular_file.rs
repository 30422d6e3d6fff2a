//! Opens regular files, and nothing else. Hashes them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crate::digest::{Digest, Hasher};
use crate::file_kind::{no_follow, no_wait};

/// The size of the buffer that a file is hashed through, in bytes.
const BUFFER: usize = 64 * 1024;

/// A file that was opened, and its size in bytes.
pub(super) type OpenFile = (Box<dyn Read + Send>, u64);

/// Opens a file to read; `None` for what is no regular file. Does not wait for the writer of a FIFO.
pub(super) fn regular(path: &Path, follow: bool) -> io::Result<Option<(File, u64)>> {
    let mut options = OpenOptions::new();
    let options = options.read(true);
    let file = if follow { no_wait(options) } else { no_follow(options) }.open(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

/// The digest of a file, by the algorithm of `like`.
pub(super) fn hash(mut file: impl io::Read, like: &Digest) -> io::Result<Digest> {
    let mut hasher = Hasher::for_digest(like);
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
