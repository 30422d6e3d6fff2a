//! Fetches manifests from registries and layouts, and the configurations that are needed to describe them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::content::registry::{Blob, FetchedManifest};
use crate::content::{ContentError, LayoutError};
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::missing_child::{MissingChild, ParentList};
use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::index::Index;
use crate::model::manifest::{self, ImageFormat, ManifestKind};
use crate::model::{DocumentError, json, media_type};
use crate::net;
use crate::platform::Platform;
use crate::sync::lock;

/// The largest configuration that is read, in bytes. Docker's engine has the same limit for manifests; real
/// configurations have a few kilobytes.
pub(crate) const CONFIG_BYTES_MAX: u64 = 4 << 20;

impl FetchedManifest {
    /// The manifest as an index. `name` is its name in an error.
    ///
    /// # Errors
    /// A manifest that is no index.
    pub(crate) fn decode_index(&self, name: &dyn fmt::Display) -> Result<Index, CommandError> {
        Index::decode(&self.bytes).map_err(CommandError::invalid_document(name))
    }
}

/// What is under a name.
pub(crate) enum ImageOrList {
    /// One image.
    Image(ImageFormat, FetchedManifest),
    /// A list or an index.
    List(FetchedManifest),
}

/// Fetches a manifest; in a registry with one request.
pub(crate) fn manifest(image: &ImageSource<'_>) -> Result<ImageOrList, CommandError> {
    let mut fetched = image.manifest().map_err(|error| fetch_error(image, error))?;
    let served_type = manifest::effective_media_type(&fetched.media_type, &fetched.bytes)
        .map_err(CommandError::invalid_document(&image))?;
    if let (Some(found), None) = (served_type, media_type::known(&fetched.media_type)) {
        found.clone_into(&mut fetched.media_type);
    }
    match served_type.and_then(ManifestKind::from_media_type) {
        Some(ManifestKind::Image(image_format)) => Ok(ImageOrList::Image(image_format, fetched)),
        Some(ManifestKind::List) => Ok(ImageOrList::List(fetched)),
        None => Err(CommandError::NotAManifest { reference: image.to_string(), media_type: fetched.media_type }),
    }
}

/// Fetches a manifest that the list `list` names.
///
/// # Errors
/// [`CommandError::MissingChild`] if the list is there and this manifest is not.
pub(crate) fn child(list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<ImageOrList, CommandError> {
    let missing = |source| {
        let missing = MissingChild::new(&list.location(), std::slice::from_ref(descriptor), ParentList::Published);
        MissingChild { source, ..missing }.into()
    };
    manifest(&list.at_digest(&descriptor.digest)).map_err(|error| match error {
        CommandError::NoSuchManifest { source, .. } => missing(Some(*source)),
        error if is_missing(&error) => missing(None),
        error => error,
    })
}

/// Whether the only failure is that the manifest is not in its registry or layout.
pub(crate) fn is_missing(error: &CommandError) -> bool {
    match error {
        CommandError::NoSuchManifest { .. } => true,
        CommandError::Layout(error) => {
            matches!(**error, LayoutError::NoSuchName { .. } | LayoutError::NoBlob { .. })
        }
        _ => false,
    }
}

/// The platforms in images' configurations, read as docker reads them, each configuration once.
#[derive(Default)]
pub(crate) struct ConfigPlatforms {
    by_config_digest: Mutex<BTreeMap<Digest, Arc<Mutex<Option<Platform>>>>>,
}

impl ConfigPlatforms {
    /// The platform of the image with this manifest.
    pub(crate) fn read(&self, image: &ImageSource<'_>, manifest: &[u8]) -> Result<Platform, CommandError> {
        let invalid_document = CommandError::invalid_document(&image);
        let config = manifest::config(manifest).map_err(invalid_document)?;
        let slot = Arc::clone(lock(&self.by_config_digest).entry(config.digest.clone()).or_default());
        // A second thread that needs the same configuration waits here for the first.
        let mut slot = lock(&slot);
        if let Some(platform) = &*slot {
            return Ok(platform.clone());
        }
        // The configuration of an artifact, for example a Helm chart, need not name a platform.
        let is_image = media_type::is_image_config(&config.media_type);
        if !is_image && config.size > CONFIG_BYTES_MAX {
            return Ok(Platform::default());
        }
        let config = Blob { digest: &config.digest, size: Some(config.size) };
        let bytes = image.with_source(|content| content.small_blob(&config, CONFIG_BYTES_MAX))?;
        let value = json::parse(&bytes).map_err(DocumentError::from);
        let platform = match value.and_then(|value| descriptor::decode_config_platform(&value)) {
            Err(_) if !is_image => Platform::default(),
            found => found.map_err(invalid_document)?,
        };
        *slot = Some(platform.clone());
        Ok(platform)
    }
}

/// Docker's line if the registry does not have it; our own message for any other failure.
fn fetch_error(image: &ImageSource<'_>, error: ContentError) -> CommandError {
    let (reference, error) = match (image, error) {
        (ImageSource::Registry { reference, .. }, ContentError::Registry(error)) => (reference, error),
        (_, error) => return error.into(),
    };
    match error.kind {
        net::RegistryErrorKind::NotFound => {
            CommandError::NoSuchManifest { reference: reference.to_string(), source: Box::new(error) }
        }
        net::RegistryErrorKind::Verification => match reference.digest() {
            Some(digest) => CommandError::DigestMismatch {
                reference: reference.to_string(),
                by_tag: reference.tag().is_some(),
                digest: digest.to_string(),
                source: Box::new(error),
            },
            None => error.into(),
        },
        _ => error.into(),
    }
}
