//! Tests of drafts that are listed, read and removed by their directories.

use std::time::{Duration, SystemTime};

use super::*;

fn only_name(store: &DockerManifestStore) -> StoredName {
    let mut names = store.stored_names().unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

/// Removes the sidecar, as if docker had made the draft.
fn remove_sidecars(home: &tempfile::TempDir) {
    fs::remove_dir_all(home.path().join("manifests/.docker-manifest")).unwrap();
}

#[test]
fn load_stored_returns_name_time_and_size() {
    let (home, store) = store();
    add(&store, "h.x/a_b:1", &[entry("h.x/i", "amd64"), entry("h.x/j", "arm64")]).unwrap();
    let directory = home.path().join("manifests/h.x_a_b-1");
    let size: u64 = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let stored = store.load_stored(&only_name(&store)).unwrap().unwrap();
    assert_eq!((stored.draft.reference.to_string().as_str(), stored.is_name_guessed), ("h.x/a_b:1", false));
    assert_eq!((stored.bytes, stored.draft.entries_in_key_order().count()), (size, 2));
    // The newest time of all files counts.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let set_time = |path: PathBuf, seconds: u64| {
        fs::File::open(path).unwrap().set_modified(long_ago + Duration::from_secs(seconds)).unwrap();
    };
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_a_b-1");
    let paths = [directory.join("h.x_i-latest"), directory.join("h.x_j-latest"), directory, sidecar];
    for newest in 0..paths.len() {
        for (number, path) in paths.iter().enumerate() {
            set_time(path.clone(), if number == newest { 7 } else { 0 });
        }
        let modified = store.load_stored(&only_name(&store)).unwrap().unwrap().modified;
        assert_eq!(modified, long_ago + Duration::from_secs(7), "{}", paths[newest].display());
    }
}

#[test]
fn name_of_a_docker_draft_is_guessed_from_its_entries_first() {
    let (home, store) = store();
    for (list, image, guessed) in [
        ("h.x/a_b:1", "h.x/a_b:amd64", "h.x/a_b:1"),
        ("h.x/a_b:1", "h.x/other", "h.x/a/b:1"),
        ("h.x/app:v1-rc", "h.x/app", "h.x/app:v1-rc"),
        ("h.x:5000/a/b:1", "h.x/a", "h.x:5000/a/b:1"),
    ] {
        add(&store, list, &[entry(image, "amd64")]).unwrap();
        remove_sidecars(&home);
        let stored = store.load_stored(&only_name(&store)).unwrap().unwrap();
        assert_eq!((stored.draft.reference.to_string().as_str(), stored.is_name_guessed), (guessed, true));
        assert!(store.remove_stored(&only_name(&store), None, &no_notice).unwrap());
        assert!(store.stored_names().unwrap().is_empty());
    }
}

#[test]
fn remove_stored_keeps_drafts_that_are_not_older_than_the_limit() {
    let (_home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let name = only_name(&store);
    let modified = store.load_stored(&name).unwrap().unwrap().modified;
    assert!(!store.remove_stored(&name, Some(modified), &no_notice).unwrap());
    assert!(images(&store, "h.x/l").is_some());
    assert!(store.remove_stored(&name, Some(modified + Duration::from_nanos(1)), &no_notice).unwrap());
    assert!(images(&store, "h.x/l").is_none());
    assert!(!store.remove_stored(&name, None, &no_notice).unwrap(), "it no longer exists");
    assert!(store.load_stored(&name).unwrap().is_none());
}

#[test]
fn remove_stored_keeps_a_directory_that_another_list_owns_now() {
    let (home, store) = store();
    add(&store, "h.x/a_b:1", &[entry("h.x/i", "amd64")]).unwrap();
    let name = only_name(&store);
    fs::remove_dir_all(home.path().join("manifests/h.x_a_b-1")).unwrap();
    remove_sidecars(&home);
    add(&store, "h.x/a/b:1", &[entry("h.x/j", "amd64")]).unwrap();
    assert!(!store.remove_stored(&name, None, &no_notice).unwrap());
    assert!(images(&store, "h.x/a/b:1").is_some());
}

#[test]
fn removal_refuses_and_names_what_is_not_known_to_be_a_draft() {
    let (home, store) = store();
    let root = home.path().join("manifests");
    let directory = root.join("h.x_l-latest");
    let foreign: [(&str, &dyn Fn()); 4] = [
        ("h.x_l-latest/notes.txt", &|| fs::write(directory.join("notes.txt"), "mine").unwrap()),
        ("h.x_l-latest/sub", &|| fs::create_dir(directory.join("sub")).unwrap()),
        ("h.x_l-latest/empty", &|| fs::write(directory.join("empty"), "").unwrap()),
        ("h.x_l-latest/link", &|| std::os::unix::fs::symlink("/etc/hostname", directory.join("link")).unwrap()),
    ];
    for (path, create) in foreign {
        add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
        create();
        let before = files_visible_to_docker(&root);
        for error in [
            store.remove_stored(&only_name(&store), None, &no_notice).map(drop).unwrap_err(),
            store.load_stored(&only_name(&store)).map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains(&root.join(path).display().to_string()), "{error}");
        }
        assert_eq!(files_visible_to_docker(&root), before);
        fs::remove_dir_all(&directory).unwrap();
    }
    for impossible in ["backup", "h.x_A-1"] {
        fs::create_dir(root.join(impossible)).unwrap();
        assert!(matches!(
            store.remove_stored(&only_name(&store), None, &no_notice),
            Err(StoreError::ImpossibleName { .. })
        ));
        fs::remove_dir(root.join(impossible)).unwrap();
    }
}

