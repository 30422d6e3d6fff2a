//! Gives the entries of a draft that was built from a spec the names that docker's directory needs.

use std::collections::{BTreeMap, HashSet};

use crate::core::resolve::selection;
use crate::model::descriptor::Descriptor;
use crate::model::draft::ListItem;
use crate::model::{Draft, EntryKey};
use crate::reference::Reference;

/// The draft with the names that a store needs. An image that has several entries, for several platforms, gets its
/// digest as its second name, and then the names of [`selection::repeated_name`].
pub(crate) fn with_unique_entry_names(draft: &Draft) -> Draft {
    let mut stored = Draft::new(draft.reference.clone());
    stored.annotations.clone_from(&draft.annotations);
    stored.artifact_type.clone_from(&draft.artifact_type);
    stored.subject.clone_from(&draft.subject);
    stored.source.clone_from(&draft.source);
    stored.opaque_descriptors.clone_from(&draft.opaque_descriptors);
    let mut order = Vec::new();
    let mut seen: HashSet<(&Reference, &Descriptor)> = HashSet::new();
    let mut names_in_use: BTreeMap<Reference, usize> = BTreeMap::new();
    for item in draft.list_items() {
        let ListItem::Entry(key, entry) = item else {
            order.push(item.key());
            continue;
        };
        if !seen.insert((&entry.reference, &entry.descriptor)) {
            continue;
        }
        let mut named = entry.clone();
        let digest = &entry.descriptor.digest;
        let by_digest = entry.reference.repository().at_digest(digest);
        let number = names_in_use.entry(by_digest.clone()).or_insert(0);
        while stored.get(&named.reference).is_some() {
            *number += 1;
            named.reference = match *number {
                1 => by_digest.clone(),
                number => selection::repeated_name(&by_digest, digest, draft.reference.tag(), number),
            };
        }
        let name = EntryKey::from_reference(&named.reference);
        if let Some(platform) = draft.config_platforms.get(key) {
            stored.config_platforms.insert(name.clone(), platform.clone());
        }
        order.push(name);
        stored.insert(named);
    }
    // A draft of plain images has docker's order.
    if stored.source.is_some()
        || !stored.opaque_descriptors.is_empty()
        || stored.entries_in_key_order().any(|entry| entry.source.is_some())
    {
        stored.order = order;
    }
    stored
}
