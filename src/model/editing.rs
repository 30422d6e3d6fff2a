//! An index that is published again: its own bytes if nothing was changed, otherwise its document with the changes.
//! Unchanged parts keep their text, including unknown members.

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
use crate::model::object::Object;
use crate::model::source::SourceIndex;
use crate::platform::Platform;

/// The maximum number of images that are counted in the nested indexes of one source.
const LEAVES_MAX: usize = 100_000;

/// How one item of the draft is written into the document.
enum WrittenItem<'a> {
    /// The index's descriptor at this position, unchanged.
    Kept(usize),
    /// The index's descriptor at this position, edited.
    Edited(usize, &'a Entry, Box<Descriptor>),
    /// A descriptor that the index does not have.
    New(&'a Entry),
    /// A descriptor that the index does not have, unchanged.
    Carried(String),
}

/// A parsed source, and how its descriptors are written.
pub(super) struct Edit<'a> {
    draft: &'a Draft,
    source: &'a SourceIndex,
    object: Object,
    index: Index,
    objects: Vec<Object>,
    written: Vec<WrittenItem<'a>>,
}

impl<'a> Edit<'a> {
    /// Compares the draft with the index that it takes its form from.
    ///
    /// # Errors
    /// Content that is not an index.
    pub(super) fn new(draft: &'a Draft, source: &'a SourceIndex) -> Result<Edit<'a>, DocumentError> {
        let text = json::with_whole_characters(&source.raw);
        let object: Object = serde_json::from_slice(&text)?;
        let index = Index::decode(&source.raw)?;
        let objects = match object.get("manifests") {
            Some(text) => serde_json::from_str::<Option<Vec<Object>>>(text)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut edit = Edit { draft, source, object, index, objects, written: Vec::new() };
        let leaves = edit.leaves()?;
        edit.written = edit.match_items(&leaves)?;
        if !leaves.is_empty() && !edit.is_unchanged() {
            edit.written = edit.match_items(&BTreeMap::new())?;
        }
        Ok(edit)
    }

    /// Whether the draft equals the index.
    pub(super) fn is_unchanged(&self) -> bool {
        let (draft, index) = (self.draft, &self.index);
        // The draft has one entry for equal descriptors.
        let mut seen = HashSet::new();
        let wanted: Vec<&Descriptor> = index.manifests.iter().filter(|descriptor| seen.insert(*descriptor)).collect();
        let kept = self.written.iter().map(|written_item| match written_item {
            WrittenItem::Kept(place) => index.manifests.get(*place),
            _ => None,
        });
        draft.annotations == index.annotations
            && draft.artifact_type == index.artifact_type
            && draft.subject == index.subject
            && kept.eq(wanted.into_iter().map(Some))
    }

    /// What the draft has beyond this index and beyond a Docker list, in words.
    pub(super) fn beyond_docker(&self) -> Option<String> {
        let (draft, index) = (self.draft, &self.index);
        let new = |(name, value): &(&String, &String)| index.annotations.get(*name) != Some(value);
        let mut more = Index {
            annotations: draft.annotations.iter().filter(new).map(|(k, v)| (k.clone(), v.clone())).collect(),
            subject: draft.subject.clone().filter(|_| draft.subject != index.subject),
            ..Index::default()
        };
        if draft.artifact_type != index.artifact_type {
            more.artifact_type.clone_from(&draft.artifact_type);
        }
        for written_item in &self.written {
            match written_item {
                WrittenItem::Kept(_) | WrittenItem::Carried(_) => {}
                WrittenItem::New(entry) => {
                    let descriptor = entry.described(false);
                    let platform = Some(descriptor.platform.unwrap_or_default());
                    more.manifests.push(Descriptor { platform, ..descriptor });
                }
                WrittenItem::Edited(place, _, descriptor) => {
                    let was = index.manifests.get(*place);
                    let mut descriptor = descriptor.clone();
                    if let Some(was) = was {
                        descriptor.annotations.retain(|name, value| was.annotations.get(name) != Some(value));
                        if descriptor.artifact_type == was.artifact_type {
                            descriptor.artifact_type.clear();
                        }
                        if descriptor.data == was.data {
                            descriptor.data.clear();
                        }
                        descriptor.platform =
                            descriptor.platform.or_else(|| was.platform.is_none().then(Platform::default));
                    }
                    more.manifests.push(*descriptor);
                }
            }
        }
        more.beyond_docker()
    }

