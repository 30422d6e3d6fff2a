//! Blobs: how they are held, and how they are given out, whole or in part (RFC 9110, section 14).

use std::sync::Arc;

use serde_json::{Value, json};

use super::distribution_api::ApiState;
use super::generated_blob::{GeneratedBlob, GeneratedBody};
use super::http::{Head, Response};

/// What a registry has of a blob.
#[derive(Clone, Debug)]
pub(crate) enum Blob {
    /// The bytes.
    Stored(Arc<Vec<u8>>),
    /// The rule that they are made by.
    Generated(GeneratedBlob),
    /// Their number alone: they were hashed and discarded.
    Discarded(u64),
}

impl Blob {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Blob::Stored(bytes) => bytes.len() as u64,
            Blob::Generated(generated) => generated.size(),
            Blob::Discarded(size) => *size,
        }
    }
}

/// GET and HEAD. HEAD of a discarded blob works; GET is a 500.
pub(crate) fn get(state: &ApiState, head: &Head, repo: &str, digest: &str, ranges: bool) -> Response {
    let Some(blob) = state.blobs.get(digest).filter(|_| state.has_blob(repo, digest)) else { return unknown(digest) };
    let size = blob.size();
    let mut response =
        Response::new(200).header("Docker-Content-Digest", digest).header("Etag", format!("\"{digest}\""));
    response.set("Content-Type", "application/octet-stream");
    let (mut from, mut to) = (0, size);
    if ranges {
        response.set("Accept-Ranges", "bytes");
        match head.header("Range").and_then(|value| parse_range(value, size)) {
            None => {}
            Some(Ok(part)) => {
                (from, to) = part;
                response.status = 206;
                response.set("Content-Range", &format!("bytes {from}-{}/{size}", to - 1));
            }
            Some(Err(())) => return Response::new(416).header("Content-Range", format!("bytes */{size}")),
        }
    }
    match blob {
        Blob::Stored(bytes) => response.body = bytes[from as usize..to as usize].to_vec(),
        Blob::Generated(generated) => response.generated = Some(GeneratedBody::new(generated, from, to)),
        // Its length is known, which is all that a HEAD tells.
        Blob::Discarded(_) if head.method == "HEAD" => {
            response.generated = Some(GeneratedBody::new(&GeneratedBlob::zeros(size), from, to))
        }
        Blob::Discarded(_) => return Response::error(500, "UNKNOWN", "this blob was discarded", json!(digest)),
    }
    response
}

/// First byte and the one after the last that a Range header asks for; None where it is to be ignored, an error where
/// there is no such part.
fn parse_range(value: &str, size: u64) -> Option<Result<(u64, u64), ()>> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(length)) if first.is_empty() => (size.saturating_sub(length), size),
        _ => return None,
    };
    Some(if part.0 < part.1 { Ok(part) } else { Err(()) })
}

/// DELETE.
pub(crate) fn delete(state: &mut ApiState, repo: &str, digest: &str) -> Response {
    match state.repos.get_mut(repo).is_some_and(|repo| repo.blobs.remove(digest)) {
        true => Response::new(202),
        false => unknown(digest),
    }
}

fn unknown(digest: &str) -> Response {
    Response::error(404, "BLOB_UNKNOWN", "blob unknown to registry", Value::from(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_headers_are_parsed() {
        for (value, expected) in [
            ("bytes=10-19", Some(Ok((10, 20)))),
            ("bytes=90-", Some(Ok((90, 100)))),
            ("bytes=90-500", Some(Ok((90, 100)))),
            ("bytes=-5", Some(Ok((95, 100)))),
            ("bytes=-500", Some(Ok((0, 100)))),
            ("bytes=100-", Some(Err(()))),
            ("bytes=0-1,5-6", None),
            ("items=0-1", None),
            ("bytes=x", None),
        ] {
            assert_eq!(parse_range(value, 100), expected, "{value}");
        }
    }
}
