//! Image manifests: which kind a document is, and which blobs it needs.

use crate::document::descriptor::Descriptor;
use crate::document::error::DocumentError;
use crate::document::gojson::{self, Members};
use crate::document::media_type;

/// What a registry can serve under a manifest's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One image, in the form that this says.
    Image(Schema),
    /// A manifest list or an index.
    List,
}

/// The two forms of an image manifest, which docker keeps under different names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Docker's version 2 schema 2.
    Docker,
    /// The OCI image manifest.
    Oci,
}

impl Kind {
    /// The kind that a media type stands for, if it is one that this program can handle.
    pub fn of(media_type: &str) -> Option<Kind> {
        match media_type::essence(media_type) {
            media_type::DOCKER_MANIFEST => Some(Kind::Image(Schema::Docker)),
            media_type::OCI_MANIFEST => Some(Kind::Image(Schema::Oci)),
            media_type::DOCKER_LIST | media_type::OCI_INDEX => Some(Kind::List),
            _ => None,
        }
    }
}

impl Schema {
    /// The member of a store entry that holds a manifest of this form.
    pub fn member(self) -> &'static str {
        match self {
            Schema::Docker => "SchemaV2Manifest",
            Schema::Oci => "OCIManifest",
        }
    }

    /// The media type of a manifest of this form.
    pub fn media_type(self) -> &'static str {
        match self {
            Schema::Docker => media_type::DOCKER_MANIFEST,
            Schema::Oci => media_type::OCI_MANIFEST,
        }
    }

    /// The indentation that docker gives a manifest of this form when the bytes that came were not kept.
    pub fn indentation(self) -> &'static str {
        match self {
            Schema::Docker => "   ",
            Schema::Oci => "  ",
        }
    }
}

/// The configuration of an image, as its manifest names it.
///
/// # Errors
/// Where the manifest is not JSON or has no usable `config`.
pub fn config(manifest: &[u8]) -> Result<Descriptor, DocumentError> {
    let value = gojson::parse(manifest)?;
    let config = Members::of("Manifest", &value)?.get("config").ok_or(DocumentError::Missing("config"))?;
    Descriptor::decode(config)
}

/// The layers of an image, in their order.
///
/// # Errors
/// Where the manifest is not JSON or a descriptor in it is malformed.
pub fn layers(manifest: &[u8]) -> Result<Vec<Descriptor>, DocumentError> {
    let value = gojson::parse(manifest)?;
    Members::of("Manifest", &value)?.array("layers")?.iter().map(Descriptor::decode).collect()
}

/// The descriptors of all blobs that an image needs: its configuration first, then its layers, as docker orders them.
///
/// # Errors
/// Where the manifest is not JSON or a descriptor in it is malformed.
pub fn blobs(manifest: &[u8]) -> Result<Vec<Descriptor>, DocumentError> {
    let value = gojson::parse(manifest)?;
    let members = Members::of("Manifest", &value)?;
    let config = members.get("config").into_iter();
    config.chain(members.array("layers")?).map(Descriptor::decode).collect()
}
