//! Habits about manifests: what is served in place of one, and when one is visible.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::super::Builder;
use super::super::distribution_api::ApiState;
use super::super::faults::Fault;
use super::super::http::{Head, Response};
use super::super::lock;
use super::super::route::Route;
use crate::image::{DOCKER_LIST, DOCKER_MANIFEST, sha256};

const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// How it differs in manifests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) converts: bool,
    /// The status for a media type that the client did not name.
    pub(crate) strict_accept: Option<u16>,
    pub(crate) loses_children: bool,
    /// So many reads of a manifest are answered with 404 after it was put.
    pub(crate) read_lag: usize,
    /// So many lists are refused whose images are there.
    pub(crate) refuses_first_lists: usize,
    pub(crate) no_overlap: bool,
    pub(crate) write_only: bool,
    pub(crate) prunes: bool,
    pub(crate) deletes_children: bool,
}

/// What the registry remembers for `read_lag` and `refuses_first_lists`.
#[derive(Default)]
pub(crate) struct RefusalCounts {
    /// By repository and digest: how many reads have been answered with 404.
    reads: BTreeMap<(String, String), usize>,
    /// How many lists have been refused.
    lists: usize,
}

impl Manifests {
    /// What is served in the place of this one: an image of a list, or a manifest of schema 1 with its own digest.
    pub(crate) fn replacement(&self, state: &ApiState, head: &Head, repo: &str, reference: &str) -> Option<Response> {
        let stored = state.repos.get(repo)?;
        let (media_type, bytes) = stored.manifests.get(&stored.resolve(reference)?)?;
        if let Some(status) = self.strict_accept.filter(|_| !accepts_explicitly(head, media_type)) {
            let message = format!("{media_type} is not supported by the client");
            return Some(Response::error(status, "MANIFEST_INVALID", &message, Value::Null));
        }
        if !self.converts || reference.contains(':') || accepts_explicitly(head, media_type) {
            return None;
        }
        let digest = match media_type.as_str() {
            DOCKER_MANIFEST => stored.resolve(reference)?,
            DOCKER_LIST => first_amd64(bytes)?,
            _ => return None,
        };
        if accepts_explicitly(head, DOCKER_MANIFEST) {
            let (media_type, bytes) = stored.manifests.get(&digest)?;
            return Some(served(media_type, bytes));
        }
        let old = json!({"schemaVersion": 1, "name": repo, "tag": reference, "architecture": "amd64", "fsLayers": []});
        Some(served(SCHEMA_1, old.to_string().as_bytes()))
    }

    /// The 404 for what it does not know yet, or the refusal to let anybody read.
    pub(crate) fn refuse_get(&self, state: &mut ApiState, repo: &str, reference: &str) -> Option<Response> {
        if self.write_only {
            return Some(Response::error(403, "DENIED", "requested access to the resource is denied", Value::Null));
        }
        let digest = state.repos.get(repo)?.resolve(reference)?;
        let reads = state.refusal_counts.reads.get_mut(&(repo.to_owned(), digest))?;
        *reads += 1;
        (*reads <= self.read_lag)
            .then(|| Response::error(404, "MANIFEST_UNKNOWN", "manifest unknown", json!({"Tag": reference})))
    }

    /// The refusal of a list whose images are there, as Nexus has it for a second.
    pub(crate) fn refuse_list(&self, state: &mut ApiState, bytes: &[u8]) -> Option<Response> {
        let list: Value = serde_json::from_slice(bytes).ok()?;
        let child = list["manifests"][0]["digest"].as_str()?.to_owned();
        if state.refusal_counts.lists >= self.refuses_first_lists {
            return None;
        }
        state.refusal_counts.lists += 1;
        Some(Response::error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", json!(child)))
    }

    /// After a manifest was taken: it is not to be read at once, or what it names goes.
    pub(crate) fn after_put(&self, state: &mut ApiState, repo: &str, digest: &str, bytes: &[u8]) {
        if self.read_lag > 0 {
            state.refusal_counts.reads.entry((repo.to_owned(), digest.to_owned())).or_insert(0);
        }
        let list: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if let (true, Some(stored)) = (self.loses_children, state.repos.get_mut(repo)) {
            for child in list["manifests"].as_array().into_iter().flatten().filter_map(|item| item["digest"].as_str()) {
                if !stored.tags.values().any(|tagged| tagged == child) {
                    stored.manifests.remove(child);
                }
            }
        }
    }
}

/// The manifests that are being taken.
#[derive(Default)]
pub(crate) struct PutsInFlight(Mutex<PutState>);

#[derive(Default)]
struct PutState {
    in_flight: usize,
    /// The paths of those that were refused. Each is refused once: a client whose clock does not wait would otherwise
    /// use up its attempts while another one is being taken.
    refused: BTreeSet<String>,
}

/// A manifest that is being taken, until it is dropped.
pub(crate) struct PutGuard<'a>(&'a PutsInFlight);

