//! Tests of section "What docker has no place for": where it is stored, which format it needs, and what is not touched
//! for it.

use super::*;
use crate::digest::Digest;
use crate::model::EntryKey;
use crate::model::descriptor::Descriptor;
use crate::model::draft::ListItem;
use crate::model::source::{Carried, SourceIndex};

const SIDE: &str = "manifests/.docker-manifest/lists/h.x_l-latest";

fn alter(store: &DockerDir, alter: impl Fn(&mut Draft)) {
    let list = reference("h.x/l");
    let changed = store.change(&list, &silent, |before| {
        let mut draft = before.cloned().unwrap_or_else(|| Draft::new(list.clone()));
        alter(&mut draft);
        Ok::<_, Failure>(Some(draft))
    });
    changed.unwrap();
}

fn sidecar(home: &tempfile::TempDir) -> serde_json::Value {
    serde_json::from_slice(&fs::read(home.path().join(SIDE)).unwrap()).unwrap()
}

/// An entry with what only we keep.
fn listed(image: &str) -> Entry {
    let bytes = b"{\"layers\":[]}".to_vec();
    let mut descriptor = Descriptor::of(Schema::Oci.media_type(), &bytes);
    descriptor.platform = Some(Platform { features: vec!["sse4".into()], ..Platform::default() });
    let source = reference("h.x/index:1").with_digest(&Digest::from_bytes(b"index"));
    Entry::listed(reference(image), Schema::Oci, bytes, descriptor, source).unwrap()
}

#[test]
fn what_the_list_itself_says_is_kept_beside_it_and_the_entries_bear_its_mark() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    let root = home.path().join("manifests");
    let before = visible(&root);
    assert_eq!(sidecar(&home)["format"], 1);
    alter(&store, |draft| {
        draft.annotations = [("<k>".to_owned(), "\u{2028}&".to_owned()), ("a".to_owned(), String::new())].into();
        draft.artifact_type = "a/b".into();
        draft.subject = Some(Descriptor::of("m", b"subject"));
    });
    assert_eq!(sidecar(&home)["format"], 2);
    let mark = sidecar(&home)["mark"].as_str().unwrap().to_owned();
    assert_eq!(mark.len(), 32);
    let marked = format!(",\"Mark\":\"{mark}\"}}");
    let unmarked: BTreeMap<PathBuf, Vec<u8>> = visible(&root)
        .into_iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            (path, (text.strip_suffix(&marked).unwrap().to_owned() + "}").into_bytes())
        })
        .collect();
    assert_eq!(unmarked, before);
    assert_eq!(sidecar(&home)["annotations"], serde_json::json!({"a": "", "<k>": "\u{2028}&"}));
    let draft = store.load(&reference("h.x/l")).unwrap().unwrap();
    assert_eq!(draft.annotations["<k>"], "\u{2028}&");
    assert_eq!((draft.artifact_type.as_str(), &draft.subject), ("a/b", &Some(Descriptor::of("m", b"subject"))));
    // A change of the entries leaves them alone, and what goes away takes the format with it.
    add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap();
    assert_eq!(store.load(&reference("h.x/l")).unwrap().unwrap().annotations, draft.annotations);
    assert!(visible(&root).values().all(|bytes| String::from_utf8_lossy(bytes).ends_with(&marked)));
    // What docker could have made has no mark.
    alter(&store, |draft| {
        draft.annotations.clear();
        draft.artifact_type.clear();
        draft.subject = None;
    });
    assert_eq!((&sidecar(&home)["format"], sidecar(&home).get("mark")), (&serde_json::json!(1), None));
    assert!(!visible(&root).values().any(|bytes| String::from_utf8_lossy(bytes).contains("Mark")));
    alter(&store, |draft| *draft = Draft::new(draft.reference.clone()));
    assert_eq!(sidecar(&home)["format"], 1);
    assert_eq!(sidecar(&home).as_object().unwrap().len(), 3);
    assert!(images(&store, "h.x/l").unwrap().is_empty());
}

#[test]
fn an_entry_that_an_older_program_would_cut_short_raises_the_format_while_it_is_there() {
    let (home, store) = store();
    for also in [None, Some(entry("h.x/a", "amd64"))] {
        alter(&store, |draft| {
            also.iter().for_each(|entry| draft.insert(entry.clone()));
            draft.insert(listed("h.x/b"));
        });
        assert_eq!(sidecar(&home)["format"], 2);
        let read = store.load(&reference("h.x/l")).unwrap().unwrap();
        let (read, put) = (read.get(&reference("h.x/b")).unwrap(), listed("h.x/b"));
        assert_eq!((&read.source, &read.descriptor), (&put.source, &put.descriptor));
        alter(&store, |draft| {
            draft.remove(&reference("h.x/b"));
        });
        assert_eq!(sidecar(&home)["format"], 1);
    }
    // Features alone do the same.
    alter(&store, |draft| {
        let mut entry = entry("h.x/c", "amd64");
        entry.descriptor.platform.as_mut().unwrap().features = vec!["f".into()];
        draft.insert(entry);
    });
    assert_eq!(sidecar(&home)["format"], 2);
}

