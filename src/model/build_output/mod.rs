//! The output files of build tools about the images that they have pushed: digests, references or JSON, which CI passes
//! from job to job. The kind of a file follows from its content. Only in a directory of digests, the names of the files
//! are the digests.
//!
//! Nothing here opens a file. The bytes are not trusted: time and memory are bounded by their length, JSON has at most
//! 128 levels, and messages show them on one line.

mod error;
mod json;
mod text;

#[cfg(test)]
mod tests;

pub use error::BuildOutputError;
pub(crate) use error::listed_names;

use crate::digest::Digest;
use crate::reference::{Reference, Repository};

/// The maximum number of images in a file. No list has more.
const IMAGES_MAX: usize = 10_000;

/// The requested images of a file, and the repository of images without one.
#[derive(Debug, Clone, Copy)]
pub struct ImageSelection<'a> {
    /// The repository of images for which the file names none. If an image has several names, the one in this
    /// repository counts.
    pub default_repository: &'a Repository,
    /// The requested targets (bake), names (a map of digests) or ids (goreleaser). If it is empty, the only target or
    /// name, and all ids.
    pub build_targets: &'a [String],
}

/// One image that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// The image by its digest, without a tag, because a tag may have moved.
    pub reference: Reference,
    /// The position in the file, such as `line 3` or `web`; empty if there is only one.
    pub position: String,
    /// The size of its manifest in bytes, if the file has its descriptor.
    pub size: Option<u64>,
}

/// The content of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOutput {
    /// The images, in the order of the file; at least one. An image that the file names twice is here once, unless
    /// it has two sizes.
    pub images: Vec<BuiltImage>,
    /// A line for each target or field that is not used.
    pub notes: Vec<String>,
    /// Whether the file has targets, so that [`ImageSelection::build_targets`] applies.
    pub has_build_targets: bool,
}

/// Reads one file.
///
/// # Errors
/// A file of an unknown kind or without images, one that states that nothing was pushed, and a target that it lacks.
pub fn parse(bytes: &[u8], selection: &ImageSelection<'_>) -> Result<BuildOutput, BuildOutputError> {
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
        _ => Err(BuildOutputError::TooManyImages { limit: IMAGES_MAX }),
    }
}

/// The digest in the name of a file in a directory of digests: `H`, `sha256:H` or `sha256-H`.
pub fn digest_from_file_name(name: &str) -> Option<Digest> {
    let hex = name.strip_prefix("sha256:").or_else(|| name.strip_prefix("sha256-")).unwrap_or(name);
    format!("sha256:{hex}").parse().ok()
}
