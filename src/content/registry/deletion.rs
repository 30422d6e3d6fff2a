//! Deletes manifests and blobs (distribution-spec, "Content Management").

use crate::auth::scope::Access;
use crate::content::registry::client::{ManifestName, RegistryClient};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::digest::Digest;
use crate::net::error::RegistryError;
use crate::reference::Repository;

impl RegistryClient {
    /// Deletes a manifest; by its tag only if the registry supports that. One request.
    ///
    /// # Errors
    /// A registry that does not delete, or does not have the manifest, and any failure of the request.
    pub fn delete_manifest(&self, repository: &Repository, name: &ManifestName) -> Result<(), RegistryError> {
        match self.session.send(&ApiRequest::manifest("DELETE", repository, name.as_str(), Access::PullPush)) {
            // The response to the first attempt was lost.
            Err(error) if error.status == Some(404) && error.attempts > 1 => Ok(()),
            outcome => check_deleted(&outcome?, "a manifest"),
        }
    }

    /// Deletes a blob. Most registries leave that to their garbage collection. One request.
    ///
    /// # Errors
    /// A registry that does not delete, or does not have the blob, and any failure of the request.
    pub fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let request = ApiRequest::blob("DELETE", repository, digest, Access::PullPush);
        check_deleted(&self.session.send(&request)?, "a blob")
    }
}

fn check_deleted(response: &ApiResponse, content: &str) -> Result<(), RegistryError> {
    match response.http.status {
        200 | 202 | 204 => Ok(()),
        status => Err(response.protocol_error(format!("status {status} for {content} to be deleted"))),
    }
}
