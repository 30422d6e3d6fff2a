//! Requests to registries and their responses.

use std::fmt;

use crate::auth::authenticator::Scope;
use crate::digest::Digest;
use crate::net::body::BodySlot;
use crate::net::deadline::Deadline;
use crate::net::error::FailedRequest;
use crate::net::response::HttpResponse;
use crate::net::url::Url;
use crate::reference::Repository;

/// The largest response whose body is ignored, in bytes.
const WORDLESS_MAX: u64 = 64 * 1024;
/// The API's root, which shows whether the server is a registry and which login it wants.
const ROOT: &str = "/v2/";

/// One request of the distribution API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiRequest<'a> {
    /// The registry, as in references.
    pub(crate) registry: &'a str,
    /// The method.
    pub(crate) method: &'static str,
    /// The path, with its query.
    pub(crate) target: &'a str,
    /// Header fields.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(crate) body: Option<&'a [u8]>,
    /// The scopes that the request needs.
    pub(crate) scopes: &'a [Scope],
    /// The largest response, in bytes.
    pub(crate) cap: u64,
    /// The deadline of the operation that the request belongs to, if it has one.
    pub(crate) deadline: Option<&'a Deadline>,
    /// Receives the body of a successful response, if it is streamed.
    pub(crate) slot: Option<&'a BodySlot>,
    /// Whether it checks a tag before a push. An account that may only push is refused then.
    pub(crate) is_tag_check: bool,
    /// The repository that it concerns; `None` for the whole registry.
    pub(crate) repository: Option<&'a str>,
    /// The tag or digest of the manifest that it concerns.
    pub(crate) reference: Option<&'a str>,
    /// The blob that it concerns.
    pub(crate) blob: Option<&'a Digest>,
    /// Whether it may be sent again after it may have had its effect. Only the caller knows.
    pub(crate) is_repeatable: bool,
}

impl<'a> ApiRequest<'a> {
    /// A request without headers and body, whose response body is ignored. It is not repeated.
    pub(crate) fn new(
        method: &'static str,
        repository: &'a Repository,
        target: &'a str,
        scopes: &'a [Scope],
    ) -> ApiRequest<'a> {
        let (registry, cap) = (repository.domain(), WORDLESS_MAX);
        let repository = Some(repository.path());
        ApiRequest {
            registry,
            method,
            target,
            headers: &[],
            body: None,
            scopes,
            cap,
            deadline: None,
            slot: None,
            is_tag_check: false,
            repository,
            reference: None,
            blob: None,
            is_repeatable: false,
        }
    }

    /// A cheap request of the API's root that needs the same login.
    pub(crate) fn ping(&self) -> ApiRequest<'a> {
        ApiRequest {
            method: "GET",
            target: ROOT,
            headers: &[],
            body: None,
            cap: WORDLESS_MAX,
            slot: None,
            is_tag_check: false,
            repository: None,
            reference: None,
            blob: None,
            is_repeatable: true,
            ..*self
        }
    }

    /// Whether it requests the API's root.
    pub(crate) fn is_ping(&self) -> bool {
        self.target == ROOT
    }

    /// The request as errors show it. `url` contains no secret.
    pub(crate) fn shown(&self, url: impl fmt::Display) -> FailedRequest {
        FailedRequest {
            repository: self.repository.map(str::to_owned),
            reference: self.reference.map(str::to_owned),
            blob: self.blob.map(ToString::to_string),
            ..FailedRequest::new(self.method, url)
        }
    }
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    /// The last response, after redirects.
    pub(crate) http: HttpResponse,
    /// The URL that it came from.
    pub(crate) url: Url,
    /// The request as errors show it: its method and URL.
    pub(crate) request: FailedRequest,
    /// Whether it came from the registry's own origin.
    pub(crate) is_home: bool,
}
