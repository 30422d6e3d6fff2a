//! Tests of section "What docker has no place for": where these members are stored, which format they need, and which
//! files stay unchanged.

use super::*;
use crate::digest::Digest;
use crate::model::EntryKey;
use crate::model::descriptor::Descriptor;
use crate::model::draft::ListItem;
use crate::model::source_index::{OpaqueDescriptor, SourceIndex};

const SIDECAR: &str = "manifests/.docker-manifest/lists/h.x_l-latest";

fn change_draft(store: &DockerManifestStore, change: impl Fn(&mut Draft)) {
    let list = reference("h.x/l");
    let changed = store.change(&list, &no_notice, |before| {
        let mut draft = before.cloned().unwrap_or_else(|| Draft::new(list.clone()));
        change(&mut draft);
        Ok::<_, ChangeError>(Some(draft))
    });
    changed.unwrap();
}

fn sidecar(home: &tempfile::TempDir) -> serde_json::Value {
    serde_json::from_slice(&fs::read(home.path().join(SIDECAR)).unwrap()).unwrap()
}

/// An entry from an index, with members that only the sidecar can hold.
fn entry_from_index(image: &str) -> Entry {
    let bytes = b"{\"layers\":[]}".to_vec();
    let mut descriptor = Descriptor::for_content(ImageFormat::Oci.media_type(), &bytes);
    descriptor.platform = Some(Platform { features: vec!["sse4".into()], ..Platform::default() });
    let source = reference("h.x/index:1").with_digest(&Digest::from_bytes(b"index"));
    Entry::child_of_list(reference(image), ImageFormat::Oci, bytes, descriptor, source).unwrap()
}

#[test]
fn sidecar_keeps_oci_only_fields_and_entries_get_its_draft_id() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let root = home.path().join("manifests");
    let before = files_visible_to_docker(&root);
    assert_eq!(sidecar(&home)["format"], 1);
    change_draft(&store, |draft| {
        draft.annotations = [("<k>".to_owned(), "\u{2028}&".to_owned()), ("a".to_owned(), String::new())].into();
        draft.artifact_type = "a/b".into();
        draft.subject = Some(Descriptor::for_content("m", b"subject"));
    });
    assert_eq!(sidecar(&home)["format"], 2);
    let id = sidecar(&home)["mark"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    let id_member = format!(",\"Mark\":\"{id}\"}}");
    let without_id: BTreeMap<PathBuf, Vec<u8>> = files_visible_to_docker(&root)
        .into_iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            (path, (text.strip_suffix(&id_member).unwrap().to_owned() + "}").into_bytes())
        })
        .collect();
    assert_eq!(without_id, before);
    assert_eq!(sidecar(&home)["annotations"], serde_json::json!({"a": "", "<k>": "\u{2028}&"}));
    let draft = store.load(&reference("h.x/l")).unwrap().unwrap();
    assert_eq!(draft.annotations["<k>"], "\u{2028}&");
    assert_eq!(
        (draft.artifact_type.as_str(), &draft.subject),
        ("a/b", &Some(Descriptor::for_content("m", b"subject")))
    );
    // A change of the entries does not change them. Without them, the format is 1 again.
    add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap();
    assert_eq!(store.load(&reference("h.x/l")).unwrap().unwrap().annotations, draft.annotations);
    assert!(files_visible_to_docker(&root).values().all(|bytes| String::from_utf8_lossy(bytes).ends_with(&id_member)));
    // A draft that docker could have made has no id.
    change_draft(&store, |draft| {
        draft.annotations.clear();
        draft.artifact_type.clear();
        draft.subject = None;
    });
    assert_eq!((&sidecar(&home)["format"], sidecar(&home).get("mark")), (&serde_json::json!(1), None));
    assert!(!files_visible_to_docker(&root).values().any(|bytes| String::from_utf8_lossy(bytes).contains("Mark")));
    change_draft(&store, |draft| *draft = Draft::new(draft.reference.clone()));
    assert_eq!(sidecar(&home)["format"], 1);
    assert_eq!(sidecar(&home).as_object().unwrap().len(), 3);
    assert!(images(&store, "h.x/l").unwrap().is_empty());
}

