//! `--format '{{…}}'`: what a template makes of an image. `{{.Manifest}}` alone is what buildx prints without a format:
//! lines for people.

use std::fmt::Write as _;

use crate::core::error::CommandError;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::template::{Template, TemplateData, TemplateManifest};
use crate::sanitize;

/// The text, with a newline at its end.
pub(crate) fn text(template: &Template, name: &Location, data: &TemplateData) -> Result<Vec<u8>, CommandError> {
    let mut text = if template.is_bare_manifest() { manifest_lines(name, data)? } else { template.execute(data)? };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text.into_bytes())
}

/// The manifest as lines, and below it what a list names.
fn manifest_lines(name: &Location, data: &TemplateData) -> Result<String, CommandError> {
    let (descriptor, children) = match &data.manifest {
        TemplateManifest::Image(descriptor) => (descriptor, None),
        TemplateManifest::List(bytes, descriptor) => (descriptor, Some(Index::decode(bytes)?.manifests)),
    };
    let digest = ("Digest", descriptor.digest.to_string());
    let mut text = align("", &[("Name", name.to_string()), ("MediaType", descriptor.media_type.clone()), digest]);
    if let Some(children) = children {
        text.push_str("\nManifests:\n");
        let blocks: Vec<String> = children.iter().map(|child| align("  ", &child_lines(name, child))).collect();
        text.push_str(&blocks.join("\n"));
    }
    Ok(text)
}

fn child_lines(list: &Location, child: &Descriptor) -> Vec<(&'static str, String)> {
    let mut lines =
        vec![("Name", list.with_digest(&child.digest).to_string()), ("MediaType", child.media_type.clone())];
    if let Some(platform) = &child.platform {
        let words = [&platform.os, &platform.architecture, &platform.variant];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).map(String::as_str).collect();
        lines.push(("Platform", words.join("/")));
        lines.push(("OSVersion", platform.os_version.clone()));
        lines.push(("OSFeatures", platform.os_features.join(", ")));
    }
    lines.push(("URLs", child.urls.join(", ")));
    let pairs: Vec<String> = child.annotations.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.push(("Annotations", pairs.join(", ")));
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

fn align(margin: &str, lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len() + 1).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in lines {
        // A string takes all that is written.
        let _ = writeln!(text, "{margin}{:width$} {}", format!("{name}:"), sanitize::short_line(value));
    }
    text
}
