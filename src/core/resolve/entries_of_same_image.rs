//! Finds the entries of a draft that stand for an image of a source, under whatever name.

use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// The names under which the draft has an entry of a source: its own name, or those that it had before.
pub(crate) fn names_in_draft(draft: &Draft, new: &Entry) -> Vec<Reference> {
    match draft.get(&new.reference) {
        Some(entry) => vec![entry.reference.clone()],
        None => closest_entries_of_same_image(draft, new).into_iter().map(|entry| entry.reference.clone()).collect(),
    }
}

/// The entries of the same image under other names. If some have the same platform and annotations, or if the index
/// lists the image again, only those with the same platform and annotations.
pub(crate) fn closest_entries_of_same_image<'a>(draft: &'a Draft, new: &Entry) -> Vec<&'a Entry> {
    let is_same_description = |entry: &&Entry| {
        let (descriptor, new_descriptor) = (&entry.descriptor, &new.descriptor);
        descriptor.platform == new_descriptor.platform && descriptor.annotations == new_descriptor.annotations
    };
    let same = other_entries_of_same_image(draft, new);
    let is_listed_again = new.reference.tag().is_some();
    if is_listed_again || same.iter().any(is_same_description) {
        return same.into_iter().filter(|entry| is_same_description(entry)).collect();
    }
    same
}

/// The entries of the same image in the same repository under other names.
pub(crate) fn other_entries_of_same_image<'a>(draft: &'a Draft, new: &Entry) -> Vec<&'a Entry> {
    let is_same_image = |entry: &&Entry| {
        entry.descriptor.digest == new.descriptor.digest
            && entry.reference.repository() == new.reference.repository()
            && entry.reference != new.reference
    };
    draft.entries_in_key_order().filter(is_same_image).collect()
}
