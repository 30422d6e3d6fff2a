//! Checks successful responses, and words the errors about invalid ones.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::content::registry::request::ApiResponse;
use crate::digest::{Digest, DigestError};
use crate::model::{json, media_type};
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::net::refusal::line;
use crate::net::response::HttpResponse;
use crate::reference::Repository;

/// How much of a registry's text is shown, in characters.
const SHOWN_MAX: usize = 80;
/// Content types that do not say what a manifest is.
const GENERIC_TYPES: [&str; 4] = ["", "text/plain", "application/json", "application/octet-stream"];

/// Returns a function that makes errors about an invalid response.
pub(crate) fn response_error<'a>(
    repository: &'a Repository,
    response: &ApiResponse,
    kind: RegistryErrorKind,
) -> impl Fn(String) -> RegistryError + use<'a> {
    let (request, status) = (response.request.clone(), response.http.status);
    move |detail| RegistryError::new(kind, repository.domain(), detail).at(request.clone()).with_status(status)
}

/// The digest that the registry states for the content, if any. A digest of an unsupported algorithm is ignored.
pub(crate) fn announced_digest(response: &HttpResponse) -> Result<Option<Digest>, String> {
    let Some(text) = response.header("Docker-Content-Digest") else { return Ok(None) };
    let shown = || line(&response.quote(&text), SHOWN_MAX);
    match text.parse() {
        Err(DigestError::Unsupported) => Ok(None),
        Err(error) => Err(format!("a Docker-Content-Digest that is none ({error}): {}", shown())),
        Ok(digest) => Ok(Some(digest)),
    }
}

/// The digest that a response states, if it differs from the expected one. A registry may state its canonical digest in
/// another algorithm (distribution-spec, "Pushing Manifests"); that one cannot be compared here.
pub(crate) fn other_digest(announced: Option<Digest>, expected: &Digest) -> Option<Digest> {
    announced.filter(|announced| announced.is_comparable(expected) && announced != expected)
}

/// Whether it is a web page, for example from a network with a sign-in page.
pub(crate) fn is_html(response: &HttpResponse) -> bool {
    response.header("Content-Type").is_some_and(|value| media_type::essence(&value).eq_ignore_ascii_case("text/html"))
}

/// The media type of a manifest: that of the response, unless it is generic and the document states one. The error says
/// that the content is no manifest.
pub(crate) fn manifest_type(response: &HttpResponse) -> Result<String, String> {
    if is_html(response) {
        return Err("a web page where a manifest should be".to_owned());
    }
    let is_object = response.body.trim_ascii_start().starts_with(b"{");
    if !is_object || serde_json::from_slice::<IgnoredAny>(&response.body).is_err() {
        let start = line(&response.quote(&String::from_utf8_lossy(&response.body)), SHOWN_MAX);
        return Err(format!("no JSON object where a manifest should be: {start:?}"));
    }
    let served = response.header("Content-Type").unwrap_or_default();
    // A Content-Type without a slash is no media type and counts as missing.
    let served = Some(media_type::essence(&served).to_ascii_lowercase()).filter(|served| served.contains('/'));
    let served = served.unwrap_or_default();
    if !GENERIC_TYPES.contains(&served.as_str()) {
        return Ok(served);
    }
    let manifest = json::parse(&response.body).unwrap_or_default();
    let stated = manifest.get("mediaType").and_then(Value::as_str).filter(|stated| !stated.is_empty());
    Ok(stated.map_or(served, str::to_owned))
}
