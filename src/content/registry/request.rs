//! Requests to registries and their responses.

use std::fmt;

use crate::auth::scope::{Access, Scopes};
use crate::digest::Digest;
use crate::net::deadline::Deadline;
use crate::net::error::FailedRequest;
use crate::net::response::HttpResponse;
use crate::net::transport::OutgoingRequest;
use crate::net::url::Url;
use crate::reference::Repository;
use crate::secret::Secret;

/// The largest response whose body is ignored, in bytes.
const IGNORED_BODY_MAX: u64 = 64 * 1024;
/// The API's root, which shows whether the server is a registry and which login it wants.
const API_ROOT: &str = "/v2/";

/// One request of the distribution API.
#[derive(Clone, Default)]
pub(crate) struct ApiRequest<'a> {
    /// The registry, as in references.
    pub(crate) registry: &'a str,
    /// The method.
    pub(crate) method: &'static str,
    /// The path, with its query.
    pub(crate) target: String,
    /// Header fields.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(crate) body: Option<&'a [u8]>,
    /// The scopes that the request needs.
    pub(crate) scopes: Scopes,
    /// The largest response, in bytes.
    pub(crate) response_max: u64,
    /// The deadline of the operation that the request belongs to, if it has one.
    pub(crate) deadline: Option<&'a Deadline>,
    /// Whether the body of a successful response is streamed.
    pub(crate) streams_response: bool,
    /// Whether it checks before a push what the registry has. If the login is refused for it, the account may still
    /// have the right to push: the request for the push may probe the login once more.
    pub(crate) is_check_before_push: bool,
    /// The repository that it concerns; `None` for the whole registry.
    pub(crate) repository: Option<&'a str>,
    /// The tag or digest of the manifest that it concerns.
    pub(crate) manifest_name: Option<&'a str>,
    /// The blob that it concerns.
    pub(crate) blob: Option<&'a Digest>,
    /// Whether it may be sent again after it may have had its effect.
    pub(crate) is_repeatable: bool,
}

impl<'a> ApiRequest<'a> {
    /// A request for this path below a repository, without headers and body, whose response body is ignored. It may be
    /// sent again unless its method writes.
    pub(crate) fn new(
        method: &'static str,
        repository: &'a Repository,
        path: impl fmt::Display,
        access: Access,
    ) -> ApiRequest<'a> {
        ApiRequest {
            registry: repository.domain(),
            method,
            target: format!("/v2/{}/{path}", repository.path()),
            scopes: Scopes::repository(repository.path(), access),
            response_max: IGNORED_BODY_MAX,
            repository: Some(repository.path()),
            is_repeatable: matches!(method, "GET" | "HEAD" | "DELETE"),
            ..ApiRequest::default()
        }
    }

    /// A request for a manifest, by its tag or digest.
    pub(crate) fn manifest(
        method: &'static str,
        repository: &'a Repository,
        name: &'a str,
        access: Access,
    ) -> ApiRequest<'a> {
        let path = format_args!("manifests/{name}");
        ApiRequest { manifest_name: Some(name), ..ApiRequest::new(method, repository, path, access) }
    }

    /// A request for a blob.
    pub(crate) fn blob(
        method: &'static str,
        repository: &'a Repository,
        digest: &'a Digest,
        access: Access,
    ) -> ApiRequest<'a> {
        let path = format_args!("blobs/{digest}");
        ApiRequest { blob: Some(digest), ..ApiRequest::new(method, repository, path, access) }
    }

    /// A cheap request of the API's root that needs the same login.
    pub(crate) fn ping(&self) -> ApiRequest<'a> {
        ApiRequest {
            registry: self.registry,
            method: "GET",
            target: API_ROOT.to_owned(),
            scopes: self.scopes.clone(),
            response_max: IGNORED_BODY_MAX,
            deadline: self.deadline,
            is_repeatable: true,
            ..ApiRequest::default()
        }
    }

    /// The request as it is sent to a URL.
    pub(crate) fn outgoing<'o>(
        &'o self,
        url: &'o Url,
        authorization: Option<&'o Secret>,
        deadline: &'o Deadline,
    ) -> OutgoingRequest<'o> {
        OutgoingRequest {
            headers: self.headers,
            authorization,
            body: self.body,
            response_max: self.response_max,
            repeatable: self.is_repeatable,
            streams_response: self.streams_response,
            ..OutgoingRequest::new(self.registry, self.method, url, deadline)
        }
    }

    /// Whether it requests the API's root.
    pub(crate) fn is_ping(&self) -> bool {
        self.target == API_ROOT
    }

    /// The request as errors show it. `url` contains no secret.
    pub(crate) fn failed_request(&self, url: impl fmt::Display) -> FailedRequest {
        FailedRequest {
            repository: self.repository.map(str::to_owned),
            reference: self.manifest_name.map(str::to_owned),
            blob: self.blob.map(ToString::to_string),
            ..FailedRequest::new(self.method, url)
        }
    }
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    /// The registry, as in references.
    pub(crate) registry: String,
    /// The last response, after redirects.
    pub(crate) http: HttpResponse,
    /// The URL that it came from.
    pub(crate) url: Url,
    /// The request as errors show it: its method and URL.
    pub(crate) request: FailedRequest,
    /// Whether it came from the registry's own origin.
    pub(crate) is_registry_origin: bool,
}

impl ApiResponse {
    /// Whether a response over plain HTTP may be that of a server that speaks TLS on this port: a 400 with a text or a
    /// web page, where a registry sends JSON.
    pub(crate) fn may_be_from_tls_port(&self) -> bool {
        self.is_registry_origin
            && self.http.status == 400
            && self.http.header("Docker-Distribution-Api-Version").is_none()
            && !self.http.body.trim_ascii_start().starts_with(b"{")
    }
}
