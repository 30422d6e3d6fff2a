//! The document of an entry: an index of one image and its attestations. Its annotations name the list, the run and the
//! key. See `store-format.md`, "Shared drafts".
//!
//! Anyone with push access may have put the content of an entry's tag. So its size is limited, and everything in it is
//! checked before it is used.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::drafts::registry::entry_tag::{EntryName, SharedEntryKey, TagParts};
use crate::model::descriptor::Descriptor;
use crate::model::entry::{attested_digest, is_attestation};
use crate::model::index::Index;
use crate::model::{DocumentError, media_type};

/// The prefix of our annotations. None of them reaches a published list.
pub const RESERVED_PREFIX: &str = "org.docker-manifest.";

const DRAFT_ANNOTATION: &str = "org.docker-manifest.draft";
const ATTEMPT_ANNOTATION: &str = "org.docker-manifest.draft.attempt";
const KEY_ANNOTATION: &str = "org.docker-manifest.draft.key";
const LIST_ANNOTATION: &str = "org.docker-manifest.draft.list";
const RUN_ANNOTATION: &str = "org.docker-manifest.draft.run";

/// The version of the format.
const FORMAT_VERSION: &str = "1";

/// The maximum size of an entry, in bytes. An entry with an attestation has less than 1000.
pub const ENTRY_BYTES_MAX: usize = 256 * 1024;

/// The maximum number of attestations of an entry.
pub const ATTESTATIONS_MAX: usize = 64;

/// One image of a list with its attestations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedEntry {
    /// List, run and key.
    pub name: EntryName,
    /// The attempt of the run that made the entry, if it is known.
    pub attempt: Option<u64>,
    /// The image as the list will describe it.
    pub image: Descriptor,
    /// Its attestations, likewise.
    pub attestations: Vec<Descriptor>,
    /// Whether the document has our annotations. An OCI index has them; a Docker manifest list cannot.
    pub is_annotated: bool,
}

