//! Reads the members of a tar archive without unpacking it. Refuses members that no layout has: links, devices, FIFOs,
//! sparse files, names that lead out of the archive, duplicates. Headers are those of POSIX pax and of GNU tar.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use tar::{EntryType, Header};

/// The size of a tar block, in bytes.
const BLOCK_SIZE: u64 = 512;
/// The maximum number of members.
const MEMBERS_MAX: usize = 100_000;
/// The maximum size of an extended header, in bytes.
const EXTENSION_BYTES_MAX: u64 = 64 * 1024;
/// The maximum length of a member's name, in bytes.
const NAME_BYTES_MAX: usize = 4096;

/// The regular files of an archive: by name the position of their content, and its size, in bytes.
pub(super) type ArchiveMembers = BTreeMap<String, (u64, u64)>;

/// Why an archive is not read.
#[derive(Debug)]
pub(super) enum TarError {
    /// It cannot be read.
    Io(io::Error),
    /// It is damaged or not a tar archive.
    Damaged(String),
    /// A member that is refused.
    MemberRefused(String, &'static str),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> TarError {
        TarError::Io(error)
    }
}

/// Small members that are kept while an archive is read.
pub(super) struct MemberCache {
    /// The maximum size of each, in bytes.
    max: u64,
    /// What all of them may still take, in bytes.
    remaining: u64,
    pub(super) members: BTreeMap<String, Arc<[u8]>>,
}

impl MemberCache {
    pub(super) fn new(max: u64, remaining: u64) -> MemberCache {
        MemberCache { max, remaining, members: BTreeMap::new() }
    }
}

/// Reads all headers, and the content of small members if there is a `cache` for them.
pub(super) fn read_members(reader: &mut dyn Read, cache: Option<&mut MemberCache>) -> Result<ArchiveMembers, TarError> {
    let mut scan = Scanner { reader, at: 0, members: ArchiveMembers::new(), count: 0, cache, first_link: None };
    let mut extension = Extension::default();
    while let Some(header) = scan.read_header()? {
        let size = header.entry_size().map_err(|error| TarError::Damaged(error.to_string()))?;
        match header.entry_type() {
            EntryType::GNULongName => extension.name = Some(until_nul(&scan.read_extension(size)?)),
            EntryType::XHeader => extension.read(&scan.read_extension(size)?)?,
            EntryType::XGlobalHeader => drop(scan.read_extension(size)?),
            _ => scan.read_member(&header, size, std::mem::take(&mut extension))?,
        }
    }
    // Archives of an old docker have links. They are no layouts, and are refused for that.
    let is_old_docker_archive = !scan.members.contains_key("index.json") && scan.members.contains_key("manifest.json");
    match scan.first_link.filter(|_| !is_old_docker_archive) {
        Some(name) => Err(TarError::MemberRefused(name, "it is a link")),
        None => Ok(scan.members),
    }
}

/// The members of extended headers, which describe the next member.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Extension {
    /// Reads pax records, each `LENGTH KEY=VALUE` and a newline.
    fn read(&mut self, mut records: &[u8]) -> Result<(), TarError> {
        let damaged = || TarError::Damaged("an extended header is malformed".to_owned());
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
            let length = records.get(..space).and_then(|digits| std::str::from_utf8(digits).ok());
            let length: usize = length.and_then(|digits| digits.parse().ok()).ok_or_else(damaged)?;
            let record = records.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n"));
            let record = record.ok_or_else(damaged)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
            let (key, value) = record.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                    self.size = Some(size.ok_or_else(damaged)?);
                }
                key if key.starts_with(b"GNU.sparse") => {
                    let name = String::from_utf8_lossy(self.name.as_deref().unwrap_or(b"a member")).into_owned();
                    return Err(TarError::MemberRefused(name, "it is a sparse file"));
                }
                _ => {}
            }
            records = records.get(length..).unwrap_or_default();
        }
        Ok(())
    }
}

struct Scanner<'a> {
    reader: &'a mut dyn Read,
    at: u64,
    members: ArchiveMembers,
    count: usize,
    cache: Option<&'a mut MemberCache>,
    /// The first link.
    first_link: Option<String>,
}

