//! The referrers of the copied manifests: signatures, attestations and descriptions that no index names.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::OnceLock;

use crate::content::Referrer;
use crate::content::registry::{FetchedManifest, ManifestName};
use crate::core::Warnings;
use crate::core::copy::CopyRequest;
use crate::core::copy::outcome::CopyOutcome;
use crate::core::copy::walk::{Walk, walk};
use crate::core::error::CommandError;
use crate::core::image_filters::ReferrersPolicy;
use crate::core::push::referrers_tag;
use crate::core::referrers::FoundReferrer;
use crate::core::referrers::discover::{LocatedDigest, ReferrerDiscovery};
use crate::core::referrers::outcome::ReferrerOutcome;
use crate::core::referrers::searched_places::SingleOrigin;
use crate::core::resolve::selection;
use crate::digest::Digest;
use crate::model::entry::is_attestation;
use crate::model::manifest::ManifestKind;

/// A referrer in the source.
type SourceReferrer = FoundReferrer<()>;

/// The referrers of a copy.
#[derive(Default)]
pub(super) struct CopiedReferrers {
    /// The referrers to copy; an index after its children.
    to_copy: Vec<SourceReferrer>,
    /// The referrers of manifests that are not copied.
    left_behind: Vec<SourceReferrer>,
    /// The digests of the referrers that the target has and lists.
    present: BTreeSet<Digest>,
    /// Warnings about tags of cosign that name other content in the target.
    replaced_tags: Warnings,
}

/// Whether the target has a referrer under all its names, and warnings about tags that name other content there.
struct ReferrerPresence {
    is_present: bool,
    replaced_tags: Warnings,
}

/// Walks the manifests, and searches for referrers of them and of the `replaced` manifests, which are not copied. Both
/// run in parallel if the outermost index names all manifests.
pub(super) fn walk_and_find(
    request: &CopyRequest<'_>,
    top: &FetchedManifest,
    replaced: &[Digest],
) -> Result<(Walk, CopiedReferrers), CommandError> {
    let is_needed = request.referrers.policy(true) != ReferrersPolicy::Drop && !is_same_repository(request);
    if !is_needed {
        return Ok((walk(request, top, request.registry.jobs())?, CopiedReferrers::default()));
    }
    let half = NonZeroUsize::new(request.registry.jobs().get() / 2).unwrap_or(NonZeroUsize::MIN);
    let (walk, found) = match subjects_of_flat_index(request, top)? {
        Some(subjects) if request.registry.jobs() > half => {
            let subjects: Vec<Digest> = subjects.into_iter().chain(replaced.iter().cloned()).collect();
            let (walked, found) = (OnceLock::new(), OnceLock::new());
            let searches: [&(dyn Fn() -> Result<(), CommandError> + Sync); 2] =
                [&|| walk(request, top, half).map(|walk| drop(walked.set(walk))), &|| {
                    find_referrers(request, &subjects, half).map(|referrers| drop(found.set(referrers)))
                }];
            CommandError::collect_parallel(request.registry.jobs(), &searches, |search| search())?;
            (walked.into_inner().unwrap_or_default(), found.into_inner().unwrap_or_default())
        }
        _ => {
            let walk = walk(request, top, request.registry.jobs())?;
            let walked = walk.manifests.iter().filter(|walked| !is_attestation(&walked.descriptor));
            let subjects = walked.map(|walked| walked.descriptor.digest.clone());
            let subjects: Vec<Digest> = subjects.chain(replaced.iter().cloned()).collect();
            let found = find_referrers(request, &subjects, request.registry.jobs())?;
            (walk, found)
        }
    };
    CopiedReferrers::new(request, found, replaced).map(|referrers| (walk, referrers))
}

/// Whether source and target are one repository. It has the referrers of its manifests already.
fn is_same_repository(request: &CopyRequest<'_>) -> bool {
    let (source, target) = (request.source.repository(), request.sink.repository());
    source.is_some() && source == target
}

