//! `copy`: copies an image or an index without changing a byte: first the blobs, then the manifests, each after those
//! that it names, and last the name. So no name ever serves an incomplete image.
//!
//! Referrers are found while the manifests are walked. They are published between the children and the name.

pub(crate) mod outcome;
mod referrers;
mod select_platforms;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::content::registry::{Blob, BlobCopy, FetchedManifest, ManifestName, RegistryClient};
use crate::content::{ContentError, ContentSink, ContentSource};
use crate::core::Warnings;
use crate::core::copy::outcome::{CopiedManifest, CopyOutcome};
use crate::core::copy::referrers::CopiedReferrers;
use crate::core::copy::walk::{Walk, WalkedManifest};
use crate::core::error::CommandError;
use crate::core::image_filters::{ReferrerFilter, SourceFilter};
use crate::core::image_source::manifest_name_in;
use crate::core::manifest_blobs;
use crate::core::push::outcome::ReadBackCounts;
use crate::core::push::read_back::ReadBack;
use crate::core::push::read_lag::LagRetry;
use crate::core::push::remote_state::is_read_refused;
use crate::core::push::reporter::{PushReporter, TransferProgress};
use crate::digest::Digest;
use crate::model;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::net::Clock;

/// A copy: what is copied, from where, and to where.
pub(crate) struct CopyRequest<'a> {
    /// The repository or layout to copy from.
    pub(crate) source: &'a dyn ContentSource,
    /// The repository or layout to copy to.
    pub(crate) sink: &'a dyn ContentSink,
    /// The client of registries.
    pub(crate) registry: &'a RegistryClient,
    /// The clock that repeats wait by.
    pub(crate) clock: &'a dyn Clock,
    /// Its name in the source, for messages.
    pub(crate) from: String,
    /// Its name in the target, for messages.
    pub(crate) to: String,
    /// Its tag or digest in the source.
    pub(crate) manifest_name: ManifestName,
    /// The tag of the copy; without a tag it is published under its digest.
    pub(crate) tag: Option<String>,
    /// The digest that it must have.
    pub(crate) target_digest: Option<Digest>,
    /// Which platforms of an index.
    pub(crate) filter: &'a SourceFilter,
    /// Which referrers are copied.
    pub(crate) referrers: &'a ReferrerFilter,
    /// Whether nothing is sent.
    pub(crate) dry_run: bool,
    /// Whether what was copied is read back.
    pub(crate) verify: bool,
    /// Receives the progress.
    pub(crate) reporter: &'a dyn PushReporter,
}

