//! Lists and images as `--format json` tells them: `create`, `ls`, `inspect` and `platforms` use the same words for the
//! same things, and `push` (see `summary`) does too.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::{DocumentError, Draft, Entry};
use crate::platform::Platform;
use crate::reference::Reference;

/// A list or an image under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listing {
    pub(crate) reference: String,
    pub(crate) digest: String,
    /// Of the manifest, in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    /// Whether it is a draft, or in one; a draft has the digest that it would be pushed with.
    pub(crate) local: bool,
    /// What an image runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<BlobListing>,
    /// What a list names, in its order; of an image, itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platforms: Option<Vec<EntryListing>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<ContentsListing>,
    /// The name's own tag, if it has one.
    pub(crate) tags: Vec<String>,
    /// HTTP requests that it took.
    pub(crate) requests: u64,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryListing {
    /// `linux/arm64/v8`; none where it is not known.
    pub(crate) platform: Option<String>,
    /// The same in parts.
    #[serde(flatten)]
    pub(crate) parts: PlatformListing,
    pub(crate) digest: String,
    /// Of the manifest, in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    pub(crate) reference: String,
    /// The digest that it attests, if it is an attestation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attests: Option<String>,
    /// The index that an entry of a draft was taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether the registry turned out not to have it.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) missing: bool,
    /// What it names itself, where it is an index and somebody has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platforms: Option<Vec<EntryListing>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<ContentsListing>,
}

/// The parts of a platform; those that are not known are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlatformListing {
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

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentsListing {
    /// Of the configuration and all layers, in bytes.
    pub(crate) total_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<BlobListing>,
    pub(crate) layers: Vec<BlobListing>,
}

/// A blob, or a manifest of which nothing else is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlobListing {
    pub(crate) digest: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Listing {
    /// What has this name; the descriptor's annotations and artifact type are the manifest's own.
    pub(crate) fn new(reference: &Reference, own: &Descriptor) -> Listing {
        Listing {
            reference: reference.to_string(),
            digest: own.digest.to_string(),
            size: own.size,
            media_type: own.media_type.clone(),
            local: false,
            platform: platform(own),
            artifact_type: own.artifact_type.clone(),
            annotations: own.annotations.clone(),
            subject: None,
            platforms: None,
            contents: None,
            tags: reference.tag().map(str::to_owned).into_iter().collect(),
            requests: 0,
        }
    }

    /// The draft, and how many requests it took.
    ///
    /// # Errors
    /// As [`Draft::preview`].
    pub(crate) fn of(draft: &Draft, requests: u64) -> Result<Listing, DocumentError> {
        Ok(Listing { requests, ..Listing::stored(draft)? })
    }

    /// A draft for which nobody was asked.
    ///
    /// # Errors
    /// As [`Draft::preview`].
    pub(crate) fn stored(draft: &Draft) -> Result<Listing, DocumentError> {
        let list = draft.preview()?;
        let own = Descriptor::new(list.media_type, list.digest, list.bytes.len() as u64);
        Ok(Listing {
            local: true,
            artifact_type: draft.artifact_type.clone(),
            annotations: draft.annotations.clone(),
            subject: draft.subject.as_ref().map(BlobListing::of),
            platforms: Some(draft.listed().map(EntryListing::of).collect()),
            ..Listing::new(&draft.reference, &own)
        })
    }
}

impl EntryListing {
    /// One entry of a draft.
    pub(crate) fn of(entry: &Entry) -> EntryListing {
        let source = entry.source.as_ref().map(ToString::to_string);
        EntryListing { source, ..EntryListing::line(&entry.reference, &entry.descriptor) }
    }

    /// An image that is no list, as the one entry of a list that it would be.
    pub(crate) fn alone(reference: &Reference, image: &Descriptor) -> EntryListing {
        // What a manifest says of itself is told once.
        EntryListing::line(reference, &Descriptor { annotations: BTreeMap::new(), ..image.clone() })
    }

    /// One line of a list.
    pub(crate) fn line(reference: &Reference, line: &Descriptor) -> EntryListing {
        EntryListing {
            platform: platform(line),
            parts: PlatformListing::of(line),
            digest: line.digest.to_string(),
            size: line.size,
            media_type: line.media_type.clone(),
            reference: reference.to_string(),
            attests: attested(line).map(|digest| digest.to_string()),
            source: None,
            artifact_type: line.artifact_type.clone(),
            annotations: line.annotations.clone(),
            missing: false,
            platforms: None,
            contents: None,
        }
    }
}

impl PlatformListing {
    fn of(line: &Descriptor) -> PlatformListing {
        let Platform { os, architecture, variant, os_version, os_features, .. } =
            line.platform.clone().unwrap_or_default();
        PlatformListing { os, architecture, variant, os_version, os_features }
    }
}

impl BlobListing {
    /// A blob as its descriptor has it.
    pub(crate) fn of(blob: &Descriptor) -> BlobListing {
        BlobListing {
            digest: blob.digest.to_string(),
            size: blob.size,
            media_type: blob.media_type.clone(),
            annotations: blob.annotations.clone(),
        }
    }
}

fn platform(line: &Descriptor) -> Option<String> {
    line.platform.as_ref().filter(|_| line.has_platform()).map(ToString::to_string)
}
