//! The referrers of a manifest, as a registry lists them: OCI distribution-spec, "Listing Referrers".

use crate::auth::scope::Access;
use crate::content::registry::client::{FetchedManifest, MANIFEST_MAX, RegistryClient};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::media_type;
use crate::net::error::RegistryError;
use crate::reference::Repository;

/// How many pages a list of referrers has at most.
const PAGES_MAX: usize = 1_000;

impl RegistryClient {
    /// The index of what refers to a manifest, its first page where there are several; `None` where the registry has no
    /// referrers API (404, or a web page as from a site that has one for every path). One request.
    ///
    /// # Errors
    /// A failed request, and a response that is no manifest.
    pub fn referrers_index(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<FetchedManifest>, RegistryError> {
        let Some(response) = self.first_page(&request(repository, digest), &[404])? else { return Ok(None) };
        let media_type = response.checked_manifest_media_type()?;
        let bytes = response.http.body;
        Ok(Some(FetchedManifest { media_type, digest: Digest::from_bytes(&bytes), bytes }))
    }

    /// The descriptors of what refers to a manifest, from all pages; `None` where the registry has no referrers API: it
    /// responds with 404, with another status that says that it does not know the path, or with a web page. One request
    /// a page.
    ///
    /// # Errors
    /// A failed request, a response that is no index, more than `max` descriptors, and pages without an end.
    pub(crate) fn referrer_descriptors(
        &self,
        repository: &Repository,
        digest: &Digest,
        max: usize,
    ) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let request = request(repository, digest);
        let first = self.first_page(&request, &[400, 404, 405, 406, 410, 415, 501])?;
        let Some(first) = first else { return Ok(None) };
        let mut found = Vec::new();
        self.read_pages(&request, first, "a list of referrers", PAGES_MAX, |response| {
            let index = Index::decode(&response.http.body);
            let unreadable =
                |error| response.protocol_error(format!("a list of referrers that cannot be read: {error}"));
            found.extend(index.map_err(unreadable)?.manifests);
            if found.len() > max {
                return Err(response.protocol_error(format!("{digest} has more than {max} referrers")));
            }
            Ok(())
        })?;
        Ok(Some(found))
    }

    /// `None` where the response is a web page or has one of these statuses.
    fn first_page(&self, request: &ApiRequest<'_>, unsupported: &[u16]) -> Result<Option<ApiResponse>, RegistryError> {
        match self.session.send(request) {
            Err(error) if error.status.is_some_and(|status| unsupported.contains(&status)) => Ok(None),
            Ok(response) if response.is_web_page() => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}

fn request<'a>(repository: &'a Repository, digest: &'a Digest) -> ApiRequest<'a> {
    ApiRequest {
        headers: &[("Accept", media_type::OCI_INDEX)],
        response_max: MANIFEST_MAX,
        manifest_name: Some(digest.as_str()),
        ..ApiRequest::new("GET", repository, format_args!("referrers/{digest}"), Access::Pull)
    }
}
