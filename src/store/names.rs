//! From a directory's name back to a list's. Docker's naming loses which `-` was a `:` and which `_` was a `/`, so a
//! list that this program has not written down can only be guessed. See `store-format.md`, "Names that docker mixes".

use crate::document::draft;
use crate::reference::Reference;

/// A draft that is there, by the name of its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredName {
    /// The directory's name, which several references can share.
    pub directory: String,
    /// The list that it holds, where this program made or changed it.
    pub known: Option<Reference>,
}

impl StoredName {
    /// The list: known for sure, or the likeliest that docker keeps under this name; `None` if there is none.
    pub fn list(&self) -> Option<Reference> {
        self.known.clone().or_else(|| guess(&self.directory))
    }
}

/// Takes every `_` for a `/`, the last `-` for the tag's `:`, and digits behind a `-` in the host for its port.
fn guess(directory: &str) -> Option<Reference> {
    let with_tag = |name: &str, sign: &str| name.rsplit_once('-').map(|(name, tag)| format!("{name}{sign}{tag}"));
    let name = match directory.split_once('@') {
        Some((name, digest)) => format!("{name}@{}", with_tag(digest, ":")?),
        None => with_tag(directory, ":")?,
    };
    let (host, path) = name.split_once('_')?;
    let host = match host.rsplit_once('-') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    let list = Reference::parse_canonical(&format!("{host}/{}", path.replace('_', "/"))).ok()?;
    (draft::key(&list) == directory).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_list_is_guessed() {
        let digest = format!("h.x/a@sha256:{}", "ab".repeat(32));
        for list in ["docker.io/library/alpine:latest", "h.x:5000/a/b:1", "h-y.x/a:t", "127.0.0.1:5/a:1", &digest] {
            let name = StoredName { directory: draft::key(&Reference::parse(list).unwrap()), known: None };
            assert_eq!(name.list().map(|list| list.to_string()).as_deref(), Some(list));
        }
        for nothing in ["", "x", "h.x_A-1", "h.x_a-ü"] {
            assert_eq!(StoredName { directory: nothing.into(), known: None }.list(), None, "{nothing}");
        }
    }
}
