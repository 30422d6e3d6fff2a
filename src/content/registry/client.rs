//! The registry client, and its operations on manifests, mounts and small blobs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::auth::scope::{Access, Scopes};
use crate::content::registry::expected_connections::ExpectedConnections;
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::session::Session;
use crate::content::registry::upload::{UploadStart, Uploads, WRITE_RESPONSE_MAX};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::media_type;
use crate::net::clock::Clock;
use crate::net::deadline::Deadline;
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::net::options::ClientOptions;
use crate::reference::{Reference, Repository};
use crate::sync::lock;

/// Docker's own limit, in bytes.
pub(crate) const MANIFEST_MAX: u64 = 4 * 1024 * 1024;

/// A manifest as the registry served it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedManifest {
    /// The media type without parameters; empty if neither the registry nor the manifest states one.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// The digest of the bytes, checked against the requested and the stated digest.
    pub digest: Digest,
}

impl FetchedManifest {
    /// Its descriptor, with nothing but media type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest.clone(), self.bytes.len() as u64)
    }
}

/// A manifest that the registry accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Whether the response had `OCI-Subject`: the registry processed the subject, and lists the manifest as a referrer
    /// of it (distribution-spec, "Pushing Manifests with Subject").
    pub subject_processed: bool,
}

/// The tag or digest that a manifest is put under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestName {
    /// A tag.
    Tag(String),
    /// The manifest's own digest.
    Digest(Digest),
}

impl ManifestName {
    /// The tag, or the digest as text.
    pub fn as_str(&self) -> &str {
        match self {
            ManifestName::Tag(tag) => tag,
            ManifestName::Digest(digest) => digest.as_str(),
        }
    }
}

/// A client for all registries of one command.
pub struct RegistryClient {
    pub(crate) session: Session,
    /// The results of prefetched tag checks, until they are used.
    prefetched: Mutex<BTreeMap<Reference, Result<FetchedManifest, RegistryError>>>,
}

impl RegistryClient {
    /// A client whose waits use this clock. Deadlines within a request use the system's clock. Does no I/O.
    pub fn with_clock(options: ClientOptions, clock: Arc<dyn Clock>) -> RegistryClient {
        RegistryClient { session: Session::new(options, clock), prefetched: Mutex::default() }
    }

    /// The time limit that the user set for an operation.
    pub fn time_limit(&self) -> Option<Duration> {
        self.session.timeout
    }

    /// The maximum of concurrent requests.
    pub fn jobs(&self) -> NonZeroUsize {
        self.session.jobs
    }

    /// The number of HTTP requests that were sent so far, including those for tokens, redirects and retries. A
    /// prefetched check of a tag counts once it is used.
    pub fn requests(&self) -> u64 {
        let prefetched = u64::try_from(lock(&self.prefetched).len()).unwrap_or_default();
        self.session.transport.request_count().saturating_sub(prefetched)
    }

    /// Whether a response of the registry has shown so far that it is Artifactory.
    pub(crate) fn is_artifactory(&self, repository: &Repository) -> bool {
        lock(&self.session.artifactory).contains(repository.domain())
    }

    /// Whether the user may be logged in to a repository's registry, decided without running a credential helper.
    pub(crate) fn may_have_login(&self, repository: &Repository) -> bool {
        self.session.authenticator.may_have_login(repository.domain())
    }

    /// Records the access that the command will need, so that the first token covers all of it.
    pub fn expect_access(&self, repository: &Repository, access: Access) {
        let scopes = Scopes::repository(repository.path(), access);
        self.session.authenticator.expect_scopes(repository.domain(), &scopes);
    }

    /// Records the number of parallel requests to a repository's registry.
    ///
    /// Connections for them are opened while the first request finds out the protocol of the registry, and while a
    /// token is requested.
    pub(crate) fn expect_parallel_requests(&self, repository: &Repository, expected: ExpectedConnections) {
        self.session.expected_connections.expect_at_least(repository.domain(), expected);
    }

    /// The deadline of an operation of several requests that begins now, if the user set one.
    pub(crate) fn new_user_deadline(&self) -> Deadline {
        self.session.new_user_deadline()
    }

    /// Fetches a manifest by its digest, or by its tag if the reference has no digest. One request.
    ///
    /// A tag beside a digest is ignored: it may have moved since, or no longer exist.
    ///
    /// The bytes are exactly those served. They are at most 4 MiB and a JSON object, and are checked against the
    /// reference's digest and against the digest that the registry states.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`] if there is no such manifest, [`RegistryErrorKind::Verification`] for bytes with
    /// another digest, and any failure of the request.
    pub fn manifest(&self, reference: &Reference) -> Result<FetchedManifest, RegistryError> {
        self.fetch(reference, false)
    }

