//! `apply`: builds and publishes the lists that specs describe, without a draft in between. Before anything is sent,
//! all specs are checked and the images of all lists are fetched.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cli::args::{Apply, ListFlags, PublishFlags, PublishFormat, TagArg};
use crate::cli::context::Context;
use crate::cli::spec_files;
use crate::cli::verbs::list_flags;
use crate::cli::verbs::publish::{self, DraftOrigin, publish};
use crate::content::registry::{ExpectedRequests, Registry};
use crate::core::build_outputs::{BuildOutputs, size_of};
use crate::core::error::CommandError;
use crate::core::error_parts::{PartialResult, SpecOrigin};
use crate::core::image_source::ContentAccess;
use crate::core::layouts::Layouts;
use crate::core::push::outcome::PushOutcome;
use crate::core::push::repositories::PushPlans;
use crate::core::request::{PlatformFilter, SourceFilter};
use crate::core::requirements;
use crate::core::resolve::assemble::{self, ListParts, ResolvedSources, SpecSources};
use crate::core::resolve::sources::Resolver;
use crate::core::resolve::storable;
use crate::core::spec_names::{SpecNames, Untagged};
use crate::drafts::DraftStore;
use crate::location::Location;
use crate::model::Draft;
use crate::model::spec::{Spec, SpecEntry, Target};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

pub(crate) fn run(context: &Context, args: &Apply) -> Result<(), CommandError> {
    let origin = if args.file.is_empty() { SpecOrigin::Flags } else { SpecOrigin::File };
    let mut specs = if origin == SpecOrigin::Flags {
        spec_files::from_flags(args)?
    } else {
        spec_files::read_all(context, &args.file)?
    };
    specs.iter_mut().for_each(|spec| spec_files::apply_flags(spec, args));
    let build_outputs = spec_files::add_files(context, &args.from, &args.from_targets, &mut specs)?;
    let flags = &args.publish;
    let request = ApplyRequest {
        names: SpecNames {
            specs: &specs,
            references: flags.tags.iter().filter_map(TagArg::reference).collect(),
            untagged: Untagged::Latest,
        },
        build_outputs: &build_outputs,
        flags,
        list_flags: &args.list_flags,
        ignore_missing: args.ignore_missing,
        keeps_drafts: args.draft,
        origin,
    };
    let lists = request.lists()?;
    let registry = context.registry(&args.network, lists.first().map(|(_, target)| target.repository()))?;
    let access = ContentAccess { registry: &registry, layouts: &Layouts::default() };
    let lists = request.build(context, access, &lists)?;
    let is_json = flags.format == Some(PublishFormat::Json);
    let github = publish::open_github_files(context, flags)?;
    let mut outcomes = Vec::new();
    let result = publish_all(context, access, &lists, args.network.timeout, |outcome| {
        outcomes.push(outcome.clone());
        if is_json { Ok(()) } else { publish::print_result(context, outcome, flags) }
    });
    // Published lists are printed, even if another list failed.
    let shown = if is_json && !outcomes.is_empty() { context.streams.json(&outcomes) } else { Ok(()) };
    let files = github.filter(|_| !outcomes.is_empty());
    let appended = files.map_or(Ok(()), |mut files| files.append(&outcomes, &outcomes));
    let reported =
        CommandError::all([shown.map_err(CommandError::from), appended]).map_err(|failure| match flags.dry_run {
            true => failure,
            false => publish::pushed_but_not_reported(&outcomes, failure),
        });
    CommandError::all([result, reported.map(drop)])?;
    publish::print_tags_and_warnings(context, &outcomes, flags);
    Ok(())
}

/// The lists to build, and how to publish them.
pub(crate) struct ApplyRequest<'a> {
    /// The specs, with the flags applied to them, and the names of their lists.
    pub(crate) names: SpecNames<'a>,
    /// For each spec, the images that files name (`--from`). They are among the spec's images too.
    pub(crate) build_outputs: &'a [BuildOutputs],
    /// How to publish the lists, if their specs do not say otherwise.
    pub(crate) flags: &'a PublishFlags,
    /// Members of the lists themselves that are not in the specs.
    pub(crate) list_flags: &'a ListFlags,
    /// Whether images may be missing.
    pub(crate) ignore_missing: bool,
    /// Whether to keep the lists as drafts, too.
    pub(crate) keeps_drafts: bool,
    /// Where the specs come from.
    pub(crate) origin: SpecOrigin,
}

/// A list that is ready to be published.
pub(crate) struct BuiltList {
    draft: Draft,
    options: PublishFlags,
    /// The draft to keep.
    stored: Option<Draft>,
}

impl<'a> ApplyRequest<'a> {
    /// The lists to build, each with its spec.
    ///
    /// # Errors
    /// Those of [`SpecNames::lists`]; one result file for several lists.
    pub(crate) fn lists(&self) -> Result<Vec<(&'a Spec, &'a Reference)>, CommandError> {
        let lists = self.names.lists()?;
        if let Some(to) = &self.flags.to {
            self.names.check_layout(to, lists.len())?;
        }
        let files = [("--digest-file", &self.flags.digest_file), ("--metadata-file", &self.flags.metadata_file)];
        match files.iter().find(|(_, file)| file.is_some()) {
            Some((flag, _)) if lists.len() > 1 => Err(CommandError::ManyLists { flag, number: lists.len() }),
            _ => Ok(lists),
        }
    }

