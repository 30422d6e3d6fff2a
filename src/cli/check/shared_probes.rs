//! The probes of what shared drafts need: an entry under the tag that `add --shared` gives it, replaced, and deleted.
//! The list of tags, which shows the entry too, has a probe of its own.

use humantime::format_duration;

use crate::cli::check::probes::{ProbeOutcome, Prober};
use crate::cli::check::result::{Probe, ProbeResult, ProbeResults, error_message};
use crate::cli::check::sample_manifest::SampleManifest;
use crate::content::registry::ManifestName;
use crate::digest::Digest;
use crate::net::RegistryError;

impl Prober<'_> {
    /// The first entry and its replacement, in the format that `add --shared` would use.
    fn oci_or_docker_entries(&self, results: &ProbeResults) -> &[SampleManifest; 2] {
        let entries = &self.samples.shared_entries;
        if results.works(Probe::OciIndex) { &entries.oci } else { &entries.docker }
    }

    fn entry_name(&self) -> ManifestName {
        ManifestName::Tag(self.samples.shared_entries.tag.clone())
    }

    pub(super) fn shared_entry(&self, results: &ProbeResults) -> ProbeOutcome {
        let [entry, _] = self.oci_or_docker_entries(results);
        let put = self.publish_by_tag(&self.samples.shared_entries.tag, entry)?;
        Ok(match put {
            ProbeResult::Works if !results.works(Probe::OciIndex) => {
                ProbeResult::WorksWithRemark("as a Docker manifest list, without annotations".to_owned())
            }
            put => put,
        })
    }

    pub(super) fn entry_replacement(&self, results: &ProbeResults) -> ProbeOutcome {
        let ([_, entry], name) = (self.oci_or_docker_entries(results), self.entry_name());
        let put = self.registry.put_manifest(self.target.main(), &name, entry.media_type, &entry.bytes);
        match self.record_put(&name, entry, put) {
            Err(error) if matches!(error.status, Some(400 | 403 | 405 | 409 | 412)) => {
                let reason = error_message(&error);
                return Ok(ProbeResult::Fails(format!(
                    "{reason}; a job that builds another image needs another --run"
                )));
            }
            put => put?,
        };
        let reference = self.tagged_reference(&self.samples.shared_entries.tag)?;
        let (served, waited) = self.poll_manifest(&reference, |served| served.digest == entry.digest)?;
        Ok(match waited {
            _ if served.digest != entry.digest => ProbeResult::Fails(format!(
                "the previous entry is still served after {}: publish with --entry",
                format_duration(waited)
            )),
            waited if waited.is_zero() => ProbeResult::Works,
            waited => {
                let waited = format_duration(waited);
                ProbeResult::WorksWithRemark(format!("the new entry is not served at once, but after {waited}"))
            }
        })
    }

    /// Puts the first entry again on the condition that its tag is not there. It is there.
    pub(super) fn conditional_push(&self, results: &ProbeResults) -> ProbeOutcome {
        let ([entry, _], name) = (self.oci_or_docker_entries(results), self.entry_name());
        let put = self.registry.put_new_manifest(self.target.main(), &name, entry.media_type, &entry.bytes);
        match self.record_put(&name, entry, put) {
            Err(error) if error.status == Some(412) => Ok(ProbeResult::Works),
            Err(error) => Err(error),
            Ok(_) => Ok(ProbeResult::Fails(
                "it ignores If-None-Match: if two clients push at once, the last push counts".to_owned(),
            )),
        }
    }

    /// Deletes the entry as `--purge` does: by its digest, or else by its tag.
    pub(super) fn entry_deletion(&self, results: &ProbeResults) -> ProbeOutcome {
        let (repository, name) = (self.target.main(), self.entry_name());
        if !results.works(Probe::OciIndex) {
            let reason = "an entry without annotations is kept: it could also be a published list";
            return Ok(ProbeResult::NotTried(reason.to_owned()));
        }
        let [by_digest, by_tag] =
            [Probe::ManifestDeletion, Probe::TagDeletion].map(|probe| results.failure_reason(probe).is_none());
        if !by_digest && !by_tag {
            let titles = [Probe::ManifestDeletion, Probe::TagDeletion].map(Probe::title).join(" or ");
            return Ok(ProbeResult::NotTried(format!("needs: {titles}")));
        }
        let Some(digest) = self.registry.manifest_digest(repository, &name)? else {
            return Ok(ProbeResult::Fails("the entry no longer exists".to_owned()));
        };
        let is_by_digest = by_digest && self.delete_by_digest(&digest, by_tag)?;
        if !is_by_digest {
            self.registry.delete_manifest(repository, &name)?;
        }
        if self.has_manifest(repository, name)? {
            return Ok(ProbeResult::Fails("the entry is still served after it was deleted".to_owned()));
        }
        self.created().tags.remove(&self.samples.shared_entries.tag);
        if !self.has_manifest(repository, ManifestName::Digest(digest.clone()))? {
            self.created().remove_manifest(&digest);
        }
        self.check_entry_image(is_by_digest)
    }

    /// Deletes the entry by its digest; `false` where the registry refuses that and may delete the tag instead.
    fn delete_by_digest(&self, digest: &Digest, has_other_way: bool) -> Result<bool, RegistryError> {
        match self.registry.delete_manifest(self.target.main(), &ManifestName::Digest(digest.clone())) {
            Err(error) if has_other_way && matches!(error.status, Some(400 | 405 | 409)) => Ok(false),
            deleted => deleted.map(|()| true),
        }
    }

    /// Whether the image of the deleted entry, which lists name as well, is still there.
    fn check_entry_image(&self, deleted_by_digest: bool) -> ProbeOutcome {
        let Some(image) = self.samples.oci.images.first() else { return Ok(ProbeResult::Works) };
        if !self.has_manifest(self.target.main(), ManifestName::Digest(image.digest.clone()))? {
            self.created().remove_manifest(&image.digest);
            let reason = "its image is deleted with it, although lists name it: do not use --purge with this registry";
            return Ok(ProbeResult::Fails(reason.to_owned()));
        }
        Ok(if deleted_by_digest {
            ProbeResult::Works
        } else {
            ProbeResult::WorksWithRemark("only by its tag".to_owned())
        })
    }
}
