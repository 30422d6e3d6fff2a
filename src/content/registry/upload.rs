//! Uploads of blobs, step by step, as the OCI distribution specification has them: begun with POST, sent with PATCH,
//! and finished with PUT, each answer naming the place for the next step.

use crate::auth::authenticator::{Access, Scope};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::response::{announced_digest, complaint, contradiction};
use crate::content::registry::session::Session;
use crate::digest::Digest;
use crate::net::body::RequestBody;
use crate::net::deadline::Deadline;
use crate::net::error::{AddressSource, RegistryError, RegistryErrorKind};
use crate::net::url::Url;
use crate::reference::Repository;

/// For the answers to writes, which nobody reads; in bytes.
pub(crate) const ANSWER_MAX: u64 = 1024 * 1024;

const BYTES: (&str, &str) = ("Content-Type", "application/octet-stream");

/// An upload that the registry has begun: the place for its next step. It can be on any server.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    url: Url,
}

/// What came of asking for a mount.
#[derive(Debug)]
pub(crate) enum UploadStart {
    /// The blob is there.
    Mounted,
    /// The registry would have it uploaded; `None` where it does not say to where.
    Upload(Option<Upload>),
}

/// The uploads into one repository.
pub(crate) struct Uploads<'a> {
    session: &'a Session,
    target: &'a Repository,
    scopes: [Scope; 1],
    deadline: &'a Deadline,
}

