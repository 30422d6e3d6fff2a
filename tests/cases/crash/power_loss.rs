//! What a disk may hold after a power loss: the calls of a change are recorded and played back on a model that keeps
//! only what a sync has made sure of, and of the rest every subset. See `store-format.md`, "What a crash leaves".
//!
//! The model is POSIX's and harsher than any journal: a file's bytes are there once the file was synced, a name once its
//! folder was; names that were not synced may be there or not, each for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::Value;
use testkit::skip::skipped;

use super::ground::{Case, FORGET, Ground};
use super::{ANNOTATE_THE_LIST, REPLACE, REPLACE_BACK, no_strace};

/// A file or a folder, whatever its name is.
type Node = usize;

/// A name that came, went, or passed to another node.
#[derive(Debug, Clone)]
struct Naming {
    folder: Node,
    name: String,
    node: Option<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Folder,
    /// Bytes that are on the disk.
    Whole(Vec<u8>),
    /// Bytes that nobody synced: whatever is read there is wrong.
    Torn(Vec<u8>),
}

/// A disk and what was asked of it.
#[derive(Debug, Clone, Default)]
struct Disk {
    contents: Vec<Content>,
    /// What is certainly there.
    kept: BTreeMap<(Node, String), Node>,
    /// What was asked for since and is not synced, in order.
    asked: Vec<Naming>,
}

const ROOT: Node = 0;

impl Disk {
    /// A disk that holds what is below `path`, all of it synced.
    fn of(path: &Path) -> Disk {
        let mut disk = Disk { contents: vec![Content::Folder], ..Disk::default() };
        disk.load(path, ROOT);
        disk
    }

    fn load(&mut self, path: &Path, folder: Node) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let is_folder = path.is_dir();
            let content = if is_folder { Content::Folder } else { Content::Whole(fs::read(&path).unwrap_or_default()) };
            let node = self.add(content);
            self.kept.insert((folder, name), node);
            if is_folder {
                self.load(&path, node);
            }
        }
    }

    fn add(&mut self, content: Content) -> Node {
        self.contents.push(content);
        self.contents.len() - 1
    }

    /// What programs see, which is all that was asked for.
    fn find(&self, path: &Path) -> Option<Node> {
        let seen = self.with(|_| true);
        path.iter().try_fold(ROOT, |folder, name| seen.get(&(folder, name.to_string_lossy().into_owned())).copied())
    }

    /// The names that are there if, of what is not certain, these came true.
    fn with(&self, came_true: impl Fn(usize) -> bool) -> BTreeMap<(Node, String), Node> {
        let mut names = self.kept.clone();
        for (_, naming) in self.asked.iter().enumerate().filter(|(number, _)| came_true(*number)) {
            let place = (naming.folder, naming.name.clone());
            match naming.node {
                Some(node) => drop(names.insert(place, node)),
                None => drop(names.remove(&place)),
            }
        }
        names
    }

    fn ask(&mut self, path: &Path, node: Option<Node>) {
        let (above, name) = (path.parent().expect("a parent"), path.file_name().expect("a name"));
        let folder = self.find(above).unwrap_or_else(|| panic!("no folder {}", above.display()));
        self.asked.push(Naming { folder, name: name.to_string_lossy().into_owned(), node });
    }

    fn sync(&mut self, path: &Path) {
        let node = self.find(path).unwrap_or_else(|| panic!("nothing to sync at {}", path.display()));
        if let Content::Torn(bytes) = &self.contents[node] {
            self.contents[node] = Content::Whole(bytes.clone());
        }
        let sure = self.asked.iter().filter(|naming| naming.folder == node).cloned().collect::<Vec<_>>();
        self.asked.retain(|naming| naming.folder != node);
        for naming in sure {
            let place = (naming.folder, naming.name);
            match naming.node {
                Some(node) => drop(self.kept.insert(place, node)),
                None => drop(self.kept.remove(&place)),
            }
        }
    }

    /// Does what one call of the log did; whether it was one that asks for anything.
    fn play(&mut self, call: &Call) -> bool {
        let path = |number: usize| call.path(number);
        match call.name.as_str() {
            "openat" if call.line.contains("O_CREAT") && self.find(&path(0)).is_none() => {
                let node = self.add(Content::Torn(Vec::new()));
                self.ask(&path(0), Some(node));
            }
            "mkdir" | "mkdirat" => {
                let node = self.add(Content::Folder);
                self.ask(&path(0), Some(node));
            }
            "rename" | "renameat" | "renameat2" => {
                let node = self.find(&path(0));
                self.ask(&path(0), None);
                self.ask(&path(1), node);
            }
            "unlink" | "unlinkat" | "rmdir" => self.ask(&path(0), None),
            "write" => {
                let node = self.find(&path(0)).expect("an open file");
                let mut bytes = match &self.contents[node] {
                    Content::Whole(bytes) | Content::Torn(bytes) => bytes.clone(),
                    Content::Folder => Vec::new(),
                };
                bytes.extend(call.bytes());
                self.contents[node] = Content::Torn(bytes);
            }
            "fsync" | "fdatasync" => self.sync(&path(0)),
            _ => return false,
        }
        true
    }
}

