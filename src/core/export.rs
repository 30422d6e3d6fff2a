//! A draft or a published list as a spec from which `apply` builds the same list.
//!
//! Each image is named by its digest, so that the spec does not change its meaning when tags move.

use crate::core::Warnings;
use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ImageSource};
use crate::core::push::tags;
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::draft::ListItem;
use crate::model::entry::is_attestation;
use crate::model::index::{Index, ListFormat};
use crate::model::manifest::ManifestKind;
use crate::model::spec::{self, Dialect, EmptyFields, Spec, SpecEntry};
use crate::model::{Draft, media_type};
use crate::platform::{self, Platform};
use crate::reference::Reference;
use crate::sanitize;

/// The operating system whose images carry a version.
const WINDOWS: &str = "windows";

/// The placeholder for the name of a list in a layout.
pub(crate) const LAYOUT_LIST_NAME: &str = "layout.invalid/image:latest";

/// A spec, and warnings about what it cannot express.
pub(crate) struct ExportedSpec {
    pub(crate) spec: Spec,
    pub(crate) warnings: Warnings,
}

/// The name that `apply` publishes the list under. A digest is left out, because a rebuilt list would need the same
/// bytes.
fn spec_target(list: &Reference) -> Reference {
    let tagged = list.tag().and_then(|tag| tags::with_tag(list, tag));
    tagged.unwrap_or_else(|| list.clone())
}

/// The reason why `apply` could not read the spec back unchanged, if there is one: lists may contain values that no
/// spec may.
pub(crate) fn round_trip_warning(text: &str, spec: &Spec) -> Option<String> {
    match spec::parse(text, "the exported file", Dialect::Native, &|_| None) {
        Ok(read) if read.specs == std::slice::from_ref(spec) => None,
        Ok(_) => Some("apply writes a platform of this list differently".to_owned()),
        Err(error) => Some(format!("apply will refuse this: {error}")),
    }
}

/// The spec of a draft.
///
/// # Errors
/// A draft without images.
pub(crate) fn spec_of_draft(draft: &Draft) -> Result<ExportedSpec, CommandError> {
    if draft.is_empty() {
        return Err(CommandError::EmptyDraft(draft.reference.to_string()));
    }
    let is_source = |reference: &&Reference| draft.source.as_ref().map(|index| &index.digest) == reference.digest();
    let source = draft.entries_in_key_order().filter_map(|entry| entry.source.as_ref()).find(is_source).cloned();
    let mut losses = LossWarnings { has_source: source.is_some(), warnings: Vec::new() };
    losses.warn_about_subject(draft.subject.as_ref());
    let manifests = draft.list_items().into_iter().filter_map(|item| {
        let ListItem::Entry(key, entry) = item else {
            if let ListItem::Opaque(opaque) = item {
                losses.warn_and_check_nameable(&opaque.descriptor);
            }
            return None;
        };
        let image = entry.reference.repository().at_digest(&entry.descriptor.digest);
        losses.warn_and_check_nameable(&entry.descriptor);
        // A platform that came from the image's configuration is left out: `apply` reads it there again.
        let mut described = entry.descriptor.clone();
        if losses.has_source && draft.config_platforms.get(key) == described.platform.as_ref() {
            described.platform = None;
        }
        Some(spec_entry(image.into(), &described, entry.source.is_some()))
    });
    let spec = Spec {
        targets: vec![spec_target(&draft.reference).into()],
        source_location: source.and_then(|source| Some(source.repository().at_digest(source.digest()?).into())),
        annotations: draft.annotations.clone(),
        artifact_type: Some(draft.artifact_type.clone()).filter(|artifact_type| !artifact_type.is_empty()),
        manifests: manifests.collect(),
        ..Spec::default()
    };
    Ok(ExportedSpec { spec, warnings: losses.warnings })
}

/// The spec of a list in a registry or a layout.
///
/// # Errors
/// An image that is not a list; a list without images; errors of the registry or the layout.
pub(crate) fn spec_of_published(
    content_access: ContentAccess<'_>,
    location: &Location,
) -> Result<ExportedSpec, CommandError> {
    let list = &ImageSource::open(content_access, location)?;
    list.expect_pull();
    let fetched = match fetch::manifest(list)? {
        ImageOrList::List(fetched) => fetched,
        ImageOrList::Image(..) => return Err(CommandError::NotAList(list.to_string())),
    };
    let name = match location.reference() {
        Some(list) => spec_target(list),
        None => Reference::parse(LAYOUT_LIST_NAME)?,
    };
    let index = fetched.decode_index(&list)?;
    let is_docker = media_type::essence(&fetched.media_type) == media_type::DOCKER_LIST;
    let mut losses = LossWarnings { has_source: true, warnings: Vec::new() };
    losses.warn_about_subject(index.subject.as_ref());
    let has_attestations = index.manifests.iter().any(is_attestation);
    let source_location = needs_source(&index, &fetched.bytes, is_docker);
    let source_location = source_location.then(|| location.at_digest(&fetched.digest));
    let mut manifests = Vec::new();
    for described in &index.manifests {
        if losses.warn_and_check_nameable(described) {
            manifests.push(spec_entry(location.at_digest(&described.digest), described, true));
        }
    }
    if manifests.is_empty() {
        return Err(CommandError::EmptyList(list.to_string()));
    }
    let spec = Spec {
        targets: vec![name.into()],
        source_location,
        attestations: (is_docker && has_attestations).then_some(spec::AttestationsPolicy::Keep),
        annotations: index.annotations,
        artifact_type: Some(index.artifact_type).filter(|artifact_type| !artifact_type.is_empty()),
        list_format: Some(if is_docker { ListFormat::Docker } else { ListFormat::Oci }),
        manifests,
        ..Spec::default()
    };
    Ok(ExportedSpec { spec, warnings: losses.warnings })
}

