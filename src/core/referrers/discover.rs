//! Finds the referrers of manifests in the same repository or layout: by the referrers API, by the referrers tag if the
//! registry has no API (OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema"), and by cosign's tags.
//! The tags of the repository are never listed.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::core::error::CommandError;
use crate::core::image_filters::ReferrersPolicy;
use crate::core::referrers::searched_places::{REFERRERS_MAX, ReferrerOrigins};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::model::{manifest, referrers};
use crate::sync::lock;

/// How deep referrers of referrers are followed.
pub(crate) const REFERRER_DEPTH_MAX: usize = 4;
/// How many referrers a search takes in all, and how many bytes of their manifests.
pub(crate) const REFERRERS_TOTAL_MAX: usize = 10_000;
const REFERRERS_TOTAL_BYTES_MAX: u64 = 96 << 20;

/// A manifest that refers to another one, with its bytes as they were served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundReferrer<Origin> {
    /// Where it is.
    pub(crate) origin: Origin,
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    /// Its own, or its configuration's media type.
    pub(crate) artifact_type: String,
    /// The manifest that it is about; for a manifest that an index among the referrers names, that index.
    pub(crate) parent: Digest,
    /// The tags of cosign that serve it.
    pub(crate) tags: Vec<String>,
}

impl<Origin> FoundReferrer<Origin> {
    fn new(origin: Origin, manifest: FetchedManifest, parent: Digest) -> FoundReferrer<Origin> {
        let FetchedManifest { media_type, bytes, digest } = manifest;
        let artifact_type = referrers::artifact_type(&bytes);
        FoundReferrer { origin, digest, media_type, bytes, artifact_type, parent, tags: Vec::new() }
    }

    /// Whether it is an index: then it comes after the manifests that it names.
    pub(crate) fn is_index(&self) -> bool {
        ManifestKind::is_list(&self.media_type)
    }
}

/// A manifest whose referrers are searched for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocatedDigest<Origin> {
    /// Where it is. Its referrers are there as well.
    pub(crate) origin: Origin,
    pub(crate) digest: Digest,
}

/// Finds referrers.
pub(crate) struct ReferrerDiscovery<'a, S> {
    origins: &'a S,
    jobs: NonZeroUsize,
    /// Which of them are wanted.
    policy: ReferrersPolicy,
    /// Only these artifact types; all types if empty.
    types: &'a [String],
    /// The registries that do not have the referrers API.
    without_api: Mutex<BTreeSet<String>>,
}

/// Something that refers to `subject`.
struct ListedReferrer<Origin> {
    subject: LocatedDigest<Origin>,
    digest: Digest,
    /// The artifact type that the list states; empty if it states none.
    artifact_type: String,
    /// The tag of cosign that serves it.
    tag: Option<String>,
}

/// A query to the registry.
enum ReferrerQuery<'q, Origin> {
    /// What the API, or the referrers tag, lists for this manifest.
    Referrers(&'q LocatedDigest<Origin>),
    /// What a tag of cosign serves.
    Cosign(&'q LocatedDigest<Origin>, &'static str),
}

