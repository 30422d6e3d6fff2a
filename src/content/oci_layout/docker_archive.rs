//! Archives of `docker save` before Docker 25: their images are in `manifest.json` alone, which has no digests.

use crate::content::error::LayoutError;
use crate::content::oci_layout::DOCUMENT_MAX;
use crate::content::oci_layout::files::Files;
use crate::model::json;

const MANIFEST: &str = "manifest.json";
/// The maximum number of names that are shown.
const NAMES_MAX: usize = 20;

/// The names of the images in `manifest.json`; `None` without such a file, or without images in it.
pub(super) fn names(files: &Files) -> Result<Option<Vec<String>>, LayoutError> {
    let Some(bytes) = files.read(MANIFEST, DOCUMENT_MAX)? else { return Ok(None) };
    let Ok(value) = json::parse(&bytes) else { return Ok(None) };
    let images = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let tags = images.iter().filter_map(|image| image.get("RepoTags")?.as_array());
    let tags = tags.flatten().filter_map(|tag| tag.as_str().map(str::to_owned));
    Ok((!images.is_empty()).then(|| tags.take(NAMES_MAX).collect()))
}
