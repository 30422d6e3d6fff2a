//! Referrers in a registry without a referrers API. The client that pushes a manifest with a `subject` must then add it
//! to the index under the subject's referrers tag (distribution-spec, "Pushing Manifests with Subject"). A registry
//! with the API returns `OCI-Subject` when the manifest is put.
//!
//! No registry can lock a tag: another client that read it at the same time may overwrite the update. So the tag is
//! read back, and a lost entry is added again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::content::registry::{FetchedManifest, ManifestName, RegistryClient};
use crate::core::Warnings;
use crate::core::error::CommandError;
use crate::core::push::outcome::{PlannedTagChange, PlannedTagChangeKind};
use crate::core::push::plan::PushPlan;
use crate::core::push::remote_state::{self, RemoteState};
use crate::core::push::tags;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::EncodedManifest;
use crate::model::{manifest, media_type, referrers};
use crate::net::clock::Clock;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::Reference;
use crate::sanitize;

/// The maximum number of retries of a lost update.
const RETRIES_MAX: u32 = 5;
/// The longest wait before the first retry. It doubles with each retry.
const FIRST_DELAY_MAX: Duration = Duration::from_millis(100);
/// The manifest size that every registry accepts, in bytes (distribution-spec, "Pushing Manifests").
const INDEX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A manifest with a subject that this run puts.
pub(crate) struct ManifestWithSubject<'a> {
    pub(crate) subject: Digest,
    media_type: &'a str,
    pub(crate) digest: &'a Digest,
    bytes: &'a [u8],
}

impl<'a> ManifestWithSubject<'a> {
    /// A manifest as a referrer; `None` if it has no subject.
    pub(crate) fn from_manifest(
        media_type: &'a str,
        digest: &'a Digest,
        bytes: &'a [u8],
    ) -> Option<ManifestWithSubject<'a>> {
        let subject = referrers::subject(media_type, bytes)?;
        Some(ManifestWithSubject { subject, media_type, digest, bytes })
    }
}

/// A referrers tag, and the manifests that it must list.
pub(crate) struct ReferrersTag {
    tag: Reference,
    subject: Digest,
    entries: Vec<Descriptor>,
}

/// The result for a referrers tag: it lists the manifests now, or a line says why it does not.
type TagUpdateResult = Result<Reference, String>;

/// What a referrers tag names.
enum TagContent {
    /// The tag does not exist.
    Absent,
    /// An index with all entries.
    Complete(Digest),
    /// An index that lacks some entries.
    Incomplete(FetchedManifest, BTreeSet<String>),
    /// A manifest that cannot be extended, and why.
    Unusable(String),
}

/// Whether a list has a subject. Then it is put by its digest before a tag moves to it.
pub(crate) fn has_subject(list: &EncodedManifest) -> bool {
    referrers::subject(list.media_type, &list.bytes).is_some()
}

/// The manifests with a subject that a push puts: those that the list names, then the list.
pub(crate) fn manifests_with_subject<'a>(
    plan: &'a PushPlan<'_>,
    remote: &'a RemoteState,
) -> Vec<ManifestWithSubject<'a>> {
    let children =
        plan.manifests_to_send(&remote.present).filter_map(|manifest| Some((manifest, manifest.reference.digest()?)));
    let children = children.filter_map(|(manifest, digest)| {
        ManifestWithSubject::from_manifest(manifest.media_type, digest, &manifest.bytes)
    });
    let list = Some(&plan.list).filter(|_| !remote.has_list);
    children
        .chain(list.and_then(|list| ManifestWithSubject::from_manifest(list.media_type, &list.digest, &list.bytes)))
        .collect()
}