    /// The entries that differ from every descriptor of the index.
    pub(super) fn changed(&self) -> impl Iterator<Item = &'a Entry> {
        self.written.iter().filter_map(|written_item| match written_item {
            WrittenItem::New(entry) | WrittenItem::Edited(_, entry, _) => Some(*entry),
            WrittenItem::Kept(_) | WrittenItem::Carried(_) => None,
        })
    }

    /// The document with the changes.
    ///
    /// # Errors
    /// None for a valid draft.
    pub(super) fn encode(mut self, media_type: &str) -> Result<Vec<u8>, DocumentError> {
        let (draft, index) = (self.draft, &self.index);
        let mut object = std::mem::take(&mut self.object);
        if self.source.media_type != media_type || !index.media_type.is_empty() {
            object.set("mediaType", Some(text(media_type)?));
        }
        if draft.artifact_type != index.artifact_type {
            let artifact_type = Some(&draft.artifact_type).filter(|given| !given.is_empty());
            object.set("artifactType", artifact_type.map(|given| text(given)).transpose()?);
        }
        if draft.subject != index.subject {
            object.set("subject", draft.subject.as_ref().map(encoded).transpose()?);
        }
        annotate(&mut object, &index.annotations, &draft.annotations)?;
        let mut descriptors = Vec::new();
        for written_item in &self.written {
            let descriptor = |place: usize| self.objects.get(place).cloned().unwrap_or_default();
            descriptors.push(match written_item {
                WrittenItem::Kept(place) => descriptor(*place).to_string(),
                WrittenItem::Edited(place, _, stated) => {
                    let mut descriptor = descriptor(*place);
                    if let Some(was) = index.manifests.get(*place) {
                        patch(&mut descriptor, was, stated)?;
                    }
                    descriptor.to_string()
                }
                WrittenItem::New(entry) => {
                    let stated = entry.described(media_type == OCI_INDEX);
                    let platform = stated.platform.clone().filter(|_| stated.has_platform());
                    String::from_utf8_lossy(&index::encode_descriptor(&Descriptor { platform, ..stated })?).into_owned()
                }
                WrittenItem::Carried(json) => json.clone(),
            });
        }
        object.set("manifests", Some(format!("[{}]", descriptors.join(","))));
        let document = object.to_string().into_bytes();
        Ok(match indentation(&self.source.raw) {
            Some(unit) => json::indent(&document, &unit),
            None => document,
        })
    }

    /// How each item of the draft is written. Exact matches come first, so that an edited entry does not take another
    /// entry's descriptor.
    fn match_items(&self, leaves: &BTreeMap<usize, Vec<Descriptor>>) -> Result<Vec<WrittenItem<'a>>, DocumentError> {
        let items = self.draft.items();
        let mut places: BTreeMap<&Digest, Vec<usize>> = BTreeMap::new();
        for (place, descriptor) in self.index.manifests.iter().enumerate() {
            places.entry(&descriptor.digest).or_default().push(place);
        }
        let mut used = BTreeSet::new();
        let mut written: Vec<Option<WrittenItem<'a>>> = items.iter().map(|_| None).collect();
        let mut covered = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            if covered.contains(&at) {
                continue;
            }
            let whole = leaves.iter().find(|(place, leaves)| {
                let rest = items.get(at..at + leaves.len());
                !used.contains(*place)
                    && !leaves.is_empty()
                    && rest.is_some_and(|rest| rest.iter().zip(*leaves).all(|(item, leaf)| self.equals(item, leaf)))
            });
            let same = |place: &&usize| {
                !used.contains(*place)
                    && self.index.manifests.get(**place).is_some_and(|descriptor| self.equals(item, descriptor))
            };
            let place = match whole {
                Some((place, leaves)) => {
                    covered.extend(at + 1..at + leaves.len());
                    Some(*place)
                }
                None => places.get(digest(item)).and_then(|places| places.iter().find(same)).copied(),
            };
            if let (Some(place), Some(written_item)) = (place, written.get_mut(at)) {
                used.insert(place);
                *written_item = Some(WrittenItem::Kept(place));
            }
        }
        for (at, (item, written_item)) in items.iter().zip(&mut written).enumerate() {
            if written_item.is_some() || covered.contains(&at) {
                continue;
            }
            let places = places.get(digest(item)).into_iter().flatten();
            let place = places.copied().find(|place| !used.contains(place));
            used.extend(place);
            *written_item = Some(self.written_item(item, place)?);
        }
        Ok(written.into_iter().flatten().collect())
    }

    fn written_item(&self, item: &ListItem<'a>, place: Option<usize>) -> Result<WrittenItem<'a>, DocumentError> {
        Ok(match (item, place) {
            (ListItem::Entry(key, entry), Some(place)) => {
                let mut stated = self.draft.stated_descriptor(key, entry);
                if let Some(was) = self.index.manifests.get(place).filter(|was| was.media_type.is_empty()) {
                    stated.media_type.clone_from(&was.media_type);
                }
                WrittenItem::Edited(place, entry, Box::new(stated))
            }
            (ListItem::Entry(_, entry), None) => WrittenItem::New(entry),
            (ListItem::Carried(carried), _) => {
                let json = json::encode(&carried.json)?;
                WrittenItem::Carried(String::from_utf8_lossy(&json).into_owned())
            }
        })
    }

    /// Whether an item equals a descriptor.
    fn equals(&self, item: &ListItem<'_>, descriptor: &Descriptor) -> bool {
        let mut stated = match item {
            ListItem::Entry(key, entry) => self.draft.stated_descriptor(key, entry),
            ListItem::Carried(carried) => carried.descriptor.clone(),
        };
        if descriptor.media_type.is_empty() {
            stated.media_type.clear();
        }
        let platform = |own: &Descriptor| own.platform.clone().filter(|_| own.has_platform());
        platform(&stated) == platform(descriptor)
            && Descriptor { platform: descriptor.platform.clone(), ..stated } == *descriptor
    }

    /// The images of nested indexes, by the positions of these indexes.
    fn leaves(&self) -> Result<BTreeMap<usize, Vec<Descriptor>>, DocumentError> {
        let nested: BTreeMap<&Digest, &SourceIndex> =
            self.source.nested.iter().map(|nested| (&nested.digest, nested)).collect();
        let mut leaves = BTreeMap::new();
        for (place, descriptor) in self.index.manifests.iter().enumerate() {
            if nested.contains_key(&descriptor.digest) && ManifestKind::is_list(&descriptor.media_type) {
                let mut found = Vec::new();
                expand(descriptor, &nested, 0, &mut found)?;
                leaves.insert(place, found);
            }
        }
        Ok(leaves)
    }
}

