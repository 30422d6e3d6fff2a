//! One image in a draft, and the file that docker keeps for it.
//!
//! The file's format is docker's; see `store-format.md`, "The entry". Content of a registry is kept as the bytes that
//! came. A manifest that docker stored without its bytes is used only if the digest confirms it, on one line or
//! indented.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::docker_entry_file;
use crate::model::error::DocumentError;
use crate::model::json;
use crate::model::manifest::{self, ImageFormat};
use crate::platform::Platform;
use crate::reference::Reference;

/// An image of a draft: its reference, its descriptor in the list, and its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The full reference of the image.
    pub reference: Reference,
    /// The descriptor in the list.
    pub descriptor: Descriptor,
    /// The index that it was taken from, by tag (if it has one) and digest; `None` for an image that the user named.
    pub source: Option<Reference>,
    /// The manifest's bytes as the registry served them; `None` if an old docker did not keep them.
    raw: Option<Vec<u8>>,
    /// The manifest as JSON, which docker stores beside the bytes, and its format.
    manifest: Option<(ImageFormat, StoredJson)>,
}

/// The JSON of a manifest. It is kept only if it cannot be derived from the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StoredJson {
    /// The bytes themselves.
    Raw,
    /// The bytes on one line, as docker stores them.
    Compacted,
    /// Another document.
    Separate(Vec<u8>),
}

impl Entry {
    /// An image as a registry served it.
    pub fn fetched(
        reference: Reference,
        image_format: ImageFormat,
        bytes: Vec<u8>,
        platform: Option<Platform>,
    ) -> Entry {
        let descriptor = Descriptor { platform, ..Descriptor::for_content(image_format.media_type(), &bytes) };
        Entry { reference, descriptor, source: None, raw: Some(bytes), manifest: Some((image_format, StoredJson::Raw)) }
    }

    /// An image of which only the descriptor is known.
    pub fn from_descriptor(reference: Reference, descriptor: Descriptor) -> Entry {
        Entry { reference, descriptor, source: None, raw: None, manifest: None }
    }

    /// A child of the list `source`, described as in the list.
    ///
    /// # Errors
    /// Bytes that do not match the descriptor.
    pub fn child_of_list(
        reference: Reference,
        image_format: ImageFormat,
        bytes: Vec<u8>,
        descriptor: Descriptor,
        source: Reference,
    ) -> Result<Entry, DocumentError> {
        let manifest = Some((image_format, StoredJson::Raw));
        let entry = Entry { reference, descriptor, source: Some(source), raw: Some(bytes), manifest };
        entry.verify()?;
        Ok(entry)
    }

    /// Whether it is an attestation of BuildKit.
    pub fn is_attestation(&self) -> bool {
        is_attestation(&self.descriptor)
    }

    /// The digest of the image that it attests, if it is an attestation of BuildKit.
    pub fn attested_digest(&self) -> Option<Digest> {
        attested_digest(&self.descriptor)
    }

    /// The digest of the manifest's subject.
    pub fn subject(&self) -> Option<Digest> {
        manifest::subject(&self.manifest_json().ok()?)
    }

