//! Go templates about an image, as in `docker buildx imagetools inspect --format`.
//!
//! The crate gotmpl, a port of Go's `text/template`, parses and executes them. This module adds the values of a
//! template, the functions of docker, and limits. `define`, `block` and `template` are refused, because with them a
//! short template could run for ever.

mod check;
mod functions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod go_types;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::parse::{ListNode, Node, Parser};
use gotmpl::{TemplateError as EngineError, Value};

use crate::model::DocumentError;
use crate::model::descriptor::Descriptor;
use crate::model::json;
use crate::sanitize;
use functions::FUNCTIONS;
use go_types::{GoType, IMAGE_MEMBER, PROVENANCE_MEMBER, SBOM_MEMBER};
use value::MapTypes;

/// The maximum length of a template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 64 << 10;
/// The maximum number of iterations of all `range` actions together.
const ITERATIONS_MAX: u64 = 1_000_000;
/// Appended to a template to check that the parser has read it to its end.
const END_MARKER: &str = "\u{0}";
/// The maximum length of the output, in bytes.
const OUTPUT_BYTES_MAX: usize = functions::TEXT_BYTES_MAX;

/// Why a template cannot be used.
///
/// The message has Go's form: `template: LINE:COLUMN: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "template: {}{}",
    position.map(|(line, column)| format!("{line}:{column}: ")).unwrap_or_default(),
    sanitize::line(reason)
)]
pub struct TemplateError {
    /// The line and the column, from 1, if they are known.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub reason: String,
}

impl TemplateError {
    /// An error at this byte of the text.
    fn at(text: &str, offset: usize, reason: &str) -> TemplateError {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TemplateError { position: Some((line, column)), reason: reason.to_owned() }
    }

    fn without_position(reason: impl Into<String>) -> TemplateError {
        TemplateError { position: None, reason: reason.into() }
    }
}

impl From<EngineError> for TemplateError {
    fn from(error: EngineError) -> TemplateError {
        match error {
            EngineError::Parse { line, col, message, .. } | EngineError::Lex { line, col, message, .. } => {
                TemplateError { position: Some((line, col)).filter(|(line, _)| *line > 0), reason: message }
            }
            EngineError::Exec(reason) => TemplateError::without_position(reason),
            EngineError::RangeIterLimit => {
                TemplateError::without_position(format!("it has more than {ITERATIONS_MAX} iterations"))
            }
            EngineError::Write => {
                TemplateError::without_position(format!("its output has more than {} MiB", OUTPUT_BYTES_MAX >> 20))
            }
            other => TemplateError::without_position(other.to_string()),
        }
    }
}

/// A valid template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    needs: TemplateNeeds,
}

/// The data that a template uses in addition to the manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TemplateNeeds {
    /// The configurations of the images.
    pub image: bool,
    /// Whether the template names `.Image`. Otherwise only the outermost value contains it, as in `{{json .}}`.
    pub names_image: bool,
    /// Provenance attestations.
    pub provenance: bool,
    /// SBOM attestations.
    pub sbom: bool,
}

/// The manifest that a template describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateManifest {
    /// An image.
    Image(Descriptor),
    /// A list: its document and its own descriptor.
    List(Vec<u8>, Descriptor),
}

/// The data for a template. Platforms are written as `os/arch[/variant]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateData {
    /// The name as it was typed.
    pub name: String,
    /// The manifest.
    pub manifest: TemplateManifest,
    /// The number of platforms. If there are several, `.Image`, `.Provenance` and `.SBOM` are maps of platforms.
    pub platforms: usize,
    /// Configurations of images, by platform.
    pub images: BTreeMap<String, serde_json::Value>,
    /// Predicates of provenance attestations, by platform.
    pub provenance: BTreeMap<String, serde_json::Value>,
    /// Predicates of SPDX attestations, by platform.
    pub sbom: BTreeMap<String, Vec<serde_json::Value>>,
}

impl TemplateData {
    /// The data of a manifest alone.
    pub fn new(name: &str, manifest: TemplateManifest) -> TemplateData {
        let (images, provenance, sbom) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        TemplateData { name: name.to_owned(), manifest, platforms: 0, images, provenance, sbom }
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A text that is not a template, an unknown function or member, and an action that is not supported.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let used = check::check(text, &tree(text)?, &go_types::ROOT_UNKNOWN)?;
        let names_image = used.contains(IMAGE_MEMBER);
        let needs = TemplateNeeds {
            image: names_image || used.contains(check::WHOLE_ROOT),
            names_image,
            provenance: used.contains(PROVENANCE_MEMBER),
            sbom: used.contains(SBOM_MEMBER),
        };
        Ok(Template { text: text.to_owned(), needs })
    }

    /// The data that it uses in addition to the manifest.
    pub fn needs(&self) -> TemplateNeeds {
        self.needs
    }

    /// Whether the template is `{{.Manifest}}`, which buildx prints as text for people.
    pub fn is_bare_manifest(&self) -> bool {
        let inner = self.text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        inner.is_some_and(|inner| inner.trim() == ".Manifest")
    }

