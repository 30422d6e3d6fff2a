//! Publishing a list: the blobs of images from elsewhere, then their manifests by digest from the bytes that came, then
//! the list, so that no name ever serves what is not there.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::auth::Access;
use crate::cli::args::{Format, Publish};
use crate::cli::context::Context;
use crate::cli::output::result_files::ResultFile;
use crate::cli::output::{Progress, json};
use crate::content::registry::{self, BlobCopy, ManifestName, MountResult, Registry, StoredManifest};
use crate::core::error::{CommandError, SpecOrigin};
use crate::core::push::outcome::{PushOutcome, SentContent};
use crate::core::push::plan::{PlannedBlob, PlannedManifest, PushPlan, PushStep};
use crate::core::push::read_lag::ReadLag;
use crate::core::push::referrers;
use crate::core::push::remote_state::{RemoteState, TagState};
use crate::core::push::repositories::{PushPlans, PushTargets, Pusher};
use crate::core::push::{difference, dry_run};
use crate::core::requirements::{self, Requirements};
use crate::digest::Digest;
use crate::model::Draft;
use crate::model::index::Index;
use crate::net::tasks;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::{Reference, Repository};
use crate::sanitize;

/// Publishes a draft, or with `--dry-run` finds out what that would take, and has `tell` tell of it before any file is
/// written.
///
/// Everything that can be known to be wrong is known before anything is sent; for what the draft says, before anything
/// is asked.
///
/// # Errors
/// [`CommandError::Incomplete`] and [`CommandError::Twice`] before any request; a draft that cannot become the list that
/// is asked for; files that cannot be written; what a registry says. [`CommandError::PushedButNotReported`] where the list is published and only what
/// comes after that failed.
pub(crate) fn publish(
    context: &Context,
    registry: &Registry,
    jobs: NonZeroUsize,
    draft: &Draft,
    options: &Publish,
    tell: impl FnOnce(&PushOutcome) -> Result<(), CommandError>,
) -> Result<PushOutcome, CommandError> {
    let plans = PushPlans::new(draft, options.kind, &options.tags)?;
    // What is no draft has been looked at before it came here.
    let made = SpecOrigin::Draft;
    if let Some(note) = &plans.own.list.note {
        context.streams.note(format_args!("{}", sanitize::line(note)));
    }
    let wanted = Requirements { require: &options.require, exact: options.exact, strict: options.strict, made };
    let warnings = requirements::check(draft, &wanted)?;
    let file = |path: &Option<std::path::PathBuf>| {
        path.as_deref().map(|path| ResultFile::prepare(context.env.typed(path))).transpose()
    };
    let (digest_file, metadata_file) = (file(&options.digest_file)?, file(&options.metadata_file)?);
    let before = registry.requests();
    plans.each().for_each(|plan| announce(registry, jobs, plan, options.dry_run));
    let publisher = Pusher { registry, jobs, draft, is_dry_run: options.dry_run };
    let others = plans.others.iter().map(|plan| publisher.look(plan)).collect::<Result<_, _>>()?;
    let targets = PushTargets { others, own: publisher.look(&plans.own)? };
    let overwritten = overwritten(draft, &plans.own, &targets.own.served);
    let mut published = if options.dry_run {
        publisher.preview(&targets)?
    } else {
        let send = |plan: &PushPlan<'_>, served: &RemoteState, moved: &mut Vec<Reference>| {
            send(context, registry, jobs, plan, served, options, moved)
        };
        publisher.send_all(&plans, &targets, send)?
    };
    published.unchanged &= published.other_repositories.iter().all(|other| other.unchanged);
    published.requests = registry.requests().saturating_sub(before);
    let sent: Vec<String> = published.repositories().flat_map(|sent| sent.warnings.clone()).collect();
    published.warnings = warnings;
    published.warnings.extend(sent);
    published.warnings.extend(targets.each().filter_map(|target| target.served.unchecked(target.plan)));
    published.warnings.extend(overwritten);
    if options.dry_run {
        return tell(&published).map(|()| published);
    }
    let metadata = || write(metadata_file, json::text(&published.metadata())?.as_bytes());
    // One that fails is no reason to leave out the others.
    let told = [tell(&published), write(digest_file, published.digest.as_bytes()), metadata()];
    let failures: Vec<CommandError> = told.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return Ok(published);
    }
    let PushOutcome { reference: list, digest, .. } = published;
    Err(CommandError::PushedButNotReported { failure: Box::new(CommandError::of(failures)), list, digest })
}

