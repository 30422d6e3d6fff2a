//! Operations without content: existence checks, lists of tags, and deletions.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::auth::authenticator::{Access, Scope};
use crate::content::registry::client::{MANIFEST_MAX, ManifestName, Registry};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::response::{announced_digest, is_html, manifest_type, other_digest, response_error};
use crate::digest::Digest;
use crate::model::{json, media_type};
use crate::net::error::{AddressSource, RegistryError, RegistryErrorKind};
use crate::net::url::Url;
use crate::reference::Repository;

/// The maximum size of one page of a list of tags, in bytes.
const TAGS_MAX: u64 = 16 * 1024 * 1024;
/// The maximum number of tags in a list.
const COUNT_MAX: usize = 1_000_000;
/// The maximum number of pages of a list of tags.
const PAGES_MAX: usize = 10_000;

impl Registry {
    /// The sha256 digest under a tag, or the requested digest if the registry has it; `None` after a 404. One request
    /// (HEAD). A second one (GET) if the registry does not state the digest, states one of another algorithm for a tag,
    /// or does not support HEAD.
    ///
    /// # Errors
    /// Any failure of the request, an invalid digest, and a digest other than the requested one.
    pub fn has_manifest(&self, repository: &Repository, name: &ManifestName) -> Result<Option<Digest>, RegistryError> {
        self.digest_of(repository, name, false)
    }

    /// As [`Registry::has_manifest`], for the check of a tag before a push; see [`Registry::manifest_before_push`].
    ///
    /// # Errors
    /// Those of [`Registry::has_manifest`].
    pub fn digest_before_push(&self, repository: &Repository, tag: &str) -> Result<Option<Digest>, RegistryError> {
        self.digest_of(repository, &ManifestName::Tag(tag.to_owned()), true)
    }

    fn digest_of(
        &self,
        repository: &Repository,
        name: &ManifestName,
        is_tag_check: bool,
    ) -> Result<Option<Digest>, RegistryError> {
        let (text, reference) = (name_of(name), format!("/v2/{}/manifests/{}", repository.path(), name_of(name)));
        let accept = media_type::ACCEPTED.join(", ");
        let headers = [("Accept", accept.as_str())];
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let request = ApiRequest {
            headers: &headers,
            is_tag_check,
            reference: Some(text),
            is_repeatable: true,
            ..ApiRequest::new("HEAD", repository, &reference, &scopes)
        };
        match self.session.send(&request) {
            Err(error) if error.status == Some(404) => return Ok(None),
            Err(error) if error.status != Some(405) => return Err(error),
            Err(_) => {}
            Ok(response) => {
                let protocol_error = response_error(repository, &response, RegistryErrorKind::Protocol);
                match (name, announced_digest(&response.http).map_err(protocol_error)?) {
                    (ManifestName::Digest(digest), announced @ Some(_)) => {
                        let Some(found) = other_digest(announced, digest) else { return Ok(Some(digest.clone())) };
                        let wrong = response_error(repository, &response, RegistryErrorKind::Verification);
                        return Err(wrong(format!("it says that it has {found} under {digest}")));
                    }
                    // A digest of another algorithm could not be compared with that of the pushed manifest.
                    (ManifestName::Tag(_), Some(digest)) if digest.is_canonical() => return Ok(Some(digest)),
                    _ => {}
                }
            }
        }
        let response = match self.session.send(&ApiRequest { method: "GET", cap: MANIFEST_MAX, ..request }) {
            Err(error) if error.status == Some(404) => return Ok(None),
            outcome => outcome?,
        };
        manifest_type(&response.http).map_err(response_error(repository, &response, RegistryErrorKind::Protocol))?;
        match name {
            ManifestName::Digest(digest) if !digest.verifies(&response.http.body) => {
                let wrong = response_error(repository, &response, RegistryErrorKind::Verification);
                Err(wrong(format!("the bytes of {text} have the digest {}", Digest::of(&response.http.body))))
            }
            ManifestName::Digest(digest) => Ok(Some(digest.clone())),
            ManifestName::Tag(_) => Ok(Some(Digest::of(&response.http.body))),
        }
    }

    /// Whether a repository has the manifest that a list names by this digest and media type. One request (HEAD), or a
    /// second one (GET) if the registry does not support HEAD. It is a part of the check before a push; see
    /// [`Registry::manifest_before_push`].
    ///
    /// # Errors
    /// Any failure of the request, and a response about another manifest.
    pub fn has_child(&self, repository: &Repository, digest: &Digest, media_type: &str) -> Result<bool, RegistryError> {
        Ok(self.child_type(repository, digest, media_type)?.is_some())
    }

