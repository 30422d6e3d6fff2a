//! Whether a registry has a manifest or a blob (distribution-spec, "Checking if content exists in the registry").

use crate::auth::scope::Access;
use crate::content::registry::client::{MANIFEST_MAX, ManifestName, RegistryClient};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::digest::Digest;
use crate::model::media_type;
use crate::net::error::RegistryError;
use crate::reference::Repository;

impl RegistryClient {
    /// The sha256 digest under a tag, or the requested digest if the registry has it; `None` after a 404. One request
    /// (HEAD). A second one (GET) if the registry does not state the digest, states one of another algorithm for a tag,
    /// or does not support HEAD.
    ///
    /// # Errors
    /// Any failure of the request, an invalid digest, and a digest other than the requested one.
    pub fn manifest_digest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Digest>, RegistryError> {
        self.digest_of(repository, name, false)
    }

    /// As [`RegistryClient::manifest_digest`], for the check of a tag before a push; see
    /// [`RegistryClient::manifest_before_push`].
    ///
    /// # Errors
    /// Those of [`RegistryClient::manifest_digest`].
    pub fn digest_before_push(&self, repository: &Repository, tag: &str) -> Result<Option<Digest>, RegistryError> {
        self.digest_of(repository, &ManifestName::Tag(tag.to_owned()), true)
    }

    fn digest_of(
        &self,
        repository: &Repository,
        name: &ManifestName,
        is_check_before_push: bool,
    ) -> Result<Option<Digest>, RegistryError> {
        let accept = media_type::ACCEPTED.join(", ");
        let request = ApiRequest {
            headers: &[("Accept", &accept)],
            is_check_before_push,
            ..ApiRequest::manifest("HEAD", repository, name.as_str(), Access::Pull)
        };
        match self.session.send(&request) {
            Err(error) if error.status == Some(404) => return Ok(None),
            Err(error) if error.status != Some(405) => return Err(error),
            Err(_) => {}
            Ok(response) => match (name, response.stated_digest()?) {
                (ManifestName::Digest(digest), Some(_)) => {
                    let Some(found) = response.differing_digest(digest)? else { return Ok(Some(digest.clone())) };
                    return Err(response.verification_error(format!("it says that it has {found} under {digest}")));
                }
                // A digest of another algorithm could not be compared with that of the pushed manifest.
                (ManifestName::Tag(_), Some(digest)) if digest.is_sha256() => return Ok(Some(digest)),
                _ => {}
            },
        }
        let fetched =
            unless_missing(self.session.send(&ApiRequest { method: "GET", response_max: MANIFEST_MAX, ..request }));
        let Some(response) = fetched? else { return Ok(None) };
        response.checked_manifest_media_type()?;
        let found = || Digest::from_bytes(&response.http.body);
        match name {
            ManifestName::Digest(digest) if !digest.verifies(&response.http.body) => {
                Err(response.verification_error(format!("the bytes of {digest} have the digest {}", found())))
            }
            ManifestName::Digest(digest) => Ok(Some(digest.clone())),
            ManifestName::Tag(_) => Ok(Some(found())),
        }
    }

    /// Whether a repository has the manifest that a list names by this digest and media type. One request (HEAD), or a
    /// second one (GET) if the registry does not support HEAD. It is a part of the check before a push; see
    /// [`RegistryClient::manifest_before_push`].
    ///
    /// # Errors
    /// Any failure of the request, and a response about another manifest.
    pub fn has_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        media_type: &str,
    ) -> Result<bool, RegistryError> {
        Ok(self.manifest_media_type(repository, digest, media_type)?.is_some())
    }

    /// The media type of such a manifest in a repository, empty if the registry does not state it; `None` if the
    /// repository does not have the manifest. Sends the same requests as [`RegistryClient::has_manifest`].
    ///
    /// # Errors
    /// Any failure of the request, and a response about another manifest.
    pub fn manifest_media_type(
        &self,
        repository: &Repository,
        digest: &Digest,
        media_type: &str,
    ) -> Result<Option<String>, RegistryError> {
        let is_extra = !media_type::ACCEPTED.contains(&media_type) && is_header_word(media_type);
        let accept: Vec<&str> = media_type::ACCEPTED.into_iter().chain(is_extra.then_some(media_type)).collect();
        let accept = accept.join(", ");
        let request = ApiRequest {
            headers: &[("Accept", &accept)],
            is_check_before_push: true,
            ..ApiRequest::manifest("HEAD", repository, digest.as_str(), Access::Pull)
        };
        let mut outcome = self.session.send(&request);
        let is_fetched = outcome.as_ref().is_err_and(|error| error.status == Some(405));
        if is_fetched {
            outcome = self.session.send(&ApiRequest { method: "GET", response_max: MANIFEST_MAX, ..request });
        }
        let Some(response) = unless_missing(outcome)? else { return Ok(None) };
        if response.is_web_page() {
            return Err(response.protocol_error("a web page where a manifest should be".to_owned()));
        }
        match response.differing_digest(digest)? {
            Some(other) => {
                Err(response.verification_error(format!("it says that the manifest {digest} has the digest {other}")))
            }
            None if is_fetched && !digest.verifies(&response.http.body) => {
                let found = Digest::from_bytes(&response.http.body);
                Err(response.verification_error(format!("the bytes of {digest} have the digest {found}")))
            }
            None => Ok(Some(response.http.header("Content-Type").unwrap_or_default().into_owned())),
        }
    }

    /// Whether a repository has a blob. One request (HEAD).
    ///
    /// # Errors
    /// Any failure of the request.
    pub fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, RegistryError> {
        self.has_blob_for(repository, digest, Access::Pull)
    }

    /// As [`RegistryClient::has_blob`], with a token for this access.
    pub(crate) fn has_blob_for(
        &self,
        repository: &Repository,
        digest: &Digest,
        access: Access,
    ) -> Result<bool, RegistryError> {
        let request =
            ApiRequest { headers: &[("Accept", "*/*")], ..ApiRequest::blob("HEAD", repository, digest, access) };
        Ok(unless_missing(self.session.send(&request))?.is_some())
    }
}

/// `None` after a 404.
fn unless_missing(outcome: Result<ApiResponse, RegistryError>) -> Result<Option<ApiResponse>, RegistryError> {
    match outcome {
        Err(error) if error.status == Some(404) => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Whether a header can carry the text as one word.
fn is_header_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}
