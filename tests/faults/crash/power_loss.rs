//! The content of a disk after a power loss: the calls of a change are recorded and replayed on a model that keeps only
//! what was synced, and any subset of the rest. See `store-format.md`, "What a crash leaves".
//!
//! The model follows POSIX and is harsher than any journal: a file's bytes are kept once the file was synced, a name
//! once its directory was. Names that were not synced may be kept or lost independently.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use testkit::skip::skipped;
use testkit::uncaptured_output::print_uncaptured;

use super::disk::{Content, Disk, Node, ROOT, SuccessfulCall};
use super::fixture::{Case, Fixture, REMOVE_SIDECAR_DIR};
use super::{ADD, ANNOTATE_THE_LIST, APPLY, REMOVE, REPLACE_FORMAT_1_BY_2, REPLACE_FORMAT_2_BY_1, no_strace};

/// A draft as it may be found: its entries, and what its sidecar says of it. `None` for no draft.
type FoundDraft = Option<(BTreeMap<String, Vec<u8>>, Option<Value>)>;

/// What the test knows of the store that it looks into.
struct StoreView {
    directory: String,
    /// What the sidecar calls each directory that the list ever had.
    identities: BTreeMap<Node, String>,
}

impl StoreView {
    fn found(&self, disk: &Disk, names: &BTreeMap<(Node, String), Node>) -> Result<FoundDraft, String> {
        let below = |directory: Node, name: &str| names.get(&(directory, name.to_owned())).copied();
        let Some(store) = below(ROOT, "manifests") else { return Ok(None) };
        let Some(directory) = below(store, &self.directory) else { return Ok(None) };
        let whole = |node: Node| match &disk.contents[node] {
            Content::Synced(bytes) => Ok(bytes.clone()),
            other => Err(format!("{other:?} is in sight")),
        };
        let entries = names.iter().filter(|((above, _), _)| *above == directory);
        let entries: Result<BTreeMap<_, _>, String> =
            entries.map(|((_, name), node)| Ok((name.clone(), whole(*node)?))).collect();
        let sidecar = below(store, ".docker-manifest").and_then(|ours| below(ours, "lists"));
        let sidecar = sidecar.and_then(|lists| below(lists, &self.directory)).map(whole).transpose()?;
        let sidecar: Option<Value> = sidecar.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let speaks =
            |sidecar: &Value| sidecar["directory"].as_str() == self.identities.get(&directory).map(String::as_str);
        let sidecar = sidecar.filter(speaks).map(|mut sidecar| {
            sidecar["directory"].take();
            sidecar
        });
        Ok(Some((entries?, sidecar)))
    }
}

/// How the store names a directory in a sidecar.
fn directory_identity(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let born =
        metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |age| age.as_nanos());
    Some(format!("{}.{born}", metadata.ino()))
}

/// Whether a draft is the old one or the new one, or each part of it one of the two, and no older program in the wrong.
fn is_allowed(found: &FoundDraft, old: &FoundDraft, new: &FoundDraft, by_entry: bool) -> bool {
    if found == old || found == new {
        return true;
    }
    let (Some((entries, sidecar)), Some(old), Some(new), true) = (found, old, new, by_entry) else { return false };
    let mut names = old.0.keys().chain(new.0.keys()).chain(entries.keys());
    let is_beyond = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"Source\":");
    let format = sidecar.as_ref().map_or(0, |sidecar| sidecar["format"].as_u64().unwrap_or_default());
    names.all(|name| [old.0.get(name), new.0.get(name)].contains(&entries.get(name)))
        && (*sidecar == old.1 || *sidecar == new.1)
        && (format >= 2 || !entries.values().any(|bytes| is_beyond(bytes)))
}

impl StoreView {
    /// At the store in this home, and with this directory for the list.
    fn new(fixture: &Fixture) -> StoreView {
        StoreView { directory: fixture.directory(), identities: BTreeMap::new() }
    }

    /// Notes what the list's directory is called now.
    fn record_directory(&mut self, disk: &Disk, home: &Path) {
        let list = Path::new("manifests").join(&self.directory);
        if let (Some(node), Some(identity)) = (disk.find(&list), directory_identity(&home.join(&list))) {
            self.identities.insert(node, identity);
        }
    }

    /// What a program sees.
    fn visible_draft(&self, disk: &Disk) -> FoundDraft {
        self.found(disk, &disk.names_with(|_| true)).expect("what a program sees is whole")
    }

    /// The drafts that may be found, where each name that matters here and is not certain came true or did not.
    fn possible_drafts(&self, disk: &Disk) -> Vec<Result<FoundDraft, String>> {
        let mut matter: BTreeSet<Node> = self.identities.keys().copied().chain([ROOT]).collect();
        for path in ["manifests", "manifests/.docker-manifest", "manifests/.docker-manifest/lists"] {
            matter.extend(disk.find(Path::new(path)));
        }
        let open: Vec<usize> =
            (0..disk.pending.len()).filter(|at| matter.contains(&disk.pending[*at].directory)).collect();
        assert!(open.len() <= 16, "too many names in the air to try them all: {}", open.len());
        let subsets = 0..1_u32 << open.len();
        let came_true =
            |subset: u32, at: usize| open.iter().position(|open| *open == at).is_some_and(|bit| subset >> bit & 1 == 1);
        subsets.map(|subset| self.found(disk, &disk.names_with(|at| came_true(subset, at)))).collect()
    }
}

