//! Fuzz target for templates; see [`crate::fuzzing`].

use std::collections::BTreeMap;

use super::{Template, TemplateData, TemplateManifest};
use crate::model::descriptor::Descriptor;

/// A template on the first line, and on the others a document of the registry: a list, a configuration and a predicate
/// in one. The output and the errors cannot steer a terminal.
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
    let found = serde_json::from_slice(document).unwrap_or_default();
    for platforms in [1, 2] {
        let list = TemplateManifest::List(document.to_vec(), Descriptor::of("m", document));
        let platform = "linux/amd64".to_owned();
        let data = TemplateData {
            platforms,
            images: BTreeMap::from([(platform.clone(), serde_json::Value::clone(&found))]),
            provenance: BTreeMap::from([(platform.clone(), found.clone())]),
            sbom: BTreeMap::from([(platform, vec![found.clone(), found.clone()])]),
            ..TemplateData::of_manifest("h.x/app:1", list)
        };
        let is_tame = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
        match template.execute(&data) {
            Ok(output) => assert!(output.chars().all(is_tame), "{output:.500?}"),
            Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
        }
    }
}
