//! The probes, one method each: push something, read it back, compare. Those of shared drafts are in `shared_probes`.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use humantime::format_duration;

use crate::auth::Access;
use crate::cli::check::created_objects::CreatedObjects;
use crate::cli::check::interrupt::Interrupt;
use crate::cli::check::result::{
    Probe, ProbeResult, ProbeResults, error_message, failure_as_result, refuses_all_blobs,
};
use crate::cli::check::sample_manifest::SampleManifest;
use crate::cli::check::samples::{ARTIFACT_TYPE, FormatSamples, Samples};
use crate::cli::check::target::TargetRepositories;
use crate::cli::output::StepProgress;
use crate::content::registry::{ExpectedConnections, FetchedManifest, ManifestName, RegistryClient};
use crate::core::push::tags;
use crate::digest::Digest;
use crate::model::index::Index;
use crate::net::{Clock, RegistryError, RegistryErrorKind, tasks};
use crate::reference::{Reference, Repository};
use crate::sync::lock;

/// The result of a probe, or the error that ends all probes.
pub(super) type ProbeOutcome = Result<ProbeResult, RegistryError>;

/// The probes of one round do not depend on each other and run in parallel.
const ROUNDS: [&[Probe]; 6] = [
    &[Probe::DockerImages, Probe::OciImages, Probe::Mount],
    &[Probe::DockerList, Probe::OciIndex],
    &[
        Probe::ByDigest,
        Probe::Annotations,
        Probe::ArtifactType,
        Probe::NestedIndex,
        Probe::Referrers,
        Probe::TagDeletion,
        Probe::SharedEntry,
    ],
    &[Probe::TagListing, Probe::ManifestDeletion, Probe::EntryReplacement],
    &[Probe::ConditionalPush],
    &[Probe::EntryDeletion],
];

/// The first wait for a manifest that was put and is not served. Each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A probe that has waited this long stops waiting.
const TOTAL_WAIT_MAX: Duration = Duration::from_secs(5);

/// The number of probes in [`ROUNDS`], which the upload is not in.
pub(crate) const ROUND_PROBE_COUNT: usize = 17;

/// Runs probes against a registry.
pub(crate) struct Prober<'a> {
    /// The client.
    pub(crate) registry: &'a RegistryClient,
    /// The repositories to use.
    pub(crate) target: &'a TargetRepositories,
    /// What is pushed.
    pub(crate) samples: &'a Samples,
    /// What ends the probes early.
    pub(crate) interrupt: &'a Interrupt,
    /// Shows the current probe.
    pub(crate) steps: &'a StepProgress,
    /// The clock for waits for a registry with delayed reads.
    pub(crate) clock: &'a dyn Clock,
    /// The objects that are in the registry now.
    pub(crate) created: Mutex<CreatedObjects>,
}