    /// The media type of such a manifest in a repository, empty if the registry does not state it; `None` if the
    /// repository does not have the manifest. Sends the same requests as [`Registry::has_child`].
    ///
    /// # Errors
    /// Any failure of the request, and a response about another manifest.
    pub fn child_type(
        &self,
        repository: &Repository,
        digest: &Digest,
        media_type: &str,
    ) -> Result<Option<String>, RegistryError> {
        let target = format!("/v2/{}/manifests/{digest}", repository.path());
        let is_extra = !media_type::ACCEPTED.contains(&media_type) && is_header_word(media_type);
        let accept: Vec<&str> = media_type::ACCEPTED.into_iter().chain(is_extra.then_some(media_type)).collect();
        let accept = accept.join(", ");
        let headers = [("Accept", accept.as_str())];
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let request = ApiRequest {
            headers: &headers,
            is_tag_check: true,
            reference: Some(digest.as_str()),
            is_repeatable: true,
            ..ApiRequest::new("HEAD", repository, &target, &scopes)
        };
        let mut outcome = self.session.send(&request);
        let is_fetched = outcome.as_ref().is_err_and(|error| error.status == Some(405));
        if is_fetched {
            outcome = self.session.send(&ApiRequest { method: "GET", cap: MANIFEST_MAX, ..request });
        }
        let response = match outcome {
            Err(error) if error.status == Some(404) => return Ok(None),
            outcome => outcome?,
        };
        if is_html(&response.http) {
            return Err(response_error(repository, &response, RegistryErrorKind::Protocol)(
                "a web page where a manifest should be".to_owned(),
            ));
        }
        let announced = announced_digest(&response.http).map_err(response_error(
            repository,
            &response,
            RegistryErrorKind::Protocol,
        ))?;
        // Digests of different algorithms cannot be compared.
        let is_other = |announced: &Digest| announced.algorithm() == digest.algorithm() && announced != digest;
        let wrong = response_error(repository, &response, RegistryErrorKind::Verification);
        match announced.filter(is_other) {
            Some(other) => Err(wrong(format!("it says that the manifest {digest} has the digest {other}"))),
            None if is_fetched && !digest.verifies(&response.http.body) => {
                Err(wrong(format!("the bytes of {digest} have the digest {}", Digest::of(&response.http.body))))
            }
            None => {
                Ok(Some(response.http.header("Content-Type").map_or_else(String::new, std::borrow::Cow::into_owned)))
            }
        }
    }

    /// Whether a repository has a blob. One request (HEAD).
    ///
    /// # Errors
    /// Any failure of the request.
    pub fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, RegistryError> {
        self.has_blob_for(repository, digest, Access::Pull)
    }

