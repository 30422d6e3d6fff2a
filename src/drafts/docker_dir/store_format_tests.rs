//! Tests of the store against `store-format.md`; they name its sections. Tests with docker itself are in `tests/`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::model::DocumentError;
use crate::model::manifest::ImageFormat;
use crate::platform::Platform;

#[path = "entry_change_tests.rs"]
mod entry_changes;
#[path = "race_tests.rs"]
mod races;
#[path = "sidecar_tests.rs"]
mod sidecar_members;
#[path = "stored_draft_tests.rs"]
mod stored_drafts;

#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("refused")]
    Refused,
}

fn store() -> (tempfile::TempDir, DockerManifestStore) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = DockerManifestStore::new(directory.path());
    (directory, store)
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).expect(text)
}

fn entry(image: &str, architecture: &str) -> Entry {
    let platform = Platform { os: "linux".into(), architecture: architecture.into(), ..Platform::default() };
    Entry::fetched(
        reference(image),
        ImageFormat::Docker,
        format!("{{\"image\":{image:?}}}").into_bytes(),
        Some(platform),
    )
}

fn no_notice(_: &str) {}

fn add(store: &DockerManifestStore, list: &str, entries: &[Entry]) -> Result<(), ChangeError> {
    let list = reference(list);
    store.change(&list, &no_notice, |before| {
        let mut draft = before.cloned().unwrap_or_else(|| Draft::new(list.clone()));
        for entry in entries {
            draft.insert(entry.clone());
        }
        Ok::<_, ChangeError>(Some(draft))
    })
}

fn remove(store: &DockerManifestStore, list: &str) -> Result<(), ChangeError> {
    store.change(&reference(list), &no_notice, |_| Ok::<_, ChangeError>(None))
}

fn images(store: &DockerManifestStore, list: &str) -> Option<Vec<String>> {
    let draft = store.load(&reference(list)).expect("a readable draft")?;
    Some(draft.entries_in_key_order().map(|entry| entry.reference.to_string()).collect())
}

/// The files that docker sees, with their bytes: all below the root, except those under a name with a leading dot.
fn files_visible_to_docker(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for item in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = item.path();
            if directory == root && item.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Section "Paths".
#[test]
fn store_keeps_a_draft_where_docker_keeps_it() {
    let (home, store) = store();
    add(&store, "h.x:5000/l:1", &[entry("h.x:5000/a/b:1", "amd64"), entry("h.x:5000/a:2", "arm64")]).unwrap();
    let files: Vec<PathBuf> = files_visible_to_docker(&home.path().join("manifests")).into_keys().collect();
    assert_eq!(files, [PathBuf::from("h.x-5000_l-1/h.x-5000_a-2"), PathBuf::from("h.x-5000_l-1/h.x-5000_a_b-1"),]);
    assert_eq!(images(&store, "h.x:5000/l:1").unwrap(), ["h.x:5000/a:2", "h.x:5000/a/b:1"]);
}

/// Section "Readers".
#[test]
fn reads_and_refused_changes_create_no_files() {
    let (home, store) = store();
    assert!(images(&store, "h.x/l").is_none());
    remove(&store, "h.x/l").unwrap();
    let changed = store.change(&reference("h.x/l"), &no_notice, |_| Err(ChangeError::Refused));
    assert!(matches!(changed, Err(ChangeError::Refused)));
    assert!(store.stored_names().unwrap().is_empty());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

/// Section "Readers": a store that cannot be read is not an empty one; otherwise `push --purge` would seem to have
/// succeeded.
#[cfg(unix)]
#[test]
fn unreadable_store_is_an_error() {
    let (home, store) = store();
    std::os::unix::fs::symlink("manifests", home.path().join("manifests")).unwrap();
    let error = remove(&store, "h.x/l").unwrap_err();
    assert!(matches!(&error, ChangeError::Store(StoreError::Io { verb: "look at", .. })), "{error}");
}

/// Section "Writes": an error leaves no staged files.
#[test]
fn failed_change_deletes_its_staged_files() {
    let (home, store) = store();
    let overlong = format!("h.x/{}:{}", "a".repeat(200), "t".repeat(120));
    assert!(add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry(&overlong, "amd64")]).is_err());
    assert!(images(&store, "h.x/l").is_none());
    let staging = home.path().join("manifests/.docker-manifest/staging");
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}

