//! Edits the document of an index that is published again. Without changes the list has the bytes of the index.
//! Otherwise unchanged parts keep their text, including unknown members.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::draft::{Draft, ListItem};
use crate::model::entry::Entry;
use crate::model::error::DocumentError;
use crate::model::index::{self, Index};
use crate::model::json;
use crate::model::manifest::ManifestKind;
use crate::model::media_type::OCI_INDEX;
use crate::model::raw_object::RawObject;
use crate::model::source_index::SourceIndex;
use crate::platform::Platform;

/// The maximum number of images that are counted in the nested indexes of one source.
const NESTED_IMAGES_MAX: usize = 100_000;

/// How an item of the draft is written into the document.
enum WrittenItem<'a> {
    /// The index's descriptor at this position, unchanged.
    Unchanged(usize),
    /// The index's descriptor at this position, edited.
    Edited(usize, &'a Entry, Box<Descriptor>),
    /// A descriptor that the index does not have.
    New(&'a Entry),
    /// A descriptor that the index does not have, unchanged.
    Opaque(String),
}

/// A parsed source index, and how the items of the draft are written into it.
pub(super) struct IndexEdit<'a> {
    draft: &'a Draft,
    source: &'a SourceIndex,
    raw_index: RawObject,
    index: Index,
    raw_descriptors: Vec<RawObject>,
    written: Vec<WrittenItem<'a>>,
}

impl<'a> IndexEdit<'a> {
    /// Compares the draft with its source index.
    ///
    /// # Errors
    /// Content that is not an index.
    pub(super) fn new(draft: &'a Draft, source: &'a SourceIndex) -> Result<IndexEdit<'a>, DocumentError> {
        let text = json::replace_lone_surrogates(&source.raw);
        let raw_index: RawObject = serde_json::from_slice(&text)?;
        let index = Index::decode(&source.raw)?;
        let raw_descriptors = match raw_index.raw_value("manifests") {
            Some(text) => serde_json::from_str::<Option<Vec<RawObject>>>(text)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut edit = IndexEdit { draft, source, raw_index, index, raw_descriptors, written: Vec::new() };
        let nested_images = edit.nested_images()?;
        edit.written = edit.match_items(&nested_images)?;
        if !nested_images.is_empty() && !edit.is_unchanged() {
            edit.written = edit.match_items(&BTreeMap::new())?;
        }
        Ok(edit)
    }

    /// Whether the draft equals the index.
    pub(super) fn is_unchanged(&self) -> bool {
        let (draft, index) = (self.draft, &self.index);
        // The draft has one entry for equal descriptors.
        let mut seen = HashSet::new();
        let distinct_descriptors: Vec<&Descriptor> =
            index.manifests.iter().filter(|descriptor| seen.insert(*descriptor)).collect();
        let unchanged = self.written.iter().map(|written_item| match written_item {
            WrittenItem::Unchanged(position) => index.manifests.get(*position),
            _ => None,
        });
        draft.annotations == index.annotations
            && draft.artifact_type == index.artifact_type
            && draft.subject == index.subject
            && unchanged.eq(distinct_descriptors.into_iter().map(Some))
    }

    /// The first thing that the draft adds to this index and that a Docker list cannot hold, as words for a message.
    pub(super) fn oci_only_content(&self) -> Option<String> {
        let (draft, index) = (self.draft, &self.index);
        let is_new = |(name, value): &(&String, &String)| index.annotations.get(*name) != Some(value);
        let mut additions = Index {
            annotations: draft.annotations.iter().filter(is_new).map(|(k, v)| (k.clone(), v.clone())).collect(),
            subject: draft.subject.clone().filter(|_| draft.subject != index.subject),
            ..Index::default()
        };
        if draft.artifact_type != index.artifact_type {
            additions.artifact_type.clone_from(&draft.artifact_type);
        }
        for written_item in &self.written {
            match written_item {
                WrittenItem::Unchanged(_) | WrittenItem::Opaque(_) => {}
                WrittenItem::New(entry) => {
                    let descriptor = entry.list_descriptor(false);
                    let platform = Some(descriptor.platform.unwrap_or_default());
                    additions.manifests.push(Descriptor { platform, ..descriptor });
                }
                WrittenItem::Edited(position, _, descriptor) => {
                    let before = index.manifests.get(*position);
                    let mut descriptor = descriptor.clone();
                    if let Some(before) = before {
                        descriptor.annotations.retain(|name, value| before.annotations.get(name) != Some(value));
                        if descriptor.artifact_type == before.artifact_type {
                            descriptor.artifact_type.clear();
                        }
                        if descriptor.data == before.data {
                            descriptor.data.clear();
                        }
                        descriptor.platform =
                            descriptor.platform.or_else(|| before.platform.is_none().then(Platform::default));
                    }
                    additions.manifests.push(*descriptor);
                }
            }
        }
        additions.oci_only_content()
    }