#[test]
fn entry_with_members_beyond_docker_needs_format_2() {
    let (home, store) = store();
    for other_entry in [None, Some(entry("h.x/a", "amd64"))] {
        change_draft(&store, |draft| {
            other_entry.iter().for_each(|entry| draft.insert(entry.clone()));
            draft.insert(entry_from_index("h.x/b"));
        });
        assert_eq!(sidecar(&home)["format"], 2);
        let read = store.load(&reference("h.x/l")).unwrap().unwrap();
        let (read, added) = (read.get(&reference("h.x/b")).unwrap(), entry_from_index("h.x/b"));
        assert_eq!((&read.source, &read.descriptor), (&added.source, &added.descriptor));
        change_draft(&store, |draft| {
            draft.remove(&reference("h.x/b"));
        });
        assert_eq!(sidecar(&home)["format"], 1);
    }
    // Features alone need format 2, too.
    change_draft(&store, |draft| {
        let mut entry = entry("h.x/c", "amd64");
        entry.descriptor.platform.as_mut().unwrap().features = vec!["f".into()];
        draft.insert(entry);
    });
    assert_eq!(sidecar(&home)["format"], 2);
}

#[test]
fn sidecar_of_a_removed_directory_is_not_applied_to_a_new_one() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    change_draft(&store, |draft| {
        draft.annotations.insert("k".into(), "v".into());
    });
    let directory = home.path().join("manifests/h.x_l-latest");
    let file = fs::read(directory.join("h.x_a-latest")).unwrap();
    fs::rename(&directory, home.path().join("gone")).unwrap();
    assert!(store.load(&reference("h.x/l")).unwrap().is_none());
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("h.x_a-latest"), file).unwrap();
    let entry_file = directory.join("h.x_a-latest");
    let bytes = entry("h.x/a", "amd64").encode().unwrap();
    fs::write(&entry_file, bytes).unwrap();
    // The sidecar may not belong to this draft: it is displayed, and not changed or published.
    assert!(matches!(store.load(&reference("h.x/l")), Err(StoreError::UnmatchedSidecar { .. })));
    let changed = add(&store, "h.x/l", &[entry("h.x/b", "amd64")]);
    assert!(matches!(changed, Err(ChangeError::Store(StoreError::UnmatchedSidecar { .. }))), "{changed:?}");
    let (displayed, error) = store.load_ignoring_unmatched_sidecar(&reference("h.x/l")).unwrap().unwrap();
    assert!(!displayed.has_oci_only_fields() && error.is_some());
    // To use the list again, replace the draft or delete the sidecar.
    let file = home.path().join(SIDECAR);
    let sidecar_before = fs::read(&file).unwrap();
    store.replace(&displayed, &no_notice).unwrap();
    assert!(!store.load(&reference("h.x/l")).unwrap().unwrap().has_oci_only_fields());
    fs::write(&file, sidecar_before).unwrap();
    assert!(store.load(&reference("h.x/l")).is_err());
    fs::remove_file(&file).unwrap();
    add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap();
    assert_eq!(sidecar(&home)["format"], 1);
}