/// The referrers tags of these manifests in the target's repository, each once. A manifest that cannot be listed
/// becomes a line that says why.
pub(crate) fn group_by_tag(target: &Reference, manifests: &[ManifestWithSubject<'_>]) -> (Vec<ReferrersTag>, Warnings) {
    let (mut found, mut warnings) = (BTreeMap::new(), Vec::new());
    for ManifestWithSubject { subject, media_type, digest, bytes } in manifests {
        let name = referrers::tag(subject);
        let Some(tag) = tags::with_tag(target, &name) else { continue };
        match referrers::descriptor(media_type, digest, bytes) {
            Ok(entry) => {
                let new = || ReferrersTag { tag, subject: subject.clone(), entries: Vec::new() };
                found.entry(name).or_insert_with(new).entries.push(entry);
            }
            Err(error) => warnings.push(not_listed_warning(&tag, &[digest.to_string()], &error.to_string())),
        }
    }
    (found.into_values().collect(), warnings)
}

/// Adds the manifests to their referrers tags.
///
/// # Errors
/// Failed requests. A registry that refuses a tag causes a warning.
pub(crate) fn update(
    registry: &RegistryClient,
    clock: &dyn Clock,
    tags: &[ReferrersTag],
) -> Result<Vec<TagUpdateResult>, CommandError> {
    CommandError::collect_parallel(registry.jobs(), tags, |tag| tag.update(registry, clock))
}

/// What a push would do to the referrers tags; empty if the registry has a referrers API.
///
/// # Errors
/// Failed requests.
pub(crate) fn preview(
    registry: &RegistryClient,
    tags: &[ReferrersTag],
) -> Result<(Vec<PlannedTagChange>, Warnings), CommandError> {
    let previews = CommandError::collect_parallel(registry.jobs(), tags, |tag| tag.preview(registry))?;
    let (mut changes, mut warnings) = (Vec::new(), Vec::new());
    for preview in previews.into_iter().flatten() {
        match preview {
            Ok(change) => changes.push(change),
            Err(warning) => warnings.push(warning),
        }
    }
    Ok((changes, warnings))
}

impl ReferrersTag {
    fn update(&self, registry: &RegistryClient, clock: &dyn Clock) -> Result<TagUpdateResult, CommandError> {
        for retry in 0..=RETRIES_MAX {
            if retry > 0 {
                clock.sleep(retry_delay(retry, clock.random_fraction()));
            }
            let content = match self.read_content(registry) {
                Err(error) => return self.warning_or_error(error, CommandError::from),
                Ok(TagContent::Complete(_)) => return Ok(Ok(self.tag.clone())),
                Ok(content) => content,
            };
            let index = match self.extended(&content) {
                Err(reason) => return Ok(self.not_listed_result(&reason)),
                Ok(index) => index,
            };
            if let Err(error) = self.put(registry, &index) {
                return self
                    .warning_or_error(error, |source| CommandError::put(&self.tag, media_type::OCI_INDEX, source));
            }
            match self.read_content(registry) {
                Err(error) => return self.warning_or_error(error, CommandError::from),
                Ok(TagContent::Complete(_)) => return Ok(Ok(self.tag.clone())),
                Ok(_) => {}
            }
        }
        Ok(self.not_listed_result("every update of it was lost"))
    }

    /// The index with the entries that it lacks, or why it cannot be extended.
    fn extended(&self, content: &TagContent) -> Result<Vec<u8>, String> {
        let index = match content {
            TagContent::Unusable(reason) => return Err(reason.clone()),
            TagContent::Absent | TagContent::Complete(_) => referrers::append(None, &self.entries),
            TagContent::Incomplete(fetched, listed) => {
                let is_new = |entry: &&Descriptor| !listed.contains(entry.digest.as_str());
                let new: Vec<Descriptor> = self.entries.iter().filter(is_new).cloned().collect();
                referrers::append(Some(&fetched.bytes), &new)
            }
        };
        match index {
            Ok(index) if index.len() > INDEX_BYTES_MAX => Err("its index would be over 4 MiB".to_owned()),
            Ok(index) => Ok(index),
            Err(error) => Err(format!("it serves no index: {error}")),
        }
    }

    fn put(&self, registry: &RegistryClient, index: &[u8]) -> Result<(), RegistryError> {
        let name = ManifestName::Tag(self.tag.tag().unwrap_or_default().to_owned());
        registry.put_manifest(self.tag.repository(), &name, media_type::OCI_INDEX, index).map(|_| ())
    }

    fn preview(&self, registry: &RegistryClient) -> Result<Option<Result<PlannedTagChange, String>>, CommandError> {
        let change = |change, now: Option<Digest>| {
            let (tag, now) = (self.tag.tag().unwrap_or_default().to_owned(), now.map(|now| now.to_string()));
            Ok(PlannedTagChange { tag, change, now })
        };
        let content = match registry.referrers_index(self.tag.repository(), &self.subject) {
            Ok(Some(_)) => return Ok(None),
            Ok(None) => self.read_content(registry),
            Err(error) => Err(error),
        };
        Ok(Some(match content {
            Ok(TagContent::Absent) => change(PlannedTagChangeKind::New, None),
            Ok(TagContent::Complete(now)) => change(PlannedTagChangeKind::Unchanged, Some(now)),
            Ok(TagContent::Incomplete(fetched, _)) => change(PlannedTagChangeKind::Moved, Some(fetched.digest)),
            Ok(TagContent::Unusable(reason)) => Err(not_listed_warning(&self.tag, &self.digests(), &reason)),
            Err(error) if remote_state::is_read_refused(&error) => change(PlannedTagChangeKind::Unknown, None),
            Err(error) => return Err(error.into()),
        }))
    }

    fn read_content(&self, registry: &RegistryClient) -> Result<TagContent, RegistryError> {
        let fetched = match registry.manifest_before_push(&self.tag) {
            Ok(fetched) => fetched,
            Err(error) if error.kind == RegistryErrorKind::NotFound => return Ok(TagContent::Absent),
            Err(error) => return Err(error),
        };
        match manifest::effective_media_type(&fetched.media_type, &fetched.bytes) {
            Ok(Some(media_type::OCI_INDEX)) => {}
            Ok(_) => {
                return Ok(TagContent::Unusable(format!("it serves {}, which is no OCI index", fetched.media_type)));
            }
            Err(error) => return Ok(TagContent::Unusable(format!("it serves no index: {error}"))),
        }
        Ok(match referrers::listed_digests(&fetched.bytes) {
            Ok(listed) if self.entries.iter().all(|entry| listed.contains(entry.digest.as_str())) => {
                TagContent::Complete(fetched.digest)
            }
            Ok(listed) => TagContent::Incomplete(fetched, listed),
            Err(error) => TagContent::Unusable(format!("it serves no index: {error}")),
        })
    }

    /// A refusal becomes a warning, because a repeated push would be refused again. After any other failure the push
    /// can be repeated: no tag of the list has moved yet.
    fn warning_or_error(
        &self,
        error: RegistryError,
        failure: impl FnOnce(RegistryError) -> CommandError,
    ) -> Result<TagUpdateResult, CommandError> {
        let is_refused = matches!(
            error.kind,
            RegistryErrorKind::RequestRefused
                | RegistryErrorKind::NotFound
                | RegistryErrorKind::Quota
                | RegistryErrorKind::ResponseTooLarge
                | RegistryErrorKind::Protocol
                | RegistryErrorKind::Verification
        );
        if is_refused || remote_state::is_read_refused(&error) {
            return Ok(self.not_listed_result(&error.to_string()));
        }
        Err(failure(error))
    }

    fn not_listed_result(&self, reason: &str) -> TagUpdateResult {
        Err(not_listed_warning(&self.tag, &self.digests(), reason))
    }

    fn digests(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.digest.to_string()).collect()
    }
}

/// The line about manifests that a referrers tag does not list.
fn not_listed_warning(tag: &Reference, digests: &[String], reason: &str) -> String {
    format!("the referrers tag {tag} does not list {}: {}", digests.join(", "), sanitize::line(reason))
}

/// The wait before a retry. `random_fraction` is from 0 to 1.
fn retry_delay(retry: u32, random_fraction: f64) -> Duration {
    FIRST_DELAY_MAX
        .saturating_mul(1 << retry.saturating_sub(1).min(RETRIES_MAX))
        .mul_f64(random_fraction.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_delays_double_and_are_randomised() {
        let longest: Vec<u128> = (1..=RETRIES_MAX).map(|retry| retry_delay(retry, 1.0).as_millis()).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1600]);
        assert_eq!((retry_delay(3, 0.5).as_millis(), retry_delay(3, 0.0).as_millis()), (200, 0));
    }
}
