//! Tests of the plan of a push.

use super::*;
use crate::model::manifest::ImageFormat;
use crate::platform::Platform;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

fn descriptor(media_type: &str, content: &str) -> String {
    let urls = if media_type == FOREIGN { r#","urls":["https://x.example/l"]"# } else { "" };
    let digest = Digest::from_bytes(content.as_bytes());
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}{urls}}}"#, content.len())
}

fn entry(reference: &str, platform: &str, layers: &[(&str, &str)]) -> Entry {
    let layers: Vec<String> = layers.iter().map(|(media_type, content)| descriptor(media_type, content)).collect();
    let config = descriptor("application/vnd.oci.image.config.v1+json", platform);
    let manifest = format!(r#"{{"config":{config},"layers":[{}]}}"#, layers.join(","));
    let platform = Some(Platform::parse(platform).unwrap());
    Entry::fetched(Reference::parse(reference).unwrap(), ImageFormat::Oci, manifest.into_bytes(), platform)
}

fn draft(entries: Vec<Entry>) -> Draft {
    let mut draft = Draft::new(Reference::parse("h.x/app:1").unwrap());
    entries.into_iter().for_each(|entry| draft.insert(entry));
    draft
}

fn names(blob: &PlannedBlob<'_>) -> Vec<String> {
    blob.sources.iter().map(|source| source.to_string()).collect()
}

#[test]
fn plan_has_each_blob_once_with_mountable_sources_first() {
    let draft = draft(vec![
        entry("a.x/far:1", "linux/amd64", &[(LAYER, "shared")]),
        entry("h.x/near:1", "linux/arm64", &[(LAYER, "shared"), (LAYER, "own")]),
        entry("h.x/app:there", "linux/s390x", &[(LAYER, "shared"), (LAYER, "there")]),
    ]);
    let plan = PushPlan::new(&draft, ListFormat::Auto, &[], &Layouts::default()).unwrap();
    let contents: Vec<Digest> =
        ["linux/amd64", "shared", "linux/arm64", "own"].map(|content| Digest::from_bytes(content.as_bytes())).into();
    assert_eq!(plan.blobs.iter().map(|blob| blob.digest.clone()).collect::<Vec<_>>(), contents);
    assert_eq!(names(&plan.blobs[1]), ["h.x/near", "a.x/far"]);
    assert_eq!(plan.children.iter().map(|child| child.manifest).collect::<Vec<_>>(), [Some(0), None, Some(1)]);
    let dependencies: Vec<Vec<usize>> =
        plan.steps(&BTreeSet::new()).into_iter().map(|(_, dependencies)| dependencies).collect();
    assert_eq!(dependencies, [vec![], vec![], vec![], vec![], vec![0, 1], vec![1, 2, 3]]);
    // The first child exists, and so do its blobs, but not those of the second.
    let present = BTreeSet::from([plan.manifests[0].reference.digest().unwrap().clone()]);
    let dependencies: Vec<Vec<usize>> =
        plan.steps(&present).into_iter().map(|(_, dependencies)| dependencies).collect();
    assert_eq!(dependencies, [vec![], vec![], vec![], vec![0, 1, 2]]);
}

#[test]
fn plan_puts_an_image_of_two_repositories_once() {
    let image = |reference| entry(reference, "linux/amd64", &[(LAYER, "l")]);
    let draft = draft(vec![image("h.x/b:1"), image("h.x/a:1")]);
    let plan = PushPlan::new(&draft, ListFormat::Auto, &[], &Layouts::default()).unwrap();
    assert_eq!((plan.manifests.len(), plan.children.len()), (1, 2));
    assert_eq!(names(&plan.blobs[0]), ["h.x/a", "h.x/b"]);
}

#[test]
fn plan_skips_foreign_layers_of_other_registries() {
    let layers = [(FOREIGN, "theirs"), (LAYER, "ours")];
    let across = draft(vec![entry("far.x/win:1", "windows/amd64", &layers)]);
    let plan = PushPlan::new(&across, ListFormat::Auto, &[], &Layouts::default()).unwrap();
    assert_eq!(plan.blobs.len(), 2);
    for (platform, is_optional) in [("windows/amd64", true), ("linux/amd64", false)] {
        let near = draft(vec![entry("h.x/win:1", platform, &layers)]);
        let plan = PushPlan::new(&near, ListFormat::Auto, &[], &Layouts::default()).unwrap();
        let found: Vec<bool> = plan.blobs.iter().map(|blob| blob.is_optional).collect();
        assert_eq!(found, [false, is_optional, false], "{platform}");
    }
    // One Linux image that needs the blob is enough.
    let both = draft(vec![entry("h.x/a:1", "windows/amd64", &layers), entry("h.x/b:1", "linux/amd64", &layers)]);
    assert!(
        PushPlan::new(&both, ListFormat::Auto, &[], &Layouts::default())
            .unwrap()
            .blobs
            .iter()
            .all(|blob| !blob.is_optional)
    );
}

#[test]
fn plan_drops_the_size_of_a_blob_if_manifests_disagree() {
    let image = |reference: &str, size: &str| {
        let config = descriptor(LAYER, reference);
        let layer = descriptor(LAYER, "same").replace("\"size\":4", size);
        let manifest = format!(r#"{{"config":{config},"layers":[{layer}]}}"#);
        let platform = Some(Platform::parse("linux/amd64").unwrap());
        Entry::fetched(Reference::parse(reference).unwrap(), ImageFormat::Oci, manifest.into_bytes(), platform)
    };
    let draft = draft(vec![image("h.x/a:1", "\"size\":4"), image("h.x/b:1", "\"size\":5")]);
    let plan = PushPlan::new(&draft, ListFormat::Auto, &[], &Layouts::default()).unwrap();
    let sizes: Vec<Option<u64>> = plan.blobs.iter().map(|blob| blob.size).collect();
    assert_eq!(sizes, [Some(7), None, Some(7)]);
}

#[test]
fn plan_gives_equal_drafts_equal_bytes() {
    let make = || {
        draft(vec![entry("h.x/b:1", "linux/arm64", &[(LAYER, "b")]), entry("a.x/a:1", "linux/amd64", &[(LAYER, "a")])])
    };
    let (first, second) = (make(), make());
    for format in [ListFormat::Auto, ListFormat::Docker, ListFormat::Oci] {
        let [first, second] =
            [&first, &second].map(|draft| PushPlan::new(draft, format, &[], &Layouts::default()).unwrap().list);
        assert_eq!(first, second);
    }
}

#[test]
fn plan_does_not_count_the_own_tag_as_a_further_tag() {
    let draft = draft(vec![entry("h.x/app:a", "linux/amd64", &[])]);
    let more = |tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        PushPlan::new(&draft, ListFormat::Auto, &tags, &Layouts::default()).unwrap().is_complete_before_tags
    };
    assert!(!more(&[]) && !more(&["1"]) && more(&["1", "2"]));
}
