//! Entries in a repository: puts, fetches, lists and deletes them, with one request each if the registry allows it.

use std::collections::BTreeSet;

use crate::auth::Access;
use crate::content::registry::{FetchedManifest, ManifestName, RegistryClient};
use crate::digest::Digest;
use crate::drafts::registry::entry::{EntryCreationError, EntryError, ExpectedEntryName, SharedEntry};
use crate::drafts::registry::entry_tag::{EntryName, TagParts};
use crate::drafts::registry::pipeline_run::PipelineRun;
use crate::model::media_type;
use crate::net::{RegistryError, RegistryErrorKind, tasks};
use crate::reference::{Reference, Repository};

/// The entries of one repository.
pub struct SharedDraftStore<'a> {
    pub(super) client: &'a RegistryClient,
    pub(super) repository: &'a Repository,
    pub(super) run: &'a PipelineRun,
}

/// An entry that a registry serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// Its tag.
    pub tag: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The entry.
    pub entry: SharedEntry,
}

/// The content of an entry's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryLookup {
    /// Nothing.
    Absent,
    /// The entry.
    Found(Box<FoundEntry>),
    /// Content that is not used.
    Rejected(RejectedEntry),
}

/// The content of an entry's tag that is not that entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEntry {
    /// The tag.
    pub tag: String,
    /// The digest of the content.
    pub digest: Digest,
    /// Why it is not used.
    pub error: EntryError,
}

/// An entry that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its full tag.
    pub reference: Reference,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// Why an entry was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum SharedStoreError {
    /// An invalid entry.
    #[error("cannot store {reference}: {source}")]
    InvalidEntry {
        /// Where it would be stored.
        reference: String,
        /// What is wrong with it.
        source: EntryError,
    },
    /// The tag has another entry, and the registry does not replace it.
    #[error("{reference} has another entry, and the registry does not replace it: {}", source.message)]
    Conflict {
        /// The full tag.
        reference: String,
        /// The response to the PUT.
        source: Box<RegistryError>,
    },
    /// The registry refuses the entry.
    #[error("failed to put entry {reference}: {source}")]
    Put {
        /// The full tag.
        reference: String,
        /// The response to the PUT.
        source: Box<RegistryError>,
    },
    /// An image that cannot have an entry.
    #[error(transparent)]
    EntryCreation(EntryCreationError),
    /// Any other failed request.
    #[error(transparent)]
    Registry(Box<RegistryError>),
}

impl From<RegistryError> for SharedStoreError {
    fn from(error: RegistryError) -> SharedStoreError {
        SharedStoreError::Registry(Box::new(error))
    }
}

/// The result of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It is deleted.
    Deleted,
    /// It no longer existed, or its tag has another entry now.
    AlreadyGone,
    /// The registry does not delete it; with its message.
    Refused(String),
    /// No request was sent; with the reason.
    NotAttempted(&'static str),
}

impl Deletion {
    /// Why the entry still exists; `None` if it does not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Deletion::Deleted | Deletion::AlreadyGone => None,
            Deletion::Refused(reason) => Some(reason),
            Deletion::NotAttempted(reason) => Some(reason),
        }
    }
}

