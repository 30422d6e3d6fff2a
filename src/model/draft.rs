//! A draft: the manifest list that a user builds before pushing it. It is a value. Only the store knows where it is
//! kept.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::source::{Carried, SourceIndex};
use crate::platform::Platform;
use crate::reference::Reference;

/// A named set of entries. [`Draft::entries`] has the order of their keys, which is docker's, and [`Draft::listed`] the
/// order of the list. See `store-format.md`, "Order and form".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The name of the list.
    pub reference: Reference,
    /// The list's own annotations. Only an OCI index has them.
    pub annotations: BTreeMap<String, String>,
    /// The list's own artifact type; empty if it has none. Only an OCI index has it.
    pub artifact_type: String,
    /// The list's own subject. Only an OCI index has it.
    pub subject: Option<Descriptor>,
    /// The index that the list takes its form from, if it was made from one.
    pub source: Option<SourceIndex>,
    /// The order of the list: keys of entries and of carried descriptors. Empty means docker's order: that of the keys,
    /// attestations last. A key without an entry is skipped; an entry that is not named comes after the last image.
    pub order: Vec<EntryKey>,
    /// Descriptors that name neither an image nor an index.
    pub carried: Vec<Carried>,
    /// Platforms that were read from images because the index does not state them, by the keys of their entries.
    pub platforms: BTreeMap<EntryKey, Platform>,
    /// The digest that the list's tag named when the draft was made from that list, or was pushed.
    pub remote_digest: Option<Digest>,
    /// Whether one image is published as itself, if a list would say nothing more. No store has it.
    pub prefers_image: bool,
    pub(super) entries: BTreeMap<EntryKey, Entry>,
}

/// One descriptor of the list of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListItem<'a> {
    /// An entry, with its key.
    Entry(&'a EntryKey, &'a Entry),
    /// A descriptor that is published unchanged.
    Carried(&'a Carried),
}

impl ListItem<'_> {
    /// Its key in the order of the draft.
    pub fn key(&self) -> EntryKey {
        match self {
            ListItem::Entry(key, _) => (*key).clone(),
            ListItem::Carried(carried) => carried.key(),
        }
    }

    pub(super) fn is_image(&self) -> bool {
        matches!(self, ListItem::Entry(_, entry) if entry.attests().is_none())
    }
}

impl Draft {
    /// A draft without entries.
    pub fn new(reference: Reference) -> Draft {
        Draft {
            reference,
            annotations: BTreeMap::new(),
            artifact_type: String::new(),
            subject: None,
            source: None,
            order: Vec::new(),
            carried: Vec::new(),
            platforms: BTreeMap::new(),
            remote_digest: None,
            prefers_image: false,
            entries: BTreeMap::new(),
        }
    }

    /// Whether the list has own members that docker's store cannot hold.
    pub fn says_more(&self) -> bool {
        !self.annotations.is_empty() || !self.artifact_type.is_empty() || self.subject.is_some()
    }

    /// Whether the list's tag was last seen with this digest.
    pub fn was_served_as(&self, digest: &Digest) -> bool {
        self.remote_digest.as_ref() == Some(digest)
    }

    /// The only image, if there is nothing that the image itself does not say.
    pub fn lone_image(&self) -> Option<&Entry> {
        let mut entries = self.entries();
        let only = entries.next().filter(|_| entries.next().is_none() && self.source.is_none())?;
        let is_plain = only.descriptor.annotations.is_empty() && only.given_artifact_type().is_empty();
        Some(only).filter(|_| is_plain && self.carried.is_empty() && !self.says_more())
    }

    /// The entries in the order of their keys, as docker shows them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Whether the draft needs format 3 of the store.
    pub fn has_form(&self) -> bool {
        self.source.is_some() || !self.order.is_empty() || !self.carried.is_empty() || !self.platforms.is_empty()
    }

    /// The entries with their keys, in the order of the keys.
    pub fn keyed(&self) -> &BTreeMap<EntryKey, Entry> {
        &self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.carried.is_empty()
    }

    /// The entry of `image`.
    pub fn get(&self, image: &Reference) -> Option<&Entry> {
        self.entries.get(&EntryKey::of(image))
    }

    /// Adds an entry, or replaces that of the same image.
    pub fn insert(&mut self, entry: Entry) {
        let key = EntryKey::of(&entry.reference);
        if !self.order.is_empty() && !self.entries.contains_key(&key) {
            self.order.retain(|other| *other != key);
            let is_image = |key: &EntryKey| self.entries.get(key).is_some_and(|entry| entry.attests().is_none());
            let last_image = self.order.iter().rposition(is_image).map_or(0, |place| place + 1);
            let place = if entry.attests().is_none() { last_image } else { self.order.len() };
            self.order.insert(place, key.clone());
        }
        self.entries.insert(key, entry);
    }

    /// Replaces the entry `old` by another one, in the order, too.
    pub fn replace(&mut self, old: &Reference, entry: Entry) {
        let (was, is) = (EntryKey::of(old), EntryKey::of(&entry.reference));
        self.insert(entry);
        if was != is {
            self.entries.remove(&was);
            self.platforms.remove(&was);
            if self.order.contains(&was) {
                self.order.retain(|key| *key != is);
            }
            if let Some(place) = self.order.iter_mut().find(|key| **key == was) {
                *place = is;
            }
        }
    }

