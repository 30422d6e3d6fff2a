//! A draft: the manifest list that a user builds before pushing it. It is a value; only the store knows its files.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::source_index::{OpaqueDescriptor, SourceIndex};
use crate::platform::Platform;
use crate::reference::Reference;

/// A named set of entries. [`Draft::entries_in_key_order`] returns them in the order of their keys, as docker does, and
/// [`Draft::entries_in_list_order`] in the order of the list. See `store-format.md`, "Order and source index".
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
    /// The index that the draft was made from. The list is published as this document with the changes of the draft.
    pub source: Option<SourceIndex>,
    /// The order of the list: keys of entries and of opaque descriptors. Empty means docker's order: that of the keys,
    /// attestations last. A key without an entry is skipped. An entry whose key is missing comes after the last image.
    pub order: Vec<EntryKey>,
    /// Descriptors of the source index that name neither an image nor an index.
    pub opaque_descriptors: Vec<OpaqueDescriptor>,
    /// Platforms that were read from the configurations of images because the source index does not state them, by the
    /// keys of the entries.
    pub config_platforms: BTreeMap<EntryKey, Platform>,
    /// The digest that the list's tag named when the draft was made from that list, or was pushed.
    pub remote_digest: Option<Digest>,
    /// Whether a single image is published without a list, if a list would add nothing. It is not stored.
    pub omits_index_for_single_image: bool,
    pub(super) entries: BTreeMap<EntryKey, Entry>,
}

/// One descriptor of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListItem<'a> {
    /// An entry, with its key.
    Entry(&'a EntryKey, &'a Entry),
    /// A descriptor that is published unchanged.
    Opaque(&'a OpaqueDescriptor),
}

impl<'a> ListItem<'a> {
    /// Its key in [`Draft::order`].
    pub fn key(&self) -> EntryKey {
        match self {
            ListItem::Entry(key, _) => (*key).clone(),
            ListItem::Opaque(opaque) => opaque.key(),
        }
    }