/// A call that succeeded on something below the home.
struct Call {
    name: String,
    line: String,
    home: PathBuf,
}

impl Call {
    /// The texts in quotes, and for the calls that have only a descriptor or a name beside one, the descriptor's path.
    fn path(&self, number: usize) -> PathBuf {
        let quoted: Vec<Vec<u8>> = self.line.split('"').skip(1).step_by(2).map(unescaped).collect();
        let described = self.line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
        let described = described.map(|path| PathBuf::from(text(&unescaped(path))));
        let path = match self.name.as_str() {
            "write" | "fsync" | "fdatasync" => described.expect("a descriptor with its path"),
            _ => {
                let path = PathBuf::from(text(quoted.get(number).expect("a path")));
                if path.is_absolute() { path } else { described.expect("a folder's descriptor").join(path) }
            }
        };
        path.strip_prefix(&self.home).expect("only calls below the home are played").to_owned()
    }

    fn bytes(&self) -> Vec<u8> {
        self.line.split('"').nth(1).map(unescaped).unwrap_or_default()
    }

    fn all(log: &str, home: &Path) -> Vec<Call> {
        let mark: String = text_to_hex(home);
        let calls = log.lines().filter(|line| line.contains(&mark) || line.contains(&home.display().to_string()));
        let calls = calls.filter(|line| !line.contains(" = -1 "));
        let call = |line: &str| {
            let (name, _) = line.split_once('(')?;
            Some(Call { name: name.to_owned(), line: line.to_owned(), home: home.to_owned() })
        };
        calls.filter_map(call).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn text_to_hex(path: &Path) -> String {
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

/// A draft as it may be found: its entries, and what its side file says of it. `None` for no draft.
type Found = Option<(BTreeMap<String, Vec<u8>>, Option<Value>)>;

/// What the test knows of the store that it looks into.
struct Look {
    folder: String,
    /// What the side file calls each folder that the list ever had.
    identities: BTreeMap<Node, String>,
}

impl Look {
    fn found(&self, disk: &Disk, names: &BTreeMap<(Node, String), Node>) -> Result<Found, String> {
        let below = |folder: Node, name: &str| names.get(&(folder, name.to_owned())).copied();
        let Some(store) = below(ROOT, "manifests") else { return Ok(None) };
        let Some(folder) = below(store, &self.folder) else { return Ok(None) };
        let whole = |node: Node| match &disk.contents[node] {
            Content::Whole(bytes) => Ok(bytes.clone()),
            other => Err(format!("{other:?} is in sight")),
        };
        let entries = names.iter().filter(|((above, _), _)| *above == folder);
        let entries: Result<BTreeMap<_, _>, String> =
            entries.map(|((_, name), node)| Ok((name.clone(), whole(*node)?))).collect();
        let side = below(store, ".docker-manifest").and_then(|ours| below(ours, "lists"));
        let side = side.and_then(|lists| below(lists, &self.folder)).map(whole).transpose()?;
        let side: Option<Value> = side.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let speaks = |side: &Value| side["directory"].as_str() == self.identities.get(&folder).map(String::as_str);
        let side = side.filter(speaks).map(|mut side| {
            side["directory"].take();
            side
        });
        Ok(Some((entries?, side)))
    }
}

/// How the store names a folder in a side file.
fn identity(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let born =
        metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |t| t.as_nanos());
    Some(format!("{}.{born}", metadata.ino()))
}

/// Whether a draft is the old one or the new one, or each part of it one of the two, and no older program in the wrong.
fn is_allowed(found: &Found, old: &Found, new: &Found, by_entry: bool) -> bool {
    if found == old || found == new {
        return true;
    }
    let (Some((entries, side)), Some(old), Some(new), true) = (found, old, new, by_entry) else { return false };
    let mut names = old.0.keys().chain(new.0.keys()).chain(entries.keys());
    let is_beyond = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"Source\":");
    let format = side.as_ref().map_or(0, |side| side["format"].as_u64().unwrap_or_default());
    names.all(|name| [old.0.get(name), new.0.get(name)].contains(&entries.get(name)))
        && (*side == old.1 || *side == new.1)
        && (format == 2 || !entries.values().any(|bytes| is_beyond(bytes)))
}

impl Look {
    /// At the store in this home, and with this folder for the list.
    fn at(ground: &Ground) -> Look {
        Look { folder: ground.folder(), identities: BTreeMap::new() }
    }

