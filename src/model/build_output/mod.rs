//! What build tools write about the images that they have pushed: files with digests, references or JSON, which CI
//! passes from job to job. The content decides the kind; the name of a file is the kind only in a folder of digests.
//!
//! Nothing here opens a file. The bytes are input of strangers: time and memory are bounded by their length, JSON is
//! at most 128 levels deep, and what is shown of them fits on a line.

mod error;
mod json;
mod text;

#[cfg(test)]
mod tests;

pub use error::BuildOutputError;
pub(crate) use error::names;

use crate::digest::Digest;
use crate::reference::{Reference, Repository};

/// More images than any list can have are no build's output.
const IMAGES_MAX: usize = 10_000;

/// What is wanted of a file, and what it need not say.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// Where an image is whose repository the file does not name; of several names the one in here counts.
    pub repository: &'a Repository,
    /// The targets (bake), names (a map of digests) or ids (goreleaser) whose images are wanted; all where there are
    /// none.
    pub targets: &'a [String],
}

/// One image that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// By its digest, without a tag: a tag may have moved since.
    pub reference: Reference,
    /// Where in the file it stands, `line 3` or `web`; empty where there is only one place.
    pub place: String,
    /// The size of its manifest in bytes, if the file has its descriptor.
    pub size: Option<u64>,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOutput {
    /// The images, in the order of the file; at least one. An image that the file names twice is there once, unless
    /// the file gives it two sizes.
    pub images: Vec<BuiltImage>,
    /// What is left out, a line each.
    pub notes: Vec<String>,
    /// Whether [`Selection::targets`] chose among the images of the file.
    pub has_targets: bool,
}

/// Reads one file.
///
/// # Errors
/// A file of no known kind or of no images, one that says that nothing was pushed, and a target that is not in it.
pub fn parse(bytes: &[u8], selection: &Selection<'_>) -> Result<BuildOutput, BuildOutputError> {
    let text = text::decode(bytes)?;
    let mut output = match text.trim_ascii_start().as_bytes().first() {
        None => return Err(BuildOutputError::Empty),
        Some(b'{' | b'[') => json::read(text, selection)?,
        Some(_) => text::read(text, selection)?,
    };
    let mut seen = std::collections::HashSet::new();
    output.images.retain(|image| seen.insert((image.reference.clone(), image.size)));
    match output.images.len() {
        0 => Err(BuildOutputError::NoImages),
        1..=IMAGES_MAX => Ok(output),
        _ => Err(BuildOutputError::TooMany { most: IMAGES_MAX }),
    }
}

/// The digest that an empty file in a folder of digests has for its name: `H`, `sha256:H` or `sha256-H`.
pub fn digest_of_name(name: &str) -> Option<Digest> {
    let hex = name.strip_prefix("sha256:").or_else(|| name.strip_prefix("sha256-")).unwrap_or(name);
    format!("sha256:{hex}").parse().ok()
}