/// Section "Writes": an unchanged entry keeps its bytes, also those that only docker writes that way.
#[test]
fn change_writes_only_the_entries_that_differ() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let list = home.path().join("manifests/h.x_l-latest");
    let unchanged = list.join("h.x_a-latest");
    let with_spaces = [b" ".as_slice(), &fs::read(&unchanged).unwrap(), b"\n"].concat();
    fs::write(&unchanged, &with_spaces).unwrap();
    add(&store, "h.x/l", &[entry("h.x/b", "arm64"), entry("h.x/c", "amd64")]).unwrap();
    assert_eq!(fs::read(&unchanged).unwrap(), with_spaces);
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a:latest", "h.x/b:latest", "h.x/c:latest"]);
    let staging = home.path().join("manifests/.docker-manifest/staging/h.x_l-latest");
    assert!(!staging.exists(), "no staged file is left");
}

/// Section "Writes": an error half-way reverts everything.
#[cfg(unix)]
#[test]
fn failed_change_reverts_its_renames() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let root = home.path().join("manifests");
    let before = files_visible_to_docker(&root);
    let sidecar = fs::read(root.join(".docker-manifest/lists/h.x_l-latest")).unwrap();
    let list = reference("h.x/l");
    let loaded = read::with_contents(&store.paths, "h.x_l-latest", &list).unwrap().unwrap();
    // A directory in the place of the last entry makes its rename fail, and nothing else.
    fs::create_dir_all(root.join("h.x_l-latest/h.x_z-latest/x")).unwrap();
    let attempt = {
        let lock = Lock::acquire(&store.paths, "h.x_l-latest", &list, &no_notice, None).unwrap();
        let mut after = Draft::new(list.clone());
        for entry in [entry("h.x/a", "arm64"), entry("h.x/b", "amd64"), entry("h.x/z", "amd64")] {
            after.insert(entry);
        }
        after.annotations.insert("k".into(), "v".into());
        write::write(&store.paths, &lock, "h.x_l-latest", &list, Some(&loaded), Some(&after))
    };
    assert!(matches!(attempt, Err(StoreError::Io { .. })));
    fs::remove_dir_all(root.join("h.x_l-latest/h.x_z-latest")).unwrap();
    assert_eq!(files_visible_to_docker(&root), before);
    assert_eq!(fs::read(root.join(".docker-manifest/lists/h.x_l-latest")).unwrap(), sidecar);
}

/// Section "Writes": an error of the closure changes nothing.
#[test]
fn refused_change_writes_nothing() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let before = files_visible_to_docker(home.path());
    let changed = store.change(&reference("h.x/l"), &no_notice, |_| Err(ChangeError::Refused));
    assert!(changed.is_err());
    assert_eq!(files_visible_to_docker(home.path()), before);
}

/// Section "Names that docker mixes".
#[test]
fn sidecar_distinguishes_two_lists_with_one_directory() {
    let (home, store) = store();
    add(&store, "h.x/a_b:1", &[entry("h.x/i", "amd64")]).unwrap();
    let error = add(&store, "h.x/a/b:1", &[entry("h.x/j", "amd64")]).unwrap_err();
    assert!(
        matches!(&error, ChangeError::Store(StoreError::NameTaken { existing, .. }) if existing == "h.x/a_b:1"),
        "{error}"
    );
    assert!(matches!(store.load(&reference("h.x/a/b:1")), Err(StoreError::NameTaken { .. })));
    assert!(remove(&store, "h.x/a/b:1").is_err());
    assert_eq!(images(&store, "h.x/a_b:1").unwrap().len(), 1);
    // Docker removes the directory and creates it again for the other list: our sidecar no longer applies.
    let directory = home.path().join("manifests/h.x_a_b-1");
    let file = fs::read(directory.join("h.x_i-latest")).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    fs::create_dir(home.path().join("manifests/another-keeps-the-inode-from-being-used-again")).unwrap();
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("h.x_i-latest"), file).unwrap();
    add(&store, "h.x/a/b:1", &[entry("h.x/j", "amd64")]).unwrap();
    assert!(matches!(store.load(&reference("h.x/a_b:1")), Err(StoreError::NameTaken { .. })));
    assert_eq!(
        store.stored_names().unwrap().first().map(|name| (name.directory.clone(), name.recorded_list.is_some())),
        Some(("another-keeps-the-inode-from-being-used-again".to_owned(), false))
    );
}

/// Section "The next format".
#[test]
fn store_refuses_a_later_format() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_l-latest");
    let text = fs::read_to_string(&sidecar).unwrap().replace("\"format\":1", "\"format\":4");
    fs::write(&sidecar, text).unwrap();
    let changed = add(&store, "h.x/l", &[entry("h.x/b", "amd64")]);
    assert!(matches!(changed, Err(ChangeError::Store(StoreError::NewerFormat { format: 4, known: 3, .. }))));
}

