//! Encodes a draft as the list to publish. A draft of plain images follows docker's rules. A draft that was made from
//! an index keeps the document of that index, with the changes of the draft. See `store-format.md`, "Order and source
//! index".

use crate::model::descriptor::Descriptor;
use crate::model::draft::{Draft, ListItem};
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::error::DocumentError;
use crate::model::index::{EncodedManifest, Index, ListFormat};
use crate::model::index_edit::IndexEdit;
use crate::model::media_type;
use crate::platform::Platform;

impl Draft {
    /// The list that a push of this draft sends; with [`Draft::omits_index_for_single_image`], the image itself.
    ///
    /// # Errors
    /// An entry without a platform where docker needs one; an incomplete platform; bytes that do not match their entry;
    /// content that a requested Docker list cannot hold.
    pub fn encode(&self, format: ListFormat) -> Result<EncodedManifest, DocumentError> {
        self.entries_in_key_order().try_for_each(Entry::verify)?;
        let image = self.sole_plain_image().filter(|_| self.omits_index_for_single_image);
        match image.and_then(|image| Some((image, media_type::known(image.content_type())?))) {
            Some((image, media_type)) => {
                let (bytes, digest) = (image.verified_bytes()?.into_owned(), image.descriptor.digest.clone());
                Ok(EncodedManifest { media_type, bytes, digest, note: None })
            }
            None => self.encode_list(format, true),
        }
    }

    /// The list as `inspect` shows it. Entries may lack a platform.
    ///
    /// # Errors
    /// None for a valid draft.
    pub fn encode_for_display(&self) -> Result<EncodedManifest, DocumentError> {
        self.encode_list(ListFormat::Auto, false)
    }

    fn encode_list(&self, format: ListFormat, check_platforms: bool) -> Result<EncodedManifest, DocumentError> {
        let Some(source) = &self.source else { return self.encode_list_without_source(format, check_platforms) };
        let edit = IndexEdit::new(self, source)?;
        let source_format =
            if source.media_type == media_type::DOCKER_LIST { ListFormat::Docker } else { ListFormat::Oci };
        let oci_only = || {
            if source_format == ListFormat::Docker {
                edit.oci_only_content()
            } else {
                self.to_index(media_type::DOCKER_LIST, false).oci_only_content()
            }
        };
        let (media_type, note) = self.decide_format(format, source_format, Some(source_format), oci_only)?;
        let is_source = media_type == source.media_type;
        if is_source && edit.is_unchanged() {
            return Ok(EncodedManifest::new(media_type, source.raw.clone(), None));
        }
        if !is_source && media_type == media_type::DOCKER_LIST {
            let list = self.encode_list_without_source(ListFormat::Docker, check_platforms)?;
            return Ok(EncodedManifest { note, ..list });
        }
        if check_platforms {
            let is_oci = media_type == media_type::OCI_INDEX;
            edit.changed_entries().try_for_each(|entry| check_platform(entry, is_oci))?;
        }
        Ok(EncodedManifest::new(media_type, edit.encode(media_type)?, note))
    }

    /// The list as a new document, as docker would write it.
    fn encode_list_without_source(
        &self,
        format: ListFormat,
        check_platforms: bool,
    ) -> Result<EncodedManifest, DocumentError> {
        if check_platforms {
            self.entries_in_key_order().try_for_each(|entry| check_platform(entry, format == ListFormat::Oci))?;
        }
        let items = self.list_items();
        let first = items.first().map(|item| item.descriptor().media_type.as_str());
        let is_oci = ListFormat::Auto.media_type(first) == media_type::OCI_INDEX;
        let default_format = if is_oci { ListFormat::Oci } else { ListFormat::Docker };
        let (media_type, note) = self.decide_format(format, default_format, None, || {
            self.to_index(media_type::DOCKER_LIST, false).oci_only_content()
        })?;
        let is_oci = media_type == media_type::OCI_INDEX;
        // Docker's own rule can make the list an index, too. In that index docker writes empty platforms.
        let omits_empty_platforms = is_oci && (format == ListFormat::Oci || note.is_some());
        let index = self.to_index(media_type, omits_empty_platforms);
        Ok(EncodedManifest::new(media_type, index.encode()?, note))
    }

    /// Decides the media type of the list from the requested format, with a note for the user. `default_format` is that
    /// of the list without a request or OCI-only content. `oci_only` describes content that a Docker list cannot hold.
    fn decide_format(
        &self,
        format: ListFormat,
        default_format: ListFormat,
        source_format: Option<ListFormat>,
        oci_only: impl Fn() -> Option<String>,
    ) -> Result<(&'static str, Option<String>), DocumentError> {
        let list = || self.reference.to_string();
        let format_change = |now: &str, before: &str| format!("{} becomes {now}; it was made of {before}", list());
        let (media_type, note) = match (format, default_format) {
            (ListFormat::Docker, _) => {
                if let Some(content) = oci_only() {
                    return Err(DocumentError::OciOnlyContent { list: list(), content });
                }
                let changed = source_format == Some(ListFormat::Oci);
                (
                    media_type::DOCKER_LIST,
                    changed.then(|| format_change("a Docker manifest list", "an OCI image index")),
                )
            }
            (ListFormat::Oci, _) => {
                let changed = source_format == Some(ListFormat::Docker);
                (media_type::OCI_INDEX, changed.then(|| format_change("an OCI image index", "a Docker manifest list")))
            }
            (ListFormat::Auto, ListFormat::Docker) => match oci_only() {
                Some(content) => {
                    let reason = "a Docker manifest list has no place for";
                    (media_type::OCI_INDEX, Some(format!("{} becomes an OCI image index: {reason} {content}", list())))
                }
                None => (media_type::DOCKER_LIST, None),
            },
            (ListFormat::Auto, _) => (media_type::OCI_INDEX, None),
        };
        Ok((media_type, note))
    }

