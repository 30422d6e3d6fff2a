//! Registries with delayed reads. A replicated registry may accept a manifest, and a moment later refuse the list, or
//! the entry of a shared draft, that names it. Then the list or entry is put again. So is an image whose blobs exist:
//! docker-registry 2.8 does not see a blob for a moment while another client puts or mounts it.

use std::time::Duration;

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::push::reporter::PushReporter;
use crate::core::shared_draft_error::SharedDraftError;
use crate::digest::Digest;
use crate::drafts::registry::SharedStoreError;
use crate::net::deadline::Deadline;
use crate::net::{Clock, RegistryError, tasks};
use crate::reference::Repository;
use crate::sanitize;

/// The first wait. Each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The maximum total of all waits.
const TOTAL_WAIT: Duration = Duration::from_secs(15);

/// The error code of a registry that refuses a list. Some registries use it, without a reason, for a list with an
/// unknown manifest.
const MANIFEST_INVALID: &str = "MANIFEST_INVALID";

/// Puts manifests in a registry that may need time to know what they name.
pub(crate) struct LagRetry<'a> {
    pub(crate) registry: &'a RegistryClient,
    pub(crate) clock: &'a dyn Clock,
    /// Receives the line that a manifest is put again.
    pub(crate) reporter: &'a dyn PushReporter,
}

/// Content that a manifest names.
#[derive(Clone, Copy)]
pub(crate) enum ReferencedContent<'a> {
    /// A blob.
    Blob(&'a Digest),
    /// A manifest, and its media type.
    Manifest(&'a Digest, &'a str),
}

/// The waits for a registry with delayed reads, until their total or the deadline of the command is reached.
pub(super) struct LagWaits {
    remaining: Duration,
    pause: Duration,
    deadline: Deadline,
}

impl LagWaits {
    /// All waits of one put.
    pub(super) fn new(deadline: Deadline) -> LagWaits {
        LagWaits { remaining: TOTAL_WAIT, pause: FIRST_WAIT, deadline }
    }
}

impl Iterator for LagWaits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.pause.min(self.remaining);
        if wait.is_zero() || self.deadline.time_left().is_some_and(|time| time <= wait) {
            return None;
        }
        (self.remaining, self.pause) = (self.remaining.saturating_sub(wait), self.pause.saturating_mul(2));
        Some(wait)
    }
}

/// The line for a registry that has just stored `name` and does not show all that it names.
pub(super) fn lag_note(name: impl std::fmt::Display) -> String {
    let seconds = TOTAL_WAIT.as_secs();
    format!("the registry does not show all images of {name} (yet): looking for them again for up to {seconds} s")
}

impl LagRetry<'_> {
    /// Runs `put_once`, which puts a manifest in `repository`. If the registry does not know what the manifest names,
    /// but has the `referenced` content, which was put there before, `put_once` is run again.
    ///
    /// # Errors
    /// The last failure of `put_once`.
    pub(crate) fn put_and_retry<T>(
        &self,
        repository: &Repository,
        referenced: &[ReferencedContent<'_>],
        put_once: &dyn Fn() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        self.put_and_retry_if(&|| self.has_all(repository, referenced), put_once)
    }

    /// Runs `put_once`. If the registry does not know what the manifest names, and `has_content` says that it has it,
    /// `put_once` is run again.
    ///
    /// # Errors
    /// The last failure of `put_once`.
    pub(crate) fn put_and_retry_if<T>(
        &self,
        has_content: &dyn Fn() -> bool,
        put_once: &dyn Fn() -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let mut error = match put_once() {
            Ok(stored) => return Ok(stored),
            Err(error) => error,
        };
        if !is_lag(&error) || !has_content() {
            return Err(error);
        }
        self.note_retry(&error);
        let mut waits = LagWaits::new(self.registry.new_user_deadline());
        while is_lag(&error)
            && let Some(wait) = waits.next()
        {
            self.clock.sleep(wait);
            match put_once() {
                Ok(stored) => return Ok(stored),
                Err(repeated) => error = repeated,
            }
        }
        Err(error)
    }

    /// Whether the repository has all of it; false if it is nothing, or the check fails.
    fn has_all(&self, repository: &Repository, referenced: &[ReferencedContent<'_>]) -> bool {
        let presence = tasks::run_parallel(self.registry.jobs(), referenced, |content| match *content {
            ReferencedContent::Blob(digest) => self.registry.has_blob(repository, digest),
            ReferencedContent::Manifest(digest, media_type) => {
                self.registry.has_manifest(repository, digest, media_type)
            }
        });
        !referenced.is_empty() && presence.is_ok_and(|presence| !presence.contains(&false))
    }

    fn note_retry(&self, error: &CommandError) {
        let Some((name, registry_error)) = failed_put(error) else { return };
        let (registry, reason) = (&registry_error.registry, sanitize::short_line(&registry_error.message));
        let seconds = TOTAL_WAIT.as_secs();
        self.reporter.note(&format!(
            "{registry} does not know yet what it has just accepted ({reason}): \
             putting {name} again for up to {seconds} s"
        ));
    }
}

/// A list or an entry of a shared draft that was not put: its name and the registry's answer.
fn failed_put(error: &CommandError) -> Option<(String, &RegistryError)> {
    match error {
        CommandError::Put { reference, source, .. } => Some((reference.to_string(), source)),
        CommandError::SharedDraft(error) => match &**error {
            SharedDraftError::Store(SharedStoreError::Put { reference, source }) => Some((reference.clone(), source)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the registry may not know yet what the list names.
pub(super) fn is_lag(error: &CommandError) -> bool {
    let Some((_, registry_error)) = failed_put(error) else { return false };
    let is_invalid = registry_error.codes().iter().any(|code| code == MANIFEST_INVALID);
    let says_more_than_codes = registry_error.body.as_ref().is_some_and(|body| body.says_more_than_codes);
    registry_error.is_missing_dependency() || is_invalid && !says_more_than_codes
}
