//! Checks successful responses, and makes the errors of invalid ones.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::content::registry::request::ApiResponse;
use crate::digest::{Digest, DigestError};
use crate::model::{json, media_type};
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::net::error_response::one_line;

/// How much of a registry's text is shown, in characters.
const SHOWN_CHARS_MAX: usize = 80;
/// Content types that do not say what a manifest is.
const GENERIC_TYPES: [&str; 4] = ["", "text/plain", "application/json", "application/octet-stream"];

impl ApiResponse {
    /// An error about this response.
    fn error(&self, kind: RegistryErrorKind, detail: String) -> RegistryError {
        RegistryError::new(kind, &*self.registry, detail)
            .with_request(self.request.clone())
            .with_status(self.http.status)
    }

    /// The error that the response is outside the protocol.
    pub(crate) fn protocol_error(&self, detail: String) -> RegistryError {
        self.error(RegistryErrorKind::Protocol, detail)
    }

    /// The error that the content is not that which was requested.
    pub(crate) fn verification_error(&self, detail: String) -> RegistryError {
        self.error(RegistryErrorKind::Verification, detail)
    }

    /// The digest that the registry states for the content, if any. A digest of an unsupported algorithm is ignored.
    pub(crate) fn stated_digest(&self) -> Result<Option<Digest>, RegistryError> {
        let Some(text) = self.http.header("Docker-Content-Digest") else { return Ok(None) };
        match text.parse() {
            Err(DigestError::Unsupported) => Ok(None),
            Err(error) => {
                let shown = one_line(&self.http.redact(&text), SHOWN_CHARS_MAX);
                Err(self.protocol_error(format!("a Docker-Content-Digest that is none ({error}): {shown}")))
            }
            Ok(digest) => Ok(Some(digest)),
        }
    }

    /// The digest that the registry states, if it differs from the expected one. A registry may state its canonical
    /// digest in another algorithm (distribution-spec, "Pushing Manifests"); that one cannot be compared here.
    pub(crate) fn differing_digest(&self, expected: &Digest) -> Result<Option<Digest>, RegistryError> {
        let differs = |stated: &Digest| stated.has_same_algorithm(expected) && stated != expected;
        Ok(self.stated_digest()?.filter(differs))
    }

    /// Checks the digest of the blob that the registry has stored or mounted, by this `verb`.
    pub(crate) fn check_digest(&self, verb: &str, expected: &Digest) -> Result<(), RegistryError> {
        match self.differing_digest(expected)? {
            Some(other) => Err(self.verification_error(format!("it says that it {verb} {other}, not {expected}"))),
            None => Ok(()),
        }
    }

    /// Whether it is a web page, for example from a network with a sign-in page.
    pub(crate) fn is_web_page(&self) -> bool {
        let is_html = |value: &str| media_type::essence(value).eq_ignore_ascii_case("text/html");
        self.http.header("Content-Type").as_deref().is_some_and(is_html)
    }

    /// The media type of a manifest: that of the response, unless it is generic and the document states one.
    /// `manifest::effective_media_type` decides about a document without one.
    ///
    /// # Errors
    /// Content that is no manifest.
    pub(crate) fn checked_manifest_media_type(&self) -> Result<String, RegistryError> {
        let http = &self.http;
        if self.is_web_page() {
            return Err(self.protocol_error("a web page where a manifest should be".to_owned()));
        }
        let is_object = http.body.trim_ascii_start().starts_with(b"{");
        if !is_object || serde_json::from_slice::<IgnoredAny>(&http.body).is_err() {
            let start = one_line(&http.redact(&String::from_utf8_lossy(&http.body)), SHOWN_CHARS_MAX);
            return Err(self.protocol_error(format!("no JSON object where a manifest should be: {start:?}")));
        }
        let served = http.header("Content-Type").unwrap_or_default();
        // A Content-Type without a slash is no media type and counts as missing.
        let served = Some(media_type::essence(&served).to_ascii_lowercase()).filter(|served| served.contains('/'));
        let served = served.unwrap_or_default();
        if !GENERIC_TYPES.contains(&served.as_str()) {
            return Ok(served);
        }
        let manifest = json::parse(&http.body).unwrap_or_default();
        let stated = manifest.get("mediaType").and_then(Value::as_str).filter(|stated| !stated.is_empty());
        Ok(stated.map_or(served, str::to_owned))
    }
}
