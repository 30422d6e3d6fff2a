//! Tests of the promises of [`DraftStore`], and of docker's file names.

use super::*;

#[test]
fn remove_entries_removes_their_attestations_too() {
    let (_home, store) = store();
    let list = reference("h.x/l");
    let image = entry("h.x/a", "amd64");
    let mut attestation = entry("h.x/proof", "unknown");
    let annotations = [
        ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
        ("vnd.docker.reference.digest", image.descriptor.digest.to_string()),
    ];
    attestation.descriptor.annotations = annotations.map(|(name, value)| (name.to_owned(), value)).into();
    let add_entries = |entries: &[Entry]| {
        store.add_entries(&list, &no_notice, |draft| {
            entries.iter().for_each(|entry| draft.insert(entry.clone()));
            Ok::<_, ChangeError>(())
        })
    };
    assert!(!add_entries(std::slice::from_ref(&image)).unwrap(), "there is no draft to add to");
    assert_eq!(store.lists().unwrap(), []);
    add(&store, "h.x/l", &[entry("h.x/b", "arm64")]).unwrap();
    assert!(add_entries(&[image.clone(), attestation.clone()]).unwrap());
    assert_eq!(store.lists().unwrap(), [reference("h.x/l")]);
    let remove = |list: &str| {
        store.remove_entries(&reference(list), &no_notice, |draft| {
            Ok::<_, ChangeError>(draft.get(&image.reference).cloned().into_iter().collect())
        })
    };
    let removed = remove("h.x/l").unwrap().unwrap();
    assert_eq!(
        removed.iter().map(|entry| &entry.reference).collect::<Vec<_>>(),
        [&image.reference, &attestation.reference]
    );
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/b:latest"]);
    assert_eq!(remove("h.x/l").unwrap(), Some(Vec::new()));
    assert_eq!(remove("h.x/other").unwrap(), None);
}

#[test]
fn refused_callback_changes_nothing() {
    let (_home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let list = reference("h.x/l");
    let added = store.add_entries(&list, &no_notice, |draft| {
        draft.insert(entry("h.x/b", "arm64"));
        Err(ChangeError::Refused)
    });
    assert!(matches!(added, Err(ChangeError::Refused)));
    let removed = store.remove_entries(&list, &no_notice, |_| Err(ChangeError::Refused));
    assert!(matches!(removed, Err(ChangeError::Refused)));
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a:latest"]);
}

/// Section "Names that docker mixes": two images of one draft that would be one file.
#[test]
fn change_refuses_two_images_with_one_file_name() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a/b:1", "amd64")]).unwrap();
    let changed = add(&store, "h.x/l", &[entry("h.x/a_b:1", "arm64")]);
    let Err(ChangeError::Store(StoreError::FileTaken { requested, existing, .. })) = changed else {
        panic!("{changed:?}")
    };
    assert_eq!((requested.as_str(), existing.as_str()), ("h.x/a_b:1", "h.x/a/b:1"));
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a/b:1"]);
    // A new draft with both is changed, too.
    assert!(add(&store, "h.x/m", &[entry("h.x/a/b:1", "amd64"), entry("h.x/a_b:1", "arm64")]).is_err());
    assert!(!home.path().join("manifests/h.x_m-latest").exists());
}

/// A file that is not named after its image keeps its name, and so its place in docker's order.
#[test]
fn change_keeps_the_file_name_of_an_entry() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap();
    let directory = home.path().join("manifests/h.x_l-latest");
    fs::rename(directory.join("h.x_b-latest"), directory.join("zzz")).unwrap();
    add(&store, "h.x/l", &[entry("h.x/b", "arm64"), entry("h.x/c", "s390x")]).unwrap();
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/b:latest", "h.x/c:latest", "h.x/b:latest"]);
    let names = directory_operations::names(&directory).unwrap().unwrap();
    assert_eq!(names, ["h.x_b-latest", "h.x_c-latest", "zzz"]);
}
