//! What is asked of a registry, and what came of it.

use std::fmt;

use crate::auth::authenticator::Scope;
use crate::digest::Digest;
use crate::net::body::BodySlot;
use crate::net::deadline::Deadline;
use crate::net::error::FailedRequest;
use crate::net::transport::HttpResponse;
use crate::net::url::Url;
use crate::reference::Repository;

/// For answers whose body nobody reads, in bytes.
const WORDLESS_MAX: u64 = 64 * 1024;
/// Where a registry says whether it is one, and asks for a login.
const ROOT: &str = "/v2/";

/// One operation on a registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiRequest<'a> {
    /// The registry, as references name it.
    pub(crate) registry: &'a str,
    /// The method.
    pub(crate) method: &'static str,
    /// The path, with its query.
    pub(crate) target: &'a str,
    /// Header fields.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(crate) body: Option<&'a [u8]>,
    /// What it needs to be allowed.
    pub(crate) scopes: &'a [Scope],
    /// How large the answer may be, in bytes.
    pub(crate) cap: u64,
    /// When the operation has to be over that this is part of, if it has a deadline of its own.
    pub(crate) deadline: Option<&'a Deadline>,
    /// Where the body of a success goes, where it is to be read as it comes.
    pub(crate) slot: Option<&'a BodySlot>,
    /// Whether it is the look at a tag before a push, which an account that may only push is refused.
    pub(crate) is_look: bool,
    /// The repository that it is about; `None` for the registry as a whole.
    pub(crate) repository: Option<&'a str>,
    /// The tag or digest of the manifest that it is about.
    pub(crate) reference: Option<&'a str>,
    /// The blob that it is about.
    pub(crate) blob: Option<&'a Digest>,
    /// Whether it does no harm when it is sent again after it may have had its effect. Only the caller knows.
    pub(crate) is_repeatable: bool,
}

impl<'a> ApiRequest<'a> {
    /// A call with nothing in its head or its body, of whose answer nobody needs the body. It is sent once.
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
            is_look: false,
            repository,
            reference: None,
            blob: None,
            is_repeatable: false,
        }
    }

    /// A question at the registry's root, which costs little and needs the same login.
    pub(crate) fn ping(&self) -> ApiRequest<'a> {
        ApiRequest {
            method: "GET",
            target: ROOT,
            headers: &[],
            body: None,
            cap: WORDLESS_MAX,
            slot: None,
            is_look: false,
            repository: None,
            reference: None,
            blob: None,
            is_repeatable: true,
            ..*self
        }
    }

    /// Whether it is such a question.
    pub(crate) fn is_ping(&self) -> bool {
        self.target == ROOT
    }

    /// The request as an error shows it, sent to `url`, which is fit to be shown.
    pub(crate) fn shown(&self, url: impl fmt::Display) -> FailedRequest {
        FailedRequest {
            repository: self.repository.map(str::to_owned),
            reference: self.reference.map(str::to_owned),
            blob: self.blob.map(ToString::to_string),
            ..FailedRequest::new(self.method, url)
        }
    }
}

/// The answer to a call, and the request that it answers.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    /// The last answer, after redirects.
    pub(crate) answer: HttpResponse,
    /// Where it came from.
    pub(crate) url: Url,
    /// The request as it may be shown: method and URL of the call.
    pub(crate) request: FailedRequest,
    /// Whether it came from the registry's own origin.
    pub(crate) is_home: bool,
}