impl CopyRequest<'_> {
    /// Copies the image; a dry run only reports what would be copied.
    ///
    /// # Errors
    /// Errors of the source and the sink; a platform that the source does not have; another digest than the expected
    /// one.
    pub(crate) fn run(&self) -> Result<CopyOutcome, CommandError> {
        let top = self.fetch(&self.manifest_name)?;
        let source_digest = top.digest.clone();
        let subset = select_platforms::select_subset(self, top)?;
        let top = &subset.top;
        if let Some(expected) = self.target_digest.as_ref().filter(|expected| **expected != top.digest) {
            let target = format!("{} ({expected})", self.to);
            return Err(CommandError::OtherDigestInName { target, digest: top.digest.clone() });
        }
        let (walk, referrers) = referrers::walk_and_find(self, top, &subset.replaced)?;
        let by_digest = || ManifestName::Digest(top.digest.clone());
        let name = self.tag.clone().map_or_else(by_digest, ManifestName::Tag);
        let current = self.current_digest(&name)?;
        let mut outcome = CopyOutcome::new(self, top, &source_digest, subset.changes);
        let is_served = current.as_ref() == Some(&top.digest);
        let is_up_to_date = is_served && walk.missing().all(|walked| walked.depth == 0);
        outcome.unchanged = is_up_to_date && referrers.missing().next().is_none();
        referrers.report(&mut outcome);
        let blobs = blobs_to_send(&walk, &referrers)?;
        if self.dry_run {
            self.preview(&blobs, &mut outcome)?;
        } else {
            self.send_blobs(&blobs, &mut outcome)?;
            let warnings = self.send_children_and_referrers(top, &walk, &referrers, is_up_to_date)?;
            outcome.warnings.extend(warnings);
            if is_up_to_date {
                self.sink.finish_without_publish()?;
            } else {
                let publish = || self.sink.publish(&name, &top.media_type, &top.bytes);
                self.put_and_retry(&name, &top.media_type, &top.bytes, &publish)?;
            }
            if self.verify {
                outcome.verified = Some(self.read_back(&name, &top.digest, &referrers)?);
            }
        }
        outcome.manifests = copied_manifests(&walk, is_up_to_date);
        self.reporter.step(format_args!("{}", outcome.status_line()));
        Ok(outcome)
    }

    /// The digest that the name has in the target. An account may be allowed to push and not to read, and some
    /// registries answer 403 for a missing tag.
    fn current_digest(&self, name: &ManifestName) -> Result<Option<Digest>, CommandError> {
        match self.sink.current_digest(name) {
            Err(ContentError::Registry(error)) if is_read_refused(&error) => Ok(None),
            found => Ok(found?),
        }
    }

    /// Runs `put`, which puts a manifest in the sink. It is run again if a registry does not know yet what the manifest
    /// names, but has it.
    ///
    /// # Errors
    /// The last failure of `put`.
    fn put_and_retry<T>(
        &self,
        name: &ManifestName,
        media_type: &str,
        bytes: &[u8],
        put: &dyn Fn() -> Result<T, ContentError>,
    ) -> Result<T, CommandError> {
        let lag = LagRetry { registry: self.registry, clock: self.clock, reporter: self.reporter };
        let put_once = || put().map_err(|error| self.put_error(name, media_type, error));
        lag.put_and_retry_if(
            &|| self.sink_has_referenced_content(media_type, bytes).is_ok_and(|has_content| has_content),
            &put_once,
        )
    }

    /// Whether the sink has everything that the manifest names, and it names something.
    fn sink_has_referenced_content(&self, media_type: &str, bytes: &[u8]) -> Result<bool, CommandError> {
        let is_list = ManifestKind::from_media_type(media_type) == Some(ManifestKind::List);
        let named = if is_list {
            Index::decode(bytes).map_err(CommandError::invalid_document(&self.from))?.manifests
        } else {
            manifest_blobs::blobs(bytes).map_err(CommandError::invalid_document(&self.from))?
        };
        let named: Vec<&Descriptor> = named.iter().filter(|named| !named.is_foreign_with_urls()).collect();
        let has = |content: &&Descriptor| {
            let presence = if is_list {
                self.sink.has_complete_manifest(content)
            } else {
                self.sink.has_blob(&blob_descriptor(content))
            };
            presence.map_err(CommandError::from)
        };
        let presence = CommandError::collect_parallel(self.registry.jobs(), &named, has)?;
        Ok(!presence.is_empty() && !presence.contains(&false))
    }

    /// The error of a manifest that was not put.
    fn put_error(&self, name: &ManifestName, media_type: &str, error: ContentError) -> CommandError {
        match (error, self.sink.repository()) {
            (ContentError::Registry(source), Some(repository)) => {
                CommandError::put(&manifest_name_in(repository, true, name), media_type, source)
            }
            (error, _) => error.into(),
        }
    }

    /// Fetches a manifest of the source. A known media type is normalised.
    fn fetch(&self, name: &ManifestName) -> Result<FetchedManifest, CommandError> {
        let fetched = self.source.manifest(name).map_err(CommandError::from)?;
        let known = model::manifest::effective_media_type(&fetched.media_type, &fetched.bytes)
            .map_err(CommandError::invalid_document(&self.from))?;
        let media_type = known.map_or_else(|| fetched.media_type.clone(), str::to_owned);
        Ok(FetchedManifest { media_type, ..fetched })
    }

    /// Counts the blobs that would be copied.
    fn preview(&self, blobs: &[Descriptor], outcome: &mut CopyOutcome) -> Result<(), CommandError> {
        let has_blob = |blob: &Descriptor| self.sink.has_blob(&blob_descriptor(blob)).map_err(CommandError::from);
        let presence = CommandError::collect_parallel(self.registry.jobs(), blobs, has_blob)?;
        for (blob, has_blob) in blobs.iter().zip(presence) {
            if has_blob { outcome.blobs.already_there += 1 } else { outcome.blobs.add_copied(blob.size) }
        }
        Ok(())
    }

    fn send_blobs(&self, blobs: &[Descriptor], outcome: &mut CopyOutcome) -> Result<(), CommandError> {
        let mut blobs: Vec<&Descriptor> = blobs.iter().collect();
        let is_ordered = blobs.iter().any(|blob| self.source.read_position(&blob.digest).is_some());
        let jobs = if is_ordered { NonZeroUsize::MIN } else { self.registry.jobs() };
        blobs.sort_by_key(|blob| self.source.read_position(&blob.digest));
        let progress = self.reporter.transfers();
        progress.set_total(blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size)), blobs.len());
        let copies = CommandError::collect_parallel(jobs, &blobs, |blob| self.copy_blob(&*progress, blob));
        progress.finish();
        for (blob, copied) in blobs.iter().zip(copies?) {
            match copied {
                BlobCopy::Present => outcome.blobs.already_there += 1,
                BlobCopy::Mounted => outcome.blobs.mounted += 1,
                BlobCopy::Copied(_) => outcome.blobs.add_copied(blob.size),
            }
        }
        Ok(())
    }

    /// Reads back what was copied, and what was there already.
    fn read_back(
        &self,
        name: &ManifestName,
        top: &Digest,
        referrers: &CopiedReferrers,
    ) -> Result<ReadBackCounts, CommandError> {
        let source = self.sink.as_source()?;
        let source_name = self.sink.repository().map_or_else(|| self.to.clone(), ToString::to_string);
        let read_back = ReadBack { source: &*source, source_name: &source_name, jobs: self.registry.jobs() };
        let names: Vec<(ManifestName, Digest)> =
            [(name.clone(), top.clone())].into_iter().chain(referrers.tag_names()).collect();
        let verified = read_back.run(&names, [top.clone()].into_iter().chain(referrers.digests()).collect())?;
        self.reporter.note(&verified.to_string());
        Ok(verified)
    }

    /// Sends the manifests that others name, then what refers to them.
    fn send_children_and_referrers(
        &self,
        top: &FetchedManifest,
        walk: &Walk,
        referrers: &CopiedReferrers,
        is_up_to_date: bool,
    ) -> Result<Warnings, CommandError> {
        let mut listed = BTreeSet::new();
        // The deepest first: a manifest is put after everything that it names.
        for depth in (1..=walk.depth()).rev() {
            let level: Vec<&WalkedManifest> = walk.missing().filter(|walked| walked.depth == depth).collect();
            let listed_digests =
                CommandError::collect_parallel(self.registry.jobs(), &level, |walked| self.put_by_digest(walked))?;
            listed.extend(listed_digests.into_iter().flatten());
        }
        let mut sent: Vec<&FetchedManifest> =
            walk.missing().filter(|walked| walked.depth > 0).filter_map(|walked| walked.fetched.as_ref()).collect();
        // A referrer is listed before a tag of its own names it.
        let top_walked = walk.manifests.first().filter(|_| !is_up_to_date);
        let is_referrer = model::referrers::subject(&top.media_type, &top.bytes).is_some();
        if let Some(top_walked) = top_walked.filter(|_| is_referrer && self.sink.repository().is_some()) {
            listed.extend(self.put_by_digest(top_walked)?);
            sent.push(top);
        }
        listed.extend(referrers.send(self)?);
        referrers.update_referrers_tags(self, &sent, &listed)
    }

    fn copy_blob(&self, progress: &dyn TransferProgress, blob: &Descriptor) -> Result<BlobCopy, CommandError> {
        let bar = progress.blob(&blob.digest, Some(blob.size), &format!("{} -> {}", self.from, self.to));
        let copied = self.sink.copy_blob(self.source, &blob_descriptor(blob), &|bytes| bar.set_bytes(bytes));
        let copied = copied.map_err(CommandError::from)?;
        bar.done(&copied);
        let digest = &blob.digest;
        match copied {
            BlobCopy::Copied(bytes) => self.reporter.step(format_args!("copied: blob {digest} ({bytes} bytes)")),
            BlobCopy::Mounted => self.reporter.step(format_args!("mounted: blob {digest}")),
            BlobCopy::Present => self.reporter.step(format_args!("already there: blob {digest}")),
        }
        Ok(copied)
    }

    /// Puts a manifest. Returns its digest if the target lists it under its subject.
    fn put_by_digest(&self, walked: &WalkedManifest) -> Result<Option<Digest>, CommandError> {
        let Some(fetched) = &walked.fetched else { return Ok(None) };
        let FetchedManifest { digest, media_type, bytes, .. } = fetched;
        let name = ManifestName::Digest(digest.clone());
        let is_listed =
            self.put_and_retry(&name, media_type, bytes, &|| self.sink.put_by_digest(digest, media_type, bytes))?;
        self.reporter.step(format_args!("published: {}", fetched.digest));
        Ok(is_listed.then(|| fetched.digest.clone()))
    }
}

