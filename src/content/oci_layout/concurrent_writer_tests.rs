//! Tests of several processes that write to one layout.

use std::time::Duration;

use super::*;
use crate::content::oci_layout::LockWait;
use crate::content::oci_layout::sink::LayoutSink;
use crate::content::registry::ManifestName;
use crate::content::source_and_sink::ContentSink;

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const LOCK_WAIT: LockWait<'static> = LockWait { limit: Some(Duration::from_secs(5)), notice: &|_| () };

fn publish(sink: &LayoutSink<'_>, tag: &str) -> Result<(), ContentError> {
    sink.publish(&ManifestName::Tag(tag.to_owned()), INDEX_TYPE, format!("{{\"is\":\"{tag}\"}}").as_bytes())
}

fn named(scheme: &str, path: &Path) -> LayoutReference {
    LayoutReference::parse(&format!("{scheme}:{}", path.display())).unwrap().unwrap()
}

/// Which of the tags 1, 2 and 3 the layout has.
fn tags(name: &LayoutReference) -> Vec<bool> {
    let layout = Layout::open(name).unwrap();
    ["1", "2", "3"].map(|tag| !layout.index.find_by_name(tag).is_empty()).to_vec()
}

#[test]
fn archive_writer_refuses_to_replace_an_archive_that_changed() {
    let directory = tempfile::tempdir().unwrap();
    let name = named("oci-archive", &directory.path().join("a.tar"));
    let open = || LayoutSink::open(&name, LOCK_WAIT).unwrap();
    // The first round creates the archive, the second one adds to it.
    for (first, second, expected) in [("1", "2", [true, false, false]), ("3", "2", [true, false, true])] {
        let (faster, slower) = (open(), open());
        publish(&faster, first).unwrap();
        let refused = publish(&slower, second).unwrap_err();
        assert!(matches!(refused, ContentError::Layout(LayoutError::Replaced { .. })), "{refused}");
        drop(slower);
        assert_eq!(tags(&name), expected);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file stays");
    }
    publish(&open(), "2").unwrap();
    assert_eq!(tags(&name), [true; 3]);
}

#[test]
fn directory_writers_share_a_directory_that_a_killed_writer_left() {
    let directory = tempfile::tempdir().unwrap();
    let name = named("oci", &directory.path().join("dir"));
    let open = || LayoutSink::open(&name, LOCK_WAIT).unwrap();
    // A process was killed before the directory became a layout.
    fs::create_dir(&name.path).unwrap();
    fs::write(name.path.join(".docker-manifest-1-0"), "{").unwrap();
    let first = open();
    let blob = b"a blob";
    first.put_by_digest(&Digest::from_bytes(blob), INDEX_TYPE, blob).unwrap();
    let second = open();
    publish(&second, "2").unwrap();
    publish(&first, "1").unwrap();
    assert_eq!(tags(&name), [true, true, false]);
}
