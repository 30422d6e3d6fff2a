//! The document `index.json` as a value: the images of a layout, and their names. It keeps the entries, annotations and
//! unknown members that other tools have written.
//!
//! The bytes go to disk in `write_index_json`, in `directory_writer.rs` for a directory, `archive_writer.rs`
//! for an archive.

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::json;
use crate::model::{DocumentError, media_type};
use crate::reference::Reference;

/// The annotation with the name of an image (image-spec, "Pre-Defined Annotation Keys").
const REF_NAME_KEY: &str = "org.opencontainers.image.ref.name";
/// The annotation with the full name, of containerd and of `docker save`.
const IMAGE_NAME_KEY: &str = "io.containerd.image.name";
/// The annotation by which buildx marks a referrer.
const SUBJECT_KEY: &str = "io.containerd.manifest.subject";

/// The document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndexJson {
    value: Map<String, Value>,
    entries: Vec<Descriptor>,
}

impl IndexJson {
    /// The index of a new layout.
    pub(super) fn new() -> IndexJson {
        let value = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []});
        IndexJson { value: value.as_object().cloned().unwrap_or_default(), entries: Vec::new() }
    }

    /// Reads the document.
    pub(super) fn decode(bytes: &[u8]) -> Result<IndexJson, DocumentError> {
        let document = json::parse(bytes)?;
        let members = json::Members::parse("Index", &document)?;
        let entries = members.array("manifests")?.iter().map(Descriptor::decode).collect::<Result<_, _>>()?;
        let Value::Object(value) = document else { return Err(DocumentError::MissingMember("manifests")) };
        Ok(IndexJson { value, entries })
    }

    /// The document as text.
    pub(super) fn encode(&self) -> Result<Vec<u8>, DocumentError> {
        Ok(serde_json::to_vec(&self.value)?)
    }

    /// All entries.
    pub(super) fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// The entries with exactly this name.
    pub(super) fn find_ref_name(&self, name: &str) -> Vec<&Descriptor> {
        self.entries.iter().filter(|entry| annotation(entry, REF_NAME_KEY) == Some(name)).collect()
    }

    /// The manifest that an entry refers to, as buildx marks it.
    pub(super) fn annotated_subject(entry: &Descriptor) -> Option<Digest> {
        annotation(entry, SUBJECT_KEY)?.parse().ok()
    }

    /// The entries that a name selects: those with exactly this name, else those whose full name has this tag, else
    /// those whose containerd name is this one.
    pub(super) fn find_by_name(&self, requested: &str) -> Vec<&Descriptor> {
        let find = |matches: &dyn Fn(&Descriptor) -> bool| -> Vec<&Descriptor> {
            self.entries.iter().filter(|entry| matches(entry)).collect()
        };
        let exact = self.find_ref_name(requested);
        if !exact.is_empty() {
            return exact;
        }
        let by_tag =
            find(&|entry| annotation(entry, REF_NAME_KEY).and_then(tag_of_full_name).as_deref() == Some(requested));
        if !by_tag.is_empty() {
            return by_tag;
        }
        let full = Reference::parse(requested).ok();
        find(&|entry| {
            let Some(name) = annotation(entry, IMAGE_NAME_KEY) else { return false };
            name == requested || full.is_some() && Reference::parse(name).ok() == full
        })
    }

    /// The names of the images, for messages. Referrers are left out. If several images have the same short name, their
    /// full names are returned.
    pub(super) fn image_names(&self) -> Vec<String> {
        let is_unambiguous =
            |name: &str| self.find_ref_name(name).windows(2).all(|pair| matches!(pair, [a, b] if a.digest == b.digest));
        let name = |entry: &Descriptor| {
            let (short, full) = (annotation(entry, REF_NAME_KEY), annotation(entry, IMAGE_NAME_KEY));
            short.filter(|short| full.is_none() || is_unambiguous(short)).or(full).map(str::to_owned)
        };
        self.entries.iter().filter(|entry| !IndexJson::is_referrer(entry)).filter_map(name).collect()
    }

    /// The tag of an entry, as a registry would have it.
    pub(super) fn tag(entry: &Descriptor) -> Option<String> {
        let name = annotation(entry, REF_NAME_KEY);
        let bare = name.filter(|name| !name.contains(['/', ':', '@'])).map(str::to_owned);
        bare.or_else(|| name.and_then(tag_of_full_name))
            .or_else(|| annotation(entry, IMAGE_NAME_KEY).and_then(tag_of_full_name))
    }

    /// Whether an entry is marked as a referrer.
    pub(super) fn is_referrer(entry: &Descriptor) -> bool {
        let is_fallback = |name: &str| name.strip_prefix("sha256-").is_some_and(|hex| hex.len() >= 64);
        annotation(entry, SUBJECT_KEY).is_some() || annotation(entry, REF_NAME_KEY).is_some_and(is_fallback)
    }

    /// Sets the manifest of a name. The first entry of that name is replaced in its position, and further ones are
    /// removed. Without a name, the manifest gets an entry unless it has one.
    pub(super) fn set_entry(&mut self, name: Option<&str>, media_type: &str, digest: &Digest, size: u64) {
        if name.is_none() && self.entries.iter().any(|entry| entry.digest == *digest) {
            return;
        }
        let mut entry = json!({"mediaType": media_type, "digest": digest.as_str(), "size": size});
        if let (Some(name), Some(entry)) = (name, entry.as_object_mut()) {
            entry.insert("annotations".to_owned(), json!({ REF_NAME_KEY: name }));
        }
        let mut descriptor = Descriptor::new(media_type, digest.clone(), size);
        descriptor.annotations.extend(name.map(|name| (REF_NAME_KEY.to_owned(), name.to_owned())));
        let has_name = |entry: &Descriptor| name.is_some() && annotation(entry, REF_NAME_KEY) == name;
        let positions = (0..).zip(&self.entries).filter(|(_, entry)| has_name(entry)).map(|(position, _)| position);
        let positions: Vec<usize> = positions.collect();
        // Go's JSON, and so other tools, also read the member in other letters.
        let is_manifests = |key: &&String| key.eq_ignore_ascii_case("manifests");
        let other =
            if self.value.contains_key("manifests") { None } else { self.value.keys().find(is_manifests).cloned() };
        let key = other.unwrap_or_else(|| "manifests".to_owned());
        let manifests = self.value.entry(key).or_insert_with(|| json!([]));
        if !manifests.is_array() {
            *manifests = json!([]);
        }
        let Some(manifests) = manifests.as_array_mut() else { return };
        match positions.split_first() {
            Some((first, further)) => {
                if let (Some(slot), Some(current)) = (manifests.get_mut(*first), self.entries.get_mut(*first)) {
                    (*slot, *current) = (entry, descriptor);
                }
                for position in further.iter().rev() {
                    manifests.remove(*position);
                    self.entries.remove(*position);
                }
            }
            None => {
                manifests.push(entry);
                self.entries.push(descriptor);
            }
        }
    }
}

