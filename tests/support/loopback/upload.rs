//! Blob uploads: start, chunks, completion, cancellation.
//!
//! The Location of an upload carries a `_state` that changes with every step, as docker-registry's does, and a
//! request with another one is refused: a client has to use what it was given. A body goes into its upload as it
//! comes, so what a broken connection brought stays, and GET tells how much that is (OCI distribution spec 1.1,
//! "Pushing a blob in chunks").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::blob::Blob;
use super::distribution_api::ApiState;
use super::generated_blob::sha256_digest;
use super::habits::Habits;
use super::http::{Head, Request, Response};
use crate::image::{sha256, sha512};

/// An upload under way.
pub(crate) struct Upload {
    repo: String,
    size: u64,
    hash: Sha256,
    /// What has come; None once it is more than this registry keeps.
    content: Option<Vec<u8>>,
    step: usize,
    /// A connection broke, and this registry does not go on after that.
    lost: bool,
    /// A chunk was shorter than the least that all but the last must have.
    short_chunk: bool,
}

impl Upload {
    fn new(repo: &str) -> Upload {
        let (hash, content) = (Sha256::new(), Some(Vec::new()));
        Upload { repo: repo.into(), size: 0, hash, content, step: 0, lost: false, short_chunk: false }
    }

    fn state(&self, id: &str) -> String {
        STANDARD.encode(format!("{{\"id\":\"{id}\",\"step\":{}}}", self.step))
    }

    fn path(&self, id: &str) -> String {
        let escaped = self.state(id).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("/v2/{}/blobs/uploads/{id}?_state={escaped}", self.repo)
    }

    fn describe(&self, id: &str, status: u16, url: impl Fn(&str) -> String) -> Response {
        Response::new(status)
            .header("Location", url(&self.path(id)))
            .header("Range", format!("0-{}", self.size.saturating_sub(1)))
            .header("Docker-Upload-UUID", id)
    }

    fn receive(&mut self, bytes: &[u8], habits: &Habits) {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
        if habits.discard_above.is_some_and(|max_bytes| self.size > max_bytes) {
            self.content = None;
        }
        if let Some(content) = &mut self.content {
            content.extend_from_slice(bytes);
        }
    }
}

/// POST that begins an upload.
pub(crate) fn start(state: &mut ApiState, repo: &str, habits: &Habits, url: impl Fn(&str) -> String) -> Response {
    state.uploads_started += 1;
    let id = format!("00000000-0000-4000-8000-{:012x}", state.uploads_started);
    let upload = Upload::new(repo);
    let response = upload.describe(&id, 202, url);
    state.uploads.insert(id, upload);
    match habits.chunk_min_length {
        Some(least) => response.header("OCI-Chunk-Min-Length", least.to_string()),
        None => response,
    }
}

/// POST with a digest and the whole blob.
pub(crate) fn monolithic(
    state: &mut ApiState,
    repo: &str,
    digest: &str,
    bytes: &[u8],
    url: impl Fn(&str) -> String,
) -> Response {
    let canonical = sha256(bytes);
    if digest != canonical && digest != sha512(bytes) {
        return digest_invalid(digest);
    }
    state.add_blob_as(repo, digest, Blob::Stored(bytes.to_vec().into()));
    created(url(&format!("/v2/{repo}/blobs/{canonical}")), &canonical)
}

/// The answer to whatever put a blob in place.
pub(crate) fn created(location: String, digest: &str) -> Response {
    Response::new(201).header("Location", location).header("Docker-Content-Digest", digest)
}

/// Whether the body of a request is to go into this upload.
pub(crate) fn receives(state: &ApiState, head: &Head, repo: &str, id: &str) -> bool {
    let Some(upload) = state.uploads.get(id).filter(|upload| upload.repo == repo) else { return false };
    let right_state = !upload.lost && head.query("_state") == [upload.state(id)];
    let right_place = starts_at(head).is_none_or(|start| start == upload.size);
    let right_chunks = !upload.short_chunk || head.header("Content-Length") == Some("0");
    matches!(head.method.as_str(), "PATCH" | "PUT") && right_state && right_place && right_chunks
}