/// A copy by `cp -a`, `tar` or the cache of a CI, and a directory that gets another inode on overlayfs.
#[test]
fn draft_id_matches_a_copied_directory_with_its_sidecar() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    change_draft(&store, |draft| drop(draft.annotations.insert("k".into(), "v".into())));
    let (directory, aside) = (home.path().join("manifests/h.x_l-latest"), home.path().join("aside"));
    fs::rename(&directory, &aside).unwrap();
    fs::create_dir(&directory).unwrap();
    let docker = entry("h.x/a", "arm64").encode().unwrap();
    fs::write(directory.join("h.x_a-latest"), docker).unwrap();
    fs::copy(aside.join("h.x_b-latest"), directory.join("h.x_b-latest")).unwrap();
    assert_eq!(store.load(&reference("h.x/l")).unwrap().unwrap().annotations["k"], "v");
    assert_eq!(store.stored_names().unwrap()[0].recorded_list, Some(reference("h.x/l")));
    add(&store, "h.x/l", &[entry("h.x/c", "amd64")]).unwrap();
    let id = format!("\"Mark\":{}", sidecar(&home)["mark"]);
    let has_id = |name: &str| fs::read_to_string(directory.join(name)).unwrap().contains(&id);
    assert_eq!([has_id("h.x_a-latest"), has_id("h.x_b-latest"), has_id("h.x_c-latest")], [true; 3]);
    // If docker has changed all of them, and only the inode matches, the next change adds the id again.
    for name in ["h.x_b-latest", "h.x_c-latest"] {
        fs::write(
            directory.join(name),
            entry(&name.replace('_', "/").replace("-latest", ""), "arm64").encode().unwrap(),
        )
        .unwrap();
    }
    change_draft(&store, |draft| drop(draft.annotations.insert("k".into(), "w".into())));
    assert_eq!([has_id("h.x_a-latest"), has_id("h.x_b-latest"), has_id("h.x_c-latest")], [true; 3]);
}

/// The id of a draft is no input of a user: if docker writes an entry meanwhile, docker's entry stays.
#[test]
fn adding_a_draft_id_keeps_a_concurrent_write_of_docker() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let path = home.path().join("manifests/h.x_l-latest/h.x_a-latest");
    let docker = entry("h.x/a", "arm64").encode().unwrap();
    change_draft(&store, |draft| {
        fs::write(&path, &docker).unwrap();
        draft.annotations.insert("k".into(), "v".into());
    });
    assert_eq!(fs::read(&path).unwrap(), docker);
    assert!(fs::read_to_string(path.with_file_name("h.x_b-latest")).unwrap().contains("Mark"));
}

#[test]
fn removal_deletes_the_sidecar() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    remove(&store, "h.x/l").unwrap();
    assert!(!home.path().join(SIDECAR).exists());
}

#[test]
fn damaged_sidecar_is_reported_and_not_overwritten() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    change_draft(&store, |draft| {
        draft.annotations.insert("k".into(), "v".into());
    });
    let valid = fs::read_to_string(home.path().join(SIDECAR)).unwrap();
    for (from, to) in [
        ("\"k\":\"v\"", "\"k\":1"),
        ("{\"k\":\"v\"}", "[]"),
        ("\"annotations\"", "\"subject\""),
        ("\"annotations\"", "\"artifactType\""),
    ] {
        let damaged = valid.replace(from, to);
        assert_ne!(damaged, valid);
        fs::write(home.path().join(SIDECAR), &damaged).unwrap();
        let error = add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap_err();
        assert!(matches!(&error, ChangeError::Store(StoreError::InvalidSidecar { .. })), "{to}: {error}");
        assert!(matches!(store.load(&reference("h.x/l")), Err(StoreError::InvalidSidecar { .. })), "{to}");
        assert_eq!(fs::read_to_string(home.path().join(SIDECAR)).unwrap(), damaged);
    }
    // In format 1, these members are ignored.
    fs::write(home.path().join(SIDECAR), valid.replace("\"format\":2", "\"format\":1")).unwrap();
    assert!(!store.load(&reference("h.x/l")).unwrap().unwrap().has_oci_only_fields());
}

