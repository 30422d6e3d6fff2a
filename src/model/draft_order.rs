//! The order of the list of a draft: what `Draft::order` means. See `store-format.md`, "Order and source index".
//!
//! `core::resolve::list_order` decides the order; an order that does not name all entries is completed here.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::draft::{Draft, ListItem};
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::source_index::{self, OpaqueDescriptor};

impl Draft {
    /// The entries in the order of the list.
    pub fn entries_in_list_order(&self) -> impl Iterator<Item = &Entry> {
        self.list_items().into_iter().filter_map(|item| match item {
            ListItem::Entry(_, entry) => Some(entry),
            ListItem::Opaque(_) => None,
        })
    }

    /// All descriptors of the list, in its order.
    pub fn list_items(&self) -> Vec<ListItem<'_>> {
        let opaque: BTreeMap<EntryKey, &OpaqueDescriptor> =
            self.opaque_descriptors.iter().map(|opaque| (opaque.key(), opaque)).collect();
        let mut unordered: BTreeMap<&EntryKey, &Entry> = self.entries.iter().collect();
        let mut items = Vec::new();
        for key in &self.order {
            match (unordered.remove_entry(key), opaque.get(key)) {
                (Some((key, entry)), _) => items.push(ListItem::Entry(key, entry)),
                (None, Some(opaque)) => items.push(ListItem::Opaque(opaque)),
                (None, None) => {}
            }
        }
        let ordered: BTreeSet<&EntryKey> = self.order.iter().collect();
        items.extend(
            self.opaque_descriptors.iter().filter(|opaque| !ordered.contains(&opaque.key())).map(ListItem::Opaque),
        );
        let last_image = items.iter().rposition(ListItem::is_image).map_or(0, |position| position + 1);
        let unordered = unordered.into_iter().map(|(key, entry)| ListItem::Entry(key, entry));
        let (images, attestations): (Vec<_>, Vec<_>) = unordered.partition(ListItem::is_image);
        items.splice(last_image..last_image, images);
        items.extend(attestations);
        items
    }

    /// Sets the order of the list: these keys first, then all others in their present order.
    pub fn set_order(&mut self, keys: impl IntoIterator<Item = EntryKey>) {
        let present_order: Vec<EntryKey> = self.list_items().iter().map(ListItem::key).collect();
        self.order = source_index::distinct(keys.into_iter().chain(present_order));
    }
}
