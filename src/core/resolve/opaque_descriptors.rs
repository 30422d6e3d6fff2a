//! Adds the descriptors that name neither an image nor an index to a source. They are published unchanged (image-spec,
//! "OCI Image Index": implementations must ignore unknown media types), at their places in the index.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::content::registry::Blob;
use crate::core::error::CommandError;
use crate::core::image_filters::SourceFilter;
use crate::core::image_source::ImageSource;
use crate::core::index_leaves::{Leaf, leaves};
use crate::core::manifest_blobs;
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::selection::{is_opaque, selects_descriptor};
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::source_index::OpaqueDescriptor;
use crate::model::{Entry, EntryKey};
use crate::sanitize;

/// Adds the opaque descriptors of a source's index, and puts all entries of the source into the order of the index.
/// `must_be_sent`: the content of the opaque ones must be sent to another repository than that of `index_source`.
///
/// # Errors
/// Errors of the registry or the layout.
pub(crate) fn order_and_add_opaque_descriptors(
    index_source: &ImageSource<'_>,
    source: &mut ResolvedSource,
    filter: &SourceFilter,
    must_be_sent: bool,
) -> Result<(), CommandError> {
    let Some(source_index) = &source.source_index else { return Ok(()) };
    let nested = |digest: &Digest| {
        let inner = source_index.nested.iter().find(|inner| inner.digest == *digest);
        inner.map(|inner| inner.raw.as_slice())
    };
    let leaves = leaves(&source_index.raw, &nested).map_err(CommandError::invalid_document(&source.location))?;
    let mut entries: BTreeMap<Digest, VecDeque<Entry>> = BTreeMap::new();
    for entry in std::mem::take(&mut source.entries) {
        entries.entry(entry.descriptor.digest.clone()).or_default().push_back(entry);
    }
    let resolved: BTreeSet<Digest> = entries.keys().cloned().collect();
    let index_name = source.reference.with_digest(&source.digest);
    for Leaf { json, descriptor } in leaves {
        if !is_opaque(&descriptor) {
            source.is_complete &= resolved.contains(&descriptor.digest);
            if let Some(entry) = entries.get_mut(&descriptor.digest).and_then(VecDeque::pop_front) {
                source.order.push(EntryKey::from_reference(&entry.reference));
                source.entries.push(entry);
            }
            continue;
        }
        let is_selected = selects_descriptor(filter, &descriptor);
        source.is_complete &= is_selected;
        if !is_selected || source.opaque_descriptors.iter().any(|opaque| opaque.descriptor.digest == descriptor.digest)
        {
            continue;
        }
        let raw =
            match if must_be_sent { fetch_complete_manifest(index_source, &descriptor)?.map(Some) } else { Ok(None) } {
                Ok(raw) => raw,
                Err(reason) => {
                    let (name, media_type) = (display_name(source), sanitize::short_line(&descriptor.media_type));
                    let digest = &descriptor.digest;
                    source
                        .omissions
                        .push(format!("{digest} of {name} is left out: its media type is {media_type}, and {reason}"));
                    continue;
                }
            };
        let opaque = OpaqueDescriptor::new(json, index_name.clone(), raw)
            .map_err(|error| CommandError::InvalidDocument { reference: display_name(source), source: error })?;
        source.order.push(opaque.key());
        source.opaque_descriptors.push(opaque);
    }
    for entry in entries.into_values().flatten() {
        source.order.push(EntryKey::from_reference(&entry.reference));
        source.entries.push(entry);
    }
    Ok(())
}

/// The index in messages: with its digest in a registry, where a tag may move.
fn display_name(source: &ResolvedSource) -> String {
    match &source.location {
        Location::Registry(reference) => reference.with_digest(&source.digest).to_string(),
        layout @ Location::Layout(_) => layout.to_string(),
    }
}

/// The bytes of a manifest whose blobs all exist, or why it cannot be sent to another repository.
fn fetch_complete_manifest(
    index_source: &ImageSource<'_>,
    descriptor: &Descriptor,
) -> Result<Result<Vec<u8>, String>, CommandError> {
    let source_kind = if index_source.is_layout() { "layout" } else { "registry" };
    let fetched = match index_source.at_digest(&descriptor.digest).manifest() {
        Ok(fetched) => fetched,
        Err(error) if error.is_missing() => return Ok(Err(format!("the {source_kind} has no such manifest"))),
        Err(error) => return Err(error.into()),
    };
    let Ok(blobs) = manifest_blobs::blobs(&fetched.bytes) else {
        return Ok(Err("it is no manifest that we can read".to_owned()));
    };
    for blob in blobs {
        let needed = Blob { digest: &blob.digest, size: Some(blob.size) };
        if !index_source.with_source(|content| content.has_blob_unverified(&needed))? {
            return Ok(Err(format!("the {source_kind} has no blob {}", blob.digest)));
        }
    }
    Ok(Ok(fetched.bytes))
}