/// The manifest and its images; `None` if it names further indexes.
fn subjects_of_flat_index(
    request: &CopyRequest<'_>,
    top: &FetchedManifest,
) -> Result<Option<Vec<Digest>>, CommandError> {
    let mut subjects = vec![top.digest.clone()];
    if ManifestKind::is_list(&top.media_type) {
        let children = top.decode_index(&request.from)?.manifests;
        // A descriptor without a type may be an index.
        if children.iter().any(|child| ManifestKind::is_list(&child.media_type) || child.media_type.is_empty()) {
            return Ok(None);
        }
        let images = children.into_iter().filter(|child| !is_attestation(child));
        subjects.extend(images.map(|child| child.digest));
    }
    Ok(Some(subjects))
}

fn find_referrers(
    request: &CopyRequest<'_>,
    subjects: &[Digest],
    jobs: NonZeroUsize,
) -> Result<Vec<SourceReferrer>, CommandError> {
    let origin = SingleOrigin { source: request.source, name: &request.from };
    let subjects: Vec<LocatedDigest<()>> =
        subjects.iter().map(|digest| LocatedDigest { origin: (), digest: digest.clone() }).collect();
    ReferrerDiscovery::new(&origin, jobs, request.referrers.policy(true), &request.referrers.types).find(&subjects)
}

impl CopiedReferrers {
    /// Separates the referrers of manifests that are not copied, and searches for the others in the target.
    fn new(
        request: &CopyRequest<'_>,
        found: Vec<SourceReferrer>,
        replaced: &[Digest],
    ) -> Result<CopiedReferrers, CommandError> {
        let mut skipped_subjects: BTreeSet<Digest> = replaced.iter().cloned().collect();
        // The children of an index precede it.
        selection::extend_transitively(&mut skipped_subjects, |skipped_subjects| {
            let more = found.iter().filter(|referrer| skipped_subjects.contains(&referrer.parent));
            more.map(|referrer| referrer.digest.clone()).collect()
        });
        let (left_behind, to_copy): (Vec<SourceReferrer>, Vec<SourceReferrer>) =
            found.into_iter().partition(|referrer| skipped_subjects.contains(&referrer.digest));
        let mut copied = CopiedReferrers { to_copy, left_behind, ..CopiedReferrers::default() };
        let presence = CommandError::collect_parallel(request.registry.jobs(), &copied.to_copy, |referrer| {
            copied.check_presence(request, referrer)
        })?;
        for (referrer, ReferrerPresence { is_present, replaced_tags }) in copied.to_copy.iter().zip(presence) {
            if is_present {
                copied.present.insert(referrer.digest.clone());
            }
            copied.replaced_tags.extend(replaced_tags);
        }
        Ok(copied)
    }

    fn check_presence(
        &self,
        request: &CopyRequest<'_>,
        found: &SourceReferrer,
    ) -> Result<ReferrerPresence, CommandError> {
        let (mut is_present, mut replaced_tags) = (true, Vec::new());
        if found.tags.is_empty() {
            is_present = request.sink.has_referrer(&to_referrer(found))?;
        }
        for tag in &found.tags {
            let current = request.current_digest(&ManifestName::Tag(tag.clone()))?;
            is_present &= current.as_ref() == Some(&found.digest);
            replaced_tags.extend(
                current.filter(|current| *current != found.digest).map(|current| {
                    format!("the tag {tag} of the target named {current}, which is not {}", found.digest)
                }),
            );
        }
        Ok(ReferrerPresence { is_present, replaced_tags })
    }

    /// The referrers that the target lacks.
    pub(super) fn missing(&self) -> impl Iterator<Item = &SourceReferrer> {
        self.to_copy.iter().filter(|referrer| !self.present.contains(&referrer.digest))
    }

    /// The tags that they have in the target.
    pub(super) fn tag_names(&self) -> impl Iterator<Item = (ManifestName, Digest)> {
        let name = |found: &SourceReferrer, tag: &String| (ManifestName::Tag(tag.clone()), found.digest.clone());
        self.to_copy.iter().flat_map(move |found| found.tags.iter().map(move |tag| name(found, tag)))
    }