    /// The artifact type that the user or the index has set; empty if it equals that of the manifest or the media type
    /// of the configuration, because then it adds nothing.
    pub fn artifact_type_override(&self) -> &str {
        let artifact_type = self.descriptor.artifact_type.as_str();
        let is_from_manifest = |json: Cow<'_, [u8]>| {
            manifest::artifact_and_config_types(&json).iter().any(|manifest_type| manifest_type == artifact_type)
        };
        if artifact_type.is_empty() || self.manifest_json().is_ok_and(is_from_manifest) { "" } else { artifact_type }
    }

    /// The descriptor in a new list. In an OCI index it has the artifact type of the manifest; in a Docker list only
    /// one that was set explicitly.
    pub fn list_descriptor(&self, is_oci: bool) -> Descriptor {
        let mut descriptor = self.descriptor.clone();
        if !is_oci {
            self.artifact_type_override().clone_into(&mut descriptor.artifact_type);
        } else if descriptor.artifact_type.is_empty()
            && let Ok(json) = self.manifest_json()
        {
            let [manifest_type, _] = manifest::artifact_and_config_types(&json);
            descriptor.artifact_type = manifest_type;
        }
        descriptor
    }

    /// Whether the entry has the original bytes, so that they need not be fetched again.
    pub fn has_raw(&self) -> bool {
        self.raw.is_some()
    }

    /// Checks the original bytes, if the entry has them, against the descriptor.
    ///
    /// # Errors
    /// Bytes of another digest or size.
    pub fn verify(&self) -> Result<(), DocumentError> {
        let Some(raw) = &self.raw else { return Ok(()) };
        if !self.descriptor.digest.verifies(raw) {
            return Err(self.digest_mismatch_error(raw));
        }
        if self.descriptor.size != raw.len() as u64 {
            return Err(DocumentError::SizeMismatch {
                reference: self.reference.to_string(),
                expected: self.descriptor.size,
                found: raw.len() as u64,
            });
        }
        Ok(())
    }

    /// The bytes to send to a registry. Their digest is that of the descriptor.
    ///
    /// # Errors
    /// The stored manifest has another digest, on one line and with each indentation.
    pub fn verified_bytes(&self) -> Result<Cow<'_, [u8]>, DocumentError> {
        let digest = &self.descriptor.digest;
        if let Some(raw) = &self.raw {
            self.verify()?;
            return Ok(Cow::Borrowed(raw));
        }
        let (image_format, json) = self.json().ok_or_else(|| self.no_payload_error())?;
        if digest.verifies(&json) {
            return Ok(json);
        }
        let docker_indented = json::indent(&json, image_format.indentation());
        let other_indentations = ["   ", "  "].map(|unit| json::indent(&json, unit));
        let mismatch_error = self.digest_mismatch_error(&docker_indented);
        let candidates = std::iter::once(docker_indented).chain(other_indentations);
        candidates.map(Cow::Owned).find(|candidate| digest.verifies(candidate)).ok_or(mismatch_error)
    }

    /// The manifest as JSON, to show or to parse: the original bytes, or the JSON that docker stored. Its digest may be
    /// another than that of the descriptor; see [`Entry::verified_bytes`].
    ///
    /// # Errors
    /// An entry without a manifest.
    pub fn manifest_json(&self) -> Result<Cow<'_, [u8]>, DocumentError> {
        let json = self.json().map(|(_, json)| json);
        json.or(self.raw.as_deref().map(Cow::Borrowed)).ok_or_else(|| self.no_payload_error())
    }

    fn json(&self) -> Option<(ImageFormat, Cow<'_, [u8]>)> {
        let raw = self.raw.as_deref().unwrap_or_default();
        let (image_format, json) = self.manifest.as_ref()?;
        let json = match json {
            StoredJson::Raw => Cow::Borrowed(raw),
            StoredJson::Compacted => Cow::Owned(json::compact(raw)),
            StoredJson::Separate(json) => Cow::Borrowed(json.as_slice()),
        };
        Some((*image_format, json))
    }

    /// The format of its manifest, if it has one.
    pub fn image_format(&self) -> Option<ImageFormat> {
        self.manifest.as_ref().map(|(image_format, _)| *image_format)
    }

    /// The media type for a PUT of the manifest: that of its format, even if a list states another.
    pub fn content_type(&self) -> &str {
        self.manifest.as_ref().map_or(&self.descriptor.media_type, |(image_format, _)| image_format.media_type())
    }

    /// The blobs of the image, in docker's order.
    ///
    /// # Errors
    /// An entry without a manifest, or with a malformed one.
    pub fn blobs(&self) -> Result<Vec<Descriptor>, DocumentError> {
        manifest::blobs(&self.manifest_json()?)
    }

    /// The entry's file, byte for byte as docker writes it.
    ///
    /// # Errors
    /// A manifest that is not JSON.
    pub fn encode(&self) -> Result<Vec<u8>, DocumentError> {
        let json = self.json();
        let manifest = json.as_ref().map(|(image_format, json)| (*image_format, &**json));
        let source = self.source.as_ref().map(Reference::to_string);
        docker_entry_file::encode(&self.reference, &self.descriptor, self.raw.as_deref(), manifest, source)
    }

    /// Reads an entry's file: docker's, ours, or one from before docker had descriptors.
    ///
    /// # Errors
    /// A file that is not JSON of that structure, or an old one whose bytes do not match its digest.
    pub fn decode(file: &[u8]) -> Result<Entry, DocumentError> {
        json::check_value_count(file)?;
        let file = json::replace_lone_surrogates(file);
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(&file)?;
        let member = |name: &str| {
            let found = members
                .get(name)
                .or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
            found.map(|value| value.get()).filter(|json| *json != "null")
        };
        let text = |name| member(name).map(serde_json::from_str::<String>).transpose();
        let reference = text("Ref")?.ok_or(DocumentError::MissingMember("Ref"))?;
        let reference = Reference::parse_canonical(&reference)?;
        let manifest = [ImageFormat::Docker, ImageFormat::Oci]
            .into_iter()
            .find_map(|image_format| member(image_format.member()).map(|json| (image_format, json.as_bytes())));
        let digest = text("Digest")?.filter(|digest| !digest.is_empty());
        let raw = text("Raw")?.filter(|raw| !raw.is_empty());
        let raw =
            raw.map(|raw| STANDARD.decode(raw).map_err(|e| DocumentError::InvalidBase64(e.to_string()))).transpose()?;
        let descriptor = match digest {
            Some(digest) => decode_old_descriptor(&reference, digest, manifest, member("Platform"))?,
            None => {
                let json = member("Descriptor").ok_or(DocumentError::MissingMember("Descriptor"))?;
                Descriptor::decode(&json::parse(json.as_bytes())?)?
            }
        };
        let is_compacted = |json: &[u8]| raw.as_deref().is_some_and(|raw| json::compact(raw) == json);
        let manifest = manifest.map(|(image_format, json)| {
            (image_format, if is_compacted(json) { StoredJson::Compacted } else { StoredJson::Separate(json.to_vec()) })
        });
        let source = text("Source")?.map(|source| Reference::parse_canonical(&source)).transpose()?;
        Ok(Entry { reference, descriptor, source, raw, manifest })
    }

    fn no_payload_error(&self) -> DocumentError {
        DocumentError::NoPayload(self.reference.to_string())
    }

    fn digest_mismatch_error(&self, bytes: &[u8]) -> DocumentError {
        DocumentError::DigestMismatch {
            reference: self.reference.to_string(),
            expected: self.descriptor.digest.clone(),
            found: Digest::from_bytes(bytes),
        }
    }
}

