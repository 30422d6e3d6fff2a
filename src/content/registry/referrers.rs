//! The referrers of a manifest, as a registry lists them: OCI distribution-spec, "Listing Referrers".

use std::collections::BTreeSet;

use crate::auth::authenticator::{Access, Scope};
use crate::content::registry::client::{FetchedManifest, MANIFEST_MAX, Registry};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::response::{is_html, manifest_type, response_error};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::media_type;
use crate::net::error::{AddressSource, RegistryError, RegistryErrorKind};
use crate::reference::Repository;

/// How many pages a list of referrers has at most.
const PAGES_MAX: usize = 1_000;

impl Registry {
    /// The index of what refers to a manifest, its first page where there are several; `None` where the registry has no
    /// referrers API (404, or a web page as from a site that has one for every path). One request.
    ///
    /// # Errors
    /// A failed request, and a response that is no manifest.
    pub fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<FetchedManifest>, RegistryError> {
        let target = format!("/v2/{}/referrers/{digest}", repository.path());
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let response = match self.session.send(&request(repository, digest, &target, &scopes)) {
            Err(error) if error.status == Some(404) => return Ok(None),
            Ok(response) if is_html(&response.http) => return Ok(None),
            outcome => outcome?,
        };
        page(repository, response).map(Some)
    }

    /// The descriptors of what refers to a manifest, from all pages; `None` where the registry has no referrers API: it
    /// responds with 404, with another status that says that it does not know the path, or with a web page. One request
    /// a page.
    ///
    /// # Errors
    /// A failed request, a response that is no index, more than `most` descriptors, and pages without an end.
    pub(crate) fn referrer_descriptors(
        &self,
        repository: &Repository,
        digest: &Digest,
        most: usize,
    ) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let target = format!("/v2/{}/referrers/{digest}", repository.path());
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let request = request(repository, digest, &target, &scopes);
        let mut response = match self.session.send(&request) {
            Err(error) if matches!(error.status, Some(400 | 404 | 405 | 406 | 410 | 415 | 501)) => return Ok(None),
            Ok(response) if is_html(&response.http) => return Ok(None),
            outcome => outcome?,
        };
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let protocol_error = response_error(repository, &response, RegistryErrorKind::Protocol);
            let next = self.next_page(&response).map_err(&protocol_error)?;
            let index = Index::decode(&response.http.body)
                .map_err(|error| protocol_error(format!("a list of referrers that cannot be read: {error}")))?;
            found.extend(index.manifests);
            if found.len() > most {
                return Err(protocol_error(format!("{digest} has more than {most} referrers")));
            }
            let Some(next) = next else { return Ok(Some(found)) };
            if seen.len() >= PAGES_MAX || !seen.insert(next.reveal()) {
                return Err(protocol_error(format!("a list of referrers without an end, after {} pages", seen.len())));
            }
            response = self.session.send_at(&request, &next, AddressSource::NextPage)?;
        }
    }
}

fn request<'a>(repository: &'a Repository, digest: &'a Digest, target: &'a str, scopes: &'a [Scope]) -> ApiRequest<'a> {
    ApiRequest {
        headers: &[("Accept", media_type::OCI_INDEX)],
        cap: MANIFEST_MAX,
        reference: Some(digest.as_str()),
        is_repeatable: true,
        ..ApiRequest::new("GET", repository, target, scopes)
    }
}

fn page(repository: &Repository, response: ApiResponse) -> Result<FetchedManifest, RegistryError> {
    let media_type =
        manifest_type(&response.http).map_err(response_error(repository, &response, RegistryErrorKind::Protocol))?;
    let bytes = response.http.body;
    Ok(FetchedManifest { media_type, digest: Digest::of(&bytes), bytes })
}
