//! Fuzz target for layouts; see [`crate::fuzzing`].

use crate::content::oci_layout::LayoutReference;
use crate::content::oci_layout::index_json::IndexJson;
use crate::content::oci_layout::tar_reader;
use crate::digest::Digest;

/// An archive, an `index.json`, or a name on the command line. Members lie within the archive and have names that lead
/// nowhere else; an index that is changed is read back as it was written.
pub(crate) fn layout(bytes: &[u8]) {
    if let Ok(members) = tar_reader::read_members(&mut &*bytes, None) {
        for (name, (at, size)) in members {
            assert!(at.checked_add(size).is_some_and(|end| end <= bytes.len() as u64), "{name:.200}");
            assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name:.200}");
        }
    }
    if let Ok(mut index) = IndexJson::decode(bytes) {
        let digest = Digest::from_bytes(bytes);
        index.set_entry(Some("1"), "a/b", &digest, 1);
        assert_eq!(index.find_by_name("1").first().map(|entry| &entry.digest), Some(&digest));
        let written = index.encode().expect("an index can be written");
        assert_eq!(IndexJson::decode(&written).as_ref(), Ok(&index));
    }
    if let Some(Ok(name)) = std::str::from_utf8(bytes).ok().and_then(LayoutReference::parse) {
        assert_eq!(name.to_string().as_bytes(), bytes);
    }
}