/// Why a document is not the entry that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A document that cannot be read.
    #[error("{0}")]
    InvalidDocument(#[from] DocumentError),
    /// A media type of neither an OCI index nor a Docker manifest list.
    #[error("it is served as {:?}, not as an index", crate::sanitize::short_line(.0))]
    NotAnIndex(String),
    /// A document over the maximum size, in bytes.
    #[error("it has {0} bytes, and an entry has up to {ENTRY_BYTES_MAX}")]
    TooLarge(usize),
    /// An index without our annotations.
    #[error("it is an index of somebody else: it has no annotation {DRAFT_ANNOTATION}")]
    NotAnnotated,
    /// A later version.
    #[error("its format is {:?}; this program knows format {FORMAT_VERSION}", crate::sanitize::short_line(.0))]
    UnknownVersion(String),
    /// Annotations that name another list, run or key than the tag.
    #[error("its annotations name another list, run or platform than its tag")]
    NameMismatch,
    /// A member that no entry may have.
    #[error("it has {0}")]
    ForbiddenMember(&'static str),
    /// Descriptors of anything but one image and its attestations.
    #[error("{0}")]
    InvalidContents(&'static str),
    /// An image for another platform than that of the key.
    #[error("its image is for {platform}, and its key is {key}")]
    PlatformMismatch {
        /// The platform of the image.
        platform: String,
        /// The key of the entry.
        key: String,
    },
}

/// Why an image of a draft cannot have an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryCreationError {
    /// Its platform is not known.
    #[error("{0} has no platform that an entry could be named after")]
    NoPlatform(String),
    /// Another image has the same key.
    #[error("{key} would have two entries: {first} and {other}")]
    SameKey {
        /// The key.
        key: SharedEntryKey,
        /// The first image.
        first: String,
        /// The other image.
        other: String,
    },
}

impl SharedEntry {
    /// The entry as an OCI index on one line. Equal entries have equal bytes.
    ///
    /// # Errors
    /// An entry that [`SharedEntry::decode`] would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let mut annotations: BTreeMap<String, String> = [
            (DRAFT_ANNOTATION, FORMAT_VERSION.to_owned()),
            (KEY_ANNOTATION, self.name.key.as_str().to_owned()),
            (LIST_ANNOTATION, self.name.list_tag.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        annotations.extend(self.name.run.iter().map(|run| (RUN_ANNOTATION.to_owned(), run.clone())));
        annotations.extend(self.attempt.map(|attempt| (ATTEMPT_ANNOTATION.to_owned(), attempt.to_string())));
        self.encode_as(media_type::OCI_INDEX, annotations)
    }

    /// The entry as a Docker manifest list, for registries that refuse OCI indexes; `None` if such a list cannot hold
    /// all members of the entry.
    ///
    /// # Errors
    /// As [`SharedEntry::encode`].
    pub fn encode_for_docker(&self) -> Result<Option<Vec<u8>>, EntryError> {
        let needs_oci = Index { manifests: vec![self.image.clone()], ..Index::default() }.oci_only_content().is_some();
        if needs_oci || !self.attestations.is_empty() {
            return Ok(None);
        }
        self.encode_as(media_type::DOCKER_LIST, BTreeMap::new()).map(Some)
    }

    fn encode_as(&self, media_type: &str, annotations: BTreeMap<String, String>) -> Result<Vec<u8>, EntryError> {
        let manifests: Vec<Descriptor> = std::iter::once(&self.image).chain(&self.attestations).cloned().collect();
        split_image_and_attestations(&manifests)?;
        check_key_platform(&self.name.key, &self.image)?;
        let index = Index { media_type: media_type.to_owned(), manifests, annotations, ..Index::default() };
        let bytes = index.encode_compact()?;
        check_size(&bytes)?;
        Ok(bytes)
    }

    /// Reads the content of an entry's tag.
    ///
    /// # Errors
    /// A document that is no entry, or not the expected one.
    pub fn decode(
        served_type: &str,
        bytes: &[u8],
        tag: &str,
        expected: ExpectedEntryName<'_>,
    ) -> Result<SharedEntry, EntryError> {
        check_size(bytes)?;
        let index = Index::decode(bytes)?;
        let is_annotated = match media_type::known(served_type) {
            Some(media_type::OCI_INDEX) => true,
            Some(media_type::DOCKER_LIST) => false,
            _ => return Err(EntryError::NotAnIndex(served_type.to_owned())),
        };
        let (image, attestations) = split_image_and_attestations(&index.manifests)?;
        if !index.artifact_type.is_empty() {
            return Err(EntryError::ForbiddenMember("an artifact type"));
        }
        if index.subject.is_some() {
            return Err(EntryError::ForbiddenMember("a subject"));
        }
        let (found, attempt) = if is_annotated {
            name_from_annotations(&index.annotations)?
        } else if index.annotations.is_empty() {
            (name_from_tag(tag, expected, &image)?, None)
        } else {
            return Err(EntryError::ForbiddenMember("annotations, which a Docker manifest list cannot have"));
        };
        if found.tag() != tag || TagParts::parse(tag).is_none() || !expected.matches(&found) {
            return Err(EntryError::NameMismatch);
        }
        check_key_platform(&found.key, &image)?;
        Ok(SharedEntry { name: found, attempt, image, attestations, is_annotated })
    }

    /// The tag of a document that is an entry of this list and run; `None` if it cannot be derived.
    pub fn derive_tag(served_type: &str, bytes: &[u8], list: &str, run: Option<&str>) -> Option<String> {
        check_size(bytes).ok()?;
        let index = Index::decode(bytes).ok()?;
        if media_type::known(served_type) == Some(media_type::OCI_INDEX) {
            return name_from_annotations(&index.annotations).ok().map(|(name, _)| name.tag());
        }
        let (image, _) = split_image_and_attestations(&index.manifests).ok()?;
        let key = image.platform.as_ref().and_then(SharedEntryKey::from_platform)?;
        Some(EntryName { list_tag: list.to_owned(), run: run.map(str::to_owned), key }.tag())
    }

    /// All descriptors that the entry adds to the list.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.image).chain(&self.attestations)
    }
}

/// What is known of an entry before it is read.
#[derive(Debug, Clone, Copy)]
pub enum ExpectedEntryName<'a> {
    /// The list, run and key that its tag was derived from.
    Name(&'a EntryName),
    /// The list's tag and the run.
    ListAndRun(&'a str, Option<&'a str>),
    /// Only its tag is known.
    Any,
}

impl ExpectedEntryName<'_> {
    fn matches(self, found: &EntryName) -> bool {
        match self {
            ExpectedEntryName::Name(name) => name == found,
            ExpectedEntryName::ListAndRun(list, run) => found.list_tag == list && found.run.as_deref() == run,
            ExpectedEntryName::Any => true,
        }
    }
}

