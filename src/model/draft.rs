//! A draft: the manifest list that a user builds entry by entry before pushing it. A pure value; where it is kept is
//! the store's business alone, so that another store can hold the same drafts.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::Entry;
use crate::model::error::DocumentError;
use crate::model::source::{self, Carried, SourceIndex};
use crate::platform::Platform;
use crate::reference::Reference;

/// A named set of entries. [`Draft::entries`] gives them in the byte order of their keys, as docker has it, and
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
    /// The order of the list: keys of entries and of what is carried. Empty for docker's order: the byte order of the
    /// keys, attestations last. A key without an entry is passed over; an entry that is not named stands after the last
    /// image.
    pub order: Vec<String>,
    /// What the list names that is neither an image nor an index.
    pub carried: Vec<Carried>,
    /// By the key of an entry the platform that was read from the image because the index did not say one.
    pub platforms: BTreeMap<String, Platform>,
    /// The digest that the list's tag had in its registry when the draft was made from that list, or was pushed.
    pub remote_digest: Option<Digest>,
    entries: BTreeMap<String, Entry>,
}

/// One thing that the list of a draft names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// An entry, with its key.
    Entry(&'a str, &'a Entry),
    /// A descriptor that is published as it is.
    Carried(&'a Carried),
}

impl<'a> Line<'a> {
    /// Its name in the order of the draft.
    pub fn key(&self) -> &'a str {
        match self {
            Line::Entry(key, _) => key,
            Line::Carried(carried) => carried.key(),
        }
    }

    fn is_image(&self) -> bool {
        matches!(self, Line::Entry(_, entry) if entry.attests().is_none())
    }
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
        let carried: BTreeMap<&str, &Carried> = self.carried.iter().map(|carried| (carried.key(), carried)).collect();
        let mut unnamed: BTreeMap<&str, &Entry> =
            self.entries.iter().map(|(key, entry)| (key.as_str(), entry)).collect();
        let mut lines = Vec::new();
        for key in &self.order {
            match (unnamed.remove_entry(key.as_str()), carried.get(key.as_str())) {
                (Some((key, entry)), _) => lines.push(Line::Entry(key, entry)),
                (None, Some(carried)) => lines.push(Line::Carried(carried)),
                (None, None) => {}
            }
        }
        let named: BTreeSet<&str> = self.order.iter().map(String::as_str).collect();
        lines.extend(self.carried.iter().filter(|carried| !named.contains(carried.key())).map(Line::Carried));
        let last_image = lines.iter().rposition(Line::is_image).map_or(0, |place| place + 1);
        let unnamed = unnamed.into_iter().map(|(key, entry)| Line::Entry(key, entry));
        let (images, attestations): (Vec<_>, Vec<_>) = unnamed.partition(Line::is_image);
        lines.splice(last_image..last_image, images);
        lines.extend(attestations);
        lines
    }

    /// Gives the list an order of its own: these keys first, then whatever they do not name, as it stands now.
    pub fn arrange(&mut self, keys: impl IntoIterator<Item = String>) {
        let now: Vec<String> = self.lines().iter().map(|line| line.key().to_owned()).collect();
        self.order = source::distinct(keys.into_iter().chain(now));
    }

    /// The entries with their keys, in the order of these.
    pub fn keyed(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.carried.is_empty()
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
        if !self.order.is_empty() && !self.entries.contains_key(&key) {
            self.order.retain(|other| *other != key);
            let is_image = |key: &String| self.entries.get(key).is_some_and(|entry| entry.attests().is_none());
            let last_image = self.order.iter().rposition(is_image).map_or(0, |place| place + 1);
            let place = if entry.attests().is_none() { last_image } else { self.order.len() };
            self.order.insert(place, key.clone());
        }
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Puts an entry where `old` is, in the order too, and takes `old` out.
    ///
    /// # Errors
    /// As [`Draft::insert`].
    pub fn replace(&mut self, old: &Reference, entry: Entry) -> Result<(), DocumentError> {
        let (was, is) = (key(old), key(&entry.reference));
        self.insert(entry)?;
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
        Ok(())
    }

    /// Puts an entry under the key that a store found it by; or, in a draft that no store will see, under one that
    /// says its place.
    pub fn insert_keyed(&mut self, key: String, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// Takes out the entry of `image`, if it is there.
    pub fn remove(&mut self, image: &Reference) -> Option<Entry> {
        self.get(image)?;
        let key = key(image);
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
    use proptest::prelude::*;

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
    fn attestations_are_found_by_what_they_attest() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        let image = entry("h.x/a:1", "linux");
        let mut attestation = entry("h.x/a:att", "unknown");
        let notes = [
            ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
            ("vnd.docker.reference.digest", image.descriptor.digest.to_string()),
        ];
        attestation.descriptor.annotations = notes.map(|(name, value)| (name.to_owned(), value)).into();
        draft.insert(image.clone()).unwrap();
        draft.insert(attestation.clone()).unwrap();
        assert_eq!(draft.belonging(&image.descriptor.digest), [attestation.reference.clone()]);
        let mut late = entry("h.x/z:1", "linux");
        late.descriptor.annotations.insert("late".into(), "1".into());
        draft.insert(late).unwrap();
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
            draft.insert(entry(image, "linux")).unwrap();
        }
        draft.insert(attestation("h.x/att:1")).unwrap();
        draft.arrange(["h.x_z-1", "h.x_gone-1", "h.x_y-1", "h.x_att-1"].map(str::to_owned));
        let shown = |draft: &Draft| {
            draft.listed().map(|entry| entry.reference.to_string().replace("h.x/", "")).collect::<Vec<_>>().join(" ")
        };
        draft.insert(entry("h.x/b:1", "linux")).unwrap();
        draft.insert(entry("h.x/a:1", "linux")).unwrap();
        draft.insert(attestation("h.x/0:1")).unwrap();
        assert_eq!(shown(&draft), "z:1 y:1 b:1 a:1 att:1 0:1");
        // What docker adds is not named, and an entry that takes another's place takes its place in the order.
        draft.insert_keyed("h.x_c-1".to_owned(), entry("h.x/c:1", "linux"));
        draft.replace(&Reference::parse("h.x/z:1").unwrap(), entry("h.x/0:2", "linux")).unwrap();
        assert_eq!(shown(&draft), "0:2 y:1 b:1 a:1 c:1 att:1 0:1");
        draft.replace(&Reference::parse("h.x/y:1").unwrap(), entry("h.x/y:1", "linux")).unwrap();
        draft.replace(&Reference::parse("h.x/0:2").unwrap(), entry("h.x/b:1", "linux")).unwrap();
        assert_eq!(shown(&draft), "b:1 y:1 a:1 c:1 att:1 0:1");
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