    /// Adds an entry under the key by which a store keeps it; in a draft that is never stored, under a key that states
    /// its position.
    pub fn insert_keyed(&mut self, key: EntryKey, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// Removes the entry of `image`, if there is one. Returns it.
    pub fn remove(&mut self, image: &Reference) -> Option<Entry> {
        let key = EntryKey::of(image);
        let entry = self.entries.remove(&key)?;
        self.order.retain(|other| *other != key);
        self.platforms.remove(&key);
        // A draft of plain images has docker's order.
        if self.source.is_none() && self.carried.is_empty() && self.entries().all(|entry| entry.source.is_none()) {
            self.order.clear();
            self.platforms.clear();
        }
        Some(entry)
    }

    /// Removes an entry, and its attestations and referrers if no entry of that digest is left. Returns all removed
    /// entries.
    pub fn take_out(&mut self, entry: &Entry) -> Vec<Entry> {
        let mut gone: Vec<Entry> = self.remove(&entry.reference).into_iter().collect();
        // Removal continues recursively, for example with the signature of an attestation.
        let mut next = 0;
        while let Some(digest) = gone.get(next).map(|gone| gone.descriptor.digest.clone()) {
            next += 1;
            if !self.has(&digest) {
                for belonging in self.belonging(&digest) {
                    gone.extend(self.remove(&belonging));
                }
            }
        }
        gone
    }

    /// Whether there is an entry with this digest.
    pub fn has(&self, digest: &Digest) -> bool {
        self.entries().any(|entry| entry.descriptor.digest == *digest)
    }

    /// What belongs to the manifest with this digest: its attestations and referrers.
    pub fn belonging(&self, digest: &Digest) -> Vec<Reference> {
        let belongs =
            |entry: &&Entry| entry.attests().as_ref() == Some(digest) || entry.subject().as_ref() == Some(digest);
        let belonging = self.entries().filter(belongs);
        belonging.map(|entry| entry.reference.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Schema;
    use crate::platform::Platform;

    fn entry(reference: &str, os: &str) -> Entry {
        let platform = Platform { os: os.into(), architecture: "amd64".into(), ..Platform::default() };
        Entry::fetched(Reference::parse(reference).unwrap(), Schema::Docker, b"{}".to_vec(), Some(platform))
    }

    #[test]
    fn entries_stand_in_the_order_of_their_keys() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        for image in ["h.x/b:1", "h.x/a:2", "h.x/a:10"] {
            draft.insert(entry(image, "linux"));
        }
        let order: Vec<String> = draft.entries().map(|entry| entry.reference.to_string()).collect();
        assert_eq!(order, ["h.x/a:10", "h.x/a:2", "h.x/b:1"]);
    }

    #[test]
    fn attestations_are_found_by_what_they_attest() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        let image = entry("h.x/a:1", "linux");
        let mut attestation = entry("h.x/a:att", "unknown");
        let notes = [
            ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
            ("vnd.docker.reference.digest", image.descriptor.digest.to_string()),
        ];
        attestation.descriptor.annotations = notes.map(|(name, value)| (name.to_owned(), value)).into();
        draft.insert(image.clone());
        draft.insert(attestation.clone());
        assert_eq!(draft.belonging(&image.descriptor.digest), [attestation.reference.clone()]);
        let mut late = entry("h.x/z:1", "linux");
        late.descriptor.annotations.insert("late".into(), "1".into());
        draft.insert(late);
        let shown = String::from_utf8(draft.preview().unwrap().bytes).unwrap();
        assert!(shown.find("late") < shown.find("attestation-manifest"), "attestations stand last: {shown}");
        assert_eq!(draft.remove(&attestation.reference), Some(attestation.clone()));
        assert_eq!(draft.remove(&attestation.reference), None);
        assert!(draft.belonging(&image.descriptor.digest).is_empty());
    }

    #[test]
    fn what_is_added_later_stands_behind_the_images() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        let attestation = |reference: &str| {
            let mut entry = entry(reference, "unknown");
            let digest = Digest::from_bytes(b"x").to_string();
            let notes =
                [("vnd.docker.reference.type", "attestation-manifest"), ("vnd.docker.reference.digest", &digest)];
            entry.descriptor.annotations = notes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            entry
        };
        for image in ["h.x/z:1", "h.x/y:1"] {
            draft.insert(entry(image, "linux"));
        }
        draft.insert(attestation("h.x/att:1"));
        let key = |image: &str| EntryKey::of(&Reference::parse(image).unwrap());
        draft.arrange(["h.x/z:1", "h.x/gone:1", "h.x/y:1", "h.x/att:1"].map(key));
        let shown = |draft: &Draft| {
            draft.listed().map(|entry| entry.reference.to_string().replace("h.x/", "")).collect::<Vec<_>>().join(" ")
        };
        draft.insert(entry("h.x/b:1", "linux"));
        draft.insert(entry("h.x/a:1", "linux"));
        draft.insert(attestation("h.x/0:1"));
        assert_eq!(shown(&draft), "z:1 y:1 b:1 a:1 att:1 0:1");
        // Entries that docker adds are not in the order, and an entry that replaces another takes its position.
        draft.insert_keyed(EntryKey::named("h.x_c-1"), entry("h.x/c:1", "linux"));
        draft.replace(&Reference::parse("h.x/z:1").unwrap(), entry("h.x/0:2", "linux"));
        assert_eq!(shown(&draft), "0:2 y:1 b:1 a:1 c:1 att:1 0:1");
        draft.replace(&Reference::parse("h.x/y:1").unwrap(), entry("h.x/y:1", "linux"));
        draft.replace(&Reference::parse("h.x/0:2").unwrap(), entry("h.x/b:1", "linux"));
        assert_eq!(shown(&draft), "b:1 y:1 a:1 c:1 att:1 0:1");
    }
}
