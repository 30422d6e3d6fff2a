//! The output of `manifest-tool inspect`: manifest-tool's own layout, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::auth::Access;
use crate::content::registry::{ExpectedConnections, FetchedManifest, RegistryClient};
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::entry::{attested_digest, is_attestation};
use crate::model::index::Index;
use crate::model::manifest::{self, ManifestKind};
use crate::model::{DocumentError, json, media_type};
use crate::net::tasks;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::sanitize;

/// The largest configuration that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 4 << 20;
/// The members that are added to a document. Members of these names in the document itself are left out.
const ADDED_MEMBERS: [&str; 4] = ["name", "digest", "os", "architecture"];
/// manifest-tool's indentation of JSON.
const INDENTATION: &str = "    ";

/// What a registry serves under a name, with everything that is printed.
pub(crate) struct InspectedImage<'a> {
    /// The name as typed.
    name: &'a str,
    fetched: FetchedManifest,
    content: ListOrConfig,
}

enum ListOrConfig {
    /// A list, and the manifests of its images.
    List(Index, BTreeMap<Digest, Vec<u8>>),
    /// An image's configuration, and the platform in it.
    Image(Value, Platform),
}

/// Requests an image, or a list and its images, each once.
///
/// # Errors
/// Errors of the registry, and content that is not a manifest.
pub(crate) fn fetch_image_or_list<'a>(
    registry: &RegistryClient,
    name: &'a str,
    image: &Reference,
) -> Result<InspectedImage<'a>, CommandError> {
    registry.expect_access(image.repository(), Access::Pull);
    let source = ImageSource::in_registry(registry, image);
    match fetch::manifest(&source)? {
        ImageOrList::Image(_, fetched) => {
            let (config, platform) = fetch_config(registry, image, &fetched.bytes)?;
            Ok(InspectedImage { name, fetched, content: ListOrConfig::Image(config, platform) })
        }
        ImageOrList::List(fetched) => {
            let index = Index::decode(&fetched.bytes).map_err(CommandError::invalid_document(&image))?;
            let is_image = |descriptor: &&Descriptor| {
                matches!(ManifestKind::from_media_type(&descriptor.media_type), Some(ManifestKind::Image(_)))
            };
            let mut images: Vec<&Descriptor> = index.manifests.iter().filter(is_image).collect();
            images.sort_by_key(|descriptor| &descriptor.digest);
            images.dedup_by_key(|descriptor| &descriptor.digest);
            registry.expect_parallel_requests(
                image.repository(),
                ExpectedConnections::reads(images.len().min(registry.jobs().get())),
            );
            let child = |descriptor: &&Descriptor| match fetch::child(&source, descriptor)? {
                ImageOrList::Image(_, fetched) | ImageOrList::List(fetched) => {
                    Ok((descriptor.digest.clone(), fetched.bytes))
                }
            };
            let manifests = tasks::run_parallel(registry.jobs(), &images, child).map_err(CommandError::combine)?;
            let manifests = manifests.into_iter().collect();
            Ok(InspectedImage { name, fetched, content: ListOrConfig::List(index, manifests) })
        }
    }
}

/// An image's configuration, and the platform in it. The configuration of an artifact may be something else than JSON.
fn fetch_config(
    registry: &RegistryClient,
    image: &Reference,
    manifest: &[u8],
) -> Result<(Value, Platform), CommandError> {
    let served = CommandError::invalid_document(&image);
    let config = manifest::config(manifest).map_err(served)?;
    let bytes = registry.blob(image.repository(), &config.digest, Some(config.size), CONFIG_BYTES_MAX)?;
    let read = json::parse(&bytes).map_err(DocumentError::from);
    let read = read.and_then(|value| descriptor::decode_config_platform(&value).map(|platform| (value, platform)));
    match read {
        Err(_) if !media_type::is_image_config(&config.media_type) => Ok((Value::Null, Platform::default())),
        read => read.map_err(served),
    }
}

