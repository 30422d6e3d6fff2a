//! The outcome of a push, for programs: `--format json` and buildx's metadata file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::core::json_output::ListEntryJson;
use crate::core::push::index_diff::IndexDiff;
use crate::core::push::plan::PushPlan;
use crate::core::referrers::outcome::ReferrerOutcome;
use crate::digest::Digest;
use crate::drafts::registry::FoundEntry;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// A list that was published, or (with [`PushOutcome::preview`]) would be. Its serialisation is `--format json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushOutcome {
    /// The list's name.
    pub(crate) reference: String,
    pub(crate) digest: String,
    /// The size in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// The entries of the list, in its order.
    pub(crate) platforms: Vec<ListEntryJson>,
    /// The tags in the order in which they move.
    pub(crate) tags: Vec<String>,
    /// The number of HTTP requests, in all repositories.
    pub(crate) requests: u64,
    /// Whether everything was there already, in all repositories.
    pub(crate) unchanged: bool,
    /// The number of mounted blobs.
    pub(crate) mounted: u64,
    pub(crate) copied: CopiedBlobs,
    pub(crate) dry_run: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<DryRun>,
    /// What was read back with `--verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<ReadBackCounts>,
    /// The referrers of the list and its images that were sent along, or would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers: Vec<ReferrerOutcome>,
    /// The referrers that stay in the repositories of the images. Only a dry run and `--verbose` search for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_behind: Vec<ReferrerOutcome>,
    /// Whether the shared draft was published. `None` for a push of a local draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<bool>,
    /// The entries of the shared draft that it was made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<SharedDraftEntry>,
    /// The outcomes of the other repositories, which were published before, with their share of the requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_repositories: Vec<PushOutcome>,
    /// The full tags that named the list before.
    #[serde(skip)]
    pub(crate) unchanged_tags: Vec<String>,
    /// The children from other repositories, which docker prints.
    #[serde(skip)]
    pub(crate) pushed_refs: Vec<Reference>,
    /// Warnings about the list, one line each.
    #[serde(skip)]
    pub(crate) warnings: Vec<String>,
}

/// The numbers of names, manifests and blobs that were read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ReadBackCounts {
    /// Names of the list that serve its bytes: its tags, or its digest where it has none.
    pub(crate) names: usize,
    /// Manifests below the list, and referrers, that were fetched.
    pub(crate) manifests: usize,
    /// Blobs that the repository has.
    pub(crate) blobs: usize,
}

impl fmt::Display for ReadBackCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let ReadBackCounts { names, manifests, blobs } = *self;
        let (names, manifests, blobs) =
            (counted(names, "name"), counted(manifests, "manifest"), counted(blobs, "blob"));
        write!(f, "verified: {names}, {manifests}, {blobs}")
    }
}

/// An entry of a shared draft that went into the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SharedDraftEntry {
    /// Its key: `linux/arm64`.
    pub(crate) key: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
}

impl SharedDraftEntry {
    pub(crate) fn from_found(found: &FoundEntry) -> SharedDraftEntry {
        let key = found.entry.name.key.to_string();
        SharedDraftEntry { key, tag: found.tag.clone(), digest: found.digest.to_string() }
    }
}

/// Blobs that were copied from another registry, or from another repository of the same one without a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CopiedBlobs {
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
}

impl CopiedBlobs {
    /// Counts a blob of this size.
    pub(super) fn add(&mut self, bytes: u64) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// The content that was sent to a repository.
#[derive(Debug, Default)]
pub(crate) struct SentContent {
    /// The number of mounted blobs.
    pub(crate) mounted: u64,
    pub(crate) copied: CopiedBlobs,
    /// Warnings, one line each.
    pub(crate) warnings: Vec<String>,
}

/// The additional results of a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DryRun {
    /// The change of each tag.
    pub(crate) tag_changes: Vec<PlannedTagChange>,
    /// The referrers tags that must list pushed manifests; empty if the registry has a referrers API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers_tags: Vec<PlannedTagChange>,
    /// The differences from the list that its name serves now.
    pub(crate) changes: IndexDiff,
}

/// How a push would change a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PlannedTagChange {
    pub(crate) tag: String,
    pub(crate) change: PlannedTagChangeKind,
    /// The digest that it names now, if that is known.
    pub(crate) now: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PlannedTagChangeKind {
    /// The tag does not exist yet.
    New,
    /// It names another manifest.
    Moved,
    /// It names this list.
    Unchanged,
    /// The login may not read the tag, or what it names cannot be read.
    Unknown,
}

impl PushOutcome {
    /// The outcome before anything is sent.
    pub(crate) fn from_plan(draft: &Draft, plan: &PushPlan<'_>) -> PushOutcome {
        let repository = plan.target.repository();
        let at = |digest: &Digest| repository.at_digest(digest);
        let image = |entry: &Entry| ListEntryJson::pushed_entry(&at(&entry.descriptor.digest), &entry.descriptor);
        let elsewhere = plan.children.iter().filter(|child| child.manifest.is_some());
        PushOutcome {
            reference: plan.target.to_string(),
            digest: plan.list.digest.to_string(),
            size: plan.list.bytes.len() as u64,
            media_type: plan.list.media_type.to_owned(),
            annotations: draft.annotations.clone(),
            platforms: plan.children.iter().map(|child| image(child.entry)).collect(),
            tags: plan.tags.iter().filter_map(Reference::tag).map(str::to_owned).collect(),
            pushed_refs: elsewhere.map(|child| at(&child.entry.descriptor.digest)).collect(),
            ..PushOutcome::default()
        }
    }