    /// As [`Registry::has_blob`], with a token for this access.
    pub(crate) fn has_blob_for(
        &self,
        repository: &Repository,
        digest: &Digest,
        access: Access,
    ) -> Result<bool, RegistryError> {
        let target = format!("/v2/{}/blobs/{digest}", repository.path());
        let scopes = [Scope::repository(repository.path(), access)];
        let request = ApiRequest {
            headers: &[("Accept", "*/*")],
            blob: Some(digest),
            is_repeatable: true,
            ..ApiRequest::new("HEAD", repository, &target, &scopes)
        };
        match self.session.send(&request) {
            Ok(_) => Ok(true),
            Err(error) if error.status == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The tags of a repository, in the registry's order. One request per page.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`] for an unknown repository; a list that is invalid, too long or endless.
    pub fn tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        let target = format!("/v2/{}/tags/list", repository.path());
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let accept = [("Accept", "application/json")];
        let request = ApiRequest {
            headers: &accept,
            cap: TAGS_MAX,
            is_repeatable: true,
            ..ApiRequest::new("GET", repository, &target, &scopes)
        };
        let mut response = self.session.send(&request)?;
        let (mut tags, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let protocol_error = response_error(repository, &response, RegistryErrorKind::Protocol);
            let page = TagPage::read(&response.http.body)
                .map_err(|error| response.http.quote(&error.to_string()))
                .map_err(|why| protocol_error(format!("a list of tags that cannot be read: {why}")))?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > COUNT_MAX {
                return Err(protocol_error(format!("a list of more than {COUNT_MAX} tags")));
            }
            let Some(next) = self.next_page(&response).map_err(&protocol_error)? else { return Ok(tags) };
            if seen.len() >= PAGES_MAX || !seen.insert(next.reveal()) {
                return Err(protocol_error(format!("a list of tags without an end, after {} pages", seen.len())));
            }
            response = self.session.send_at(&request, &next, AddressSource::NextPage)?;
        }
    }

    /// Deletes a manifest; by its tag only if the registry supports that. One request.
    ///
    /// # Errors
    /// A registry that does not delete, or does not have the manifest, and any failure of the request.
    pub fn delete_manifest(&self, repository: &Repository, name: &ManifestName) -> Result<(), RegistryError> {
        let target = format!("/v2/{}/manifests/{}", repository.path(), name_of(name));
        let scopes = [Scope::repository(repository.path(), Access::PullPush)];
        let request = ApiRequest {
            reference: Some(name_of(name)),
            is_repeatable: true,
            ..ApiRequest::new("DELETE", repository, &target, &scopes)
        };
        let response = match self.session.send(&request) {
            // The response to the first attempt was lost.
            Err(error) if error.status == Some(404) && error.tries > 1 => return Ok(()),
            outcome => outcome?,
        };
        if matches!(response.http.status, 200 | 202 | 204) {
            return Ok(());
        }
        let protocol_error = response_error(repository, &response, RegistryErrorKind::Protocol);
        Err(protocol_error(format!("status {} for a manifest to be deleted", response.http.status)))
    }

    /// Deletes a blob. Most registries leave that to their garbage collection. One request.
    ///
    /// # Errors
    /// A registry that does not delete, or does not have the blob, and any failure of the request.
    pub fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let target = format!("/v2/{}/blobs/{digest}", repository.path());
        let scopes = [Scope::repository(repository.path(), Access::PullPush)];
        let request = ApiRequest {
            blob: Some(digest),
            is_repeatable: true,
            ..ApiRequest::new("DELETE", repository, &target, &scopes)
        };
        let response = self.session.send(&request)?;
        if matches!(response.http.status, 200 | 202 | 204) {
            return Ok(());
        }
        let protocol_error = response_error(repository, &response, RegistryErrorKind::Protocol);
        Err(protocol_error(format!("status {} for a blob to be deleted", response.http.status)))
    }

    pub(super) fn next_page(&self, response: &ApiResponse) -> Result<Option<Url>, String> {
        let links: Vec<_> = response.http.fields("Link").collect();
        let Some(next) = links.iter().flat_map(|link| next_links(link)).next() else { return Ok(None) };
        let place = self.session.resolve_location(response, next);
        place.map(Some).map_err(|why| format!("a Link to its next page that is unusable: {why}"))
    }
}

/// The body of a list of tags. A repository without tags has `null`.
#[derive(Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}

impl TagPage {
    fn read(body: &[u8]) -> Result<TagPage, serde_json::Error> {
        json::check_size(body)?;
        serde_json::from_slice(body)
    }
}

/// Whether a header can carry the text as one word.
fn is_header_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

fn name_of(name: &ManifestName) -> &str {
    match name {
        ManifestName::Tag(tag) => tag,
        ManifestName::Digest(digest) => digest.as_str(),
    }
}

/// The targets of a `Link` header (RFC 8288) with the relation `next`.
pub(crate) fn next_links(value: &str) -> impl Iterator<Item = &str> {
    // A target may contain commas, so the angle brackets separate the parts.
    value.split('<').skip(1).filter_map(|part| {
        let (target, parameters) = part.split_once('>')?;
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let mut relations = value.trim().trim_matches('"').split_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        is_next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        for (value, expected) in [
            ("</v2/a/tags/list?last=x&n=2>; rel=\"next\"", Some("/v2/a/tags/list?last=x&n=2")),
            ("<https://h/a,b>;rel=next", Some("https://h/a,b")),
            ("</first>; rel=\"first\", </b>; title=\"x\"; REL=\"Next last\"", Some("/b")),
            ("</first>; rel=\"first\"", None),
            ("</a>", None),
            ("nonsense", None),
            ("</a; rel=\"next\"", None),
        ] {
            assert_eq!(next_links(value).next(), expected, "{value}");
        }
    }
}