fn annotation<'a>(entry: &'a Descriptor, name: &str) -> Option<&'a str> {
    entry.annotations.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// The tag of a full name.
fn tag_of_full_name(name: &str) -> Option<String> {
    if !name.contains([':', '/']) || Reference::is_repository_only(name) {
        return None;
    }
    Reference::parse(name).ok()?.tag().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::from_bytes(text.as_bytes())
    }

    fn index(entries: &[(&str, &[(&str, &str)])]) -> IndexJson {
        let entry = |(text, notes): &(&str, &[(&str, &str)])| {
            let notes: Map<String, Value> =
                notes.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
            json!({"mediaType": "m", "digest": digest(text).as_str(), "size": 1, "annotations": notes, "x-own": text})
        };
        let manifests: Vec<Value> = entries.iter().map(entry).collect();
        let value = json!({"schemaVersion": 2, "x-kept": {"a": 1}, "manifests": manifests, "annotations": {"k": "v"}});
        IndexJson::decode(&serde_json::to_vec(&value).unwrap()).unwrap()
    }

    fn found(index: &IndexJson, name: &str) -> Vec<Digest> {
        index.find_by_name(name).iter().map(|entry| entry.digest.clone()).collect()
    }

    #[test]
    fn index_finds_exact_names_before_containerd_names() {
        let index = index(&[
            ("a", &[(REF_NAME_KEY, "1")]),
            ("b", &[(REF_NAME_KEY, "h.x/app:2")]),
            ("c", &[(IMAGE_NAME_KEY, "docker.io/library/app:3"), (REF_NAME_KEY, "three")]),
            ("d", &[]),
            ("e", &[(REF_NAME_KEY, "h.x/other:1")]),
        ]);
        for (name, text) in [
            ("1", "a"),
            ("2", "b"),
            ("h.x/app:2", "b"),
            ("app:3", "c"),
            ("docker.io/library/app:3", "c"),
            ("three", "c"),
        ] {
            assert_eq!(found(&index, name), [digest(text)], "{name}");
        }
        for name in ["3", "app", "h.x/app", "latest"] {
            assert_eq!(found(&index, name), [], "{name}");
        }
        let tags: Vec<Option<String>> = index.entries().iter().map(IndexJson::tag).collect();
        assert_eq!(tags.iter().flatten().collect::<Vec<_>>(), ["1", "2", "three", "1"]);
    }

    #[test]
    fn index_replaces_a_name_in_place_and_keeps_everything_else() {
        let notes: &[(&str, &str)] = &[(REF_NAME_KEY, "1"), (IMAGE_NAME_KEY, "h.x/app:1")];
        let mut index = index(&[("a", &[("own", "x")]), ("b", notes), ("c", &[(REF_NAME_KEY, "2")]), ("d", notes)]);
        index.set_entry(Some("1"), "n", &digest("new"), 7);
        let text: Value = serde_json::from_slice(&index.encode().unwrap()).unwrap();
        let manifests = text["manifests"].as_array().unwrap();
        let digests: Vec<&str> = manifests.iter().map(|entry| entry["digest"].as_str().unwrap()).collect();
        assert_eq!(digests, [digest("a").as_str(), digest("new").as_str(), digest("c").as_str()]);
        assert_eq!(manifests[1]["annotations"], json!({REF_NAME_KEY: "1"}));
        assert_eq!((&manifests[0]["x-own"], &manifests[0]["annotations"]["own"]), (&json!("a"), &json!("x")));
        assert_eq!((&text["x-kept"], &text["annotations"]), (&json!({"a": 1}), &json!({"k": "v"})));
        index.set_entry(None, "n", &digest("new"), 7);
        assert_eq!(index.entries().len(), 3, "it has an entry already");
        index.set_entry(None, "n", &digest("other"), 7);
        index.set_entry(Some("9"), "n", &digest("other"), 7);
        assert_eq!(index.entries().len(), 5);
        assert_eq!(IndexJson::decode(&index.encode().unwrap()).unwrap(), index);
    }
}
