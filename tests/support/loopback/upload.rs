//! Blob uploads: begun, gone on with, finished, cancelled.
//!
//! The Location of an upload carries a `_state` that changes with every step, as docker-registry's does, and a
//! request with another one is refused: a client has to use what it was given.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Head, Request, Response};
use super::storage::State;
use crate::image::sha256;

/// An upload under way.
pub(crate) struct Upload {
    repo: String,
    bytes: Vec<u8>,
    step: usize,
}

impl Upload {
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
            .header("Range", format!("0-{}", self.bytes.len().saturating_sub(1)))
            .header("Docker-Upload-UUID", id)
    }
}

/// POST that begins an upload.
pub(crate) fn start(state: &mut State, repo: &str, url: impl Fn(&str) -> String) -> Response {
    state.uploads_started += 1;
    let id = format!("00000000-0000-4000-8000-{:012x}", state.uploads_started);
    let upload = Upload { repo: repo.into(), bytes: Vec::new(), step: 0 };
    let response = upload.describe(&id, 202, url);
    state.uploads.insert(id, upload);
    response
}

/// POST with a digest and the whole blob.
pub(crate) fn monolithic(
    state: &mut State,
    repo: &str,
    digest: &str,
    bytes: &[u8],
    url: impl Fn(&str) -> String,
) -> Response {
    if sha256(bytes) != digest {
        return digest_invalid(digest);
    }
    state.add_blob(repo, bytes);
    created(url(&format!("/v2/{repo}/blobs/{digest}")), digest)
}

/// The answer to whatever put a blob in place.
pub(crate) fn created(location: String, digest: &str) -> Response {
    Response::new(201).header("Location", location).header("Docker-Content-Digest", digest)
}

/// GET, PATCH, PUT and DELETE of an upload.
pub(crate) fn go_on(
    state: &mut State,
    request: &Request,
    repo: &str,
    id: &str,
    url: impl Fn(&str) -> String,
) -> Response {
    let head = &request.head;
    let Some(upload) = state.uploads.get_mut(id).filter(|upload| upload.repo == repo) else {
        return Response::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", Value::Null);
    };
    if head.query("_state") != [upload.state(id)] {
        return Response::error(404, "BLOB_UPLOAD_INVALID", "blob upload invalid", json!("_state is not the last one"));
    }
    match head.method.as_str() {
        "GET" => upload.describe(id, 204, url),
        "DELETE" => {
            state.uploads.remove(id);
            Response::new(204)
        }
        "PATCH" => {
            if starts_at(head).is_some_and(|start| start != upload.bytes.len()) {
                return upload.describe(id, 416, url);
            }
            upload.bytes.extend_from_slice(&request.body);
            upload.step += 1;
            upload.describe(id, 202, url)
        }
        "PUT" => {
            let digest = head.query("digest").into_iter().next().unwrap_or_default();
            upload.bytes.extend_from_slice(&request.body);
            let bytes = std::mem::take(&mut upload.bytes);
            state.uploads.remove(id);
            monolithic(state, repo, &digest, &bytes, url)
        }
        _ => Response::error(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null),
    }
}

/// The first offset of a `Content-Range: 0-99`.
fn starts_at(head: &Head) -> Option<usize> {
    head.header("Content-Range")?.trim_start_matches("bytes ").split('-').next()?.parse().ok()
}

fn digest_invalid(digest: &str) -> Response {
    let message = "provided digest did not match uploaded content";
    Response::error(400, "DIGEST_INVALID", message, json!({"digest": digest}))
}
