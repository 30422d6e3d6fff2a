//! Fetches manifests from registries, and the configurations that are needed to describe them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::content::registry::{FetchedManifest, Registry};
use crate::core::error::CommandError;
use crate::core::missing_child::{MissingChild, NamedBy};
use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::manifest::{self, ManifestKind, Schema};
use crate::model::{DocumentError, json, media_type};
use crate::net;
use crate::platform::Platform;
use crate::reference::{Reference, Repository};
use crate::sync::lock;

/// The largest configuration that is read, in bytes. Docker's engine has the same limit for manifests; real
/// configurations have a few kilobytes.
pub(crate) const CONFIG_CAP: u64 = 4 << 20;

/// What a registry has under a name.
pub(crate) enum FetchedContent {
    /// One image.
    Image(Schema, FetchedManifest),
    /// A list or an index.
    List(FetchedManifest),
}

/// Fetches what a registry has under `reference`, with one request.
pub(crate) fn manifest(registry: &Registry, reference: &Reference) -> Result<FetchedContent, CommandError> {
    let mut fetched = registry.manifest(reference).map_err(|error| not_served(reference, error))?;
    let served = |source| CommandError::Served { reference: reference.to_string(), source };
    let served_type = manifest::served_type(&fetched.media_type, &fetched.bytes).map_err(served)?;
    if let (Some(found), None) = (served_type, media_type::known(&fetched.media_type)) {
        found.clone_into(&mut fetched.media_type);
    }
    match served_type.and_then(ManifestKind::of) {
        Some(ManifestKind::Image(schema)) => Ok(FetchedContent::Image(schema, fetched)),
        Some(ManifestKind::List) => Ok(FetchedContent::List(fetched)),
        None => Err(CommandError::NotAManifest { reference: reference.to_string(), media_type: fetched.media_type }),
    }
}

/// Fetches a manifest that a list names.
pub(crate) fn child(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
) -> Result<FetchedContent, CommandError> {
    manifest(registry, &repository.at_digest(digest))
}

/// Fetches a manifest that the published list `list` names.
///
/// # Errors
/// [`CommandError::MissingChild`] if the registry has the list but not this manifest.
pub(crate) fn listed(registry: &Registry, list: &Reference, line: &Descriptor) -> Result<FetchedContent, CommandError> {
    child(registry, list.repository(), &line.digest).map_err(|error| match error {
        CommandError::NotServed { source, .. } => {
            let lines = std::slice::from_ref(line);
            let missing = MissingChild::new(list, list.repository(), lines, NamedBy::Published);
            MissingChild { source: Some(*source), ..missing }.into()
        }
        error => error,
    })
}

/// The platforms in images' configurations, read as docker reads them, each configuration once.
pub(crate) struct ConfigPlatforms<'a> {
    registry: &'a Registry,
    known: Mutex<BTreeMap<Digest, Arc<Mutex<Option<Platform>>>>>,
}

impl<'a> ConfigPlatforms<'a> {
    pub(crate) fn new(registry: &'a Registry) -> ConfigPlatforms<'a> {
        ConfigPlatforms { registry, known: Mutex::default() }
    }

    /// The platform of the image with this manifest.
    pub(crate) fn of(&self, reference: &Reference, manifest: &[u8]) -> Result<Platform, CommandError> {
        let served = |source| CommandError::Served { reference: reference.to_string(), source };
        let config = manifest::config(manifest).map_err(served)?;
        let slot = Arc::clone(lock(&self.known).entry(config.digest.clone()).or_default());
        // A second thread that needs the same configuration waits here for the first.
        let mut slot = lock(&slot);
        if let Some(platform) = &*slot {
            return Ok(platform.clone());
        }
        // The configuration of an artifact, for example a Helm chart, need not name a platform.
        let is_image = media_type::is_image_config(&config.media_type);
        if !is_image && config.size > CONFIG_CAP {
            return Ok(Platform::default());
        }
        let bytes = self.registry.blob(reference.repository(), &config.digest, Some(config.size), CONFIG_CAP)?;
        let value = json::parse(&bytes).map_err(DocumentError::from);
        let platform = match value.and_then(|value| descriptor::config_platform(&value)) {
            Err(_) if !is_image => Platform::default(),
            found => found.map_err(served)?,
        };
        *slot = Some(platform.clone());
        Ok(platform)
    }
}

/// Docker's line if the registry does not have it; our own message for any other failure.
fn not_served(reference: &Reference, error: net::RegistryError) -> CommandError {
    match error.kind {
        net::RegistryErrorKind::NotFound => {
            CommandError::NotServed { reference: reference.to_string(), source: Box::new(error) }
        }
        net::RegistryErrorKind::Verification => match reference.digest() {
            Some(digest) => CommandError::NotVerified {
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
