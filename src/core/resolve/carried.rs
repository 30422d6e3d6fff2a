//! What is kept of an index beside its images: their order, and the descriptors that are neither an image's nor an
//! index's, which go along as they are (image-spec: a reader must not fail because of them).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::request::SourceFilter;
use crate::core::resolve::selection::{is_unknown, picks};
use crate::core::resolve::source::ResolvedSource;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::source::{Carried, SourceIndex};
use crate::model::{Entry, draft, json};
use crate::net;
use crate::reference::Repository;
use crate::sanitize;

/// One thing that an index names, at any depth.
enum Leaf {
    Image(Digest),
    Unknown(Value, Box<Descriptor>),
}

/// Puts what a source brings into the order of its index, and takes along what is to be carried. `target` is the
/// repository of the list, where the source has to be sent to another one.
///
/// # Errors
/// What the registry says.
pub(crate) fn arrange(
    registry: &Registry,
    source: &mut ResolvedSource,
    wanted: &SourceFilter,
    target: Option<&Repository>,
) -> Result<(), CommandError> {
    let Some(form) = &source.form else { return Ok(()) };
    let served = |error| CommandError::Served { reference: source.reference.to_string(), source: error };
    let mut leaves = Vec::new();
    walk(form, form, 0, &mut leaves).map_err(served)?;
    let mut entries: BTreeMap<Digest, VecDeque<Entry>> = BTreeMap::new();
    for entry in std::mem::take(&mut source.entries) {
        entries.entry(entry.descriptor.digest.clone()).or_default().push_back(entry);
    }
    let there: BTreeSet<Digest> = entries.keys().cloned().collect();
    let name = source.reference.with_digest(&source.digest);
    for leaf in leaves {
        match leaf {
            Leaf::Image(digest) => {
                source.is_whole &= there.contains(&digest);
                if let Some(entry) = entries.get_mut(&digest).and_then(VecDeque::pop_front) {
                    source.order.push(draft::key(&entry.reference));
                    source.entries.push(entry);
                }
            }
            Leaf::Unknown(json, line) => {
                let is_picked = wanted.platforms.is_empty()
                    || line.has_platform() && line.platform.as_ref().is_some_and(|own| picks(wanted, own));
                source.is_whole &= is_picked;
                if !is_picked || source.carried.iter().any(|carried| carried.descriptor.digest == line.digest) {
                    continue;
                }
                let raw = match target.filter(|target| *target != name.repository()) {
                    None => None,
                    Some(_) => match content(registry, name.repository(), &line)? {
                        Ok(raw) => Some(raw),
                        Err(why) => {
                            source.left_out.push(format!(
                                "{} of {name} is left out: its media type is {}, and {why}",
                                line.digest,
                                sanitize::word(&line.media_type)
                            ));
                            continue;
                        }
                    },
                };
                let carried = Carried::new(json, name.clone(), raw);
                let carried =
                    carried.map_err(|error| CommandError::Served { reference: name.to_string(), source: error })?;
                source.order.push(carried.key().to_owned());
                source.carried.push(carried);
            }
        }
    }
    for entry in entries.into_values().flatten() {
        source.order.push(draft::key(&entry.reference));
        source.entries.push(entry);
    }
    Ok(())
}

/// What an index names, each index in it taken apart where it stands.
fn walk(
    index: &SourceIndex,
    top: &SourceIndex,
    depth: usize,
    leaves: &mut Vec<Leaf>,
) -> Result<(), crate::model::DocumentError> {
    let lines = Index::decode(&index.raw)?.manifests;
    let document = json::parse(&index.raw)?;
    let document = json::Members::of("ManifestList", &document)?;
    for (line, json) in lines.iter().zip(document.array("manifests")?) {
        let inner = top.nested.iter().find(|inner| inner.digest == line.digest);
        // As deep, and as much, as was taken apart before.
        match inner.filter(|_| depth < 16 && leaves.len() < 100_000) {
            Some(inner) => walk(inner, top, depth + 1, leaves)?,
            None if is_unknown(line) => leaves.push(Leaf::Unknown(json.clone(), Box::new(line.clone()))),
            None => leaves.push(Leaf::Image(line.digest.clone())),
        }
    }
    Ok(())
}

/// The bytes of a manifest of which all blobs are there; else why it cannot be sent to another repository.
fn content(
    registry: &Registry,
    repository: &Repository,
    line: &Descriptor,
) -> Result<Result<Vec<u8>, String>, CommandError> {
    let fetched = match registry.manifest(&repository.at_digest(&line.digest)) {
        Ok(fetched) => fetched,
        Err(error) if error.kind == net::RegistryErrorKind::NotFound => {
            return Ok(Err("the registry has no such manifest".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let Ok(blobs) = blobs(&fetched.bytes) else {
        return Ok(Err("it is no manifest that we can read".to_owned()));
    };
    for blob in blobs {
        if !registry.has_blob(repository, &blob.digest)? {
            return Ok(Err(format!("the registry has no blob {}", blob.digest)));
        }
    }
    Ok(Ok(fetched.bytes))
}

/// The blobs that a manifest of a kind that we do not know needs, as far as it names them as manifests do.
pub(crate) fn blobs(manifest: &[u8]) -> Result<Vec<Descriptor>, crate::model::DocumentError> {
    let value = json::parse(manifest)?;
    let members = json::Members::of("Manifest", &value)?;
    if members.get("manifests").is_some() {
        return Err(crate::model::DocumentError::Missing("layers"));
    }
    let mut blobs: Vec<Descriptor> = members.get("config").map(Descriptor::decode).transpose()?.into_iter().collect();
    for name in ["layers", "blobs"] {
        for blob in members.array(name)? {
            blobs.push(Descriptor::decode(blob)?);
        }
    }
    Ok(blobs)
}
