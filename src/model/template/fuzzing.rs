//! Fuzz target for templates; see [`crate::fuzzing`].

use std::collections::BTreeMap;

use super::{Template, TemplateData, TemplateManifest};
use crate::model::descriptor::Descriptor;

/// The first line is a template, and the rest is a document of a registry, which stands for a list, a configuration and
/// a predicate. The output and the errors cannot control a terminal.
pub(crate) fn template(bytes: &[u8]) {
    let (text, document) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => bytes.split_at(end),
        None => (bytes, &b"{}"[..]),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => return assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    };
    let document_value = serde_json::from_slice(document).unwrap_or_default();
    for platforms in [1, 2] {
        let list = TemplateManifest::List(document.to_vec(), Descriptor::for_content("m", document));
        let platform = "linux/amd64".to_owned();
        let data = TemplateData {
            platforms,
            images: BTreeMap::from([(platform.clone(), serde_json::Value::clone(&document_value))]),
            provenance: BTreeMap::from([(platform.clone(), document_value.clone())]),
            sbom: BTreeMap::from([(platform, vec![document_value.clone(), document_value.clone()])]),
            ..TemplateData::new("h.x/app:1", list)
        };
        let is_printable = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
        match template.execute(&data) {
            Ok(output) => assert!(output.chars().all(is_printable), "{output:.500?}"),
            Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
        }
    }
}