/// A line where somebody else has changed what the list's tag serves since the draft was made from it, or pushed.
fn overwritten(draft: &Draft, plan: &PushPlan<'_>, served: &RemoteState) -> Option<String> {
    let known = draft.remote_digest.as_ref()?;
    let own = plan.tags.iter().zip(&served.tags).find(|(tag, _)| plan.is_own(tag));
    let Some((tag, TagState::Other(digest))) = own.filter(|(_, now)| **now != TagState::Other(known.clone())) else {
        return None;
    };
    let after = Index::decode(&plan.list.bytes).ok()?;
    let gone = difference::between(served.index().as_ref(), &after).removed;
    let gone: Vec<String> = gone.into_iter().map(|line| line.platform).collect();
    let without = if gone.is_empty() { String::new() } else { format!("; this list is without {}", gone.join(", ")) };
    Some(format!("{tag} was changed since this draft was made from it or pushed, from {known} to {digest}{without}"))
}

/// Prints the result on stdout: docker's lines, JSON, the preview of a dry run, or with `--quiet` the digest alone.
pub(crate) fn show(context: &Context, published: &PushOutcome, options: &Publish) -> Result<(), CommandError> {
    match options.format {
        Some(Format::Json) => Ok(context.streams.json(published)?),
        None if options.quiet => Ok(context.streams.line(&published.digest)?),
        None if published.dry_run => {
            Ok(context.streams.data(dry_run::text(published, context.streams.width()).as_bytes())?)
        }
        None => Ok(published.lines().iter().try_for_each(|line| context.streams.line(line))?),
    }
}

/// Tells on stderr what is odd about lists that were published, each line once. For the very end: the first line of a failure, whatever
/// fails, is the failure.
pub(crate) fn warn(context: &Context, published: &[PushOutcome]) {
    // Several targets of one spec are one list.
    let warnings: BTreeSet<&String> = published.iter().flat_map(|published| &published.warnings).collect();
    warnings.iter().for_each(|warning| context.streams.note(format_args!("warning: {warning}")));
}

/// Names on stderr every tag of lists that were published under more than their own names. With `--verbose` that has been
/// told already.
pub(crate) fn name_tags(context: &Context, published: &[PushOutcome], options: &Publish) {
    if options.dry_run || options.verbose {
        return;
    }
    for published in published.iter().filter(|published| published.has_more_names()) {
        for repository in published.repositories() {
            for name in repository.tags_in_full() {
                let was_there = repository.already_there.contains(&name);
                let state = if was_there { "already there" } else { "published" };
                context.streams.note(format_args!("{state}: {name}"));
            }
        }
    }
}

fn write(file: Option<ResultFile>, bytes: &[u8]) -> Result<(), CommandError> {
    file.map_or(Ok(()), |file| file.write(bytes))
}

fn announce(registry: &Registry, jobs: NonZeroUsize, plan: &PushPlan<'_>, is_dry_run: bool) {
    let target = plan.target.repository();
    registry.announce(target, if is_dry_run { Access::Pull } else { Access::PullPush });
    for source in plan.blobs.iter().flat_map(|blob| &blob.sources) {
        registry.announce(source, Access::Pull);
    }
    let in_place = plan.children.iter().filter(|child| child.put.is_none()).count();
    registry.expect(target, plan.blobs.len().max(in_place + plan.tags.len()).min(jobs.get()));
}