impl Prober<'_> {
    /// The objects that were created, as far as is known.
    pub(crate) fn created(&self) -> MutexGuard<'_, CreatedObjects> {
        lock(&self.created)
    }

    /// Runs all probes. The results are in `results`, even if it fails. Ends early after an interrupt.
    ///
    /// # Errors
    /// An error that prevents all remaining probes. A registry that accepts no blobs at all is a result in `results`.
    pub(crate) fn run_all(&self, results: &mut ProbeResults) -> Result<(), RegistryError> {
        match self.upload_samples() {
            Err(error) if refuses_all_blobs(&error) => {
                results.add([(Probe::Upload, ProbeResult::Fails(error_message(&error)))])
            }
            outcome => outcome?,
        }
        for round in ROUNDS {
            let round_results = {
                let earlier_results = &*results;
                let work = |probe: &Probe| {
                    let result = match earlier_results.unmet_needs(*probe) {
                        _ if self.interrupt.was_received() => Ok(ProbeResult::NotTried("interrupted".to_owned())),
                        Some(reason) => Ok(ProbeResult::NotTried(reason)),
                        None => {
                            self.steps.begin_step(probe.title());
                            failure_as_result(self.run_probe(*probe, earlier_results))
                        }
                    };
                    self.steps.finish_step();
                    result
                };
                tasks::run_parallel(self.registry.jobs(), round, work).map_err(first_error)?
            };
            results.add(round.iter().copied().zip(round_results));
        }
        Ok(())
    }

    /// Uploads all blobs, the first one alone: it determines the registry's protocol and login, and if it fails the
    /// others would fail alike.
    fn upload_samples(&self) -> Result<(), RegistryError> {
        self.steps.begin_step(Probe::Upload.title());
        let target = self.target.main();
        self.registry.expect_access(target, Access::PullPush);
        self.registry.expect_parallel_requests(
            target,
            ExpectedConnections::reads(self.samples.blobs.len().min(self.registry.jobs().get())),
        );
        let put = |blob: &Vec<u8>| {
            if self.interrupt.was_received() {
                return Ok(());
            }
            let digest = self.registry.put_blob(target, blob)?;
            self.created().blobs.insert((target.clone(), digest));
            Ok(())
        };
        let Some((first, others)) = self.samples.blobs.split_first() else { return Ok(()) };
        put(first)?;
        tasks::run_parallel(self.registry.jobs(), others, put).map(|_| ()).map_err(first_error)
    }

    fn run_probe(&self, probe: Probe, results: &ProbeResults) -> ProbeOutcome {
        let samples = self.samples;
        match probe {
            Probe::Upload => self.upload_samples().map(|()| ProbeResult::Works),
            Probe::DockerImages => self.images(&samples.docker),
            Probe::OciImages => self.images(&samples.oci),
            Probe::DockerList => self.publish_sample("docker", &samples.docker.list),
            Probe::OciIndex => self.publish_sample("oci", &samples.oci.list),
            Probe::Mount => self.mount(),
            Probe::ByDigest => self.publish_by_digest(&self.docker_or_oci_samples(results).list_by_digest),
            Probe::Annotations => self.publish_sample("annotations", &samples.annotated),
            Probe::ArtifactType => self.publish_sample("artifact", &samples.with_artifact_type),
            Probe::NestedIndex => self.publish_sample("nested", &samples.nested),
            Probe::Referrers => self.referrers(),
            Probe::TagListing => self.tag_listing(),
            Probe::TagDeletion => self.tag_deletion(&self.docker_or_oci_samples(results).list_to_untag),
            Probe::ManifestDeletion => self.manifest_deletion(&self.docker_or_oci_samples(results).list_by_digest),
            Probe::SharedEntry => self.shared_entry(results),
            Probe::EntryReplacement => self.entry_replacement(results),
            Probe::ConditionalPush => self.conditional_push(results),
            Probe::EntryDeletion => self.entry_deletion(results),
        }
    }

    /// The samples in the format whose lists the registry accepts.
    fn docker_or_oci_samples(&self, results: &ProbeResults) -> &FormatSamples {
        if results.works(Probe::DockerList) { &self.samples.docker } else { &self.samples.oci }
    }

    fn images(&self, samples: &FormatSamples) -> ProbeOutcome {
        let results = tasks::run_parallel(self.registry.jobs(), &samples.images, |image| self.publish_by_digest(image))
            .map_err(first_error)?;
        // Failures come before remarks.
        let failed = results.iter().find(|result| !result.is_success());
        let worst = failed.or_else(|| results.iter().find(|result| result.remark().is_some()));
        Ok(worst.cloned().unwrap_or(ProbeResult::Works))
    }

    fn publish_sample(&self, suffix: &str, manifest: &SampleManifest) -> ProbeOutcome {
        self.publish_by_tag(&self.samples.tag(suffix), manifest)
    }

    pub(super) fn publish_by_tag(&self, tag: &str, manifest: &SampleManifest) -> ProbeOutcome {
        self.publish(&self.tagged_reference(tag)?, &ManifestName::Tag(tag.to_owned()), manifest)
    }

    pub(super) fn tagged_reference(&self, tag: &str) -> Result<Reference, RegistryError> {
        let not_a_tag = || {
            RegistryError::new(RegistryErrorKind::Protocol, self.target.main().domain(), format!("{tag} is not a tag"))
        };
        tags::with_tag(self.target.reference(), tag).ok_or_else(not_a_tag)
    }

    fn publish_by_digest(&self, manifest: &SampleManifest) -> ProbeOutcome {
        let reference = self.target.main().at_digest(&manifest.digest);
        self.publish(&reference, &ManifestName::Digest(manifest.digest.clone()), manifest)
    }

    /// Puts a manifest, reads it back and compares.
    fn publish(&self, reference: &Reference, name: &ManifestName, manifest: &SampleManifest) -> ProbeOutcome {
        let put = self.registry.put_manifest(self.target.main(), name, manifest.media_type, &manifest.bytes);
        self.record_put(name, manifest, put)?;
        let (served, waited) = self.poll_manifest(reference, |_| true)?;
        if served.bytes != manifest.bytes {
            return Ok(ProbeResult::Fails(format!("it serves other bytes ({}) than were pushed", served.digest)));
        }
        if served.media_type != manifest.media_type {
            return Ok(ProbeResult::WorksWithRemark(format!("it is served as {:?}", served.media_type)));
        }
        let lag_remark = || format!("what was put is not served at once, but after {}", format_duration(waited));
        Ok(if waited.is_zero() { ProbeResult::Works } else { ProbeResult::WorksWithRemark(lag_remark()) })
    }

    /// Records a manifest that was put. A refused one was not created. After any other failure it may have been.
    pub(super) fn record_put<T>(
        &self,
        name: &ManifestName,
        manifest: &SampleManifest,
        put: Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        if !put.as_ref().is_err_and(|error| matches!(error.status, Some(400..=499))) {
            self.created().add_manifest(name, manifest);
        }
        put
    }

    /// What a manifest is served as, and for how long it was waited for: some registries answer 404 for seconds after a
    /// manifest was put, or serve what was there before. What is still served when the time is over is returned.
    pub(super) fn poll_manifest(
        &self,
        reference: &Reference,
        is_wanted: impl Fn(&FetchedManifest) -> bool,
    ) -> Result<(FetchedManifest, Duration), RegistryError> {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_WAIT);
        loop {
            let served = self.registry.manifest(reference);
            let is_late = match &served {
                Ok(served) => !is_wanted(served),
                Err(error) => error.kind == RegistryErrorKind::NotFound,
            };
            if !is_late || waited >= TOTAL_WAIT_MAX {
                return served.map(|served| (served, waited));
            }
            self.clock.sleep(pause);
            (waited, pause) = (waited.saturating_add(pause), pause.saturating_mul(2));
        }
    }

    fn mount(&self) -> ProbeOutcome {
        let Some(blob) = self.samples.blobs.last() else { return Ok(ProbeResult::Works) };
        let (digest, target) = (Digest::from_bytes(blob), self.target.mount_target());
        if !self.registry.mount(target, self.target.main(), &digest)? {
            let reason = "it asks for an upload instead: blobs are copied, which takes longer";
            return Ok(ProbeResult::Fails(reason.to_owned()));
        }
        self.created().blobs.insert((target.clone(), digest.clone()));
        let size = u64::try_from(blob.len()).ok();
        let served = self.registry.blob(target, &digest, size, u64::MAX)?;
        Ok(if served == *blob { ProbeResult::Works } else { ProbeResult::Fails("it serves another blob".to_owned()) })
    }

    /// By the registry's referrers API, or else by the referrers tag (distribution-spec, "Referrers Tag Schema").
    fn referrers(&self) -> ProbeOutcome {
        let Samples { referrer, referrers_index, subject, .. } = self.samples;
        let put = self.publish_by_digest(referrer)?;
        if !put.is_success() {
            return Ok(put);
        }
        let Some(served) = self.registry.referrers_index(self.target.main(), subject)? else {
            let by_tag = self.publish_by_tag(&self.samples.referrers_tag(), referrers_index)?;
            let remark = "there is no referrers API; the referrers tag works";
            return Ok(if by_tag.is_success() { ProbeResult::WorksWithRemark(remark.to_owned()) } else { by_tag });
        };
        let index = match Index::decode(&served.bytes) {
            Ok(index) => index,
            Err(error) => return Ok(ProbeResult::Fails(format!("the response is not an index: {error}"))),
        };
        Ok(match index.manifests.iter().find(|entry| entry.digest == referrer.digest) {
            None => ProbeResult::Fails("its list of referrers lacks the one that was pushed".to_owned()),
            Some(entry) if entry.artifact_type != ARTIFACT_TYPE => {
                ProbeResult::WorksWithRemark("its list of referrers lacks the artifact types".to_owned())
            }
            Some(_) => ProbeResult::Works,
        })
    }

    fn tag_listing(&self) -> ProbeOutcome {
        let listed = self.registry.tags(self.target.main())?;
        let tags = self.created().tags.clone();
        let missing: Vec<String> = tags.into_keys().filter(|tag| !listed.contains(tag)).collect();
        if missing.is_empty() {
            return Ok(ProbeResult::Works);
        }
        Ok(ProbeResult::Fails(format!("it lists {} tags, {} not among them", listed.len(), missing.join(", "))))
    }

    fn tag_deletion(&self, manifest: &SampleManifest) -> ProbeOutcome {
        let (repository, tag) = (self.target.main(), self.samples.tag("delete"));
        let put = self.publish_by_tag(&tag, manifest)?;
        if !put.is_success() {
            return Ok(put);
        }
        self.registry.delete_manifest(repository, &ManifestName::Tag(tag.clone()))?;
        if self.has_manifest(repository, ManifestName::Tag(tag.clone()))? {
            return Ok(ProbeResult::Fails("the tag is still served after it was deleted".to_owned()));
        }
        self.created().tags.remove(&tag);
        if self.has_manifest(repository, ManifestName::Digest(manifest.digest.clone()))? {
            return Ok(ProbeResult::Works);
        }
        self.created().remove_manifest(&manifest.digest);
        Ok(ProbeResult::WorksWithRemark("it deletes the manifest and all its tags, too".to_owned()))
    }

    fn manifest_deletion(&self, manifest: &SampleManifest) -> ProbeOutcome {
        let name = ManifestName::Digest(manifest.digest.clone());
        self.registry.delete_manifest(self.target.main(), &name)?;
        if self.has_manifest(self.target.main(), name)? {
            return Ok(ProbeResult::Fails("the manifest is still served after it was deleted".to_owned()));
        }
        self.created().remove_manifest(&manifest.digest);
        Ok(ProbeResult::Works)
    }

    pub(super) fn has_manifest(&self, repository: &Repository, name: ManifestName) -> Result<bool, RegistryError> {
        self.registry.manifest_digest(repository, &name).map(|results| results.is_some())
    }
}

/// The first of several failures.
fn first_error(errors: Vec<RegistryError>) -> RegistryError {
    let none = || RegistryError::new(RegistryErrorKind::Protocol, "", "a failure without a reason");
    errors.into_iter().next().unwrap_or_else(none)
}
