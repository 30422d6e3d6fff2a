//! The referrers of a list that is pushed, from the repositories and layouts where its images are.

use std::collections::BTreeSet;

use crate::core::error::CommandError;
use crate::core::image_filters::{ReferrerFilter, ReferrersPolicy};
use crate::core::image_source::{ContentAccess, ContentOrigin};
use crate::core::referrers::discover::{FoundReferrer, LocatedDigest, ReferrerDiscovery};
use crate::digest::Digest;
use crate::model::Draft;
use crate::reference::{Reference, Repository};

/// A referrer, and the repository or layout that has it.
pub(crate) type CollectedReferrer<'a> = FoundReferrer<ContentOrigin<'a>>;

/// A draft that is pushed, and which of its referrers are wanted.
pub(crate) struct ReferrerCollector<'a> {
    content_access: ContentAccess<'a>,
    filter: &'a ReferrerFilter,
    draft: &'a Draft,
    /// The digest of the draft's index, where the list is that index unchanged.
    unchanged_index: Option<&'a Digest>,
    /// The repositories that the list goes to; none if it goes into a layout.
    targets: Vec<&'a Repository>,
}

impl<'a> ReferrerCollector<'a> {
    /// `list` is the digest of the list that the draft becomes.
    pub(crate) fn new(
        content_access: ContentAccess<'a>,
        filter: &'a ReferrerFilter,
        draft: &'a Draft,
        list: &Digest,
        targets: Vec<&'a Repository>,
    ) -> ReferrerCollector<'a> {
        ReferrerCollector { content_access, filter, draft, unchanged_index: unchanged_index(draft, list), targets }
    }

    /// Finds the referrers that a push sends along: those of a draft's images, and of its index where the list is that
    /// index unchanged. Images that are in each target already have their referrers there.
    ///
    /// # Errors
    /// Those of [`ReferrerDiscovery::find`].
    pub(crate) fn collect(&self) -> Result<Vec<CollectedReferrer<'a>>, CommandError> {
        self.find(self.filter.policy(self.unchanged_index.is_some()))
    }

    /// Finds the referrers that are not sent along. Returns nothing if the user has chosen the referrers to send.
    ///
    /// # Errors
    /// Those of [`ReferrerDiscovery::find`].
    pub(crate) fn find_left_behind(&self) -> Result<Vec<CollectedReferrer<'a>>, CommandError> {
        let drops_all = self.filter.policy(self.unchanged_index.is_some()) == ReferrersPolicy::Drop;
        if !drops_all || self.filter.policy.is_some() {
            return Ok(Vec::new());
        }
        self.find(ReferrersPolicy::All)
    }

    fn find(&self, policy: ReferrersPolicy) -> Result<Vec<CollectedReferrer<'a>>, CommandError> {
        let jobs = self.content_access.registry.jobs();
        let found =
            ReferrerDiscovery::new(&self.content_access, jobs, policy, &self.filter.types).find(&self.subjects())?;
        Ok(not_in_draft(self.draft, found))
    }

    /// The manifests whose referrers are searched for; the index before its images. Where an image is in each target,
    /// its referrers are there as well.
    fn subjects(&self) -> Vec<LocatedDigest<ContentOrigin<'a>>> {
        let is_index = |source: &&Reference| source.digest().is_some() && source.digest() == self.unchanged_index;
        let index = self.draft.entries_in_key_order().filter_map(|entry| entry.source.as_ref()).find(is_index);
        let index = index.and_then(|index| Some((index.repository(), index.digest()?)));
        let images = self.draft.entries_in_list_order().filter(|entry| !entry.is_attestation());
        let images = images.map(|entry| (entry.reference.repository(), &entry.descriptor.digest));
        let subject = |(repository, digest): (&'a Repository, &Digest)| LocatedDigest {
            origin: ContentOrigin::find(repository, digest, self.content_access.layouts),
            digest: digest.clone(),
        };
        let is_elsewhere = |subject: &LocatedDigest<ContentOrigin<'_>>| {
            self.targets.is_empty() || self.targets.iter().any(|target| !subject.origin.is_in(target))
        };
        index.into_iter().chain(images).map(subject).filter(is_elsewhere).collect()
    }
}

/// Those that the list does not have anyway, as an attestation of an image.
fn not_in_draft<'a>(draft: &Draft, found: Vec<CollectedReferrer<'a>>) -> Vec<CollectedReferrer<'a>> {
    let listed: BTreeSet<&Digest> = draft.entries_in_key_order().map(|entry| &entry.descriptor.digest).collect();
    found.into_iter().filter(|referrer| !listed.contains(&referrer.digest)).collect()
}

/// The digest of the draft's index, where the list is that index unchanged.
fn unchanged_index<'a>(draft: &'a Draft, list: &Digest) -> Option<&'a Digest> {
    draft.source.as_ref().map(|index| &index.digest).filter(|digest| *digest == list)
}
