//! A tar archive of a layout, with gzip or without. Nothing is unpacked to disk.
//!
//! gzip can only be expanded from the beginning. An archive with it is expanded once to find its members, and then
//! small members are kept in memory. The others come from one stream that goes on where the last reader stopped: read
//! in the order of [`Archive::read_position`], they take one more expansion together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use flate2::read::MultiGzDecoder;

use crate::content::error::LayoutError;
use crate::content::oci_layout::tar_reader::{self, ArchiveMembers, MemberCache, TarError};
use crate::regular_file::open_regular;
use crate::sync::{lock, wait};

/// A gzip archive may expand to this many times its size.
const EXPANSION_RATIO_MAX: u64 = 256;
/// The expansion that every gzip archive may have, in bytes.
const EXPANSION_ALWAYS_ALLOWED: u64 = 64 << 20;
/// The maximum size of a member that is kept in memory, and of all of them, in bytes.
const CACHED_MEMBER_MAX: u64 = 1 << 20;
const CACHED_TOTAL_MAX: u64 = 32 << 20;

/// An archive.
pub(super) struct Archive {
    pub(super) path: PathBuf,
    pub(super) members: ArchiveMembers,
    gzip: Option<Arc<Gzip>>,
}

/// The expanded content of a gzip archive.
struct Gzip {
    path: PathBuf,
    cached: BTreeMap<String, Arc<[u8]>>,
    stream: Mutex<SharedStream>,
    /// Notified when the stream is returned.
    returned: Condvar,
}

#[derive(Default)]
struct SharedStream {
    /// The reader and its position, unless it is lent or was not needed yet.
    reader: Option<(ArchiveReader, u64)>,
    is_lent: bool,
    /// How often the archive was expanded from its beginning.
    expansions: usize,
}

impl Archive {
    /// Finds the members.
    pub(super) fn open(path: &Path) -> Result<Archive, LayoutError> {
        let mut reader = archive_reader(path)?;
        let is_gzip = matches!(reader, ArchiveReader::Gzip { .. });
        let mut cached = is_gzip.then(|| MemberCache::new(CACHED_MEMBER_MAX, CACHED_TOTAL_MAX));
        let members = tar_reader::read_members(&mut reader, cached.as_mut()).map_err(|error| match error {
            TarError::Io(source) => LayoutError::io("read", path)(source),
            TarError::Damaged(reason) => LayoutError::unusable(path, reason),
            TarError::MemberRefused(member, reason) => {
                LayoutError::FileRefused { path: path.to_owned(), file: member, reason }
            }
        })?;
        let gzip = cached.map(|cached| {
            let stream = Mutex::new(SharedStream { expansions: 1, ..SharedStream::default() });
            Arc::new(Gzip { path: path.to_owned(), cached: cached.members, stream, returned: Condvar::new() })
        });
        Ok(Archive { path: path.to_owned(), members, gzip })
    }

    /// The position of a member, if members should be read in the order of their positions and one at a time.
    pub(super) fn read_position(&self, name: &str) -> Option<u64> {
        self.gzip.as_ref()?;
        self.members.get(name).map(|(at, _)| *at)
    }

    /// Opens a member. Of a gzip archive one large member can be open at a time: others wait for it to be dropped.
    pub(super) fn member(&self, name: &str) -> Result<Option<SizedReader>, LayoutError> {
        let Some((at, size)) = self.members.get(name).copied() else { return Ok(None) };
        let Some(gzip) = &self.gzip else {
            let mut reader = archive_reader(&self.path)?;
            reader.seek_from_start(at).map_err(LayoutError::io("read", &self.path))?;
            return Ok(Some((Box::new(reader.take(size)), size)));
        };
        if let Some(bytes) = gzip.cached.get(name) {
            return Ok(Some((Box::new(Cursor::new(Arc::clone(bytes))), size)));
        }
        let mut lent = LentGzipReader { gzip: Arc::clone(gzip), reader: None, at: 0, remaining: 0 };
        let (mut reader, position) = gzip.lend_reader(at)?;
        io::copy(&mut (&mut reader).take(at.saturating_sub(position)), &mut io::sink())
            .map_err(LayoutError::io("read", &self.path))?;
        (lent.reader, lent.at, lent.remaining) = (Some(reader), at, size);
        Ok(Some((Box::new(lent), size)))
    }
}

impl Gzip {
    /// Takes the stream, which is at `at` or before it. Waits while it is lent.
    fn lend_reader(&self, at: u64) -> Result<(ArchiveReader, u64), LayoutError> {
        let mut stream = lock(&self.stream);
        while stream.is_lent {
            stream = wait(&self.returned, stream);
        }
        stream.is_lent = true;
        if let Some(found) = stream.reader.take().filter(|(_, position)| *position <= at) {
            return Ok(found);
        }
        stream.expansions += 1;
        Ok((archive_reader(&self.path)?, 0))
    }
}

/// A member of a gzip archive, while it is read. The stream is given back when it is dropped.
struct LentGzipReader {
    gzip: Arc<Gzip>,
    /// `None` if the stream could not be read.
    reader: Option<ArchiveReader>,
    /// The position of the stream, and how much of the member is left.
    at: u64,
    remaining: u64,
}

impl Read for LentGzipReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return Ok(0) };
        match reader.take(self.remaining).read(buffer) {
            Ok(count) => {
                self.at = self.at.saturating_add(count as u64);
                self.remaining = self.remaining.saturating_sub(count as u64);
                Ok(count)
            }
            Err(error) => {
                self.reader = None;
                Err(error)
            }
        }
    }
}

