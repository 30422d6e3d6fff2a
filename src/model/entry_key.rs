//! The keys of a draft's entries, and docker's order of them.

use std::cmp::Ordering;

use crate::reference::Reference;

/// The key of an entry, or of another descriptor, in a draft.
///
/// Keys sort as docker sorts the entries of a list: by the image's full name, with `-` in place of `:` and `_` in place
/// of `/`. The store decides where entries are kept, and under which names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryKey {
    text: String,
    is_reference: bool,
}

impl EntryKey {
    /// The key of an image's entry.
    pub fn from_reference(image: &Reference) -> EntryKey {
        EntryKey { text: image.to_string(), is_reference: true }
    }

    /// Any other key: a position in a list, a digest, or the file name of an entry that is not named after its image.
    pub fn from_text(name: impl Into<String>) -> EntryKey {
        EntryKey { text: name.into(), is_reference: false }
    }

    /// The full name of the image; `None` for a key that is not an image's.
    pub fn reference_text(&self) -> Option<&str> {
        self.is_reference.then_some(self.text.as_str())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn sort_bytes(&self) -> impl Iterator<Item = u8> {
        let is_image = self.is_reference;
        self.text.bytes().map(move |byte| match byte {
            b':' if is_image => b'-',
            b'/' if is_image => b'_',
            byte => byte,
        })
    }
}

impl Ord for EntryKey {
    fn cmp(&self, other: &EntryKey) -> Ordering {
        let by_text = || self.is_reference.cmp(&other.is_reference).then_with(|| self.text.cmp(&other.text));
        self.sort_bytes().cmp(other.sort_bytes()).then_with(by_text)
    }
}

impl PartialOrd for EntryKey {
    fn partial_cmp(&self, other: &EntryKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_keys_sort_as_docker_sorts_images() {
        let image_key = |text: &str| EntryKey::from_reference(&Reference::parse(text).unwrap());
        let mut keys =
            ["h.x/a:2", "h.x/a/b:1", "h.x/a.b:1", "h.x/a:10", "h.x/a_b:1", "h.x:5/a:1"].map(image_key).to_vec();
        keys.push(EntryKey::from_text("h.x_a-1"));
        keys.sort();
        let sorted: Vec<&str> = keys.iter().map(EntryKey::as_str).collect();
        // The byte order is `-`, `.`, `_`.
        assert_eq!(sorted, ["h.x:5/a:1", "h.x_a-1", "h.x/a:10", "h.x/a:2", "h.x/a.b:1", "h.x/a/b:1", "h.x/a_b:1"]);
        assert_eq!(image_key("h.x/a:1").reference_text(), Some("h.x/a:1"));
        assert_ne!(image_key("h.x/a:1"), EntryKey::from_text("h.x/a:1"));
    }
}
