//! The blobs of a manifest of any media type, known or not.

use crate::model::descriptor::Descriptor;
use crate::model::{DocumentError, json};

/// The blobs of a manifest of an unknown type, as far as it names them in `config`, `layers` or `blobs`.
pub(crate) fn blobs(manifest: &[u8]) -> Result<Vec<Descriptor>, DocumentError> {
    let value = json::parse(manifest)?;
    let members = json::Members::parse("Manifest", &value)?;
    if members.get("manifests").is_some() {
        return Err(DocumentError::MissingMember("layers"));
    }
    let mut blobs: Vec<Descriptor> = members.get("config").map(Descriptor::decode).transpose()?.into_iter().collect();
    for name in ["layers", "blobs"] {
        for blob in members.array(name)? {
            blobs.push(Descriptor::decode(blob)?);
        }
    }
    Ok(blobs)
}
