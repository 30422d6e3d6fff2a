//! Fuzz target for the entries of shared drafts; see [`crate::fuzzing`].

use super::entry::RESERVED_PREFIX;
use super::{ExpectedEntryName, SharedEntry, TagParts};
use crate::model::media_type;
use crate::reference::Reference;

/// An entry that can be read has a limited size, adds nothing forbidden to a list, and is encoded as an equal one.
pub(crate) fn shared_entry(bytes: &[u8]) {
    if let Some(parts) = std::str::from_utf8(bytes).ok().and_then(TagParts::parse) {
        let joined = format!("draft.{}.{}.{}", parts.list, parts.run, parts.key);
        assert_eq!(TagParts::parse(&joined), Some(parts));
    }
    for served in [media_type::OCI_INDEX, media_type::DOCKER_LIST] {
        let run = Some("r");
        let Some(tag) = SharedEntry::derive_tag(served, bytes, "1", run) else { continue };
        for expected in [ExpectedEntryName::Any, ExpectedEntryName::ListAndRun("1", run)] {
            let Ok(entry) = SharedEntry::decode(served, bytes, &tag, expected) else { continue };
            let reference = Reference::parse(&format!("h.x/a:{tag}"));
            assert!(tag.len() <= 128 && reference.is_ok_and(|reference| reference.tag() == Some(&tag)), "{tag:.200}");
            assert_eq!(entry.name.tag(), tag);
            for descriptor in entry.descriptors() {
                assert!(
                    descriptor.urls.is_empty()
                        && !descriptor.annotations.keys().any(|name| name.starts_with(RESERVED_PREFIX))
                );
            }
            if entry.is_annotated {
                // An entry that would be over the limit when it is encoded again is refused, not truncated.
                let Ok(encoded) = entry.encode() else { continue };
                assert_eq!(SharedEntry::decode(served, &encoded, &tag, expected).as_ref(), Ok(&entry));
            }
        }
    }
}