/// The name of an entry in a Docker manifest list, which has no annotations: derived from the tag.
fn name_from_tag(tag: &str, expected: ExpectedEntryName<'_>, image: &Descriptor) -> Result<EntryName, EntryError> {
    match expected {
        ExpectedEntryName::Name(name) => Ok(name.clone()),
        ExpectedEntryName::Any => Err(EntryError::NotAnnotated),
        ExpectedEntryName::ListAndRun(list, run) => {
            let TagParts { key, .. } = TagParts::parse(tag).ok_or(EntryError::NameMismatch)?;
            let derived = image
                .platform
                .as_ref()
                .and_then(SharedEntryKey::from_platform)
                .filter(|platform_key| platform_key.tag_part() == key);
            let key = derived.unwrap_or_else(|| SharedEntryKey::unchecked(key));
            Ok(EntryName { list_tag: list.to_owned(), run: run.map(str::to_owned), key })
        }
    }
}

fn check_size(bytes: &[u8]) -> Result<(), EntryError> {
    if bytes.len() > ENTRY_BYTES_MAX { Err(EntryError::TooLarge(bytes.len())) } else { Ok(()) }
}

/// The name and the attempt in the annotations of an OCI index.
fn name_from_annotations(annotations: &BTreeMap<String, String>) -> Result<(EntryName, Option<u64>), EntryError> {
    match annotations.get(DRAFT_ANNOTATION).map(String::as_str) {
        Some(FORMAT_VERSION) => {}
        Some(other) => return Err(EntryError::UnknownVersion(other.to_owned())),
        None => return Err(EntryError::NotAnnotated),
    }
    let required = |name: &'static str| annotations.get(name).cloned().ok_or(DocumentError::MissingMember(name));
    let key = SharedEntryKey::unchecked(required(KEY_ANNOTATION)?);
    let invalid_attempt = EntryError::InvalidContents("its annotation org.docker-manifest.draft.attempt is no number");
    let attempt =
        annotations.get(ATTEMPT_ANNOTATION).map(|text| text.parse().map_err(|_| invalid_attempt)).transpose()?;
    Ok((
        EntryName { list_tag: required(LIST_ANNOTATION)?, run: annotations.get(RUN_ANNOTATION).cloned(), key },
        attempt,
    ))
}

/// The image and its attestations.
fn split_image_and_attestations(manifests: &[Descriptor]) -> Result<(Descriptor, Vec<Descriptor>), EntryError> {
    let images: Vec<&Descriptor> = manifests.iter().filter(|descriptor| !is_attestation(descriptor)).collect();
    let [image] = images.as_slice() else {
        return Err(EntryError::InvalidContents("it does not have exactly one image"));
    };
    let attestations: Vec<Descriptor> =
        manifests.iter().filter(|descriptor| is_attestation(descriptor)).cloned().collect();
    if attestations.len() > ATTESTATIONS_MAX {
        return Err(EntryError::InvalidContents("it has more than 64 attestations"));
    }
    if attestations.iter().any(|descriptor| attested_digest(descriptor).as_ref() != Some(&image.digest)) {
        return Err(EntryError::InvalidContents("it has an attestation of another image"));
    }
    manifests.iter().try_for_each(check_descriptor)?;
    Ok(((*image).clone(), attestations))
}

fn check_descriptor(descriptor: &Descriptor) -> Result<(), EntryError> {
    if !matches!(descriptor.media_type.as_str(), media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST) {
        return Err(EntryError::InvalidContents("it names something that is no image manifest"));
    }
    if !descriptor.urls.is_empty() {
        return Err(EntryError::ForbiddenMember("urls"));
    }
    if descriptor.annotations.keys().any(|name| name.starts_with(RESERVED_PREFIX)) {
        return Err(EntryError::ForbiddenMember("a reserved annotation at its image"));
    }
    let is_embedded_content = |data: &String| {
        let content = STANDARD.decode(data).unwrap_or_default();
        content.len() as u64 == descriptor.size && descriptor.digest.verifies(&content)
    };
    if !descriptor.data.is_empty() && !is_embedded_content(&descriptor.data) {
        return Err(EntryError::ForbiddenMember("embedded data that is not the image"));
    }
    Ok(())
}

/// Checks that an image is for the platform of a key. A key that a user chose may have any image.
fn check_key_platform(key: &SharedEntryKey, image: &Descriptor) -> Result<(), EntryError> {
    let platform_key = image.platform.as_ref().and_then(SharedEntryKey::from_platform);
    if !key.is_platform() || platform_key.as_ref() == Some(key) {
        return Ok(());
    }
    let platform = image.platform.as_ref().map(ToString::to_string).unwrap_or_else(|| "-".to_owned());
    Err(EntryError::PlatformMismatch { platform, key: key.to_string() })
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
