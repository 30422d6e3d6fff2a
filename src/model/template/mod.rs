//! Go templates over an image, as `docker buildx imagetools inspect --format` has them.
//!
//! The language is that of the crate gotmpl, a port of Go's `text/template`. Here are the values that a template sees,
//! the functions that docker adds, and limits. `define`, `block` and `template` are refused: with them a short template
//! could run for ever.

mod check;
mod functions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod kinds;
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
use kinds::{IMAGE_MEMBER, Kind, PROVENANCE_MEMBER, SBOM_MEMBER};
use value::Types;

/// The longest template, in bytes.
const TEMPLATE_MAX: usize = 64 << 10;
/// The most iterations of all `range` actions together.
const ITERATIONS_MAX: u64 = 1_000_000;
/// Added to a template to see whether its end was read.
const MARK: &str = "\u{0}";
/// The longest output, in bytes.
const OUTPUT_MAX: usize = functions::TEXT_MAX;

/// Why a template cannot be used.
///
/// The message has Go's form: `template: LINE:COLUMN: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {}{}", position.map(|(line, column)| format!("{line}:{column}: ")).unwrap_or_default(), sanitize::line(why))]
pub struct TemplateError {
    /// The line and the column, from 1, if they are known.
    pub position: Option<(usize, usize)>,
    /// What is wrong with it.
    pub why: String,
}

impl TemplateError {
    /// An error at this byte of the text.
    fn at(text: &str, offset: usize, why: &str) -> TemplateError {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TemplateError { position: Some((line, column)), why: why.to_owned() }
    }

    fn without_position(why: impl Into<String>) -> TemplateError {
        TemplateError { position: None, why: why.into() }
    }
}

impl From<EngineError> for TemplateError {
    fn from(error: EngineError) -> TemplateError {
        match error {
            EngineError::Parse { line, col, message, .. } | EngineError::Lex { line, col, message, .. } => {
                TemplateError { position: Some((line, col)).filter(|(line, _)| *line > 0), why: message }
            }
            EngineError::Exec(why) => TemplateError::without_position(why),
            EngineError::RangeIterLimit => {
                TemplateError::without_position(format!("it has more than {ITERATIONS_MAX} iterations"))
            }
            EngineError::Write => {
                TemplateError::without_position(format!("its output has more than {} MiB", OUTPUT_MAX >> 20))
            }
            other => TemplateError::without_position(other.to_string()),
        }
    }
}

/// A template as it was typed. It can be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    needs: Needs,
}

/// What a template uses beside the manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The configurations of the images.
    pub image: bool,
    /// Whether `.Image` is written in it. Otherwise only the whole value has it, as in `{{json .}}`.
    pub image_by_name: bool,
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

/// What a template describes. Platforms are `os/arch[/variant]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateData {
    /// The name as it was typed.
    pub name: String,
    /// The manifest.
    pub manifest: TemplateManifest,
    /// The number of platforms. Where there are several, `.Image`, `.Provenance` and `.SBOM` are maps of platforms.
    pub platforms: usize,
    /// Configurations of images, by platform.
    pub images: BTreeMap<String, serde_json::Value>,
    /// Predicates of provenance attestations, by platform.
    pub provenance: BTreeMap<String, serde_json::Value>,
    /// Predicates of SPDX attestations, by platform.
    pub sbom: BTreeMap<String, Vec<serde_json::Value>>,
}

impl TemplateData {
    /// What is known of a manifest alone.
    pub fn of_manifest(name: &str, manifest: TemplateManifest) -> TemplateData {
        let (images, provenance, sbom) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        TemplateData { name: name.to_owned(), manifest, platforms: 0, images, provenance, sbom }
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A text that is not a template, an unknown function, a member that no image has, and what is not supported.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let used = check::check(text, &tree(text)?, &kinds::UNKNOWN)?;
        let by_name = used.contains(IMAGE_MEMBER);
        let needs = Needs {
            image: by_name || used.contains(check::WHOLE),
            image_by_name: by_name,
            provenance: used.contains(PROVENANCE_MEMBER),
            sbom: used.contains(SBOM_MEMBER),
        };
        Ok(Template { text: text.to_owned(), needs })
    }

    /// What it uses beside the manifest.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Whether it is the manifest alone, which buildx prints as lines for people.
    pub fn is_manifest_alone(&self) -> bool {
        let inner = self.text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        inner.is_some_and(|inner| inner.trim() == ".Manifest")
    }

