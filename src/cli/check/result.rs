//! What is tried, what it needs, and what came of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::net::{Kind, RegistryError};

/// One thing that a registry may be able to do, in the order in which they are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
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

impl Check {
    /// As people read it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Check::Upload => "blob upload",
            Check::DockerImages => "Docker images",
            Check::DockerList => "Docker manifest list",
            Check::OciImages => "OCI images",
            Check::OciIndex => "OCI image index",
            Check::Mount => "cross-repository mount",
            Check::ByDigest => "push by digest",
            Check::Annotations => "annotations",
            Check::ArtifactType => "artifact type",
            Check::NestedIndex => "nested index",
            Check::Referrers => "referrers",
            Check::TagListing => "tag listing",
            Check::TagDeletion => "tag deletion",
            Check::ManifestDeletion => "manifest deletion",
        }
    }

    /// What it needs, any of which will do; nothing where this is empty.
    fn needs(self) -> &'static [Check] {
        match self {
            Check::Upload | Check::DockerImages | Check::OciImages | Check::Mount => &[],
            Check::DockerList => &[Check::DockerImages],
            Check::OciIndex | Check::Referrers => &[Check::OciImages],
            Check::Annotations | Check::ArtifactType | Check::NestedIndex => &[Check::OciIndex],
            Check::ByDigest | Check::TagListing | Check::TagDeletion => &[Check::DockerList, Check::OciIndex],
            Check::ManifestDeletion => &[Check::ByDigest],
        }
    }
}

/// What came of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It works.
    Works,
    /// It works, and there is something to know about it.
    Remark(String),
    /// It does not, and why.
    Fails(String),
    /// It was not tried, and why.
    NotTried(String),
}

impl Verdict {
    /// Whether it works.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Verdict::Works | Verdict::Remark(_))
    }

    /// As people read it.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Verdict::Works => "works",
            Verdict::Remark(_) => "works, but",
            Verdict::Fails(_) => "does not",
            Verdict::NotTried(_) => "not tried",
        }
    }

    /// As scripts read it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Verdict::Works => "works",
            Verdict::Remark(_) => "works-with-remark",
            Verdict::Fails(_) => "fails",
            Verdict::NotTried(_) => "not-tried",
        }
    }

    /// What there is to say of it.
    pub(crate) fn remark(&self) -> Option<&str> {
        match self {
            Verdict::Works => None,
            Verdict::Remark(text) | Verdict::Fails(text) | Verdict::NotTried(text) => Some(text),
        }
    }
}

/// What came of all that is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found(BTreeMap<Check, Verdict>);

impl Found {
    /// Adds what came of some.
    pub(crate) fn add(&mut self, verdicts: impl IntoIterator<Item = (Check, Verdict)>) {
        self.0.extend(verdicts);
    }

    /// All of them, in the order in which they are told of.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Check, &Verdict)> {
        self.0.iter().map(|(check, verdict)| (*check, verdict))
    }

    /// Whether it was tried and works.
    pub(crate) fn works(&self, check: Check) -> bool {
        self.0.get(&check).is_some_and(Verdict::is_good)
    }

    /// What there is to say of one that was tried and does not work.
    pub(crate) fn failure(&self, check: Check) -> Option<&str> {
        match self.0.get(&check) {
            Some(Verdict::Fails(why)) => Some(why),
            _ => None,
        }
    }

    /// Why a check cannot be tried, if so.
    pub(crate) fn misses(&self, check: Check) -> Option<String> {
        if self.failure(Check::Upload).is_some() {
            return Some(format!("it takes: {}", Check::Upload.title()));
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
pub(crate) fn settle(outcome: Result<Verdict, RegistryError>) -> Result<Verdict, RegistryError> {
    match outcome {
        Err(error) if !is_in_the_way(&error) => Ok(Verdict::Fails(words(&error))),
        outcome => outcome,
    }
}

/// Whether nothing else would be answered either.
pub(crate) fn is_in_the_way(error: &RegistryError) -> bool {
    match error.kind {
        // About what was asked; a 401 too, as the login was good for what came before.
        Kind::NotFound
        | Kind::Unauthorized
        | Kind::LoginRefused
        | Kind::GivenLoginRefused
        | Kind::Forbidden
        | Kind::Quota
        | Kind::Refused
        | Kind::Server
        | Kind::Verification
        | Kind::Protocol
        | Kind::TooLarge => false,
        Kind::RateLimited
        | Kind::PlainHttp
        | Kind::Certificate
        | Kind::CertificateUnfit
        | Kind::ClientCertificate
        | Kind::TlsFiles
        | Kind::NoHost
        | Kind::Resolve
        | Kind::Connect
        | Kind::Timeout
        | Kind::Proxy
        | Kind::Credentials
        | Kind::ByteOrderMark => true,
    }
}

/// Whether a registry that refuses a blob so takes none at all: it is read-only, or a cache. Who is not logged in, or may
/// not push there, has an error to mend.
pub(crate) fn takes_no_blobs(error: &RegistryError) -> bool {
    // A token server is asked with GET.
    let is_upload = error.request.as_deref().is_some_and(|request| request.method != "GET");
    is_upload && (error.kind == Kind::Refused || (error.kind == Kind::Forbidden && error.status == Some(403)))
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
        let mut found = Found::default();
        let missing = "it takes: Docker manifest list or OCI image index";
        assert_eq!(found.misses(Check::ByDigest).as_deref(), Some(missing));
        found.add([(Check::DockerList, Verdict::Fails("no".to_owned()))]);
        assert_eq!(found.misses(Check::ByDigest).as_deref(), Some(missing));
        found.add([(Check::OciIndex, Verdict::Remark("so so".to_owned()))]);
        assert_eq!((found.misses(Check::ByDigest), found.misses(Check::Mount)), (None, None));
    }

    #[test]
    fn a_refusal_is_a_verdict_and_a_dead_line_is_not() {
        let put = FailedRequest::new("PUT", "https://h/v2/");
        let error = |kind| RegistryError::new(kind, "h", "the words").at(put.clone()).with_status(400);
        let verdict = settle(Err(error(Kind::Refused)));
        assert_eq!(verdict, Ok(Verdict::Fails("PUT 400: the words".to_owned())));
        assert!(settle(Err(error(Kind::Connect))).is_err());
        assert_eq!(words(&RegistryError::new(Kind::Protocol, "h", "the words")), "the words");
    }
}