/// Makes a draft of one index, with all members of format 3.
fn make_format_3_draft(draft: &mut Draft) {
    draft.insert(entry_from_index("h.x/b"));
    draft.insert(entry_from_index("h.x/a"));
    let index = |raw: &[u8]| SourceIndex {
        media_type: "m".into(),
        digest: Digest::from_bytes(raw),
        raw: raw.to_vec(),
        nested: Vec::new(),
    };
    draft.source = Some(SourceIndex { nested: vec![index(b"inner")], ..index(b"{ }") });
    let descriptor =
        serde_json::json!({"x": 1, "mediaType": "of/none", "digest": Digest::from_bytes(b"d").as_str(), "size": 1});
    let source = reference("h.x/index:1").with_digest(&Digest::from_bytes(b"{ }"));
    draft.opaque_descriptors = vec![OpaqueDescriptor::new(descriptor, source, Some(b"d".to_vec())).unwrap()];
    draft.config_platforms =
        [(EntryKey::from_reference(&reference("h.x/b")), Platform::parse("linux/arm").unwrap())].into();
    draft.set_order([
        EntryKey::from_reference(&reference("h.x/b")),
        EntryKey::from_text(Digest::from_bytes(b"d").as_str()),
    ]);
}

#[test]
fn format_3_keeps_the_order_and_the_source_index() {
    let (home, store) = store();
    add(&store, "h.x/l", &[]).unwrap();
    change_draft(&store, make_format_3_draft);
    assert_eq!(sidecar(&home)["format"], 3);
    assert_eq!(sidecar(&home)["source"]["raw"], "eyB9");
    assert_eq!(
        sidecar(&home)["order"],
        serde_json::json!(["h.x_b-latest", Digest::from_bytes(b"d").as_str(), "h.x_a-latest"])
    );
    let read = store.load(&reference("h.x/l")).unwrap().unwrap();
    let mut expected = Draft::new(reference("h.x/l"));
    make_format_3_draft(&mut expected);
    assert_eq!(read.source, expected.source);
    assert_eq!(
        (&read.order, &read.opaque_descriptors, &read.config_platforms),
        (&expected.order, &expected.opaque_descriptors, &expected.config_platforms)
    );
    let order: Vec<EntryKey> = read.list_items().iter().map(ListItem::key).collect();
    assert_eq!(order, read.order);
    // Older formats have none of it.
    let text = fs::read_to_string(home.path().join(SIDECAR)).unwrap();
    for older in ["\"format\":1", "\"format\":2"] {
        fs::write(home.path().join(SIDECAR), text.replace("\"format\":3", older)).unwrap();
        assert!(!store.load(&reference("h.x/l")).unwrap().unwrap().needs_format_3(), "{older}");
    }
}

#[test]
fn sidecar_with_damaged_format_3_members_is_refused() {
    let (home, store) = store();
    add(&store, "h.x/l", &[]).unwrap();
    change_draft(&store, make_format_3_draft);
    let text = fs::read_to_string(home.path().join(SIDECAR)).unwrap();
    for (valid, invalid) in
        [("eyB9", "e30="), ("eyB9", "?"), ("\"order\":[", "\"order\":[1,"), ("\"size\":1}", "\"size\":-1}")]
    {
        assert!(text.contains(valid), "{valid}");
        let damaged = text.replace(valid, invalid);
        fs::write(home.path().join(SIDECAR), damaged).unwrap();
        let read = store.load(&reference("h.x/l"));
        assert!(matches!(read, Err(StoreError::InvalidSidecar { .. })), "{invalid}: {read:?}");
    }
    fs::write(home.path().join(SIDECAR), text.replace("\"format\":3", "\"format\":4")).unwrap();
    assert!(matches!(store.load(&reference("h.x/l")), Err(StoreError::NewerFormat { .. })));
}

#[test]
fn draft_without_index_entries_returns_to_format_1() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/z", "amd64")]).unwrap();
    change_draft(&store, |draft| {
        draft.insert(entry_from_index("h.x/b"));
        draft.set_order([EntryKey::from_reference(&reference("h.x/z"))]);
    });
    assert_eq!(sidecar(&home)["format"], 3);
    change_draft(&store, |draft| drop(draft.remove(&reference("h.x/b"))));
    assert_eq!(sidecar(&home)["format"], 1);
}