    /// The text that it makes of an image. Characters that could control a terminal become `?`.
    ///
    /// # Errors
    /// A member that this image does not have, an operation that its values do not have, and more than the limits
    /// permit.
    pub fn execute(&self, data: &TemplateData) -> Result<String, TemplateError> {
        let root = match data.manifest {
            TemplateManifest::Image(_) => &kinds::OF_IMAGE,
            TemplateManifest::List(..) if data.platforms > 1 => &kinds::OF_LIST,
            TemplateManifest::List(..) => &kinds::OF_SINGLE,
        };
        let tree = tree(&self.text)?;
        check::check(&self.text, &tree, root)?;
        let mut types = Types::default();
        let document = |error: DocumentError| TemplateError::without_position(error.to_string());
        let values = values(&mut types, data).map_err(document)?;
        let dot = types.make(root, values);
        let engine = gotmpl::Template::new("format").funcs(functions::functions(&Arc::new(types)));
        let engine = engine.max_range_iters(ITERATIONS_MAX).parse(&self.text)?;
        let mut output = Output(String::new());
        engine.execute_fmt(&mut output, &dot)?;
        let tame =
            |character| if sanitize::is_printable(character) || "\n\t".contains(character) { character } else { '?' };
        Ok(output.0.chars().map(tame).collect())
    }
}

fn tree(text: &str) -> Result<ListNode, TemplateError> {
    if text.len() > TEMPLATE_MAX {
        return Err(TemplateError::without_position(format!("it is longer than {} KiB", TEMPLATE_MAX >> 10)));
    }
    Parser::new(text, "{{", "}}")?.parse()?;
    // The parser stops without an error at an `end` that ends nothing, so a mark shows whether it has read everything.
    let marked = format!("{text}{MARK}");
    let (mut tree, defines) = Parser::new(&marked, "{{", "}}")?.parse()?;
    if let Some(define) = defines.first() {
        return Err(TemplateError::at(text, define.pos.offset, check::NO_TEMPLATES));
    }
    match tree.nodes.pop() {
        Some(Node::Text(last)) if last.text.ends_with(MARK) => Ok(tree),
        last => {
            let why = "after this stands an end or else without its beginning";
            Err(TemplateError::at(text, last.map_or(0, |last| check::position(&last)), why))
        }
    }
}

/// The members of the outermost value.
fn values(types: &mut Types, data: &TemplateData) -> Result<Vec<(&'static str, Value)>, DocumentError> {
    let (kind, manifest) = match &data.manifest {
        TemplateManifest::Image(descriptor) => (&kinds::DESCRIPTOR, serde_json::to_value(descriptor)?),
        TemplateManifest::List(bytes, own) => {
            let mut index = json::parse(bytes)?;
            if let serde_json::Value::Object(members) = &mut index {
                members.insert("digest".to_owned(), own.digest.as_str().into());
                members.insert("size".to_owned(), own.size.into());
            }
            (&kinds::INDEX, index)
        }
    };
    let is_list = matches!(data.manifest, TemplateManifest::List(..)) && data.platforms > 1;
    let slsa = |found: &serde_json::Value| serde_json::json!({ "SLSA": found });
    let spdx = |found: &Vec<serde_json::Value>| {
        let (first, more) = found.split_first().map_or((None, &[][..]), |(first, more)| (Some(first), more));
        serde_json::json!({ "SPDX": first, "AdditionalSPDXs": more })
    };
    let image = serde_json::Value::clone;
    Ok(vec![
        ("Name", value::text(&data.name)),
        ("Manifest", types.read(kind, &manifest)?),
        (IMAGE_MEMBER, of_platforms(types, &kinds::AN_IMAGE, &data.images, image, is_list)?),
        (PROVENANCE_MEMBER, of_platforms(types, &kinds::PROVENANCE, &data.provenance, slsa, is_list)?),
        (SBOM_MEMBER, of_platforms(types, &kinds::SBOM, &data.sbom, spdx, is_list)?),
    ])
}

/// What each platform has, or where there is one platform at most, what that has.
fn of_platforms<T>(
    types: &mut Types,
    kind: &'static Kind,
    found: &BTreeMap<String, T>,
    document: impl Fn(&T) -> serde_json::Value,
    is_list: bool,
) -> Result<Value, DocumentError> {
    if !is_list {
        let document = found.values().next().map_or(serde_json::Value::Null, document);
        return Ok(types.read(kind, &document)?);
    }
    let read =
        |(platform, found): (&String, &T)| Ok((Arc::from(platform.as_str()), types.read(kind, &document(found))?));
    Ok(Value::Map(Arc::new(found.iter().map(read).collect::<Result<_, DocumentError>>()?)))
}

/// An output that does not grow without end.
struct Output(String);

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > OUTPUT_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
