//! The public face: what a command can ask of a registry, one method an operation.

use std::sync::Arc;

use crate::auth::authenticator::{Access, Scope};
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::content::registry::response::{announced_digest, complaint, is_html, manifest_type};
use crate::content::registry::session::Session;
use crate::content::registry::upload::{ANSWER_MAX, UploadStart, Uploads};
use crate::digest::Digest;
use crate::model::media_type;
use crate::net::clock::Clock;
use crate::net::deadline::Deadline;
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::net::options::Options;
use crate::reference::{Reference, Repository};

/// Docker's own limit.
pub(crate) const MANIFEST_MAX: u64 = 4 * 1024 * 1024;

/// A manifest as the registry served it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedManifest {
    /// The media type without parameters; empty where neither the registry nor the manifest names one.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their digest, checked against all that was known of it.
    pub digest: Digest,
}

/// A manifest that the registry has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Whether the response had `OCI-Subject`: this registry lists the manifest as a referrer of its subject.
    pub is_referrer: bool,
}

/// What came of asking for a blob of another repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountResult {
    /// The target repository has the blob now.
    Mounted,
    /// The registry would have had the blob uploaded; nothing changed.
    NotMounted,
}

/// The name that a manifest is put under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestName {
    /// A tag.
    Tag(String),
    /// The manifest's own digest.
    Digest(Digest),
}

/// A client of all registries that one command talks to.
pub struct Registry {
    pub(crate) session: Session,
}

impl Registry {
    /// Makes a client that waits by this clock; deadlines within a request go by the system's all the same. Does no
    /// I/O.
    pub fn with_clock(options: Options, clock: Arc<dyn Clock>) -> Registry {
        Registry { session: Session::new(options, clock) }
    }

    /// How many HTTP requests were sent so far: those for tokens, after redirects and once more are all among them.
    pub fn requests(&self) -> u64 {
        self.session.requests()
    }

    /// Says what the command is going to need of a repository, so that the first token covers all of it.
    pub fn announce(&self, repository: &Repository, access: Access) {
        self.session.announce(repository.domain(), Scope::repository(repository.path(), access));
    }

    /// Says how many exchanges with a repository's registry the command is going to have under way at once.
    ///
    /// Connections for them are then made while the first exchange finds out how the registry speaks.
    pub fn expect(&self, repository: &Repository, exchanges: usize) {
        self.session.expect(repository.domain(), exchanges);
    }

    /// When an operation of several requests that begins now has to be over: as the user has said, if at all.
    pub(crate) fn deadline(&self) -> Deadline {
        self.session.open_ended()
    }

    /// Fetches a manifest by its digest, or by its tag where the reference has no digest. One request.
    ///
    /// A tag beside a digest tells readers what was meant. It may have moved since, or be gone.
    ///
    /// The bytes are exactly those served, at most 4 MiB of them, and a JSON object. They are checked against the
    /// reference's digest and against what the registry says is their digest.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`] where there is none, [`RegistryErrorKind::Verification`] for bytes that are not what was asked for, and what
    /// else stands in the way of an exchange.
    pub fn manifest(&self, reference: &Reference) -> Result<FetchedManifest, RegistryError> {
        self.fetch(reference, false)
    }

    /// The same as the look at a tag before a push: where an account that may push but not pull is refused, its login
    /// is tried once more.
    ///
    /// # Errors
    /// Those of [`Registry::manifest`].
    pub fn look(&self, reference: &Reference) -> Result<FetchedManifest, RegistryError> {
        self.fetch(reference, true)
    }

    fn fetch(&self, reference: &Reference, is_look: bool) -> Result<FetchedManifest, RegistryError> {
        let repository = reference.repository();
        let name = match (reference.tag(), reference.digest()) {
            (_, Some(digest)) => digest.as_str(),
            (Some(tag), None) => tag,
            (None, None) => "latest",
        };
        let target = format!("/v2/{}/manifests/{name}", repository.path());
        let accept = media_type::ACCEPTED.join(", ");
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let reply = self.session.call(&ApiRequest {
            headers: &[("Accept", &accept)],
            cap: MANIFEST_MAX,
            is_look,
            reference: Some(name),
            is_repeatable: true,
            ..ApiRequest::new("GET", repository, &target, &scopes)
        })?;
        served(reference, name, reply)
    }

