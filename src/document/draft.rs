//! A draft: the manifest list that a user builds entry by entry before pushing it. A pure value; where it is kept is
//! the store's business alone, so that another store can hold the same drafts.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::document::descriptor::Descriptor;
use crate::document::entry::Entry;
use crate::document::error::DocumentError;
use crate::document::list::{Form, Index, List};
use crate::document::media_type;
use crate::platform::Platform;
use crate::reference::Reference;

/// A named set of entries. Their order is the byte order of their keys, as docker has it; in the list, what attests an
/// image comes after all images.
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
        Draft {
            reference,
            annotations: BTreeMap::new(),
            artifact_type: String::new(),
            subject: None,
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

    /// The entries as the list has them: what attests an image comes after all images, as BuildKit has it.
    pub fn listed(&self) -> impl Iterator<Item = &Entry> {
        let (attestations, images): (Vec<&Entry>, Vec<&Entry>) =
            self.entries().partition(|entry| entry.attests().is_some());
        images.into_iter().chain(attestations)
    }

    /// The entries with their keys, in the order of these.
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

    /// Puts an entry under the key that a store found it by; or, in a draft that no store will see, under one that
    /// says its place.
    pub fn insert_keyed(&mut self, key: String, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// Takes out the entry of `image`, if it is there.
    pub fn remove(&mut self, image: &Reference) -> Option<Entry> {
        self.get(image)?;
        self.entries.remove(&key(image))
    }

    /// The images that attest the manifest with this digest.
    pub fn attesting(&self, digest: &Digest) -> Vec<Reference> {
        let attesting = self.entries().filter(|entry| entry.attests().as_ref() == Some(digest));
        attesting.map(|entry| entry.reference.clone()).collect()
    }

    /// The list that a push of this draft sends.
    ///
    /// # Errors
    /// An entry with no platform, unless an OCI index is asked for; one with half a platform; bytes that are not what
    /// their entry says they are; what a Docker list has no place for.
    pub fn list(&self, form: Form) -> Result<List, DocumentError> {
        for entry in self.entries() {
            let half = |platform: &Platform| platform.os.is_empty() || platform.architecture.is_empty();
            let none_is_fine = form == Form::Oci && !entry.descriptor.has_platform();
            if !none_is_fine && entry.descriptor.platform.as_ref().is_none_or(half) {
                return Err(DocumentError::NoPlatform(entry.reference.to_string()));
            }
        }
        self.entries().try_for_each(Entry::verify)?;
        let index = self.index(form);
        match beyond(&index, form) {
            Some(what) => Err(DocumentError::BeyondDocker { list: self.reference.to_string(), what }),
            None => List::of(index, form),
        }
    }

    /// The list as `inspect` shows it, which an entry with no platform may stand in. Of what a Docker list has no place
    /// for only an OCI index can be pushed, so that it is one here.
    ///
    /// # Errors
    /// None that a valid draft can cause.
    pub fn preview(&self) -> Result<List, DocumentError> {
        let index = self.index(Form::Auto);
        match beyond(&index, Form::Auto) {
            Some(_) => List::of(self.index(Form::Oci), Form::Oci),
            None => List::of(index, Form::Auto),
        }
    }

    /// The list as it will be. Docker writes an empty platform where there is none; an index leaves it out.
    fn index(&self, form: Form) -> Index {
        let line = |entry: &Entry| {
            let platform = entry.descriptor.platform.clone().filter(|_| entry.descriptor.has_platform());
            let platform = if form == Form::Oci { platform } else { Some(platform.unwrap_or_default()) };
            Descriptor { platform, ..entry.descriptor.clone() }
        };
        Index {
            media_type: String::new(),
            artifact_type: self.artifact_type.clone(),
            manifests: self.listed().map(line).collect(),
            subject: self.subject.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// What of a list that becomes one of Docker's has no place there, in words.
fn beyond(index: &Index, form: Form) -> Option<String> {
    let first = index.manifests.first().map(|line| line.media_type.as_str());
    let is_dockers = form.media_type(first) == media_type::DOCKER_LIST;
    if is_dockers { index.beyond_docker() } else { None }
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
    fn a_list_needs_platforms_unless_it_is_an_index() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "")).unwrap();
        let refused = "manifest h.x/a:1 must have an OS and Architecture to be pushed to a registry";
        assert_eq!(draft.list(Form::Auto).unwrap_err().to_string(), refused);
        assert!(draft.preview().is_ok());
        // Half a platform is none, in either form.
        assert_eq!(draft.list(Form::Oci).unwrap_err().to_string(), refused);
        let mut artifact = entry("h.x/a:1", "");
        artifact.descriptor.platform = Some(Platform::default());
        draft.insert(artifact).unwrap();
        assert_eq!(draft.list(Form::Docker).unwrap_err().to_string(), refused);
        let list = String::from_utf8(draft.list(Form::Oci).unwrap().bytes).unwrap();
        assert!(!list.contains("platform"), "{list}");
        draft.insert(entry("h.x/a:1", "linux")).unwrap();
        draft.insert(entry("g.x/a:1", "linux")).unwrap();
        assert!(draft.list(Form::Auto).is_ok());
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "linux")).unwrap();
        draft.annotations.insert("k".into(), "v".into());
        assert_eq!(
            draft.list(Form::Auto).unwrap_err().to_string(),
            "h.x/l:latest would be a Docker manifest list, which has no place for the annotation k of the list"
        );
        let list = String::from_utf8(draft.list(Form::Oci).unwrap().bytes).unwrap();
        assert!(list.contains("\"annotations\""), "{list}");
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
        assert_eq!(draft.attesting(&image.descriptor.digest), [attestation.reference.clone()]);
        let mut late = entry("h.x/z:1", "linux");
        late.descriptor.annotations.insert("late".into(), "1".into());
        draft.insert(late).unwrap();
        let shown = String::from_utf8(draft.preview().unwrap().bytes).unwrap();
        assert!(shown.find("late") < shown.find("attestation-manifest"), "attestations stand last: {shown}");
        assert_eq!(draft.remove(&attestation.reference), Some(attestation.clone()));
        assert_eq!(draft.remove(&attestation.reference), None);
        assert!(draft.attesting(&image.descriptor.digest).is_empty());
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
