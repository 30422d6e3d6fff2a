//! Manifests as registries serve them: the kind of a document, and the blobs of an image.

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::error::DocumentError;
use crate::model::json::{self, Members};
use crate::model::media_type;

/// The kinds of content that a registry can serve as a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// One image of this format.
    Image(ImageFormat),
    /// A manifest list or an index.
    List,
}

/// The two formats of an image manifest. Docker stores them in different members of an entry's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// Docker's version 2 schema 2.
    Docker,
    /// The OCI image manifest.
    Oci,
}

impl ManifestKind {
    /// The kind of a media type, if it is supported.
    pub fn from_media_type(media_type: &str) -> Option<ManifestKind> {
        match media_type::essence(media_type) {
            media_type::DOCKER_MANIFEST => Some(ManifestKind::Image(ImageFormat::Docker)),
            media_type::OCI_MANIFEST => Some(ManifestKind::Image(ImageFormat::Oci)),
            media_type::DOCKER_LIST | media_type::OCI_INDEX => Some(ManifestKind::List),
            _ => None,
        }
    }

    /// Whether a media type is that of a manifest list or an index.
    pub fn is_list(media_type: &str) -> bool {
        ManifestKind::from_media_type(media_type) == Some(ManifestKind::List)
    }
}

/// The media type of a document from a registry: that of the response if it is a known one, otherwise that of the
/// document, otherwise a guess from its members. `None` if it is neither a manifest nor an index.
///
/// # Errors
/// A document that is a manifest to one client and an index to another (CVE-2021-41190), because it has the members of
/// both, or because the response and the document state different types. Docker refuses these too.
pub fn effective_media_type(content_type: &str, bytes: &[u8]) -> Result<Option<&'static str>, DocumentError> {
    let served = media_type::known(content_type);
    // Content that is not a JSON object is reported when it is decoded.
    let Ok(value) = json::parse(bytes) else { return Ok(served) };
    let Ok(members) = Members::parse("Manifest", &value) else { return Ok(served) };
    let has = |names: &[&str]| names.iter().any(|name| members.get(name).is_some());
    let (is_list, is_image) = (has(&["manifests"]), has(&["config", "layers", "fsLayers"]));
    let stated = members.string("mediaType").unwrap_or_default();
    let named_type = match (served, media_type::known(&stated)) {
        (Some(served), Some(stated)) if served != stated => {
            return Err(DocumentError::ConflictingMediaTypes { served, stated });
        }
        (served, stated) => served.or(stated),
    };
    match named_type.and_then(ManifestKind::from_media_type) {
        None if is_list && is_image => Err(DocumentError::ManifestAsIndex),
        Some(ManifestKind::List) if is_image => Err(DocumentError::ManifestAsIndex),
        Some(ManifestKind::Image(_)) if is_list => Err(DocumentError::IndexAsManifest),
        None if !stated.is_empty() || has(&["fsLayers"]) => Ok(None),
        None if is_list => Ok(Some(media_type::OCI_INDEX)),
        None if has(&["config"]) => Ok(Some(media_type::OCI_MANIFEST)),
        _ => Ok(named_type),
    }
}

impl ImageFormat {
    /// The member of a store entry for a manifest of this format.
    pub fn member(self) -> &'static str {
        match self {
            ImageFormat::Docker => "SchemaV2Manifest",
            ImageFormat::Oci => "OCIManifest",
        }
    }

    /// The media type of a manifest of this format.
    pub fn media_type(self) -> &'static str {
        match self {
            ImageFormat::Docker => media_type::DOCKER_MANIFEST,
            ImageFormat::Oci => media_type::OCI_MANIFEST,
        }
    }

    /// Docker's indentation of a manifest of this format whose original bytes were not kept.
    pub fn indentation(self) -> &'static str {
        match self {
            ImageFormat::Docker => "   ",
            ImageFormat::Oci => "  ",
        }
    }
}

/// The configuration of an image, from its manifest.
///
/// # Errors
/// A manifest that is not JSON or has no valid `config`.
pub fn config(manifest: &[u8]) -> Result<Descriptor, DocumentError> {
    let value = json::parse(manifest)?;
    let config = Members::parse("Manifest", &value)?.get("config").ok_or(DocumentError::MissingMember("config"))?;
    Descriptor::decode(config)
}

/// The layers of an image, in their order.
///
/// # Errors
/// A manifest that is not JSON, or a malformed descriptor.
pub fn layers(manifest: &[u8]) -> Result<Vec<Descriptor>, DocumentError> {
    let value = json::parse(manifest)?;
    Members::parse("Manifest", &value)?.array("layers")?.iter().map(Descriptor::decode).collect()
}