#[test]
fn names_that_lead_out_of_the_store_match_no_draft() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let before = files_visible_to_docker(home.path());
    for name in ["", ".", "..", "../manifests/h.x_l-latest", ".docker-manifest", "h.x_l-latest/h.x_a-latest", "/"] {
        let name = StoredName { directory: name.to_owned(), recorded_list: None };
        assert!(store.load_stored(&name).unwrap().is_none(), "{name:?}");
        assert!(!store.remove_stored(&name, None, &no_notice).unwrap(), "{name:?}");
    }
    assert_eq!(files_visible_to_docker(home.path()), before);
}

/// A draft that cannot be read does not hide the others.
#[test]
fn stored_names_include_drafts_with_unreadable_sidecars() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    add(&store, "h.x/m", &[entry("h.x/a", "amd64")]).unwrap();
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_l-latest");
    fs::write(&sidecar, "{\"format\":9}").unwrap();
    let names = store.stored_names().unwrap();
    let has_recorded_list: Vec<bool> = names.iter().map(|name| name.recorded_list.is_some()).collect();
    assert_eq!(has_recorded_list, [false, true]);
    assert!(matches!(store.load_stored(&names[0]), Err(StoreError::NewerFormat { format: 9, .. })));
    assert!(matches!(store.remove_stored(&names[0], None, &no_notice), Err(StoreError::NewerFormat { .. })));
}

/// Section "What does not belong": a file with the name of an entry is removed, whatever it contains.
#[test]
fn unreadable_draft_can_be_removed_and_replaced() {
    let (home, store) = store();
    let directory = home.path().join("manifests/h.x_l-latest");
    let list = reference("h.x/l");
    for invalid in ["", "null", "{", "{}}"] {
        let add_broken_draft = || {
            add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
            fs::write(directory.join("h.x_b-latest"), invalid).unwrap();
            assert!(store.load(&list).is_err());
        };
        add_broken_draft();
        assert!(store.remove(&list, &no_notice).unwrap() && !directory.exists());
        assert!(!store.remove(&list, &no_notice).unwrap());
        add_broken_draft();
        assert_eq!(store.removable_draft(&only_name(&store)).unwrap().unwrap().list, list);
        assert!(store.remove_stored(&only_name(&store), None, &no_notice).unwrap() && !directory.exists());
        add_broken_draft();
        let mut draft = Draft::new(list.clone());
        draft.insert(entry("h.x/c", "amd64"));
        store.replace(&draft, &no_notice).unwrap();
        assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/c:latest"]);
        store.remove(&list, &no_notice).unwrap();
    }
    // A damaged sidecar does not prevent that, either.
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_l-latest");
    let text = fs::read_to_string(&sidecar).unwrap().replace("\"format\":1", "\"format\":2,\"annotations\":1");
    fs::write(&sidecar, text).unwrap();
    assert!(matches!(store.load(&list), Err(StoreError::InvalidSidecar { .. })));
    assert!(store.remove(&list, &no_notice).unwrap() && !sidecar.exists());
    // Any other file stays.
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    fs::write(directory.join("notes.txt"), "mine").unwrap();
    let error = store.remove(&list, &no_notice).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is no entry of a manifest list", directory.join("notes.txt").display()));
    assert!(store.replace(&Draft::new(list.clone()), &no_notice).is_err());
    assert!(directory.join("notes.txt").exists() && directory.join("h.x_a-latest").exists());
}

/// Section "What a crash leaves": the files of a list that is never used again are deleted.
#[test]
fn sweep_deletes_leftovers_and_keeps_what_is_in_use() {
    let (home, store) = store();
    let ours = home.path().join("manifests/.docker-manifest");
    for list in ["h.x/gone", "h.x/here", "h.x/busy"] {
        add(&store, list, &[entry("h.x/a", "amd64")]).unwrap();
    }
    for list in ["gone", "busy"] {
        fs::remove_dir_all(home.path().join(format!("manifests/h.x_{list}-latest"))).unwrap();
    }
    let lock = Lock::acquire(&store.paths, "h.x_busy-latest", &"busy", &no_notice, None).unwrap();
    for list in ["gone", "here", "never"] {
        fs::create_dir_all(ours.join(format!("staging/h.x_{list}-latest/removed"))).unwrap();
    }
    store.sweep().unwrap();
    let names = |directory: &str| directory_operations::names(&ours.join(directory)).unwrap().unwrap();
    assert_eq!(names("staging"), [""; 0]);
    assert_eq!(names("lists"), ["h.x_busy-latest", "h.x_here-latest"]);
    assert_eq!(names("locks"), ["h.x_busy-latest", "h.x_here-latest"]);
    drop(lock);
    store.sweep().unwrap();
    assert_eq!(names("locks"), ["h.x_here-latest"]);
    assert_eq!(images(&store, "h.x/here").unwrap(), ["h.x/a:latest"]);
}