    /// As [`RegistryClient::manifest`], for the check of a tag before a push: if an account that may push but not
    /// pull is refused, its login may be probed once more.
    ///
    /// # Errors
    /// Those of [`RegistryClient::manifest`].
    pub fn manifest_before_push(&self, reference: &Reference) -> Result<FetchedManifest, RegistryError> {
        let prefetched = lock(&self.prefetched).remove(reference);
        prefetched.unwrap_or_else(|| self.fetch(reference, true))
    }

    /// Fetches the manifest of a tag, while the command sends other requests. The next check of the tag uses it. If the
    /// tag does not exist, the command is going to write everything, so connections for the writes are opened.
    pub(crate) fn prefetch_and_preconnect(&self, reference: &Reference) {
        let found = self.fetch(reference, true);
        let registry = reference.repository().domain();
        if found.as_ref().is_err_and(|error| error.kind == RegistryErrorKind::NotFound)
            && let Ok(endpoint) = self.session.endpoints.get(registry)
        {
            self.session.expected_connections.preconnect_all(&self.session.transport, &endpoint, registry);
        }
        lock(&self.prefetched).insert(reference.clone(), found);
    }

    fn fetch(&self, reference: &Reference, is_check_before_push: bool) -> Result<FetchedManifest, RegistryError> {
        let name = match (reference.tag(), reference.digest()) {
            (_, Some(digest)) => digest.as_str(),
            (Some(tag), None) => tag,
            (None, None) => "latest",
        };
        let accept = media_type::ACCEPTED.join(", ");
        let response = self.session.send(&ApiRequest {
            headers: &[("Accept", &accept)],
            response_max: MANIFEST_MAX,
            is_check_before_push,
            ..ApiRequest::manifest("GET", reference.repository(), name, Access::Pull)
        })?;
        verified_manifest(reference.digest(), name, response)
    }

