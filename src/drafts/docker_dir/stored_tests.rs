//! Tests of drafts that are listed, read and removed by their directories.

use std::time::{Duration, SystemTime};

use super::*;

fn only(store: &DockerDir) -> StoredName {
    let mut names = store.names().unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

/// Removes the sidecar, as if docker had made the draft.
fn forget(home: &tempfile::TempDir) {
    fs::remove_dir_all(home.path().join("manifests/.docker-manifest")).unwrap();
}

#[test]
fn a_draft_is_shown_with_its_name_age_and_size() {
    let (home, store) = store();
    add(&store, "h.x/a_b:1", &[entry("h.x/i", "amd64"), entry("h.x/j", "arm64")]).unwrap();
    let folder = home.path().join("manifests/h.x_a_b-1");
    let size: u64 = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let stored = store.stored(&only(&store)).unwrap().unwrap();
    assert_eq!((stored.draft.reference.to_string().as_str(), stored.guessed), ("h.x/a_b:1", false));
    assert_eq!((stored.bytes, stored.draft.entries().count()), (size, 2));
    // The newest time of all files counts.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let age = |path: PathBuf, add: u64| {
        fs::File::open(path).unwrap().set_modified(long_ago + Duration::from_secs(add)).unwrap();
    };
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_a_b-1");
    let places = [folder.join("h.x_i-latest"), folder.join("h.x_j-latest"), folder, sidecar];
    for newest in 0..places.len() {
        for (number, place) in places.iter().enumerate() {
            age(place.clone(), if number == newest { 7 } else { 0 });
        }
        let modified = store.stored(&only(&store)).unwrap().unwrap().modified;
        assert_eq!(modified, long_ago + Duration::from_secs(7), "{}", places[newest].display());
    }
}

#[test]
fn the_name_of_dockers_draft_is_guessed_from_its_entries_first() {
    let (home, store) = store();
    for (list, image, guessed) in [
        ("h.x/a_b:1", "h.x/a_b:amd64", "h.x/a_b:1"),
        ("h.x/a_b:1", "h.x/other", "h.x/a/b:1"),
        ("h.x/app:v1-rc", "h.x/app", "h.x/app:v1-rc"),
        ("h.x:5000/a/b:1", "h.x/a", "h.x:5000/a/b:1"),
    ] {
        add(&store, list, &[entry(image, "amd64")]).unwrap();
        forget(&home);
        let stored = store.stored(&only(&store)).unwrap().unwrap();
        assert_eq!((stored.draft.reference.to_string().as_str(), stored.guessed), (guessed, true));
        assert!(store.remove_stored(&only(&store), None, &silent).unwrap());
        assert!(store.names().unwrap().is_empty());
    }
}

