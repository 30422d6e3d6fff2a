//! The spec file: a whole manifest list as one text, manifest-tool's YAML and what we add to it.
//!
//! A spec is a value ([`Spec`]); [`parse`] makes it of YAML or JSON and [`write()`] turns it back. Nothing here opens a
//! file, asks a registry or reads the environment: who calls brings the text and says what the variables are.
//! `schemas/manifest-spec.schema.json` describes the same files for editors, and a test holds it against the parser.
//!
//! The YAML is read by granit-parser, the parser under serde-saphyr, and not through serde: a spec needs each scalar's
//! text as it was written (a tag `1.0` is no number) and the place of every key and value, for errors that point.

mod arguments;
mod error;
mod places;
mod platform;
mod read;
mod reader;
mod tree;
mod variables;
mod write;

#[cfg(test)]
mod dialect_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use arguments::{ArgumentsError, from_args};
pub use error::{Advice, SpecError, SpecErrorKind};
pub use write::write;

use crate::model::index::Form;
use crate::platform::Platform;
use crate::reference::{Reference, ReferenceError};

/// A list to be made and published: one document of a spec file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spec {
    /// Where the list is published, each with all of `tags`; at least one where it was parsed.
    pub targets: Vec<Target>,
    /// More tags for the list, in each target's repository.
    pub tags: Vec<String>,
    /// The index whose form the list has: what a spec has no words for is taken from it.
    pub source: Option<Reference>,
    /// The list's own annotations, which only an OCI index has.
    pub annotations: BTreeMap<String, String>,
    /// The list's `artifactType`, which only an OCI index has.
    pub artifact_type: Option<String>,
    /// Docker's list or an OCI index, where the spec says which.
    pub form: Option<Form>,
    /// What to do with the attestations of images that are taken from an index, where the spec says it.
    pub attestations: Option<Attestations>,
    /// The platforms without which nothing is published.
    pub require: Vec<Platform>,
    /// What the list holds, in order; at least one where it was parsed.
    pub manifests: Vec<SpecEntry>,
}

/// Where a list is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name. Its tag is `latest` where neither a tag nor a digest was given.
    pub reference: Reference,
    /// Whether neither a tag nor a digest was given.
    pub is_untagged: bool,
}

impl Target {
    /// Reads a target as a user types it.
    ///
    /// # Errors
    /// What is wrong with the reference.
    pub fn parse(text: &str) -> Result<Target, ReferenceError> {
        let reference = Reference::parse(text)?;
        Ok(Target { reference, is_untagged: Reference::names_repository_only(text) })
    }
}

impl From<Reference> for Target {
    fn from(reference: Reference) -> Target {
        Target { reference, is_untagged: false }
    }
}

/// As it is typed: a repository only where neither a tag nor a digest was given.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_untagged { self.reference.repository().fmt(f) } else { self.reference.fmt(f) }
    }
}

/// One image of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecEntry {
    /// Where the image is.
    pub image: Reference,
    /// The fields of its platform that the spec gives, as they are to be published; the others, which are empty here,
    /// come from the image. `None` where it gives none.
    pub platform: Option<Platform>,
    /// The fields of its platform that are published empty, whatever the image says.
    pub without: Without,
    /// Whether the platform is published exactly as it is written, known or not, with nothing from the image.
    pub force: bool,
    /// Annotations of its line in the list, which only an OCI index has.
    pub annotations: BTreeMap<String, String>,
    /// The `artifactType` of its line in the list, which only an OCI index has.
    pub artifact_type: Option<String>,
}

/// Fields of a platform that a spec gives as empty: `variant: ""`, `osversion: ""`, `osfeatures: []`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Without {
    /// No variant.
    pub variant: bool,
    /// No version of the operating system.
    pub os_version: bool,
    /// No features of the operating system.
    pub os_features: bool,
}

impl SpecEntry {
    /// An entry that says no more than where the image is.
    pub fn new(image: Reference) -> SpecEntry {
        let without = Without::default();
        SpecEntry { image, platform: None, without, force: false, annotations: BTreeMap::new(), artifact_type: None }
    }
}

/// Whether a platform has to be forced to be published as it is: nobody knows it, or it is usually spelt otherwise.
pub fn needs_force(given: &Platform) -> bool {
    platform::check(given, "").is_err() || platform::spelt(given.clone()) != *given
}

/// What becomes of the attestations that an index has for its images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Attestations {
    /// They go along with the image that they attest.
    #[default]
    Keep,
    /// They stay behind.
    Drop,
}

/// The longest text that is read, in bytes; a spec of 10,000 entries has two million.
const TEXT_MAX: usize = 16 << 20;

/// Whose rules a spec file is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Ours. An unknown key is an error, unless it begins with `x-`. A field that is given as empty is published empty.
    Ours,
    /// manifest-tool's. It skips unknown keys, of which we warn. A field that is given as empty comes from the image.
    ManifestTool,
}

/// A spec file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// One spec a document.
    pub specs: Vec<Spec>,
    /// What is probably a mistake, in the order of the file.
    pub warnings: Vec<SpecError>,
}

/// Reads a spec file: YAML or JSON, one spec a document.
///
/// `file` is its name for errors, `-` for instance. `env` gives the value of an environment variable, for `${VAR}` and
/// `${VAR:-default}` in values; it is asked for these only. Time and memory are bounded by the text's length.
///
/// # Errors
/// The first thing that is wrong, with its place; see [`SpecErrorKind`].
pub fn parse(
    text: &str,
    file: &str,
    dialect: Dialect,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Parsed, SpecError> {
    let fault = |fault: error::Fault| SpecError::new(fault, file, text);
    if text.len() > TEXT_MAX {
        return Err(fault(error::Fault { at: 0..0, kind: SpecErrorKind::TooLarge }));
    }
    let tree = tree::Tree::parse(text).map_err(fault)?;
    let (specs, warnings) = read::specs(&tree, dialect, env).map_err(fault)?;
    Ok(Parsed { specs, warnings: warnings.into_iter().map(fault).collect() })
}

/// The text of a spec file's bytes, which have to be UTF-8.
///
/// # Errors
/// [`SpecErrorKind::Encoding`] with the place of the first byte that is not.
pub fn decode<'b>(bytes: &'b [u8], file: &str) -> Result<&'b str, SpecError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        SpecError::new(error::Fault { at: good.len()..good.len(), kind: SpecErrorKind::Encoding }, file, &good)
    })
}
