//! Opens regular files, and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crate::file_kind::{no_follow, no_wait};

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
