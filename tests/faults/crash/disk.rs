//! A model of a disk: what is certainly kept, and what was requested since, by the calls of a log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file or a directory, whatever its name is.
pub(super) type Node = usize;

/// A name that came, went, or passed to another node.
#[derive(Debug, Clone)]
pub(super) struct NameChange {
    pub(super) directory: Node,
    name: String,
    node: Option<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Directory,
    /// Bytes that are on the disk.
    Synced(Vec<u8>),
    /// Bytes that nobody synced: whatever is read there is wrong.
    Unsynced(Vec<u8>),
}

/// A disk and what was asked of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub(super) contents: Vec<Content>,
    /// What is certainly there.
    pub(super) kept: BTreeMap<(Node, String), Node>,
    /// What was asked for since and is not synced, in order.
    pub(super) pending: Vec<NameChange>,
}

pub(super) const ROOT: Node = 0;

impl Disk {
    /// A disk that holds what is below `path`, all of it synced.
    pub(super) fn from_directory(path: &Path) -> Disk {
        let mut disk = Disk { contents: vec![Content::Directory], ..Disk::default() };
        disk.load(path, ROOT);
        disk
    }

    fn load(&mut self, path: &Path, directory: Node) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let is_directory = path.is_dir();
            let content =
                if is_directory { Content::Directory } else { Content::Synced(fs::read(&path).unwrap_or_default()) };
            let node = self.add(content);
            self.kept.insert((directory, name), node);
            if is_directory {
                self.load(&path, node);
            }
        }
    }

    fn add(&mut self, content: Content) -> Node {
        self.contents.push(content);
        self.contents.len() - 1
    }

    /// What programs see, which is all that was asked for.
    pub(super) fn find(&self, path: &Path) -> Option<Node> {
        let seen = self.names_with(|_| true);
        path.iter()
            .try_fold(ROOT, |directory, name| seen.get(&(directory, name.to_string_lossy().into_owned())).copied())
    }

    /// The names that are there if, of what is not certain, these came true.
    pub(super) fn names_with(&self, came_true: impl Fn(usize) -> bool) -> BTreeMap<(Node, String), Node> {
        let mut names = self.kept.clone();
        for (_, naming) in self.pending.iter().enumerate().filter(|(number, _)| came_true(*number)) {
            let key = (naming.directory, naming.name.clone());
            match naming.node {
                Some(node) => drop(names.insert(key, node)),
                None => drop(names.remove(&key)),
            }
        }
        names
    }

    fn add_name_change(&mut self, path: &Path, node: Option<Node>) {
        let (above, name) = (path.parent().expect("a parent"), path.file_name().expect("a name"));
        let directory = self.find(above).unwrap_or_else(|| panic!("no directory {}", above.display()));
        self.pending.push(NameChange { directory, name: name.to_string_lossy().into_owned(), node });
    }

    fn sync(&mut self, path: &Path) {
        let node = self.find(path).unwrap_or_else(|| panic!("nothing to sync at {}", path.display()));
        if let Content::Unsynced(bytes) = &self.contents[node] {
            self.contents[node] = Content::Synced(bytes.clone());
        }
        let sure = self.pending.iter().filter(|naming| naming.directory == node).cloned().collect::<Vec<_>>();
        self.pending.retain(|naming| naming.directory != node);
        for naming in sure {
            let key = (naming.directory, naming.name);
            match naming.node {
                Some(node) => drop(self.kept.insert(key, node)),
                None => drop(self.kept.remove(&key)),
            }
        }
    }

    /// Does what one call of the log did; whether it was one that asks for anything.
    pub(super) fn replay(&mut self, call: &SuccessfulCall) -> bool {
        let path = |number: usize| call.path(number);
        match call.name.as_str() {
            "openat" if call.line.contains("O_CREAT") && self.find(&path(0)).is_none() => {
                let node = self.add(Content::Unsynced(Vec::new()));
                self.add_name_change(&path(0), Some(node));
            }
            "mkdir" | "mkdirat" => {
                let node = self.add(Content::Directory);
                self.add_name_change(&path(0), Some(node));
            }
            "rename" | "renameat" | "renameat2" => {
                let node = self.find(&path(0));
                self.add_name_change(&path(0), None);
                self.add_name_change(&path(1), node);
            }
            "link" | "linkat" => {
                let node = self.find(&path(0));
                self.add_name_change(&path(1), node);
            }
            "unlink" | "unlinkat" | "rmdir" => self.add_name_change(&path(0), None),
            "write" => {
                let node = self.find(&path(0)).expect("an open file");
                let mut bytes = match &self.contents[node] {
                    Content::Synced(bytes) | Content::Unsynced(bytes) => bytes.clone(),
                    Content::Directory => Vec::new(),
                };
                bytes.extend(call.bytes());
                self.contents[node] = Content::Unsynced(bytes);
            }
            "fsync" | "fdatasync" => self.sync(&path(0)),
            _ => return false,
        }
        true
    }
}

/// A call that succeeded on something below the home.
pub(super) struct SuccessfulCall {
    pub(super) name: String,
    pub(super) line: String,
    pub(super) home: PathBuf,
}

impl SuccessfulCall {
    /// The texts in quotes, and for the calls that have only a descriptor or a name beside one, the descriptor's path.
    fn path(&self, number: usize) -> PathBuf {
        let quoted: Vec<Vec<u8>> = self.line.split('"').skip(1).step_by(2).map(unescaped).collect();
        // What stands before the text, or before the first of them: with two texts, each has its own.
        let quote_position = self.line.match_indices('"').nth(number * 2).map_or(self.line.len(), |(place, _)| place);
        let described = match self.name.as_str() {
            "write" | "fsync" | "fdatasync" => self.line.split_once('<'),
            _ => self.line.split_at(quote_position).0.rsplit_once('<'),
        };
        let described = described.and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
        let described = described.map(|path| PathBuf::from(text(&unescaped(path))));
        let path = match self.name.as_str() {
            "write" | "fsync" | "fdatasync" => described.expect("a descriptor with its path"),
            _ => {
                let path = PathBuf::from(text(quoted.get(number).expect("a path")));
                if path.is_absolute() { path } else { described.expect("a directory's descriptor").join(path) }
            }
        };
        path.strip_prefix(&self.home).expect("only calls below the home are played").to_owned()
    }

    fn bytes(&self) -> Vec<u8> {
        self.line.split('"').nth(1).map(unescaped).unwrap_or_default()
    }

    pub(super) fn all(log: &str, home: &Path) -> Vec<SuccessfulCall> {
        let mark: String = escaped(home);
        let calls = log.lines().filter(|line| line.contains(&mark) || line.contains(&home.display().to_string()));
        let calls = calls.filter(|line| !line.contains(" = -1 "));
        let call = |line: &str| {
            let (name, _) = line.split_once('(')?;
            Some(SuccessfulCall { name: name.to_owned(), line: line.to_owned(), home: home.to_owned() })
        };
        calls.filter_map(call).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn escaped(path: &Path) -> String {
    path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// strace's `\x2f`, or the letter itself.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.extend(letter.to_string().bytes());
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    bytes
}
