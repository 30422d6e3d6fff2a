//! What is asked of a registry, and what came of it.

use super::auth::authenticator::Scope;
use super::body::Slot;
use super::deadline::Deadline;
use super::transport::Answer;
use super::url::Url;
use crate::reference::Repository;

/// For answers whose body nobody reads, in bytes.
const WORDLESS_MAX: u64 = 64 * 1024;
/// Where a registry says whether it is one, and asks for a login.
const ROOT: &str = "/v2/";

/// One operation on a registry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The registry, as references name it.
    pub(super) registry: &'a str,
    /// The method.
    pub(super) method: &'static str,
    /// The path, with its query.
    pub(super) target: &'a str,
    /// Header fields.
    pub(super) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(super) body: Option<&'a [u8]>,
    /// What it needs to be allowed.
    pub(super) scopes: &'a [Scope],
    /// How large the answer may be, in bytes.
    pub(super) cap: u64,
    /// When the operation has to be over that this is part of, if it has a deadline of its own.
    pub(super) deadline: Option<&'a Deadline>,
    /// Where the body of a success goes, where it is to be read as it comes.
    pub(super) slot: Option<&'a Slot>,
    /// Whether it is the look at a tag before a push, which an account that may only push is refused.
    pub(super) is_look: bool,
}

impl<'a> Call<'a> {
    /// A call with nothing in its head or its body, of whose answer nobody needs the body.
    pub(super) fn new(
        method: &'static str,
        repository: &'a Repository,
        target: &'a str,
        scopes: &'a [Scope],
    ) -> Call<'a> {
        let (registry, cap) = (repository.domain(), WORDLESS_MAX);
        Call {
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
        }
    }

    /// A question at the registry's root, which costs little and needs the same login.
    pub(super) fn ping(&self) -> Call<'a> {
        Call {
            method: "GET",
            target: ROOT,
            headers: &[],
            body: None,
            cap: WORDLESS_MAX,
            slot: None,
            is_look: false,
            ..*self
        }
    }

    /// Whether it is such a question.
    pub(super) fn is_ping(&self) -> bool {
        self.target == ROOT
    }

    /// Whether it does no harm when it is sent twice: what is put under a digest or a tag is the same the second time, and
    /// an upload that was begun for nothing the registry throws away.
    pub(super) fn is_repeatable(&self) -> bool {
        match self.method {
            "GET" | "HEAD" | "DELETE" => true,
            "PUT" => self.target.contains("/manifests/") && !self.target.contains("/blobs/uploads/"),
            "POST" => self.body.is_some_and(<[u8]>::is_empty),
            _ => false,
        }
    }
}

/// The answer to a call, and the request that it answers.
#[derive(Debug)]
pub(super) struct Reply {
    /// The last answer, after redirects.
    pub(super) answer: Answer,
    /// Where it came from.
    pub(super) url: Url,
    /// The request as it may be shown: method and URL of the call.
    pub(super) request: String,
    /// Whether it came from the registry's own origin.
    pub(super) is_home: bool,
}
