//! The probes, their dependencies and their results.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::net::{RegistryError, RegistryErrorKind};

/// One feature of a registry, in the order of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Probe {
    /// Uploads of blobs. Printed only if they fail, which ends the check.
    Upload,
    /// Images in Docker's format, by their digests.
    DockerImages,
    /// Docker's manifest list.
    DockerList,
    /// Images in OCI's format.
    OciImages,
    /// OCI's image index.
    OciIndex,
    /// Mounting a blob of another repository.
    Mount,
    /// A list without a tag.
    ByDigest,
    /// Annotations of an index and of its descriptors.
    Annotations,
    /// The artifact type of an index.
    ArtifactType,
    /// An index that names another index.
    NestedIndex,
    /// A manifest whose subject is an image.
    Referrers,
    /// The list of all tags.
    TagListing,
    /// Deleting a tag without its manifest.
    TagDeletion,
    /// Deleting a manifest.
    ManifestDeletion,
    /// An entry of a shared draft, under the tag that `add --shared` gives it.
    SharedEntry,
    /// Another entry under the same tag, as a job stores it that runs again.
    EntryReplacement,
    /// Deleting an entry, but not its image.
    EntryDeletion,
    /// A push on the condition that no other client has pushed.
    ConditionalPush,
}

impl Probe {
    /// The name for people, and the probes of which one must have succeeded; none if it depends on none.
    fn title_and_any_needed(self) -> (&'static str, &'static [Probe]) {
        const ANY_LIST: &[Probe] = &[Probe::DockerList, Probe::OciIndex];
        match self {
            Probe::Upload => ("blob upload", &[]),
            Probe::DockerImages => ("Docker images", &[]),
            Probe::DockerList => ("Docker manifest list", &[Probe::DockerImages]),
            Probe::OciImages => ("OCI images", &[]),
            Probe::OciIndex => ("OCI image index", &[Probe::OciImages]),
            Probe::Mount => ("cross-repository mount", &[]),
            Probe::ByDigest => ("push by digest", ANY_LIST),
            Probe::Annotations => ("annotations", &[Probe::OciIndex]),
            Probe::ArtifactType => ("artifact type", &[Probe::OciIndex]),
            Probe::NestedIndex => ("nested index", &[Probe::OciIndex]),
            Probe::Referrers => ("referrers", &[Probe::OciImages]),
            Probe::TagListing => ("tag listing", ANY_LIST),
            Probe::TagDeletion => ("tag deletion", ANY_LIST),
            Probe::ManifestDeletion => ("manifest deletion", &[Probe::ByDigest]),
            Probe::SharedEntry => ("shared draft entry", ANY_LIST),
            Probe::EntryReplacement => ("entry replacement", &[Probe::SharedEntry]),
            Probe::EntryDeletion => ("entry deletion", &[Probe::SharedEntry]),
            Probe::ConditionalPush => ("conditional push", &[Probe::EntryReplacement]),
        }
    }

    /// The name for people.
    pub(crate) fn title(self) -> &'static str {
        self.title_and_any_needed().0
    }
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "remark", rename_all = "kebab-case")]
pub(crate) enum ProbeResult {
    /// The feature works.
    Works,
    /// The feature works, with a remark.
    WorksWithRemark(String),
    /// The feature fails, and why.
    Fails(String),
    /// The probe was not run, and why.
    NotTried(String),
}

impl ProbeResult {
    /// Whether the feature works.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self, ProbeResult::Works | ProbeResult::WorksWithRemark(_))
    }

    /// The result for people.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            ProbeResult::Works => "works",
            ProbeResult::WorksWithRemark(_) => "works, but",
            ProbeResult::Fails(_) => "fails",
            ProbeResult::NotTried(_) => "not tried",
        }
    }

    /// The remark or the reason.
    pub(crate) fn remark(&self) -> Option<&str> {
        match self {
            ProbeResult::Works => None,
            ProbeResult::WorksWithRemark(text) | ProbeResult::Fails(text) | ProbeResult::NotTried(text) => Some(text),
        }
    }
}

/// The results of all finished probes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProbeResults(BTreeMap<Probe, ProbeResult>);

impl ProbeResults {
    /// Adds results.
    pub(crate) fn add(&mut self, results: impl IntoIterator<Item = (Probe, ProbeResult)>) {
        self.0.extend(results);
    }

    /// All results, in the order of the output.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Probe, &ProbeResult)> {
        self.0.iter().map(|(probe, result)| (*probe, result))
    }

    /// Whether the probe was run and the feature works.
    pub(crate) fn works(&self, probe: Probe) -> bool {
        self.0.get(&probe).is_some_and(ProbeResult::is_success)
    }

    /// The reason, if the probe was run and the feature fails.
    pub(crate) fn failure_reason(&self, probe: Probe) -> Option<&str> {
        match self.0.get(&probe) {
            Some(ProbeResult::Fails(reason)) => Some(reason),
            _ => None,
        }
    }

    /// Why a probe cannot be run, if its dependencies failed.
    pub(crate) fn unmet_needs(&self, probe: Probe) -> Option<String> {
        if self.failure_reason(Probe::Upload).is_some() {
            return Some(format!("needs: {}", Probe::Upload.title()));
        }
        let (_, needs) = probe.title_and_any_needed();
        if needs.is_empty() || needs.iter().any(|need| self.works(*need)) {
            return None;
        }
        let titles: Vec<&str> = needs.iter().map(|need| need.title()).collect();
        Some(format!("needs: {}", titles.join(" or ")))
    }
}

