//! Publishes a list: blobs of images from other repositories, then their manifests by digest with their original bytes,
//! then the list. So no name ever serves a list that is not complete.

use std::collections::BTreeSet;

use crate::content::registry::{self, BlobCopy, ManifestName, RegistryClient, StoredManifest, is_mount_refused};
use crate::content::{ContentError, ContentSink, RegistryRepository};
use crate::core::Warnings;
use crate::core::blob_error::{BlobError, BlobStep};
use crate::core::error::CommandError;
use crate::core::push::blob_collector::PlannedBlob;
use crate::core::push::options::PushContext;
use crate::core::push::outcome::SentContent;
use crate::core::push::plan::{PlannedManifest, PushPlan, PushStep};
use crate::core::push::read_lag::{LagRetry, ReferencedContent};
use crate::core::push::referrers_tag;
use crate::core::push::remote_state::{RemoteState, TagState};
use crate::core::push::reporter::TransferProgress;
use crate::core::push::tag_precondition::TagPrecondition;
use crate::digest::Digest;
use crate::model::manifest::ManifestKind;
use crate::net::RegistryErrorKind;
use crate::net::tasks;
use crate::reference::Reference;

/// Sends what the repository lacks. `moved` receives the tags that were moved.
pub(super) fn send(
    context: PushContext<'_>,
    plan: &PushPlan<'_>,
    remote: &RemoteState,
    precondition: Option<TagPrecondition<'_>>,
    moved: &mut Vec<Reference>,
) -> Result<SentContent, CommandError> {
    let executor =
        PushExecutor { precondition, ..PushExecutor::new(context, plan, referenced_manifests(plan, remote)) };
    let outcome = executor.run_all(remote, moved);
    executor.progress.finish();
    outcome
}

/// Copies images of other repositories to the plan's repository, with their blobs. Puts no list.
pub(crate) fn copy_children(context: PushContext<'_>, plan: &PushPlan<'_>) -> Result<SentContent, CommandError> {
    let (remote, mut listed_referrers) = (RemoteState::default(), BTreeSet::new());
    let executor = PushExecutor::new(context, plan, referenced_manifests(plan, &remote));
    let outcome = executor.send_children(&remote, &mut listed_referrers).and_then(|sent| {
        let warnings = executor.update_referrers_tags(&remote, &listed_referrers)?;
        Ok(SentContent { warnings, ..sent })
    });
    executor.progress.finish();
    outcome
}

/// The manifests that a run puts before the list.
fn referenced_manifests<'p>(plan: &'p PushPlan<'_>, remote: &RemoteState) -> Vec<ReferencedContent<'p>> {
    let referenced = |manifest: &'p PlannedManifest<'_>| {
        Some(ReferencedContent::Manifest(manifest.reference.digest()?, manifest.media_type))
    };
    plan.manifests_to_send(&remote.present).filter_map(referenced).collect()
}

/// The result of one step.
enum StepResult {
    Mounted,
    Copied(u64),
    /// The blob exists, or need not be sent.
    NotSent,
    /// The manifest was put; its digest, if the registry lists it as a referrer.
    Put {
        listed_referrer: Option<Digest>,
    },
}

/// Sends to one repository.
pub(super) struct PushExecutor<'a> {
    context: PushContext<'a>,
    plan: &'a PushPlan<'a>,
    progress: Box<dyn TransferProgress>,
    lag: LagRetry<'a>,
    /// The manifests that this run puts before the list.
    referenced_manifests: Vec<ReferencedContent<'a>>,
    /// Guards the list's own tag.
    precondition: Option<TagPrecondition<'a>>,
}

impl<'a> PushExecutor<'a> {
    /// `referenced_manifests` are the manifests that are put before the list. Reads of them may be delayed.
    pub(super) fn new(
        context: PushContext<'a>,
        plan: &'a PushPlan<'a>,
        referenced_manifests: Vec<ReferencedContent<'a>>,
    ) -> PushExecutor<'a> {
        let PushContext { registry, clock, reporter, .. } = context;
        let lag = LagRetry { registry, clock, reporter };
        PushExecutor { context, plan, progress: reporter.transfers(), lag, referenced_manifests, precondition: None }
    }
}

