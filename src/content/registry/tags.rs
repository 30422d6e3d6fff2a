//! Operations without content: existence checks, lists of tags, and deletions.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::auth::scope::Access;
use crate::content::registry::client::{MANIFEST_MAX, ManifestName, Registry};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::digest::Digest;
use crate::model::{json, media_type};
use crate::net::error::{AddressSource, RegistryError};
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
        let accept = media_type::ACCEPTED.join(", ");
        let request = ApiRequest {
            headers: &[("Accept", &accept)],
            is_tag_check,
            ..ApiRequest::manifest("HEAD", repository, name.as_str(), Access::Pull)
        };
        match self.session.send(&request) {
            Err(error) if error.status == Some(404) => return Ok(None),
            Err(error) if error.status != Some(405) => return Err(error),
            Err(_) => {}
            Ok(response) => match (name, response.stated_digest()?) {
                (ManifestName::Digest(digest), Some(_)) => {
                    let Some(found) = response.other_digest(digest)? else { return Ok(Some(digest.clone())) };
                    return Err(response.mismatch(format!("it says that it has {found} under {digest}")));
                }
                // A digest of another algorithm could not be compared with that of the pushed manifest.
                (ManifestName::Tag(_), Some(digest)) if digest.is_canonical() => return Ok(Some(digest)),
                _ => {}
            },
        }
        let fetched = unless_missing(self.session.send(&ApiRequest { method: "GET", cap: MANIFEST_MAX, ..request }));
        let Some(response) = fetched? else { return Ok(None) };
        response.manifest_type()?;
        let found = || Digest::of(&response.http.body);
        match name {
            ManifestName::Digest(digest) if !digest.verifies(&response.http.body) => {
                Err(response.mismatch(format!("the bytes of {digest} have the digest {}", found())))
            }
            ManifestName::Digest(digest) => Ok(Some(digest.clone())),
            ManifestName::Tag(_) => Ok(Some(found())),
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
        let is_extra = !media_type::ACCEPTED.contains(&media_type) && is_header_word(media_type);
        let accept: Vec<&str> = media_type::ACCEPTED.into_iter().chain(is_extra.then_some(media_type)).collect();
        let accept = accept.join(", ");
        let request = ApiRequest {
            headers: &[("Accept", &accept)],
            is_tag_check: true,
            ..ApiRequest::manifest("HEAD", repository, digest.as_str(), Access::Pull)
        };
        let mut outcome = self.session.send(&request);
        let is_fetched = outcome.as_ref().is_err_and(|error| error.status == Some(405));
        if is_fetched {
            outcome = self.session.send(&ApiRequest { method: "GET", cap: MANIFEST_MAX, ..request });
        }
        let Some(response) = unless_missing(outcome)? else { return Ok(None) };
        if response.is_web_page() {
            return Err(response.protocol_error("a web page where a manifest should be".to_owned()));
        }
        match response.other_digest(digest)? {
            Some(other) => Err(response.mismatch(format!("it says that the manifest {digest} has the digest {other}"))),
            None if is_fetched && !digest.verifies(&response.http.body) => {
                let found = Digest::of(&response.http.body);
                Err(response.mismatch(format!("the bytes of {digest} have the digest {found}")))
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

    /// As [`Registry::has_blob`], with a token for this access.
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

    /// The tags of a repository, in the registry's order. One request per page.
    ///
    /// # Errors
    /// [`NotFound`](crate::net::error::RegistryErrorKind::NotFound) for an unknown repository; a list that is invalid,
    /// too long or endless.
    pub fn tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        let request = ApiRequest {
            headers: &[("Accept", "application/json")],
            cap: TAGS_MAX,
            ..ApiRequest::new("GET", repository, "tags/list", Access::Pull)
        };
        let mut response = self.session.send(&request)?;
        let (mut tags, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let body = &response.http.body;
            let page: TagPage = json::check_size(body)
                .and_then(|()| serde_json::from_slice(body))
                .map_err(|error| response.http.quote(&error.to_string()))
                .map_err(|why| response.protocol_error(format!("a list of tags that cannot be read: {why}")))?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > COUNT_MAX {
                return Err(response.protocol_error(format!("a list of more than {COUNT_MAX} tags")));
            }
            match self.next_page(&request, &response, "a list of tags", PAGES_MAX, &mut seen)? {
                Some(next) => response = next,
                None => return Ok(tags),
            }
        }
    }

    /// Deletes a manifest; by its tag only if the registry supports that. One request.
    ///
    /// # Errors
    /// A registry that does not delete, or does not have the manifest, and any failure of the request.
    pub fn delete_manifest(&self, repository: &Repository, name: &ManifestName) -> Result<(), RegistryError> {
        match self.session.send(&ApiRequest::manifest("DELETE", repository, name.as_str(), Access::PullPush)) {
            // The response to the first attempt was lost.
            Err(error) if error.status == Some(404) && error.tries > 1 => Ok(()),
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

    /// The page of a list after this one; `None` after the last page. `seen` are the URLs of the pages so far, of which
    /// there must not be more than `most`.
    pub(super) fn next_page(
        &self,
        request: &ApiRequest<'_>,
        response: &ApiResponse,
        list: &str,
        most: usize,
        seen: &mut BTreeSet<String>,
    ) -> Result<Option<ApiResponse>, RegistryError> {
        let links: Vec<_> = response.http.fields("Link").collect();
        let Some(next) = links.iter().flat_map(|link| next_links(link)).next() else { return Ok(None) };
        let unusable = |why| response.protocol_error(format!("a Link to its next page that is unusable: {why}"));
        let next = self.session.resolve_location(response, next).map_err(unusable)?;
        if seen.len() >= most || !seen.insert(next.reveal()) {
            return Err(response.protocol_error(format!("{list} without an end, after {} pages", seen.len())));
        }
        self.session.send_at(request, &next, AddressSource::NextPage).map(Some)
    }
}

/// `None` after a 404.
fn unless_missing(outcome: Result<ApiResponse, RegistryError>) -> Result<Option<ApiResponse>, RegistryError> {
    match outcome {
        Err(error) if error.status == Some(404) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn check_deleted(response: &ApiResponse, content: &str) -> Result<(), RegistryError> {
    match response.http.status {
        200 | 202 | 204 => Ok(()),
        status => Err(response.protocol_error(format!("status {status} for {content} to be deleted"))),
    }
}

/// The body of a list of tags. A repository without tags has `null`.
#[derive(Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}

/// Whether a header can carry the text as one word.
fn is_header_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
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
