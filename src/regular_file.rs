//! Opens regular files safely, and names the kinds of other files.

use std::fmt;
use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::path::Path;

/// The innermost file or directory of a path that exists.
pub(crate) fn innermost_existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.symlink_metadata().is_ok())
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, if links are not followed.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// Everything else.
    Device,
}

impl FileKind {
    /// The kind that the system reports.
    pub fn from_file_type(found: FileType) -> FileKind {
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            match found {
                _ if found.is_fifo() => return FileKind::Fifo,
                _ if found.is_socket() => return FileKind::Socket,
                _ => {}
            }
        }
        match found {
            _ if found.is_symlink() => FileKind::Symlink,
            _ if found.is_dir() => FileKind::Directory,
            _ if found.is_file() => FileKind::File,
            _ => FileKind::Device,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::File => "a file",
            FileKind::Directory => "a directory",
            FileKind::Symlink => "a symbolic link",
            FileKind::Fifo => "a FIFO",
            FileKind::Socket => "a socket",
            FileKind::Device => "a device",
        })
    }
}

/// Sets flags so that opening a symbolic link is an error, and opening a FIFO does not wait for its other end.
pub(crate) fn no_follow_or_block(options: &mut OpenOptions) -> &mut OpenOptions {
    open_flags(options, true)
}

/// Opens a regular file to read it, and gives its size in bytes; `None` for anything else. Does not wait for the writer
/// of a FIFO.
///
/// # Errors
/// A file that cannot be opened; a symbolic link, unless links are followed.
pub(crate) fn open_regular(path: &Path, follows_links: bool) -> io::Result<Option<(File, u64)>> {
    let mut options = OpenOptions::new();
    let file = open_flags(options.read(true), !follows_links).open(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

#[cfg(unix)]
fn open_flags(options: &mut OpenOptions, refuses_links: bool) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::NOFOLLOW, refuses_links);
    // The bits are an `int` of the system's C header.
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn open_flags(options: &mut OpenOptions, _: bool) -> &mut OpenOptions {
    options
}