    pub(super) fn descriptor(&self) -> &'a Descriptor {
        match self {
            ListItem::Entry(_, entry) => &entry.descriptor,
            ListItem::Opaque(opaque) => &opaque.descriptor,
        }
    }

    pub(super) fn is_image(&self) -> bool {
        matches!(self, ListItem::Entry(_, entry) if !entry.is_attestation())
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
            opaque_descriptors: Vec::new(),
            config_platforms: BTreeMap::new(),
            remote_digest: None,
            omits_index_for_single_image: false,
            entries: BTreeMap::new(),
        }
    }

    /// Whether the list has fields of its own, which a Docker manifest list and docker's store cannot hold.
    pub fn has_oci_only_fields(&self) -> bool {
        !self.annotations.is_empty() || !self.artifact_type.is_empty() || self.subject.is_some()
    }

    /// The only image, if the list adds nothing to it.
    pub fn sole_plain_image(&self) -> Option<&Entry> {
        let mut entries = self.entries_in_key_order();
        let image = entries.next().filter(|_| entries.next().is_none() && self.source.is_none())?;
        let is_plain = image.descriptor.annotations.is_empty() && image.artifact_type_override().is_empty();
        Some(image).filter(|_| is_plain && self.opaque_descriptors.is_empty() && !self.has_oci_only_fields())
    }

    /// The entries in the order of their keys, as docker shows them.
    pub fn entries_in_key_order(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Whether the sidecar of the draft needs format 3: the draft has a source index, an order or members of these.
    pub fn needs_format_3(&self) -> bool {
        self.source.is_some()
            || !self.order.is_empty()
            || !self.opaque_descriptors.is_empty()
            || !self.config_platforms.is_empty()
    }

    /// The entries with their keys, in the order of the keys.
    pub fn entries_by_key(&self) -> &BTreeMap<EntryKey, Entry> {
        &self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.opaque_descriptors.is_empty()
    }

    /// The entry of `image`.
    pub fn get(&self, image: &Reference) -> Option<&Entry> {
        self.entries.get(&EntryKey::from_reference(image))
    }

    /// Adds an entry, or replaces that of the same image.
    pub fn insert(&mut self, entry: Entry) {
        let key = EntryKey::from_reference(&entry.reference);
        if !self.order.is_empty() && !self.entries.contains_key(&key) {
            self.order.retain(|other| *other != key);
            let is_image = |key: &EntryKey| self.entries.get(key).is_some_and(|entry| !entry.is_attestation());
            let last_image = self.order.iter().rposition(is_image).map_or(0, |position| position + 1);
            let position = if entry.is_attestation() { self.order.len() } else { last_image };
            self.order.insert(position, key.clone());
        }
        self.entries.insert(key, entry);
    }

    /// Replaces the entry of `old` by another one, which takes its position in the order.
    pub fn replace(&mut self, old: &Reference, entry: Entry) {
        let (old_key, new_key) = (EntryKey::from_reference(old), EntryKey::from_reference(&entry.reference));
        self.insert(entry);
        if old_key != new_key {
            self.entries.remove(&old_key);
            self.config_platforms.remove(&old_key);
            if self.order.contains(&old_key) {
                self.order.retain(|key| *key != new_key);
            }
            if let Some(old_key_in_order) = self.order.iter_mut().find(|key| **key == old_key) {
                *old_key_in_order = new_key;
            }
        }
    }

    /// Adds an entry under the key that the store has for it. In a draft that is never stored, the key is its position.
    pub fn insert_with_key(&mut self, key: EntryKey, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// Removes the entry of `image`, if there is one. Returns it.
    pub fn remove(&mut self, image: &Reference) -> Option<Entry> {
        let key = EntryKey::from_reference(image);
        let entry = self.entries.remove(&key)?;
        self.order.retain(|other| *other != key);
        self.config_platforms.remove(&key);
        // A draft of plain images has docker's order.
        if self.source.is_none()
            && self.opaque_descriptors.is_empty()
            && self.entries_in_key_order().all(|entry| entry.source.is_none())
        {
            self.order.clear();
            self.config_platforms.clear();
        }
        Some(entry)
    }

    /// Removes an entry, and its attestations and referrers if no entry of that digest is left. Returns all removed
    /// entries.
    pub fn remove_with_dependents(&mut self, entry: &Entry) -> Vec<Entry> {
        let mut removed: Vec<Entry> = self.remove(&entry.reference).into_iter().collect();
        // Removal continues recursively, for example with the signature of an attestation.
        let mut next = 0;
        while let Some(digest) = removed.get(next).map(|removed| removed.descriptor.digest.clone()) {
            next += 1;
            if !self.contains_digest(&digest) {
                for dependent in self.dependents(&digest) {
                    removed.extend(self.remove(&dependent));
                }
            }
        }
        removed
    }

    /// Whether there is an entry with this digest.
    pub fn contains_digest(&self, digest: &Digest) -> bool {
        self.entries_in_key_order().any(|entry| entry.descriptor.digest == *digest)
    }

    /// The attestations and referrers of the manifest with this digest.
    pub fn dependents(&self, digest: &Digest) -> Vec<Reference> {
        let depends_on_digest = |entry: &&Entry| {
            entry.attested_digest().as_ref() == Some(digest) || entry.subject().as_ref() == Some(digest)
        };
        let dependents = self.entries_in_key_order().filter(depends_on_digest);
        dependents.map(|entry| entry.reference.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::ImageFormat;
    use crate::platform::Platform;

    fn entry(reference: &str, os: &str) -> Entry {
        let platform = Platform { os: os.into(), architecture: "amd64".into(), ..Platform::default() };
        Entry::fetched(Reference::parse(reference).unwrap(), ImageFormat::Docker, b"{}".to_vec(), Some(platform))
    }

    #[test]
    fn draft_sorts_its_entries_by_key() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        for image in ["h.x/b:1", "h.x/a:2", "h.x/a:10"] {
            draft.insert(entry(image, "linux"));
        }
        let order: Vec<String> = draft.entries_in_key_order().map(|entry| entry.reference.to_string()).collect();
        assert_eq!(order, ["h.x/a:10", "h.x/a:2", "h.x/b:1"]);
    }

    #[test]
    fn dependents_finds_the_attestations_of_an_image() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        let image = entry("h.x/a:1", "linux");
        let mut attestation = entry("h.x/a:att", "unknown");
        let annotations = [
            ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
            ("vnd.docker.reference.digest", image.descriptor.digest.to_string()),
        ];
        attestation.descriptor.annotations = annotations.map(|(name, value)| (name.to_owned(), value)).into();
        draft.insert(image.clone());
        draft.insert(attestation.clone());
        assert_eq!(draft.dependents(&image.descriptor.digest), [attestation.reference.clone()]);
        let mut later = entry("h.x/z:1", "linux");
        later.descriptor.annotations.insert("later".into(), "1".into());
        draft.insert(later);
        let json = String::from_utf8(draft.encode_for_display().unwrap().bytes).unwrap();
        assert!(json.find("later") < json.find("attestation-manifest"), "attestations come last: {json}");
        assert_eq!(draft.remove(&attestation.reference), Some(attestation.clone()));
        assert_eq!(draft.remove(&attestation.reference), None);
        assert!(draft.dependents(&image.descriptor.digest).is_empty());
    }

    #[test]
    fn insert_adds_images_after_the_last_image_and_attestations_at_the_end() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        let attestation = |reference: &str| {
            let mut entry = entry(reference, "unknown");
            let digest = Digest::from_bytes(b"x").to_string();
            let annotations =
                [("vnd.docker.reference.type", "attestation-manifest"), ("vnd.docker.reference.digest", &digest)];
            entry.descriptor.annotations = annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            entry
        };
        for image in ["h.x/z:1", "h.x/y:1"] {
            draft.insert(entry(image, "linux"));
        }
        draft.insert(attestation("h.x/att:1"));
        let key = |image: &str| EntryKey::from_reference(&Reference::parse(image).unwrap());
        draft.set_order(["h.x/z:1", "h.x/gone:1", "h.x/y:1", "h.x/att:1"].map(key));
        let list_order = |draft: &Draft| {
            draft
                .entries_in_list_order()
                .map(|entry| entry.reference.to_string().replace("h.x/", ""))
                .collect::<Vec<_>>()
                .join(" ")
        };
        draft.insert(entry("h.x/b:1", "linux"));
        draft.insert(entry("h.x/a:1", "linux"));
        draft.insert(attestation("h.x/0:1"));
        assert_eq!(list_order(&draft), "z:1 y:1 b:1 a:1 att:1 0:1");
        // Entries that docker adds are not in the order, and an entry that replaces another takes its position.
        draft.insert_with_key(EntryKey::from_text("h.x_c-1"), entry("h.x/c:1", "linux"));
        draft.replace(&Reference::parse("h.x/z:1").unwrap(), entry("h.x/0:2", "linux"));
        assert_eq!(list_order(&draft), "0:2 y:1 b:1 a:1 c:1 att:1 0:1");
        draft.replace(&Reference::parse("h.x/y:1").unwrap(), entry("h.x/y:1", "linux"));
        draft.replace(&Reference::parse("h.x/0:2").unwrap(), entry("h.x/b:1", "linux"));
        assert_eq!(list_order(&draft), "b:1 y:1 a:1 c:1 att:1 0:1");
    }
}
