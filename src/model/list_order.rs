//! The order of a draft's list. See `store-format.md`, "Order and form".

use std::collections::{BTreeMap, BTreeSet};

use crate::model::draft::{Draft, Line};
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::source::{self, Carried};

impl Draft {
    /// The entries in the order of the list.
    pub fn listed(&self) -> impl Iterator<Item = &Entry> {
        self.lines().into_iter().filter_map(|line| match line {
            Line::Entry(_, entry) => Some(entry),
            Line::Carried(_) => None,
        })
    }

    /// All descriptors of the list, in its order.
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

    /// Gives the list its own order: these keys first, then all others in their present order.
    pub fn arrange(&mut self, keys: impl IntoIterator<Item = EntryKey>) {
        let now: Vec<EntryKey> = self.lines().iter().map(Line::key).collect();
        self.order = source::distinct(keys.into_iter().chain(now));
    }
}
