//! A shared draft as one value, made of the entries of a list and a run. Changes store and delete single entries.

use std::collections::BTreeSet;

use crate::drafts::DraftStore;
use crate::drafts::registry::entry::{NoEntry, SharedEntry};
use crate::drafts::registry::entry_tag::{EntryName, SharedKey};
use crate::drafts::registry::store::{EntryLookup, FoundEntry, RegistryDrafts, SharedStoreError};
use crate::model::EntryKey;
use crate::model::{Draft, Entry};
use crate::net::RegistryErrorKind;
use crate::reference::Reference;

/// The draft of these entries: images in the order of their keys, then attestations in the same order. The same entries
/// always give the same draft.
pub fn draft_of(list: &Reference, entries: &[FoundEntry]) -> Draft {
    let mut sorted: Vec<&FoundEntry> = entries.iter().collect();
    sorted.sort_by_cached_key(|found| found.entry.name.key.tag_part());
    let images = sorted.iter().map(|found| &found.entry.image);
    let attestations = sorted.iter().flat_map(|found| &found.entry.attestations);
    let mut draft = Draft::new(list.clone());
    for (place, descriptor) in images.chain(attestations).enumerate() {
        let key = EntryKey::named(format!("{place:08}"));
        let reference = list.repository().at_digest(&descriptor.digest);
        draft.order.push(key.clone());
        draft.insert_keyed(key, Entry::described_as(reference, descriptor.clone()));
    }
    draft
}

impl RegistryDrafts<'_> {
    /// An entry for each image of a draft with its attestations, and the name of the image; sorted by tag. If `key` is
    /// given, the only image gets it.
    ///
    /// # Errors
    /// An image that cannot have an entry.
    pub fn entries_of(&self, draft: &Draft, key: Option<&SharedKey>) -> Result<Vec<(SharedEntry, String)>, NoEntry> {
        let list = draft.reference.tag().unwrap_or_default();
        let mut entries: Vec<(SharedEntry, String)> = Vec::new();
        for image in images(draft) {
            let image_name = image.reference.to_string();
            let derived = || image.descriptor.platform.as_ref().and_then(SharedKey::of);
            let key = key.cloned().or_else(derived).ok_or_else(|| NoEntry::NoPlatform(image_name.clone()))?;
            let digest = &image.descriptor.digest;
            let attestations = draft.listed().filter(|entry| entry.attests().as_ref() == Some(digest));
            let entry = SharedEntry {
                name: EntryName { list: list.to_owned(), run: self.run.id.clone(), key },
                attempt: self.run.attempt,
                image: image.described(true),
                attestations: attestations.map(|entry| entry.described(true)).collect(),
                is_labelled: true,
            };
            if let Some((other, name)) = entries.iter().find(|(other, _)| other.name.tag() == entry.name.tag()) {
                let (key, first) = (other.name.key.clone(), name.clone());
                return Err(NoEntry::SameKey { key, first, other: image_name });
            }
            entries.push((entry, image_name));
        }
        entries.sort_by_cached_key(|(entry, _)| entry.name.tag());
        Ok(entries)
    }

    /// The entries of a list in this run. One listing, and a GET for each entry.
    ///
    /// # Errors
    /// A failed request.
    pub fn entries(&self, list: &Reference) -> Result<Vec<FoundEntry>, SharedStoreError> {
        let (name, run) = (list.tag().unwrap_or_default(), self.run.id.as_deref());
        let tags = self.tags()?.into_iter();
        let tags = tags.filter(|(_, parts)| parts.is_of(name) && parts.is_of_run(run)).map(|(tag, _)| (tag, None));
        let found = self.lookup_all(&tags.collect::<Vec<_>>(), name).map_err(first)?;
        let found = found.into_iter().filter_map(|lookup| match lookup {
            EntryLookup::Found(found) => Some(*found),
            EntryLookup::Absent | EntryLookup::Rejected(_) => None,
        });
        Ok(found.collect())
    }
}

/// The images of a draft that get an entry. Attestations and referrers get none.
pub fn images(draft: &Draft) -> impl Iterator<Item = &Entry> {
    let digests: BTreeSet<String> = draft.listed().map(|entry| entry.descriptor.digest.to_string()).collect();
    let belongs = move |entry: &Entry| entry.subject().is_some_and(|subject| digests.contains(subject.as_str()));
    draft.listed().filter(move |entry| entry.attests().is_none() && !belongs(entry))
}

fn first(errors: Vec<crate::net::RegistryError>) -> SharedStoreError {
    let none = || crate::net::RegistryError::new(RegistryErrorKind::Protocol, "", "a failure without a reason");
    errors.into_iter().next().unwrap_or_else(none).into()
}

impl DraftStore for RegistryDrafts<'_> {
    type Error = SharedStoreError;

    fn lists(&self) -> Result<Vec<Reference>, SharedStoreError> {
        let run = self.run.id.as_deref();
        let tags = self.tags()?.into_iter().filter(|(_, parts)| parts.is_of_run(run));
        let lists: BTreeSet<String> = tags.map(|(_, parts)| parts.list).collect();
        let name = |list: &String| self.repository.at_tag(list).ok();
        Ok(lists.iter().filter_map(name).collect())
    }

    fn load(&self, list: &Reference) -> Result<Option<Draft>, SharedStoreError> {
        let entries = self.entries(list)?;
        Ok((!entries.is_empty()).then(|| draft_of(list, &entries)))
    }

    /// The images must be in the list's repository.
    fn add<E: From<SharedStoreError>>(
        &self,
        list: &Reference,
        _notice: &dyn Fn(&str),
        mut add: impl FnMut(&mut Draft) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut draft = Draft::new(list.clone());
        add(&mut draft)?;
        let entries = self.entries_of(&draft, None);
        let entries = entries.map_err(|why| E::from(SharedStoreError::NoEntry(why)))?;
        for (entry, _) in &entries {
            self.put(entry).map_err(E::from)?;
        }
        Ok(true)
    }

    /// Entries that the registry does not delete are not returned.
    fn remove_entries<E: From<SharedStoreError>>(
        &self,
        list: &Reference,
        notice: &dyn Fn(&str),
        mut choose: impl FnMut(&Draft) -> Result<Vec<Entry>, E>,
    ) -> Result<Option<Vec<Entry>>, E> {
        let entries = self.entries(list).map_err(E::from)?;
        if entries.is_empty() {
            return Ok(None);
        }
        let mut removed = Vec::new();
        for chosen in choose(&draft_of(list, &entries))? {
            let digest = &chosen.descriptor.digest;
            for found in entries.iter().filter(|found| found.entry.image.digest == *digest) {
                let deletion = self.delete(found).map_err(|error| E::from(error.into()))?;
                match deletion.reason() {
                    None => removed.push(chosen.clone()),
                    Some(why) => notice(&format!("{}:{} stays: {why}", self.repository, found.tag)),
                }
            }
        }
        Ok(Some(removed))
    }

    fn remove(&self, list: &Reference, notice: &dyn Fn(&str)) -> Result<bool, SharedStoreError> {
        let entries = self.entries(list)?;
        for found in &entries {
            if let Some(why) = self.delete(found)?.reason() {
                notice(&format!("{}:{} stays: {why}", self.repository, found.tag));
            }
        }
        Ok(!entries.is_empty())
    }
}