    /// The entries that differ from every descriptor of the index.
    pub(super) fn changed_entries(&self) -> impl Iterator<Item = &'a Entry> {
        self.written.iter().filter_map(|written_item| match written_item {
            WrittenItem::New(entry) | WrittenItem::Edited(_, entry, _) => Some(*entry),
            WrittenItem::Unchanged(_) | WrittenItem::Opaque(_) => None,
        })
    }

    /// The document with the changes.
    ///
    /// # Errors
    /// None for a valid draft.
    pub(super) fn encode(mut self, media_type: &str) -> Result<Vec<u8>, DocumentError> {
        let (draft, index) = (self.draft, &self.index);
        let mut raw_index = std::mem::take(&mut self.raw_index);
        if self.source.media_type != media_type || !index.media_type.is_empty() {
            raw_index.set_raw_value("mediaType", Some(json_string(media_type)?));
        }
        if draft.artifact_type != index.artifact_type {
            let artifact_type = Some(&draft.artifact_type).filter(|text| !text.is_empty());
            raw_index.set_raw_value("artifactType", artifact_type.map(|text| json_string(text)).transpose()?);
        }
        if draft.subject != index.subject {
            raw_index.set_raw_value("subject", draft.subject.as_ref().map(json_text).transpose()?);
        }
        patch_annotations(&mut raw_index, &index.annotations, &draft.annotations)?;
        let mut descriptors = Vec::new();
        for written_item in &self.written {
            let descriptor = |position: usize| self.raw_descriptors.get(position).cloned().unwrap_or_default();
            descriptors.push(match written_item {
                WrittenItem::Unchanged(position) => descriptor(*position).to_string(),
                WrittenItem::Edited(position, _, stated) => {
                    let mut descriptor = descriptor(*position);
                    if let Some(before) = index.manifests.get(*position) {
                        patch_descriptor(&mut descriptor, before, stated)?;
                    }
                    descriptor.to_string()
                }
                WrittenItem::New(entry) => {
                    let stated = entry.list_descriptor(media_type == OCI_INDEX);
                    let platform = stated.non_empty_platform().cloned();
                    String::from_utf8_lossy(&index::encode_descriptor(&Descriptor { platform, ..stated })?).into_owned()
                }
                WrittenItem::Opaque(json) => json.clone(),
            });
        }
        raw_index.set_raw_value("manifests", Some(format!("[{}]", descriptors.join(","))));
        let document = raw_index.to_string().into_bytes();
        Ok(match indentation(&self.source.raw) {
            Some(unit) => json::indent(&document, &unit),
            None => document,
        })
    }

    /// How each item of the draft is written. `nested_images` are the images of nested indexes, which stay one
    /// descriptor if all their images follow each other in the draft. Exact matches come first, so that an edited entry
    /// does not take another entry's descriptor.
    fn match_items(
        &self,
        nested_images: &BTreeMap<usize, Vec<Descriptor>>,
    ) -> Result<Vec<WrittenItem<'a>>, DocumentError> {
        let items = self.draft.list_items();
        let mut positions: BTreeMap<&Digest, Vec<usize>> = BTreeMap::new();
        for (position, descriptor) in self.index.manifests.iter().enumerate() {
            positions.entry(&descriptor.digest).or_default().push(position);
        }
        let mut used = BTreeSet::new();
        let mut written: Vec<Option<WrittenItem<'a>>> = items.iter().map(|_| None).collect();
        let mut covered_items = BTreeSet::new();
        for (number, item) in items.iter().enumerate() {
            if covered_items.contains(&number) {
                continue;
            }
            let nested_index = nested_images.iter().find(|(position, nested_images)| {
                let following_items = items.get(number..number + nested_images.len());
                !used.contains(*position)
                    && !nested_images.is_empty()
                    && following_items.is_some_and(|following_items| {
                        following_items.iter().zip(*nested_images).all(|(item, image)| self.matches(item, image))
                    })
            });
            let is_equal_and_unused = |position: &&usize| {
                !used.contains(*position)
                    && self.index.manifests.get(**position).is_some_and(|descriptor| self.matches(item, descriptor))
            };
            let position = match nested_index {
                Some((position, nested_images)) => {
                    covered_items.extend(number + 1..number + nested_images.len());
                    Some(*position)
                }
                None => positions
                    .get(&item.descriptor().digest)
                    .and_then(|positions| positions.iter().find(is_equal_and_unused))
                    .copied(),
            };
            if let (Some(position), Some(written_item)) = (position, written.get_mut(number)) {
                used.insert(position);
                *written_item = Some(WrittenItem::Unchanged(position));
            }
        }
        for (number, (item, written_item)) in items.iter().zip(&mut written).enumerate() {
            if written_item.is_some() || covered_items.contains(&number) {
                continue;
            }
            let positions = positions.get(&item.descriptor().digest).into_iter().flatten();
            let position = positions.copied().find(|position| !used.contains(position));
            used.extend(position);
            *written_item = Some(self.written_item(item, position)?);
        }
        Ok(written.into_iter().flatten().collect())
    }

    fn written_item(&self, item: &ListItem<'a>, position: Option<usize>) -> Result<WrittenItem<'a>, DocumentError> {
        Ok(match (item, position) {
            (ListItem::Entry(key, entry), Some(position)) => {
                let mut stated = self.draft.descriptor_without_config_platform(key, entry);
                if let Some(before) = self.index.manifests.get(position).filter(|before| before.media_type.is_empty()) {
                    stated.media_type.clone_from(&before.media_type);
                }
                WrittenItem::Edited(position, entry, Box::new(stated))
            }
            (ListItem::Entry(_, entry), None) => WrittenItem::New(entry),
            (ListItem::Opaque(opaque), _) => {
                let json = json::encode(&opaque.json)?;
                WrittenItem::Opaque(String::from_utf8_lossy(&json).into_owned())
            }
        })
    }

    /// Whether an item equals a descriptor.
    fn matches(&self, item: &ListItem<'_>, descriptor: &Descriptor) -> bool {
        let mut stated = match item {
            ListItem::Entry(key, entry) => self.draft.descriptor_without_config_platform(key, entry),
            ListItem::Opaque(opaque) => opaque.descriptor.clone(),
        };
        if descriptor.media_type.is_empty() {
            stated.media_type.clear();
        }
        stated.non_empty_platform() == descriptor.non_empty_platform()
            && Descriptor { platform: descriptor.platform.clone(), ..stated } == *descriptor
    }

    /// The images of nested indexes, by the positions of these indexes.
    fn nested_images(&self) -> Result<BTreeMap<usize, Vec<Descriptor>>, DocumentError> {
        let nested: BTreeMap<&Digest, &SourceIndex> =
            self.source.nested.iter().map(|nested| (&nested.digest, nested)).collect();
        let mut nested_images = BTreeMap::new();
        for (position, descriptor) in self.index.manifests.iter().enumerate() {
            if nested.contains_key(&descriptor.digest) && ManifestKind::is_list(&descriptor.media_type) {
                let mut found = Vec::new();
                collect_images(descriptor, &nested, 0, &mut found)?;
                nested_images.insert(position, found);
            }
        }
        Ok(nested_images)
    }
}

