//! A shared draft as one [`Draft`], assembled from the entries of a list and a run. Changes store and delete single
//! entries.

use std::collections::BTreeSet;

use crate::drafts::DraftStore;
use crate::drafts::registry::entry::{EntryCreationError, SharedEntry};
use crate::drafts::registry::entry_tag::{EntryName, SharedEntryKey};
use crate::drafts::registry::store::{EntryLookup, FoundEntry, SharedDraftStore, SharedStoreError};
use crate::model::EntryKey;
use crate::model::{Draft, Entry};
use crate::net::RegistryErrorKind;
use crate::reference::Reference;

/// The draft of these entries: images in the order of their keys, then attestations in the same order. The same entries
/// always give the same draft.
pub fn assemble_draft(list: &Reference, entries: &[FoundEntry]) -> Draft {
    let mut sorted: Vec<&FoundEntry> = entries.iter().collect();
    sorted.sort_by_cached_key(|found| found.entry.name.key.tag_part());
    let images = sorted.iter().map(|found| &found.entry.image);
    let attestations = sorted.iter().flat_map(|found| &found.entry.attestations);
    let mut draft = Draft::new(list.clone());
    for (position, descriptor) in images.chain(attestations).enumerate() {
        let key = EntryKey::from_text(format!("{position:08}"));
        let reference = list.repository().at_digest(&descriptor.digest);
        draft.order.push(key.clone());
        draft.insert_with_key(key, Entry::from_descriptor(reference, descriptor.clone()));
    }
    draft
}

impl SharedDraftStore<'_> {
    /// An entry for each image of a draft with its attestations, and the name of the image; sorted by tag. `key` is the
    /// key of a draft with one image.
    ///
    /// # Errors
    /// An image that cannot have an entry.
    pub fn entries_from_draft(
        &self,
        draft: &Draft,
        key: Option<&SharedEntryKey>,
    ) -> Result<Vec<(SharedEntry, String)>, EntryCreationError> {
        let list = draft.reference.tag().unwrap_or_default();
        let mut entries: Vec<(SharedEntry, String)> = Vec::new();
        for image in images_of_draft(draft) {
            let image_name = image.reference.to_string();
            let derived = || image.descriptor.platform.as_ref().and_then(SharedEntryKey::from_platform);
            let key =
                key.cloned().or_else(derived).ok_or_else(|| EntryCreationError::NoPlatform(image_name.clone()))?;
            let digest = &image.descriptor.digest;
            let attestations =
                draft.entries_in_list_order().filter(|entry| entry.attested_digest().as_ref() == Some(digest));
            let entry = SharedEntry {
                name: EntryName { list_tag: list.to_owned(), run: self.run.id.clone(), key },
                attempt: self.run.attempt,
                image: image.list_descriptor(true),
                attestations: attestations.map(|entry| entry.list_descriptor(true)).collect(),
                is_annotated: true,
            };
            if let Some((other, name)) = entries.iter().find(|(other, _)| other.name.tag() == entry.name.tag()) {
                let (key, first) = (other.name.key.clone(), name.clone());
                return Err(EntryCreationError::SameKey { key, first, other: image_name });
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
        let tags = tags
            .filter(|(_, parts)| parts.belongs_to_list(name) && parts.belongs_to_run(run))
            .map(|(tag, _)| (tag, None));
        let found = self.lookup_all(&tags.collect::<Vec<_>>(), name).map_err(first_error)?;
        let found = found.into_iter().filter_map(|lookup| match lookup {
            EntryLookup::Found(found) => Some(*found),
            EntryLookup::Absent | EntryLookup::Rejected(_) => None,
        });
        Ok(found.collect())
    }
}

/// The images of a draft, which get an entry each. Attestations and referrers get none.
pub fn images_of_draft(draft: &Draft) -> impl Iterator<Item = &Entry> {
    let digests: BTreeSet<String> =
        draft.entries_in_list_order().map(|entry| entry.descriptor.digest.to_string()).collect();
    let belongs = move |entry: &Entry| entry.subject().is_some_and(|subject| digests.contains(subject.as_str()));
    draft.entries_in_list_order().filter(move |entry| !entry.is_attestation() && !belongs(entry))
}

fn first_error(errors: Vec<crate::net::RegistryError>) -> SharedStoreError {
    let none = || crate::net::RegistryError::new(RegistryErrorKind::Protocol, "", "a failure without a reason");
    errors.into_iter().next().unwrap_or_else(none).into()
}

impl DraftStore for SharedDraftStore<'_> {
    type Error = SharedStoreError;

    /// The lists that have entries of this run.
    fn lists(&self) -> Result<Vec<Reference>, SharedStoreError> {
        let run = self.run.id.as_deref();
        let tags = self.tags()?.into_iter().filter(|(_, parts)| parts.belongs_to_run(run));
        let lists: BTreeSet<String> = tags.map(|(_, parts)| parts.list).collect();
        let name = |list: &String| self.repository.at_tag(list).ok();
        Ok(lists.iter().filter_map(name).collect())
    }

    fn load(&self, list: &Reference) -> Result<Option<Draft>, SharedStoreError> {
        let entries = self.entries(list)?;
        Ok((!entries.is_empty()).then(|| assemble_draft(list, &entries)))
    }

    /// The images must be in the list's repository.
    fn add_entries<E: From<SharedStoreError>>(
        &self,
        list: &Reference,
        _notice: &dyn Fn(&str),
        mut add: impl FnMut(&mut Draft) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut draft = Draft::new(list.clone());
        add(&mut draft)?;
        let entries = self.entries_from_draft(&draft, None);
        let entries = entries.map_err(|error| E::from(SharedStoreError::EntryCreation(error)))?;
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
        for chosen in choose(&assemble_draft(list, &entries))? {
            let digest = &chosen.descriptor.digest;
            for found in entries.iter().filter(|found| found.entry.image.digest == *digest) {
                let deletion = self.delete(found).map_err(|error| E::from(error.into()))?;
                match deletion.reason() {
                    None => removed.push(chosen.clone()),
                    Some(reason) => notice(&format!("{}:{} stays: {reason}", self.repository, found.tag)),
                }
            }
        }
        Ok(Some(removed))
    }

    fn remove(&self, list: &Reference, notice: &dyn Fn(&str)) -> Result<bool, SharedStoreError> {
        let entries = self.entries(list)?;
        for found in &entries {
            if let Some(reason) = self.delete(found)?.reason() {
                notice(&format!("{}:{} stays: {reason}", self.repository, found.tag));
            }
        }
        Ok(!entries.is_empty())
    }
}
