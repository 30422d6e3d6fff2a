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
    /// Finds the referrers that a push sends along: those of a draft's images, and of its index where the list is that
    /// index unchanged. Images that are in each target already have their referrers there.
    ///
    /// # Errors
    /// Those of [`Discovery::find`].
    pub(crate) fn collect(
        &self,
        draft: &Draft,
        list: &Digest,
        targets: &[&Repository],
    ) -> Result<CollectedReferrers, CommandError> {
        let carried = carried(draft, list);
        let policy = self.filter.policy(carried.is_some());
        let sent = self.find(&subjects(draft, carried, targets), policy)?;
        Ok(CollectedReferrers { sent, ..CollectedReferrers::default() })
    }

    /// Adds the referrers that stay behind, where the push reports them and the user has not dropped them by a flag. To be
    /// called when all else has succeeded. A failure is a warning.
    pub(crate) fn add_left(
        &self,
        collected: &mut CollectedReferrers,
        draft: &Draft,
        list: &Digest,
        targets: &[&Repository],
    ) {
        let carried = carried(draft, list);
        let is_dropped = self.filter.policy(carried.is_some()) == ReferrersPolicy::Drop;
        if !self.reports_left || !is_dropped || self.filter.policy.is_some() {
            return;
        }
        match self.find(&subjects(draft, carried, targets), ReferrersPolicy::All) {
            Ok(left) => collected.left = left,
            Err(error) => collected.warning = Some(format!("cannot tell which referrers stay behind: {error}")),
        }
    }

    fn find(&self, subjects: &[Subject], policy: ReferrersPolicy) -> Result<Vec<FoundReferrer>, CommandError> {
        Discovery::new(self.registry, self.jobs, policy, &self.filter.types).find(subjects)
    }
}

/// The digest of the draft's index, where the list is that index unchanged.
fn carried<'a>(draft: &'a Draft, list: &Digest) -> Option<&'a Digest> {
    draft.source.as_ref().map(|index| &index.digest).filter(|digest| *digest == list)
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
