//! Getting manifests, and what is needed to describe them, from a registry.

use serde_json::Value;

use crate::commands::error::CommandError;
use crate::document::descriptor;
use crate::document::manifest::{self, Kind, Schema};
use crate::document::{DocumentError, Entry};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::{self, Fetched, Registry};

/// The largest configuration that is read, in bytes. Docker's engine has the same bound for manifests; real ones are
/// a few kilobytes.
const CONFIG_CAP: u64 = 4 << 20;

/// What a registry has under a name.
pub(super) enum Found {
    /// One image.
    Image(Schema, Fetched),
    /// A list or an index.
    List(Fetched),
}

/// Asks a registry for whatever it has under `reference`: one request.
pub(super) fn manifest(registry: &Registry, reference: &Reference) -> Result<Found, CommandError> {
    let fetched = registry.manifest(reference).map_err(|error| not_served(reference, error))?;
    match Kind::of(&fetched.media_type) {
        Some(Kind::Image(schema)) => Ok(Found::Image(schema, fetched)),
        Some(Kind::List) => Ok(Found::List(fetched)),
        None => Err(CommandError::NotAManifest { reference: reference.to_string(), media_type: fetched.media_type }),
    }
}

/// An entry for an image, its platform read from its configuration as docker reads it.
pub(super) fn entry(
    registry: &Registry,
    reference: &Reference,
    schema: Schema,
    fetched: Fetched,
) -> Result<Entry, CommandError> {
    let platform = platform(registry, reference, &fetched.bytes)?;
    Ok(Entry::fetched(reference.clone(), schema, fetched.bytes, Some(platform)))
}

fn platform(registry: &Registry, reference: &Reference, manifest: &[u8]) -> Result<Platform, CommandError> {
    let served = |source| CommandError::Served { reference: reference.to_string(), source };
    let config = manifest::config(manifest).map_err(served)?;
    let bytes = registry.blob(reference.repository(), &config.digest, Some(config.size), CONFIG_CAP)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| served(DocumentError::from(error)))?;
    descriptor::platform(&value).map_err(served)
}

/// Docker's line where the registry says that it has no such thing; the truth for all else.
fn not_served(reference: &Reference, error: registry::RegistryError) -> CommandError {
    match error.kind {
        registry::Kind::NotFound => {
            CommandError::NotServed { reference: reference.to_string(), source: Box::new(error) }
        }
        registry::Kind::Verification => match reference.digest() {
            Some(digest) => CommandError::NotVerified { digest: digest.to_string(), source: Box::new(error) },
            None => error.into(),
        },
        _ => error.into(),
    }
}
