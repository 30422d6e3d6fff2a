//! The order of a draft's list. See `store-format.md`, "Order and form".

use std::collections::{BTreeMap, BTreeSet};

use crate::model::draft::{Draft, ListItem};
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::source::{self, Carried};

impl Draft {
    /// The entries in the order of the list.
    pub fn listed(&self) -> impl Iterator<Item = &Entry> {
        self.items().into_iter().filter_map(|item| match item {
            ListItem::Entry(_, entry) => Some(entry),
            ListItem::Carried(_) => None,
        })
    }

    /// All descriptors of the list, in its order.
    pub fn items(&self) -> Vec<ListItem<'_>> {
        let carried: BTreeMap<EntryKey, &Carried> =
            self.carried.iter().map(|carried| (carried.key(), carried)).collect();
        let mut unnamed: BTreeMap<&EntryKey, &Entry> = self.entries.iter().collect();
        let mut items = Vec::new();
        for key in &self.order {
            match (unnamed.remove_entry(key), carried.get(key)) {
                (Some((key, entry)), _) => items.push(ListItem::Entry(key, entry)),
                (None, Some(carried)) => items.push(ListItem::Carried(carried)),
                (None, None) => {}
            }
        }
        let named: BTreeSet<&EntryKey> = self.order.iter().collect();
        items.extend(self.carried.iter().filter(|carried| !named.contains(&carried.key())).map(ListItem::Carried));
        let last_image = items.iter().rposition(ListItem::is_image).map_or(0, |place| place + 1);
        let unnamed = unnamed.into_iter().map(|(key, entry)| ListItem::Entry(key, entry));
        let (images, attestations): (Vec<_>, Vec<_>) = unnamed.partition(ListItem::is_image);
        items.splice(last_image..last_image, images);
        items.extend(attestations);
        items
    }

    /// Gives the list its own order: these keys first, then all others in their present order.
    pub fn arrange(&mut self, keys: impl IntoIterator<Item = EntryKey>) {
        let now: Vec<EntryKey> = self.items().iter().map(ListItem::key).collect();
        self.order = source::distinct(keys.into_iter().chain(now));
    }
}
