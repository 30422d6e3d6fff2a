//! A draft: the manifest list that a user builds entry by entry before pushing it. A pure value; where it is kept is
//! the store's business alone, so that another store can hold the same drafts.

use std::collections::BTreeMap;

use crate::document::entry::Entry;
use crate::document::error::DocumentError;
use crate::document::list::{self, Item, List};
use crate::reference::Reference;

/// A named set of entries. Their order, which is the list's, is the byte order of their keys, as docker has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The list that this will become.
    pub reference: Reference,
    entries: BTreeMap<String, Entry>,
}

/// The name under which docker keeps a reference, of a list or of an entry: `:` becomes `-` and `/` becomes `_`.
///
/// Two references can share a key (`h/a_b:1` and `h/a/b:1`); see `store-format.md`, "Names that docker mixes".
pub fn key(reference: &Reference) -> String {
    reference.to_string().replace(':', "-").replace('/', "_")
}

impl Draft {
    /// A draft with no entries.
    pub fn new(reference: Reference) -> Draft {
        Draft { reference, entries: BTreeMap::new() }
    }

    /// The entries in the list's order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The entries with their keys, in the list's order.
    pub fn keyed(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of `image`.
    pub fn get(&self, image: &Reference) -> Option<&Entry> {
        self.entries.get(&key(image)).filter(|entry| entry.reference == *image)
    }

    /// Puts an entry in place of the one that its image had, if it had one.
    ///
    /// # Errors
    /// Where another image stands under the key that docker gives to both.
    pub fn insert(&mut self, entry: Entry) -> Result<(), DocumentError> {
        let key = key(&entry.reference);
        if let Some(holder) = self.entries.get(&key).filter(|holder| holder.reference != entry.reference) {
            return Err(DocumentError::KeyTaken {
                wanted: entry.reference.to_string(),
                holder: holder.reference.to_string(),
            });
        }
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Puts an entry under the key that a store found it by.
    pub fn insert_keyed(&mut self, key: String, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// The list that a push of this draft sends.
    ///
    /// # Errors
    /// An entry with no platform, in another registry than the list, or with bytes that are not what it says they are.
    pub fn list(&self) -> Result<List, DocumentError> {
        for entry in self.entries() {
            let platform = entry.descriptor.platform.as_ref();
            if platform.is_none_or(|platform| platform.os.is_empty() || platform.architecture.is_empty()) {
                return Err(DocumentError::NoPlatform(entry.reference.to_string()));
            }
            self.check_registry(entry)?;
        }
        self.entries().try_for_each(Entry::verify)?;
        self.build()
    }

    /// The list as `inspect` shows it, which an entry with no platform may stand in.
    ///
    /// # Errors
    /// Where an entry is in another registry than the list, as docker has it.
    pub fn preview(&self) -> Result<List, DocumentError> {
        self.entries().try_for_each(|entry| self.check_registry(entry))?;
        self.build()
    }

    fn build(&self) -> Result<List, DocumentError> {
        let items: Vec<Item> = self.entries().map(|entry| Item::of(&entry.descriptor)).collect();
        list::build(&items)
    }

    fn check_registry(&self, entry: &Entry) -> Result<(), DocumentError> {
        let source_domain = entry.reference.repository().domain();
        let target_domain = self.reference.repository().domain();
        if source_domain == target_domain {
            return Ok(());
        }
        Err(DocumentError::OtherRegistry {
            source_domain: source_domain.to_owned(),
            target_domain: target_domain.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::manifest::Schema;
    use crate::platform::Platform;

    fn entry(reference: &str, os: &str) -> Entry {
        let platform = Platform { os: os.into(), architecture: "amd64".into(), ..Platform::default() };
        Entry::fetched(Reference::parse(reference).unwrap(), Schema::Docker, b"{}".to_vec(), Some(platform))
    }

    #[test]
    fn entries_stand_in_the_order_of_their_keys() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        for image in ["h.x/b:1", "h.x/a:2", "h.x/a:10"] {
            draft.insert(entry(image, "linux")).unwrap();
        }
        let order: Vec<String> = draft.entries().map(|entry| entry.reference.to_string()).collect();
        assert_eq!(order, ["h.x/a:10", "h.x/a:2", "h.x/b:1"]);
        assert_eq!(key(&draft.reference), "h.x_l-latest");
    }

    #[test]
    fn two_images_under_one_key_are_not_mixed() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a_b:1", "linux")).unwrap();
        assert!(draft.get(&Reference::parse("h.x/a/b:1").unwrap()).is_none());
        let refused = draft.insert(entry("h.x/a/b:1", "linux"));
        assert!(matches!(refused, Err(DocumentError::KeyTaken { .. })));
    }

    #[test]
    fn a_list_needs_platforms_and_one_registry() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "")).unwrap();
        assert_eq!(
            draft.list().unwrap_err().to_string(),
            "manifest h.x/a:1 must have an OS and Architecture to be pushed to a registry"
        );
        assert!(draft.preview().is_ok());
        draft.insert(entry("h.x/a:1", "linux")).unwrap();
        assert!(draft.list().is_ok());
        draft.insert(entry("g.x/a:1", "linux")).unwrap();
        assert_eq!(
            draft.preview().unwrap_err().to_string(),
            "cannot use source images from a different registry than the target image: g.x != h.x"
        );
    }

    proptest! {
        /// What docker and the store rely on: a name for a file, not a path, and never one of the store's own.
        #[test]
        fn keys_are_names_of_files(texts in prop::array::uniform2("([a-c.:\\[\\]_-]{1,6}/){0,3}[a-c._-]{1,6}(:[a-c._-]{1,3})?")) {
            let [one, two] = texts.map(|text| Reference::parse(&text).ok());
            for reference in one.iter().chain(&two) {
                let key = key(reference);
                prop_assert!(!key.is_empty() && !key.starts_with('.') && !key.contains(['/', ':', '\0']), "{key}");
                prop_assert_eq!(key.len(), reference.to_string().len());
            }
            if let (Some(one), Some(two)) = (one, two) {
                prop_assert!(one != two || key(&one) == key(&two));
                let again = Reference::parse(&one.to_string());
                prop_assert_eq!(again.map(|again| key(&again)), Ok(key(&one)));
            }
        }
    }
}
