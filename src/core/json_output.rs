//! Lists and images in `--format json`. `create`, `push`, `ls`, `inspect` and `platforms` share these members.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested_digest;
use crate::model::{DocumentError, Draft, Entry};
use crate::platform::Platform;

/// A list or an image with its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManifestJson {
    pub(crate) reference: String,
    pub(crate) digest: String,
    /// The size of the manifest, in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    /// Whether it is a draft or in one. A draft has the digest that it would be pushed with.
    pub(crate) local: bool,
    /// The platform of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<DescriptorJson>,
    /// The entries of a list in their order; for an image, the image itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platforms: Option<Vec<ListEntryJson>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<ContentsJson>,
    /// The referrers, if they were requested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers: Vec<ReferrerJson>,
    /// The tag of the name, if it has one.
    pub(crate) tags: Vec<String>,
    /// The number of HTTP requests that were sent.
    pub(crate) requests: u64,
}

/// One entry of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListEntryJson {
    /// `linux/arm64/v8`; `None` if it is not known.
    pub(crate) platform: Option<String>,
    /// The fields of the platform.
    #[serde(flatten)]
    pub(crate) parts: PlatformJson,
    pub(crate) digest: String,
    /// The size of the manifest, in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    pub(crate) reference: String,
    /// The digest of the image that an attestation describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attests: Option<String>,
    /// The index that an entry of a draft came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether the registry lacks it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) missing: bool,
    /// The entries of a nested index, if they were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platforms: Option<Vec<ListEntryJson>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<ContentsJson>,
    /// The referrers, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers: Vec<ReferrerJson>,
    /// The source of the entry, in a dry run.
    #[serde(rename = "from", skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<PlannedTransfer>,
}

/// A manifest that refers to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerJson {
    pub(crate) digest: String,
    /// The size of the manifest, in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    pub(crate) reference: String,
    /// Its own, or its configuration's media type.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Cosign's tags for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Its blobs, with `--verbose`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<ContentsJson>,
    /// The referrers of this referrer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers: Vec<ReferrerJson>,
}

/// The source of an image of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PlannedTransfer {
    pub(crate) how: TransferMethod,
    pub(crate) repository: String,
    /// The bytes of the blobs that must be mounted or copied for it.
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransferMethod {
    /// In the list's repository.
    InPlace,
    /// In another repository of its registry.
    Mount,
    /// In another registry.
    Copy,
}

/// The fields of a platform. Unknown ones are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlatformJson {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) os: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) architecture: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) os_version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) os_features: Vec<String>,
}

/// The blobs of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentsJson {
    /// The size of the configuration and all layers, in bytes.
    pub(crate) total_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<DescriptorJson>,
    pub(crate) layers: Vec<DescriptorJson>,
}

/// A blob, or a manifest without further details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescriptorJson {
    pub(crate) digest: String,
    /// The size in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl ManifestJson {
    /// A list or an image of this name. The descriptor's annotations and artifact type are the manifest's own.
    pub(crate) fn new(location: &Location, descriptor: &Descriptor) -> ManifestJson {
        ManifestJson {
            reference: location.to_string(),
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            platform: descriptor.non_empty_platform().map(ToString::to_string),
            artifact_type: descriptor.artifact_type.clone(),
            annotations: descriptor.annotations.clone(),
            tags: location.tag().map(str::to_owned).into_iter().collect(),
            ..ManifestJson::default()
        }
    }

    /// The list of a draft. It counts no requests.
    ///
    /// # Errors
    /// As [`Draft::encode_for_display`].
    pub(crate) fn from_draft(draft: &Draft) -> Result<ManifestJson, DocumentError> {
        let list = draft.encode_for_display()?;
        let descriptor = Descriptor::new(list.media_type, list.digest, list.bytes.len() as u64);
        Ok(ManifestJson {
            local: true,
            artifact_type: draft.artifact_type.clone(),
            annotations: draft.annotations.clone(),
            subject: draft.subject.as_ref().map(DescriptorJson::from_descriptor),
            platforms: Some(draft.entries_in_list_order().map(ListEntryJson::from_entry).collect()),
            ..ManifestJson::new(&draft.reference.clone().into(), &descriptor)
        })
    }
}

impl ListEntryJson {
    /// One entry of a draft.
    pub(crate) fn from_entry(entry: &Entry) -> ListEntryJson {
        let source = entry.source.as_ref().map(ToString::to_string);
        ListEntryJson { source, ..ListEntryJson::from_descriptor(&entry.reference, &entry.descriptor) }
    }

    /// An image that is no list, as the only entry.
    pub(crate) fn single_image(reference: &dyn fmt::Display, image: &Descriptor) -> ListEntryJson {
        // The object around it has the manifest's own annotations.
        ListEntryJson::from_descriptor(reference, &Descriptor { annotations: BTreeMap::new(), ..image.clone() })
    }

    /// An entry of a list that is pushed, under the reference to pull it by.
    pub(crate) fn pushed_entry(reference: &dyn fmt::Display, descriptor: &Descriptor) -> ListEntryJson {
        let entry = ListEntryJson::from_descriptor(reference, descriptor);
        let (parts, artifact_type, annotations) = Default::default();
        ListEntryJson { parts, artifact_type, annotations, ..entry }
    }

    /// One entry of a list.
    pub(crate) fn from_descriptor(reference: &dyn fmt::Display, descriptor: &Descriptor) -> ListEntryJson {
        ListEntryJson {
            platform: descriptor.non_empty_platform().map(ToString::to_string),
            parts: PlatformJson::from_descriptor(descriptor),
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            reference: reference.to_string(),
            attests: attested_digest(descriptor).map(|digest| digest.to_string()),
            artifact_type: descriptor.artifact_type.clone(),
            annotations: descriptor.annotations.clone(),
            ..ListEntryJson::default()
        }
    }
}

impl PlatformJson {
    fn from_descriptor(descriptor: &Descriptor) -> PlatformJson {
        let Platform { os, architecture, variant, os_version, os_features, .. } =
            descriptor.platform.clone().unwrap_or_default();
        PlatformJson { os, architecture, variant, os_version, os_features }
    }
}

impl DescriptorJson {
    /// A blob, from its descriptor.
    pub(crate) fn from_descriptor(blob: &Descriptor) -> DescriptorJson {
        DescriptorJson {
            digest: blob.digest.to_string(),
            size: blob.size,
            media_type: blob.media_type.clone(),
            annotations: blob.annotations.clone(),
        }
    }
}