impl<'a> Uploads<'a> {
    /// Those into this repository, all to be over by this deadline. Does no I/O.
    pub(crate) fn of(session: &'a Session, target: &'a Repository, deadline: &'a Deadline) -> Uploads<'a> {
        Uploads { session, target, scopes: [Scope::repository(target.path(), Access::PullPush)], deadline }
    }

    /// Asks for a blob that another repository of the same registry has. One request.
    pub(crate) fn mount(&self, source: &Repository, digest: &Digest) -> Result<UploadStart, RegistryError> {
        let path = format!("/v2/{}/blobs/uploads/?mount={digest}&from={}", self.target.path(), source.path());
        let [own] = self.scopes.clone();
        let scopes = [own, Scope::repository(source.path(), Access::Pull)];
        // A mount that was made is made; an upload that was begun for nothing is thrown away by the registry.
        let reply = self.session.call(&ApiRequest {
            target: &path,
            scopes: &scopes,
            body: Some(&[]),
            blob: Some(digest),
            is_repeatable: true,
            ..self.step("POST")
        })?;
        match reply.answer.status {
            201 => {
                let outside = complaint(self.target, &reply, RegistryErrorKind::Protocol);
                match contradiction(announced_digest(&reply.answer).map_err(outside)?, digest) {
                    Some(mounted) => {
                        let wrong = complaint(self.target, &reply, RegistryErrorKind::Verification);
                        Err(wrong(format!("it says that it mounted {mounted}, not {digest}")))
                    }
                    None => Ok(UploadStart::Mounted),
                }
            }
            202 => Ok(UploadStart::Upload(self.place(&reply).ok())),
            status => {
                Err(complaint(self.target, &reply, RegistryErrorKind::Protocol)(format!("status {status} for a mount")))
            }
        }
    }

    /// Begins an upload. One request.
    pub(crate) fn begin(&self) -> Result<Upload, RegistryError> {
        let path = format!("/v2/{}/blobs/uploads/", self.target.path());
        let call = ApiRequest { target: &path, body: Some(&[]), is_repeatable: true, ..self.step("POST") };
        let reply = self.session.call(&call)?;
        let outside = complaint(self.target, &reply, RegistryErrorKind::Protocol);
        if reply.answer.status != 202 {
            return Err(outside(format!("status {} for an upload to begin", reply.answer.status)));
        }
        self.place(&reply).map_err(outside)
    }

    /// Sends what there is in one PATCH, to go on from `offset`, and says where the next step is to go.
    pub(crate) fn patch(
        &self,
        upload: &Upload,
        offset: u64,
        body: &mut RequestBody<'_>,
    ) -> Result<Upload, RegistryError> {
        // A whole stream needs none, and without its length there is no end to name.
        let end = body.length.filter(|_| offset > 0).map(|length| offset.saturating_add(length).saturating_sub(1));
        let range = end.map(|end| format!("{offset}-{end}"));
        let headers: Vec<(&'static str, &str)> =
            [BYTES].into_iter().chain(range.as_deref().map(|range| ("Content-Range", range))).collect();
        let call = ApiRequest { headers: &headers, ..self.step("PATCH") };
        let reply = self.session.upload(&call, &upload.url, body)?;
        // The specification has a Location here; without one the place stays what it was.
        Ok(self.place(&reply).unwrap_or_else(|_| upload.clone()))
    }

    /// Finishes an upload with a body that is read as it goes out.
    pub(crate) fn put_stream(
        &self,
        upload: &Upload,
        digest: &Digest,
        body: &mut RequestBody<'_>,
    ) -> Result<(), RegistryError> {
        let url = upload.url.with_query(&format!("digest={digest}"));
        let call = ApiRequest { headers: &[BYTES], blob: Some(digest), ..self.step("PUT") };
        let reply = self.session.upload(&call, &url, body)?;
        self.stored(&reply, digest)
    }

    /// Finishes an upload with these bytes: all of the blob or, after a PATCH, none.
    pub(crate) fn put(&self, upload: &Upload, digest: &Digest, bytes: &[u8]) -> Result<(), RegistryError> {
        let url = upload.url.with_query(&format!("digest={digest}"));
        // Not repeatable: once it had its effect the upload is gone.
        let call = ApiRequest { headers: &[BYTES], body: Some(bytes), blob: Some(digest), ..self.step("PUT") };
        let reply = self.session.call_at(&call, &url, AddressSource::Upload)?;
        self.stored(&reply, digest)
    }

    /// How many bytes of an upload have arrived, and where to go on; `None` where that cannot be known for sure.
    pub(crate) fn offset(&self, upload: &Upload) -> Result<Option<(u64, Upload)>, RegistryError> {
        let call = ApiRequest { is_repeatable: true, ..self.step("GET") };
        let reply = match self.session.call_at(&call, &upload.url, AddressSource::Upload) {
            // An upload that is not known any more, or a registry that does not say.
            Err(error) if error.status.is_some_and(|status| matches!(status, 400 | 404 | 405 | 410 | 416)) => {
                return Ok(None);
            }
            outcome => outcome?,
        };
        let Some(last) = reply.answer.header("Range").as_deref().and_then(last_of) else { return Ok(None) };
        let next = self.place(&reply).unwrap_or_else(|_| upload.clone());
        // `0-0` is said of nothing as well as of one byte.
        Ok((last > 0).then(|| (last.saturating_add(1), next)))
    }

    /// Cancels an upload, as a courtesy to the registry itself: whatever comes of it.
    pub(crate) fn cancel(&self, upload: &Upload) {
        if self.session.is_home(self.target.domain(), &upload.url).unwrap_or(false) {
            self.session.courtesy(&self.step("DELETE"), &upload.url);
        }
    }

    fn step(&self, method: &'static str) -> ApiRequest<'_> {
        let (cap, deadline) = (ANSWER_MAX, Some(self.deadline));
        ApiRequest { cap, deadline, ..ApiRequest::new(method, self.target, "", &self.scopes) }
    }

    fn place(&self, reply: &ApiResponse) -> Result<Upload, String> {
        let location = reply.answer.location().ok_or("no Location for an upload")?;
        let url = self.session.place(reply, &location);
        url.map(|url| Upload { url }).map_err(|why| format!("a Location for an upload that is unusable: {why}"))
    }

    fn stored(&self, reply: &ApiResponse, digest: &Digest) -> Result<(), RegistryError> {
        let outside = complaint(self.target, reply, RegistryErrorKind::Protocol);
        if !matches!(reply.answer.status, 200 | 201 | 204) {
            return Err(outside(format!("status {} for a blob that was put", reply.answer.status)));
        }
        match contradiction(announced_digest(&reply.answer).map_err(outside)?, digest) {
            Some(stored) => {
                let wrong = complaint(self.target, reply, RegistryErrorKind::Verification);
                Err(wrong(format!("it says that it stored {stored}, not {digest}")))
            }
            None => Ok(()),
        }
    }
}

/// The last offset of `0-99` or `bytes=0-99`; `None` for any other form.
pub(crate) fn last_of(range: &str) -> Option<u64> {
    let range = range.strip_prefix("bytes=").or_else(|| range.strip_prefix("bytes ")).unwrap_or(range);
    range.strip_prefix("0-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_from_the_beginning_says_what_has_arrived() {
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
            assert_eq!(last_of(range), last, "{range}");
        }
    }
}
