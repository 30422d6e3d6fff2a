//! The descriptors of an index in its order. The descriptors of a nested index take its place.

use serde_json::Value;

use crate::core::limits::{DEPTH_MAX, LEAVES_MAX};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::{DocumentError, json};

/// A descriptor of an index, or of an index nested in it, that is not replaced by its content.
pub(crate) struct Leaf {
    /// The descriptor as it is in the index.
    pub(crate) json: Value,
    /// The same, decoded.
    pub(crate) descriptor: Descriptor,
}

/// The leaves of an index. `nested` has the bytes of the nested indexes; a descriptor of any other manifest is a leaf.
/// After [`LEAVES_MAX`] leaves, and below [`DEPTH_MAX`] levels, nested indexes are leaves, too.
///
/// # Errors
/// Bytes that are no index.
pub(crate) fn leaves<'a>(
    index: &'a [u8],
    nested: &dyn Fn(&Digest) -> Option<&'a [u8]>,
) -> Result<Vec<Leaf>, DocumentError> {
    let mut leaves = Vec::new();
    add_leaves(index, nested, 0, &mut leaves)?;
    Ok(leaves)
}

fn add_leaves<'a>(
    index: &[u8],
    nested: &dyn Fn(&Digest) -> Option<&'a [u8]>,
    depth: usize,
    leaves: &mut Vec<Leaf>,
) -> Result<(), DocumentError> {
    let document = json::parse(index)?;
    for json in json::Members::parse("ManifestList", &document)?.array("manifests")? {
        let descriptor = Descriptor::decode(json)?;
        let is_within = depth < DEPTH_MAX && leaves.len() < LEAVES_MAX;
        match nested(&descriptor.digest).filter(|_| is_within) {
            Some(inner) => add_leaves(inner, nested, depth + 1, leaves)?,
            None => leaves.push(Leaf { json: json.clone(), descriptor }),
        }
    }
    Ok(())
}
