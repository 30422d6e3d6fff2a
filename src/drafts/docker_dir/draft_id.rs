//! The draft id: random digits in the sidecar (member `mark`) and in each entry (member `Mark`) of a draft of format 2
//! or more. It matches the sidecar with its directory after a copy, or if the filesystem gives the directory another
//! inode. See `store-format.md`, "The mark".

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use serde::Deserialize;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;

/// The number of hexadecimal digits of a draft id.
const DRAFT_ID_DIGITS: usize = 32;

/// The member of an entry's file.
#[derive(Deserialize)]
struct IdMember {
    #[serde(rename = "Mark")]
    id: Option<String>,
}

/// A random draft id.
pub(super) fn random() -> String {
    // The keys of each hasher are random.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// Whether a text is a draft id.
pub(super) fn is_valid(text: &str) -> bool {
    text.len() == DRAFT_ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Adds a draft id to the file of an entry without one.
pub(super) fn append_id(mut file: Vec<u8>, id: &str) -> Vec<u8> {
    if !id.is_empty() && file.pop_if(|last| *last == b'}').is_some() {
        file.extend(format!(",\"Mark\":\"{id}\"}}").into_bytes());
    }
    file
}

/// The draft id in the file of an entry; empty without one.
pub(super) fn read(file: &[u8]) -> String {
    let has_member_name = file.windows(6).any(|window| window == b"\"Mark\"");
    let member = has_member_name.then(|| serde_json::from_slice::<IdMember>(file).ok()).flatten();
    member.and_then(|member| member.id).unwrap_or_default()
}

/// Whether any entry in a directory has this draft id. A file that cannot be read has none.
pub(super) fn is_in_entries(directory: &Path, id: &str) -> bool {
    let names = directory_operations::names(directory).ok().flatten().unwrap_or_default();
    let files = names
        .iter()
        .filter_map(|name| checked_access::read(&directory.join(name), checked_access::FILE_BYTES_MAX).ok());
    !id.is_empty() && files.map(|(bytes, _)| read(&bytes)).any(|found| found == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draft_id_is_the_last_member_of_an_entry_file() {
        let id = random();
        assert!(is_valid(&id) && id != random(), "{id}");
        let file = append_id(br#"{"Ref":"a"}"#.to_vec(), &id);
        assert_eq!(String::from_utf8(file.clone()).unwrap(), format!(r#"{{"Ref":"a","Mark":"{id}"}}"#));
        assert_eq!(read(&file), id);
        assert_eq!(append_id(b"{}".to_vec(), ""), b"{}");
        for none in [r#"{"Ref":"\"Mark\""}"#, "{", r#"{"Mark":1}"#, r#"{"Mark":null}"#, ""] {
            assert_eq!(read(none.as_bytes()), "", "{none}");
        }
        for bad in ["", "0", &"A".repeat(DRAFT_ID_DIGITS), &"g".repeat(DRAFT_ID_DIGITS)] {
            assert!(!is_valid(bad));
        }
    }
}