/// The descriptors of all blobs of an image: its configuration, then its layers, in docker's order.
///
/// # Errors
/// A manifest that is not JSON, or a malformed descriptor.
pub fn blobs(manifest: &[u8]) -> Result<Vec<Descriptor>, DocumentError> {
    let value = json::parse(manifest)?;
    let members = Members::parse("Manifest", &value)?;
    let config = members.get("config").into_iter();
    config.chain(members.array("layers")?).map(Descriptor::decode).collect()
}

/// The `artifactType` of a manifest and the media type of its configuration. They are empty if they are missing, or if
/// the bytes are not a manifest.
pub fn artifact_and_config_types(manifest: &[u8]) -> [String; 2] {
    let Ok(value) = json::parse(manifest) else { return Default::default() };
    let Ok(members) = Members::parse("Manifest", &value) else { return Default::default() };
    let artifact_type = members.string("artifactType").unwrap_or_default();
    let config = members.get("config").and_then(|config| Members::parse("Descriptor", config).ok());
    let config = config.and_then(|config| config.string("mediaType").ok()).unwrap_or_default();
    [artifact_type, config]
}

/// The digest of the manifest's subject, if it has one.
pub fn subject(manifest: &[u8]) -> Option<Digest> {
    let value = json::parse(manifest).ok()?;
    let subject = Members::parse("Manifest", &value).ok()?.get("subject")?;
    Descriptor::decode(subject).ok().map(|subject| subject.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

    const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    fn document(media_type: &str, members: &str) -> String {
        format!("{{\"mediaType\":\"{media_type}\",{members}\"schemaVersion\":2}}")
    }

    const IMAGE: &str = r#""config":{},"layers":[],"#;
    const LIST: &str = r#""manifests":[],"#;

    #[test]
    fn effective_media_type_refuses_a_response_that_contradicts_its_document() {
        for (served, stated, members, found) in [
            (OCI_INDEX, OCI_INDEX, LIST, Ok(Some(OCI_INDEX))),
            (OCI_INDEX, "", LIST, Ok(Some(OCI_INDEX))),
            ("application/vnd.oci.image.index.v1+json; charset=utf-8", OCI_INDEX, LIST, Ok(Some(OCI_INDEX))),
            (DOCKER_MANIFEST, "application/x", IMAGE, Ok(Some(DOCKER_MANIFEST))),
            // An index whose `manifests` is null or in another case, as Go reads it.
            (OCI_MANIFEST, "", r#""config":{},"manifests":null,"#, Ok(Some(OCI_MANIFEST))),
            (OCI_MANIFEST, "", r#""Manifests":[],"#, Err(DocumentError::IndexAsManifest)),
            (OCI_MANIFEST, OCI_MANIFEST, LIST, Err(DocumentError::IndexAsManifest)),
            (OCI_INDEX, OCI_INDEX, IMAGE, Err(DocumentError::ManifestAsIndex)),
            (OCI_INDEX, "", r#""manifests":[],"layers":[],"#, Err(DocumentError::ManifestAsIndex)),
            (DOCKER_LIST, "", r#""manifests":[],"fsLayers":[],"#, Err(DocumentError::ManifestAsIndex)),
            (
                DOCKER_LIST,
                OCI_INDEX,
                LIST,
                Err(DocumentError::ConflictingMediaTypes { served: DOCKER_LIST, stated: OCI_INDEX }),
            ),
            (
                OCI_MANIFEST,
                OCI_INDEX,
                LIST,
                Err(DocumentError::ConflictingMediaTypes { served: OCI_MANIFEST, stated: OCI_INDEX }),
            ),
        ] {
            assert_eq!(
                effective_media_type(served, document(stated, members).as_bytes()),
                found,
                "{served} {stated} {members}"
            );
        }
    }

    #[test]
    fn effective_media_type_is_the_documents_if_the_response_states_no_known_one() {
        for served in ["", "application/json", "text/plain; charset=utf-8", "application/octet-stream"] {
            for (stated, members, found) in [
                (DOCKER_LIST, LIST, Ok(Some(DOCKER_LIST))),
                (DOCKER_MANIFEST, IMAGE, Ok(Some(DOCKER_MANIFEST))),
                ("", LIST, Ok(Some(OCI_INDEX))),
                ("", IMAGE, Ok(Some(OCI_MANIFEST))),
                ("", r#""fsLayers":[],"#, Ok(None)),
                (SCHEMA_1, IMAGE, Ok(None)),
                ("", "", Ok(None)),
                ("", r#""manifests":[],"config":{},"#, Err(DocumentError::ManifestAsIndex)),
                (OCI_INDEX, IMAGE, Err(DocumentError::ManifestAsIndex)),
            ] {
                assert_eq!(
                    effective_media_type(served, document(stated, members).as_bytes()),
                    found,
                    "{served} {stated} {members}"
                );
            }
            assert_eq!(effective_media_type(served, b"<html>"), Ok(None));
        }
        assert_eq!(effective_media_type(OCI_INDEX, b"[]"), Ok(Some(OCI_INDEX)));
    }
}