impl PushExecutor<'_> {
    /// Runs all steps.
    fn run_all(&self, remote: &RemoteState, moved: &mut Vec<Reference>) -> Result<SentContent, CommandError> {
        let mut listed_referrers = BTreeSet::new();
        let mut sent = self.send_children(remote, &mut listed_referrers)?;
        self.put_list_by_digest(remote, &mut listed_referrers)?;
        sent.warnings = self.update_referrers_tags(remote, &listed_referrers)?;
        self.put_tags(remote, moved)?;
        Ok(sent)
    }

    /// Sends blobs and manifests that the list names. `listed_referrers` receives those that the registry lists as
    /// referrers.
    fn send_children(
        &self,
        remote: &RemoteState,
        listed_referrers: &mut BTreeSet<Digest>,
    ) -> Result<SentContent, CommandError> {
        let SentContent { mut mounted, mut copied, warnings } = SentContent::default();
        let present = self.plan.manifests.iter().filter_map(|manifest| Some((manifest, manifest.reference.digest()?)));
        for (manifest, _) in present.filter(|(_, digest)| !remote.has_list && remote.present.contains(*digest)) {
            self.context.reporter.step(format_args!("already there: {}", manifest.reference));
        }
        let steps = self.plan.steps(&remote.present);
        let sizes = steps.iter().filter_map(|(step, _)| match step {
            PushStep::Blob(blob) => Some(blob.size.unwrap_or_default()),
            PushStep::Put(_) => None,
        });
        let (bytes, blobs) = sizes.fold((0_u64, 0), |(bytes, blobs), size| (bytes.saturating_add(size), blobs + 1));
        self.progress.set_total(bytes, blobs);
        let results = tasks::run_with_dependencies(self.context.registry.jobs(), &steps, |step| self.run_step(step))
            .map_err(CommandError::combine)?;
        for result in results {
            match result {
                StepResult::Mounted => mounted += 1,
                StepResult::Copied(bytes) => copied.add(bytes),
                StepResult::Put { listed_referrer: referrer } => listed_referrers.extend(referrer),
                StepResult::NotSent => {}
            }
        }
        Ok(SentContent { mounted, copied, warnings })
    }

    fn run_step(&self, step: &PushStep<'_, '_>) -> Result<StepResult, CommandError> {
        match step {
            PushStep::Blob(blob) if blob.is_optional => self.try_mount(blob),
            PushStep::Blob(blob) => self.copy_blob(blob),
            PushStep::Put(PlannedManifest { reference, media_type, bytes, is_index, tags, blob_positions, .. }) => {
                let by_digest = tags.is_empty().then_some(reference);
                let referenced = if *is_index { self.images_to_send() } else { self.referenced_blobs(blob_positions) };
                let mut stored = Vec::new();
                for name in tags.iter().chain(by_digest) {
                    let put_once = || put(self.context.registry, name, name, media_type, bytes);
                    stored.push(self.lag.put_and_retry(name.repository(), &referenced, &put_once)?);
                    self.context.reporter.step(format_args!("put {name}"));
                }
                let digest = stored.iter().find(|stored| stored.subject_processed).map(|stored| stored.digest.clone());
                Ok(StepResult::Put { listed_referrer: digest })
            }
        }
    }

    fn copy_blob(&self, blob: &PlannedBlob<'_>) -> Result<StepResult, CommandError> {
        let target = self.plan.target.repository();
        let digest = &blob.digest;
        let layout = blob.layout.as_deref();
        let source = layout.map(ToString::to_string).or_else(|| blob.sources.first().map(ToString::to_string));
        let bar = self.progress.blob(digest, blob.size, &format!("{} -> {target}", source.unwrap_or_default()));
        let (needed, registry) = (registry::Blob { digest, size: blob.size }, self.context.registry);
        let progress = |bytes| bar.set_bytes(bytes);
        let copied = match layout {
            Some(layout) => RegistryRepository::new(registry, target).copy_blob(layout.content(), &needed, &progress),
            None => registry.copy_blob(target, &blob.sources, &needed, &progress).map_err(ContentError::from),
        };
        let copied = copied.map_err(|error| self.blob_error(blob, error))?;
        bar.done(&copied);
        match copied {
            BlobCopy::Copied(bytes) => Ok(StepResult::Copied(bytes)),
            BlobCopy::Mounted => {
                self.context.reporter.step(format_args!("mounted {target}@{digest}"));
                Ok(StepResult::Mounted)
            }
            BlobCopy::Present => {
                self.context.reporter.step(format_args!("already there: {target}@{digest}"));
                Ok(StepResult::NotSent)
            }
        }
    }

    /// Most registries do not have Windows' foreign layers, and docker ignores a failed mount of one.
    fn try_mount(&self, blob: &PlannedBlob<'_>) -> Result<StepResult, CommandError> {
        let target = self.plan.target.repository();
        for source in &blob.sources {
            match self.context.registry.mount(target, source, &blob.digest) {
                Ok(true) => {
                    self.context.reporter.step(format_args!("mounted {target}@{}", blob.digest));
                    return Ok(StepResult::Mounted);
                }
                Ok(false) => {}
                Err(error) if is_mount_refused(&error) => {}
                Err(error) => return Err(self.blob_error(blob, error)),
            }
        }
        self.context.reporter.step(format_args!("left where it is: {}", blob.digest));
        Ok(StepResult::NotSent)
    }

    /// Docker's error, if docker would fail at the same point.
    fn blob_error(&self, blob: &PlannedBlob<'_>, error: impl Into<ContentError>) -> CommandError {
        let error = match error.into() {
            ContentError::Registry(error) => error,
            other => return other.into(),
        };
        let target = self.plan.target.to_string();
        let is_mountable = blob.is_mountable(self.plan.target.repository());
        let mount_source = blob.sources.first().filter(|_| is_mountable);
        let mount_source = mount_source.map(|source| format!("{}@{}", source.path(), blob.digest));
        let sources = match &blob.layout {
            Some(layout) => vec![layout.to_string()],
            None => blob.sources.iter().map(ToString::to_string).collect(),
        };
        let (step, blob) = match mount_source {
            Some(blob) if error.kind == RegistryErrorKind::NotFound => (BlobStep::NotMounted, blob),
            Some(blob) => (BlobStep::Mount, blob),
            None => (BlobStep::Copy, blob.digest.to_string()),
        };
        BlobError { step, blob, list: target, sources, source: error }.into()
    }

    /// Puts the list by its digest if it has several names, no tag, or a subject. `listed_referrers` receives it if the
    /// registry lists it as a referrer.
    pub(super) fn put_list_by_digest(
        &self,
        remote: &RemoteState,
        listed_referrers: &mut BTreeSet<Digest>,
    ) -> Result<(), CommandError> {
        let PushPlan { target, list, tags, is_complete_before_tags, .. } = self.plan;
        let is_first = *is_complete_before_tags || tags.is_empty() || referrers_tag::has_subject(list);
        if !remote.has_list && is_first {
            self.precondition.map_or(Ok(()), |precondition| precondition.check_before_put())?;
            let by_digest = target.repository().at_digest(&list.digest);
            let name_in_errors = if *is_complete_before_tags { &by_digest } else { *target };
            let stored = self.put_list(&by_digest, name_in_errors)?;
            self.context.reporter.step(format_args!("put {by_digest}"));
            listed_referrers.extend(Some(stored.digest).filter(|_| stored.subject_processed));
        }
        Ok(())
    }

    /// Adds the manifests of this run to the referrers tags, except the `listed_referrers`, which the registry lists
    /// itself.
    fn update_referrers_tags(
        &self,
        remote: &RemoteState,
        listed_referrers: &BTreeSet<Digest>,
    ) -> Result<Warnings, CommandError> {
        let mut unlisted = referrers_tag::manifests_with_subject(self.plan, remote);
        unlisted.retain(|referrer| !listed_referrers.contains(referrer.digest));
        let (tags, warnings) = referrers_tag::group_by_tag(self.plan.target, &unlisted);
        let updates = referrers_tag::update(self.context.registry, self.context.clock, &tags)?;
        updates
            .iter()
            .filter_map(|update| update.as_ref().ok())
            .for_each(|tag| self.context.reporter.step(format_args!("put {tag}")));
        Ok(warnings.into_iter().chain(updates.into_iter().filter_map(Result::err)).collect())
    }

    /// Puts the list under its tags. `moved` receives the tags that were moved.
    pub(super) fn put_tags(&self, remote: &RemoteState, moved: &mut Vec<Reference>) -> Result<(), CommandError> {
        let PushPlan { target, list, tags, .. } = self.plan;
        for (tag, state) in tags.iter().zip(&remote.tags) {
            if *state == TagState::UpToDate {
                self.context.reporter.step(format_args!("unchanged: {tag} is {}", list.digest));
                continue;
            }
            let precondition = self.precondition.filter(|_| self.plan.is_own_name(tag));
            precondition.map_or(Ok(()), |precondition| precondition.check_before_put())?;
            let name_in_errors = if self.plan.is_own_name(tag) { *target } else { tag };
            if let Err(error) = self.put_list(tag, name_in_errors) {
                let is_refused =
                    matches!(&error, CommandError::Put { source, .. } if source.is_permanent_client_error());
                if !is_refused || !self.tag_serves_list(tag) {
                    return Err(error);
                }
                self.context.reporter.step(format_args!("unchanged: {tag} is {}", list.digest));
                continue;
            }
            self.context.reporter.step(format_args!("put {tag} as {}", list.digest));
            moved.push(tag.clone());
            if let Some(warning) =
                precondition.map_or(Ok(None), |precondition| precondition.check_after_put(&list.digest))?
            {
                self.context.reporter.note(&format!("warning: {warning}"));
            }
        }
        if tags.is_empty() && remote.has_list {
            self.context.reporter.step(format_args!("unchanged: {target} is {}", list.digest));
        }
        Ok(())
    }

    fn put_list(&self, name: &Reference, name_in_errors: &Reference) -> Result<StoredManifest, CommandError> {
        let list = &self.plan.list;
        let put_once = || put(self.context.registry, name, name_in_errors, list.media_type, &list.bytes);
        self.lag.put_and_retry(name.repository(), &self.referenced_manifests, &put_once)
    }

    /// Blobs of the plan, by their positions.
    fn referenced_blobs(&self, blob_positions: &BTreeSet<usize>) -> Vec<ReferencedContent<'_>> {
        let blobs = blob_positions.iter().filter_map(|position| self.plan.blobs.get(*position));
        blobs.map(|blob| ReferencedContent::Blob(&blob.digest)).collect()
    }

    /// The manifests that a nested index can name.
    fn images_to_send(&self) -> Vec<ReferencedContent<'_>> {
        let is_image = |content: &ReferencedContent<'_>| match content {
            ReferencedContent::Manifest(_, content) => !ManifestKind::is_list(content),
            _ => true,
        };
        self.referenced_manifests.iter().copied().filter(is_image).collect()
    }

    /// Whether a tag that could not be put names this list anyway: a registry with immutable tags refuses even a put
    /// that changes nothing, and another run may have put the same list meanwhile.
    fn tag_serves_list(&self, tag: &Reference) -> bool {
        let name = ManifestName::Tag(tag.tag().unwrap_or_default().to_owned());
        let found = self.context.registry.manifest_digest(tag.repository(), &name);
        // The failure of the put is reported, not that of this check.
        found.is_ok_and(|found| found.is_some_and(|digest| digest == self.plan.list.digest))
    }
}

/// Puts a manifest under the reference's tag, or by its digest if it has none. Errors show `name_in_errors`.
///
/// # Errors
/// [`CommandError::Put`].
pub(crate) fn put(
    registry: &RegistryClient,
    reference: &Reference,
    name_in_errors: &Reference,
    media_type: &str,
    bytes: &[u8],
) -> Result<StoredManifest, CommandError> {
    let name = match (reference.tag(), reference.digest()) {
        (Some(tag), _) => ManifestName::Tag(tag.to_owned()),
        // With the digest's own algorithm, because the list names the manifest by that digest.
        (None, digest) => ManifestName::Digest(digest.cloned().unwrap_or_else(|| Digest::from_bytes(bytes))),
    };
    let stored = registry.put_manifest(reference.repository(), &name, media_type, bytes);
    stored.map_err(|error| CommandError::put(name_in_errors, media_type, error))
}