/// Whether the spec needs a `source` to build the same list: its document is formatted differently, or it contains what
/// a spec cannot express.
fn needs_source(index: &Index, bytes: &[u8], is_docker: bool) -> bool {
    let is_unusual = |descriptor: &Descriptor| {
        let is_image = matches!(ManifestKind::from_media_type(&descriptor.media_type), Some(ManifestKind::Image(_)));
        !is_image || !descriptor.urls.is_empty() || !descriptor.data.is_empty() || !descriptor.has_non_empty_platform()
    };
    let is_beyond = is_docker && index.oci_only_content().is_some();
    let is_reproducible = index.encode().is_ok_and(|encoded| encoded == bytes);
    !is_reproducible || is_beyond || index.subject.is_some() || index.manifests.iter().any(is_unusual)
}

/// The spec entry of a descriptor. `is_listed`: the descriptor comes from a list, and the image's own platform may have
/// more fields.
fn spec_entry(image: Location, descriptor: &Descriptor, is_listed: bool) -> SpecEntry {
    let platform = descriptor.non_empty_platform().cloned();
    let force = platform.as_ref().is_some_and(spec::needs_force);
    let explicitly_empty = match &platform {
        Some(platform) if is_listed && !force => empty_fields(platform),
        _ => EmptyFields::default(),
    };
    SpecEntry {
        image,
        platform,
        explicitly_empty,
        force,
        annotations: descriptor.annotations.clone(),
        artifact_type: Some(descriptor.artifact_type.clone()).filter(|artifact_type| !artifact_type.is_empty()),
    }
}

/// The fields that the list leaves empty although an image of this platform may have them.
fn empty_fields(platform: &Platform) -> EmptyFields {
    let has_variants = !platform::known_variants(Some(&platform.architecture)).is_empty();
    let is_windows = platform.os == WINDOWS;
    EmptyFields {
        variant: has_variants && platform.variant.is_empty(),
        os_version: is_windows && platform.os_version.is_empty(),
        os_features: is_windows && platform.os_features.is_empty(),
    }
}

/// Collects warnings about what a spec cannot express.
struct LossWarnings {
    /// Whether the spec has a `source`: the index then supplies what a spec cannot express.
    has_source: bool,
    warnings: Vec<String>,
}

impl LossWarnings {
    fn warn_about_subject(&mut self, subject: Option<&Descriptor>) {
        if let Some(subject) = subject.filter(|_| !self.has_source) {
            self.warnings.push(format!("a spec cannot contain the list's subject, {}", subject.digest));
        }
    }

    /// Adds warnings about a descriptor. Returns whether a spec can name it at all.
    fn warn_and_check_nameable(&mut self, descriptor: &Descriptor) -> bool {
        let digest: &Digest = &descriptor.digest;
        match ManifestKind::from_media_type(&descriptor.media_type) {
            Some(ManifestKind::List) if self.has_source => {}
            Some(ManifestKind::List) => {
                self.warnings.push(format!("{digest} is an index: apply replaces it with its images"))
            }
            Some(ManifestKind::Image(_)) => {}
            None if descriptor.media_type.is_empty() => {}
            None if self.has_source => return false,
            None => {
                self.warnings.push(format!(
                    "{digest} is left out: apply does not support {}",
                    sanitize::short_line(&descriptor.media_type)
                ));
                return false;
            }
        }
        if self.has_source {
            return true;
        }
        if !descriptor.urls.is_empty() {
            self.warnings.push(format!("a spec cannot contain the URLs of {digest}"));
        }
        if !descriptor.data.is_empty() {
            self.warnings.push(format!("a spec cannot contain the embedded data of {digest}"));
        }
        if !descriptor.has_non_empty_platform() {
            self.warnings.push(format!("the list states no platform for {digest}: apply reads it from the image"));
        }
        true
    }
}