/// Reads an entry from before docker had descriptors, which has a digest and a platform at their top level.
fn decode_old_descriptor(
    reference: &Reference,
    digest: String,
    manifest: Option<(ImageFormat, &[u8])>,
    platform: Option<&str>,
) -> Result<Descriptor, DocumentError> {
    let (image_format, json) = manifest.ok_or_else(|| DocumentError::NoPayload(reference.to_string()))?;
    let expected: Digest = digest.parse().map_err(|error| DocumentError::InvalidDigest(digest, error))?;
    if !expected.verifies(json) {
        return Err(DocumentError::OldEntryMismatch { expected, found: Digest::from_bytes(json) });
    }
    let platform = platform.map(|json| json::parse(json.as_bytes())).transpose()?;
    let platform = platform.as_ref().map(descriptor::decode_config_platform).transpose()?;
    Ok(Descriptor { platform, ..Descriptor::new(image_format.media_type(), expected, json.len() as u64) })
}

/// The annotations that BuildKit gives to attestations in an index.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
const ATTESTATION: &str = "attestation-manifest";

/// Adds the annotations of an attestation of this image to a descriptor.
pub fn annotate_as_attestation(descriptor: &mut Descriptor, image: &Digest) {
    descriptor.annotations.insert(REFERENCE_TYPE.to_owned(), ATTESTATION.to_owned());
    descriptor.annotations.insert(REFERENCE_DIGEST.to_owned(), image.to_string());
}

/// Whether the descriptor is that of an attestation of BuildKit.
pub fn is_attestation(descriptor: &Descriptor) -> bool {
    attested_digest(descriptor).is_some()
}

/// The digest of the manifest that an attestation with this descriptor describes.
pub fn attested_digest(descriptor: &Descriptor) -> Option<Digest> {
    let annotation = |name| descriptor.annotations.get(name).map(String::as_str);
    let digest = annotation(REFERENCE_DIGEST).filter(|_| annotation(REFERENCE_TYPE) == Some(ATTESTATION));
    digest?.parse().ok()
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
