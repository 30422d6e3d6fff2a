//! `--verify`: reads back what was published. The tags must serve the list's bytes, cosign's tags those of the
//! signatures, every manifest that the list names must be served with its digest, and the repository must have every
//! blob.

use crate::content::RegistryRepository;
use crate::content::registry::{ManifestName, RegistryClient};
use crate::core::error::CommandError;
use crate::core::push::options::PushContext;
use crate::core::push::outcome::ReadBackCounts;
use crate::core::push::per_repository::PushPlans;
use crate::core::push::plan::PushPlan;
use crate::core::push::read_back::ReadBack;
use crate::digest::Digest;
use crate::reference::Reference;

/// Reads back what was published in all repositories, and reports how much that was.
///
/// # Errors
/// Those of [`verify`].
pub(crate) fn verify_all(context: PushContext<'_>, plans: &PushPlans<'_>) -> Result<ReadBackCounts, CommandError> {
    let mut all = ReadBackCounts::default();
    for plan in plans.each() {
        let ReadBackCounts { names, manifests, blobs } = verify(context.registry, plan)?;
        all =
            ReadBackCounts { names: all.names + names, manifests: all.manifests + manifests, blobs: all.blobs + blobs };
    }
    context.reporter.note(&all.to_string());
    Ok(all)
}

/// Reads back what was published in the plan's repository: a GET of each name of the list, of each tag of a signature
/// and of each manifest, a HEAD of each blob.
///
/// # Errors
/// [`CommandError::ReadBackMismatch`] for the first name, manifest or blob that is not served as it was sent, and
/// failed requests.
fn verify(registry: &RegistryClient, plan: &PushPlan<'_>) -> Result<ReadBackCounts, CommandError> {
    let source = RegistryRepository::new(registry, plan.target.repository());
    let source_name = plan.target.repository().to_string();
    let read_back = ReadBack { source: &source, source_name: &source_name, jobs: registry.jobs() };
    let name = |tag: &Reference| tag.tag().map(|tag| ManifestName::Tag(tag.to_owned()));
    let mut names: Vec<ManifestName> = plan.tags.iter().filter_map(name).collect();
    if names.is_empty() {
        names.push(ManifestName::Digest(plan.list.digest.clone()));
    }
    let names = names.into_iter().map(|name| (name, plan.list.digest.clone()));
    let signatures = plan.referrers().filter_map(|referrer| Some((referrer.reference.digest()?, &referrer.tags)));
    let signatures =
        signatures.flat_map(|(digest, tags)| tags.iter().filter_map(name).map(|name| (name, digest.clone())));
    let names: Vec<(ManifestName, Digest)> = names.chain(signatures).collect();
    let children = plan.index()?.manifests.into_iter().map(|child| child.digest);
    let referrers = plan.referrers().filter_map(|referrer| referrer.reference.digest().cloned());
    read_back.run(&names, children.chain(referrers).collect())
}
