//! The precondition of a change of a published list: no other client has changed the list meanwhile. Registries have no
//! compare-and-swap, so the tag is requested just before the PUT and just after it. If two runs do this at the same
//! time, one change can still be lost. Shared drafts avoid that.

use crate::content::registry::{ManifestName, RegistryClient};
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::list_conflict::ListConflict;
use crate::core::push::plan::PushPlan;
use crate::core::push::remote_state::{RemoteState, TagState};
use crate::core::push::tags;
use crate::digest::Digest;
use crate::net::RegistryErrorKind;
use crate::reference::Reference;

/// The tag of a list that is replaced only as long as it serves what was fetched.
#[derive(Clone, Copy)]
pub(super) struct TagPrecondition<'a> {
    /// The client.
    pub(super) registry: &'a RegistryClient,
    /// The list. It has a tag.
    pub(super) list: &'a Reference,
    /// The digest that the change was made to.
    pub(super) fetched: &'a Digest,
}

impl TagPrecondition<'_> {
    /// Checks the remote state before the push. Sends no request.
    ///
    /// # Errors
    /// [`ListConflict::Moved`].
    pub(super) fn check_remote_state(&self, plan: &PushPlan<'_>, remote: &RemoteState) -> Result<(), CommandError> {
        match remote.own_tag(plan).map(|(_, state)| state) {
            Some(TagState::Absent) => Err(self.conflict(None)),
            Some(TagState::Different(digest)) if digest != self.fetched => Err(self.conflict(Some(digest.clone()))),
            _ => Ok(()),
        }
    }

    /// Checks the tag just before it is replaced, with a HEAD request.
    ///
    /// # Errors
    /// [`ListConflict::Moved`], and a failed request.
    pub(super) fn check_before_put(&self) -> Result<(), CommandError> {
        let name = ManifestName::Tag(self.list.tag().unwrap_or_default().to_owned());
        let current = self.registry.manifest_digest(self.list.repository(), &name)?;
        if current.as_ref() == Some(self.fetched) { Ok(()) } else { Err(self.conflict(current)) }
    }

    /// Checks the tag just after it was replaced, with a GET request. Returns a warning if the registry still serves
    /// the previous list, because its reads are delayed.
    ///
    /// # Errors
    /// [`ListConflict::ReplacedAfterPush`], and a failed request, with the published list.
    pub(super) fn check_after_put(&self, digest: &Digest) -> Result<Option<String>, CommandError> {
        let tag = self.list.tag().and_then(|tag| tags::with_tag(self.list, tag));
        let list = self.list.to_string();
        let current = match self.registry.manifest(tag.as_ref().unwrap_or(self.list)) {
            Ok(fetched) => Some(fetched.digest),
            Err(error) if error.kind == RegistryErrorKind::NotFound => None,
            Err(error) => {
                let done = PartialResult::PushedButNotReported { list, digest: digest.to_string() };
                return Err(CommandError::Partial { error: Box::new(error.into()), done });
            }
        };
        match current {
            Some(current) if current == *digest => Ok(None),
            Some(current) if current == *self.fetched => {
                Ok(Some(format!("{list} is published as {digest}, but the registry still serves {current}")))
            }
            current => Err(ListConflict::ReplacedAfterPush { list, digest: digest.clone(), current }.into()),
        }
    }

    fn conflict(&self, current: Option<Digest>) -> CommandError {
        let (list, fetched) = (self.list.to_string(), self.fetched.clone());
        ListConflict::Moved { list, fetched, current }.into()
    }
}
