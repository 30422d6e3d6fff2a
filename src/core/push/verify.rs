//! `--verify`: reads back what was published. The tags must serve the list's bytes, every manifest that the list names
//! must be served with its digest, and the repository must have every blob.

use std::collections::BTreeSet;

use crate::content::registry::{FetchedManifest, Registry};
use crate::core::error::CommandError;
use crate::core::push::options::PushContext;
use crate::core::push::outcome::Verified;
use crate::core::push::plan::PushPlan;
use crate::core::push::repositories::PushPlans;
use crate::core::resolve::carried;
use crate::core::resolve::limits::{DEPTH_MAX, ResolvedSize};
use crate::digest::Digest;
use crate::model::index::Index;
use crate::model::manifest::{self, ManifestKind};
use crate::net::{RegistryError, RegistryErrorKind, tasks};
use crate::reference::Reference;

/// Reads back what was published in all repositories, and reports how much that was.
///
/// # Errors
/// Those of [`verify`].
pub(crate) fn verify_all(context: PushContext<'_>, plans: &PushPlans<'_>) -> Result<Verified, CommandError> {
    let mut all = Verified::default();
    for plan in plans.each() {
        let Verified { names, manifests, blobs } = verify(context.registry, plan)?;
        all = Verified { names: all.names + names, manifests: all.manifests + manifests, blobs: all.blobs + blobs };
    }
    let Verified { names, manifests, blobs } = all;
    context.reporter.note(&format!("verified: {names} names of the list, {manifests} manifests, {blobs} blobs"));
    Ok(all)
}

/// Reads back what was published in the plan's repository: a GET of each name of the list and of each manifest, a HEAD
/// of each blob.
///
/// # Errors
/// [`CommandError::Unverified`] for the first name, manifest or blob that is not served as it was sent, and failed
/// requests.
pub(crate) fn verify(registry: &Registry, plan: &PushPlan<'_>) -> Result<Verified, CommandError> {
    let reader = Reader { registry, plan };
    let names = reader.names()?;
    let (manifests, blobs) = reader.manifests()?;
    reader.blobs(&blobs)?;
    Ok(Verified { names, manifests, blobs: blobs.len() })
}

struct Reader<'a> {
    registry: &'a Registry,
    plan: &'a PushPlan<'a>,
}

impl Reader<'_> {
    /// The number of names that serve the list.
    fn names(&self) -> Result<usize, CommandError> {
        let by_digest = self.plan.target.repository().at_digest(&self.plan.list.digest);
        let names = if self.plan.tags.is_empty() { std::slice::from_ref(&by_digest) } else { &self.plan.tags };
        let checked = tasks::in_order(self.registry.jobs(), names, |name| {
            let served = self.fetched(name)?;
            if served.bytes == self.plan.list.bytes {
                return Ok(());
            }
            let why = format!("it serves {}, not {}", served.digest, self.plan.list.digest);
            Err(CommandError::Unverified { what: name.to_string(), why })
        });
        checked.map_err(CommandError::of).map(|names| names.len())
    }

    /// The number of manifests below the list, and the blobs that they name. Blobs of foreign layers may be elsewhere.
    fn manifests(&self) -> Result<(usize, BTreeSet<Digest>), CommandError> {
        let repository = self.plan.target.repository();
        let (mut seen, mut blobs, mut size) = (BTreeSet::new(), BTreeSet::new(), ResolvedSize::default());
        let children = Index::decode(&self.plan.list.bytes)?.manifests.into_iter().map(|child| child.digest);
        let referrers = self.plan.referrers().filter_map(|referrer| referrer.reference.digest().cloned());
        let mut level: Vec<Digest> = children.chain(referrers).collect();
        for depth in 0.. {
            level.retain(|digest| seen.insert(digest.clone()));
            if level.is_empty() {
                break;
            }
            if depth > DEPTH_MAX {
                return Err(CommandError::TooDeep { list: self.plan.target.to_string(), depth: DEPTH_MAX });
            }
            level.iter().try_for_each(|_| size.count_descriptor(self.plan.target))?;
            let fetch = |digest: &Digest| self.fetched(&repository.at_digest(digest));
            let fetched = tasks::in_order(self.registry.jobs(), &level, fetch).map_err(CommandError::of)?;
            level.clear();
            for FetchedManifest { media_type, bytes, .. } in fetched {
                let kind = manifest::served_type(&media_type, &bytes)?.and_then(ManifestKind::of);
                if kind == Some(ManifestKind::List) {
                    level.extend(Index::decode(&bytes)?.manifests.into_iter().map(|child| child.digest));
                } else {
                    let own = carried::blobs(&bytes)?.into_iter().filter(|blob| !blob.is_foreign());
                    blobs.extend(own.map(|blob| blob.digest));
                }
            }
        }
        Ok((seen.len(), blobs))
    }

    fn blobs(&self, blobs: &BTreeSet<Digest>) -> Result<(), CommandError> {
        let repository = self.plan.target.repository();
        let blobs: Vec<&Digest> = blobs.iter().collect();
        let checked =
            tasks::in_order(self.registry.jobs(), &blobs, |blob| match self.registry.has_blob(repository, blob)? {
                true => Ok(()),
                false => {
                    let what = format!("the blob {repository}@{blob}");
                    Err(CommandError::Unverified { what, why: "the registry does not have it".to_owned() })
                }
            });
        checked.map_err(CommandError::of).map(drop)
    }

    fn fetched(&self, name: &Reference) -> Result<FetchedManifest, CommandError> {
        self.registry.manifest(name).map_err(|error: RegistryError| match error.kind {
            RegistryErrorKind::NotFound | RegistryErrorKind::Verification => {
                CommandError::Unverified { what: name.to_string(), why: error.to_string() }
            }
            _ => error.into(),
        })
    }
}