    /// Fetches a blob of at most `cap` bytes, following redirects. Its digest, and its size where one is given, are
    /// checked.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`] where it is not there, [`RegistryErrorKind::Verification`] for bytes that are not the blob, and what else stands
    /// in the way of an exchange.
    pub fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: Option<u64>,
        cap: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let target = format!("/v2/{}/blobs/{digest}", repository.path());
        let scopes = [Scope::repository(repository.path(), Access::Pull)];
        let reply = self.session.call(&ApiRequest {
            headers: &[("Accept", "*/*")],
            cap: size.map_or(cap, |size| size.min(cap)),
            blob: Some(digest),
            is_repeatable: true,
            ..ApiRequest::new("GET", repository, &target, &scopes)
        })?;
        let wrong = complaint(repository, &reply, RegistryErrorKind::Verification);
        let bytes = reply.answer.body;
        if let Some(size) = size.filter(|size| u64::try_from(bytes.len()).ok() != Some(*size)) {
            return Err(wrong(format!("the blob {digest} has {} bytes, not {size}", bytes.len())));
        }
        if !digest.verifies(&bytes) {
            return Err(wrong(format!("the bytes of the blob {digest} have another digest")));
        }
        Ok(bytes)
    }

    /// Mounts a blob of `source` into `target`, both in the same registry. One request where the registry does it;
    /// where it would rather have an upload, a second one cancels that.
    ///
    /// # Errors
    /// What stands in the way of an exchange; that the registry would rather have an upload is none.
    pub fn mount(
        &self,
        target: &Repository,
        source: &Repository,
        digest: &Digest,
    ) -> Result<MountResult, RegistryError> {
        let deadline = self.session.deadline();
        let uploads = Uploads::of(&self.session, target, &deadline);
        match uploads.mount(source, digest)? {
            UploadStart::Mounted => Ok(MountResult::Mounted),
            UploadStart::Upload(upload) => {
                if let Some(upload) = upload {
                    uploads.cancel(&upload);
                }
                Ok(MountResult::NotMounted)
            }
        }
    }

    /// Uploads a small blob from memory and gives its digest, whether or not it is there already. Two requests.
    ///
    /// # Errors
    /// What stands in the way of an exchange, and a registry that does not take it.
    pub fn put_blob(&self, target: &Repository, bytes: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::of(bytes);
        let deadline = self.session.deadline();
        let uploads = Uploads::of(&self.session, target, &deadline);
        self.session.retrying(target.domain(), true, &deadline, |_| uploads.put(&uploads.begin()?, &digest, bytes))?;
        Ok(digest)
    }

    /// Puts these exact bytes under a tag or their digest. The digest that the registry answers must be theirs. One
    /// request.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Verification`] for a digest that is not the bytes', ours or the registry's; a registry that does not take it,
    /// and what else stands in the way of an exchange.
    pub fn put_manifest(
        &self,
        target: &Repository,
        name: &ManifestName,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<StoredManifest, RegistryError> {
        let (text, digest) = match name {
            ManifestName::Tag(tag) => (tag.as_str(), Digest::of(bytes)),
            ManifestName::Digest(digest) => (digest.as_str(), digest.clone()),
        };
        if !digest.verifies(bytes) {
            let detail = format!("the manifest to be put as {digest} has the digest {}", Digest::of(bytes));
            return Err(RegistryError::new(RegistryErrorKind::Verification, target.domain(), detail));
        }
        let path = format!("/v2/{}/manifests/{text}", target.path());
        let scopes = [Scope::repository(target.path(), Access::PullPush)];
        let reply = self.session.call(&ApiRequest {
            headers: &[("Content-Type", media_type)],
            body: Some(bytes),
            cap: ANSWER_MAX,
            reference: Some(text),
            // What is put under a digest or a tag is the same the second time.
            is_repeatable: true,
            ..ApiRequest::new("PUT", target, &path, &scopes)
        })?;
        stored(target, &digest, bytes, &reply)?;
        let is_referrer = reply.answer.header("OCI-Subject").is_some_and(|subject| !subject.is_empty());
        Ok(StoredManifest { digest, is_referrer })
    }
}

/// What a registry has served as a manifest, checked against all that is known of it; `name` is how it was asked for.
fn served(reference: &Reference, name: &str, reply: ApiResponse) -> Result<FetchedManifest, RegistryError> {
    let repository = reference.repository();
    let (wrong, outside) = (
        complaint(repository, &reply, RegistryErrorKind::Verification),
        complaint(repository, &reply, RegistryErrorKind::Protocol),
    );
    if reply.answer.status != 200 {
        return Err(outside(format!("status {} for a manifest", reply.answer.status)));
    }
    let announced = announced_digest(&reply.answer).map_err(&outside)?;
    let media_type = manifest_type(&reply.answer).map_err(&outside)?;
    let bytes = reply.answer.body;
    if let Some(expected) = reference.digest().filter(|digest| !digest.verifies(&bytes)) {
        // Docker's words, and what it does not say.
        let found = Digest::of(&bytes);
        return Err(wrong(format!("manifest verification failed for digest {expected}: the bytes have {found}")));
    }
    // A signed manifest of docker's first format has the digest of what was signed, not of its bytes.
    let is_signed = media_type.ends_with("+prettyjws");
    if let Some(announced) = announced.filter(|digest| !is_signed && !digest.verifies(&bytes)) {
        return Err(wrong(format!("the bytes of {name} have the digest {}, not {announced}", Digest::of(&bytes))));
    }
    let digest = reference.digest().cloned().unwrap_or_else(|| Digest::of(&bytes));
    Ok(FetchedManifest { media_type, bytes, digest })
}

/// Whether the registry has taken these bytes for what they are.
fn stored(target: &Repository, digest: &Digest, bytes: &[u8], reply: &ApiResponse) -> Result<(), RegistryError> {
    let outside = complaint(target, reply, RegistryErrorKind::Protocol);
    if !matches!(reply.answer.status, 200..=202 | 204) {
        return Err(outside(format!("status {} for a manifest that was put", reply.answer.status)));
    }
    if is_html(&reply.answer) {
        return Err(outside("a web page for a manifest that was put".to_owned()));
    }
    match announced_digest(&reply.answer).map_err(outside)? {
        // Under another algorithm it can still be checked, as the bytes are here.
        Some(stored) if !stored.verifies(bytes) => {
            let wrong = complaint(target, reply, RegistryErrorKind::Verification);
            Err(wrong(format!("it says that it stored {stored}, not {digest}")))
        }
        _ => Ok(()),
    }
}