#[test]
fn a_folder_that_docker_made_anew_is_not_taken_for_the_old_one() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    alter(&store, |draft| {
        draft.annotations.insert("k".into(), "v".into());
    });
    let folder = home.path().join("manifests/h.x_l-latest");
    let file = fs::read(folder.join("h.x_a-latest")).unwrap();
    fs::rename(&folder, home.path().join("gone")).unwrap();
    assert!(store.load(&reference("h.x/l")).unwrap().is_none());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("h.x_a-latest"), file).unwrap();
    let entry_file = folder.join("h.x_a-latest");
    let bytes = entry("h.x/a", "amd64").encode().unwrap();
    fs::write(&entry_file, bytes).unwrap();
    // Whether it says of itself what the old one said is not known: it is shown, and not changed or published.
    assert!(matches!(store.load(&reference("h.x/l")), Err(StoreError::Stray { .. })));
    let refused = add(&store, "h.x/l", &[entry("h.x/b", "amd64")]);
    assert!(matches!(refused, Err(Failure::Store(StoreError::Stray { .. }))), "{refused:?}");
    let (shown, doubt) = store.shown(&reference("h.x/l")).unwrap().unwrap();
    assert!(!shown.says_more() && doubt.is_some());
    // One way out is a draft made anew, the other to delete what was written down.
    let file = home.path().join(SIDE);
    let kept = fs::read(&file).unwrap();
    store.replace(&shown, &silent).unwrap();
    assert!(!store.load(&reference("h.x/l")).unwrap().unwrap().says_more());
    fs::write(&file, kept).unwrap();
    assert!(store.load(&reference("h.x/l")).is_err());
    fs::remove_file(&file).unwrap();
    add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap();
    assert_eq!(sidecar(&home)["format"], 1);
}

/// A copy by `cp -a`, `tar` or the cache of a CI, and a directory that gets another inode on overlayfs.
#[test]
fn a_copy_is_known_by_its_mark_also_where_docker_has_changed_entries() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    alter(&store, |draft| drop(draft.annotations.insert("k".into(), "v".into())));
    let (folder, aside) = (home.path().join("manifests/h.x_l-latest"), home.path().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    fs::create_dir(&folder).unwrap();
    let docker = entry("h.x/a", "arm64").encode().unwrap();
    fs::write(folder.join("h.x_a-latest"), docker).unwrap();
    fs::copy(aside.join("h.x_b-latest"), folder.join("h.x_b-latest")).unwrap();
    assert_eq!(store.load(&reference("h.x/l")).unwrap().unwrap().annotations["k"], "v");
    assert_eq!(store.names().unwrap()[0].known, Some(reference("h.x/l")));
    add(&store, "h.x/l", &[entry("h.x/c", "amd64")]).unwrap();
    let mark = format!("\"Mark\":{}", sidecar(&home)["mark"]);
    let bears = |name: &str| fs::read_to_string(folder.join(name)).unwrap().contains(&mark);
    assert_eq!([bears("h.x_a-latest"), bears("h.x_b-latest"), bears("h.x_c-latest")], [true; 3]);
    // Where docker has changed all of them, by the inode alone, the next change marks them again.
    for name in ["h.x_b-latest", "h.x_c-latest"] {
        fs::write(folder.join(name), entry(&name.replace('_', "/").replace("-latest", ""), "arm64").encode().unwrap())
            .unwrap();
    }
    alter(&store, |draft| drop(draft.annotations.insert("k".into(), "w".into())));
    assert_eq!([bears("h.x_a-latest"), bears("h.x_b-latest"), bears("h.x_c-latest")], [true; 3]);
}

/// A mark is nothing that a user said: where docker is writing an entry, docker's stays.
#[test]
fn marking_an_entry_loses_nothing_of_dockers() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64"), entry("h.x/b", "amd64")]).unwrap();
    let path = home.path().join("manifests/h.x_l-latest/h.x_a-latest");
    let docker = entry("h.x/a", "arm64").encode().unwrap();
    alter(&store, |draft| {
        fs::write(&path, &docker).unwrap();
        draft.annotations.insert("k".into(), "v".into());
    });
    assert_eq!(fs::read(&path).unwrap(), docker);
    assert!(fs::read_to_string(path.with_file_name("h.x_b-latest")).unwrap().contains("Mark"));
}

#[test]
fn a_removal_takes_the_sidecar_with_it() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    remove(&store, "h.x/l").unwrap();
    assert!(!home.path().join(SIDE).exists());
}