/// The images of a nested index, in their order.
fn collect_images(
    descriptor: &Descriptor,
    nested: &BTreeMap<&Digest, &SourceIndex>,
    depth: usize,
    found: &mut Vec<Descriptor>,
) -> Result<(), DocumentError> {
    let inner = nested.get(&descriptor.digest).filter(|_| depth < 16 && found.len() < NESTED_IMAGES_MAX);
    let Some(inner) = inner else {
        found.push(descriptor.clone());
        return Ok(());
    };
    let mut seen = HashSet::new();
    for descriptor in Index::decode(&inner.raw)?.manifests {
        if seen.insert(descriptor.clone()) {
            collect_images(&descriptor, nested, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Changes the members of a descriptor that differ between `before` and `after`.
fn patch_descriptor(descriptor: &mut RawObject, before: &Descriptor, after: &Descriptor) -> Result<(), DocumentError> {
    let (old, new) = (raw_object(before)?, raw_object(after)?);
    patch_members(descriptor, &old, &new, &["mediaType", "size", "urls"]);
    patch_annotations(descriptor, &before.annotations, &after.annotations)?;
    patch_members(descriptor, &old, &new, &["data", "artifactType"]);
    match (before.non_empty_platform(), after.non_empty_platform()) {
        (before, after) if before == after => {}
        (Some(before), Some(after)) => {
            let mut platform: RawObject =
                descriptor.raw_value("platform").map(serde_json::from_str).transpose()?.unwrap_or_default();
            let (mut old, mut new) = (raw_object(before)?, raw_object(after)?);
            // An empty string counts as a missing member: one that stays empty is unchanged, one that becomes empty is
            // removed.
            for members in [&mut old, &mut new] {
                members.0.retain(|(_, text)| text != r#""""#);
            }
            let names = ["architecture", "os", "os.version", "variant", "os.features", "features"];
            patch_members(&mut platform, &old, &new, &names);
            descriptor.set_raw_value("platform", Some(platform.to_string()));
        }
        (_, after) => descriptor.set_raw_value("platform", after.map(json_text).transpose()?),
    }
    Ok(())
}

/// A value as the members of its JSON object.
fn raw_object<T: serde::Serialize>(value: &T) -> Result<RawObject, DocumentError> {
    Ok(serde_json::from_str(&json_text(value)?)?)
}

/// Changes the members with these names that differ.
fn patch_members(object: &mut RawObject, before: &RawObject, after: &RawObject, names: &[&str]) {
    for name in names.iter().filter(|name| before.raw_value(name) != after.raw_value(name)) {
        object.set_raw_value(name, after.raw_value(name).map(str::to_owned));
    }
}

/// Changes the `annotations` that differ.
fn patch_annotations(
    object: &mut RawObject,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<(), DocumentError> {
    if before == after {
        return Ok(());
    }
    let members = object.raw_value("annotations").map(serde_json::from_str::<Option<RawObject>>).transpose()?;
    let mut members = members.flatten().unwrap_or_default();
    members.0.retain(|(name, _)| after.contains_key(name));
    for (name, value) in after.iter().filter(|(name, value)| before.get(*name) != Some(value)) {
        members.0.retain(|(other, _)| other != name);
        members.0.push((name.clone(), json_string(value)?));
    }
    object.set_raw_value("annotations", (!after.is_empty()).then(|| members.to_string()));
    Ok(())
}

/// The indentation of one level of a document; `None` if the document is on one line.
fn indentation(document: &[u8]) -> Option<String> {
    let document = document.trim_ascii_end();
    let start = document.iter().position(|byte| *byte == b'\n')?;
    let rest = document.get(start + 1..).unwrap_or_default();
    let unit = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).take(16);
    Some(unit.map(|byte| char::from(*byte)).collect())
}

/// A JSON string.
fn json_string(text: &str) -> Result<String, DocumentError> {
    json_text(&text)
}

/// A value as JSON on one line.
fn json_text<T: serde::Serialize>(value: &T) -> Result<String, DocumentError> {
    Ok(String::from_utf8_lossy(&json::encode(value)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_descriptor_keeps_an_empty_platform_member_while_another_one_changes() {
        let text =
            r#"{"mediaType":"m","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","#;
        let text = format!(r#"{text}"size":1,"platform":{{"architecture":"arm64","os":""}}}}"#);
        let index = Index::decode(format!(r#"{{"schemaVersion":2,"manifests":[{text}]}}"#).as_bytes()).unwrap();
        let before = &index.manifests[0];
        let mut after = before.clone();
        after.platform.as_mut().unwrap().variant = "v8".to_owned();
        let mut descriptor: RawObject = serde_json::from_str(&text).unwrap();
        patch_descriptor(&mut descriptor, before, &after).unwrap();
        let expected = text.replace(r#""os":"""#, r#""os":"","variant":"v8""#);
        assert_eq!(descriptor.to_string(), expected);
    }
}
