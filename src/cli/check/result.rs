//! What is tried, what it needs, and what came of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::net::{RegistryError, RegistryErrorKind};

/// One thing that a registry may be able to do, in the order in which they are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Probe {
    /// Blobs can be pushed. It is told only where they cannot, which is the end of everything else.
    Upload,
    /// Images in Docker's form, by their digests.
    DockerImages,
    /// Docker's list.
    DockerList,
    /// Images in OCI's form.
    OciImages,
    /// OCI's index.
    OciIndex,
    /// A blob that another repository has.
    Mount,
    /// A list without a tag.
    ByDigest,
    /// Annotations of an index and of its lines.
    Annotations,
    /// An index that says what kind of artifact it is.
    ArtifactType,
    /// An index in an index.
    NestedIndex,
    /// What refers to an image.
    Referrers,
    /// The list of all tags.
    TagListing,
    /// A tag taken away, and nothing else.
    TagDeletion,
    /// A manifest taken away.
    ManifestDeletion,
}

impl Probe {
    /// As people read it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Probe::Upload => "blob upload",
            Probe::DockerImages => "Docker images",
            Probe::DockerList => "Docker manifest list",
            Probe::OciImages => "OCI images",
            Probe::OciIndex => "OCI image index",
            Probe::Mount => "cross-repository mount",
            Probe::ByDigest => "push by digest",
            Probe::Annotations => "annotations",
            Probe::ArtifactType => "artifact type",
            Probe::NestedIndex => "nested index",
            Probe::Referrers => "referrers",
            Probe::TagListing => "tag listing",
            Probe::TagDeletion => "tag deletion",
            Probe::ManifestDeletion => "manifest deletion",
        }
    }

    /// What it needs, any of which will do; nothing where this is empty.
    fn needs(self) -> &'static [Probe] {
        match self {
            Probe::Upload | Probe::DockerImages | Probe::OciImages | Probe::Mount => &[],
            Probe::DockerList => &[Probe::DockerImages],
            Probe::OciIndex | Probe::Referrers => &[Probe::OciImages],
            Probe::Annotations | Probe::ArtifactType | Probe::NestedIndex => &[Probe::OciIndex],
            Probe::ByDigest | Probe::TagListing | Probe::TagDeletion => &[Probe::DockerList, Probe::OciIndex],
            Probe::ManifestDeletion => &[Probe::ByDigest],
        }
    }
}

/// What came of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// It works.
    Works,
    /// It works, and there is something to know about it.
    Remark(String),
    /// It does not, and why.
    Fails(String),
    /// It was not tried, and why.
    NotTried(String),
}

impl ProbeResult {
    /// Whether it works.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, ProbeResult::Works | ProbeResult::Remark(_))
    }

    /// As people read it.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            ProbeResult::Works => "works",
            ProbeResult::Remark(_) => "works, but",
            ProbeResult::Fails(_) => "does not",
            ProbeResult::NotTried(_) => "not tried",
        }
    }

    /// As scripts read it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            ProbeResult::Works => "works",
            ProbeResult::Remark(_) => "works-with-remark",
            ProbeResult::Fails(_) => "fails",
            ProbeResult::NotTried(_) => "not-tried",
        }
    }

    /// What there is to say of it.
    pub(crate) fn remark(&self) -> Option<&str> {
        match self {
            ProbeResult::Works => None,
            ProbeResult::Remark(text) | ProbeResult::Fails(text) | ProbeResult::NotTried(text) => Some(text),
        }
    }
}

/// What came of all that is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProbeResults(BTreeMap<Probe, ProbeResult>);

impl ProbeResults {
    /// Adds what came of some.
    pub(crate) fn add(&mut self, verdicts: impl IntoIterator<Item = (Probe, ProbeResult)>) {
        self.0.extend(verdicts);
    }

    /// All of them, in the order in which they are told of.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Probe, &ProbeResult)> {
        self.0.iter().map(|(check, verdict)| (*check, verdict))
    }

    /// Whether it was tried and works.
    pub(crate) fn works(&self, check: Probe) -> bool {
        self.0.get(&check).is_some_and(ProbeResult::is_good)
    }

    /// What there is to say of one that was tried and does not work.
    pub(crate) fn failure(&self, check: Probe) -> Option<&str> {
        match self.0.get(&check) {
            Some(ProbeResult::Fails(why)) => Some(why),
            _ => None,
        }
    }

    /// Why a check cannot be tried, if so.
    pub(crate) fn misses(&self, check: Probe) -> Option<String> {
        if self.failure(Probe::Upload).is_some() {
            return Some(format!("it takes: {}", Probe::Upload.title()));
        }
        let needs = check.needs();
        if needs.is_empty() || needs.iter().any(|need| self.works(*need)) {
            return None;
        }
        let titles: Vec<&str> = needs.iter().map(|need| need.title()).collect();
        Some(format!("it takes: {}", titles.join(" or ")))
    }
}

