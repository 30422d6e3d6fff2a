//! The mark of a draft that holds more than docker's format can. By it the sidecar recognises its directory after a
//! copy, or if the filesystem gives the directory another inode. See `store-format.md`, "The mark".

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use serde::Deserialize;

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;

/// The number of hexadecimal digits of a mark.
const DIGITS: usize = 32;

/// The only member of an entry's file that matters here.
#[derive(Deserialize)]
struct Marked {
    #[serde(rename = "Mark")]
    mark: Option<String>,
}

/// A random mark.
pub(super) fn random() -> String {
    // The keys of each hasher are random.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// Whether this text can be a mark.
pub(super) fn is_one(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Adds a mark to the file of an entry without one.
pub(super) fn marked(mut file: Vec<u8>, mark: &str) -> Vec<u8> {
    if !mark.is_empty() && file.pop_if(|last| *last == b'}').is_some() {
        file.extend(format!(",\"Mark\":\"{mark}\"}}").into_bytes());
    }
    file
}

/// The mark in an entry's file; empty without a mark.
pub(super) fn of(file: &[u8]) -> String {
    let is_possible = file.windows(6).any(|window| window == b"\"Mark\"");
    let marked = is_possible.then(|| serde_json::from_slice::<Marked>(file).ok()).flatten();
    marked.and_then(|marked| marked.mark).unwrap_or_default()
}

/// Whether any entry in the directory has the mark. A file that cannot be read has none.
pub(super) fn is_in(directory: &Path, mark: &str) -> bool {
    let names = directory::names(directory).ok().flatten().unwrap_or_default();
    let files =
        names.iter().filter_map(|name| checked_access::read(&directory.join(name), checked_access::FILE_LIMIT).ok());
    !mark.is_empty() && files.map(|(bytes, _)| of(&bytes)).any(|borne| borne == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_last_member_and_is_found_again() {
        let mark = random();
        assert!(is_one(&mark) && mark != random(), "{mark}");
        let file = marked(br#"{"Ref":"a"}"#.to_vec(), &mark);
        assert_eq!(String::from_utf8(file.clone()).unwrap(), format!(r#"{{"Ref":"a","Mark":"{mark}"}}"#));
        assert_eq!(of(&file), mark);
        assert_eq!(marked(b"{}".to_vec(), ""), b"{}");
        for none in [r#"{"Ref":"\"Mark\""}"#, "{", r#"{"Mark":1}"#, r#"{"Mark":null}"#, ""] {
            assert_eq!(of(none.as_bytes()), "", "{none}");
        }
        for bad in ["", "0", &"A".repeat(DIGITS), &"g".repeat(DIGITS)] {
            assert!(!is_one(bad));
        }
    }
}
