//! Builds the lists that specs describe, for `apply` and for manifest-tool. All specs are checked and the images of all
//! lists are fetched before anything is sent.

use std::collections::BTreeSet;
use std::fmt;

use crate::auth::Access;
use crate::content::registry::{ExpectedConnections, RegistryClient};
use crate::core::build_outputs::{BuildOutputs, manifest_size};
use crate::core::error::CommandError;
use crate::core::image_filters::{PlatformFilter, SourceFilter};
use crate::core::image_source::ContentAccess;
use crate::core::list_metadata::ListEdits;
use crate::core::list_names::ListNaming;
use crate::core::open_layouts::Layouts;
use crate::core::push::options::PushOptions;
use crate::core::push::per_repository::PushPlans;
use crate::core::push::tags::TagArg;
use crate::core::requirements;
use crate::core::resolve::resolver::{FetchEvent, Resolver};
use crate::core::resolve::spec_drafts::{self, ListParts, ResolvedSources, UnresolvedSources};
use crate::core::resolve::unique_entry_names;
use crate::core::spec_origin::SpecOrigin;
use crate::location::Location;
use crate::model::Draft;
use crate::model::spec::{Spec, SpecEntry, Target};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

/// The lists to build, and how to publish them.
pub(crate) struct ApplyRequest<'a> {
    /// The specs, with the flags applied to them, and the names of their lists.
    pub(crate) naming: ListNaming<'a>,
    /// For each spec, the images that files name (`--from`). They are among the spec's images too.
    pub(crate) build_outputs: &'a [BuildOutputs],
    /// How to publish the lists, if their specs do not say otherwise.
    pub(crate) options: PushOptions,
    /// Whether the lists go into a layout instead of their registries.
    pub(crate) is_to_layout: bool,
    /// Changes of the lists themselves that are not in the specs.
    pub(crate) edits: ListEdits<'a>,
    /// Whether images may be missing.
    pub(crate) ignore_missing: bool,
    /// Whether to keep the lists as drafts, too.
    pub(crate) stores_drafts: bool,
    /// Where the specs come from.
    pub(crate) origin: SpecOrigin,
    /// Receives the warnings.
    pub(crate) warn: &'a dyn Fn(&dyn fmt::Display),
    /// Called while the images are fetched, by several threads.
    pub(crate) progress: &'a (dyn Fn(FetchEvent<'_>) + Sync),
}

/// A list that is ready to be published.
pub(crate) struct BuiltList {
    pub(crate) draft: Draft,
    pub(crate) options: PushOptions,
    /// The draft to keep.
    pub(crate) draft_to_store: Option<Draft>,
}

