//! `apply`: builds and publishes the lists that specs describe, without a draft in between. Before anything is sent,
//! all specs are checked and the images of all lists are fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::auth::Access;
use crate::cli::args::{Apply, ListFlags, Publish, PublishFormat, TagArg};
use crate::cli::context::Context;
use crate::cli::output::github::GithubFiles;
use crate::cli::spec_files;
use crate::cli::verbs::list_flags;
use crate::cli::verbs::publish::{self, Origin, publish};
use crate::content::registry::{Expected, Registry};
use crate::core::build_outputs::BuildOutputs;
use crate::core::error::CommandError;
use crate::core::error_parts::{PartialResult, SpecOrigin};
use crate::core::layouts::Layouts;
use crate::core::place::ContentAccess;
use crate::core::push::outcome::PushOutcome;
use crate::core::push::repositories::PushPlans;
use crate::core::push::tags;
use crate::core::request::{PlatformFilter, SourceFilter};
use crate::core::requirements;
use crate::core::resolve::assemble::{self, ListParts, ResolvedSources, SpecSources};
use crate::core::resolve::sources::Resolver;
use crate::drafts::DraftStore;
use crate::location::{LayoutName, Location};
use crate::model::Draft;
use crate::model::spec::{Spec, SpecEntry, Target};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

/// A list of more images would exceed what registries accept, however short its entries are.
const IMAGES_MAX: usize = 20_000;

pub(crate) fn run(context: &Context, args: &Apply) -> Result<(), CommandError> {
    let made = if args.file.is_empty() { SpecOrigin::Flags } else { SpecOrigin::File };
    let mut specs = if made == SpecOrigin::Flags {
        spec_files::of_flags(args)?
    } else {
        spec_files::read_all(context, &args.file)?
    };
    specs.iter_mut().for_each(|spec| spec_files::apply_flags(spec, args));
    let outputs = spec_files::add_files(context, &args.from, &args.from_targets, &mut specs)?;
    let flags = &args.publish;
    let (ignore_missing, keeps_drafts, untagged) = (args.ignore_missing, args.draft, Untagged::Latest);
    let own = &args.list_flags;
    let order =
        ApplyRequest { specs: &specs, outputs: &outputs, flags, own, ignore_missing, keeps_drafts, made, untagged };
    let lists = order.checked()?;
    let registry = context.registry(&args.network, lists.first().map(|(_, target)| target.repository()))?;
    let access = ContentAccess { registry: &registry, layouts: &Layouts::default() };
    let lists = order.make(context, access, &lists)?;
    let is_json = flags.format == Some(PublishFormat::Json);
    let github = flags.format == Some(PublishFormat::Github) && !flags.dry_run;
    let github = github.then(|| GithubFiles::prepare(&context.env)).transpose()?;
    let mut told = Vec::new();
    let mut outcome = publish_all(context, access, &lists, args.network.timeout, |published| {
        told.push(published.clone());
        if is_json { Ok(()) } else { publish::show(context, published, flags) }
    });
    // Published lists are printed, even if another list failed.
    if is_json && !told.is_empty() {
        context.streams.json(&told)?;
    }
    if let (Some(mut files), Some(last)) = (github, told.last()) {
        let (list, digest) = (last.reference.clone(), last.digest.clone());
        let unreported = |failure| CommandError::Partial {
            failure: Box::new(failure),
            done: PartialResult::PushedButNotReported { list, digest },
        };
        let appended = files.append(&told, &told).map_err(unreported);
        outcome = outcome.and(appended);
    }
    outcome?;
    publish::name_tags(context, &told, flags);
    publish::warn(context, &told);
    Ok(())
}

/// The lists to build, and how to publish them.
pub(crate) struct ApplyRequest<'a> {
    /// The specs, with the flags applied to them.
    pub(crate) specs: &'a [Spec],
    /// The images of each spec that files name, which are among its others; none where no spec has any.
    pub(crate) outputs: &'a [BuildOutputs],
    /// How to publish the lists, if their specs do not say otherwise.
    pub(crate) flags: &'a Publish,
    /// What the lists say of themselves beside their specs.
    pub(crate) own: &'a ListFlags,
    /// Whether images may be missing.
    pub(crate) ignore_missing: bool,
    /// Whether to keep the lists as drafts, too.
    pub(crate) keeps_drafts: bool,
    /// Where the specs come from.
    pub(crate) made: SpecOrigin,
    /// How to publish a target without a tag.
    pub(crate) untagged: Untagged,
}

/// How to publish a target without a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untagged {
    /// By its digest and under the named tags. `latest` does not move.
    ByDigest,
    /// By its digest if tags are named, otherwise as `latest`.
    Latest,
}

/// A list that is ready to be published.
pub(crate) struct List {
    draft: Draft,
    options: Publish,
    /// The draft to keep.
    stored: Option<Draft>,
}