/// The blobs of the manifests that have to be sent, each once. Foreign layers stay where their URLs are.
fn blobs_to_send(walk: &Walk, referrers: &CopiedReferrers) -> Result<Vec<Descriptor>, CommandError> {
    let mut blobs: BTreeMap<Digest, Descriptor> = BTreeMap::new();
    let images = walk.missing().filter(|walked| !walked.is_list).filter_map(|walked| walked.fetched.as_ref());
    let images = images.map(|fetched| (&fetched.digest, &fetched.bytes));
    let referrers = referrers.missing().filter(|found| !found.is_index()).map(|found| (&found.digest, &found.bytes));
    for (digest, bytes) in images.chain(referrers) {
        for blob in manifest_blobs::blobs(bytes).map_err(CommandError::invalid_document(&digest))? {
            if !blob.is_foreign_with_urls() {
                blobs.entry(blob.digest.clone()).or_insert(blob);
            }
        }
    }
    Ok(blobs.into_values().collect())
}

/// All manifests. The outermost one is sent under the name even if the target has it by its digest.
fn copied_manifests(walk: &Walk, is_up_to_date: bool) -> Vec<CopiedManifest> {
    let is_sent = |walked: &WalkedManifest| if walked.depth == 0 { !is_up_to_date } else { !walked.is_present };
    walk.manifests.iter().map(|walked| CopiedManifest::new(walked, is_sent(walked))).collect()
}

fn blob_descriptor(blob: &Descriptor) -> Blob<'_> {
    Blob { digest: &blob.digest, size: Some(blob.size) }
}
