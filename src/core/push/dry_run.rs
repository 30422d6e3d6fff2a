//! `push --dry-run`: what a push would do, checked with requests that change nothing.

use std::collections::BTreeSet;

use crate::content::registry::{ManifestName, RegistryClient};
use crate::core::error::CommandError;
use crate::core::image_source::ContentOrigin;
use crate::core::json_output::{PlannedTransfer, TransferMethod};
use crate::core::missing_child::ParentList;
use crate::core::push::blob_collector::PlannedBlob;
use crate::core::push::index_diff::{self, IndexDiff};
use crate::core::push::outcome::{CopiedBlobs, DryRun, PlannedTagChange, PlannedTagChangeKind, PushOutcome};
use crate::core::push::plan::{PlannedChild, PushPlan};
use crate::core::push::referrers_tag;
use crate::core::push::remote_state::{self, RemoteState, TagState};
use crate::digest::Digest;
use crate::model::Draft;
use crate::model::index::Index;
use crate::reference::{Reference, Repository};

/// A query to a registry.
enum RemoteQuery<'p> {
    /// Whether this repository has this manifest.
    ManifestAtSource(&'p Repository, &'p Digest),
    /// Whether any source of this blob has it.
    BlobAtSource(&'p PlannedBlob<'p>),
    /// Whether the target has this blob.
    BlobAtTarget(&'p PlannedBlob<'p>),
}

/// The response to a query.
enum RemoteResponse<'p> {
    /// Nothing is missing.
    NothingMissing,
    Missing(CommandError),
    InTarget(&'p Digest),
}

/// Reports what a push would do.
///
/// # Errors
/// One error for each manifest and blob that no source has, and errors of registries.
pub(crate) fn preview<'p>(
    registry: &RegistryClient,
    draft: &Draft,
    plan: &'p PushPlan<'p>,
    remote: &RemoteState,
) -> Result<PushOutcome, CommandError> {
    let queries = queries(plan, remote);
    let responses =
        CommandError::collect_parallel(registry.jobs(), &queries, |query| query_registry(registry, plan, query))?;
    let mut missing: Vec<CommandError> = remote.missing_error(plan, ParentList::Previewed).into_iter().collect();
    let mut present = BTreeSet::new();
    for response in responses {
        match response {
            RemoteResponse::NothingMissing => {}
            RemoteResponse::Missing(error) => missing.push(error),
            RemoteResponse::InTarget(digest) => {
                present.insert(digest);
            }
        }
    }
    CommandError::fail_if_any(missing)?;
    let mut published = PushOutcome::from_plan(draft, plan);
    for (child, image) in plan.children.iter().zip(&mut published.platforms) {
        image.transfer = Some(transfer(plan, remote, &present, child));
    }
    let (mounted, copied) = mounted_and_copied(plan, remote, &present);
    let (tags, mut warnings) =
        referrers_tag::group_by_tag(plan.target, &referrers_tag::manifests_with_subject(plan, remote));
    let (referrers_tags, more) = referrers_tag::preview(registry, &tags)?;
    warnings.extend(more);
    let (tag_changes, changes) = (tag_changes(plan, remote), changes(plan, remote)?);
    let preview = Some(DryRun { tag_changes, referrers_tags, changes });
    Ok(PushOutcome { mounted, copied, dry_run: true, preview, warnings, ..published })
}

/// The blobs that manifests that are still to be put need.
fn blobs_to_send<'p>(plan: &'p PushPlan<'p>, remote: &'p RemoteState) -> impl Iterator<Item = &'p PlannedBlob<'p>> {
    let positions: BTreeSet<usize> =
        plan.manifests_to_send(&remote.present).flat_map(|manifest| manifest.blob_positions.iter().copied()).collect();
    positions.into_iter().filter_map(|position| plan.blobs.get(position))
}

fn queries<'p>(plan: &'p PushPlan<'p>, remote: &'p RemoteState) -> Vec<RemoteQuery<'p>> {
    // Content of layouts has been checked already.
    let manifests = plan.manifests_to_send(&remote.present).filter_map(|manifest| match &manifest.source {
        ContentOrigin::Repository(source) => Some(RemoteQuery::ManifestAtSource(source, manifest.reference.digest()?)),
        ContentOrigin::Layout(_) => None,
    });
    let sources = blobs_to_send(plan, remote)
        .filter(|blob| !blob.is_optional && blob.layout.is_none())
        .map(RemoteQuery::BlobAtSource);
    let target = plan.target.repository();
    let targets = blobs_to_send(plan, remote).filter(|blob| !blob.is_mountable(target)).map(RemoteQuery::BlobAtTarget);
    manifests.chain(sources).chain(targets).collect()
}