#[test]
fn a_damaged_sidecar_of_a_draft_that_is_there_is_named_and_not_overwritten() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/a", "amd64")]).unwrap();
    alter(&store, |draft| {
        draft.annotations.insert("k".into(), "v".into());
    });
    let good = fs::read_to_string(home.path().join(SIDE)).unwrap();
    for (from, to) in [
        ("\"k\":\"v\"", "\"k\":1"),
        ("{\"k\":\"v\"}", "[]"),
        ("\"annotations\"", "\"subject\""),
        ("\"annotations\"", "\"artifactType\""),
    ] {
        let damaged = good.replace(from, to);
        assert_ne!(damaged, good);
        fs::write(home.path().join(SIDE), &damaged).unwrap();
        let refused = add(&store, "h.x/l", &[entry("h.x/b", "amd64")]).unwrap_err();
        assert!(matches!(&refused, Failure::Store(StoreError::Sidecar { .. })), "{to}: {refused}");
        assert!(matches!(store.load(&reference("h.x/l")), Err(StoreError::Sidecar { .. })), "{to}");
        assert_eq!(fs::read_to_string(home.path().join(SIDE)).unwrap(), damaged);
    }
    // Of format 1 nobody has written such members, so nothing is lost.
    fs::write(home.path().join(SIDE), good.replace("\"format\":2", "\"format\":1")).unwrap();
    assert!(!store.load(&reference("h.x/l")).unwrap().unwrap().says_more());
}

/// A draft of one index, with everything that format 3 has.
fn formed(draft: &mut Draft) {
    draft.insert(listed("h.x/b"));
    draft.insert(listed("h.x/a"));
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
    draft.carried = vec![Carried::new(descriptor, source, Some(b"d".to_vec())).unwrap()];
    draft.platforms = [(EntryKey::of(&reference("h.x/b")), Platform::parse("linux/arm").unwrap())].into();
    draft.arrange([EntryKey::of(&reference("h.x/b")), EntryKey::named(Digest::from_bytes(b"d").as_str())]);
}

#[test]
fn the_order_and_the_form_of_an_index_are_kept_as_format_3() {
    let (home, store) = store();
    add(&store, "h.x/l", &[]).unwrap();
    alter(&store, formed);
    assert_eq!(sidecar(&home)["format"], 3);
    assert_eq!(sidecar(&home)["source"]["raw"], "eyB9");
    assert_eq!(
        sidecar(&home)["order"],
        serde_json::json!(["h.x_b-latest", Digest::from_bytes(b"d").as_str(), "h.x_a-latest"])
    );
    let read = store.load(&reference("h.x/l")).unwrap().unwrap();
    let mut expected = Draft::new(reference("h.x/l"));
    formed(&mut expected);
    assert_eq!(read.source, expected.source);
    assert_eq!(
        (&read.order, &read.carried, &read.platforms),
        (&expected.order, &expected.carried, &expected.platforms)
    );
    let order: Vec<EntryKey> = read.items().iter().map(ListItem::key).collect();
    assert_eq!(order, read.order);
    // Older formats have none of it.
    let text = fs::read_to_string(home.path().join(SIDE)).unwrap();
    for older in ["\"format\":1", "\"format\":2"] {
        fs::write(home.path().join(SIDE), text.replace("\"format\":3", older)).unwrap();
        assert!(!store.load(&reference("h.x/l")).unwrap().unwrap().has_form(), "{older}");
    }
}

#[test]
fn an_index_whose_bytes_are_not_its_own_is_damage() {
    let (home, store) = store();
    add(&store, "h.x/l", &[]).unwrap();
    alter(&store, formed);
    let text = fs::read_to_string(home.path().join(SIDE)).unwrap();
    for (good, bad) in
        [("eyB9", "e30="), ("eyB9", "?"), ("\"order\":[", "\"order\":[1,"), ("\"size\":1}", "\"size\":-1}")]
    {
        assert!(text.contains(good), "{good}");
        let damaged = text.replace(good, bad);
        fs::write(home.path().join(SIDE), damaged).unwrap();
        let read = store.load(&reference("h.x/l"));
        assert!(matches!(read, Err(StoreError::Sidecar { .. })), "{bad}: {read:?}");
    }
    fs::write(home.path().join(SIDE), text.replace("\"format\":3", "\"format\":4")).unwrap();
    assert!(matches!(store.load(&reference("h.x/l")), Err(StoreError::NewerFormat { .. })));
}

#[test]
fn a_draft_without_anything_from_an_index_has_no_order_of_its_own() {
    let (home, store) = store();
    add(&store, "h.x/l", &[entry("h.x/z", "amd64")]).unwrap();
    alter(&store, |draft| {
        draft.insert(listed("h.x/b"));
        draft.arrange([EntryKey::of(&reference("h.x/z"))]);
    });
    assert_eq!(sidecar(&home)["format"], 3);
    alter(&store, |draft| drop(draft.remove(&reference("h.x/b"))));
    assert_eq!(sidecar(&home)["format"], 1);
}
