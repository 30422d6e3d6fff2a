//! A draft as `--format json` tells it: `create`, `ls` and `inspect` use the same words for the same things.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::document::{Draft, Entry};

/// A draft.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listing {
    reference: String,
    entries: Vec<EntryListing>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    artifact_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
}

/// One image in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryListing {
    reference: String,
    digest: String,
    media_type: String,
    size: u64,
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attests: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    artifact_type: String,
}

impl Listing {
    /// The draft, and how many requests it took.
    pub(super) fn of(draft: &Draft, requests: u64) -> Listing {
        Listing { requests: Some(requests), ..Listing::stored(draft) }
    }

    /// A draft for which nobody was asked.
    pub(super) fn stored(draft: &Draft) -> Listing {
        Listing {
            reference: draft.reference.to_string(),
            entries: draft.entries().map(EntryListing::of).collect(),
            annotations: draft.annotations.clone(),
            artifact_type: draft.artifact_type.clone(),
            requests: None,
        }
    }
}

impl EntryListing {
    /// One entry.
    pub(super) fn of(entry: &Entry) -> EntryListing {
        let descriptor = &entry.descriptor;
        EntryListing {
            reference: entry.reference.to_string(),
            digest: descriptor.digest.to_string(),
            media_type: descriptor.media_type.clone(),
            size: descriptor.size,
            platform: descriptor.platform.as_ref().filter(|_| descriptor.has_platform()).map(ToString::to_string),
            attests: entry.attests().map(|digest| digest.to_string()),
            source: entry.source.as_ref().map(ToString::to_string),
            annotations: descriptor.annotations.clone(),
            artifact_type: descriptor.artifact_type.clone(),
        }
    }
}
