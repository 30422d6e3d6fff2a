//! What every store of drafts promises, kept by docker's folder, and what only its file names forbid.

use super::*;

#[test]
fn entries_are_added_and_removed_with_what_attests_them() {
    let (_home, store) = store();
    let list = reference("h.x/l");
    let image = entry("h.x/a", "amd64");
    let mut attestation = entry("h.x/proof", "unknown");
    let notes = [
        ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
        ("vnd.docker.reference.digest", image.descriptor.digest.to_string()),
    ];
    attestation.descriptor.annotations = notes.map(|(name, value)| (name.to_owned(), value)).into();
    let put = |entries: &[Entry]| {
        store.add(&list, &silent, |draft| {
            entries.iter().for_each(|entry| draft.insert(entry.clone()));
            Ok::<_, Failure>(())
        })
    };
    assert!(!put(std::slice::from_ref(&image)).unwrap(), "there is no draft to add to");
    assert_eq!(store.lists().unwrap(), []);
    add(&store, "h.x/l", &[entry("h.x/b", "arm64")]).unwrap();
    assert!(put(&[image.clone(), attestation.clone()]).unwrap());
    assert_eq!(store.lists().unwrap(), [reference("h.x/l")]);
    let remove = |list: &str| {
        store.remove_entries(&reference(list), &silent, |draft| {
            Ok::<_, Failure>(draft.get(&image.reference).cloned().into_iter().collect())
        })
    };
    let gone = remove("h.x/l").unwrap().unwrap();
    assert_eq!(
        gone.iter().map(|entry| &entry.reference).collect::<Vec<_>>(),
        [&image.reference, &attestation.reference]
    );
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/b:latest"]);
    assert_eq!(remove("h.x/l").unwrap(), Some(Vec::new()));
    assert_eq!(remove("h.x/other").unwrap(), None);
}

#[test]
fn what_a_caller_refuses_changes_nothing() {
    let (_home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let list = reference("h.x/l");
    let added = store.add(&list, &silent, |draft| {
        draft.insert(entry("h.x/b", "arm64"));
        Err(Failure::Refused)
    });
    assert!(matches!(added, Err(Failure::Refused)));
    let removed = store.remove_entries(&list, &silent, |_| Err(Failure::Refused));
    assert!(matches!(removed, Err(Failure::Refused)));
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a:latest"]);
}

/// Section "Names that docker mixes": two images of one draft that would be one file.
#[test]
fn two_images_with_one_file_are_refused() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a/b:1", "amd64")]).unwrap();
    let refused = add(&store, "h.x/l", &[entry("h.x/a_b:1", "arm64")]);
    let Err(Failure::Store(StoreError::FileTaken { requested, holder, .. })) = refused else { panic!("{refused:?}") };
    assert_eq!((requested.as_str(), holder.as_str()), ("h.x/a_b:1", "h.x/a/b:1"));
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/a/b:1"]);
    // Nor does a new draft take one for the other.
    assert!(add(&store, "h.x/m", &[entry("h.x/a/b:1", "amd64"), entry("h.x/a_b:1", "arm64")]).is_err());
    assert!(!home.path().join("manifests/h.x_m-latest").exists());
}

/// A file that is not called after its image keeps its name, and its place in docker's order.
#[test]
fn an_entry_keeps_the_name_of_its_file() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap();
    let folder = home.path().join("manifests/h.x_l-latest");
    fs::rename(folder.join("h.x_b-latest"), folder.join("zzz")).unwrap();
    add(&store, "h.x/l", &[entry("h.x/b", "arm64"), entry("h.x/c", "s390x")]).unwrap();
    assert_eq!(images(&store, "h.x/l").unwrap(), ["h.x/b:latest", "h.x/c:latest", "h.x/b:latest"]);
    let names = directory::names(&folder).unwrap().unwrap();
    assert_eq!(names, ["h.x_b-latest", "h.x_c-latest", "zzz"]);
}