impl<'a> SharedDraftStore<'a> {
    /// The entries of this run in a repository. Does no I/O.
    pub fn new(client: &'a RegistryClient, repository: &'a Repository, run: &'a PipelineRun) -> SharedDraftStore<'a> {
        SharedDraftStore { client, repository, run }
    }

    /// Stores an entry under its tag, and replaces the previous one. Storing the same entry again changes nothing.
    ///
    /// Sends one request. If the registry refuses it, a second request fetches the present entry, and a third one puts
    /// a Docker manifest list if the registry may not accept OCI indexes.
    ///
    /// # Errors
    /// [`SharedStoreError::Conflict`] if the tag cannot be moved and has another entry; an invalid entry, and a failed
    /// request.
    pub fn put(&self, entry: &SharedEntry) -> Result<StoredEntry, SharedStoreError> {
        let tag = entry.name.tag();
        let full_tag = || format!("{}:{tag}", self.repository);
        let invalid_entry = |source| SharedStoreError::InvalidEntry { reference: full_tag(), source };
        let bytes = entry.encode().map_err(invalid_entry)?;
        let first_error = match self.put_encoded(&tag, media_type::OCI_INDEX, &bytes) {
            Ok(stored) => return Ok(stored),
            // If the registry does not know the image (yet), another format does not help.
            Err(error) if !error.is_permanent_client_error() || error.is_missing_dependency() => {
                return Err(self.put_error(&tag, error));
            }
            Err(error) => error,
        };
        let present = self.lookup(&tag, ExpectedEntryName::Name(&entry.name));
        let is_annotated = match &present {
            Ok(EntryLookup::Found(found)) if adds_same_descriptors(&found.entry, entry) => {
                return Ok(self.stored_entry(&tag, found.digest.clone())?);
            }
            Ok(EntryLookup::Found(found)) => found.entry.is_annotated,
            Ok(EntryLookup::Rejected(_)) => true,
            // The error of the PUT is reported, not that of this request.
            Ok(EntryLookup::Absent) | Err(_) => false,
        };
        if !is_annotated
            && let Some(bytes) = entry.encode_for_docker().map_err(invalid_entry)?
            && let Ok(stored) = self.put_encoded(&tag, media_type::DOCKER_LIST, &bytes)
        {
            return Ok(stored);
        }
        match present {
            Ok(EntryLookup::Found(_) | EntryLookup::Rejected(_)) => {
                Err(SharedStoreError::Conflict { reference: full_tag(), source: Box::new(first_error) })
            }
            _ => Err(self.put_error(&tag, first_error)),
        }
    }

    fn put_encoded(&self, tag: &str, media_type: &str, bytes: &[u8]) -> Result<StoredEntry, RegistryError> {
        let name = ManifestName::Tag(tag.to_owned());
        let stored = self.client.put_manifest(self.repository, &name, media_type, bytes)?;
        self.stored_entry(tag, stored.digest)
    }

    fn stored_entry(&self, tag: &str, digest: Digest) -> Result<StoredEntry, RegistryError> {
        let invalid_tag = |_| RegistryError::new(RegistryErrorKind::Protocol, self.repository.domain(), "no such tag");
        Ok(StoredEntry { reference: self.repository.at_tag(tag).map_err(invalid_tag)?, digest })
    }

    fn put_error(&self, tag: &str, error: RegistryError) -> SharedStoreError {
        SharedStoreError::Put { reference: format!("{}:{tag}", self.repository), source: Box::new(error) }
    }

    /// Fetches the content of an entry's tag. One request (GET).
    ///
    /// # Errors
    /// A failed request.
    pub fn lookup(&self, tag: &str, expected: ExpectedEntryName<'_>) -> Result<EntryLookup, RegistryError> {
        let Ok(reference) = self.repository.at_tag(tag) else { return Ok(EntryLookup::Absent) };
        match self.fetch(&reference)? {
            None => Ok(EntryLookup::Absent),
            Some(served) => Ok(decode_served(served, tag, expected)),
        }
    }

    /// Fetches the entry with this digest, under any tag. One request (GET).
    ///
    /// # Errors
    /// A failed request.
    pub fn lookup_by_digest(
        &self,
        digest: &Digest,
        list: &str,
        expected: Option<&EntryName>,
    ) -> Result<EntryLookup, RegistryError> {
        let Some(served) = self.fetch(&self.repository.at_digest(digest))? else { return Ok(EntryLookup::Absent) };
        let run = self.run.id.as_deref();
        let tag = match expected {
            Some(name) => name.tag(),
            None => SharedEntry::derive_tag(&served.media_type, &served.bytes, list, run).unwrap_or_default(),
        };
        Ok(decode_served(
            served,
            &tag,
            expected.map_or(ExpectedEntryName::ListAndRun(list, run), ExpectedEntryName::Name),
        ))
    }

    fn fetch(&self, reference: &Reference) -> Result<Option<FetchedManifest>, RegistryError> {
        match self.client.manifest(reference) {
            Ok(served) => Ok(Some(served)),
            Err(error) if error.kind == RegistryErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The digest of an entry's tag; `None` without such a tag. One request (HEAD).
    ///
    /// # Errors
    /// A failed request.
    pub fn tag_digest(&self, tag: &str) -> Result<Option<Digest>, RegistryError> {
        self.client.manifest_digest(self.repository, &ManifestName::Tag(tag.to_owned()))
    }

    /// The tags of all entries in the repository, sorted. One request a page. A repository that does not exist has no
    /// entries.
    ///
    /// # Errors
    /// A failed request.
    pub fn tags(&self) -> Result<Vec<(String, TagParts)>, RegistryError> {
        let tags = match self.client.tags(self.repository) {
            Err(error) if error.kind == RegistryErrorKind::NotFound => Vec::new(),
            found => found?,
        };
        // Registries list tags in any order, and some list one twice.
        let tags: BTreeSet<String> = tags.into_iter().collect();
        Ok(tags.into_iter().filter_map(|tag| TagParts::parse(&tag).map(|parts| (tag, parts))).collect())
    }

    /// Fetches the content of these tags in parallel, in their order. A tag without a name may have any entry of `list`
    /// and the run.
    ///
    /// # Errors
    /// A failed request.
    pub fn lookup_all(
        &self,
        tags: &[(String, Option<EntryName>)],
        list: &str,
    ) -> Result<Vec<EntryLookup>, Vec<RegistryError>> {
        let run = self.run.id.as_deref();
        tasks::run_parallel(self.client.jobs(), tags, |(tag, name)| {
            self.lookup(tag, name.as_ref().map_or(ExpectedEntryName::ListAndRun(list, run), ExpectedEntryName::Name))
        })
    }

    /// Deletes an entry by its digest. If the registry refuses that, and the tag still has that digest, deletes it by
    /// its tag. Only a document with the annotations of an entry is deleted.
    ///
    /// # Errors
    /// A failed request. A response that refuses the deletion is no error, but [`Deletion::Refused`].
    pub fn delete(&self, found: &FoundEntry) -> Result<Deletion, RegistryError> {
        if !found.entry.is_annotated {
            return Ok(Deletion::NotAttempted("it is a Docker manifest list, which can be a published list as well"));
        }
        if self.client.is_artifactory(self.repository) {
            return Ok(Deletion::NotAttempted("Artifactory deletes the images of an index together with it"));
        }
        self.client.expect_access(self.repository, Access::PullPush);
        let by_digest = ManifestName::Digest(found.digest.clone());
        let Err(digest_error) = self.client.delete_manifest(self.repository, &by_digest) else {
            return Ok(Deletion::Deleted);
        };
        match digest_error.status {
            Some(404) => return Ok(Deletion::AlreadyGone),
            Some(400 | 405 | 409) => {}
            Some(400..=499) if digest_error.status != Some(429) => {
                return Ok(Deletion::Refused(refusal_reason(&digest_error)));
            }
            _ => return Err(digest_error),
        }
        if self.tag_digest(&found.tag)? != Some(found.digest.clone()) {
            return Ok(Deletion::AlreadyGone);
        }
        match self.client.delete_manifest(self.repository, &ManifestName::Tag(found.tag.clone())) {
            Ok(()) => Ok(Deletion::Deleted),
            Err(error) if error.status == Some(404) => Ok(Deletion::AlreadyGone),
            Err(error) if error.status.is_some_and(|status| matches!(status, 400..=499) && status != 429) => {
                Ok(Deletion::Refused(refusal_reason(&digest_error)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Why a registry does not delete an entry, on one line.
fn refusal_reason(error: &RegistryError) -> String {
    let status = error.status.map(|status| format!("status {status}: ")).unwrap_or_default();
    format!("{status}{}", crate::sanitize::short_line(&error.message))
}

fn decode_served(served: FetchedManifest, tag: &str, expected: ExpectedEntryName<'_>) -> EntryLookup {
    let FetchedManifest { media_type, bytes, digest } = served;
    match SharedEntry::decode(&media_type, &bytes, tag, expected) {
        Ok(entry) => EntryLookup::Found(Box::new(FoundEntry { tag: tag.to_owned(), digest, entry })),
        Err(error) => EntryLookup::Rejected(RejectedEntry { tag: tag.to_owned(), digest, error }),
    }
}

/// Whether two entries add the same to the list. Their attempts may differ.
fn adds_same_descriptors(first: &SharedEntry, other: &SharedEntry) -> bool {
    first.name == other.name && first.descriptors().eq(other.descriptors())
}