/// Some more of the body of a request that [`receives`] let.
pub(crate) fn receive(state: &mut ApiState, id: &str, bytes: &[u8], habits: &Habits) {
    if let Some(upload) = state.uploads.get_mut(id) {
        upload.receive(bytes, habits);
    }
}

/// The connection that such a body came by has broken.
pub(crate) fn connection_broke(state: &mut ApiState, id: &str, habits: &Habits) {
    if let Some(upload) = state.uploads.get_mut(id) {
        upload.lost |= habits.loses_broken_uploads;
    }
}

/// GET, PATCH, PUT and DELETE of an upload.
pub(crate) fn handle(
    state: &mut ApiState,
    request: &Request,
    repo: &str,
    id: &str,
    habits: &Habits,
    url: impl Fn(&str) -> String,
) -> Response {
    let head = &request.head;
    let Some(upload) = state.uploads.get_mut(id).filter(|upload| upload.repo == repo) else {
        return Response::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", Value::Null);
    };
    if upload.lost || head.query("_state") != [upload.state(id)] {
        return Response::error(404, "BLOB_UPLOAD_INVALID", "blob upload invalid", json!("_state is not the last one"));
    }
    match head.method.as_str() {
        "GET" => upload.describe(id, 204, url),
        "DELETE" => {
            state.uploads.remove(id);
            Response::new(204)
        }
        "PATCH" | "PUT" if !request.is_body_in_upload => refused(upload, id, url),
        "PATCH" => {
            upload.step += 1;
            upload.short_chunk = habits.chunk_min_length.is_some_and(|least| content_length(head) < least);
            upload.describe(id, 202, url)
        }
        "PUT" => finish(state, head, repo, id, habits, url),
        _ => Response::error(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null),
    }
}

/// Why a body did not go into its upload: not where it ends, or after a chunk that was too short.
fn refused(upload: &Upload, id: &str, url: impl Fn(&str) -> String) -> Response {
    if upload.short_chunk {
        return Response::error(400, "SIZE_INVALID", "a chunk before this one was too short", Value::Null);
    }
    upload.describe(id, 416, url)
}

fn finish(
    state: &mut ApiState,
    head: &Head,
    repo: &str,
    id: &str,
    habits: &Habits,
    url: impl Fn(&str) -> String,
) -> Response {
    let digest = head.query("digest").into_iter().next().unwrap_or_default();
    let Some(upload) = state.uploads.remove(id) else { return digest_invalid(&digest) };
    let canonical = sha256_digest(upload.hash);
    // As distribution has it: whatever the algorithm of the request, the answer has its own.
    if digest != canonical && upload.content.as_ref().is_none_or(|bytes| sha512(bytes) != digest) {
        return digest_invalid(&digest);
    }
    let blob = upload.content.map_or(Blob::Discarded(upload.size), |bytes| Blob::Stored(bytes.into()));
    if habits.canonical_blob_digests {
        state.add_blob_as(repo, &canonical, blob.clone());
    }
    state.add_blob_as(repo, &digest, blob);
    created(url(&format!("/v2/{repo}/blobs/{canonical}")), &canonical)
}

/// The first offset of a `Content-Range: 0-99`.
fn starts_at(head: &Head) -> Option<u64> {
    head.header("Content-Range")?.trim_start_matches("bytes ").split('-').next()?.parse().ok()
}

/// As the request says it; one that says nothing is long enough.
fn content_length(head: &Head) -> u64 {
    head.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(u64::MAX)
}

fn digest_invalid(digest: &str) -> Response {
    let message = "provided digest did not match uploaded content";
    Response::error(400, "DIGEST_INVALID", message, json!({"digest": digest}))
}
