//! `--platform` and `--attestations`: only a part of an index. The part has another digest, and the changes are told.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::core::copy::CopyRequest;
use crate::core::error::CommandError;
use crate::core::resolve::limits::{DEPTH_MAX, ResolvedSize};
use crate::core::resolve::selection::picks;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::json;
use crate::model::manifest::ManifestKind;
use crate::model::spec::Attestations;

/// What is copied, and how it differs from the source.
pub(super) struct Narrowed {
    pub(super) top: FetchedManifest,
    /// Lines for the user.
    pub(super) changes: Vec<String>,
    /// The digests of the indexes that are not copied for it.
    pub(super) replaced: Vec<Digest>,
}

impl Narrowed {
    /// All of it.
    fn whole(top: FetchedManifest, changes: Vec<String>) -> Narrowed {
        Narrowed { top, changes, replaced: Vec::new() }
    }
}

/// A descriptor, as the index has it and as we understand it.
type Line = (Value, Descriptor);

/// The part that the filter selects; all of it if the filter selects everything.
pub(super) fn narrow(request: &CopyRequest<'_>, top: FetchedManifest) -> Result<Narrowed, CommandError> {
    let wanted = request.wanted;
    if wanted.platforms.is_empty() && wanted.attestations == Attestations::Keep {
        return Ok(Narrowed::whole(top, Vec::new()));
    }
    if !ManifestKind::is_list(&top.media_type) {
        // There is nothing to select in a single image.
        let note = "it is one image, so that no platform is selected".to_owned();
        let changes = if wanted.platforms.is_empty() { Vec::new() } else { vec![note] };
        return Ok(Narrowed::whole(top, changes));
    }
    let (mut lines, mut replaced, mut size) = (Vec::new(), Vec::new(), ResolvedSize::default());
    flatten(request, &top, 0, &mut size, &mut lines, &mut replaced)?;
    let picked = picked(request, &lines)?;
    let keeps = wanted.attestations == Attestations::Keep;
    let is_kept = |(_, line): &&Line| match attested(line) {
        Some(image) => keeps && picked.contains(&image),
        None => picked.contains(&line.digest),
    };
    let kept: Vec<&Line> = lines.iter().filter(is_kept).collect();
    if kept.len() == lines.len() {
        return Ok(Narrowed::whole(top, Vec::new()));
    }
    let images: Vec<&&Line> = kept.iter().filter(|(_, line)| attested(line).is_none()).collect();
    let shown: Vec<String> =
        images.iter().filter_map(|(_, line)| line.platform.as_ref()).map(ToString::to_string).collect();
    let left = lines.len() - kept.len();
    if let ([(_, only)], false) = (images.as_slice(), wanted.platforms.is_empty()) {
        let image = request.fetch(&ManifestName::Digest(only.digest.clone()))?;
        let attestations = kept.len() - 1;
        let mut changes = vec![format!("{} is copied as an image, without the index {}", shown.join(", "), top.digest)];
        if attestations > 0 {
            changes.push(format!("its attestations stay behind, because only an index has them: {attestations}"));
        }
        return Ok(Narrowed { top: image, changes, replaced });
    }
    let narrowed = rebuilt(request, &top, &kept)?;
    let changes = vec![format!(
        "the index has another digest than {}: {left} of {} manifests are left out, {} stay",
        top.digest,
        lines.len(),
        if shown.is_empty() { kept.len().to_string() } else { shown.join(", ") }
    )];
    Ok(Narrowed { top: narrowed, changes, replaced })
}

/// The digests of the images that the filter selects. Every selected platform must be there.
fn picked(request: &CopyRequest<'_>, lines: &[Line]) -> Result<BTreeSet<Digest>, CommandError> {
    let wanted = request.wanted;
    let images = || lines.iter().map(|(_, line)| line).filter(|line| attested(line).is_none());
    let platforms = || images().filter(|line| line.has_platform()).filter_map(|line| line.platform.as_ref());
    for pick in &wanted.platforms {
        if !platforms().any(|own| own.matches(&pick.parsed)) {
            let there: BTreeSet<String> = platforms().map(ToString::to_string).collect();
            return Err(CommandError::NoSuchPlatform {
                platform: pick.shown.clone(),
                sources: request.from.clone(),
                there: there.into_iter().collect(),
            });
        }
    }
    let is_picked = |line: &&Descriptor| {
        wanted.platforms.is_empty()
            || line.has_platform() && line.platform.as_ref().is_some_and(|own| picks(wanted, own))
    };
    Ok(images().filter(is_picked).map(|line| line.digest.clone()).collect())
}

/// The descriptors of an index, with those of the indexes in it in their place.
fn flatten(
    request: &CopyRequest<'_>,
    index: &FetchedManifest,
    depth: usize,
    size: &mut ResolvedSize,
    lines: &mut Vec<Line>,
    indexes: &mut Vec<Digest>,
) -> Result<(), CommandError> {
    if depth > DEPTH_MAX {
        return Err(CommandError::TooDeep { list: request.from.clone(), depth: DEPTH_MAX });
    }
    size.check_bytes(&request.from, &index.bytes, 1)?;
    indexes.push(index.digest.clone());
    let served = |source| CommandError::Served { reference: request.from.clone(), source };
    let document = json::parse(&index.bytes).map_err(|error| served(error.into()))?;
    let members = json::Members::of("Index", &document).map_err(|error| served(error.into()))?;
    for value in members.array("manifests").map_err(|error| served(error.into()))? {
        size.count_descriptor(&request.from)?;
        let line = Descriptor::decode(value).map_err(served)?;
        if ManifestKind::is_list(&line.media_type) {
            let inner = request.fetch(&ManifestName::Digest(line.digest.clone()))?;
            flatten(request, &inner, depth + 1, size, lines, indexes)?;
        } else {
            lines.push((value.clone(), line));
        }
    }
    Ok(())
}

/// The index with these descriptors only. All its other members stay.
fn rebuilt(request: &CopyRequest<'_>, top: &FetchedManifest, kept: &[&Line]) -> Result<FetchedManifest, CommandError> {
    let served = |source| CommandError::Served { reference: request.from.clone(), source };
    let mut document = json::parse(&top.bytes).map_err(|error| served(error.into()))?;
    if let Some(members) = document.as_object_mut() {
        let name = members.keys().find(|name| name.eq_ignore_ascii_case("manifests")).cloned();
        let kept = kept.iter().map(|(value, _)| value.clone()).collect();
        members.insert(name.unwrap_or_else(|| "manifests".to_owned()), Value::Array(kept));
    }
    let bytes = json::encode(&document).map_err(|error| served(error.into()))?;
    Ok(FetchedManifest { media_type: top.media_type.clone(), digest: Digest::of(&bytes), bytes })
}