    /// The outcome of each repository, in the order in which they were published.
    pub(crate) fn repositories(&self) -> impl Iterator<Item = &PushOutcome> {
        self.other_repositories.iter().chain([self])
    }

    /// Docker's lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let pushed = self
            .repositories()
            .flat_map(|repository| &repository.pushed_refs)
            .filter_map(|reference| Some(format!("Pushed ref {reference} with digest: {}", reference.digest()?)));
        pushed.chain([self.digest.clone()]).collect()
    }

    /// The members of buildx's `--metadata-file` that apply to a list.
    pub(crate) fn metadata(&self) -> Value {
        let mut descriptor = json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size });
        if !self.annotations.is_empty()
            && let Some(members) = descriptor.as_object_mut()
        {
            members.insert("annotations".to_owned(), json!(self.annotations));
        }
        json!({
            "containerimage.descriptor": descriptor,
            "containerimage.digest": self.digest,
            "image.name": self.names().join(","),
        })
    }

    /// The full names under which the list can be pulled.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(list) = Reference::parse(&self.reference) else { return vec![self.reference.clone()] };
        if self.tags.is_empty() && self.other_repositories.is_empty() {
            return vec![format!("{}@{}", list.repository(), self.digest)];
        }
        self.repositories().flat_map(PushOutcome::tags_in_full).collect()
    }

    /// The full tags in this repository.
    pub(crate) fn tags_in_full(&self) -> Vec<String> {
        let Ok(list) = Reference::parse(&self.reference) else { return Vec::new() };
        self.tags.iter().map(|tag| format!("{}:{tag}", list.repository())).collect()
    }

    /// Whether there are tags beside the list's own.
    pub(crate) fn has_more_names(&self) -> bool {
        let own_tag = Reference::parse(&self.reference).ok();
        let own_tag = own_tag.as_ref().and_then(Reference::tag);
        !self.other_repositories.is_empty() || self.tags.iter().any(|tag| Some(tag.as_str()) != own_tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::open_layouts::Layouts;
    use crate::model::index::ListFormat;
    use crate::model::manifest::ImageFormat;
    use crate::platform::Platform;

    fn published(more_tags: &[&str]) -> PushOutcome {
        let mut draft = Draft::new(Reference::parse("h.x/app:latest").unwrap());
        draft.annotations.insert("k".into(), "v".into());
        for (image, platform) in [("h.x/app:a", "linux/amd64"), ("o.x/b:1", "linux/arm64/v8")] {
            let bytes = format!(r#"{{"layers":[],"x":"{image}"}}"#).into_bytes();
            let platform = Some(Platform::parse(platform).unwrap());
            draft.insert(Entry::fetched(Reference::parse(image).unwrap(), ImageFormat::Oci, bytes, platform));
        }
        let more_tags: Vec<String> = more_tags.iter().map(|tag| (*tag).to_owned()).collect();
        PushOutcome::from_plan(
            &draft,
            &PushPlan::new(&draft, ListFormat::Oci, &more_tags, &Layouts::default()).unwrap(),
        )
    }

    #[test]
    fn push_outcome_serialises_the_documented_members() {
        let published = published(&["1.2.3"]);
        let value = serde_json::to_value(&published).unwrap();
        let members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "reference",
            "digest",
            "size",
            "mediaType",
            "annotations",
            "platforms",
            "tags",
            "requests",
            "unchanged",
            "mounted",
            "copied",
            "dryRun",
        ];
        assert_eq!(members, expected);
        assert_eq!(value["tags"], json!(["1.2.3", "latest"]));
        assert_eq!(value["copied"], json!({ "blobs": 0, "bytes": 0 }));
        let members: Vec<&str> = value["platforms"][1].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["platform", "digest", "size", "mediaType", "reference"]);
        assert_eq!(value["platforms"][1]["platform"], "linux/arm64/v8");
        let digest = value["platforms"][1]["digest"].as_str().unwrap();
        assert_eq!(value["platforms"][1]["reference"], format!("h.x/app@{digest}"));
        // Docker prints only children from other repositories.
        let line = format!("Pushed ref h.x/app@{digest} with digest: {digest}");
        assert_eq!(published.lines(), [line, published.digest.clone()]);
    }

    #[test]
    fn push_outcome_metadata_is_that_of_buildx() {
        let published = published(&["1.2.3"]);
        let expected = json!({
            "containerimage.descriptor": {
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": published.digest,
                "size": published.size,
                "annotations": { "k": "v" },
            },
            "containerimage.digest": published.digest,
            "image.name": "h.x/app:1.2.3,h.x/app:latest",
        });
        assert_eq!(published.metadata(), expected);
    }
}
