//! Manifests: which are accepted, as strictly as by docker-registry, and how they are served.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::distribution_api::{ApiState, Repo};
use super::habits::Habits;
use super::http::{Head, Response};
use crate::image::{DOCKER_FOREIGN_LAYER, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, sha256, sha512};

/// GET and HEAD by tag or digest.
pub(crate) fn get(state: &ApiState, head: &Head, repo: &str, reference: &str) -> Response {
    let found = state.repos.get(repo).and_then(|repo| {
        let digest = repo.resolve(reference)?;
        repo.manifests.get(&digest).map(|(media_type, bytes)| (digest, media_type, bytes))
    });
    let Some((digest, media_type, bytes)) = found else { return unknown(repo, reference) };
    if media_type.contains("oci") && !accepts(head, media_type) {
        let message = "OCI manifest found, but accept header does not support OCI manifests";
        return Response::error(404, "MANIFEST_UNKNOWN", message, Value::Null);
    }
    let etag = format!("\"{digest}\"");
    if head.header("If-None-Match") == Some(&etag) {
        return Response::new(304);
    }
    let response = Response::new(200).body(media_type, bytes.to_vec());
    response.header("Docker-Content-Digest", digest).header("Etag", etag)
}

fn accepts(head: &Head, media_type: &str) -> bool {
    let accept = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Accept"));
    let mut types = accept.flat_map(|(_, value)| value.split(',')).map(|t| t.split(';').next().unwrap_or(t).trim());
    types.any(|accepted| accepted == media_type || accepted == "*/*")
}

/// DELETE: a digest with all its tags, or a tag alone.
pub(crate) fn delete(state: &mut ApiState, name: &str, reference: &str) -> Response {
    let Some(repo) = state.repos.get_mut(name) else { return unknown(name, reference) };
    let is_deleted = if reference.contains(':') {
        repo.tags.retain(|_, digest| digest != reference);
        repo.manifests.remove(reference).is_some()
    } else {
        repo.tags.remove(reference).is_some()
    };
    if is_deleted { Response::new(202) } else { unknown(name, reference) }
}

fn unknown(repo: &str, reference: &str) -> Response {
    let detail = match reference.contains(':') {
        true => json!({"name": repo, "revision": reference}),
        false => json!({"Tag": reference}),
    };
    Response::error(404, "MANIFEST_UNKNOWN", "manifest unknown", detail)
}

/// Validates a PUT: JSON of the stated type, the stated digest, all referenced content present but `ignored_digests`.
/// Returns the digest of its subject, if it has one.
pub(crate) fn check(
    repo: Option<&Repo>,
    habits: &Habits,
    ignored_digests: &BTreeSet<String>,
    reference: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Option<String>, Box<Response>> {
    let refuse = |code: &str, message: &str, detail: Value| Box::new(Response::error(400, code, message, detail));
    let invalid = |detail: &str| refuse("MANIFEST_INVALID", "manifest invalid", json!(detail));
    if reference.contains(':') && ![sha256(bytes), sha512(bytes)].iter().any(|digest| digest == reference) {
        return Err(refuse("DIGEST_INVALID", "provided digest did not match uploaded content", Value::Null));
    }
    if !reference.contains(':') && !is_tag(reference) {
        return Err(refuse("TAG_INVALID", "manifest tag did not match URI", Value::Null));
    }
    let is_known = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX].contains(&media_type);
    if !is_known && !habits.any_media_type {
        return Err(invalid(&format!("unsupported manifest media type: {media_type:?}")));
    }
    if let Some(status) = habits.refuses(media_type) {
        let detail = json!(format!("unsupported manifest media type: {media_type:?}"));
        return Err(Box::new(Response::error(status, "MANIFEST_INVALID", "manifest invalid", detail)));
    }
    let manifest: Value = serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
    if manifest["schemaVersion"] != 2 {
        return Err(invalid("unrecognized manifest schema version"));
    }
    match manifest.get("mediaType").and_then(Value::as_str) {
        Some(inside) if inside != media_type => return Err(invalid("mediaType differs from the Content-Type")),
        None if media_type.contains("docker") => return Err(invalid("mediaType is missing")),
        _ => {}
    }
    if habits.no_nested_indexes && array(&manifest["manifests"]).is_some_and(|children| children.iter().any(is_index)) {
        return Err(invalid("an index in an index"));
    }
    let mut missing = missing(repo, media_type, &manifest).ok_or_else(|| invalid("a descriptor is malformed"))?;
    missing.retain(|digest| !ignored_digests.contains(digest));
    if !missing.is_empty() {
        let errors: Vec<Value> = missing.iter().map(|digest| manifest_blob_unknown(digest)).collect();
        return Err(Box::new(Response::new(400).json(&json!({"errors": errors}))));
    }
    Ok(manifest["subject"]["digest"].as_str().map(str::to_owned))
}

fn manifest_blob_unknown(digest: &str) -> Value {
    json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": {"digest": digest}})
}

/// The digests that a manifest names and the repository lacks; `None` when a descriptor is not well-formed.
fn missing(repo: Option<&Repo>, media_type: &str, manifest: &Value) -> Option<Vec<String>> {
    let mut missing = Vec::new();
    if media_type == DOCKER_LIST || media_type == OCI_INDEX {
        for child in array(&manifest["manifests"])? {
            let digest = child["digest"].as_str()?;
            if !repo.is_some_and(|repo| repo.manifests.contains_key(digest)) {
                missing.push(digest.to_owned());
            }
        }
        return Some(missing);
    }
    let layers = array(&manifest["layers"])?;
    for blob in std::iter::once(&manifest["config"]).chain(layers) {
        let digest = blob["digest"].as_str()?;
        if !is_foreign_layer(blob) && !repo.is_some_and(|repo| repo.blobs.contains(digest)) {
            missing.push(digest.to_owned());
        }
    }
    Some(missing)
}

/// An array; null and nothing are empty ones, as Go has it.
fn array(value: &Value) -> Option<&[Value]> {
    if value.is_null() { Some(&[]) } else { value.as_array().map(Vec::as_slice) }
}

/// Whether a layer's bytes are to be had at another address, so that the registry need not hold them.
fn is_foreign_layer(blob: &Value) -> bool {
    let media_type = blob["mediaType"].as_str().unwrap_or_default();
    let foreign = media_type == DOCKER_FOREIGN_LAYER || media_type.contains("layer.nondistributable");
    foreign && blob["urls"].as_array().is_some_and(|urls| !urls.is_empty())
}

fn is_index(descriptor: &Value) -> bool {
    descriptor["mediaType"] == DOCKER_LIST || descriptor["mediaType"] == OCI_INDEX
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    text.len() <= 128 && bytes.next().is_some_and(word) && bytes.all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// The descriptor of a manifest whose subject is `digest`, as the referrers list has it.
pub(crate) fn referrer(own: &str, media_type: &str, bytes: &[u8], digest: &str) -> Option<Value> {
    let manifest: Value = serde_json::from_slice(bytes).ok()?;
    if manifest["subject"]["digest"] != digest {
        return None;
    }
    let mut descriptor = Map::new();
    descriptor.insert("mediaType".into(), media_type.into());
    descriptor.insert("digest".into(), own.into());
    descriptor.insert("size".into(), bytes.len().into());
    let kind = manifest.get("artifactType").or_else(|| manifest["config"].get("mediaType"));
    descriptor.extend(kind.map(|kind| ("artifactType".to_owned(), kind.clone())));
    descriptor.extend(manifest.get("annotations").map(|notes| ("annotations".to_owned(), notes.clone())));
    Some(Value::Object(descriptor))
}