fn digest<'a>(item: &ListItem<'a>) -> &'a Digest {
    match item {
        ListItem::Entry(_, entry) => &entry.descriptor.digest,
        ListItem::Carried(carried) => &carried.descriptor.digest,
    }
}

/// The images of a nested index, in their order.
fn expand(
    descriptor: &Descriptor,
    nested: &BTreeMap<&Digest, &SourceIndex>,
    depth: usize,
    found: &mut Vec<Descriptor>,
) -> Result<(), DocumentError> {
    let inner = nested.get(&descriptor.digest).filter(|_| depth < 16 && found.len() < LEAVES_MAX);
    let Some(inner) = inner else {
        found.push(descriptor.clone());
        return Ok(());
    };
    let mut seen = HashSet::new();
    for descriptor in Index::decode(&inner.raw)?.manifests {
        if seen.insert(descriptor.clone()) {
            expand(&descriptor, nested, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Changes the members of a descriptor that differ.
fn patch(descriptor: &mut Object, was: &Descriptor, now: &Descriptor) -> Result<(), DocumentError> {
    let (old, new) = (members(was)?, members(now)?);
    patch_members(descriptor, &old, &new, &["mediaType", "size", "urls"]);
    annotate(descriptor, &was.annotations, &now.annotations)?;
    patch_members(descriptor, &old, &new, &["data", "artifactType"]);
    let own = |own: &Descriptor| own.platform.clone().filter(|_| own.has_platform());
    match (own(was), own(now)) {
        (was, now) if was == now => {}
        (Some(was), Some(now)) => {
            let mut platform: Object =
                descriptor.get("platform").map(serde_json::from_str).transpose()?.unwrap_or_default();
            let (mut old, mut new) = (members(&was)?, members(&now)?);
            // An empty word that stays empty is no change, and one that becomes empty is removed.
            for side in [&mut old, &mut new] {
                side.0.retain(|(_, text)| text != r#""""#);
            }
            let names = ["architecture", "os", "os.version", "variant", "os.features", "features"];
            patch_members(&mut platform, &old, &new, &names);
            descriptor.set("platform", Some(platform.to_string()));
        }
        (_, now) => descriptor.set("platform", now.as_ref().map(encoded).transpose()?),
    }
    Ok(())
}

/// The members of a value as it is written.
fn members<T: serde::Serialize>(value: &T) -> Result<Object, DocumentError> {
    Ok(serde_json::from_str(&encoded(value)?)?)
}

/// Changes those of these members that differ.
fn patch_members(object: &mut Object, was: &Object, now: &Object, names: &[&str]) {
    for name in names.iter().filter(|name| was.get(name) != now.get(name)) {
        object.set(name, now.get(name).map(str::to_owned));
    }
}

/// Changes the `annotations` that differ.
fn annotate(
    object: &mut Object,
    was: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Result<(), DocumentError> {
    if was == now {
        return Ok(());
    }
    let members = object.get("annotations").map(serde_json::from_str::<Option<Object>>).transpose()?;
    let mut members = members.flatten().unwrap_or_default();
    members.0.retain(|(name, _)| now.contains_key(name));
    for (name, value) in now.iter().filter(|(name, value)| was.get(*name) != Some(value)) {
        members.0.retain(|(other, _)| other != name);
        members.0.push((name.clone(), text(value)?));
    }
    object.set("annotations", (!now.is_empty()).then(|| members.to_string()));
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

fn text(text: &str) -> Result<String, DocumentError> {
    encoded(&text)
}

fn encoded<T: serde::Serialize>(value: &T) -> Result<String, DocumentError> {
    Ok(String::from_utf8_lossy(&json::encode(value)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_platform_member_stays_while_another_one_changes() {
        let text =
            r#"{"mediaType":"m","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","#;
        let text = format!(r#"{text}"size":1,"platform":{{"architecture":"arm64","os":""}}}}"#);
        let index = Index::decode(format!(r#"{{"schemaVersion":2,"manifests":[{text}]}}"#).as_bytes()).unwrap();
        let was = &index.manifests[0];
        let mut now = was.clone();
        now.platform.as_mut().unwrap().variant = "v8".to_owned();
        let mut descriptor: Object = serde_json::from_str(&text).unwrap();
        patch(&mut descriptor, was, &now).unwrap();
        let expected = text.replace(r#""os":"""#, r#""os":"","variant":"v8""#);
        assert_eq!(descriptor.to_string(), expected);
    }
}