/// Sends what is not there yet; `moved` gets the tags that were moved.
fn send(
    context: &Context,
    registry: &Registry,
    jobs: NonZeroUsize,
    plan: &PushPlan<'_>,
    served: &RemoteState,
    options: &Publish,
    moved: &mut Vec<Reference>,
) -> Result<SentContent, CommandError> {
    let progress = Progress::new(&context.streams, options.quiet);
    let (notice, sent) = (context.notice(), plan.missing(&served.children).collect());
    let lag = ReadLag { registry, jobs, clock: &*context.clock, notice: &notice };
    let sender = PushExecutor { context, registry, plan, progress, lag, sent, is_verbose: options.verbose };
    let outcome = sender.all(jobs, served, moved);
    sender.progress.finish();
    outcome
}

/// What became of one step.
enum StepResult {
    Mounted,
    Copied(u64),
    /// It was there, or need not be.
    Spared,
    Put(StoredManifest),
}

struct PushExecutor<'a> {
    context: &'a Context,
    registry: &'a Registry,
    plan: &'a PushPlan<'a>,
    progress: Progress,
    lag: ReadLag<'a>,
    /// The manifests that this run puts before the list.
    sent: Vec<&'a PlannedManifest<'a>>,
    is_verbose: bool,
}

impl PushExecutor<'_> {
    /// All of it.
    fn all(
        &self,
        jobs: NonZeroUsize,
        served: &RemoteState,
        moved: &mut Vec<Reference>,
    ) -> Result<SentContent, CommandError> {
        let mut listed = BTreeSet::new();
        let mut sent = self.children(jobs, served, &mut listed)?;
        self.list(served, &mut listed)?;
        sent.warnings = self.referrers(jobs, served, &listed)?;
        self.names(served, moved)?;
        Ok(sent)
    }

    /// Brings the blobs and puts the manifests that the list is going to name; `listed` gets those that the registry lists
    /// as referrers.
    fn children(
        &self,
        jobs: NonZeroUsize,
        served: &RemoteState,
        listed: &mut BTreeSet<Digest>,
    ) -> Result<SentContent, CommandError> {
        let SentContent { mut mounted, mut copied, warnings } = SentContent::default();
        let there = self.plan.puts.iter().filter_map(|put| put.reference.digest().map(|digest| (put, digest)));
        for (put, _) in there.filter(|(_, digest)| !served.is_there && served.children.contains(*digest)) {
            self.say(format_args!("already there: {}", put.reference));
        }
        let steps = self.plan.steps(&served.children);
        let sizes = steps.iter().filter_map(|(step, _)| match step {
            PushStep::Blob(blob) => Some(blob.size.unwrap_or_default()),
            PushStep::Put(_) => None,
        });
        let (bytes, blobs) = sizes.fold((0_u64, 0), |(bytes, blobs), size| (bytes.saturating_add(size), blobs + 1));
        self.progress.total(bytes, blobs);
        let sent = tasks::in_stages(jobs, &steps, |step| self.step(step)).map_err(CommandError::of)?;
        for sent in sent {
            match sent {
                StepResult::Mounted => mounted += 1,
                StepResult::Copied(bytes) => {
                    copied.blobs += 1;
                    copied.bytes = copied.bytes.saturating_add(bytes);
                }
                StepResult::Put(stored) => listed.extend(Some(stored.digest).filter(|_| stored.is_referrer)),
                StepResult::Spared => {}
            }
        }
        Ok(SentContent { mounted, copied, warnings })
    }

    fn step(&self, step: &PushStep<'_, '_>) -> Result<StepResult, CommandError> {
        match step {
            PushStep::Blob(blob) if blob.may_stay => self.try_mount(blob),
            PushStep::Blob(blob) => self.bring(blob),
            PushStep::Put(PlannedManifest { reference, media_type, bytes, is_index, .. }) => {
                let put = || put(self.registry, reference, reference, media_type, bytes);
                let stored = if *is_index { self.lag.put(&self.sent_images(), &put) } else { put() }?;
                self.say(format_args!("put {reference}"));
                Ok(StepResult::Put(stored))
            }
        }
    }

    fn bring(&self, blob: &PlannedBlob<'_>) -> Result<StepResult, CommandError> {
        let target = self.plan.target.repository();
        let digest = &blob.digest;
        let source = blob.sources.first().map(ToString::to_string).unwrap_or_default();
        let bar = self.progress.blob(digest, blob.size, &format!("{source} -> {target}"));
        let wanted = registry::Blob { digest, size: blob.size };
        let brought = self.registry.copy_blob(target, &blob.sources, &wanted, &|bytes| bar.at(bytes));
        match brought.map_err(|error| self.not_brought(blob, error))? {
            BlobCopy::Copied(bytes) => {
                bar.copied();
                Ok(StepResult::Copied(bytes))
            }
            BlobCopy::Mounted => {
                bar.skipped();
                self.say(format_args!("mounted {target}@{digest}"));
                Ok(StepResult::Mounted)
            }
            BlobCopy::Present => {
                bar.skipped();
                self.say(format_args!("already there: {target}@{digest}"));
                Ok(StepResult::Spared)
            }
        }
    }

    /// Windows' foreign layers are in no registry as a rule, and docker lets them go.
    fn try_mount(&self, blob: &PlannedBlob<'_>) -> Result<StepResult, CommandError> {
        let target = self.plan.target.repository();
        for source in &blob.sources {
            let mounted = self.registry.mount(target, source, &blob.digest);
            if mounted.map_err(|error| self.not_brought(blob, error))? == MountResult::Mounted {
                self.say(format_args!("mounted {target}@{}", blob.digest));
                return Ok(StepResult::Mounted);
            }
        }
        self.say(format_args!("left where it is: {}", blob.digest));
        Ok(StepResult::Spared)
    }

    /// Docker's words where docker would have got as far.
    fn not_brought(&self, blob: &PlannedBlob<'_>, error: RegistryError) -> CommandError {
        let target = self.plan.target.to_string();
        let is_near = |source: &&&Repository| source.domain() == self.plan.target.repository().domain();
        let near = blob.sources.first().filter(is_near).map(|source| format!("{}@{}", source.path(), blob.digest));
        let sources = blob.sources.iter().map(ToString::to_string).collect();
        let source = Box::new(error);
        match near {
            Some(blob) if source.kind == RegistryErrorKind::NotFound => {
                CommandError::NotMounted { blob, target, sources, source }
            }
            Some(blob) => CommandError::Mount { blob, target, source },
            None => CommandError::Copy { blob: blob.digest.to_string(), target, sources, source },
        }
    }

    /// Puts the list under its digest, where it has several names, no tag or a subject; `listed` gets it if the registry
    /// lists it as a referrer.
    fn list(&self, served: &RemoteState, listed: &mut BTreeSet<Digest>) -> Result<(), CommandError> {
        let PushPlan { target, list, tags, has_more_tags, .. } = self.plan;
        let is_first = *has_more_tags || tags.is_empty() || referrers::has_subject(list);
        if !served.is_there && is_first {
            let by_digest = target.repository().at_digest(&list.digest);
            let shown = if *has_more_tags { &by_digest } else { *target };
            let stored = self.put_list(&by_digest, shown)?;
            self.say(format_args!("put {by_digest}"));
            listed.extend(Some(stored.digest).filter(|_| stored.is_referrer));
        }
        Ok(())
    }

    /// Adds what this run has put to the referrers tags, but for what the registry has `listed` itself; gives the warnings.
    fn referrers(
        &self,
        jobs: NonZeroUsize,
        served: &RemoteState,
        listed: &BTreeSet<Digest>,
    ) -> Result<Vec<String>, CommandError> {
        let mut unlisted = referrers::planned(self.plan, served);
        unlisted.retain(|referrer| !listed.contains(referrer.digest));
        let (tags, warnings) = referrers::by_tag(self.plan, &unlisted);
        let updates = referrers::update(self.registry, &*self.context.clock, jobs, &tags)?;
        updates.iter().filter_map(|update| update.as_ref().ok()).for_each(|tag| self.say(format_args!("put {tag}")));
        Ok(warnings.into_iter().chain(updates.into_iter().filter_map(Result::err)).collect())
    }

    /// Puts the list under its tags; `moved` gets the tags that were moved.
    fn names(&self, served: &RemoteState, moved: &mut Vec<Reference>) -> Result<(), CommandError> {
        let PushPlan { target, list, tags, .. } = self.plan;
        for (tag, now) in tags.iter().zip(&served.tags) {
            if *now == TagState::This {
                self.say(format_args!("unchanged: {tag} is {}", list.digest));
                continue;
            }
            let shown = if self.plan.is_own(tag) { *target } else { tag };
            if let Err(failure) = self.put_list(tag, shown) {
                if !is_refusal(&failure) || !self.is_this_now(tag) {
                    return Err(failure);
                }
                self.say(format_args!("unchanged: {tag} is {}", list.digest));
                continue;
            }
            self.say(format_args!("put {tag} as {}", list.digest));
            moved.push(tag.clone());
        }
        if tags.is_empty() && served.is_there {
            self.say(format_args!("unchanged: {target} is {}", list.digest));
        }
        Ok(())
    }

    fn put_list(&self, name: &Reference, shown: &Reference) -> Result<StoredManifest, CommandError> {
        let list = &self.plan.list;
        self.lag.put(&self.sent, &|| put(self.registry, name, shown, list.media_type, &list.bytes))
    }

    /// What an index in the list can name.
    fn sent_images(&self) -> Vec<&PlannedManifest<'_>> {
        self.sent.iter().copied().filter(|manifest| !manifest.is_index).collect()
    }

    /// Whether a tag that could not be put serves this list all the same: a registry whose tags cannot be moved refuses even
    /// what changes nothing, and another run may have put the same list meanwhile.
    fn is_this_now(&self, tag: &Reference) -> bool {
        let name = ManifestName::Tag(tag.tag().unwrap_or_default().to_owned());
        let found = self.registry.has_manifest(tag.repository(), &name);
        // The failure to put it is what counts, not that of this look.
        found.is_ok_and(|found| found.is_some_and(|digest| digest == self.plan.list.digest))
    }

    fn say(&self, line: std::fmt::Arguments<'_>) {
        if self.is_verbose {
            self.context.streams.note(line);
        }
    }
}

/// Whether the registry would not take what was put, as opposed to failing or not knowing who puts it.
fn is_refusal(failure: &CommandError) -> bool {
    let is_it = |status| matches!(status, 400..=499) && !matches!(status, 401 | 429);
    matches!(failure, CommandError::Put { source, .. } if source.status.is_some_and(is_it))
}

/// Puts a manifest under the reference's tag, or its own digest where there is none; a failure shows `shown`.
fn put(
    registry: &Registry,
    reference: &Reference,
    shown: &Reference,
    media_type: &str,
    bytes: &[u8],
) -> Result<StoredManifest, CommandError> {
    let name = match (reference.tag(), reference.digest()) {
        (Some(tag), _) => ManifestName::Tag(tag.to_owned()),
        // Under its own algorithm: by that name the list names it.
        (None, digest) => ManifestName::Digest(digest.cloned().unwrap_or_else(|| Digest::of(bytes))),
    };
    let failed = |error| CommandError::Put {
        reference: shown.to_string(),
        media_type: media_type.to_owned(),
        source: Box::new(error),
    };
    registry.put_manifest(reference.repository(), &name, media_type, bytes).map_err(failed)
}