    /// Notes what the list's folder is called now.
    fn note(&mut self, disk: &Disk, home: &Path) {
        let list = Path::new("manifests").join(&self.folder);
        if let (Some(node), Some(identity)) = (disk.find(&list), identity(&home.join(&list))) {
            self.identities.insert(node, identity);
        }
    }

    /// What a program sees.
    fn seen(&self, disk: &Disk) -> Found {
        self.found(disk, &disk.with(|_| true)).expect("what a program sees is whole")
    }

    /// The drafts that may be found, where each name that matters here and is not certain came true or did not.
    fn possible(&self, disk: &Disk) -> Vec<Result<Found, String>> {
        let mut matter: BTreeSet<Node> = self.identities.keys().copied().chain([ROOT]).collect();
        for path in ["manifests", "manifests/.docker-manifest", "manifests/.docker-manifest/lists"] {
            matter.extend(disk.find(Path::new(path)));
        }
        let open: Vec<usize> = (0..disk.asked.len()).filter(|at| matter.contains(&disk.asked[*at].folder)).collect();
        assert!(open.len() <= 16, "too many names in the air to try them all: {}", open.len());
        let subsets = 0..1_u32 << open.len();
        let came_true =
            |subset: u32, at: usize| open.iter().position(|open| *open == at).is_some_and(|bit| subset >> bit & 1 == 1);
        subsets.map(|subset| self.found(disk, &disk.with(|at| came_true(subset, at)))).collect()
    }
}

#[allow(clippy::print_stdout, reason = "the counts are part of the test's output")]
fn check(case: &'static Case) {
    if let Some(why) = no_strace() {
        return skipped(&format!("a power loss at every step of {}", case.name), &why);
    }
    let ground = Ground::new(case);
    let sandbox = ground.prepared();
    let home = sandbox.docker_config();
    let mut disk = Disk::of(&home);
    let mut look = Look::at(&ground);
    look.note(&disk, &home);
    let old = look.seen(&disk);
    let (output, log) = ground.traced(&sandbox, &["-xx".to_owned(), "-s16777216".to_owned()]);
    assert_eq!(output.code, 0, "{}", output.err());
    let calls = Call::all(&log, &home);
    // Once through to the end, for what is there then.
    let mut last = disk.clone();
    for call in &calls {
        last.play(call);
    }
    look.note(&last, &home);
    let new = look.seen(&last);
    assert_ne!(old, new);
    let (real, mut look_at_real) = (Disk::of(&home), Look::at(&ground));
    look_at_real.note(&real, &home);
    assert_eq!(look_at_real.seen(&real), new, "the model came out elsewhere than the disk");

    let (mut played, mut tried, mut wrong, mut states) = (0, 0, Vec::new(), BTreeSet::new());
    for call in &calls {
        if !disk.play(call) {
            continue;
        }
        played += 1;
        for found in look.possible(&disk) {
            tried += 1;
            states.insert(format!("{found:?}"));
            if !found.as_ref().is_ok_and(|found| is_allowed(found, &old, &new, case.by_entry)) {
                let line: String = call.line.chars().take(300).collect();
                wrong.push(format!("after {line}: {found:?}"));
            }
        }
    }
    for found in look.possible(&disk) {
        tried += 1;
        if found.as_ref() != Ok(&new) {
            wrong.push(format!("after it said that it was done: {found:?}"));
        }
    }
    println!("{}: {played} calls played, {tried} power losses, {} states of the draft", case.name, states.len());
    assert!(wrong.is_empty(), "{} of {tried} went wrong, the first:\n{}", wrong.len(), wrong[0]);
    assert!(tried > played && states.len() >= 2, "that can hardly be all");
}

#[test]
fn a_new_draft_is_there_as_a_whole_or_not_at_all() {
    check(&Case { name: "create", before: &[], command: "create {L} 0 1 2", by_entry: false });
}

#[test]
fn a_new_draft_of_format_2_is_there_as_a_whole_or_not_at_all() {
    check(&Case { name: "a new draft of format 2", before: &[], command: "@beyond-and-annotated", by_entry: false });
}

#[test]
fn a_changed_entry_is_old_or_new() {
    check(&Case {
        name: "annotate",
        before: &["create {L} 0 1 2"],
        command: "annotate {L} 1 --variant v8",
        by_entry: false,
    });
}

#[test]
fn the_first_change_of_dockers_draft_leaves_every_entry_old_or_new() {
    check(&Case {
        name: "create --amend of docker's draft",
        before: &["create {L} 0 1 2", FORGET],
        command: "create --amend {L} 0 3 4",
        by_entry: true,
    });
}

#[test]
fn the_lists_own_annotations_are_old_or_new() {
    check(&ANNOTATE_THE_LIST);
}

#[test]
fn a_replaced_draft_has_every_entry_old_or_new_and_no_format_that_is_too_low() {
    check(&REPLACE);
    check(&REPLACE_BACK);
}

#[test]
fn a_removed_draft_is_there_as_a_whole_or_gone() {
    check(&Case { name: "rm", before: &["create {L} 0 1 2"], command: "rm {L}", by_entry: false });
    check(&Case { name: "rm --all", before: &["@beyond-and-annotated"], command: "@remove", by_entry: false });
}

/// The model itself: what is not synced may be lost, and is then told from what may not.
#[test]
fn the_model_loses_what_was_not_synced() {
    let call = |line: &str| Call { name: line.split('(').next().unwrap().into(), line: line.into(), home: "/h".into() };
    let mut disk = Disk { contents: vec![Content::Folder], ..Disk::default() };
    let look = Look { folder: "l".into(), identities: BTreeMap::new() };
    for line in [
        r#"mkdir("/h/manifests", 0755) = 0"#,
        r#"fsync(3</h>) = 0"#,
        r#"mkdir("/h/manifests/l", 0755) = 0"#,
        r#"openat(AT_FDCWD</>, "/h/manifests/l/e", O_WRONLY|O_CREAT) = 3</h/manifests/l/e>"#,
        r#"write(3</h/manifests/l/e>, "\x61\x62", 2) = 2"#,
    ] {
        assert!(disk.play(&call(line)), "{line}");
    }
    let names = |disk: &Disk, look: &Look| look.found(disk, &disk.with(|_| true));
    assert!(names(&disk, &look).unwrap_err().contains("Torn"));
    assert!(disk.play(&call(r#"fsync(3</h/manifests/l/e>) = 0"#)));
    let whole = names(&disk, &look).unwrap().unwrap().0;
    assert_eq!(whole, BTreeMap::from([("e".to_owned(), b"ab".to_vec())]));
    // The folder's name and the file's are in the air, each for itself.
    assert_eq!(look.found(&disk, &disk.kept).unwrap(), None);
    assert_eq!(disk.asked.len(), 2);
    assert!(disk.play(&call(r#"fsync(3</h/manifests>) = 0"#)));
    assert_eq!(look.found(&disk, &disk.kept).unwrap().unwrap().0, BTreeMap::new());
    assert!(!disk.play(&call(r#"flock(3</h/manifests/l/e>, LOCK_EX) = 0"#)));
}