    /// Executes the template. In its output, characters that could control a terminal become `?`.
    ///
    /// # Errors
    /// A member that this image does not have, an operation that its values do not support, and an exceeded limit.
    pub fn execute(&self, data: &TemplateData) -> Result<String, TemplateError> {
        let root = match data.manifest {
            TemplateManifest::Image(_) => &go_types::ROOT_IMAGE,
            TemplateManifest::List(..) if data.platforms > 1 => &go_types::ROOT_MULTI_PLATFORM_LIST,
            TemplateManifest::List(..) => &go_types::ROOT_SINGLE_PLATFORM_LIST,
        };
        let tree = tree(&self.text)?;
        check::check(&self.text, &tree, root)?;
        let mut types = MapTypes::default();
        let document_error = |error: DocumentError| TemplateError::without_position(error.to_string());
        let values = values(&mut types, data).map_err(document_error)?;
        let dot = types.struct_value(root, values);
        let engine = gotmpl::Template::new("format").funcs(functions::functions(&Arc::new(types)));
        let engine = engine.max_range_iters(ITERATIONS_MAX).parse(&self.text)?;
        let mut output = BoundedOutput(String::new());
        engine.execute_fmt(&mut output, &dot)?;
        let printable =
            |character| if sanitize::is_printable(character) || "\n\t".contains(character) { character } else { '?' };
        Ok(output.0.chars().map(printable).collect())
    }
}

/// Parses a template.
fn tree(text: &str) -> Result<ListNode, TemplateError> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(TemplateError::without_position(format!("it is longer than {} KiB", TEMPLATE_BYTES_MAX >> 10)));
    }
    Parser::new(text, "{{", "}}")?.parse()?;
    // The parser stops without an error at an `end` without a beginning. Then the marker is not the last node.
    let marked = format!("{text}{END_MARKER}");
    let (mut tree, defines) = Parser::new(&marked, "{{", "}}")?.parse()?;
    if let Some(define) = defines.first() {
        return Err(TemplateError::at(text, define.pos.offset, check::NESTED_TEMPLATES_UNSUPPORTED));
    }
    match tree.nodes.pop() {
        Some(Node::Text(last)) if last.text.ends_with(END_MARKER) => Ok(tree),
        last => {
            let reason = "after this stands an end or else without its beginning";
            Err(TemplateError::at(text, last.map_or(0, |last| check::offset(&last)), reason))
        }
    }
}

/// The members of the outermost value.
fn values(types: &mut MapTypes, data: &TemplateData) -> Result<Vec<(&'static str, Value)>, DocumentError> {
    let (go_type, manifest) = match &data.manifest {
        TemplateManifest::Image(descriptor) => (&go_types::DESCRIPTOR, serde_json::to_value(descriptor)?),
        TemplateManifest::List(bytes, list_descriptor) => {
            let mut index = json::parse(bytes)?;
            if let serde_json::Value::Object(members) = &mut index {
                members.insert("digest".to_owned(), list_descriptor.digest.as_str().into());
                members.insert("size".to_owned(), list_descriptor.size.into());
            }
            (&go_types::INDEX, index)
        }
    };
    let is_multi_platform = matches!(data.manifest, TemplateManifest::List(..)) && data.platforms > 1;
    let slsa = |found: &serde_json::Value| serde_json::json!({ "SLSA": found });
    let spdx = |found: &Vec<serde_json::Value>| {
        let (first, more) = found.split_first().map_or((None, &[][..]), |(first, more)| (Some(first), more));
        serde_json::json!({ "SPDX": first, "AdditionalSPDXs": more })
    };
    let image = serde_json::Value::clone;
    Ok(vec![
        ("Name", value::text(&data.name)),
        ("Manifest", types.read(go_type, &manifest)?),
        (IMAGE_MEMBER, per_platform(types, &go_types::IMAGE_POINTER, &data.images, image, is_multi_platform)?),
        (PROVENANCE_MEMBER, per_platform(types, &go_types::PROVENANCE, &data.provenance, slsa, is_multi_platform)?),
        (SBOM_MEMBER, per_platform(types, &go_types::SBOM, &data.sbom, spdx, is_multi_platform)?),
    ])
}

/// The documents of all platforms as a map; of a single platform, its document.
fn per_platform<T>(
    types: &mut MapTypes,
    go_type: &'static GoType,
    found: &BTreeMap<String, T>,
    document: impl Fn(&T) -> serde_json::Value,
    is_multi_platform: bool,
) -> Result<Value, DocumentError> {
    if !is_multi_platform {
        let document = found.values().next().map_or(serde_json::Value::Null, document);
        return Ok(types.read(go_type, &document)?);
    }
    let read =
        |(platform, found): (&String, &T)| Ok((Arc::from(platform.as_str()), types.read(go_type, &document(found))?));
    Ok(Value::Map(Arc::new(found.iter().map(read).collect::<Result<_, DocumentError>>()?)))
}

/// An output of limited length.
struct BoundedOutput(String);

impl fmt::Write for BoundedOutput {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > OUTPUT_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