/// Section "Readers": a partial file is read again, and reported if it stays partial.
#[test]
fn partial_entry_is_read_again_and_then_reported() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let file = home.path().join("manifests/h.x_l-latest/h.x_a-latest");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    match store.load(&reference("h.x/l")) {
        Err(StoreError::InvalidEntry { path, .. }) => assert_eq!(path, file),
        other => panic!("{other:?}"),
    }
    // A writer that is interrupted for a moment.
    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        fs::write(&file, whole).unwrap();
    });
    assert_eq!(images(&store, "h.x/l").unwrap().len(), 1);
    writer.join().unwrap();
}

/// Section "Locks": a waiting process prints one line and then gets the lock; files of a killed holder are cleared.
#[test]
fn second_change_waits_and_prints_one_notice() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let list = reference("h.x/l");
    let lock = Lock::acquire(&store.paths, "h.x_l-latest", &list, &no_notice, None).unwrap();
    fs::write(lock.create_staging().unwrap().join("left-over"), b"x").unwrap();
    let (notify, notified) = mpsc::channel();
    let second = thread::spawn({
        let store = store.clone();
        move || {
            let notices = RefCell::new(Vec::new());
            let list = reference("h.x/l");
            let notice = |line: &str| {
                notices.borrow_mut().push(line.to_owned());
                notify.send(()).unwrap();
            };
            let changed = store.change(&list, &notice, |before| {
                let mut draft = before.cloned().unwrap_or_else(|| Draft::new(list.clone()));
                draft.insert(entry("h.x/b", "amd64"));
                Ok::<_, ChangeError>(Some(draft))
            });
            changed.map(|()| notices.into_inner())
        }
    });
    notified.recv().unwrap();
    assert_eq!(images(&store, "h.x/l").unwrap().len(), 1, "a reader does not wait");
    drop(lock);
    let notices = second.join().unwrap().unwrap();
    let expected =
        format!("waiting for another docker-manifest in process {} to finish with h.x/l:latest", std::process::id());
    assert_eq!(notices, [expected]);
    assert_eq!(images(&store, "h.x/l").unwrap().len(), 2);
    assert!(!home.path().join("manifests/.docker-manifest/staging/h.x_l-latest").exists());
}

/// Section "Locks": many writers of one list, and no change is lost.
#[test]
fn concurrent_changes_lose_nothing() {
    let (_home, store) = store();
    thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..10 {
                    add(store, "h.x/l", &[entry(&format!("h.x/i{writer}-{number}"), "amd64")]).unwrap();
                }
            });
        }
    });
    assert_eq!(images(&store, "h.x/l").unwrap().len(), 80);
}

/// Section "Paths": a name that no directory can have.
#[test]
fn a_name_over_the_filesystems_limit_is_an_error_with_its_path() {
    let (_home, store) = store();
    let list = format!("h.x/{}:{}", "a".repeat(200), "t".repeat(120));
    assert!(images(&store, &list).is_none());
    let error = add(&store, &list, &[entry("h.x/a", "amd64")]).unwrap_err();
    assert!(matches!(&error, ChangeError::Store(StoreError::Io { .. })), "{error}");
}

/// Section "Locks": a timeout names the holder, and a timeout of zero does not wait.
#[test]
fn lock_timeout_ends_the_wait_and_names_the_holder() {
    let (_home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let _lock = Lock::acquire(&store.paths, "h.x_l-latest", &"it", &no_notice, None).unwrap();
    for (limit, notices) in [(Duration::from_millis(30), 1), (Duration::ZERO, 0)] {
        let printed = RefCell::new(0);
        let impatient = store.clone().with_lock_timeout(Some(limit));
        let error = impatient.remove(&reference("h.x/l"), &|_| *printed.borrow_mut() += 1).unwrap_err();
        let expected =
            format!("another docker-manifest (process {}) is still busy with h.x/l:latest", std::process::id());
        assert_eq!((error.to_string(), printed.into_inner()), (expected, notices));
    }
    assert!(images(&store, "h.x/l").is_some());
}

/// Section "Locks": a process that waits for a lock whose file is deleted gets the lock of the next file.
#[cfg(unix)]
#[test]
fn waiting_process_takes_the_lock_of_the_new_file() {
    use std::os::unix::fs::MetadataExt;

    let (_home, store) = store();
    let acquire = |notice: &dyn Fn(&str)| Lock::acquire(&store.paths, "h.x_l-latest", &"it", notice, None).unwrap();
    let lock = acquire(&no_notice);
    let (notify, notified) = mpsc::channel();
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            let lock = acquire(&|_| notify.send(()).unwrap());
            let path = store.paths.lock("h.x_l-latest");
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.nlink(), metadata.mode() & 0o777), (1, 0o600));
            assert_eq!(fs::read_to_string(path).unwrap(), std::process::id().to_string());
            drop(lock);
        });
        notified.recv().unwrap();
        lock.delete().unwrap();
        second.join().unwrap();
    });
}