    /// The descriptor of an entry, without a platform that comes from the configuration of the image.
    pub(super) fn descriptor_without_config_platform(&self, key: &EntryKey, entry: &Entry) -> Descriptor {
        let descriptor = &entry.descriptor;
        let platform =
            descriptor.non_empty_platform().filter(|platform| self.config_platforms.get(key) != Some(*platform));
        Descriptor { platform: platform.cloned(), ..descriptor.clone() }
    }

    /// The list as a value. With `omits_empty_platforms`, an entry without a platform has no member `platform`; docker
    /// writes an empty one.
    fn to_index(&self, media_type: &str, omits_empty_platforms: bool) -> Index {
        let is_oci = media_type == media_type::OCI_INDEX;
        let list_descriptor = |item: &ListItem<'_>| {
            let descriptor = match item {
                ListItem::Entry(_, entry) => entry.list_descriptor(is_oci),
                ListItem::Opaque(opaque) => opaque.descriptor.clone(),
            };
            let platform = descriptor.non_empty_platform().cloned();
            let platform = if omits_empty_platforms { platform } else { Some(platform.unwrap_or_default()) };
            Descriptor { platform, ..descriptor }
        };
        Index {
            media_type: media_type.to_owned(),
            artifact_type: self.artifact_type.clone(),
            manifests: self.list_items().iter().map(list_descriptor).collect(),
            subject: self.subject.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// Refuses an entry without a platform, which only an OCI index permits. An incomplete platform is refused in both
/// formats.
fn check_platform(entry: &Entry, is_oci: bool) -> Result<(), DocumentError> {
    let is_incomplete = |platform: &Platform| platform.os.is_empty() || platform.architecture.is_empty();
    let may_be_missing = is_oci && !entry.descriptor.has_non_empty_platform();
    match may_be_missing || !entry.descriptor.platform.as_ref().is_none_or(is_incomplete) {
        true => Ok(()),
        false => Err(DocumentError::NoPlatform(entry.reference.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::ImageFormat;
    use crate::reference::Reference;

    fn entry(reference: &str, os: &str) -> Entry {
        let platform = Platform { os: os.into(), architecture: "amd64".into(), ..Platform::default() };
        Entry::fetched(Reference::parse(reference).unwrap(), ImageFormat::Docker, b"{}".to_vec(), Some(platform))
    }

    #[test]
    fn list_refuses_an_entry_without_a_platform_except_in_an_oci_index() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", ""));
        let expected = "manifest h.x/a:1 must have an OS and Architecture to be pushed to a registry";
        assert_eq!(draft.encode(ListFormat::Auto).unwrap_err().to_string(), expected);
        assert!(draft.encode_for_display().is_ok());
        // An incomplete platform is refused in both formats.
        assert_eq!(draft.encode(ListFormat::Oci).unwrap_err().to_string(), expected);
        let mut artifact = entry("h.x/a:1", "");
        artifact.descriptor.platform = Some(Platform::default());
        draft.insert(artifact);
        assert_eq!(draft.encode(ListFormat::Docker).unwrap_err().to_string(), expected);
        let list = String::from_utf8(draft.encode(ListFormat::Oci).unwrap().bytes).unwrap();
        assert!(!list.contains("platform"), "{list}");
        draft.insert(entry("h.x/a:1", "linux"));
        draft.insert(entry("g.x/a:1", "linux"));
        assert!(draft.encode(ListFormat::Auto).is_ok());
    }

    #[test]
    fn list_with_oci_only_content_becomes_an_index_and_is_refused_as_a_docker_list() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "linux"));
        draft.annotations.insert("k".into(), "v".into());
        assert_eq!(
            draft.encode(ListFormat::Docker).unwrap_err().to_string(),
            "h.x/l:latest would be a Docker manifest list, which has no place for the annotation k of the list"
        );
        let list = draft.encode(ListFormat::Auto).unwrap();
        assert_eq!(list.media_type, media_type::OCI_INDEX);
        assert_eq!(
            list.note.as_deref(),
            Some(
                "h.x/l:latest becomes an OCI image index: a Docker manifest list has no place for the annotation k \
                 of the list"
            )
        );
        let list = String::from_utf8(draft.encode(ListFormat::Oci).unwrap().bytes).unwrap();
        assert!(list.contains("\"annotations\""), "{list}");
    }
}
