//! A draft: the manifest list that a user builds entry by entry before pushing it. A pure value; where it is kept is
//! the store's business alone, so that another store can hold the same drafts.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::source::{self, Carried, SourceIndex};
use crate::platform::Platform;
use crate::reference::Reference;

/// A named set of entries. [`Draft::entries`] gives them in the order of their keys, which is docker's, and
/// [`Draft::listed`] in the order of the list. See `store-format.md`, "Order and form".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The list that this will become.
    pub reference: Reference,
    /// Annotations of the list itself, which only an OCI index has.
    pub annotations: BTreeMap<String, String>,
    /// What kind of artifact the list itself is; empty where it is none. Only an OCI index has one.
    pub artifact_type: String,
    /// What the list itself refers to. Only an OCI index has one.
    pub subject: Option<Descriptor>,
    /// The index whose form the list has, where it was made of one.
    pub source: Option<SourceIndex>,
    /// The order of the list: keys of entries and of what is carried. Empty for docker's order: that of the keys,
    /// attestations last. A key without an entry is passed over; an entry that is not named stands after the last
    /// image.
    pub order: Vec<EntryKey>,
    /// What the list names that is neither an image nor an index.
    pub carried: Vec<Carried>,
    /// By the key of an entry the platform that was read from the image because the index did not say one.
    pub platforms: BTreeMap<EntryKey, Platform>,
    /// The digest that the list's tag had in its registry when the draft was made from that list, or was pushed.
    pub remote_digest: Option<Digest>,
    entries: BTreeMap<EntryKey, Entry>,
}

/// One thing that the list of a draft names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// An entry, with its key.
    Entry(&'a EntryKey, &'a Entry),
    /// A descriptor that is published as it is.
    Carried(&'a Carried),
}

impl Line<'_> {
    /// Its name in the order of the draft.
    pub fn key(&self) -> EntryKey {
        match self {
            Line::Entry(key, _) => (*key).clone(),
            Line::Carried(carried) => carried.key(),
        }
    }

    fn is_image(&self) -> bool {
        matches!(self, Line::Entry(_, entry) if entry.attests().is_none())
    }
}

impl Draft {
    /// A draft with no entries.
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
            entries: BTreeMap::new(),
        }
    }

    /// Whether the list itself, beside its entries, says anything that docker's store has no place for.
    pub fn says_more(&self) -> bool {
        !self.annotations.is_empty() || !self.artifact_type.is_empty() || self.subject.is_some()
    }

    /// The entries in the order of their keys, as docker shows them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Whether the draft has what only format 3 of the store has a place for.
    pub fn has_form(&self) -> bool {
        self.source.is_some() || !self.order.is_empty() || !self.carried.is_empty() || !self.platforms.is_empty()
    }

    /// The entries as the list has them.
    pub fn listed(&self) -> impl Iterator<Item = &Entry> {
        self.lines().into_iter().filter_map(|line| match line {
            Line::Entry(_, entry) => Some(entry),
            Line::Carried(_) => None,
        })
    }

    /// All that the list names, in its order.
    pub fn lines(&self) -> Vec<Line<'_>> {
        let carried: BTreeMap<EntryKey, &Carried> =
            self.carried.iter().map(|carried| (carried.key(), carried)).collect();
        let mut unnamed: BTreeMap<&EntryKey, &Entry> = self.entries.iter().collect();
        let mut lines = Vec::new();
        for key in &self.order {
            match (unnamed.remove_entry(key), carried.get(key)) {
                (Some((key, entry)), _) => lines.push(Line::Entry(key, entry)),
                (None, Some(carried)) => lines.push(Line::Carried(carried)),
                (None, None) => {}
            }
        }
        let named: BTreeSet<&EntryKey> = self.order.iter().collect();
        lines.extend(self.carried.iter().filter(|carried| !named.contains(&carried.key())).map(Line::Carried));
        let last_image = lines.iter().rposition(Line::is_image).map_or(0, |place| place + 1);
        let unnamed = unnamed.into_iter().map(|(key, entry)| Line::Entry(key, entry));
        let (images, attestations): (Vec<_>, Vec<_>) = unnamed.partition(Line::is_image);
        lines.splice(last_image..last_image, images);
        lines.extend(attestations);
        lines
    }

    /// Gives the list an order of its own: these keys first, then whatever they do not name, as it stands now.
    pub fn arrange(&mut self, keys: impl IntoIterator<Item = EntryKey>) {
        let now: Vec<EntryKey> = self.lines().iter().map(Line::key).collect();
        self.order = source::distinct(keys.into_iter().chain(now));
    }

    /// The entries with their keys, in the order of these.
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

    /// Puts an entry in place of the one that its image had, if it had one.
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

    /// Puts an entry where `old` is, in the order too, and takes `old` out.
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

    /// Puts an entry under the key that a store found it by; or, in a draft that no store will see, under one that
    /// says its place.
    pub fn insert_keyed(&mut self, key: EntryKey, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// Takes out the entry of `image`, if it is there.
    pub fn remove(&mut self, image: &Reference) -> Option<Entry> {
        let key = EntryKey::of(image);
        let entry = self.entries.remove(&key)?;
        self.order.retain(|other| *other != key);
        self.platforms.remove(&key);
        // A draft of plain images alone stands in docker's order.
        if self.source.is_none() && self.carried.is_empty() && self.entries().all(|entry| entry.source.is_none()) {
            self.order.clear();
            self.platforms.clear();
        }
        Some(entry)
    }

    /// Takes an entry out, and what belongs to it if nothing of that digest is left. Gives all that went.
    pub fn take_out(&mut self, entry: &Entry) -> Vec<Entry> {
        let mut gone: Vec<Entry> = self.remove(&entry.reference).into_iter().collect();
        // What belongs to something that has gone goes too, a signature of an attestation say.
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

    /// Whether there is an entry of this digest.
    pub fn has(&self, digest: &Digest) -> bool {
        self.entries().any(|entry| entry.descriptor.digest == *digest)
    }

    /// What belongs to the manifest with this digest: what attests it, or refers to it as its subject.
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
            let digest = Digest::of(b"x").to_string();
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
        // What docker adds is not named, and an entry that takes another's place takes its place in the order.
        draft.insert_keyed(EntryKey::named("h.x_c-1"), entry("h.x/c:1", "linux"));
        draft.replace(&Reference::parse("h.x/z:1").unwrap(), entry("h.x/0:2", "linux"));
        assert_eq!(shown(&draft), "0:2 y:1 b:1 a:1 c:1 att:1 0:1");
        draft.replace(&Reference::parse("h.x/y:1").unwrap(), entry("h.x/y:1", "linux"));
        draft.replace(&Reference::parse("h.x/0:2").unwrap(), entry("h.x/b:1", "linux"));
        assert_eq!(shown(&draft), "b:1 y:1 a:1 c:1 att:1 0:1");
    }
}