    /// Fetches a blob of at most `max` bytes. Follows redirects. Checks the digest, and the size if one is given.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`] if there is no such blob, [`RegistryErrorKind::Verification`] for bytes with
    /// another digest or size, and any failure of the request.
    pub fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: Option<u64>,
        max: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let response = self.session.send(&ApiRequest {
            headers: &[("Accept", "*/*")],
            response_max: size.map_or(max, |size| size.min(max)),
            ..ApiRequest::blob("GET", repository, digest, Access::Pull)
        })?;
        let bytes = &response.http.body;
        if let Some(size) = size.filter(|size| u64::try_from(bytes.len()).ok() != Some(*size)) {
            return Err(response.verification_error(format!("the blob {digest} has {} bytes, not {size}", bytes.len())));
        }
        if !digest.verifies(bytes) {
            return Err(response.verification_error(format!("the bytes of the blob {digest} have another digest")));
        }
        Ok(response.http.body)
    }

    /// Mounts a blob of `source` into `target`, both in the same registry. Returns whether the target has it now. One
    /// request. If the registry begins an upload instead, a second request cancels it, and nothing has changed.
    ///
    /// # Errors
    /// Any failure of the request. An upload instead of a mount is no error.
    pub fn mount(&self, target: &Repository, source: &Repository, digest: &Digest) -> Result<bool, RegistryError> {
        let deadline = self.session.deadline();
        let uploads = Uploads::new(&self.session, target, &deadline);
        match uploads.mount(source, digest)? {
            UploadStart::Mounted => Ok(true),
            UploadStart::Upload(upload) => {
                upload.iter().for_each(|upload| uploads.cancel(upload));
                Ok(false)
            }
        }
    }

    /// Uploads a small blob from memory, even if it exists already. Returns its digest. Two requests.
    ///
    /// # Errors
    /// Any failure of the requests, and a registry that refuses the blob.
    pub fn put_blob(&self, target: &Repository, bytes: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::from_bytes(bytes);
        let deadline = self.session.deadline();
        let uploads = Uploads::new(&self.session, target, &deadline);
        let put = |_| uploads.finish_with_bytes(&uploads.begin()?, &digest, bytes);
        self.session.policy.run(target.domain(), true, &deadline, put)?;
        Ok(digest)
    }

    /// Puts these exact bytes under a tag or their digest. The digest in the registry's response must be theirs. One
    /// request.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Verification`] if `name` or the response has another digest, a registry that refuses the
    /// manifest, and any failure of the request.
    pub fn put_manifest(
        &self,
        target: &Repository,
        name: &ManifestName,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<StoredManifest, RegistryError> {
        self.put_manifest_on_condition(target, name, media_type, bytes, None)
    }

    /// The same, on the condition that the tag or the digest is not there yet (RFC 9110, section 13.1.2). One request.
    ///
    /// A registry that supports the condition answers 412 where there is something. Most ignore it.
    ///
    /// # Errors
    /// Those of [`RegistryClient::put_manifest`].
    pub fn put_new_manifest(
        &self,
        target: &Repository,
        name: &ManifestName,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<StoredManifest, RegistryError> {
        self.put_manifest_on_condition(target, name, media_type, bytes, Some(("If-None-Match", "*")))
    }

    fn put_manifest_on_condition(
        &self,
        target: &Repository,
        name: &ManifestName,
        media_type: &str,
        bytes: &[u8],
        condition: Option<(&'static str, &str)>,
    ) -> Result<StoredManifest, RegistryError> {
        let digest = match name {
            ManifestName::Tag(_) => Digest::from_bytes(bytes),
            ManifestName::Digest(digest) => digest.clone(),
        };
        if !digest.verifies(bytes) {
            let detail = format!("the manifest to be put as {digest} has the digest {}", Digest::from_bytes(bytes));
            return Err(RegistryError::new(RegistryErrorKind::Verification, target.domain(), detail));
        }
        let headers: Vec<(&'static str, &str)> = [("Content-Type", media_type)].into_iter().chain(condition).collect();
        let response = self.session.send(&ApiRequest {
            headers: &headers,
            body: Some(bytes),
            response_max: WRITE_RESPONSE_MAX,
            // The same bytes under the same name: a second put changes nothing, unless it is to be the first.
            is_repeatable: condition.is_none(),
            ..ApiRequest::manifest("PUT", target, name.as_str(), Access::PullPush)
        })?;
        check_stored(&digest, bytes, &response)?;
        let subject_processed = response.http.header("OCI-Subject").is_some_and(|subject| !subject.is_empty());
        Ok(StoredManifest { digest, subject_processed })
    }
}

/// The manifest in a response, checked against the requested and the stated digest. `name` is the requested tag or
/// digest.
fn verified_manifest(
    expected: Option<&Digest>,
    name: &str,
    response: ApiResponse,
) -> Result<FetchedManifest, RegistryError> {
    if response.http.status != 200 {
        return Err(response.protocol_error(format!("status {} for a manifest", response.http.status)));
    }
    let stated = response.stated_digest()?;
    let media_type = response.checked_manifest_media_type()?;
    let found = || Digest::from_bytes(&response.http.body);
    let is_other_digest = |digest: &&Digest| !digest.verifies(&response.http.body);
    if let Some(expected) = expected.filter(is_other_digest) {
        // Docker's message, and the digest that docker does not name.
        let detail = format!("manifest verification failed for digest {expected}: the bytes have {}", found());
        return Err(response.verification_error(detail));
    }
    // The digest of a signed schema 1 manifest is that of the signed content, not of its bytes.
    let is_signed = media_type.ends_with("+prettyjws");
    if let Some(stated) = stated.as_ref().filter(is_other_digest).filter(|_| !is_signed) {
        return Err(
            response.verification_error(format!("the bytes of {name} have the digest {}, not {stated}", found()))
        );
    }
    let digest = expected.cloned().unwrap_or_else(found);
    Ok(FetchedManifest { media_type, digest, bytes: response.http.body })
}

/// Checks that the registry stored exactly these bytes.
fn check_stored(digest: &Digest, bytes: &[u8], response: &ApiResponse) -> Result<(), RegistryError> {
    if !matches!(response.http.status, 200..=202 | 204) {
        return Err(response.protocol_error(format!("status {} for a manifest that was put", response.http.status)));
    }
    if response.is_web_page() {
        return Err(response.protocol_error("a web page for a manifest that was put".to_owned()));
    }
    match response.stated_digest()? {
        // A digest of another algorithm can be checked too, because the bytes are here.
        Some(stored) if !stored.verifies(bytes) => {
            Err(response.verification_error(format!("it says that it stored {stored}, not {digest}")))
        }
        _ => Ok(()),
    }
}
