//! The names under which specs publish their lists.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::push::tags;
use crate::location::LayoutReference;
use crate::model::spec::{Spec, Target};
use crate::reference::{Reference, Repository};

/// A list of more images would exceed what registries accept, however short its entries are.
const IMAGES_MAX: usize = 20_000;

/// How to publish a target without a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UntaggedTarget {
    /// By its digest and under the named tags. `latest` does not move.
    ByDigest,
    /// By its digest if tags are named, otherwise as `latest`.
    LatestUnlessTagged,
}

/// Specs, and what decides under which names their lists are published.
pub(crate) struct ListNaming<'a> {
    pub(crate) specs: &'a [Spec],
    /// Further full names for the lists.
    pub(crate) further_names: Vec<&'a Reference>,
    pub(crate) untagged: UntaggedTarget,
}

impl<'a> ListNaming<'a> {
    /// The lists to build, each with its spec.
    ///
    /// # Errors
    /// A spec with too many images; one name or tag for two lists. Several targets of one spec are one list and may
    /// share a tag.
    pub(crate) fn checked_lists(&self) -> Result<Vec<(&'a Spec, &'a Reference)>, CommandError> {
        let (mut lists, mut seen, mut owners) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        for (number, spec) in self.specs.iter().enumerate() {
            if let (true, Some(target)) = (spec.manifests.len() > IMAGES_MAX, spec.targets.first()) {
                let (list, number) = (target.to_string(), spec.manifests.len());
                return Err(CommandError::TooManyImages { list, number, max: IMAGES_MAX });
            }
            for target in &spec.targets {
                // Lists of several specs can be in one repository by their digests.
                let owner = self.is_by_digest(spec, target).then_some(number);
                if !seen.insert((owner, &target.reference)) {
                    return Err(CommandError::DuplicateTarget(target.to_string()));
                }
                lists.push((spec, &target.reference));
            }
            for (repository, tag) in self.tags(spec) {
                if *owners.entry((repository, tag)).or_insert(number) != number {
                    return Err(CommandError::DuplicateTarget(format!("{repository}:{tag}")));
                }
            }
        }
        Ok(lists)
    }

    /// Checks that each list has a name of its own in one layout.
    ///
    /// # Errors
    /// One tag for two lists, or for several with the tag of `--to`.
    pub(crate) fn check_layout(&self, to: &LayoutReference, list_count: usize) -> Result<(), CommandError> {
        if to.tag.is_some() && list_count > 1 {
            return Err(CommandError::OneListOnly { flag: "the tag of --to", number: list_count });
        }
        let mut owners = BTreeMap::new();
        for (number, spec) in self.specs.iter().enumerate() {
            for (_, tag) in self.tags(spec) {
                if *owners.entry(tag).or_insert(number) != number {
                    return Err(CommandError::DuplicateTarget(format!("{}:{tag}", to.typed_layout())));
                }
            }
        }
        Ok(())
    }

    /// The repositories of the lists and of the further names.
    pub(crate) fn repositories(&self, lists: &[(&'a Spec, &'a Reference)]) -> Vec<&'a Repository> {
        let targets = lists.iter().map(|(_, target)| target.repository());
        targets.chain(self.further_names.iter().map(|reference| reference.repository())).collect()
    }

    /// Whether a target is published by its digest and the named tags only.
    pub(crate) fn is_by_digest(&self, spec: &Spec, target: &Target) -> bool {
        let has_tags = !spec.tags.is_empty() || !self.further_names.is_empty();
        target.is_untagged && (self.untagged == UntaggedTarget::ByDigest || has_tags)
    }

    /// The further names of one target of a spec. A name belongs to the first target in its repository, or else to the
    /// first target. So each name is published once.
    pub(crate) fn further_names_of(&self, spec: &Spec, target: &Target) -> impl Iterator<Item = &'a Reference> {
        self.further_names.iter().copied().filter(move |reference| {
            let is_same_repository = |target: &&Target| target.reference.repository() == reference.repository();
            let owner = spec.targets.iter().find(is_same_repository).or(spec.targets.first());
            owner.is_some_and(|owner| std::ptr::eq(owner, target))
        })
    }

    /// The list's name in the store and until its digest is known. It is one of the tags that it will get.
    pub(crate) fn draft_name(&self, spec: &Spec, target: &Target) -> Reference {
        if !self.is_by_digest(spec, target) {
            return target.reference.clone();
        }
        let repository = target.reference.repository();
        let tagged = spec.tags.first().and_then(|tag| tags::with_tag(&target.reference, tag));
        let other_name = || self.further_names.iter().find(|other| other.repository() == repository).copied().cloned();
        tagged.or_else(other_name).unwrap_or_else(|| target.reference.clone())
    }

    /// The list whose tag can be checked while the images are fetched: the first, because pushing it may change what
    /// the others need. A list that is published by its digest has no name before it is built.
    pub(crate) fn tag_to_prefetch(&self, lists: &[(&Spec, &Reference)]) -> Option<Reference> {
        let (spec, list) = lists.first()?;
        let target = spec.targets.iter().find(|target| target.reference == **list)?;
        list.tag().filter(|_| !self.is_by_digest(spec, target)).and_then(|tag| tags::with_tag(list, tag))
    }

    /// The tags that a spec publishes, each with its repository.
    fn tags<'s>(&'s self, spec: &'s Spec) -> impl Iterator<Item = (&'s Repository, &'s str)> {
        let references = self.further_names.iter().filter_map(|name| Some((name.repository(), name.tag()?)));
        let tags = spec.targets.iter().flat_map(move |target| {
            let own_tag = target.reference.tag().filter(|_| !self.is_by_digest(spec, target));
            let tags = own_tag.into_iter().chain(spec.tags.iter().map(String::as_str));
            tags.map(move |tag| (target.reference.repository(), tag))
        });
        tags.chain(references)
    }
}