impl InspectedImage<'_> {
    fn served_error(&self, source: DocumentError) -> CommandError {
        CommandError::InvalidDocument { reference: self.name.to_owned(), source }
    }

    /// The text for people.
    pub(crate) fn text(&self) -> Result<Vec<u8>, CommandError> {
        let text = match &self.content {
            ListOrConfig::List(index, manifests) => self.list_text(index, manifests),
            ListOrConfig::Image(_, platform) => self.image_text(platform),
        };
        text.map(String::into_bytes).map_err(|error| self.served_error(error))
    }

    fn list_text(&self, index: &Index, manifests: &BTreeMap<Digest, Vec<u8>>) -> Result<String, DocumentError> {
        let descriptors = &index.manifests;
        let attestations = descriptors.iter().filter(|descriptor| is_attestation(descriptor)).count();
        let images = descriptors.len() - attestations;
        let (image, attestation) = (counted(images, "image"), counted(attestations, "attestation"));
        let mut text = format!("Name:   {} (Type: {})\n", self.name, sanitize::short_line(&self.fetched.media_type));
        let _ = writeln!(text, "Digest: {}", self.fetched.digest);
        let _ = writeln!(text, " * Contains {} manifest references ({image}, {attestation}):", descriptors.len());
        for (number, descriptor) in descriptors.iter().enumerate() {
            write_entry(&mut text, number + 1, descriptor, manifests.get(&descriptor.digest).map(Vec::as_slice))?;
        }
        Ok(text)
    }

    fn image_text(&self, platform: &Platform) -> Result<String, DocumentError> {
        let layers = manifest::layers(&self.fetched.bytes)?;
        let mut text = format!("Name: {} (Type: {})\n", self.name, sanitize::short_line(&self.fetched.media_type));
        for (label, value) in [
            ("Digest", self.fetched.digest.to_string()),
            ("Size", self.fetched.bytes.len().to_string()),
            ("OS", sanitize::short_line(&platform.os)),
            ("Arch", sanitize::short_line(&platform.architecture)),
            ("# Layers", layers.len().to_string()),
        ] {
            let _ = writeln!(text, "{label:>12}: {value}");
        }
        for (index, layer) in layers.iter().enumerate() {
            let _ = writeln!(text, "      layer {:02}: digest = {}", index + 1, layer.digest);
        }
        Ok(text)
    }

    /// The JSON: the manifest with name and digest added. In a list, manifests replace the descriptors of images. If
    /// `expand_config`, an image's configuration replaces its descriptor.
    pub(crate) fn json(&self, expand_config: bool) -> Result<Vec<u8>, CommandError> {
        let document = self.json_document(expand_config).map_err(|error| self.served_error(error))?;
        let compact = json::encode(&document).map_err(|error| self.served_error(error.into()))?;
        let text = json::indent(&compact, INDENTATION);
        Ok(format!("{}\n", sanitize::json(&String::from_utf8_lossy(&text))).into_bytes())
    }

    fn json_document(&self, expand_config: bool) -> Result<Value, DocumentError> {
        let mut document = Map::new();
        document.insert("name".to_owned(), json!(self.name));
        document.insert("digest".to_owned(), json!(self.fetched.digest.to_string()));
        if let ListOrConfig::Image(_, platform) = &self.content {
            let members = [("os", &platform.os), ("architecture", &platform.architecture)];
            let members = members.into_iter().filter(|(_, value)| !value.is_empty());
            document.extend(members.map(|(name, value)| (name.to_owned(), json!(value))));
        }
        let Value::Object(members) = json::parse(&self.fetched.bytes)? else { return Ok(Value::Object(document)) };
        for (name, value) in members.into_iter().filter(|(name, _)| !ADDED_MEMBERS.contains(&name.as_str())) {
            let value = match &self.content {
                ListOrConfig::List(index, manifests) if name == "manifests" => children_json(index, manifests)?,
                ListOrConfig::Image(config, _) if name == "config" && expand_config => config.clone(),
                _ => value,
            };
            document.insert(name, value);
        }
        Ok(Value::Object(document))
    }
}

/// The manifests of a list's images, and the descriptors of everything else.
fn children_json(index: &Index, manifests: &BTreeMap<Digest, Vec<u8>>) -> Result<Value, DocumentError> {
    let child = |descriptor: &Descriptor| match manifests.get(&descriptor.digest) {
        Some(bytes) => {
            let mut manifest = json::parse(bytes)?;
            if let Value::Object(members) = &mut manifest {
                members.retain(|name, _| !ADDED_MEMBERS.contains(&name.as_str()));
            }
            Ok(manifest)
        }
        None => Ok(serde_json::to_value(descriptor)?),
    };
    index.manifests.iter().map(child).collect::<Result<Vec<Value>, DocumentError>>().map(Value::Array)
}

fn counted(number: usize, noun: &str) -> String {
    // manifest-tool uses the singular for zero.
    format!("{number} {noun}{}", if number > 1 { "s" } else { "" })
}

fn write_entry(
    text: &mut String,
    number: usize,
    descriptor: &Descriptor,
    bytes: Option<&[u8]>,
) -> Result<(), DocumentError> {
    let attested = attested_digest(descriptor);
    let media_type = sanitize::short_line(&descriptor.media_type);
    let kind = if attested.is_some() { " (vnd.docker.reference.type=attestation-manifest)" } else { "" };
    let _ = writeln!(text, "[{number}]     Type: {media_type}{kind}");
    let _ = writeln!(text, "[{number}]   Digest: {}", descriptor.digest);
    let _ = writeln!(text, "[{number}]   Length: {}", descriptor.size);
    let Some(bytes) = bytes else {
        let _ = writeln!(text, "Unknown media type for further display: {media_type}");
        return Ok(());
    };
    if let Some(digest) = attested {
        let _ = writeln!(text, "[{number}]       >>> Attestation for digest: {digest}\n");
        return Ok(());
    }
    write_platform(text, number, descriptor.platform.as_ref());
    let layers = manifest::layers(bytes)?;
    let _ = writeln!(text, "[{number}] # Layers: {}", layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let _ = writeln!(text, "     layer {:02}: digest = {}", index + 1, layer.digest);
        let _ = writeln!(text, "                 type = {}", sanitize::short_line(&layer.media_type));
    }
    text.push('\n');
    Ok(())
}

/// Prints a platform. An entry may have none.
fn write_platform(text: &mut String, number: usize, platform: Option<&Platform>) {
    let _ = writeln!(text, "[{number}] Platform:");
    let Some(platform) = platform else {
        let _ = writeln!(text, "[{number}]    -      (no platform specified)");
        return;
    };
    let features = format!("[{}]", platform.os_features.join(" "));
    for (label, value, is_printed) in [
        ("OS", &platform.os, true),
        ("OS Vers", &platform.os_version, !platform.os_version.is_empty()),
        ("OS Feat", &features, !platform.os_features.is_empty()),
        ("Arch", &platform.architecture, true),
        ("Variant", &platform.variant, !platform.variant.is_empty()),
    ] {
        if is_printed {
            let _ = writeln!(text, "[{number}]    - {label:>7}: {}", sanitize::short_line(value));
        }
    }
}