impl Scanner<'_> {
    /// The next header; `None` at the end of the archive.
    fn read_header(&mut self) -> Result<Option<Header>, TarError> {
        let mut block = Vec::new();
        (&mut *self.reader).take(BLOCK_SIZE).read_to_end(&mut block)?;
        self.at = self.at.saturating_add(block.len() as u64);
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if block.len() as u64 != BLOCK_SIZE {
            return Err(TarError::Damaged("it ends in the middle of a header".to_owned()));
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&block);
        let mut summed = header.clone();
        summed.set_cksum();
        match (header.cksum(), summed.cksum()) {
            (Ok(stated), Ok(sum)) if stated == sum => Ok(Some(header)),
            _ => Err(TarError::Damaged("it is no tar archive, or a header is damaged".to_owned())),
        }
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > EXTENSION_BYTES_MAX {
            return Err(TarError::Damaged(format!("an extended header has {size} bytes")));
        }
        self.read_content(size, "it ends in the middle of a header")
    }

    /// Reads the content of a member or an extended header.
    fn read_content(&mut self, size: u64, cut_short: &str) -> Result<Vec<u8>, TarError> {
        let mut content = Vec::new();
        let read = (&mut *self.reader).take(size).read_to_end(&mut content)?;
        self.at = self.at.saturating_add(read as u64);
        if read as u64 != size {
            return Err(TarError::Damaged(cut_short.to_owned()));
        }
        self.skip(padding(size))?;
        Ok(content)
    }

    fn read_member(&mut self, header: &Header, size: u64, extension: Extension) -> Result<(), TarError> {
        let size = extension.size.unwrap_or(size);
        let raw = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = || String::from_utf8_lossy(&raw).chars().take(200).collect::<String>();
        self.count += 1;
        if self.count > MEMBERS_MAX {
            return Err(TarError::Damaged(format!("it has over {MEMBERS_MAX} members")));
        }
        let refused = |reason| Err(TarError::MemberRefused(shown(), reason));
        let is_file = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => true,
            EntryType::Directory => false,
            EntryType::Link | EntryType::Symlink => {
                let name = shown();
                self.first_link.get_or_insert(name);
                return self.skip(size.saturating_add(padding(size)));
            }
            EntryType::Char | EntryType::Block => return refused("it is a device"),
            EntryType::Fifo => return refused("it is a FIFO"),
            EntryType::GNUSparse => return refused("it is a sparse file"),
            _ => return refused("it is of an unknown type"),
        };
        let Some(name) = plain_name(&raw) else {
            return refused("its name leads out of the archive, or is none");
        };
        if !is_file {
            return self.skip(size.saturating_add(padding(size)));
        }
        let at = self.at;
        if self.cache.as_ref().is_some_and(|cache| size <= cache.max.min(cache.remaining)) {
            let content = self.read_content(size, "it ends in the middle of a member")?;
            if let Some(cache) = &mut self.cache {
                cache.remaining = cache.remaining.saturating_sub(size);
                cache.members.insert(name.clone(), content.into());
            }
        } else {
            self.skip(size.saturating_add(padding(size)))?;
        }
        if self.members.insert(name, (at, size)).is_some() {
            return refused("it is there twice");
        }
        Ok(())
    }

    fn skip(&mut self, count: u64) -> Result<(), TarError> {
        let skipped = io::copy(&mut (&mut *self.reader).take(count), &mut io::sink())?;
        self.at = self.at.saturating_add(skipped);
        if skipped < count {
            return Err(TarError::Damaged("it ends in the middle of a member".to_owned()));
        }
        Ok(())
    }
}

fn padding(size: u64) -> u64 {
    (BLOCK_SIZE - size % BLOCK_SIZE) % BLOCK_SIZE
}