impl ApplyRequest<'_> {
    /// The lists to build, each with its spec.
    ///
    /// # Errors
    /// A spec with too many images; one name or tag for two lists; one result file for several lists. Several targets
    /// of one spec are one list and may share a tag.
    pub(crate) fn checked(&self) -> Result<Vec<(&Spec, &Reference)>, CommandError> {
        let (mut lists, mut seen, mut claims) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        for (number, spec) in self.specs.iter().enumerate() {
            if let (true, Some(target)) = (spec.manifests.len() > IMAGES_MAX, spec.targets.first()) {
                let (list, number) = (target.to_string(), spec.manifests.len());
                return Err(CommandError::TooManyImages { list, number, most: IMAGES_MAX });
            }
            for target in &spec.targets {
                // Lists of several specs can be in one repository by their digests.
                let owner = self.is_by_digest(spec, target).then_some(number);
                if !seen.insert((owner, &target.reference)) {
                    return Err(CommandError::TargetTwice(target.to_string()));
                }
                lists.push((spec, &target.reference));
            }
            for (repository, tag) in self.names(spec) {
                if *claims.entry((repository, tag)).or_insert(number) != number {
                    return Err(CommandError::TargetTwice(format!("{repository}:{tag}")));
                }
            }
        }
        if let Some(to) = &self.flags.to {
            self.check_layout(to, lists.len())?;
        }
        let files = [("--digest-file", &self.flags.digest_file), ("--metadata-file", &self.flags.metadata_file)];
        match files.iter().find(|(_, file)| file.is_some()) {
            Some((flag, _)) if lists.len() > 1 => Err(CommandError::ManyLists { flag, number: lists.len() }),
            _ => Ok(lists),
        }
    }

    /// Checks that each list has a name of its own in one layout.
    fn check_layout(&self, to: &LayoutName, lists: usize) -> Result<(), CommandError> {
        if to.tag.is_some() && lists > 1 {
            return Err(CommandError::ManyLists { flag: "the tag of --to", number: lists });
        }
        let mut claims = BTreeMap::new();
        for (number, spec) in self.specs.iter().enumerate() {
            for (_, tag) in self.names(spec) {
                if *claims.entry(tag).or_insert(number) != number {
                    return Err(CommandError::TargetTwice(format!("{}:{tag}", to.layout())));
                }
            }
        }
        Ok(())
    }

    /// Fetches the images of all lists and builds the lists. All checks are made here.
    ///
    /// # Errors
    /// Errors of registries, and everything that the lists lack.
    pub(crate) fn make(
        &self,
        context: &Context,
        access: ContentAccess<'_>,
        lists: &[(&Spec, &Reference)],
    ) -> Result<Vec<List>, CommandError> {
        let ContentAccess { registry, layouts } = access;
        // One token serves the whole command.
        let is_read = self.flags.dry_run || self.flags.to.is_some();
        let rights = if is_read { Access::Pull } else { Access::PullPush };
        lists.iter().for_each(|(_, target)| registry.announce(target.repository(), rights));
        self.references().for_each(|reference| registry.announce(reference.repository(), rights));
        let targets = lists.iter().map(|(_, target)| target.repository());
        let targets = targets.chain(self.references().map(Reference::repository)).collect();
        // A list that goes into a layout takes no request to its registry.
        let ahead = self.checked_ahead(lists).filter(|_| self.flags.to.is_none());
        if self.flags.to.is_none() {
            self.expect(registry, lists);
        }
        let look = || ahead.iter().for_each(|list| registry.prefetch_before_push(list));
        let wanted = &SourceFilter::default();
        let (beside, progress): (Option<&(dyn Fn() + Sync)>, _) = (Some(&look), &context.fetches());
        let resolver = Resolver { access, wanted, before: None, targets, beside, progress };
        let found = SpecSources::of(self.specs).resolve(&resolver, self.ignore_missing);
        let found = found.map_err(|failure| {
            self.outputs.iter().fold(failure, |failure, outputs| outputs.blame(registry, failure))
        })?;
        for image in found.missing() {
            context.streams.note(format_args!("warning: no such manifest: {image}; it is left out"));
        }
        for child in found.lost() {
            context.streams.note(format_args!("warning: {child}; it is left out"));
        }
        let (mut made, mut failures) = (Vec::new(), Vec::new());
        for (place, spec) in self.specs.iter().enumerate() {
            let targets =
                lists.iter().filter(|(list, _)| std::ptr::eq(*list, spec)).map(|(_, target)| target.repository());
            let targets: Vec<&Repository> = targets.chain(self.references().map(Reference::repository)).collect();
            let form = assemble::form_of(access, spec, &targets)?;
            if let (Some(source), None) = (&spec.source, &form) {
                context
                    .streams
                    .note(format_args!("warning: {source} is not there any more: what only it says is left out"));
            }
            for left_out in form.iter().flat_map(|form| &form.left_out) {
                context.streams.note(format_args!("warning: {left_out}"));
            }
            let parts = match self.parts(&found, place, spec) {
                Ok(parts) => parts,
                Err(failure) => {
                    failures.push(failure);
                    continue;
                }
            };
            for warning in &parts.warnings {
                context.streams.note(format_args!("warning: {warning}"));
            }
            for target in &spec.targets {
                let draft = parts.draft(spec, &self.name(spec, target), form.as_ref());
                match self.described(registry, draft).and_then(|draft| self.list(layouts, spec, target, draft)) {
                    Ok(list) => made.push(list),
                    Err(failure) => failures.push(failure),
                }
            }
        }
        if failures.is_empty() { Ok(made) } else { Err(CommandError::of(failures)) }
    }

    /// What a list is made of, where no two files have different images for one platform.
    fn parts(&self, found: &ResolvedSources, place: usize, spec: &Spec) -> Result<ListParts, CommandError> {
        let Some(outputs) = self.outputs.get(place).filter(|outputs| !outputs.is_empty()) else {
            return found.parts(spec);
        };
        let get = |name: &Reference| found.get(&name.clone().into());
        let children = outputs.children(|name| get(name)?.index.as_ref());
        let entries = outputs.references().filter(|name| !children.contains(name));
        let entries = entries.filter_map(|name| Some((name, get(name)?.entries.iter().collect())));
        outputs.check(&entries.collect(), |_| true)?;
        if children.is_empty() {
            return found.parts(spec);
        }
        // What the index brings need not be listed again, unless the spec says more of it.
        let is_listed = |image: &Location| image.reference().is_some_and(|image| children.contains(image));
        let is_child = |entry: &SpecEntry| is_listed(&entry.image) && *entry == SpecEntry::new(entry.image.clone());
        let manifests = spec.manifests.iter().filter(|entry| !is_child(entry)).cloned().collect();
        found.parts(&Spec { manifests, ..spec.clone() })
    }

    /// The list whose tag is looked at beside the images: the first, as what the others serve may change while that is
    /// published. One that goes by its digest has no name before it is made.
    fn checked_ahead(&self, lists: &[(&Spec, &Reference)]) -> Option<Reference> {
        let (spec, list) = lists.first()?;
        let target = spec.targets.iter().find(|target| target.reference == **list)?;
        list.tag().filter(|_| !self.is_by_digest(spec, target)).and_then(|tag| tags::tagged(list, tag))
    }

    /// Says how many requests there will be at once to the registry of the first list: its images and its tag together,
    /// then the blobs of the images of other repositories, two layers and a config each.
    fn expect(&self, registry: &Registry, lists: &[(&Spec, &Reference)]) {
        const BLOBS: usize = 3;
        let Some((spec, list)) = lists.first() else { return };
        let target = list.repository();
        let images: BTreeSet<&Location> = spec.manifests.iter().map(|entry| &entry.image).collect();
        let repositories: Vec<&Repository> =
            images.iter().filter_map(|image| image.reference()).map(Reference::repository).collect();
        let near = repositories.iter().filter(|repository| repository.domain() == target.domain()).count();
        let own = repositories.iter().filter(|repository| **repository == target).count();
        let foreign = images.len() - own;
        let writes = if self.flags.dry_run { 0 } else { foreign.saturating_mul(BLOBS).saturating_add(1) };
        let (reads, writes) = ((near + 1).min(registry.jobs().get()), writes.min(registry.jobs().get()));
        registry.expect(target, Expected { reads, writes, writes_follow: false });
    }

    /// Whether a target is published by its digest and the named tags only.
    fn is_by_digest(&self, spec: &Spec, target: &Target) -> bool {
        let is_named = !spec.tags.is_empty() || self.references().next().is_some();
        target.is_untagged && (self.untagged == Untagged::ByDigest || is_named)
    }

    /// The full names that `--tag` gives.
    fn references(&self) -> impl Iterator<Item = &Reference> {
        self.flags.tags.iter().filter_map(TagArg::reference)
    }

    /// The full names that belong to one target of a spec: the first target in the same repository, else the first of
    /// all. So each name is published once.
    fn references_with(&self, spec: &Spec, target: &Target) -> impl Iterator<Item = &Reference> {
        self.references().filter(move |reference| {
            let is_there = |target: &&Target| target.reference.repository() == reference.repository();
            let found = spec.targets.iter().find(is_there).or(spec.targets.first());
            found.is_some_and(|found| std::ptr::eq(found, target))
        })
    }

    /// The list's name in the store and until its digest is known. It is one of the tags that it will get.
    fn name(&self, spec: &Spec, target: &Target) -> Reference {
        if !self.is_by_digest(spec, target) {
            return target.reference.clone();
        }
        let repository = target.reference.repository();
        let tagged = spec.tags.first().and_then(|tag| tags::tagged(&target.reference, tag));
        let tagged = tagged.or_else(|| self.references().find(|other| other.repository() == repository).cloned());
        tagged.unwrap_or_else(|| target.reference.clone())
    }

    /// The tags that a spec publishes, each with its repository.
    fn names<'s>(&'s self, spec: &'s Spec) -> impl Iterator<Item = (&'s Repository, &'s str)> {
        let references = self.references().filter_map(|name| Some((name.repository(), name.tag()?)));
        let tags = spec.targets.iter().flat_map(move |target| {
            let own = target.reference.tag().filter(|_| !self.is_by_digest(spec, target));
            let tags = own.into_iter().chain(spec.tags.iter().map(String::as_str));
            tags.map(move |tag| (target.reference.repository(), tag))
        });
        tags.chain(references)
    }

    /// The list with what the flags say of it.
    fn described(&self, registry: &Registry, mut draft: Draft) -> Result<Draft, CommandError> {
        let subject = list_flags::subject(registry, &draft.reference, self.own.subject.as_ref())?;
        list_flags::apply(self.own, subject.as_ref(), &mut draft)?;
        Ok(draft)
    }

    fn list(&self, layouts: &Layouts, spec: &Spec, target: &Target, mut draft: Draft) -> Result<List, CommandError> {
        let references = self.references_with(spec, target).cloned().map(TagArg::Reference);
        let options = options(self.flags, spec, references);
        // The push checks the same for one list. All lists must be checked before the first is sent.
        let digest = PushPlans::new(&draft, options.kind, &options.tags, layouts)?.own.list.digest;
        let made = self.made;
        let wanted = requirements::Requirements {
            require: &options.require,
            exact: options.exact,
            strict: options.strict,
            made,
        };
        requirements::check(&draft, &wanted)?;
        let is_stored = self.keeps_drafts && !self.flags.dry_run;
        let stored = is_stored.then(|| assemble::storable(&draft));
        if self.is_by_digest(spec, target) {
            draft.reference = target.reference.repository().at_digest(&digest);
        }
        Ok(List { draft, options, stored })
    }
}