impl Drop for LentGzipReader {
    fn drop(&mut self) {
        let mut stream = lock(&self.gzip.stream);
        stream.reader = self.reader.take().map(|reader| (reader, self.at));
        stream.is_lent = false;
        self.gzip.returned.notify_one();
    }
}

/// A file that was opened, and its size in bytes.
pub(super) type SizedReader = (Box<dyn Read + Send>, u64);

/// The bytes of an archive, expanded.
enum ArchiveReader {
    Plain(BufReader<File>),
    /// `remaining` is how much may still come out of gzip.
    Gzip {
        decoder: MultiGzDecoder<BufReader<File>>,
        remaining: u64,
    },
}

/// The user may name an archive by a link.
fn archive_reader(path: &Path) -> Result<ArchiveReader, LayoutError> {
    let opened = open_regular(path, true).map_err(LayoutError::io("open", path))?;
    let not_a_file = || LayoutError::unusable(path, "it is no regular file");
    let (mut file, size) = opened.ok_or_else(not_a_file)?;
    let mut magic = Vec::new();
    let begun = (&mut file).take(2).read_to_end(&mut magic).and_then(|_| file.seek(SeekFrom::Start(0)));
    begun.map_err(LayoutError::io("read", path))?;
    let file = BufReader::new(file);
    if magic != [0x1f, 0x8b] {
        return Ok(ArchiveReader::Plain(file));
    }
    let remaining = size.saturating_mul(EXPANSION_RATIO_MAX).saturating_add(EXPANSION_ALWAYS_ALLOWED);
    Ok(ArchiveReader::Gzip { decoder: MultiGzDecoder::new(file), remaining })
}

impl ArchiveReader {
    /// Goes to a position from the beginning.
    fn seek_from_start(&mut self, position: u64) -> io::Result<()> {
        match self {
            ArchiveReader::Plain(file) => file.seek(SeekFrom::Start(position)).map(drop),
            gzip @ ArchiveReader::Gzip { .. } => io::copy(&mut gzip.take(position), &mut io::sink()).map(drop),
        }
    }
}

impl Read for ArchiveReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            ArchiveReader::Plain(file) => file.read(buffer),
            ArchiveReader::Gzip { decoder, remaining } => {
                let count = decoder.read(buffer)?;
                let too_large = || io::Error::new(io::ErrorKind::InvalidData, "it expands to more than any layout has");
                *remaining = remaining.checked_sub(count as u64).ok_or_else(too_large)?;
                Ok(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    /// Bytes that gzip cannot shorten.
    fn incompressible(seed: u8, size: usize) -> Vec<u8> {
        let mut state = u64::from(seed) + 1;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(size).collect()
    }

    fn write_gzip_archive(path: &Path, members: &[(&str, Vec<u8>)]) {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_slice()).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar.into_inner().unwrap()).unwrap();
        fs::write(path, gzip.finish().unwrap()).unwrap();
    }

    fn content(archive: &Archive, name: &str) -> Vec<u8> {
        let (mut reader, size) = archive.member(name).unwrap().unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, size);
        bytes
    }

    #[test]
    fn gzip_archive_is_expanded_once_for_all_its_blobs() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.tar.gz");
        let large = CACHED_MEMBER_MAX as usize + 1;
        let members: Vec<(&str, Vec<u8>)> = vec![
            ("c", incompressible(1, large)),
            ("small", incompressible(2, 1000)),
            ("a", incompressible(3, large)),
            ("b", incompressible(4, large)),
            ("index.json", b"{}".to_vec()),
        ];
        write_gzip_archive(&path, &members);
        let archive = Archive::open(&path).unwrap();
        let expansions = || lock(&archive.gzip.as_ref().unwrap().stream).expansions;
        let mut names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.sort_by_key(|name| archive.read_position(name));
        assert_eq!(names, ["c", "small", "a", "b", "index.json"]);
        for name in ["index.json", "small", "index.json"] {
            content(&archive, name);
        }
        assert_eq!(expansions(), 1, "what is small is in memory");
        for (name, bytes) in &members {
            assert_eq!(content(&archive, name), *bytes, "{name}");
        }
        assert_eq!(expansions(), 2);
        // Half of a blob is read, and the next one after it.
        let (mut half, _) = archive.member("a").unwrap().unwrap();
        half.read_exact(&mut [0; 1000]).unwrap();
        drop(half);
        assert_eq!(content(&archive, "b"), members[3].1);
        assert_eq!(expansions(), 3, "back to the beginning, once");
        // Several threads take turns.
        std::thread::scope(|scope| {
            for (name, bytes) in &members {
                let archive = &archive;
                scope.spawn(move || assert_eq!(content(archive, name), *bytes, "{name}"));
            }
        });
    }

    #[test]
    fn gzip_archive_caches_small_members_in_bounded_memory() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.tar.gz");
        let names: Vec<String> = (0..40).map(|number| format!("blobs/{number:02}")).collect();
        let members: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), vec![7; 1 << 20])).collect();
        write_gzip_archive(&path, &members);
        let archive = Archive::open(&path).unwrap();
        let cached: usize = archive.gzip.as_ref().unwrap().cached.values().map(|bytes| bytes.len()).sum();
        assert_eq!(cached as u64, CACHED_TOTAL_MAX);
        assert_eq!(content(&archive, "blobs/39"), members[39].1);
    }
}
