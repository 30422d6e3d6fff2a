//! Spec files, which describe whole manifest lists: the YAML of manifest-tool with our additions.
//!
//! A spec is a value ([`Spec`]). [`parse`] reads it from YAML or JSON, and [`write()`] writes it. Nothing here opens a
//! file, sends a request or reads the environment: the caller passes the text and the variables.
//! `schemas/manifest-spec.schema.json` describes the same files for editors; a test compares it with the parser.
//!
//! The YAML parser is granit-parser, which serde-saphyr uses too. It is used without serde, because a spec needs the
//! text of each scalar as written (the tag `1.0` is not a number) and the position of each key and value for its
//! errors.

mod error;
mod from_args;
mod node_reader;
mod platform_check;
mod positions;
mod spec_reader;
mod variables;
mod write;
mod yaml_tree;

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

pub use error::{SpecError, SpecErrorKind, SpecSuggestion};
pub use from_args::{ArgumentsError, from_args};
pub(crate) use spec_reader::{ATTESTATIONS_POLICIES, LIST_FORMATS};
pub use write::write;

use crate::location::Location;
use crate::model::index::ListFormat;
use crate::platform::Platform;
use crate::reference::{Reference, ReferenceError, Repository};

/// A list to build and publish: one document of a spec file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spec {
    /// The names to publish the list under, each with all of `tags`; at least one after parsing.
    pub targets: Vec<Target>,
    /// Additional tags for the list, in each target's repository.
    pub tags: Vec<String>,
    /// The source index: the list has its content, as far as the spec cannot express it.
    pub source_location: Option<Location>,
    /// The list's own annotations. Only an OCI index has them.
    pub annotations: BTreeMap<String, String>,
    /// The list's `artifactType`. Only an OCI index has it.
    pub artifact_type: Option<String>,
    /// The format of the list, if the spec states it.
    pub list_format: Option<ListFormat>,
    /// Whether attestations of indexes are kept, if the spec states it.
    pub attestations: Option<AttestationsPolicy>,
    /// The required platforms, without which nothing is published.
    pub require: Vec<Platform>,
    /// The entries of the list, in order; at least one after parsing, unless `from` names files.
    pub manifests: Vec<SpecEntry>,
    /// Files that name more images, in order.
    pub from: Vec<BuildOutputSource>,
}

/// A file that names images, as a build tool writes it, or a directory of such files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOutputSource {
    /// The file or the directory. A relative path begins at the directory of the spec file.
    pub path: String,
    /// The requested targets, names or ids in the file. If it is empty, the only target or name, and all ids.
    pub build_targets: Vec<String>,
    /// The repository of images for which the file names none; `None` for that of the list.
    pub repository: Option<Repository>,
}

/// A name to publish a list under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name. Its tag is `latest` if neither a tag nor a digest was given.
    pub reference: Reference,
    /// Whether neither a tag nor a digest was given.
    pub is_untagged: bool,
}

impl Target {
    /// Reads a target as a user types it.
    ///
    /// # Errors
    /// An invalid reference.
    pub fn parse(text: &str) -> Result<Target, ReferenceError> {
        let reference = Reference::parse(text)?;
        Ok(Target { reference, is_untagged: Reference::is_repository_only(text) })
    }
}

impl From<Reference> for Target {
    fn from(reference: Reference) -> Target {
        Target { reference, is_untagged: false }
    }
}

/// Prints the target as it was typed: without a tag if neither a tag nor a digest was given.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_untagged { self.reference.repository().fmt(f) } else { self.reference.fmt(f) }
    }
}

/// One image of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecEntry {
    /// The image: its reference, or its name in a layout.
    pub image: Location,
    /// The fields of its platform that the spec overrides; empty ones come from the image. `None` if it overrides none.
    pub platform: Option<Platform>,
    /// The fields of its platform that are published empty, even if the image states them.
    pub explicitly_empty: EmptyFields,
    /// Whether the platform is published exactly as written, known or not, without fields from the image.
    pub force: bool,
    /// Annotations of its descriptor in the list. Only an OCI index has them.
    pub annotations: BTreeMap<String, String>,
    /// The `artifactType` of its descriptor in the list. Only an OCI index has it.
    pub artifact_type: Option<String>,
}

/// Fields of a platform that a spec sets to empty: `variant: ""`, `osversion: ""`, `osfeatures: []`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EmptyFields {
    /// No variant.
    pub variant: bool,
    /// No version of the operating system.
    pub os_version: bool,
    /// No features of the operating system.
    pub os_features: bool,
}

impl SpecEntry {
    /// An entry with a name only.
    pub fn new(image: impl Into<Location>) -> SpecEntry {
        let (image, explicitly_empty) = (image.into(), EmptyFields::default());
        SpecEntry {
            image,
            platform: None,
            explicitly_empty,
            force: false,
            annotations: BTreeMap::new(),
            artifact_type: None,
        }
    }
}

/// Whether a platform needs `force` to be published as it is: it is unknown, or has another canonical spelling.
pub fn needs_force(given: &Platform) -> bool {
    platform_check::check(given, "").is_err() || platform_check::with_canonical_spelling(given.clone()) != *given
}

/// Whether the attestations of an index are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AttestationsPolicy {
    /// They are kept with their image.
    #[default]
    Keep,
    /// They are dropped.
    Drop,
}

/// The maximum length of a spec file, in bytes. A spec of 10,000 entries has two million.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// The rules by which a spec file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Our rules. An unknown key is an error, unless it begins with `x-`. A field that is set to empty is published
    /// empty.
    Native,
    /// manifest-tool's rules. Unknown keys are skipped with a warning. A field that is set to empty comes from the
    /// image.
    ManifestTool,
}

/// A parsed spec file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedSpecs {
    /// One spec per document.
    pub specs: Vec<Spec>,
    /// Probable mistakes, in the order of the file.
    pub warnings: Vec<SpecError>,
}

/// Reads a spec file: YAML or JSON, one spec per document.
///
/// `file` is its name in errors, for example `-`. `env` returns the value of an environment variable, for `${VAR}` and
/// `${VAR:-default}` in values. Time and memory are limited by the text's length.
///
/// # Errors
/// The first error, with its position; see [`SpecErrorKind`].
pub fn parse(
    text: &str,
    file: &str,
    dialect: Dialect,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<ParsedSpecs, SpecError> {
    let in_file = |error: error::LocatedError| SpecError::new(error, file, text);
    if text.len() > TEXT_BYTES_MAX {
        return Err(in_file(error::LocatedError { range: 0..0, kind: SpecErrorKind::TooLarge }));
    }
    let tree = yaml_tree::YamlTree::parse(text).map_err(in_file)?;
    let (specs, warnings) = spec_reader::specs(&tree, dialect, env).map_err(in_file)?;
    Ok(ParsedSpecs { specs, warnings: warnings.into_iter().map(in_file).collect() })
}

/// The text of a spec file, which must be UTF-8.
///
/// # Errors
/// [`SpecErrorKind::NotUtf8`] with the position of the first invalid byte.
pub fn decode<'b>(bytes: &'b [u8], file: &str) -> Result<&'b str, SpecError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let valid = String::from_utf8_lossy(valid);
        let range = valid.len()..valid.len();
        SpecError::new(error::LocatedError { range, kind: SpecErrorKind::NotUtf8 }, file, &valid)
    })
}