/// Publishes lists one after the other and prints each result. `timeout` limits the wait for the lock of a draft.
///
/// # Errors
/// The first failure. If there are several lists, it names those that were published and those that were not.
pub(crate) fn publish_all(
    context: &Context,
    access: ContentAccess<'_>,
    lists: &[List],
    timeout: Option<Duration>,
    mut tell: impl FnMut(&PushOutcome) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    for (place, list) in lists.iter().enumerate() {
        let published = publish(context, access, &list.draft, &list.options, Origin::Stored, |published| {
            let told = tell(published);
            // A draft is kept even if its result cannot be printed.
            let kept = list.stored.as_ref().map_or(Ok(()), |draft| store(context, draft, timeout));
            told.and(kept)
        });
        if let Err(failure) = published {
            let is_pushed =
                matches!(failure, CommandError::Partial { done: PartialResult::PushedButNotReported { .. }, .. });
            let done = place + usize::from(is_pushed);
            let names = |lists: Option<&[List]>| {
                lists.unwrap_or_default().iter().map(|list| list.draft.reference.to_string()).collect()
            };
            let (published, left) = (names(lists.get(..done)), names(lists.get(done..)));
            if lists.len() == 1 {
                return Err(failure);
            }
            let done = PartialResult::Batch { published, left };
            return Err(CommandError::Partial { failure: Box::new(failure), done });
        }
    }
    Ok(())
}

/// Stores a list as a draft. A draft of the same name is replaced, even if it cannot be read.
fn store(context: &Context, draft: &Draft, timeout: Option<Duration>) -> Result<(), CommandError> {
    let store = context.store_within(timeout)?;
    let is_other = match store.load(&draft.reference) {
        Ok(before) => before.is_some_and(|before| before != *draft),
        Err(_) => true,
    };
    store.replace(draft, &context.notice())?;
    if is_other {
        context.streams.note(format_args!("the draft {} is replaced", draft.reference));
    }
    Ok(())
}

/// The flags for one list, with further names for it.
fn options(flags: &Publish, spec: &Spec, references: impl Iterator<Item = TagArg>) -> Publish {
    let required = |platform: &Platform| PlatformFilter { shown: platform.to_string(), parsed: platform.clone() };
    Publish {
        kind: spec.form.unwrap_or_default(),
        tags: spec.tags.iter().cloned().map(TagArg::Tag).chain(references).collect(),
        // That is written for all lists at once.
        format: flags.format.filter(|format| *format != PublishFormat::Github),
        require: spec.require.iter().map(required).collect(),
        ..flags.clone()
    }
}
