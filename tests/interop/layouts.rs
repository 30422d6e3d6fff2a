//! OCI image layouts beside skopeo, buildah and umoci (Debian 12): they read ours, we read theirs, and digests stay.

use serde_json::{Value, json};

use crate::fixture::Fixture;

fn inspect_raw(fixture: &Fixture, name: &str) -> Value {
    serde_json::from_str(&fixture.ours(&format!("inspect --raw --insecure {{R}}/{name}"))).expect("a manifest")
}

fn digest(fixture: &Fixture, name: &str) -> String {
    let json = fixture.ours(&format!("inspect --format json --insecure {{R}}/{name}"));
    serde_json::from_str::<Value>(&json).expect("JSON")["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn skopeo_reads_our_layouts_and_archives() {
    let Some(fixture) = Fixture::new("skopeo", "1.9.3") else { return };
    fixture.publish("attested");
    let ours = digest(&fixture, "ours:attested");
    for (place, read) in [
        ("oci:{D}/layout:one", "oci:{D}/layout:one"),
        ("oci-archive:{D}/layout.tar:one", "oci-archive:{D}/layout.tar:one"),
        ("oci-layout://{D}/other:two", "oci:{D}/other:two"),
    ] {
        fixture.ours(&format!("copy --insecure {{R}}/ours:attested {place}"));
        fixture.run_ok(&format!("skopeo copy --all --preserve-digests {read} docker://{{R}}/back:skopeo"));
        assert_eq!(digest(&fixture, "back:skopeo"), ours, "{place}");
        fixture.ours(&format!("copy --insecure {place} {{R}}/back:ours"));
        assert_eq!(digest(&fixture, "back:ours"), ours, "{place}");
    }
}

#[test]
fn we_read_layouts_of_skopeo() {
    let Some(fixture) = Fixture::new("skopeo", "1.9.3") else { return };
    fixture.publish("oci");
    let ours = digest(&fixture, "ours:oci");
    for (written, read) in [
        ("oci:{D}/s:1", "oci:{D}/s:1"),
        ("oci:{D}/s:h.x/app:2", "oci-layout://{D}/s:2"),
        ("oci:{D}/nameless", "ocidir://{D}/nameless"),
        ("oci-archive:{D}/s.tar:1", "oci-archive:{D}/s.tar"),
    ] {
        fixture.run_ok(&format!("skopeo copy --all --preserve-digests docker://{{R}}/ours:oci {written}"));
        fixture.ours(&format!("copy --insecure {read} {{R}}/from-skopeo:1"));
        assert_eq!(digest(&fixture, "from-skopeo:1"), ours, "{written}");
        fixture.ours(&format!("copy --insecure {read}@{ours} {{R}}/from-skopeo:2").replace(
            // Only layouts named by a URL can have a digest.
            &format!("{read}@{ours}"),
            &if read.contains("//") { format!("{read}@{ours}") } else { read.to_owned() },
        ));
        assert_eq!(digest(&fixture, "from-skopeo:2"), ours, "{written}");
    }
}

#[test]
fn an_index_entry_of_skopeo_is_kept_when_we_write_to_its_layout() {
    let Some(fixture) = Fixture::new("skopeo", "1.9.3") else { return };
    fixture.publish("oci");
    fixture.run_ok("skopeo copy --preserve-digests docker://{R}/oci:amd64 oci:{D}/shared:theirs");
    fixture.ours("copy --insecure {R}/ours:oci oci:{D}/shared:ours");
    fixture.run_ok("skopeo copy --preserve-digests docker://{R}/oci:arm64 oci:{D}/shared:late");
    for (name, of) in [("theirs", "oci:amd64"), ("ours", "ours:oci"), ("late", "oci:arm64")] {
        fixture.ours(&format!("copy --insecure oci:{{D}}/shared:{name} {{R}}/shared:{name}"));
        assert_eq!(digest(&fixture, &format!("shared:{name}")), digest(&fixture, of), "{name}");
    }
}

#[test]
fn umoci_unpacks_our_layout_and_we_read_its_layout() {
    let Some(fixture) = Fixture::new("umoci", "0.4.7") else { return };
    fixture.ours("copy --insecure {R}/oci:amd64 oci:{D}/u:one");
    let listed = fixture.run_ok("umoci ls --layout {D}/u");
    assert_eq!(listed.trim(), "one");
    fixture.run_ok("umoci tag --image {D}/u:one two");
    fixture.run_ok("umoci config --image {D}/u:two --tag three --config.env A=B");
    for name in ["two", "three"] {
        fixture.ours(&format!("copy --insecure oci:{{D}}/u:{name} {{R}}/umoci:{name}"));
    }
    assert_eq!(digest(&fixture, "umoci:two"), digest(&fixture, "oci:amd64"));
    assert_ne!(digest(&fixture, "umoci:three"), digest(&fixture, "oci:amd64"));
    assert_eq!(inspect_raw(&fixture, "umoci:three")["schemaVersion"], json!(2));
}

#[test]
fn we_read_layouts_of_buildah() {
    let Some(fixture) = Fixture::new("buildah", "1.28.2") else { return };
    fixture.run_ok("buildah pull -q {R}/oci:amd64");
    fixture.run_ok("buildah push -q {R}/oci:amd64 oci:{D}/b:one");
    fixture.ours("copy --insecure oci:{D}/b:one {R}/from-buildah:1");
    fixture.ours("copy --insecure {R}/from-buildah:1 oci-archive:{D}/b.tar:one");
    fixture.run_ok("buildah pull -q oci-archive:{D}/b.tar:one");
}
