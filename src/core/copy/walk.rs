//! All manifests of an image or an index, level by level, within the limits of [`crate::core::limits`].

use std::num::NonZeroUsize;

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::core::copy::CopyRequest;
use crate::core::error::CommandError;
use crate::core::index_walk::IndexWalk;
use crate::core::limits::{DEPTH_MAX, IndexBudget};
use crate::model::descriptor::Descriptor;
use crate::model::manifest::ManifestKind;

/// The manifests, the outermost first.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) manifests: Vec<WalkedManifest>,
}

/// One of them.
pub(super) struct WalkedManifest {
    pub(super) descriptor: Descriptor,
    /// The number of indexes around it.
    pub(super) depth: usize,
    /// Whether it is an index.
    pub(super) is_list: bool,
    /// Whether the target has it with all that it needs. Then it may not have been fetched.
    pub(super) is_present: bool,
    pub(super) fetched: Option<FetchedManifest>,
}

impl Walk {
    /// The manifests that the target does not have. The outermost is one of them unless the target has it.
    pub(super) fn missing(&self) -> impl Iterator<Item = &WalkedManifest> {
        self.manifests.iter().filter(|walked| !walked.is_present)
    }

    pub(super) fn depth(&self) -> usize {
        self.manifests.iter().map(|walked| walked.depth).max().unwrap_or_default()
    }
}

/// Fetches every index, and every image that the target does not have.
pub(super) fn walk(request: &CopyRequest<'_>, top: &FetchedManifest, jobs: NonZeroUsize) -> Result<Walk, CommandError> {
    let top_descriptor = top.descriptor();
    let is_list = ManifestKind::is_list(&top.media_type);
    let is_present = !is_list && request.sink.has_complete_manifest(&top_descriptor).map_err(CommandError::from)?;
    let mut budget = IndexBudget::default();
    budget.count_bytes(&request.from, &top.bytes, 1)?;
    let first = WalkedManifest { descriptor: top_descriptor, depth: 0, is_list, is_present, fetched: None };
    let level = children(request, top, &mut budget)?;
    let mut manifests = vec![WalkedManifest { fetched: Some(top.clone()), ..first }];
    let visit = |depth,
                 descriptor: Descriptor,
                 FetchedChild { fetched, is_present }: FetchedChild|
     -> Result<Vec<Descriptor>, CommandError> {
        let (mut is_list, mut below) = (ManifestKind::is_list(&descriptor.media_type), Vec::new());
        if let Some(fetched) = &fetched {
            budget.count_bytes(&request.from, &fetched.bytes, 1)?;
            is_list = ManifestKind::is_list(&fetched.media_type);
            below = children(request, fetched, &mut budget)?;
        }
        manifests.push(WalkedManifest { descriptor, depth, is_list, is_present, fetched });
        Ok(below)
    };
    let index_walk = IndexWalk { list: &request.from, jobs, levels: DEPTH_MAX };
    index_walk.run(level, |child| child.digest.clone(), |child| fetch_if_needed(request, child), visit)?;
    Ok(Walk { manifests })
}

/// The manifest of a child, if it was fetched, and whether the target has the child.
struct FetchedChild {
    fetched: Option<FetchedManifest>,
    is_present: bool,
}

/// An image that the target has is not fetched. An index is, because its images may be missing in the target.
fn fetch_if_needed(request: &CopyRequest<'_>, child: &Descriptor) -> Result<FetchedChild, CommandError> {
    let is_present = request.sink.has_complete_manifest(child).map_err(CommandError::from)?;
    if is_present && ManifestKind::from_media_type(&child.media_type).is_some_and(|kind| kind != ManifestKind::List) {
        return Ok(FetchedChild { fetched: None, is_present });
    }
    let fetched = Some(request.fetch(&ManifestName::Digest(child.digest.clone()))?);
    Ok(FetchedChild { fetched, is_present })
}

/// The manifests that an index names.
fn children(
    request: &CopyRequest<'_>,
    parent: &FetchedManifest,
    budget: &mut IndexBudget,
) -> Result<Vec<Descriptor>, CommandError> {
    if !ManifestKind::is_list(&parent.media_type) {
        return Ok(Vec::new());
    }
    let children = parent.decode_index(&request.from)?.manifests;
    budget.count_descriptors(children.len(), || request.from.clone())?;
    Ok(children)
}
