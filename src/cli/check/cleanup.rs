//! Deletes what a check created in a registry.

use std::collections::BTreeSet;

use crate::cli::check::created_objects::CreatedObjects;
use crate::cli::check::probes::Prober;
use crate::cli::check::result::{Probe, ProbeResults, blocks_all_probes, error_message};
use crate::content::registry::ManifestName;
use crate::digest::Digest;
use crate::net::tasks;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::Repository;

/// Why some objects could not be deleted, each reason once.
pub(crate) type Reasons = BTreeSet<String>;

/// Deletes what the registry permits: tags, then manifests from the top down (some registries keep what others refer
/// to), then blobs. What is left stays in the created objects of the prober.
pub(crate) fn clean_up(prober: &Prober<'_>, results: &ProbeResults) -> Reasons {
    let mut reasons = Reasons::new();
    if prober.created().is_empty() {
        return reasons;
    }
    prober.steps.begin_step("cleaning up");
    if let Err(error) = prober.delete_all(results, &mut reasons) {
        reasons.insert(error_message(&error));
    }
    reasons
}

impl Prober<'_> {
    /// Deletes everything. The error is one that would fail every other deletion too.
    fn delete_all(&self, results: &ProbeResults, reasons: &mut Reasons) -> Result<(), RegistryError> {
        // A deletion that a probe found not to work is not tried again.
        if results.failure_reason(Probe::TagDeletion).is_none() {
            let delete = |tag: &String| self.delete_manifest(ManifestName::Tag(tag.clone()));
            let tags: Vec<String> = self.created().tags.keys().cloned().collect();
            self.delete_each(&tags, delete, |created, tag| _ = created.tags.remove(tag), reasons)?;
        }
        if let Some(reason) = results.failure_reason(Probe::ManifestDeletion) {
            reasons.insert(reason.to_owned());
            return Ok(());
        }
        self.delete_manifests(results, reasons)?;
        if self.created().manifests.is_empty() { self.delete_blobs() } else { Ok(()) }
    }

    fn delete_manifest(&self, name: ManifestName) -> Result<(), RegistryError> {
        self.registry.delete_manifest(self.target.main(), &name)
    }

    fn delete_manifests(&self, results: &ProbeResults, reasons: &mut Reasons) -> Result<(), RegistryError> {
        let before = self.created().clone();
        for digests in before.by_deletion_priority().values().rev() {
            let delete = |digest: &Digest| self.delete_manifest(ManifestName::Digest(digest.clone()));
            self.delete_each(digests, delete, CreatedObjects::remove_manifest, reasons)?;
        }
        // The registry's tag list shows whether the tags went with their manifests.
        if before.tags.is_empty() || !results.works(Probe::TagListing) {
            return Ok(());
        }
        match self.registry.tags(self.target.main()) {
            Err(error) if blocks_all_probes(&error) => Err(error),
            // The repository went with its last manifest.
            Err(_) => Ok(()),
            Ok(listed) => {
                self.created().tags.extend(before.tags.into_iter().filter(|(tag, _)| listed.contains(tag)));
                Ok(())
            }
        }
    }

    /// Deletes blobs as a courtesy: registries collect unreferenced blobs, and most refuse to delete one.
    fn delete_blobs(&self) -> Result<(), RegistryError> {
        let blobs: Vec<(Repository, Digest)> = self.created().blobs.iter().cloned().collect();
        let delete = |(repository, digest): &(Repository, Digest)| self.registry.delete_blob(repository, digest);
        self.delete_each(&blobs, delete, |created, blob| _ = created.blobs.remove(blob), &mut Reasons::new())
    }

    /// Deletes each object. Records those that are gone, and collects the reasons for the others.
    fn delete_each<T: Sync>(
        &self,
        items: &[T],
        delete: impl Fn(&T) -> Result<(), RegistryError> + Sync,
        record: impl Fn(&mut CreatedObjects, &T) + Sync,
        reasons: &mut Reasons,
    ) -> Result<(), RegistryError> {
        let work = |item: &T| match delete(item) {
            Err(error) if blocks_all_probes(&error) => Err(error),
            Err(error) if error.kind != RegistryErrorKind::NotFound => Ok(Some(error_message(&error))),
            _ => {
                record(&mut self.created(), item);
                Ok(None)
            }
        };
        match tasks::run_parallel(self.registry.jobs(), items, work) {
            Ok(refusals) => {
                reasons.extend(refusals.into_iter().flatten());
                Ok(())
            }
            Err(mut errors) => errors.pop().map_or(Ok(()), Err),
        }
    }
}
