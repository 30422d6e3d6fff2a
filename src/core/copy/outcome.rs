//! The result of a copy, as values.

use serde::Serialize;

use crate::content::registry::FetchedManifest;
use crate::core::copy::CopyRequest;
use crate::core::copy::walk::WalkedManifest;
use crate::core::push::outcome::ReadBackCounts;
use crate::core::referrers::outcome::ReferrerOutcome;
use crate::digest::Digest;

/// The result of a copy or of its dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyOutcome {
    /// The target, with the tag if it has one.
    pub(crate) reference: String,
    /// The source.
    pub(crate) source: String,
    pub(crate) digest: String,
    /// The digest in the source, if only a part was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_digest: Option<String>,
    /// The size of the manifest, in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    /// Whether it was a dry run, which sends nothing.
    pub(crate) dry_run: bool,
    /// Whether the target had all of it under this name.
    pub(crate) unchanged: bool,
    /// How the copy differs from the source, as lines for the user.
    pub(crate) changes: Vec<String>,
    pub(crate) manifests: Vec<CopiedManifest>,
    pub(crate) blobs: BlobCounts,
    /// The referrers that were copied, or would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers: Vec<ReferrerOutcome>,
    /// The referrers of an index of which only a part was copied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_behind: Vec<ReferrerOutcome>,
    /// What was read back with `--verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<ReadBackCounts>,
    /// One line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// The number of HTTP requests that were sent.
    pub(crate) requests: u64,
}

/// A manifest of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopiedManifest {
    pub(crate) digest: String,
    pub(crate) media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// Whether it was sent, or would be. The target has the others.
    pub(crate) sent: bool,
}

/// The blobs of the manifests that were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlobCounts {
    pub(crate) copied: usize,
    /// The size of the copied blobs, in bytes.
    pub(crate) bytes: u64,
    pub(crate) mounted: usize,
    pub(crate) already_there: usize,
}

impl BlobCounts {
    pub(super) fn add_copied(&mut self, size: u64) {
        self.copied += 1;
        self.bytes = self.bytes.saturating_add(size);
    }
}

impl CopiedManifest {
    pub(super) fn new(walked: &WalkedManifest, sent: bool) -> CopiedManifest {
        let descriptor = &walked.descriptor;
        let platform = descriptor.non_empty_platform().map(ToString::to_string);
        let media_type = walked.fetched.as_ref().map_or(&descriptor.media_type, |fetched| &fetched.media_type);
        CopiedManifest { digest: descriptor.digest.to_string(), media_type: media_type.clone(), platform, sent }
    }
}

impl CopyOutcome {
    pub(super) fn new(
        request: &CopyRequest<'_>,
        top: &FetchedManifest,
        before: &Digest,
        changes: Vec<String>,
    ) -> CopyOutcome {
        CopyOutcome {
            reference: request.to.clone(),
            source: request.from.clone(),
            digest: top.digest.to_string(),
            source_digest: Some(before).filter(|before| **before != top.digest).map(ToString::to_string),
            size: top.bytes.len() as u64,
            media_type: top.media_type.clone(),
            dry_run: request.dry_run,
            changes,
            ..CopyOutcome::default()
        }
    }

    pub(super) fn status_line(&self) -> String {
        let result = match (self.unchanged, self.dry_run) {
            (true, _) => "already there",
            (false, true) => "would publish",
            (false, false) => "published",
        };
        format!("{result}: {}", self.reference)
    }
}
