//! `--platform` and `--attestations`: copies a part of an index. The part has another digest, and the user sees what
//! changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::core::copy::CopyRequest;
use crate::core::error::CommandError;
use crate::core::index_leaves::{Leaf, leaves};
use crate::core::index_walk::IndexWalk;
use crate::core::limits::{DEPTH_MAX, IndexBudget};
use crate::core::resolve::selection::selects_descriptor;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::{attested_digest, is_attestation};
use crate::model::json;
use crate::model::manifest::ManifestKind;
use crate::model::spec::AttestationsPolicy;

/// What is copied, and how it differs from the source.
pub(super) struct SelectedSubset {
    pub(super) top: FetchedManifest,
    /// Lines for the user.
    pub(super) changes: Vec<String>,
    /// The digests of the indexes that are not copied for it.
    pub(super) replaced: Vec<Digest>,
}

impl SelectedSubset {
    /// All of it.
    fn all(top: FetchedManifest, changes: Vec<String>) -> SelectedSubset {
        SelectedSubset { top, changes, replaced: Vec::new() }
    }
}

/// The part that the filter selects; all of it if the filter selects everything.
pub(super) fn select_subset(request: &CopyRequest<'_>, top: FetchedManifest) -> Result<SelectedSubset, CommandError> {
    let filter = request.filter;
    if filter.platforms.is_empty() && filter.attestations == AttestationsPolicy::Keep {
        return Ok(SelectedSubset::all(top, Vec::new()));
    }
    if !ManifestKind::is_list(&top.media_type) {
        // There is nothing to select in a single image.
        let note = "it is one image, so that no platform is selected".to_owned();
        let changes = if filter.platforms.is_empty() { Vec::new() } else { vec![note] };
        return Ok(SelectedSubset::all(top, changes));
    }
    let nested = nested_indexes(request, &top)?;
    let replaced = std::iter::once(&top).chain(nested.values()).map(|index| index.digest.clone()).collect();
    let leaves = collect_leaves(request, &top, &nested)?;
    let selected = selected_images(request, &leaves)?;
    let keeps_attestations = filter.attestations == AttestationsPolicy::Keep;
    let is_kept = |leaf: &&Leaf| match attested_digest(&leaf.descriptor) {
        Some(image) => keeps_attestations && selected.contains(&image),
        None => selected.contains(&leaf.descriptor.digest),
    };
    let kept: Vec<&Leaf> = leaves.iter().filter(is_kept).collect();
    if kept.len() == leaves.len() {
        return Ok(SelectedSubset::all(top, Vec::new()));
    }
    let images = kept.iter().map(|leaf| &leaf.descriptor).filter(|descriptor| !is_attestation(descriptor));
    let images: Vec<&Descriptor> = images.collect();
    let shown: Vec<String> =
        images.iter().filter_map(|image| image.platform.as_ref()).map(ToString::to_string).collect();
    let removed = leaves.len() - kept.len();
    if let ([only], false) = (images.as_slice(), filter.platforms.is_empty()) {
        let image = request.fetch(&ManifestName::Digest(only.digest.clone()))?;
        let attestations = kept.len() - 1;
        let mut changes = vec![format!("{} is copied as an image, without the index {}", shown.join(", "), top.digest)];
        if attestations > 0 {
            changes.push(format!("its attestations stay behind, because only an index has them: {attestations}"));
        }
        return Ok(SelectedSubset { top: image, changes, replaced });
    }
    let rebuilt = rebuild_index(request, &top, &kept)?;
    let changes = vec![format!(
        "the index has another digest than {}: {removed} of {} manifests are left out, {} stay",
        top.digest,
        leaves.len(),
        if shown.is_empty() { kept.len().to_string() } else { shown.join(", ") }
    )];
    Ok(SelectedSubset { top: rebuilt, changes, replaced })
}

/// The digests of the images that the filter selects. Every selected platform must be there.
fn selected_images(request: &CopyRequest<'_>, leaves: &[Leaf]) -> Result<BTreeSet<Digest>, CommandError> {
    let filter = request.filter;
    let images = || leaves.iter().map(|leaf| &leaf.descriptor).filter(|descriptor| !is_attestation(descriptor));
    let platforms = || images().filter_map(Descriptor::non_empty_platform);
    for requested in &filter.platforms {
        if !platforms().any(|platform| platform.matches(&requested.parsed)) {
            let available: BTreeSet<String> = platforms().map(ToString::to_string).collect();
            return Err(CommandError::no_such_platform(&requested.text, &request.from, available));
        }
    }
    Ok(images().filter(|image| selects_descriptor(filter, image)).map(|image| image.digest.clone()).collect())
}

/// Fetches the indexes that are nested in an index.
fn nested_indexes(
    request: &CopyRequest<'_>,
    top: &FetchedManifest,
) -> Result<BTreeMap<Digest, FetchedManifest>, CommandError> {
    let (mut budget, mut nested) = (IndexBudget::default(), BTreeMap::new());
    let mut indexes = |index: &FetchedManifest| {
        budget.count_bytes(&request.from, &index.bytes, 1)?;
        let children = index.decode_index(&request.from)?.manifests;
        budget.count_descriptors(children.len(), || request.from.clone())?;
        let indexes = children.into_iter().filter(|child| ManifestKind::is_list(&child.media_type));
        Ok::<_, CommandError>(indexes.map(|index| index.digest).collect::<Vec<_>>())
    };
    let first = indexes(top)?;
    let fetch = |digest: &Digest| request.fetch(&ManifestName::Digest(digest.clone()));
    let visit = |_, digest, index| {
        let below = indexes(&index)?;
        nested.insert(digest, index);
        Ok(below)
    };
    let index_walk = IndexWalk { list: &request.from, jobs: request.registry.jobs(), levels: DEPTH_MAX };
    index_walk.run(first, Digest::clone, fetch, visit)?;
    Ok(nested)
}

/// The descriptors of an index, with those of its nested indexes in their place.
fn collect_leaves(
    request: &CopyRequest<'_>,
    top: &FetchedManifest,
    nested: &BTreeMap<Digest, FetchedManifest>,
) -> Result<Vec<Leaf>, CommandError> {
    let bytes = |digest: &Digest| nested.get(digest).map(|index| index.bytes.as_slice());
    let leaves = leaves(&top.bytes, &bytes).map_err(CommandError::invalid_document(&request.from))?;
    // An index may be nested in several others, and counts each time.
    IndexBudget::default().count_descriptors(leaves.len(), || request.from.clone())?;
    Ok(leaves)
}

/// The index with these descriptors only. All its other members stay.
fn rebuild_index(
    request: &CopyRequest<'_>,
    top: &FetchedManifest,
    kept: &[&Leaf],
) -> Result<FetchedManifest, CommandError> {
    let invalid_document = CommandError::invalid_document(&request.from);
    let mut document = json::parse(&top.bytes).map_err(|error| invalid_document(error.into()))?;
    if let Some(members) = document.as_object_mut() {
        let name = members.keys().find(|name| name.eq_ignore_ascii_case("manifests")).cloned();
        let kept_json = kept.iter().map(|leaf| leaf.json.clone()).collect();
        members.insert(name.unwrap_or_else(|| "manifests".to_owned()), Value::Array(kept_json));
    }
    let bytes = json::encode(&document).map_err(|error| invalid_document(error.into()))?;
    Ok(FetchedManifest { media_type: top.media_type.clone(), digest: Digest::from_bytes(&bytes), bytes })
}