/// A refusal as the verdict that it is; what is in the way of every other check too stays an error.
pub(crate) fn settle(outcome: Result<ProbeResult, RegistryError>) -> Result<ProbeResult, RegistryError> {
    match outcome {
        Err(error) if !is_in_the_way(&error) => Ok(ProbeResult::Fails(words(&error))),
        outcome => outcome,
    }
}

/// Whether nothing else would be answered either.
pub(crate) fn is_in_the_way(error: &RegistryError) -> bool {
    match error.kind {
        // About what was asked; a 401 too, as the login was good for what came before.
        RegistryErrorKind::NotFound
        | RegistryErrorKind::Unauthorized
        | RegistryErrorKind::LoginRefused
        | RegistryErrorKind::GivenLoginRefused
        | RegistryErrorKind::Forbidden
        | RegistryErrorKind::Quota
        | RegistryErrorKind::Refused
        | RegistryErrorKind::Server
        | RegistryErrorKind::Verification
        | RegistryErrorKind::Protocol
        | RegistryErrorKind::TooLarge => false,
        RegistryErrorKind::RateLimited
        | RegistryErrorKind::PlainHttp
        | RegistryErrorKind::Certificate
        | RegistryErrorKind::CertificateUnfit
        | RegistryErrorKind::ClientCertificate
        | RegistryErrorKind::TlsFiles
        | RegistryErrorKind::NoHost
        | RegistryErrorKind::Resolve
        | RegistryErrorKind::Connect
        | RegistryErrorKind::Timeout
        | RegistryErrorKind::Proxy
        | RegistryErrorKind::Credentials
        | RegistryErrorKind::ByteOrderMark => true,
    }
}

/// Whether a registry that refuses a blob so takes none at all: it is read-only, or a cache. Who is not logged in, or
/// may not push there, has an error to mend.
pub(crate) fn takes_no_blobs(error: &RegistryError) -> bool {
    // A token server is asked with GET.
    let is_upload = error.request.as_deref().is_some_and(|request| request.method != "GET");
    is_upload
        && (error.kind == RegistryErrorKind::Refused
            || (error.kind == RegistryErrorKind::Forbidden && error.status == Some(403)))
}

/// What was asked and the registry's own words: `PUT 400: manifest invalid: manifest invalid`.
pub(crate) fn words(error: &RegistryError) -> String {
    let method = error.request.as_ref().map(|request| request.method);
    let status = error.status.map(|status| status.to_string());
    let before = [method.map(str::to_owned), status].into_iter().flatten().collect::<Vec<_>>().join(" ");
    if before.is_empty() { error.detail.clone() } else { format!("{before}: {}", error.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::FailedRequest;

    #[test]
    fn what_is_needed_is_any_of_a_few() {
        let mut found = ProbeResults::default();
        let missing = "it takes: Docker manifest list or OCI image index";
        assert_eq!(found.misses(Probe::ByDigest).as_deref(), Some(missing));
        found.add([(Probe::DockerList, ProbeResult::Fails("no".to_owned()))]);
        assert_eq!(found.misses(Probe::ByDigest).as_deref(), Some(missing));
        found.add([(Probe::OciIndex, ProbeResult::Remark("so so".to_owned()))]);
        assert_eq!((found.misses(Probe::ByDigest), found.misses(Probe::Mount)), (None, None));
    }

    #[test]
    fn a_refusal_is_a_verdict_and_a_dead_line_is_not() {
        let put = FailedRequest::new("PUT", "https://h/v2/");
        let error = |kind| RegistryError::new(kind, "h", "the words").at(put.clone()).with_status(400);
        let verdict = settle(Err(error(RegistryErrorKind::Refused)));
        assert_eq!(verdict, Ok(ProbeResult::Fails("PUT 400: the words".to_owned())));
        assert!(settle(Err(error(RegistryErrorKind::Connect))).is_err());
        assert_eq!(words(&RegistryError::new(RegistryErrorKind::Protocol, "h", "the words")), "the words");
    }
}