    /// The digests of all copied referrers.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.to_copy.iter().map(|found| found.digest.clone())
    }

    /// Adds the referrers to the outcome.
    pub(super) fn report(&self, outcome: &mut CopyOutcome) {
        let row = |found, sent| ReferrerOutcome { sent: Some(sent), ..ReferrerOutcome::from_found::<()>(found) };
        let is_sent = |found: &SourceReferrer| !self.present.contains(&found.digest);
        outcome.referrers = self.to_copy.iter().map(|found| row(found, is_sent(found))).collect();
        outcome.left_behind = self.left_behind.iter().map(|found| row(found, false)).collect();
        if !self.left_behind.is_empty() {
            let number = self.left_behind.len();
            outcome.changes.push(format!("referrers of what is not copied stay behind: {number}"));
        }
        outcome.warnings.extend(self.replaced_tags.iter().cloned());
    }

    /// Sends the referrers, the children of an index before the index. Returns the digests that the target lists.
    pub(super) fn send(&self, request: &CopyRequest<'_>) -> Result<BTreeSet<Digest>, CommandError> {
        let (indexes, manifests): (Vec<&SourceReferrer>, Vec<&SourceReferrer>) =
            self.missing().partition(|found| found.is_index());
        let mut listed = BTreeSet::new();
        for batch in [manifests, indexes] {
            let send_one = |found: &&SourceReferrer| {
                let name = found
                    .tags
                    .first()
                    .map_or_else(|| ManifestName::Digest(found.digest.clone()), |tag| ManifestName::Tag(tag.clone()));
                let put_once = || request.sink.put_referrer(&to_referrer(found));
                let is_listed = request.put_and_retry(&name, &found.media_type, &found.bytes, &put_once)?;
                request.reporter.step(format_args!("published: {}", ReferrerOutcome::from_found(found)));
                Ok::<_, CommandError>(is_listed)
            };
            let listings = CommandError::collect_parallel(request.registry.jobs(), &batch, send_one)?;
            let listed_here = batch.iter().zip(listings).filter(|(_, is_listed)| *is_listed);
            listed.extend(listed_here.map(|(found, _)| found.digest.clone()));
        }
        Ok(listed)
    }

    /// Adds manifests with a subject to the referrers tags of a registry without a referrers API: `sent` beside the
    /// referrers. `listed_by_registry` are those that the registry lists itself.
    pub(super) fn update_referrers_tags(
        &self,
        request: &CopyRequest<'_>,
        sent: &[&FetchedManifest],
        listed_by_registry: &BTreeSet<Digest>,
    ) -> Result<Warnings, CommandError> {
        let Some(repository) = request.sink.repository() else { return Ok(Vec::new()) };
        let sent = sent.iter().filter_map(|manifest| {
            referrers_tag::ManifestWithSubject::from_manifest(&manifest.media_type, &manifest.digest, &manifest.bytes)
        });
        let mut unlisted: Vec<referrers_tag::ManifestWithSubject<'_>> =
            sent.chain(self.missing().filter_map(as_manifest_with_subject)).collect();
        unlisted.retain(|manifest| !listed_by_registry.contains(manifest.digest));
        if listed_by_registry.is_empty() {
            // An earlier run may have ended before it listed the present referrers.
            let present = self.to_copy.iter().filter(|found| self.present.contains(&found.digest));
            let present: Vec<referrers_tag::ManifestWithSubject<'_>> =
                present.filter_map(as_manifest_with_subject).collect();
            let has_api = match present.first().filter(|_| unlisted.is_empty()) {
                Some(first) => request.registry.referrers_index(repository, &first.subject)?.is_some(),
                None => false,
            };
            unlisted.extend(present.into_iter().filter(|_| !has_api));
        }
        let Some(first) = unlisted.first() else { return Ok(Vec::new()) };
        let (tags, warnings) = referrers_tag::group_by_tag(&repository.at_digest(first.digest), &unlisted);
        let updates = referrers_tag::update(request.registry, request.clock, &tags)?;
        for tag in updates.iter().filter_map(|update| update.as_ref().ok()) {
            request.reporter.step(format_args!("listed in: {tag}"));
        }
        Ok(warnings.into_iter().chain(updates.into_iter().filter_map(Result::err)).collect())
    }
}

fn as_manifest_with_subject(found: &SourceReferrer) -> Option<referrers_tag::ManifestWithSubject<'_>> {
    referrers_tag::ManifestWithSubject::from_manifest(&found.media_type, &found.digest, &found.bytes)
}

fn to_referrer(found: &SourceReferrer) -> Referrer<'_> {
    let FoundReferrer { digest, media_type, bytes, tags, .. } = found;
    Referrer { digest, media_type, bytes, tags }
}