#[test]
fn only_what_is_old_enough_goes() {
    let (_home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let name = only(&store);
    let modified = store.stored(&name).unwrap().unwrap().modified;
    assert!(!store.remove_stored(&name, Some(modified), &silent).unwrap());
    assert!(images(&store, "h.x/l").is_some());
    assert!(store.remove_stored(&name, Some(modified + Duration::from_nanos(1)), &silent).unwrap());
    assert!(images(&store, "h.x/l").is_none());
    assert!(!store.remove_stored(&name, None, &silent).unwrap(), "it is gone already");
    assert!(store.stored(&name).unwrap().is_none());
}

#[test]
fn a_folder_that_is_another_lists_by_now_stays() {
    let (home, store) = store();
    add(&store, "h.x/a_b:1", &[entry("h.x/i", "amd64")]).unwrap();
    let name = only(&store);
    fs::remove_dir_all(home.path().join("manifests/h.x_a_b-1")).unwrap();
    forget(&home);
    add(&store, "h.x/a/b:1", &[entry("h.x/j", "amd64")]).unwrap();
    assert!(!store.remove_stored(&name, None, &silent).unwrap());
    assert!(images(&store, "h.x/a/b:1").is_some());
}

#[test]
fn what_is_not_known_to_be_a_draft_stays_and_is_named() {
    let (home, store) = store();
    let root = home.path().join("manifests");
    let folder = root.join("h.x_l-latest");
    let foreign: [(&str, &dyn Fn()); 4] = [
        ("h.x_l-latest/notes.txt", &|| fs::write(folder.join("notes.txt"), "mine").unwrap()),
        ("h.x_l-latest/sub", &|| fs::create_dir(folder.join("sub")).unwrap()),
        ("h.x_l-latest/empty", &|| fs::write(folder.join("empty"), "").unwrap()),
        ("h.x_l-latest/link", &|| std::os::unix::fs::symlink("/etc/hostname", folder.join("link")).unwrap()),
    ];
    for (path, put) in foreign {
        add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
        put();
        let before = visible(&root);
        for refused in [
            store.remove_stored(&only(&store), None, &silent).map(drop).unwrap_err(),
            store.stored(&only(&store)).map(drop).unwrap_err(),
        ] {
            assert!(refused.to_string().contains(&root.join(path).display().to_string()), "{refused}");
        }
        assert_eq!(visible(&root), before);
        fs::remove_dir_all(&folder).unwrap();
    }
    for nameless in ["backup", "h.x_A-1"] {
        fs::create_dir(root.join(nameless)).unwrap();
        assert!(matches!(store.remove_stored(&only(&store), None, &silent), Err(StoreError::Nameless { .. })));
        fs::remove_dir(root.join(nameless)).unwrap();
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_nobodys() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let before = visible(home.path());
    for name in ["", ".", "..", "../manifests/h.x_l-latest", ".docker-manifest", "h.x_l-latest/h.x_a-latest", "/"] {
        let name = StoredName { directory: name.to_owned(), known: None };
        assert!(store.stored(&name).unwrap().is_none(), "{name:?}");
        assert!(!store.remove_stored(&name, None, &silent).unwrap(), "{name:?}");
    }
    assert_eq!(visible(home.path()), before);
}

/// A draft that cannot be read does not hide the others.
#[test]
fn every_draft_is_listed_whatever_its_sidecar_says() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    add(&store, "h.x/m", &[entry("h.x/a", "amd64")]).unwrap();
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_l-latest");
    fs::write(&sidecar, "{\"format\":9}").unwrap();
    let names = store.names().unwrap();
    let known: Vec<bool> = names.iter().map(|name| name.known.is_some()).collect();
    assert_eq!(known, [false, true]);
    assert!(matches!(store.stored(&names[0]), Err(StoreError::NewerFormat { format: 9, .. })));
    assert!(matches!(store.remove_stored(&names[0], None, &silent), Err(StoreError::NewerFormat { .. })));
}

/// Section "What does not belong": a file with the name of an entry is removed, whatever it contains.
#[test]
fn a_draft_that_cannot_be_read_is_removed_and_replaced() {
    let (home, store) = store();
    let folder = home.path().join("manifests/h.x_l-latest");
    let list = reference("h.x/l");
    for bad in ["", "null", "{", "{}}"] {
        let broken = || {
            add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
            fs::write(folder.join("h.x_b-latest"), bad).unwrap();
            assert!(store.load(&list).is_err());
        };
        broken();
        assert!(store.remove(&list, &silent).unwrap() && !folder.exists());
        assert!(!store.remove(&list, &silent).unwrap());
        broken();
        assert_eq!(store.removable(&only(&store)).unwrap().unwrap().list, list);
        assert!(store.remove_stored(&only(&store), None, &silent).unwrap() && !folder.exists());
        broken();
        let mut draft = Draft::new(list.clone());
        draft.insert(entry("h.x/c", "amd64"));
        store.replace(&draft, &silent).unwrap();
        assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/c:latest"]);
        store.remove(&list, &silent).unwrap();
    }
    // A damaged sidecar does not prevent it either.
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let sidecar = home.path().join("manifests/.docker-manifest/lists/h.x_l-latest");
    let text = fs::read_to_string(&sidecar).unwrap().replace("\"format\":1", "\"format\":2,\"annotations\":1");
    fs::write(&sidecar, text).unwrap();
    assert!(matches!(store.load(&list), Err(StoreError::Sidecar { .. })));
    assert!(store.remove(&list, &silent).unwrap() && !sidecar.exists());
    // Any other file stays.
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let refused = store.remove(&list, &silent).unwrap_err();
    assert_eq!(refused.to_string(), format!("{} is no entry of a manifest list", folder.join("notes.txt").display()));
    assert!(store.replace(&Draft::new(list.clone()), &silent).is_err());
    assert!(folder.join("notes.txt").exists() && folder.join("h.x_a-latest").exists());
}

/// Section "What a crash leaves": files of a list that is never named again do not stay for ever.
#[test]
fn what_killed_processes_left_is_swept_and_what_is_in_use_stays() {
    let (home, store) = store();
    let ours = home.path().join("manifests/.docker-manifest");
    for list in ["h.x/gone", "h.x/here", "h.x/busy"] {
        add(&store, list, &[entry("h.x/a", "amd64")]).unwrap();
    }
    for list in ["gone", "busy"] {
        fs::remove_dir_all(home.path().join(format!("manifests/h.x_{list}-latest"))).unwrap();
    }
    let held = Lock::acquire(&store.paths, "h.x_busy-latest", &"busy", &silent, None).unwrap();
    for list in ["gone", "here", "never"] {
        fs::create_dir_all(ours.join(format!("staging/h.x_{list}-latest/removed"))).unwrap();
    }
    store.sweep().unwrap();
    let names = |folder: &str| directory::names(&ours.join(folder)).unwrap().unwrap();
    assert_eq!(names("staging"), [""; 0]);
    assert_eq!(names("lists"), ["h.x_busy-latest", "h.x_here-latest"]);
    assert_eq!(names("locks"), ["h.x_busy-latest", "h.x_here-latest"]);
    drop(held);
    store.sweep().unwrap();
    assert_eq!(names("locks"), ["h.x_here-latest"]);
    assert_eq!(images(&store, "h.x/here").unwrap(), ["h.x/a:latest"]);
}
