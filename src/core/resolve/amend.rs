//! Merges a source into a draft that may have it already. Entries whose image moved are replaced, the user's
//! descriptions stay, and attestations of a replaced image are removed.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::image_filters::SourceFilter;
use crate::core::resolve::entries_of_same_image::{closest_entries_of_same_image, other_entries_of_same_image};
use crate::core::resolve::list_order;
use crate::core::resolve::previous_entries::{
    PreviousDescriptors, SourceChange, match_entries, previous_entries, source_change,
};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::spec::AttestationsPolicy;
use crate::model::{Draft, Entry, EntryKey};
use crate::platform::Platform;
use crate::reference::Reference;

/// `new` with the user's changes of `old`: all differences between `old` and its `original`.
fn keep_user_changes(old: &Entry, original: Option<&Descriptor>, mut new: Entry) -> Entry {
    fn keep_change<T: PartialEq + Clone>(old: &T, original: Option<&T>, new: &mut T) {
        if original != Some(old) {
            new.clone_from(old);
        }
    }
    let empty = Platform::default();
    let platform_of = |descriptor: &Descriptor| descriptor.platform.clone().unwrap_or_else(|| empty.clone());
    let (old_platform, first) = (platform_of(&old.descriptor), original.map(platform_of));
    let (first, mut new_platform) = (first.as_ref(), platform_of(&new.descriptor));
    keep_change(&old_platform.os, first.map(|first| &first.os), &mut new_platform.os);
    keep_change(&old_platform.architecture, first.map(|first| &first.architecture), &mut new_platform.architecture);
    keep_change(&old_platform.variant, first.map(|first| &first.variant), &mut new_platform.variant);
    keep_change(&old_platform.os_version, first.map(|first| &first.os_version), &mut new_platform.os_version);
    keep_change(&old_platform.os_features, first.map(|first| &first.os_features), &mut new_platform.os_features);
    keep_change(&old_platform.features, first.map(|first| &first.features), &mut new_platform.features);
    if new_platform != empty || new.descriptor.platform.is_some() {
        new.descriptor.platform = Some(new_platform);
    }
    keep_change(
        &old.descriptor.artifact_type,
        original.map(|original| &original.artifact_type),
        &mut new.descriptor.artifact_type,
    );
    let first = original.map(|original| &original.annotations);
    for (name, value) in &old.descriptor.annotations {
        if first.and_then(|first| first.get(name)) != Some(value) {
            new.descriptor.annotations.insert(name.clone(), value.clone());
        }
    }
    for name in first.into_iter().flat_map(BTreeMap::keys) {
        if !old.descriptor.annotations.contains_key(name) {
            new.descriptor.annotations.remove(name);
        }
    }
    new
}

/// Merges a source into the draft. Returns the change if the source names another manifest than before.
pub(crate) fn merge(
    draft: &mut Draft,
    source: &ResolvedSource,
    filter: &SourceFilter,
    previous: &PreviousDescriptors,
) -> Option<SourceChange> {
    let before = draft.clone();
    if source.index.is_some() && draft.order.is_empty() && !draft.is_empty() {
        draft.set_order([]);
    }
    let previous_entries = previous_entries(&before, &source.reference, previous);
    let change = source_change(&previous_entries, source);
    let mut matched = BTreeSet::new();
    for (new, old) in source.entries.iter().zip(match_entries(&previous_entries, &source.entries, previous)) {
        matched.extend(old.map(|old| &old.reference));
        match old {
            Some(old) if old.descriptor.digest == new.descriptor.digest && old.has_raw() && change.is_none() => {}
            Some(old) => {
                replace_and_remove_dependents(
                    draft,
                    old,
                    keep_user_changes(old, previous.previous_source_descriptor(old), new.clone()),
                );
                if change.is_some() {
                    record_config_platform(draft, source, new);
                }
            }
            None => {
                add_or_rename_entry(draft, new);
                record_config_platform(draft, source, new);
            }
        }
    }
    draft
        .opaque_descriptors
        .retain(|opaque| change.as_ref().is_none_or(|change| opaque.source.digest() != Some(&change.old)));
    for opaque in &source.opaque_descriptors {
        if !draft.opaque_descriptors.iter().any(|known| known.descriptor.digest == opaque.descriptor.digest) {
            draft.opaque_descriptors.push(opaque.clone());
        }
    }
    for old in previous_entries.iter().filter(|old| !matched.contains(&old.reference)) {
        let serves = |digest| source.entries.iter().any(|new| new.descriptor.digest == digest);
        let is_obsolete = match old.attested_digest() {
            Some(_) if filter.attestations == AttestationsPolicy::Drop => true,
            None if filter.attestations == AttestationsPolicy::Drop
                && old.subject().is_some_and(|subject| draft.contains_digest(&subject)) =>
            {
                true
            }
            // Its image did not change and has new attestations, or its image is gone.
            Some(digest) => change.is_some() && (serves(digest.clone()) || !draft.contains_digest(&digest)),
            None => change.is_some() && is_selected(filter, old),
        };
        if is_obsolete {
            draft.remove_with_dependents(old);
        }
    }
    if let Some(old) = change.as_ref().and_then(|change| previous.index(&change.old)) {
        let is_only_source = previous_entries.len() == before.entries_in_key_order().count();
        follow_index_fields(draft, old, source.index.as_ref().unwrap_or(&Index::default()), is_only_source);
    }
    if let Some(change) = &change
        && draft.source.as_ref().is_some_and(|known| known.digest == change.old)
    {
        draft.source.clone_from(&source.source_index);
        list_order::follow_index_order(draft, source);
    }
    change
}