/// Turns a refusal into a result. An error that would fail every other probe stays an error.
pub(crate) fn failure_as_result(outcome: Result<ProbeResult, RegistryError>) -> Result<ProbeResult, RegistryError> {
    match outcome {
        Err(error) if !blocks_all_probes(&error) => Ok(ProbeResult::Fails(error_message(&error))),
        outcome => outcome,
    }
}

/// Whether every other request would fail, too.
pub(crate) fn blocks_all_probes(error: &RegistryError) -> bool {
    match error.kind {
        // These concern the request; so does a 401, because the login worked before.
        RegistryErrorKind::NotFound
        | RegistryErrorKind::Unauthorized
        | RegistryErrorKind::LoginRefused
        | RegistryErrorKind::CommandLineLoginRefused
        | RegistryErrorKind::Forbidden
        | RegistryErrorKind::Quota
        | RegistryErrorKind::RequestRefused
        | RegistryErrorKind::Server
        | RegistryErrorKind::Verification
        | RegistryErrorKind::Protocol
        | RegistryErrorKind::ResponseTooLarge => false,
        RegistryErrorKind::RateLimited
        | RegistryErrorKind::PlainHttp
        | RegistryErrorKind::CertificateUntrusted
        | RegistryErrorKind::CertificateInvalid
        | RegistryErrorKind::ClientCertificate
        | RegistryErrorKind::TlsFiles
        | RegistryErrorKind::NoHost
        | RegistryErrorKind::HostNotFound
        | RegistryErrorKind::Connect
        | RegistryErrorKind::Timeout
        | RegistryErrorKind::Proxy
        | RegistryErrorKind::Credentials
        | RegistryErrorKind::ByteOrderMark => true,
    }
}

/// Whether this refusal of a blob means that the registry accepts none at all: it is read-only, or a cache. A missing
/// login or right is an error that the user can fix.
pub(crate) fn refuses_all_blobs(error: &RegistryError) -> bool {
    // Token servers are asked with GET.
    let is_upload = error.request.as_deref().is_some_and(|request| request.method != "GET");
    is_upload
        && (error.kind == RegistryErrorKind::RequestRefused
            || (error.kind == RegistryErrorKind::Forbidden && error.status == Some(403)))
}

/// The request and the registry's own message: `PUT 400: manifest invalid: no layers`. If the message says no more than
/// the code, what the registry gives as the detail follows: Quay has its reasons there alone.
pub(crate) fn error_message(error: &RegistryError) -> String {
    let says_nothing = error.message.split_once(": ").is_some_and(|(code, message)| code == message);
    let detail = error.body.as_ref().and_then(|body| body.detail.as_deref());
    let detail = detail.filter(|detail| says_nothing && !detail.starts_with(['{', '[']));
    let message = detail.map_or_else(|| error.message.clone(), |detail| format!("{}: {detail}", error.message));
    let method = error.request.as_ref().map(|request| request.method);
    let status = error.status.map(|status| status.to_string());
    let before = [method.map(str::to_owned), status].into_iter().flatten().collect::<Vec<_>>().join(" ");
    if before.is_empty() { message } else { format!("{before}: {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::FailedRequest;

    #[test]
    fn a_probe_needs_one_of_its_dependencies() {
        let mut found = ProbeResults::default();
        let missing = "needs: Docker manifest list or OCI image index";
        assert_eq!(found.unmet_needs(Probe::ByDigest).as_deref(), Some(missing));
        found.add([(Probe::DockerList, ProbeResult::Fails("no".to_owned()))]);
        assert_eq!(found.unmet_needs(Probe::ByDigest).as_deref(), Some(missing));
        found.add([(Probe::OciIndex, ProbeResult::WorksWithRemark("so so".to_owned()))]);
        assert_eq!((found.unmet_needs(Probe::ByDigest), found.unmet_needs(Probe::Mount)), (None, None));
    }

    #[test]
    fn refusals_become_results_and_lost_connections_stay_errors() {
        let put = FailedRequest::new("PUT", "https://h/v2/");
        let error = |kind| RegistryError::new(kind, "h", "the words").with_request(put.clone()).with_status(400);
        let result = failure_as_result(Err(error(RegistryErrorKind::RequestRefused)));
        assert_eq!(result, Ok(ProbeResult::Fails("PUT 400: the words".to_owned())));
        assert!(failure_as_result(Err(error(RegistryErrorKind::Connect))).is_err());
        assert_eq!(error_message(&RegistryError::new(RegistryErrorKind::Protocol, "h", "the words")), "the words");
    }
}
