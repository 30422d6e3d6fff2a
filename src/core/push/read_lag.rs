//! Registries with delayed reads. A registry that is replicated over several machines may accept a manifest, and a
//! moment later refuse the list that names it. The list is then put again.

use std::time::Duration;

use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::push::plan::PlannedManifest;
use crate::net::{Clock, tasks};
use crate::sanitize;

/// The first wait. Each further wait is twice as long.
const FIRST: Duration = Duration::from_millis(500);

/// The maximum total of all waits.
const TOTAL: Duration = Duration::from_secs(15);

/// The error codes of a registry that does not know what a list names.
const UNKNOWN: [&str; 3] = ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"];

/// The error code of a registry that refuses a list. Some registries use it, without a reason, for a list with an
/// unknown manifest.
const INVALID: &str = "MANIFEST_INVALID";

/// Puts lists in a registry that may need time to know their manifests.
pub(crate) struct ReadLag<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) clock: &'a dyn Clock,
    /// Prints a line on stderr.
    pub(crate) notice: &'a (dyn Fn(&str) + Sync),
}

impl ReadLag<'_> {
    /// Runs `put`, which puts a list. If the registry does not know what the list names, but has the manifests in
    /// `sent`, which this run put before, `put` is run again.
    ///
    /// # Errors
    /// The last failure of `put`.
    pub(crate) fn put<T>(
        &self,
        sent: &[&PlannedManifest<'_>],
        put: &dyn Fn() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let mut failure = match put() {
            Ok(stored) => return Ok(stored),
            Err(failure) => failure,
        };
        if !is_lag(&failure) || !self.are_there(sent) {
            return Err(failure);
        }
        self.announce(&failure);
        let deadline = self.registry.deadline();
        let (mut left, mut pause) = (TOTAL, FIRST);
        while !left.is_zero() && is_lag(&failure) {
            let wait = pause.min(left);
            if deadline.left().is_some_and(|time| time <= wait) {
                break;
            }
            self.clock.sleep(wait);
            (left, pause) = (left.saturating_sub(wait), pause.saturating_mul(2));
            match put() {
                Ok(stored) => return Ok(stored),
                Err(again) => failure = again,
            }
        }
        Err(failure)
    }

    /// Whether the registry serves all of them. A failed check counts as no, and the failure of `put` is reported.
    fn are_there(&self, sent: &[&PlannedManifest<'_>]) -> bool {
        let is_there = tasks::in_order(self.registry.jobs(), sent, |manifest| {
            let Some(digest) = manifest.reference.digest() else { return Ok(false) };
            self.registry.has_child(manifest.reference.repository(), digest, manifest.media_type)
        });
        !sent.is_empty() && is_there.is_ok_and(|is_there| is_there.into_iter().all(|is_there| is_there))
    }

    fn announce(&self, failure: &CommandError) {
        let CommandError::Put { reference, source, .. } = failure else { return };
        let (registry, said) = (&source.registry, sanitize::word(&source.detail));
        let seconds = TOTAL.as_secs();
        (self.notice)(&format!(
            "{registry} does not know yet what it has just accepted ({said}): putting {reference} again for up to {seconds} s"
        ));
    }
}

/// Whether the registry may not know yet what the list names.
pub(super) fn is_lag(failure: &CommandError) -> bool {
    let CommandError::Put { source, .. } = failure else { return false };
    let has = |code: &str| source.codes().iter().any(|found| found == code);
    let has_reason = source.body.as_ref().is_some_and(|body| body.has_reason);
    UNKNOWN.into_iter().any(has) || has(INVALID) && !has_reason
}
