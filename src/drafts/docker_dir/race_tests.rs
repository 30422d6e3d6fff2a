//! Tests of docker's writes between our read and our write: docker uses no lock, so what it writes then must survive.
//! See `store-format.md`, "Writes". The closure of a change runs at exactly that moment.

use super::*;

const NAME: &str = "h.x_l-latest";

fn folder(home: &tempfile::TempDir) -> PathBuf {
    home.path().join("manifests").join(NAME)
}

/// A write of docker, which creates the folder that it needs.
fn docker_writes(home: &tempfile::TempDir, image: &str, architecture: &str) {
    fs::create_dir_all(folder(home)).unwrap();
    let entry = entry(image, architecture);
    fs::write(folder(home).join(names::docker_name(&entry.reference)), entry.encode().unwrap()).unwrap();
}

fn docker_removes(home: &tempfile::TempDir) {
    fs::remove_dir_all(folder(home)).unwrap();
    // The inode must not be reused at once: on a filesystem without a time of birth it is the whole identity.
    fs::create_dir(home.path().join(format!("holder-{}", fs::read_dir(home.path()).unwrap().count()))).unwrap();
}

/// A draft of two entries with an annotation.
fn annotated(store: &DockerDir) {
    add(store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let changed = store.change(&reference("h.x/l"), &silent, |before| {
        let mut draft = before.unwrap().clone();
        draft.annotations.insert("of".into(), "the old list".into());
        Ok::<_, Failure>(Some(draft))
    });
    changed.unwrap();
}

/// Nothing of the old list, neither an entry nor an annotation, gets into the new list of docker.
#[test]
fn a_list_that_docker_made_anew_gets_nothing_of_the_old_one() {
    for entries_too in [false, true] {
        let (home, store) = store();
        annotated(&store);
        let mut seen = Vec::new();
        let changed = store.change(&reference("h.x/l"), &silent, |before| {
            let mut draft = before.unwrap().clone();
            seen.push(draft.entries().map(|entry| entry.reference.to_string()).collect::<Vec<_>>());
            if seen.len() == 1 {
                docker_removes(&home);
                docker_writes(&home, "h.x/other", "arm64");
                draft.annotations.insert("new".into(), "value".into());
                if entries_too {
                    draft.insert(entry("h.x/a", "s390x"));
                }
            }
            Ok::<_, Failure>(Some(draft))
        });
        assert!(matches!(changed, Err(Failure::Store(StoreError::Stray { .. }))), "{changed:?}");
        assert_eq!(seen, [vec!["h.x/a:latest", "h.x/b:latest"]]);
        let (shown, _) = store.shown(&reference("h.x/l")).unwrap().unwrap();
        let images: Vec<String> = shown.entries().map(|entry| entry.reference.to_string()).collect();
        assert_eq!(
            (images, shown.annotations),
            (vec!["h.x/other:latest".to_owned()], BTreeMap::new()),
            "{entries_too}"
        );
    }
}

#[test]
fn a_list_that_docker_takes_away_is_not_half_made_again() {
    let (home, store) = store();
    annotated(&store);
    let mut calls = 0;
    let changed = store.change(&reference("h.x/l"), &silent, |before| {
        calls += 1;
        let Some(before) = before else { return Err(Failure::Refused) };
        docker_removes(&home);
        let mut draft = before.clone();
        draft.insert(entry("h.x/a", "s390x"));
        Ok(Some(draft))
    });
    assert!(matches!(changed, Err(Failure::Refused)), "{changed:?}");
    assert_eq!(calls, 2);
    assert!(!folder(&home).exists());
}

/// `push --purge` removes what it pushed, and nothing else.
#[test]
fn a_removal_spares_what_docker_did_meanwhile() {
    type Docker = fn(&tempfile::TempDir);
    let made_anew: Docker = |home| {
        docker_removes(home);
        docker_writes(home, "h.x/other", "arm64");
    };
    let made_anew_the_same: Docker = |home| {
        docker_removes(home);
        docker_writes(home, "h.x/a", "amd64");
        docker_writes(home, "h.x/b", "amd64");
    };
    for docker in [made_anew, made_anew_the_same] {
        let (home, store) = store();
        annotated(&store);
        let mut left = BTreeMap::new();
        let changed = store.change(&reference("h.x/l"), &silent, |_| {
            docker(&home);
            left = visible(&home.path().join("manifests"));
            Ok::<_, Failure>(None)
        });
        assert!(matches!(changed, Err(Failure::Store(StoreError::Stray { .. }))), "{changed:?}");
        assert_eq!(visible(&home.path().join("manifests")), left);
    }
    let annotated_by_docker: Docker = |home| docker_writes(home, "h.x/b", "arm64");
    let added: Docker = |home| docker_writes(home, "h.x/c", "amd64");
    for (docker, kept) in [
        (made_anew, ["h.x/other:latest"].as_slice()),
        (annotated_by_docker, &["h.x/a:latest", "h.x/b:latest"]),
        (added, &["h.x/a:latest", "h.x/b:latest", "h.x/c:latest"]),
    ] {
        let (home, store) = store();
        add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
        let pushed = store.load(&reference("h.x/l")).unwrap().unwrap();
        let (mut calls, mut left) = (0, BTreeMap::new());
        let changed = store.change(&reference("h.x/l"), &silent, |before| {
            calls += 1;
            if calls == 1 {
                docker(&home);
                left = visible(&home.path().join("manifests"));
            }
            Ok::<_, Failure>(before.filter(|before| **before != pushed).cloned())
        });
        changed.unwrap();
        assert_eq!(images(&store, "h.x/l").unwrap(), kept);
        assert_eq!(calls, 2);
        assert_eq!(visible(&home.path().join("manifests")), left);
    }
}

/// `rm --all` and `prune` decide by what they read, and remove only that.
#[test]
fn a_removal_of_what_nobody_named_spares_what_docker_did_meanwhile() {
    let (home, store) = store();
    annotated(&store);
    let list = reference("h.x/l");
    let name = store.names().unwrap().remove(0);
    let seen = remains::look(&store.paths, NAME).unwrap().unwrap();
    docker_removes(&home);
    docker_writes(&home, "h.x/other", "arm64");
    let left = visible(&home.path().join("manifests"));
    {
        let lock = Lock::acquire(&store.paths, NAME, &list, &silent, None).unwrap();
        let refused = atomic::remove_directory(&store.paths, &lock, NAME, |away| seen.is_still(away)).unwrap_err();
        assert!(refused.is_race(), "{refused}");
    }
    assert_eq!(visible(&home.path().join("manifests")), left);
    assert!(!store.remove_stored(&name, None, &silent).unwrap(), "the name speaks of another list");
    assert_eq!(visible(&home.path().join("manifests")), left);
}

/// Docker keeps writing while the list is hidden: both parts are one list afterwards.
#[test]
fn what_docker_writes_while_a_removal_looks_comes_to_what_was_there() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let lock = Lock::acquire(&store.paths, NAME, &reference("h.x/l"), &silent, None).unwrap();
    let refused = atomic::remove_directory(&store.paths, &lock, NAME, |away| {
        assert!(away.join("h.x_a-latest").exists() && !folder(&home).exists());
        docker_writes(&home, "h.x/b", "arm64");
        docker_writes(&home, "h.x/c", "amd64");
        Ok(false)
    });
    assert!(refused.unwrap_err().is_race());
    drop(lock);
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a:latest", "h.x/b:latest", "h.x/c:latest"]);
    let draft = store.load(&reference("h.x/l")).unwrap().unwrap();
    let of_b = draft.entries().nth(1).and_then(|entry| entry.descriptor.platform.clone()).unwrap();
    assert_eq!(of_b.architecture, "arm64", "the newer one stays");
}
