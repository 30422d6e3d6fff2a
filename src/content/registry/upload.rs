//! Uploads of blobs (distribution-spec, "Pushing Blobs"): POST begins one, PATCH sends data, and PUT finishes it. Each
//! response names the location of the next step.

use crate::auth::scope::{Access, Scopes};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::session::Session;
use crate::digest::Digest;
use crate::net::body::RequestBody;
use crate::net::deadline::Deadline;
use crate::net::error::{RegistryError, ServerNamedBy};
use crate::net::url::Url;
use crate::reference::Repository;

/// The largest response to a write, in bytes. Its body is ignored.
pub(crate) const WRITE_RESPONSE_MAX: u64 = 1024 * 1024;

const OCTET_STREAM: (&str, &str) = ("Content-Type", "application/octet-stream");

/// An upload that the registry has begun, with the location of its next step. The location may be on any server.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    url: Url,
}

/// The result of a mount request.
#[derive(Debug)]
pub(crate) enum UploadStart {
    /// The blob was mounted.
    Mounted,
    /// The registry began an upload instead; `None` if it named no location.
    Upload(Option<Upload>),
}

/// Uploads into one repository.
pub(crate) struct Uploads<'a> {
    session: &'a Session,
    target: &'a Repository,
    deadline: &'a Deadline,
}

