//! Writes a spec as YAML, in spellings that manifest-tool reads too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ATTESTATIONS_POLICIES, BuildOutputSource, EmptyFields, LIST_FORMATS, Spec, SpecEntry, platform_check};
use crate::platform::Platform;

/// The YAML of a spec. [`super::parse`] reads it back as the same value, and the same spec gives the same text.
///
/// This holds for specs that `parse` can return: valid tags and platforms, at least one target and one entry.
pub fn write(spec: &Spec) -> String {
    let mut text = String::new();
    match spec.targets.as_slice() {
        [target] => line(&mut text, "", "image", &escaped_scalar(&target.to_string())),
        targets => list(&mut text, "", "image", targets.iter().map(ToString::to_string)),
    }
    list(&mut text, "", "tags", spec.tags.iter().cloned());
    if let Some(source) = &spec.source_location {
        line(&mut text, "", "source", &escaped_scalar(&source.to_string()));
    }
    annotations(&mut text, "", &spec.annotations);
    if let Some(artifact_type) = &spec.artifact_type {
        line(&mut text, "", "artifactType", &escaped_scalar(artifact_type));
    }
    if let Some((word, _)) = LIST_FORMATS.iter().find(|(_, value)| spec.list_format == Some(*value)) {
        line(&mut text, "", "type", word);
    }
    if let Some((word, _)) = ATTESTATIONS_POLICIES.iter().find(|(_, value)| spec.attestations == Some(*value)) {
        line(&mut text, "", "attestations", word);
    }
    list(&mut text, "", "require", spec.require.iter().map(platform_check::format_platform));
    if !spec.manifests.is_empty() || spec.from.is_empty() {
        text.push_str("manifests:\n");
    }
    for manifest in &spec.manifests {
        entry(&mut text, manifest);
    }
    if !spec.from.is_empty() {
        text.push_str("from:\n");
    }
    for from in &spec.from {
        build_output(&mut text, from);
    }
    text
}

fn build_output(text: &mut String, from: &BuildOutputSource) {
    line(text, "  - ", "path", &escaped_scalar(&from.path));
    list(text, "    ", "target", from.build_targets.iter().cloned());
    if let Some(repository) = &from.repository {
        line(text, "    ", "repository", &escaped_scalar(&repository.to_string()));
    }
}

fn entry(text: &mut String, entry: &SpecEntry) {
    const INDENT: &str = "    ";
    line(text, "  - ", "image", &escaped_scalar(&entry.image.to_string()));
    if entry.platform.is_some() || entry.explicitly_empty != EmptyFields::default() || entry.force {
        let _ = writeln!(text, "{INDENT}platform:");
        platform_fields(
            text,
            "      ",
            entry.platform.as_ref().unwrap_or(&Platform::default()),
            entry.explicitly_empty,
        );
        if entry.force {
            line(text, "      ", "force", "true");
        }
    }
    annotations(text, INDENT, &entry.annotations);
    if let Some(artifact_type) = &entry.artifact_type {
        line(text, INDENT, "artifactType", &escaped_scalar(artifact_type));
    }
}

fn platform_fields(text: &mut String, indent: &str, platform: &Platform, explicitly_empty: EmptyFields) {
    for (key, value) in [
        ("architecture", &platform.architecture),
        ("os", &platform.os),
        ("variant", &platform.variant),
        ("osversion", &platform.os_version),
    ] {
        if !value.is_empty() {
            line(text, indent, key, &escaped_scalar(value));
        }
    }
    for (key, empty, is_empty) in [
        ("variant", "\"\"", explicitly_empty.variant),
        ("osversion", "\"\"", explicitly_empty.os_version),
        ("osfeatures", "[]", explicitly_empty.os_features),
    ] {
        if is_empty {
            line(text, indent, key, empty);
        }
    }
    list(text, indent, "osfeatures", platform.os_features.iter().cloned());
    list(text, indent, "features", platform.features.iter().cloned());
}

fn annotations(text: &mut String, indent: &str, annotations: &BTreeMap<String, String>) {
    if annotations.is_empty() {
        return;
    }
    let _ = writeln!(text, "{indent}annotations:");
    let indent = format!("{indent}  ");
    for (key, value) in annotations {
        // YAML limits the length of a key without `? `.
        let key_indicator = if key.len() > KEY_LENGTH_MAX { "? " } else { "" };
        let separator = if key_indicator.is_empty() { ": " } else { &format!("\n{indent}: ") };
        let _ = writeln!(text, "{indent}{key_indicator}{}{separator}{}", quoted_if_needed(key), escaped_scalar(value));
    }
}

/// The maximum length of a key without `? `, in bytes. Escapes make a key up to ten times as long, and the limit of
/// YAML is 1,024 characters.
const KEY_LENGTH_MAX: usize = 100;

fn list(text: &mut String, indent: &str, key: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "{indent}{key}:");
    for item in items {
        let _ = writeln!(text, "{indent}  - {}", escaped_scalar(&item));
    }
}

fn line(text: &mut String, indent: &str, key: &str, value: &str) {
    let _ = writeln!(text, "{indent}{key}: {value}");
}

/// A value. `$` is doubled, because it would begin a variable.
fn escaped_scalar(value: &str) -> String {
    quoted_if_needed(&value.replace('$', "$$"))
}

/// A plain scalar if both YAML 1.1 and 1.2 read it as a string, otherwise a string in double quotes.
fn quoted_if_needed(text: &str) -> String {
    let is_plain_character = |b: u8| b.is_ascii_alphanumeric() || b"._/@+:$-".contains(&b);
    let can_be_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text.bytes().all(is_plain_character)
        && !YAML_KEYWORDS.contains(&text.to_ascii_lowercase().as_str());
    if can_be_plain { text.to_owned() } else { quoted(text) }
}

/// Words that YAML 1.1 reads as a boolean or null.
const YAML_KEYWORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Not printable in YAML, a line break to some parsers, or invisible.
            _ if character.is_control() || is_invisible(character) => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{ffff}'
    )
}
