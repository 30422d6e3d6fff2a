//! Decides the order of a list: that of the sources for a new draft, that of a source index that has changed for an
//! existing one, and that of the index for a spec that takes all of it. A spec of some images has their order in the
//! file (`spec_drafts`), and the opaque descriptors of its source index are placed between them here.
//!
//! `EntryKey` has docker's order, and `Draft::insert` places an added entry. `opaque_descriptors` puts each source into
//! the order of its index. `model::draft_order` completes an order that does not name all entries. A draft of plain
//! images from a spec gets docker's order in `unique_entry_names` when it is stored. A shared draft has the order of
//! its entries' keys (`assemble_draft` in `drafts::registry`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::core::resolve::entries_of_same_image::names_in_draft;
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::source_index::OpaqueDescriptor;
use crate::model::{Draft, Entry, EntryKey};
use crate::reference::Reference;

/// Sets the order of a new draft: that of the sources, each in its own order. A draft of plain images of registries has
/// docker's order.
pub(crate) fn set_source_order(draft: &mut Draft, found: &[ResolvedSource]) {
    if found.iter().all(|source| source.index.is_none() && source.location.layout().is_none()) {
        return;
    }
    let mut keys = Vec::new();
    for source in found {
        let entries: BTreeMap<EntryKey, &Entry> =
            source.entries.iter().map(|entry| (EntryKey::from_reference(&entry.reference), entry)).collect();
        for key in &source.order {
            match entries.get(key) {
                Some(entry) => keys.extend(names_in_draft(draft, entry).iter().map(EntryKey::from_reference)),
                None => keys.push(key.clone()),
            }
        }
    }
    draft.set_order(keys);
}

/// If the source index of a draft has changed, the draft follows the index's new order, in the place of
/// the old one.
pub(crate) fn follow_index_order(draft: &mut Draft, source: &ResolvedSource) {
    let source_keys: BTreeSet<&EntryKey> = source.order.iter().collect();
    let first = draft.order.iter().position(|key| source_keys.contains(key)).unwrap_or(draft.order.len());
    let (before, after) = draft.order.split_at(first);
    let others = |keys: &[EntryKey]| keys.iter().filter(|key| !source_keys.contains(key)).cloned().collect::<Vec<_>>();
    let keys = [others(before), source.order.clone(), others(after)].concat();
    draft.set_order(keys);
}

/// The order of an index, if these entries are all of it.
pub(crate) fn whole_order(source: &ResolvedSource, entries: &[Entry]) -> Option<Vec<EntryKey>> {
    let used: BTreeSet<&Reference> = entries.iter().map(|entry| &entry.reference).collect();
    let is_whole = source.is_complete
        && source.entries.len() == used.len()
        && source.entries.iter().all(|entry| used.contains(&entry.reference));
    is_whole.then(|| source.order.clone())
}

/// The order of a spec's entries (keys and digests), with opaque descriptors of the index that it starts from: each of
/// them keeps its position in `index`, before its successor.
pub(super) fn with_opaque_descriptors<'a>(
    entries: impl Iterator<Item = (EntryKey, &'a Digest)>,
    index: &[Descriptor],
    opaque_descriptors: &[OpaqueDescriptor],
) -> Vec<EntryKey> {
    let position_of = |digest: &Digest| index.iter().position(|descriptor| descriptor.digest == *digest);
    let mut order = Vec::new();
    let mut unplaced: VecDeque<(usize, &OpaqueDescriptor)> = opaque_descriptors
        .iter()
        .filter_map(|opaque| Some((position_of(&opaque.descriptor.digest)?, opaque)))
        .collect();
    for (key, digest) in entries {
        let position = position_of(digest);
        while let Some((_, opaque)) = unplaced.front().filter(|(at, _)| position.is_some_and(|next| *at < next)) {
            order.push(opaque.key());
            unplaced.pop_front();
        }
        order.push(key);
    }
    order
}