    /// Fetches the images of all lists and builds the lists. All checks are made here.
    ///
    /// # Errors
    /// Errors of registries, and everything that the lists lack.
    pub(crate) fn build(
        &self,
        context: &Context,
        access: ContentAccess<'_>,
        lists: &[(&'a Spec, &'a Reference)],
    ) -> Result<Vec<BuiltList>, CommandError> {
        let targets = self.names.repositories(lists);
        self.announce(access.registry, &targets, lists);
        let found = self.resolve(context, access, targets, lists)?;
        let (mut built, mut failures) = (Vec::new(), Vec::new());
        for (number, spec) in self.names.specs.iter().enumerate() {
            let own: Vec<_> = lists.iter().copied().filter(|(list, _)| std::ptr::eq(*list, spec)).collect();
            let form = assemble::form_of(access, spec, &self.names.repositories(&own))?;
            if let (Some(source), None) = (&spec.source, &form) {
                let lost = format_args!("{source} does not exist any more: what only it contains is left out");
                context.streams.warning(lost);
            }
            form.iter().flat_map(|form| &form.left_out).for_each(|left_out| context.streams.warning(left_out));
            let parts = match self.parts(&found, number, spec) {
                Ok(parts) => parts,
                Err(failure) => {
                    failures.push(failure);
                    continue;
                }
            };
            parts.warnings.iter().for_each(|warning| context.streams.warning(warning));
            for target in &spec.targets {
                let draft = parts.draft(spec, &self.names.name(spec, target), form.as_ref());
                let draft = self.with_list_flags(access.registry, draft);
                match draft.and_then(|draft| self.built_list(access.layouts, spec, target, draft)) {
                    Ok(list) => built.push(list),
                    Err(failure) => failures.push(failure),
                }
            }
        }
        CommandError::fail_if_any(failures)?;
        Ok(built)
    }

    /// Announces all repositories, so that one token serves the whole command, and the number of requests.
    fn announce(&self, registry: &Registry, targets: &[&Repository], lists: &[(&Spec, &Reference)]) {
        let access = self.flags.access();
        targets.iter().for_each(|repository| registry.announce(repository, access));
        // A list that goes into a layout needs no request to its registry.
        if self.flags.to.is_none() {
            self.expect(registry, lists);
        }
    }

    /// Fetches the images of all specs. Prints a warning for each that is left out.
    fn resolve(
        &self,
        context: &Context,
        access: ContentAccess<'_>,
        targets: Vec<&Repository>,
        lists: &[(&Spec, &Reference)],
    ) -> Result<ResolvedSources, CommandError> {
        let registry = access.registry;
        let ahead = self.names.checked_ahead(lists).filter(|_| self.flags.to.is_none());
        let check_tag = || ahead.iter().for_each(|list| registry.prefetch_before_push(list));
        let (filter, progress) = (&SourceFilter::default(), &context.fetch_progress());
        let resolver = Resolver { access, filter, before: None, targets, beside: Some(&check_tag), progress };
        let found = SpecSources::of(self.names.specs).resolve(&resolver, self.ignore_missing);
        let found = found.map_err(|failure| {
            self.build_outputs.iter().fold(failure, |failure, outputs| outputs.blame(registry, failure))
        })?;
        for image in found.missing() {
            context.streams.warning(format_args!("no such manifest: {image}; it is left out"));
        }
        for child in found.missing_children() {
            context.streams.warning(format_args!("{child}; it is left out"));
        }
        Ok(found)
    }

    /// The images of one list. No two files may have different images for one platform.
    fn parts(&self, found: &ResolvedSources, number: usize, spec: &Spec) -> Result<ListParts, CommandError> {
        let Some(outputs) = self.build_outputs.get(number).filter(|outputs| !outputs.is_empty()) else {
            return found.parts(spec);
        };
        let get = |name: &Reference| found.get(&name.clone().into());
        outputs.check_sizes(&outputs.references().filter_map(|name| size_of(get(name)?)).collect())?;
        let children = outputs.children(|name| get(name)?.index.as_ref());
        let entries = outputs.references().filter(|name| !children.contains(name));
        let entries = entries.filter_map(|name| Some((name, get(name)?.entries.iter().collect())));
        outputs.check(&entries.collect(), |_| true)?;
        if children.is_empty() {
            return found.parts(spec);
        }
        // Children of the index need not be listed again, unless the spec describes them.
        let is_listed = |image: &Location| image.reference().is_some_and(|image| children.contains(image));
        let is_child = |entry: &SpecEntry| is_listed(&entry.image) && *entry == SpecEntry::new(entry.image.clone());
        let manifests = spec.manifests.iter().filter(|entry| !is_child(entry)).cloned().collect();
        found.parts(&Spec { manifests, ..spec.clone() })
    }

