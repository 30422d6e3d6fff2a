//! Docker's commands on drafts with content that docker's format cannot hold. See `store-format.md`, "What docker
//! has no place for", which has the same table.

use std::fs;

use docker_manifest::digest::Digest;
use docker_manifest::drafts::DraftStore;
use docker_manifest::drafts::docker_dir::{DockerManifestStore, StoreError};
use docker_manifest::model::descriptor::Descriptor;
use docker_manifest::model::manifest::ImageFormat;
use docker_manifest::model::{DocumentError, Draft, Entry};
use docker_manifest::platform::Platform;
use docker_manifest::reference::Reference;
use serde_json::Value;
use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox, Tool, on_path, tree_without_root_dot_names};
use testkit::skip::skipped;

#[derive(Debug, thiserror::Error)]
enum TestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// A registry with two images, and a draft of both with everything that only we keep.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    /// `None`, said loudly, where there is no docker.
    fn new() -> Option<Self> {
        if !on_path("docker") {
            skipped("drafts beyond docker's format in docker's hands", "docker is not on the PATH");
            return None;
        }
        let fixture = Self { registry: Registry::start(), sandbox: Sandbox::new() };
        let entries = ["0", "1"].map(|tag| fixture.put_image_entry(tag));
        fixture.change(|draft| {
            draft.annotations.insert("of".into(), "the list".into());
            draft.artifact_type = "a/b".into();
            draft.subject = Some(Descriptor::for_content("m", b"subject"));
            entries.iter().for_each(|entry| draft.insert(entry.clone()));
        });
        Some(fixture)
    }

    fn put_image_entry(&self, tag: &str) -> Entry {
        let image = Image::docker().platform("linux", "amd64").layer(format!("layer {tag}")).build();
        self.registry.put_image("app", tag, &image);
        let mut descriptor = Descriptor::for_content(ImageFormat::Docker.media_type(), &image.manifest);
        let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
        descriptor.platform = Some(Platform { features: vec!["sse4".into()], ..platform });
        descriptor.annotations.insert("of".into(), "the entry".into());
        descriptor.artifact_type = "c/d".into();
        let source = self.reference("app:index").with_digest(&Digest::from_bytes(b"index"));
        let reference = self.reference(&format!("app:{tag}"));
        Entry::child_of_list(reference, ImageFormat::Docker, image.manifest, descriptor, source).expect("an entry")
    }

    fn reference(&self, rest: &str) -> Reference {
        Reference::parse(&self.name(rest)).expect("a reference")
    }

    fn name(&self, rest: &str) -> String {
        self.registry.name(rest)
    }

    fn store(&self) -> DockerManifestStore {
        DockerManifestStore::new(&self.sandbox.docker_config())
    }

    fn change(&self, change: impl Fn(&mut Draft)) {
        let list = self.reference("list:1");
        let changed = self.store().change(&list, &|_| (), |before| {
            let mut draft = before.cloned().unwrap_or_else(|| Draft::new(list.clone()));
            change(&mut draft);
            Ok::<_, TestError>(Some(draft))
        });
        changed.expect("a store that works");
    }

    fn draft(&self) -> Option<Draft> {
        self.store().load(&self.reference("list:1")).expect("a draft that reads")
    }

    fn docker(&self, args: &[&str]) -> Output {
        let args = args.iter().map(|word| word.replace("{L}", &self.name("list:1")).replace("{A}", &self.name("app")));
        self.sandbox.manifest_command(&Tool::Docker).args(args).run().success()
    }

    /// The sidecar and the entry of this tag, as they lie there.
    fn sidecar_and_entry(&self, tag: &str) -> (String, String) {
        let host = self.registry.host().replace(':', "-");
        let store = self.sandbox.store();
        let side = store.join(format!(".docker-manifest/lists/{host}_list-1"));
        let entry = store.join(format!("{host}_list-1/{host}_app-{tag}"));
        (fs::read_to_string(side).expect("the sidecar"), fs::read_to_string(entry).expect("the entry"))
    }
}

