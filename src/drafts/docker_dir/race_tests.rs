//! Tests of docker's writes between our read and our write: docker uses no lock, and what it writes then must not be
//! lost. See `store-format.md`, "Writes". The closure of a change runs at exactly that moment.

use super::*;

const NAME: &str = "h.x_l-latest";

fn directory(home: &tempfile::TempDir) -> PathBuf {
    home.path().join("manifests").join(NAME)
}

/// A write of docker, which creates the directory that it needs.
fn docker_writes(home: &tempfile::TempDir, image: &str, architecture: &str) {
    fs::create_dir_all(directory(home)).unwrap();
    let entry = entry(image, architecture);
    fs::write(directory(home).join(docker_names::docker_name(&entry.reference)), entry.encode().unwrap()).unwrap();
}

fn docker_removes(home: &tempfile::TempDir) {
    fs::remove_dir_all(directory(home)).unwrap();
    // The inode must not be reused at once: on a filesystem without a time of birth, the identity is the inode alone.
    fs::create_dir(home.path().join(format!("holder-{}", fs::read_dir(home.path()).unwrap().count()))).unwrap();
}

/// A draft of two entries with an annotation.
fn add_annotated_draft(store: &DockerManifestStore) {
    add(store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let changed = store.change(&reference("h.x/l"), &no_notice, |before| {
        let mut draft = before.unwrap().clone();
        draft.annotations.insert("of".into(), "the old list".into());
        Ok::<_, ChangeError>(Some(draft))
    });
    changed.unwrap();
}

/// The new list of docker gets neither an entry nor an annotation of the old list.
#[test]
fn change_adds_nothing_of_the_old_draft_to_a_list_that_docker_recreated() {
    for entries_too in [false, true] {
        let (home, store) = store();
        add_annotated_draft(&store);
        let mut images_seen = Vec::new();
        let changed = store.change(&reference("h.x/l"), &no_notice, |before| {
            let mut draft = before.unwrap().clone();
            images_seen.push(draft.entries_in_key_order().map(|entry| entry.reference.to_string()).collect::<Vec<_>>());
            if images_seen.len() == 1 {
                docker_removes(&home);
                docker_writes(&home, "h.x/other", "arm64");
                draft.annotations.insert("new".into(), "value".into());
                if entries_too {
                    draft.insert(entry("h.x/a", "s390x"));
                }
            }
            Ok::<_, ChangeError>(Some(draft))
        });
        assert!(matches!(changed, Err(ChangeError::Store(StoreError::UnmatchedSidecar { .. }))), "{changed:?}");
        assert_eq!(images_seen, [vec!["h.x/a:latest", "h.x/b:latest"]]);
        let (displayed, _) = store.load_ignoring_unmatched_sidecar(&reference("h.x/l")).unwrap().unwrap();
        let images: Vec<String> = displayed.entries_in_key_order().map(|entry| entry.reference.to_string()).collect();
        assert_eq!(
            (images, displayed.annotations),
            (vec!["h.x/other:latest".to_owned()], BTreeMap::new()),
            "{entries_too}"
        );
    }
}

#[test]
fn change_does_not_recreate_a_list_that_docker_removed() {
    let (home, store) = store();
    add_annotated_draft(&store);
    let mut calls = 0;
    let changed = store.change(&reference("h.x/l"), &no_notice, |before| {
        calls += 1;
        let Some(before) = before else { return Err(ChangeError::Refused) };
        docker_removes(&home);
        let mut draft = before.clone();
        draft.insert(entry("h.x/a", "s390x"));
        Ok(Some(draft))
    });
    assert!(matches!(changed, Err(ChangeError::Refused)), "{changed:?}");
    assert_eq!(calls, 2);
    assert!(!directory(&home).exists());
}

/// `push --purge` removes what it pushed, and nothing else.
#[test]
fn removal_keeps_what_docker_wrote_meanwhile() {
    type Docker = fn(&tempfile::TempDir);
    let recreated: Docker = |home| {
        docker_removes(home);
        docker_writes(home, "h.x/other", "arm64");
    };
    let recreated_with_equal_entries: Docker = |home| {
        docker_removes(home);
        docker_writes(home, "h.x/a", "amd64");
        docker_writes(home, "h.x/b", "amd64");
    };
    for docker in [recreated, recreated_with_equal_entries] {
        let (home, store) = store();
        add_annotated_draft(&store);
        let mut files_after = BTreeMap::new();
        let changed = store.change(&reference("h.x/l"), &no_notice, |_| {
            docker(&home);
            files_after = files_visible_to_docker(&home.path().join("manifests"));
            Ok::<_, ChangeError>(None)
        });
        assert!(matches!(changed, Err(ChangeError::Store(StoreError::UnmatchedSidecar { .. }))), "{changed:?}");
        assert_eq!(files_visible_to_docker(&home.path().join("manifests")), files_after);
    }
    let entry_changed: Docker = |home| docker_writes(home, "h.x/b", "arm64");
    let entry_added: Docker = |home| docker_writes(home, "h.x/c", "amd64");
    for (docker, images_after) in [
        (recreated, ["h.x/other:latest"].as_slice()),
        (entry_changed, &["h.x/a:latest", "h.x/b:latest"]),
        (entry_added, &["h.x/a:latest", "h.x/b:latest", "h.x/c:latest"]),
    ] {
        let (home, store) = store();
        add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
        let pushed = store.load(&reference("h.x/l")).unwrap().unwrap();
        let (mut calls, mut files_after) = (0, BTreeMap::new());
        let changed = store.change(&reference("h.x/l"), &no_notice, |before| {
            calls += 1;
            if calls == 1 {
                docker(&home);
                files_after = files_visible_to_docker(&home.path().join("manifests"));
            }
            Ok::<_, ChangeError>(before.filter(|before| **before != pushed).cloned())
        });
        changed.unwrap();
        assert_eq!(images(&store, "h.x/l").unwrap(), images_after);
        assert_eq!(calls, 2);
        assert_eq!(files_visible_to_docker(&home.path().join("manifests")), files_after);
    }
}

/// `rm --all` and `prune` remove only what they have read.
#[test]
fn removal_by_directory_keeps_what_docker_wrote_meanwhile() {
    let (home, store) = store();
    add_annotated_draft(&store);
    let list = reference("h.x/l");
    let name = store.stored_names().unwrap().remove(0);
    let removable = removable_directory::read(&store.paths, NAME).unwrap().unwrap();
    docker_removes(&home);
    docker_writes(&home, "h.x/other", "arm64");
    let files_after = files_visible_to_docker(&home.path().join("manifests"));
    {
        let lock = Lock::acquire(&store.paths, NAME, &list, &no_notice, None).unwrap();
        let error =
            atomic::remove_directory(&store.paths, &lock, NAME, |hidden| removable.is_unchanged_since_read(hidden))
                .unwrap_err();
        assert!(error.is_race(), "{error}");
    }
    assert_eq!(files_visible_to_docker(&home.path().join("manifests")), files_after);
    assert!(!store.remove_stored(&name, None, &no_notice).unwrap(), "the name is that of another list");
    assert_eq!(files_visible_to_docker(&home.path().join("manifests")), files_after);
}

/// Docker keeps writing while the list is hidden: both parts are one list afterwards.
#[test]
fn refused_removal_merges_what_docker_wrote_meanwhile() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let lock = Lock::acquire(&store.paths, NAME, &reference("h.x/l"), &no_notice, None).unwrap();
    let removed = atomic::remove_directory(&store.paths, &lock, NAME, |hidden| {
        assert!(hidden.join("h.x_a-latest").exists() && !directory(&home).exists());
        docker_writes(&home, "h.x/b", "arm64");
        docker_writes(&home, "h.x/c", "amd64");
        Ok(false)
    });
    assert!(removed.unwrap_err().is_race());
    drop(lock);
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a:latest", "h.x/b:latest", "h.x/c:latest"]);
    let draft = store.load(&reference("h.x/l")).unwrap().unwrap();
    let platform_of_b =
        draft.entries_in_key_order().nth(1).and_then(|entry| entry.descriptor.platform.clone()).unwrap();
    assert_eq!(platform_of_b.architecture, "arm64", "the newer one stays");
}