impl PutsInFlight {
    /// Counts a request in where it puts a manifest, and gives its fault: the one that `pick` has for it, or the
    /// refusal, where it overlaps with another one and must not. No other request is counted in between.
    pub(crate) fn begin_put(
        &self,
        manifests: &Manifests,
        head: &Head,
        pick: impl FnOnce() -> Option<Fault>,
    ) -> (Option<PutGuard<'_>>, Option<Fault>) {
        if head.method != "PUT" || !matches!(Route::parse(head.path()), Route::Manifest { .. }) {
            return (None, pick());
        }
        let mut state = lock(&self.0);
        let fault = pick();
        let overlaps = manifests.no_overlap && state.in_flight > 0;
        if fault.is_none() && overlaps && state.refused.insert(head.path().to_owned()) {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"package version already exists"}]}"#.to_owned();
            return (None, Some(Fault::Status(500, body, Vec::new())));
        }
        state.in_flight += 1;
        (Some(PutGuard(self)), fault)
    }
}

impl Drop for PutGuard<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).in_flight -= 1;
    }
}

/// `*/*` does not count: docker-registry treats such a client as one that only knows schema 1.
fn accepts_explicitly(head: &Head, media_type: &str) -> bool {
    let accept = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Accept"));
    accept.flat_map(|(_, value)| value.split(',')).any(|accepted| accepted.trim() == media_type)
}

fn first_amd64(list: &[u8]) -> Option<String> {
    let list: Value = serde_json::from_slice(list).ok()?;
    let mut entries = list["manifests"].as_array()?.iter();
    entries.find(|entry| entry["platform"]["architecture"] == "amd64")?["digest"].as_str().map(str::to_owned)
}

fn served(media_type: &str, bytes: &[u8]) -> Response {
    Response::new(200).body(media_type, bytes).header("Docker-Content-Digest", sha256(bytes))
}

impl Builder {
    /// Converts for clients that do not name a Docker type: to schema 1, with another digest, on HEAD too; a list to
    /// its linux/amd64 image. As docker-registry 2.8 does.
    pub fn converts_to_schema_1(mut self) -> Builder {
        self.habits.manifests.converts = true;
        self
    }

    /// This status for a manifest whose type the client did not name, on HEAD too (400 in distribution 3, 404 in some).
    pub fn strict_accept(mut self, status: u16) -> Builder {
        self.habits.manifests.strict_accept = Some(status);
        self
    }

    /// Once a list is put, deletes its images that no tag names, as a clean-up of untagged manifests does.
    pub fn loses_children(mut self) -> Builder {
        self.habits.manifests.loses_children = true;
        self
    }

    /// Answers so many reads of each new manifest with 404.
    pub fn read_lag(mut self, reads: usize) -> Builder {
        self.habits.manifests.read_lag = reads;
        self
    }

    /// Refuses so many lists with `MANIFEST_BLOB_UNKNOWN` though their images are there.
    pub fn refuses_first_lists(mut self, lists: usize) -> Builder {
        self.habits.manifests.refuses_first_lists = lists;
        self
    }

    /// 500 for a manifest, once, if it comes while another is being taken, as Gitea does.
    pub fn no_overlapping_puts(mut self) -> Builder {
        self.habits.manifests.no_overlap = true;
        self
    }

    /// Takes manifests, and lets nobody read them: 403 `DENIED`, as a robot account that may push and not pull is told.
    pub fn write_only(mut self) -> Builder {
        self.habits.manifests.write_only = true;
        self
    }
}