    /// Announces how many requests the registry of the first list will get at once: first one for each image and one
    /// for the tag, then those for the blobs of images from other repositories (a configuration and two layers each).
    fn expect(&self, registry: &Registry, lists: &[(&Spec, &Reference)]) {
        const BLOBS: usize = 3;
        let Some((spec, list)) = lists.first() else { return };
        let target = list.repository();
        let images: BTreeSet<&Location> = spec.manifests.iter().map(|entry| &entry.image).collect();
        let repositories: Vec<&Repository> =
            images.iter().filter_map(|image| image.reference()).map(Reference::repository).collect();
        let same_registry = repositories.iter().filter(|repository| repository.domain() == target.domain()).count();
        let same_repository = repositories.iter().filter(|repository| **repository == target).count();
        let to_copy = images.len() - same_repository;
        let writes = if self.flags.dry_run { 0 } else { to_copy.saturating_mul(BLOBS).saturating_add(1) };
        let (reads, writes) = ((same_registry + 1).min(registry.jobs().get()), writes.min(registry.jobs().get()));
        registry.expect(target, ExpectedRequests { reads, writes, writes_follow: false });
    }

    /// The draft with the members that the flags set.
    fn with_list_flags(&self, registry: &Registry, mut draft: Draft) -> Result<Draft, CommandError> {
        let subject = list_flags::subject(registry, &draft.reference, self.list_flags.subject.as_ref())?;
        list_flags::apply(self.list_flags, subject.as_ref(), &mut draft)?;
        Ok(draft)
    }

    fn built_list(&self, layouts: &Layouts, spec: &Spec, target: &Target, mut draft: Draft) -> Result<BuiltList, CommandError> {
        let references = self.names.references_of(spec, target).cloned().map(TagArg::Reference);
        let options = list_options(self.flags, spec, references);
        // The push checks the same for one list. All lists must be checked before the first is sent.
        let digest = PushPlans::new(&draft, options.kind, &options.tags, layouts)?.own.list.digest;
        requirements::check(&draft, &options.requirements(self.origin))?;
        let is_stored = self.keeps_drafts && !self.flags.dry_run;
        let stored = is_stored.then(|| storable::storable(&draft));
        if self.names.is_by_digest(spec, target) {
            draft.reference = target.reference.repository().at_digest(&digest);
        }
        Ok(BuiltList { draft, options, stored })
    }
}

/// Publishes lists one after the other and prints each result. `timeout` limits the wait for the lock of a draft.
///
/// # Errors
/// The first failure. If there are several lists, it names those that were published and those that were not.
pub(crate) fn publish_all(
    context: &Context,
    access: ContentAccess<'_>,
    lists: &[BuiltList],
    timeout: Option<Duration>,
    mut report: impl FnMut(&PushOutcome) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    for (number, list) in lists.iter().enumerate() {
        let published = publish(context, access, &list.draft, &list.options, DraftOrigin::Stored, |outcome| {
            let reported = report(outcome);
            // A draft is kept even if its result cannot be printed.
            let kept = list.stored.as_ref().map_or(Ok(()), |draft| store_draft(context, draft, timeout));
            reported.and(kept)
        });
        let Err(failure) = published else { continue };
        if lists.len() == 1 {
            return Err(failure);
        }
        let is_pushed =
            matches!(failure, CommandError::Partial { done: PartialResult::PushedButNotReported { .. }, .. });
        let (done, left) = lists.split_at_checked(number + usize::from(is_pushed)).unwrap_or((lists, &[]));
        let names = |lists: &[BuiltList]| lists.iter().map(|list| list.draft.reference.to_string()).collect();
        let done = PartialResult::Batch { published: names(done), left: names(left) };
        return Err(CommandError::Partial { failure: Box::new(failure), done });
    }
    Ok(())
}

/// Stores a list as a draft. A draft of the same name is replaced, even if it cannot be read.
fn store_draft(context: &Context, draft: &Draft, timeout: Option<Duration>) -> Result<(), CommandError> {
    let store = context.store_with_timeout(timeout)?;
    let is_other = match store.load(&draft.reference) {
        Ok(before) => before.is_some_and(|before| before != *draft),
        Err(_) => true,
    };
    store.replace(draft, &context.wait_notice())?;
    if is_other {
        context.streams.note(format_args!("the draft {} is replaced", draft.reference));
    }
    Ok(())
}

/// The flags for one list, with further names for it.
fn list_options(flags: &PublishFlags, spec: &Spec, references: impl Iterator<Item = TagArg>) -> PublishFlags {
    let required = |platform: &Platform| PlatformFilter { shown: platform.to_string(), parsed: platform.clone() };
    PublishFlags {
        kind: spec.form.unwrap_or_default(),
        tags: spec.tags.iter().cloned().map(TagArg::Tag).chain(references).collect(),
        // The files of GitHub Actions are written once, for all lists.
        format: flags.format.filter(|format| *format != PublishFormat::Github),
        require: spec.require.iter().map(required).collect(),
        ..flags.clone()
    }
}