fn query_registry<'p>(
    registry: &RegistryClient,
    plan: &PushPlan<'_>,
    query: &RemoteQuery<'p>,
) -> Result<RemoteResponse<'p>, CommandError> {
    let missing = |kind, names: Vec<String>| {
        RemoteResponse::Missing(CommandError::NoSuchContent { kind, name: names.join(", nor ") })
    };
    match query {
        RemoteQuery::ManifestAtSource(repository, digest) => {
            let found = registry.manifest_digest(repository, &ManifestName::Digest((*digest).clone()))?;
            Ok(if found.is_some() {
                RemoteResponse::NothingMissing
            } else {
                missing("manifest", vec![format!("{repository}@{digest}")])
            })
        }
        RemoteQuery::BlobAtSource(blob) => {
            // As in a push, a source that fails counts as one without the blob.
            let mut failed = None;
            for source in &blob.sources {
                match registry.has_blob(source, &blob.digest) {
                    Ok(true) => return Ok(RemoteResponse::NothingMissing),
                    Ok(false) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            let names = || blob.sources.iter().map(|source| format!("{source}@{}", blob.digest)).collect();
            failed.map_or_else(|| Ok(missing("blob", names())), |error| Err(error.into()))
        }
        RemoteQuery::BlobAtTarget(blob) => match registry.has_blob(plan.target.repository(), &blob.digest) {
            Ok(true) => Ok(RemoteResponse::InTarget(&blob.digest)),
            Ok(false) => Ok(RemoteResponse::NothingMissing),
            Err(error) if remote_state::is_read_refused(&error) => Ok(RemoteResponse::NothingMissing),
            Err(error) => Err(error.into()),
        },
    }
}

fn transfer(
    plan: &PushPlan<'_>,
    remote: &RemoteState,
    present_blobs: &BTreeSet<&Digest>,
    child: &PlannedChild<'_>,
) -> PlannedTransfer {
    let manifest = child.manifest.and_then(|position| plan.manifests.get(position));
    let is_present = remote.present.contains(&child.entry.descriptor.digest);
    let Some(manifest) = manifest.filter(|_| !is_present) else {
        return PlannedTransfer {
            how: TransferMethod::InPlace,
            repository: plan.target.repository().to_string(),
            bytes: 0,
        };
    };
    let blobs = manifest.blob_positions.iter().filter_map(|position| plan.blobs.get(*position));
    let blobs = blobs.filter(|blob| !blob.is_optional && !present_blobs.contains(&blob.digest));
    let is_same_registry = manifest.source.is_in_registry_of(plan.target.repository());
    PlannedTransfer {
        how: if is_same_registry { TransferMethod::Mount } else { TransferMethod::Copy },
        repository: manifest.source.to_string(),
        bytes: blobs.filter_map(|blob| blob.size).fold(0, u64::saturating_add),
    }
}

/// The number of blobs that would be mounted, and the number and size of those that would be copied.
fn mounted_and_copied(
    plan: &PushPlan<'_>,
    remote: &RemoteState,
    present_blobs: &BTreeSet<&Digest>,
) -> (u64, CopiedBlobs) {
    let (mut mounted, mut copied) = (0, CopiedBlobs::default());
    for blob in blobs_to_send(plan, remote).filter(|blob| !blob.is_optional && !present_blobs.contains(&blob.digest)) {
        if blob.is_mountable(plan.target.repository()) {
            mounted += 1;
        } else {
            copied.add(blob.size.unwrap_or_default());
        }
    }
    (mounted, copied)
}

fn tag_changes(plan: &PushPlan<'_>, remote: &RemoteState) -> Vec<PlannedTagChange> {
    let change = |(tag, state): (&Reference, &TagState)| {
        let (change, now) = match state {
            TagState::Unknown => (PlannedTagChangeKind::Unknown, None),
            TagState::Absent => (PlannedTagChangeKind::New, None),
            TagState::UpToDate => (PlannedTagChangeKind::Unchanged, Some(plan.list.digest.to_string())),
            TagState::Different(digest) => (PlannedTagChangeKind::Moved, Some(digest.to_string())),
        };
        PlannedTagChange { tag: tag.tag().unwrap_or_default().to_owned(), change, now }
    };
    plan.tags.iter().zip(&remote.tags).map(change).collect()
}

/// The differences; empty if the remote state is not known.
fn changes(plan: &PushPlan<'_>, remote: &RemoteState) -> Result<IndexDiff, CommandError> {
    if remote.own_tag(plan).is_some_and(|(_, state)| *state == TagState::Unknown) {
        return Ok(IndexDiff::default());
    }
    let after = plan.index()?;
    let before = remote
        .own_manifest
        .as_ref()
        .map(|fetched| Index { media_type: fetched.media_type.clone(), ..remote.index().unwrap_or_default() });
    Ok(index_diff::compare(before.as_ref(), &after))
}