fn check(case: &'static Case) {
    if let Some(reason) = no_strace() {
        return skipped(&format!("a power loss at every step of {}", case.name), &reason);
    }
    let fixture = Fixture::new(case);
    let sandbox = fixture.prepare_home();
    let home = sandbox.docker_config();
    let mut disk = Disk::from_directory(&home);
    let mut snapshot = StoreView::new(&fixture);
    snapshot.record_directory(&disk, &home);
    let old = snapshot.visible_draft(&disk);
    let (output, log) = fixture.run_traced(&sandbox, &["-xx".to_owned(), "-s16777216".to_owned()]);
    assert_eq!(output.code, 0, "{}", output.err());
    let calls = SuccessfulCall::all(&log, &home);
    // Once through to the end, for what is there then.
    let mut last = disk.clone();
    for call in &calls {
        last.replay(call);
    }
    snapshot.record_directory(&last, &home);
    let new = snapshot.visible_draft(&last);
    assert_ne!(old, new);
    let (real, mut look_at_real) = (Disk::from_directory(&home), StoreView::new(&fixture));
    look_at_real.record_directory(&real, &home);
    assert_eq!(look_at_real.visible_draft(&real), new, "the model came out elsewhere than the disk");

    let (mut played, mut tried, mut wrong, mut states) = (0, 0, Vec::new(), BTreeSet::new());
    for call in &calls {
        if !disk.replay(call) {
            continue;
        }
        played += 1;
        for found in snapshot.possible_drafts(&disk) {
            tried += 1;
            states.insert(format!("{found:?}"));
            if !found.as_ref().is_ok_and(|found| is_allowed(found, &old, &new, case.by_entry)) {
                let line: String = call.line.chars().take(300).collect();
                wrong.push(format!("after {line}: {found:?}"));
            }
        }
    }
    for found in snapshot.possible_drafts(&disk) {
        tried += 1;
        if found.as_ref() != Ok(&new) {
            wrong.push(format!("after it said that it was done: {found:?}"));
        }
    }
    let states = states.len();
    print_uncaptured(&format!(
        "power losses of {}: {played} calls played, {tried} losses, {states} states of the draft",
        case.name
    ));
    assert!(wrong.is_empty(), "{} of {tried} went wrong, the first:\n{}", wrong.len(), wrong[0]);
    assert!(tried > played && states >= 2, "that can hardly be all");
}

#[test]
fn a_new_draft_is_complete_or_absent_after_a_power_loss() {
    check(&Case { name: "create", before: &[], command: "create {L} 0 1 2", by_entry: false });
}

#[test]
fn a_new_draft_of_format_2_is_complete_or_absent_after_a_power_loss() {
    check(&Case { name: "a new draft of format 2", before: &[], command: "create {L} {X} 3", by_entry: false });
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
        before: &["create {L} 0 1 2", REMOVE_SIDECAR_DIR],
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
    check(&REPLACE_FORMAT_1_BY_2);
    check(&REPLACE_FORMAT_2_BY_1);
    check(&APPLY);
}

#[test]
fn added_and_removed_images_leave_every_entry_old_or_new() {
    check(&ADD);
    check(&REMOVE);
}

#[test]
fn a_removed_draft_is_complete_or_absent_after_a_power_loss() {
    check(&Case { name: "rm", before: &["create {L} 0 1 2"], command: "rm {L}", by_entry: false });
    check(&Case { name: "rm --all", before: &["create {L} {X} 3"], command: "rm --all", by_entry: false });
}

/// The model itself: what is not synced may be lost, and is then told from what may not.
#[test]
fn the_disk_model_loses_unsynced_changes() {
    let call = |line: &str| SuccessfulCall {
        name: line.split('(').next().unwrap().into(),
        line: line.into(),
        home: "/h".into(),
    };
    let mut disk = Disk { contents: vec![Content::Directory], ..Disk::default() };
    let snapshot = StoreView { directory: "l".into(), identities: BTreeMap::new() };
    for line in [
        r#"mkdir("/h/manifests", 0755) = 0"#,
        r#"fsync(3</h>) = 0"#,
        r#"mkdir("/h/manifests/l", 0755) = 0"#,
        r#"openat(AT_FDCWD</>, "/h/manifests/l/e", O_WRONLY|O_CREAT) = 3</h/manifests/l/e>"#,
        r#"write(3</h/manifests/l/e>, "\x61\x62", 2) = 2"#,
    ] {
        assert!(disk.replay(&call(line)), "{line}");
    }
    let names = |disk: &Disk, snapshot: &StoreView| snapshot.found(disk, &disk.names_with(|_| true));
    assert!(names(&disk, &snapshot).unwrap_err().contains("Unsynced"));
    assert!(disk.replay(&call(r#"fsync(3</h/manifests/l/e>) = 0"#)));
    let whole = names(&disk, &snapshot).unwrap().unwrap().0;
    assert_eq!(whole, BTreeMap::from([("e".to_owned(), b"ab".to_vec())]));
    // The directory's name and the file's are in the air, each for itself.
    assert_eq!(snapshot.found(&disk, &disk.kept).unwrap(), None);
    assert_eq!(disk.pending.len(), 2);
    assert!(disk.replay(&call(r#"fsync(3</h/manifests>) = 0"#)));
    assert_eq!(snapshot.found(&disk, &disk.kept).unwrap().unwrap().0, BTreeMap::new());
    assert!(!disk.replay(&call(r#"flock(3</h/manifests/l/e>, LOCK_EX) = 0"#)));
}