impl<'a> Uploads<'a> {
    /// Uploads into this repository that must end by this deadline. Does no I/O.
    pub(crate) fn new(session: &'a Session, target: &'a Repository, deadline: &'a Deadline) -> Uploads<'a> {
        Uploads { session, target, deadline }
    }

    /// Requests the mount of a blob of another repository in the same registry. One request.
    pub(crate) fn mount(&self, source: &Repository, digest: &Digest) -> Result<UploadStart, RegistryError> {
        let request = self.request("POST");
        // Mounting twice does no harm, and the registry discards an upload that is not continued.
        let response = self.session.send(&ApiRequest {
            target: format!("{}?mount={digest}&from={}", request.target, source.path()),
            scopes: request.scopes.union(&Scopes::repository(source.path(), Access::Pull)),
            body: Some(&[]),
            blob: Some(digest),
            is_repeatable: true,
            ..request
        })?;
        match response.http.status {
            201 => response.check_digest("mounted", digest).map(|()| UploadStart::Mounted),
            202 => Ok(UploadStart::Upload(self.next_location(&response).ok())),
            status => Err(response.protocol_error(format!("status {status} for a mount"))),
        }
    }

    /// Begins an upload. One request.
    pub(crate) fn begin(&self) -> Result<Upload, RegistryError> {
        let request = ApiRequest { body: Some(&[]), is_repeatable: true, ..self.request("POST") };
        let response = self.session.send(&request)?;
        if response.http.status != 202 {
            let detail = format!("status {} for an upload to begin", response.http.status);
            return Err(response.protocol_error(detail));
        }
        self.next_location(&response).map_err(|reason| response.protocol_error(reason))
    }

    /// Sends a body in one PATCH that continues at `offset`. Returns the location of the next step.
    pub(crate) fn patch(
        &self,
        upload: &Upload,
        offset: u64,
        body: &mut RequestBody<'_>,
    ) -> Result<Upload, RegistryError> {
        // A whole stream needs no range, and without a length the range has no end.
        let end = body.length.filter(|_| offset > 0).map(|length| offset.saturating_add(length).saturating_sub(1));
        let range = end.map(|end| format!("{offset}-{end}"));
        let headers: Vec<(&'static str, &str)> =
            [OCTET_STREAM].into_iter().chain(range.as_deref().map(|range| ("Content-Range", range))).collect();
        let request = ApiRequest { headers: &headers, ..self.request("PATCH") };
        let response = self.session.upload(&request, &upload.url, body)?;
        // The specification requires a Location here. Without one the location does not change.
        Ok(self.next_location(&response).unwrap_or_else(|_| upload.clone()))
    }

    /// Finishes an upload with a body that is read while it is sent.
    pub(crate) fn finish_with_stream(
        &self,
        upload: &Upload,
        digest: &Digest,
        body: &mut RequestBody<'_>,
    ) -> Result<(), RegistryError> {
        let url = upload.url.with_query(&format!("digest={digest}"));
        let request = ApiRequest { headers: &[OCTET_STREAM], blob: Some(digest), ..self.request("PUT") };
        let response = self.session.upload(&request, &url, body)?;
        check_stored(&response, digest)
    }

    /// Finishes an upload with these bytes: the whole blob or, after a PATCH, none.
    pub(crate) fn finish_with_bytes(
        &self,
        upload: &Upload,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let url = upload.url.with_query(&format!("digest={digest}"));
        // Not repeatable: after a success the upload no longer exists.
        let request =
            ApiRequest { headers: &[OCTET_STREAM], body: Some(bytes), blob: Some(digest), ..self.request("PUT") };
        let response = self.session.send_at(&request, &url, ServerNamedBy::UploadLocation)?;
        check_stored(&response, digest)
    }

    /// The number of bytes that the registry has of an upload, and the location to continue at; `None` if that is not
    /// certain.
    pub(crate) fn offset(&self, upload: &Upload) -> Result<Option<(u64, Upload)>, RegistryError> {
        let response = match self.session.send_at(&self.request("GET"), &upload.url, ServerNamedBy::UploadLocation) {
            // The upload no longer exists, or the registry does not report its progress.
            Err(error) if error.status.is_some_and(|status| matches!(status, 400 | 404 | 405 | 410 | 416)) => {
                return Ok(None);
            }
            outcome => outcome?,
        };
        let Some(last) = response.http.header("Range").as_deref().and_then(last_offset) else { return Ok(None) };
        let next = self.next_location(&response).unwrap_or_else(|_| upload.clone());
        // Registries send `0-0` both for no byte and for one byte.
        Ok((last > 0).then(|| (last.saturating_add(1), next)))
    }

    /// Cancels an upload, so that the registry need not keep it. The result is ignored.
    pub(crate) fn cancel(&self, upload: &Upload) {
        if self.session.is_registry_origin(self.target.domain(), &upload.url).unwrap_or(false) {
            let request = ApiRequest { is_repeatable: false, ..self.request("DELETE") };
            self.session.send_best_effort(&request, &upload.url);
        }
    }

    fn request(&self, method: &'static str) -> ApiRequest<'_> {
        let (response_max, deadline) = (WRITE_RESPONSE_MAX, Some(self.deadline));
        ApiRequest {
            response_max,
            deadline,
            ..ApiRequest::new(method, self.target, "blobs/uploads/", Access::PullPush)
        }
    }

    fn next_location(&self, response: &ApiResponse) -> Result<Upload, String> {
        let location = response.http.location().ok_or("no Location for an upload")?;
        let url = self.session.resolve_location(response, &location);
        url.map(|url| Upload { url }).map_err(|reason| format!("a Location for an upload that is unusable: {reason}"))
    }
}

fn check_stored(response: &ApiResponse, digest: &Digest) -> Result<(), RegistryError> {
    if !matches!(response.http.status, 200 | 201 | 204) {
        return Err(response.protocol_error(format!("status {} for a blob that was put", response.http.status)));
    }
    response.check_digest("stored", digest)
}

/// The last offset of `0-99` or `bytes=0-99`; `None` for any other form.
pub(crate) fn last_offset(range: &str) -> Option<u64> {
    let range = range.strip_prefix("bytes=").or_else(|| range.strip_prefix("bytes ")).unwrap_or(range);
    range.strip_prefix("0-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_of_an_upload_counts_only_from_the_beginning() {
        for (range, last) in [
            ("0-99", Some(99)),
            ("bytes=0-99", Some(99)),
            ("0-0", Some(0)),
            ("1-99", None),
            ("0-", None),
            ("0-99/200", None),
            ("99", None),
            ("", None),
            ("0-99999999999999999999999", None),
        ] {
            assert_eq!(last_offset(range), last, "{range}");
        }
    }
}