/// GNU tar ends a long name with NUL.
fn until_nul(content: &[u8]) -> Vec<u8> {
    content.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A relative name without `.` and `..`; the root itself is the empty name.
fn plain_name(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok().filter(|text| text.len() <= NAME_BYTES_MAX && !text.starts_with('/'))?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let parts: Vec<&str> = text.split('/').filter(|part| *part != ".").collect();
    let is_plain = |part: &&str| !part.is_empty() && *part != ".." && !part.contains(['\0', '\\']);
    parts.iter().all(is_plain).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in members {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            // Names as an attacker writes them: the builder would refuse some.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, u64)>, String> {
        let found = read_members(&mut &bytes[..], None);
        let found = found.map_err(|error| match error {
            TarError::Io(error) => error.to_string(),
            TarError::Damaged(reason) => reason,
            TarError::MemberRefused(name, reason) => format!("{name}: {reason}"),
        })?;
        for (at, size) in found.values() {
            assert!(at + size <= bytes.len() as u64);
        }
        Ok(found.into_iter().map(|(name, (_, size))| (name, size)).collect())
    }

    #[test]
    fn reader_finds_members_by_their_plain_names() {
        use EntryType::{Directory, Regular};
        let bytes = archive(&[
            ("./", Directory, b""),
            ("blobs/sha256/", Directory, b""),
            ("./index.json", Regular, b"{}"),
            ("blobs/sha256/ab", Regular, &[7; 513]),
        ]);
        let expected = [("blobs/sha256/ab".to_owned(), 513), ("index.json".to_owned(), 2)];
        assert_eq!(read(&bytes).unwrap(), expected);
        let (at, size) = read_members(&mut &bytes[..], None).unwrap()["blobs/sha256/ab"];
        assert_eq!(bytes[at as usize..(at + size) as usize], [7; 513]);
        // Some writers leave the two empty blocks at the end out.
        assert_eq!(read(&bytes[..bytes.len() - 1024]).unwrap(), expected);
    }

    #[test]
    fn reader_uses_long_names_of_extended_headers() {
        let long = format!("blobs/sha512/{}", "ab".repeat(64));
        let record = format!("{} path={long}\n", long.len() + 10);
        assert_eq!(record.len(), long.len() + 10);
        let pax = archive(&[("x", EntryType::XHeader, record.as_bytes()), ("short", EntryType::Regular, b"1")]);
        let gnu = format!("{long}\0");
        let gnu = archive(&[("L", EntryType::GNULongName, gnu.as_bytes()), ("short", EntryType::Regular, b"1")]);
        for bytes in [pax, gnu] {
            assert_eq!(read(&bytes).unwrap(), [(long.clone(), 1)]);
        }
    }

    #[test]
    fn reader_refuses_members_that_no_layout_has() {
        use EntryType::{Block, Char, Fifo, GNUSparse, Link, Regular, Symlink};
        for (name, kind, reason) in [
            ("index.json", Symlink, "it is a link"),
            ("index.json", Link, "it is a link"),
            ("index.json", Char, "it is a device"),
            ("index.json", Block, "it is a device"),
            ("index.json", Fifo, "it is a FIFO"),
            ("index.json", GNUSparse, "it is a sparse file"),
            ("../index.json", Regular, "its name leads out of the archive, or is none"),
            ("/index.json", Regular, "its name leads out of the archive, or is none"),
            ("a//b", Regular, "its name leads out of the archive, or is none"),
            ("a/../../b", Regular, "its name leads out of the archive, or is none"),
        ] {
            assert_eq!(read(&archive(&[(name, kind, b"")])).unwrap_err(), format!("{name}: {reason}"));
        }
        let duplicates = archive(&[("a", Regular, b"1"), ("./a", Regular, b"2")]);
        assert_eq!(read(&duplicates).unwrap_err(), "./a: it is there twice");
        let sparse = archive(&[("x", EntryType::XHeader, b"22 GNU.sparse.major=1\n"), ("a", Regular, b"")]);
        assert_eq!(read(&sparse).unwrap_err(), "a member: it is a sparse file");
    }

    #[test]
    fn reader_reports_truncated_archives_as_damaged() {
        let bytes = archive(&[("a", EntryType::Regular, &[1; 1000])]);
        for length in [1, 511, 512, 700, 1500] {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
        assert!(read(b"not a tar archive").is_err());
        assert_eq!(read(b"").unwrap(), []);
        for records in ["x", "99 a=b\n", "0 a=b\n", "5 a=b", "6 ab=\n\n", "9 size=x\n"] {
            let bytes = archive(&[("x", EntryType::XHeader, records.as_bytes()), ("a", EntryType::Regular, b"")]);
            assert!(read(&bytes).is_err(), "{records:?}");
        }
        let huge = archive(&[("x", EntryType::XHeader, &[b' '; 70_000])]);
        assert_eq!(read(&huge).unwrap_err(), "an extended header has 70000 bytes");
    }
}