impl<'a> ApplyRequest<'a> {
    /// Fetches the images of all lists and builds the lists. All checks are made here.
    ///
    /// # Errors
    /// Errors of registries, and everything that the lists lack.
    pub(crate) fn build(
        &self,
        content_access: ContentAccess<'_>,
        lists: &[(&'a Spec, &'a Reference)],
    ) -> Result<Vec<BuiltList>, CommandError> {
        let targets = self.naming.repositories(lists);
        self.expect_requests(content_access.registry, &targets, lists);
        let sources = self.resolve(content_access, targets, lists)?;
        let (mut built, mut errors) = (Vec::new(), Vec::new());
        for (number, spec) in self.naming.specs.iter().enumerate() {
            let lists_of_spec: Vec<_> = lists.iter().copied().filter(|(list, _)| std::ptr::eq(*list, spec)).collect();
            let spec_source =
                spec_drafts::fetch_spec_source(content_access, spec, &self.naming.repositories(&lists_of_spec))?;
            if let (Some(source), None) = (&spec.source_location, &spec_source) {
                (self.warn)(&format_args!("{source} does not exist any more: what only it contains is left out"));
            }
            spec_source.iter().flat_map(|index| &index.omissions).for_each(|omission| (self.warn)(omission));
            let parts = match self.parts(&sources, number, spec) {
                Ok(parts) => parts,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            parts.warnings.iter().for_each(|warning| (self.warn)(warning));
            for target in &spec.targets {
                let draft = parts.draft(spec, &self.naming.draft_name(spec, target), spec_source.as_ref());
                let draft = self.with_list_edits(content_access.registry, draft);
                match draft.and_then(|draft| self.built_list(content_access.layouts, spec, target, draft)) {
                    Ok(list) => built.push(list),
                    Err(error) => errors.push(error),
                }
            }
        }
        CommandError::fail_if_any(errors)?;
        Ok(built)
    }

    /// Records the access to all repositories, so that one token serves the whole command, and the number of requests.
    fn expect_requests(&self, registry: &RegistryClient, targets: &[&Repository], lists: &[(&Spec, &Reference)]) {
        let access = if self.options.dry_run || self.is_to_layout { Access::Pull } else { Access::PullPush };
        targets.iter().for_each(|repository| registry.expect_access(repository, access));
        // A list that goes into a layout needs no request to its registry.
        if !self.is_to_layout {
            self.expect_parallel_requests(registry, lists);
        }
    }

    /// Fetches the images of all specs. Warns about each that is left out.
    fn resolve(
        &self,
        content_access: ContentAccess<'_>,
        targets: Vec<&Repository>,
        lists: &[(&Spec, &Reference)],
    ) -> Result<ResolvedSources, CommandError> {
        let registry = content_access.registry;
        let early_list = self.naming.tag_to_prefetch(lists).filter(|_| !self.is_to_layout);
        let check_tag = || early_list.iter().for_each(|list| registry.prefetch_and_preconnect(list));
        let (filter, progress) = (&SourceFilter::default(), self.progress);
        let resolver =
            Resolver { content_access, filter, existing: None, targets, concurrent_task: Some(&check_tag), progress };
        let sources = UnresolvedSources::new(self.naming.specs).resolve(&resolver, self.ignore_missing);
        let sources = sources.map_err(|error| {
            self.build_outputs.iter().fold(error, |error, outputs| outputs.diagnose_error(registry, error))
        })?;
        for image in sources.missing() {
            (self.warn)(&format_args!("no such manifest: {image}; it is left out"));
        }
        for child in sources.missing_children() {
            (self.warn)(&format_args!("{child}; it is left out"));
        }
        Ok(sources)
    }

    /// The images of one list. No two files may have different images for one platform.
    fn parts(&self, sources: &ResolvedSources, spec_number: usize, spec: &Spec) -> Result<ListParts, CommandError> {
        let Some(outputs) = self.build_outputs.get(spec_number).filter(|outputs| !outputs.is_empty()) else {
            return sources.parts(spec);
        };
        let get = |name: &Reference| sources.get(&name.clone().into());
        outputs.check_sizes(&outputs.references().filter_map(|name| manifest_size(get(name)?)).collect())?;
        let children = outputs.children_in_same_file(|name| get(name)?.index.as_ref());
        let entries = outputs.references().filter(|name| !children.contains(name));
        let entries = entries.filter_map(|name| Some((name, get(name)?.entries.iter().collect())));
        outputs.check_duplicate_platforms(&entries.collect(), |_| true)?;
        if children.is_empty() {
            return sources.parts(spec);
        }
        // Children of the index need not be listed again, unless the spec describes them.
        let is_listed = |image: &Location| image.reference().is_some_and(|image| children.contains(image));
        let is_child = |entry: &SpecEntry| is_listed(&entry.image) && *entry == SpecEntry::new(entry.image.clone());
        let manifests = spec.manifests.iter().filter(|entry| !is_child(entry)).cloned().collect();
        sources.parts(&Spec { manifests, ..spec.clone() })
    }

    /// Records how many requests the registry of the first list will get at once: first one for each image and one
    /// for the tag, then those for the blobs of images from other repositories (a configuration and two layers each).
    fn expect_parallel_requests(&self, registry: &RegistryClient, lists: &[(&Spec, &Reference)]) {
        const BLOBS_PER_IMAGE: usize = 3;
        let Some((spec, list)) = lists.first() else { return };
        let target = list.repository();
        let images: BTreeSet<&Location> = spec.manifests.iter().map(|entry| &entry.image).collect();
        let repositories: Vec<&Repository> =
            images.iter().filter_map(|image| image.reference()).map(Reference::repository).collect();
        let same_registry = repositories.iter().filter(|repository| repository.domain() == target.domain()).count();
        let same_repository = repositories.iter().filter(|repository| **repository == target).count();
        let to_copy = images.len() - same_repository;
        let writes = if self.options.dry_run { 0 } else { to_copy.saturating_mul(BLOBS_PER_IMAGE).saturating_add(1) };
        let (reads, writes) = ((same_registry + 1).min(registry.jobs().get()), writes.min(registry.jobs().get()));
        registry.expect_parallel_requests(
            target,
            ExpectedConnections { reads, writes, writes_follow_first_response: false },
        );
    }

    /// The draft with the changes of the list itself.
    fn with_list_edits(&self, registry: &RegistryClient, mut draft: Draft) -> Result<Draft, CommandError> {
        let subject = self.edits.fetch_subject(registry, &draft.reference)?;
        self.edits.apply(subject.as_ref(), &mut draft)?;
        Ok(draft)
    }

    fn built_list(
        &self,
        layouts: &Layouts,
        spec: &Spec,
        target: &Target,
        mut draft: Draft,
    ) -> Result<BuiltList, CommandError> {
        let references = self.naming.further_names_of(spec, target).cloned().map(TagArg::Reference);
        let options = self.list_options(spec, references);
        // The push checks the same for one list. All lists must be checked before the first is sent.
        let digest = PushPlans::new(&draft, options.list_format, &options.tags, layouts)?.own.list.digest;
        requirements::check(&draft, &options.requirements(self.origin))?;
        let is_stored = self.stores_drafts && !self.options.dry_run;
        let draft_to_store = is_stored.then(|| unique_entry_names::with_unique_entry_names(&draft));
        if self.naming.is_by_digest(spec, target) {
            draft.reference = target.reference.repository().at_digest(&digest);
        }
        Ok(BuiltList { draft, options, draft_to_store })
    }

    /// The options for one list, with further names for it.
    fn list_options(&self, spec: &Spec, references: impl Iterator<Item = TagArg>) -> PushOptions {
        let required = |platform: &Platform| PlatformFilter { text: platform.to_string(), parsed: platform.clone() };
        PushOptions {
            list_format: spec.list_format.unwrap_or_default(),
            tags: spec.tags.iter().cloned().map(TagArg::Tag).chain(references).collect(),
            require: spec.require.iter().map(required).collect(),
            ..self.options.clone()
        }
    }
}