impl<'a, S: ReferrerOrigins> ReferrerDiscovery<'a, S> {
    /// Sends nothing.
    pub(crate) fn new(
        origins: &'a S,
        jobs: NonZeroUsize,
        policy: ReferrersPolicy,
        types: &'a [String],
    ) -> ReferrerDiscovery<'a, S> {
        ReferrerDiscovery { origins, jobs, policy, types, without_api: Mutex::default() }
    }

    /// Finds the referrers of these manifests, and recursively their referrers. Each is returned once, an index after
    /// its children.
    ///
    /// First the referrers of one manifest in each registry are requested, which shows whether the registry has the
    /// API. All others are requested in one batch, with a HEAD of each of cosign's three tags.
    ///
    /// # Errors
    /// A failed request; more than [`REFERRERS_MAX`] referrers of a manifest, or [`REFERRER_DEPTH_MAX`] levels.
    pub(crate) fn find(
        &self,
        subjects: &[LocatedDigest<S::Origin>],
    ) -> Result<Vec<FoundReferrer<S::Origin>>, CommandError> {
        let mut seen: BTreeSet<LocatedDigest<S::Origin>> = BTreeSet::new();
        let is_new = |subject: &&LocatedDigest<S::Origin>| seen.insert((*subject).clone());
        let mut level: Vec<LocatedDigest<S::Origin>> = subjects.iter().filter(is_new).cloned().collect();
        let mut found: Vec<FoundReferrer<S::Origin>> = Vec::new();
        let mut totals = SearchTotals::default();
        if self.policy == ReferrersPolicy::Drop {
            return Ok(found);
        }
        for depth in 0..=REFERRER_DEPTH_MAX {
            let listed = self.list_referrers(&level, depth == 0)?;
            if listed.is_empty() {
                return Ok(found);
            }
            if depth == REFERRER_DEPTH_MAX {
                let subject = level.first().map(|subject| subject.digest.to_string()).unwrap_or_default();
                return Err(unusable_error(subject, format!("they are more than {REFERRER_DEPTH_MAX} levels deep")));
            }
            level = self.fetch_new(listed, &mut seen, &mut found, &mut totals)?;
        }
        Ok(found)
    }

    /// What refers to these manifests themselves, without cosign's tags and without what refers to that.
    ///
    /// # Errors
    /// As [`ReferrerDiscovery::find`].
    pub(crate) fn find_direct(
        &self,
        subjects: &[LocatedDigest<S::Origin>],
    ) -> Result<Vec<FoundReferrer<S::Origin>>, CommandError> {
        let listed = self.list_referrers(subjects, false)?;
        let mut found = Vec::new();
        self.fetch_new(listed, &mut BTreeSet::new(), &mut found, &mut SearchTotals::default())?;
        Ok(found)
    }

    /// What refers to these manifests and may be selected.
    fn list_referrers(
        &self,
        subjects: &[LocatedDigest<S::Origin>],
        searches_cosign_tags: bool,
    ) -> Result<Vec<ListedReferrer<S::Origin>>, CommandError> {
        let mut servers: BTreeSet<&str> = BTreeSet::new();
        let (first, others): (Vec<&LocatedDigest<_>>, Vec<&LocatedDigest<_>>) =
            subjects.iter().partition(|subject| servers.insert(self.origins.server(&subject.origin)));
        let first: Vec<ReferrerQuery<'_, _>> = first.into_iter().map(ReferrerQuery::Referrers).collect();
        let kinds = if searches_cosign_tags { &referrers::COSIGN_TAG_SUFFIXES[..] } else { &[] };
        let cosign =
            subjects.iter().flat_map(|subject| kinds.iter().map(move |kind| ReferrerQuery::Cosign(subject, kind)));
        let others: Vec<ReferrerQuery<'_, _>> =
            others.into_iter().map(ReferrerQuery::Referrers).chain(cosign).collect();
        let mut listed = Vec::new();
        for batch in [first, others] {
            let found = CommandError::collect_parallel(self.jobs, &batch, |query| self.send_query(query))?;
            listed.extend(found.into_iter().flatten().filter(|listed| self.may_be_selected(listed)));
        }
        Ok(listed)
    }

    fn send_query(&self, query: &ReferrerQuery<'_, S::Origin>) -> Result<Vec<ListedReferrer<S::Origin>>, CommandError> {
        let (ReferrerQuery::Referrers(subject) | ReferrerQuery::Cosign(subject, _)) = query;
        let listed =
            |digest, artifact_type, tag| ListedReferrer { subject: (*subject).clone(), digest, artifact_type, tag };
        match query {
            ReferrerQuery::Referrers(_) => {
                let found = self.referrers_of(subject)?.into_iter();
                Ok(found.map(|found| listed(found.digest, found.artifact_type, None)).collect())
            }
            ReferrerQuery::Cosign(_, kind) => {
                let tag = referrers::cosign_tag(&subject.digest, kind);
                let found = self.origins.resolve_tag(&subject.origin, &tag)?;
                Ok(found.map(|digest| listed(digest, String::new(), Some(tag))).into_iter().collect())
            }
        }
    }

    fn referrers_of(
        &self,
        LocatedDigest { origin, digest }: &LocatedDigest<S::Origin>,
    ) -> Result<Vec<Descriptor>, CommandError> {
        let without_api = || lock(&self.without_api);
        let server = self.origins.server(origin);
        let is_known = without_api().contains(server);
        if !is_known {
            if let Some(found) = self.origins.list_referrers(origin, digest)? {
                return Ok(found);
            }
            without_api().insert(server.to_owned());
        }
        let tag = ManifestName::Tag(referrers::tag(digest));
        let Some(fetched) = self.origins.manifest(origin, &tag)? else { return Ok(Vec::new()) };
        // A tag of this name that serves something else is no list of referrers.
        if !ManifestKind::is_list(&fetched.media_type) {
            return Ok(Vec::new());
        }
        let listed = fetched.decode_index(&self.origins.display_name(origin, &tag))?.manifests;
        if listed.len() > REFERRERS_MAX {
            return Err(unusable_error(digest, too_many_message()));
        }
        Ok(listed)
    }

    /// Whether the policy may select it, judged by the artifact type in the list.
    fn may_be_selected(&self, listed: &ListedReferrer<S::Origin>) -> bool {
        listed.artifact_type.is_empty() || self.is_selected(&listed.artifact_type, listed.tag.is_some())
    }

    fn is_selected(&self, artifact_type: &str, is_cosign: bool) -> bool {
        let matches_policy = match self.policy {
            ReferrersPolicy::Drop => false,
            ReferrersPolicy::All => true,
            ReferrersPolicy::SignaturesAndAttestations => {
                is_cosign || referrers::is_signature_or_attestation(artifact_type)
            }
        };
        matches_policy && (self.types.is_empty() || self.types.iter().any(|selected| selected == artifact_type))
    }

    /// Fetches the referrers that were not seen before, and adds the selected ones to `found`. Returns them as
    /// subjects. A missing referrer is left out: a list of referrers may name manifests that were deleted.
    fn fetch_new(
        &self,
        listed: Vec<ListedReferrer<S::Origin>>,
        seen: &mut BTreeSet<LocatedDigest<S::Origin>>,
        found: &mut Vec<FoundReferrer<S::Origin>>,
        totals: &mut SearchTotals,
    ) -> Result<Vec<LocatedDigest<S::Origin>>, CommandError> {
        let mut new_referrers: Vec<LocatedDigest<S::Origin>> = Vec::new();
        let mut details_of: BTreeMap<LocatedDigest<S::Origin>, (Digest, Vec<String>)> = BTreeMap::new();
        for ListedReferrer { subject, digest, tag, .. } in listed {
            let referrer = LocatedDigest { origin: subject.origin, digest };
            if seen.insert(referrer.clone()) {
                totals.count_referrer(&subject.digest)?;
                new_referrers.push(referrer.clone());
                details_of.insert(referrer.clone(), (subject.digest, Vec::new()));
            }
            if let Some((_, tags)) = details_of.get_mut(&referrer) {
                tags.extend(tag);
            }
        }
        let fetch = |subject: &LocatedDigest<S::Origin>| {
            let fetched = self.fetch(subject)?;
            let bytes = fetched.as_ref().map(|fetched| fetched.bytes.as_slice()).unwrap_or_default();
            totals.count_bytes(&subject.digest, bytes)?;
            Ok(fetched)
        };
        let fetched = CommandError::collect_parallel(self.jobs, &new_referrers, fetch)?;
        let mut level = Vec::new();
        for (referrer, manifest) in new_referrers.into_iter().zip(fetched) {
            let (Some((subject, tags)), Some(manifest)) = (details_of.remove(&referrer), manifest) else { continue };
            let manifest = FoundReferrer { tags, ..FoundReferrer::new(referrer.origin.clone(), manifest, subject) };
            if self.is_selected(&manifest.artifact_type, !manifest.tags.is_empty()) {
                self.add_with_children(manifest, seen, found, totals)?;
                level.push(referrer);
            }
        }
        Ok(level)
    }

    /// Adds a referrer; of an index first what it names.
    fn add_with_children(
        &self,
        referrer: FoundReferrer<S::Origin>,
        seen: &mut BTreeSet<LocatedDigest<S::Origin>>,
        found: &mut Vec<FoundReferrer<S::Origin>>,
        totals: &mut SearchTotals,
    ) -> Result<(), CommandError> {
        if referrer.is_index() {
            let origin = &referrer.origin;
            let name = self.origins.display_name(origin, &ManifestName::Digest(referrer.digest.clone()));
            let children = Index::decode(&referrer.bytes).map_err(CommandError::invalid_document(&name))?.manifests;
            if children.len() > REFERRERS_MAX {
                return Err(unusable_error(name, too_many_message()));
            }
            for child in children {
                let child = LocatedDigest { origin: origin.clone(), digest: child.digest };
                if !seen.insert(child.clone()) {
                    continue;
                }
                totals.count_referrer(&referrer.digest)?;
                let Some(manifest) = self.fetch(&child)? else {
                    return Err(unusable_error(name, format!("{} is not there", child.digest)));
                };
                totals.count_bytes(&child.digest, &manifest.bytes)?;
                let child = FoundReferrer::new(origin.clone(), manifest, referrer.digest.clone());
                if child.is_index() {
                    return Err(unusable_error(name, "it has an index in an index".to_owned()));
                }
                found.push(child);
            }
        }
        found.push(referrer);
        Ok(())
    }

    fn fetch(
        &self,
        LocatedDigest { origin, digest }: &LocatedDigest<S::Origin>,
    ) -> Result<Option<FetchedManifest>, CommandError> {
        let name = ManifestName::Digest(digest.clone());
        let Some(mut fetched) = self.origins.manifest(origin, &name)? else { return Ok(None) };
        let invalid_document =
            |source| CommandError::InvalidDocument { reference: self.origins.display_name(origin, &name), source };
        if let Some(found) =
            manifest::effective_media_type(&fetched.media_type, &fetched.bytes).map_err(invalid_document)?
        {
            found.clone_into(&mut fetched.media_type);
        }
        Ok(Some(fetched))
    }
}

/// The numbers of referrers and bytes that a search has fetched.
#[derive(Default)]
struct SearchTotals {
    referrers: usize,
    bytes: AtomicU64,
}

impl SearchTotals {
    fn count_referrer(&mut self, subject: &Digest) -> Result<(), CommandError> {
        self.referrers += 1;
        if self.referrers <= REFERRERS_TOTAL_MAX {
            return Ok(());
        }
        Err(unusable_error(subject, format!("there are more than {REFERRERS_TOTAL_MAX} in all")))
    }

    /// Counts a manifest that is kept.
    fn count_bytes(&self, subject: &Digest, bytes: &[u8]) -> Result<(), CommandError> {
        let more = bytes.len() as u64;
        if self.bytes.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= REFERRERS_TOTAL_BYTES_MAX {
            return Ok(());
        }
        Err(unusable_error(subject, format!("they have more than {REFERRERS_TOTAL_BYTES_MAX} bytes in all")))
    }
}

fn unusable_error(subject: impl ToString, reason: String) -> CommandError {
    CommandError::UnusableReferrers { subject: subject.to_string(), reason }
}

fn too_many_message() -> String {
    format!("there are more than {REFERRERS_MAX}")
}
