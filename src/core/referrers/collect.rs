//! The referrers of a list that is pushed, from the repositories where its images are.

use std::num::NonZeroUsize;

use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::referrers::discover::{Discovery, FoundReferrer, Subject};
use crate::core::request::{ReferrerFilter, ReferrersPolicy};
use crate::digest::Digest;
use crate::model::Draft;
use crate::reference::{Reference, Repository};

/// What was found for a push.
#[derive(Debug, Default)]
pub(crate) struct CollectedReferrers {
    /// What the push sends along.
    pub(crate) sent: Vec<FoundReferrer>,
    /// What stays where it is; looked for only where the push reports it.
    pub(crate) left: Vec<FoundReferrer>,
    /// Why what stays behind is not known.
    pub(crate) warning: Option<String>,
}

/// What is to be found out.
pub(crate) struct Collector<'a> {
    pub(crate) registry: &'a Registry,
    /// How many requests may run at once.
    pub(crate) jobs: NonZeroUsize,
    pub(crate) filter: &'a ReferrerFilter,
    /// Whether what stays behind is looked for, too.
    pub(crate) reports_left: bool,
}

impl Collector<'_> {
    /// Finds the referrers of a draft's images, and of its index where the list is that index unchanged. Images that
    /// are in each target already have their referrers there.
    ///
    /// # Errors
    /// Those of [`Discovery::find`]. Where nothing is to be sent, a failure is a warning.
    pub(crate) fn collect(
        &self,
        draft: &Draft,
        list: &Digest,
        targets: &[&Repository],
    ) -> Result<CollectedReferrers, CommandError> {
        let carried = draft.source.as_ref().map(|index| &index.digest).filter(|digest| *digest == list);
        let policy = self.filter.policy(carried.is_some());
        // A user who has dropped them need not be told.
        let is_reported = self.reports_left && self.filter.policy.is_none();
        if policy == ReferrersPolicy::Drop && !is_reported {
            return Ok(CollectedReferrers::default());
        }
        let subjects = subjects(draft, carried, targets);
        if policy != ReferrersPolicy::Drop {
            let sent = self.find(&subjects, policy)?;
            return Ok(CollectedReferrers { sent, ..CollectedReferrers::default() });
        }
        Ok(match self.find(&subjects, ReferrersPolicy::All) {
            Ok(left) => CollectedReferrers { left, ..CollectedReferrers::default() },
            Err(error) => CollectedReferrers {
                warning: Some(format!("cannot tell which referrers stay behind: {error}")),
                ..CollectedReferrers::default()
            },
        })
    }

    fn find(&self, subjects: &[Subject], policy: ReferrersPolicy) -> Result<Vec<FoundReferrer>, CommandError> {
        Discovery::new(self.registry, self.jobs, policy, &self.filter.types).find(subjects)
    }
}

/// The manifests whose referrers are looked for; the index before its images. Where an image is in each target, its
/// referrers are there as well.
fn subjects(draft: &Draft, carried: Option<&Digest>, targets: &[&Repository]) -> Vec<Subject> {
    let is_index = |source: &&Reference| source.digest().is_some() && source.digest() == carried;
    let index = draft.entries().filter_map(|entry| entry.source.as_ref()).find(is_index);
    let index = index.and_then(|index| Some((index.repository(), index.digest()?)));
    let images = draft.listed().filter(|entry| entry.attests().is_none());
    let images = images.map(|entry| (entry.reference.repository(), &entry.descriptor.digest));
    let is_elsewhere = |repository: &Repository| targets.iter().any(|target| *target != repository);
    let subjects = index.into_iter().chain(images).filter(|(repository, _)| is_elsewhere(repository));
    subjects.map(|(repository, digest)| Subject { repository: repository.clone(), digest: digest.clone() }).collect()
}