/// Records that the platform of a new entry does not come from the index.
fn record_config_platform(draft: &mut Draft, source: &ResolvedSource, new: &Entry) {
    let key = EntryKey::from_reference(&new.reference);
    match source.config_platforms.get(&new.reference).filter(|_| draft.get(&new.reference).is_some()) {
        Some(platform) => drop(draft.config_platforms.insert(key, platform.clone())),
        None => drop(draft.config_platforms.remove(&key)),
    }
}

fn is_selected(filter: &SourceFilter, entry: &Entry) -> bool {
    let matches = |platform: &Platform| filter.platforms.iter().any(|requested| platform.matches(&requested.parsed));
    filter.platforms.is_empty() || entry.descriptor.platform.as_ref().is_some_and(matches)
}

/// Adds an entry that the draft does not have. An image that came from an index gets its own name once the user names
/// it; an image that the user named keeps that name if an index has it too.
fn add_or_rename_entry(draft: &mut Draft, new: &Entry) {
    if new.source.is_some() {
        if closest_entries_of_same_image(draft, new).is_empty() {
            draft.insert(new.clone());
        }
        return;
    }
    let unnamed = other_entries_of_same_image(draft, new)
        .into_iter()
        .find(|entry| entry.source.is_some() && entry.reference.tag().is_none());
    match unnamed.cloned() {
        Some(mut named) => {
            let old = named.reference.clone();
            named.reference.clone_from(&new.reference);
            named.source = None;
            draft.replace(&old, named);
        }
        None => draft.insert(new.clone()),
    }
}

/// Removes the entries that are new since `before` and equal an entry of `before`: the same image with the same
/// description, in another repository. Returns their names. A published list needs only one of them.
pub(crate) fn remove_duplicates(before: &Draft, draft: &mut Draft) -> Vec<Reference> {
    let is_same_descriptor = |old: &Descriptor, new: &Descriptor| {
        let platforms = (old.platform.as_ref(), new.platform.as_ref());
        let is_platform = match platforms {
            (Some(old), Some(new)) => old.matches(new) && new.matches(old),
            (old, new) => old == new,
        };
        is_platform && Descriptor { platform: old.platform.clone(), ..new.clone() } == *old
    };
    let is_duplicate = |new: &&Entry| {
        before.get(&new.reference).is_none()
            && before.entries_in_key_order().any(|old| is_same_descriptor(&old.descriptor, &new.descriptor))
    };
    let duplicates: Vec<Reference> =
        draft.entries_in_key_order().filter(is_duplicate).map(|entry| entry.reference.clone()).collect();
    duplicates.iter().for_each(|duplicate| drop(draft.remove(duplicate)));
    duplicates
}

/// Updates the draft's own fields that came from the index to the index's new values. `is_only_source`: the list has
/// no other source, so fields that are new in the index are added, too.
fn follow_index_fields(draft: &mut Draft, old: &Index, new: &Index, is_only_source: bool) {
    let names: BTreeSet<&String> = old.annotations.keys().chain(new.annotations.keys()).collect();
    for name in names {
        let (old_value, new_value) = (old.annotations.get(name), new.annotations.get(name));
        if draft.annotations.get(name) == old_value && (old_value.is_some() || is_only_source) {
            match new_value {
                Some(value) => drop(draft.annotations.insert(name.clone(), value.clone())),
                None => drop(draft.annotations.remove(name)),
            }
        }
    }
    if draft.artifact_type == old.artifact_type && (is_only_source || !old.artifact_type.is_empty()) {
        draft.artifact_type.clone_from(&new.artifact_type);
    }
    if draft.subject == old.subject && (is_only_source || old.subject.is_some()) {
        draft.subject.clone_from(&new.subject);
    }
}

/// Replaces `old` by `new`. Attestations of `old` no longer refer to an existing image.
fn replace_and_remove_dependents(draft: &mut Draft, old: &Entry, new: Entry) {
    let digest = &old.descriptor.digest;
    let is_other_image = *digest != new.descriptor.digest;
    draft.replace(&old.reference, new);
    if is_other_image && !draft.contains_digest(digest) {
        for dependent in draft.dependents(digest) {
            draft.remove(&dependent);
        }
    }
}
