//! Registries with delayed reads. A replicated registry may accept a manifest, and a moment later refuse the list, or
//! the entry of a shared draft, that names it. Then the list or entry is put again. So is an image whose blobs exist:
//! docker-registry 2.8 does not see a blob for a moment while another client puts or mounts it.

use std::fmt;
use std::time::Duration;

use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::push::plan::PlannedManifest;
use crate::core::shared_failure::SharedFailure;
use crate::digest::Digest;
use crate::drafts::registry::SharedStoreError;
use crate::net::deadline::Deadline;
use crate::net::{Clock, RegistryError, tasks};
use crate::reference::Repository;
use crate::sanitize;

/// The first wait. Each further wait is twice as long.
const FIRST: Duration = Duration::from_millis(500);

/// The maximum total of all waits.
const TOTAL: Duration = Duration::from_secs(15);

/// The error code of a registry that refuses a list. Some registries use it, without a reason, for a list with an
/// unknown manifest.
const INVALID: &str = "MANIFEST_INVALID";

/// Puts manifests in a registry that may need time to know what they name.
pub(crate) struct ReadLag<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) clock: &'a dyn Clock,
    /// Prints a line on stderr.
    pub(crate) notice: &'a (dyn Fn(&str) + Sync),
}

/// The waits for a registry with delayed reads, until their total or the deadline of the command is reached.
pub(super) struct Waits {
    left: Duration,
    pause: Duration,
    deadline: Deadline,
}

impl Waits {
    /// All waits of one put.
    pub(super) fn new(deadline: Deadline) -> Waits {
        Waits { left: TOTAL, pause: FIRST, deadline }
    }
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.pause.min(self.left);
        if wait.is_zero() || self.deadline.left().is_some_and(|time| time <= wait) {
            return None;
        }
        (self.left, self.pause) = (self.left.saturating_sub(wait), self.pause.saturating_mul(2));
        Some(wait)
    }
}

/// The line for a registry that has just stored `name` and does not show all that it names.
pub(super) fn looking_again(name: impl fmt::Display) -> String {
    let seconds = TOTAL.as_secs();
    format!("the registry does not show all images of {name} (yet): looking for them again for up to {seconds} s")
}

impl ReadLag<'_> {
    /// Calls `put`, which puts a list. If the registry does not know the children of the list, but serves the manifests
    /// in `sent`, which this run put before, calls `put` again.
    ///
    /// # Errors
    /// The last failure of `put`.
    pub(crate) fn put<T>(
        &self,
        sent: &[&PlannedManifest<'_>],
        put: &dyn Fn() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        self.put_if(&|| self.are_there(sent), put)
    }

    /// Runs `put`, which puts an image in `repository`. If the registry does not know what the image names, but has
    /// `blobs`, which this run brought there, `put` is run again.
    ///
    /// # Errors
    /// The last failure of `put`.
    pub(crate) fn put_image<T>(
        &self,
        repository: &Repository,
        blobs: &[&Digest],
        put: &dyn Fn() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let has = |blob: &&Digest| self.registry.has_blob(repository, blob);
        let are_there = || tasks::in_order(self.registry.jobs(), blobs, has).is_ok_and(|has| !has.contains(&false));
        self.put_if(&|| !blobs.is_empty() && are_there(), put)
    }

    /// Runs `put`. If the registry does not know what the manifest names, and `are_there` says that it has it, `put` is
    /// run again.
    ///
    /// # Errors
    /// The last failure of `put`.
    pub(crate) fn put_if<T>(
        &self,
        are_there: &dyn Fn() -> bool,
        put: &dyn Fn() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let mut failure = match put() {
            Ok(stored) => return Ok(stored),
            Err(failure) => failure,
        };
        if !is_lag(&failure) || !are_there() {
            return Err(failure);
        }
        self.announce(&failure);
        let mut waits = Waits::new(self.registry.deadline());
        while is_lag(&failure)
            && let Some(wait) = waits.next()
        {
            self.clock.sleep(wait);
            match put() {
                Ok(stored) => return Ok(stored),
                Err(again) => failure = again,
            }
        }
        Err(failure)
    }

    /// Whether the registry serves all of them; false if the check fails.
    fn are_there(&self, sent: &[&PlannedManifest<'_>]) -> bool {
        let is_there = tasks::in_order(self.registry.jobs(), sent, |manifest| {
            let Some(digest) = manifest.reference.digest() else { return Ok(false) };
            self.registry.has_child(manifest.reference.repository(), digest, manifest.media_type)
        });
        !sent.is_empty() && is_there.is_ok_and(|is_there| is_there.into_iter().all(|is_there| is_there))
    }

    fn announce(&self, failure: &CommandError) {
        let Some((name, refusal)) = refused(failure) else { return };
        let (registry, reason) = (&refusal.registry, sanitize::word(&refusal.detail));
        let seconds = TOTAL.as_secs();
        (self.notice)(&format!(
            "{registry} does not know yet what it has just accepted ({reason}): \
             putting {name} again for up to {seconds} s"
        ));
    }
}

/// A list or an entry of a shared draft that was not put: its name and the registry's answer.
fn refused(failure: &CommandError) -> Option<(String, &RegistryError)> {
    match failure {
        CommandError::Put { reference, source, .. } => Some((reference.to_string(), source)),
        CommandError::Shared(failure) => match &**failure {
            SharedFailure::Store(SharedStoreError::Put { tag, source }) => Some((tag.clone(), source)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the registry may not know yet what the list names.
pub(super) fn is_lag(failure: &CommandError) -> bool {
    let Some((_, refusal)) = refused(failure) else { return false };
    let is_invalid = refusal.codes().iter().any(|code| code == INVALID);
    let has_reason = refusal.body.as_ref().is_some_and(|body| body.has_reason);
    refusal.is_of_unknown_content() || is_invalid && !has_reason
}