#[test]
fn docker_inspect_shows_our_draft_and_leaves_it_unchanged() {
    let Some(fixture) = Fixture::new() else { return };
    let before = tree_without_root_dot_names(&fixture.sandbox.store());
    for shown in [fixture.docker(&["inspect", "{L}"]), fixture.docker(&["inspect", "-v", "{L}"])] {
        assert!(shown.out().contains("amd64"), "{}", shown.out());
        for hidden in ["sse4", "Source", "the list", "a/b"] {
            assert!(!shown.out().contains(hidden), "{hidden}: {}", shown.out());
        }
    }
    assert_eq!(tree_without_root_dot_names(&fixture.sandbox.store()), before);
}

#[test]
fn docker_annotate_removes_only_the_members_it_does_not_know() {
    let Some(fixture) = Fixture::new() else { return };
    let before = fixture.sidecar_and_entry("1");
    fixture.docker(&["annotate", "{L}", "{A}:0", "--variant", "v2"]);
    assert_eq!(fixture.sidecar_and_entry("1"), before);
    let draft = fixture.draft().expect("it is there");
    assert_eq!((draft.annotations["of"].as_str(), draft.artifact_type.as_str()), ("the list", "a/b"));
    let mut expected = fixture.put_image_entry("0");
    expected.source = None;
    let platform = expected.descriptor.platform.as_mut().expect("a platform");
    (platform.features, platform.variant) = (Vec::new(), "v2".to_owned());
    let found = draft.get(&fixture.reference("app:0")).expect("the entry");
    assert_eq!((&found.descriptor, &found.source), (&expected.descriptor, &None));
    // Amending with what is there already fetches nothing, and yet writes it anew.
    fixture.docker(&["create", "--amend", "--insecure", "{L}", "{A}:1"]);
    let (side, entry) = fixture.sidecar_and_entry("1");
    assert_eq!(side, before.0);
    assert!(before.1.contains("\"Source\"") && before.1.contains("\"sse4\""), "{}", before.1);
    assert!(!entry.contains("\"Source\"") && !entry.contains("\"sse4\"") && entry.contains("\"the entry\""), "{entry}");
}

#[test]
fn docker_pushes_the_part_that_a_docker_list_can_express() {
    let Some(fixture) = Fixture::new() else { return };
    let before = tree_without_root_dot_names(&fixture.sandbox.store());
    fixture.docker(&["push", "--insecure", "{L}"]);
    assert_eq!(tree_without_root_dot_names(&fixture.sandbox.store()), before);
    let (_, bytes) = fixture.registry.manifest("list", "1").expect("it was pushed");
    let list: Value = serde_json::from_slice(&bytes).expect("a list");
    let members = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&list), ["schemaVersion", "mediaType", "manifests"]);
    for line in list["manifests"].as_array().expect("entries") {
        assert_eq!(members(line), ["mediaType", "size", "digest", "platform"]);
        assert_eq!(members(&line["platform"]), ["architecture", "os"]);
    }
}

#[test]
fn losing_list_annotations_is_reported_when_docker_recreates_the_draft() {
    let Some(fixture) = Fixture::new() else { return };
    fixture.docker(&["rm", "{L}"]);
    assert!(fixture.draft().is_none());
    fixture.docker(&["create", "--insecure", "{L}", "{A}:0"]);
    let (store, list) = (fixture.store(), fixture.reference("list:1"));
    assert!(matches!(store.load(&list), Err(StoreError::UnmatchedSidecar { .. })), "{:?}", store.load(&list));
    let refused = store.change(&list, &|_| (), |before| Ok::<_, StoreError>(before.cloned()));
    assert!(matches!(refused, Err(StoreError::UnmatchedSidecar { .. })), "{refused:?}");
    // Looking is allowed, and says so.
    let shown = store.load_ignoring_unmatched_sidecar(&list).expect("a draft that reads");
    assert!(matches!(shown, Some((draft, Some(StoreError::UnmatchedSidecar { .. }))) if !draft.has_oci_only_fields()));
    // Docker's directory goes on as docker's once the user has decided.
    store.remove(&list, &|_| ()).expect("a draft that can be removed");
    fixture.docker(&["create", "--insecure", "{L}", "{A}:0"]);
    fixture.change(|_| ());
    assert!(fixture.draft().is_some_and(|draft| !draft.has_oci_only_fields()));
    let (side, _) = fixture.sidecar_and_entry("0");
    assert!(side.starts_with("{\"format\":1,"), "{side}");
}
