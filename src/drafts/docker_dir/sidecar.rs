//! The sidecar of a draft. It records the list of a directory, because docker's names are ambiguous (`h/a_b:1` and
//! `h/a/b:1` have the same directory), and content that docker's format cannot hold. See `store-format.md`, "Names that
//! docker mixes" and "What docker has no place for".

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::draft_id;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::format_3_members::Format3Members;
use crate::drafts::docker_dir::paths::Paths;
use crate::model::descriptor::Descriptor;
use crate::model::json::{self, Members};
use crate::model::{DocumentError, Draft, Entry};
use crate::reference::Reference;

/// The highest format that this version reads: see [`Draft::needs_format_3`].
const FORMAT_3: u64 = 3;
/// The format of a draft with other content that docker's format cannot hold.
const FORMAT_2: u64 = 2;
/// The format of every other draft.
const FORMAT_1: u64 = 1;

/// A sidecar that belongs to the present directory. Its serialisation is the content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sidecar {
    pub(super) format: u64,
    pub(super) list: Reference,
    #[serde(rename = "directory")]
    directory_identity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_digest: Option<Digest>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    artifact_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Descriptor>,
    #[serde(flatten)]
    format_3_members: Format3Members,
    /// The draft id, which the entries have too; empty for format 1.
    #[serde(rename = "mark", skip_serializing_if = "String::is_empty")]
    pub(super) draft_id: String,
}

#[derive(Deserialize)]
struct Format1Members {
    list: String,
    #[serde(rename = "directory")]
    directory_identity: String,
}

/// The directory of a list, and its sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DirectoryAndSidecar {
    /// The identity of the directory, if it exists.
    pub(super) identity: Option<String>,
    /// The sidecar of the directory.
    pub(super) sidecar: Option<Sidecar>,
    /// The list of a sidecar that records another directory. It is not known whether it applies to this one.
    pub(super) unmatched_list: Option<Reference>,
}

/// Reads the identity of directory `name`, if it exists, and its sidecar.
///
/// A sidecar of format 1 that records another directory is ignored: that directory was removed, or this one is a copy.
pub(super) fn read_state(paths: &Paths, name: &str) -> Result<DirectoryAndSidecar, StoreError> {
    let sidecar = read_sidecar(paths, name)?;
    let identity = identity(&paths.list(name))?;
    let (Some(present), Some((format, value, format_1))) = (&identity, sidecar) else {
        return Ok(DirectoryAndSidecar { identity, sidecar: None, unmatched_list: None });
    };
    let is_its_directory = format_1.directory_identity == *present;
    if !is_its_directory && format == FORMAT_1 {
        return Ok(DirectoryAndSidecar { identity, sidecar: None, unmatched_list: None });
    }
    let list = format_1.list.clone();
    let sidecar = if format > FORMAT_1 { format_1.decode_further_members(format, &value) } else { Ok(format_1) };
    let sidecar = sidecar.map_err(|source| StoreError::InvalidSidecar { path: paths.sidecar(name), source })?;
    if is_its_directory || draft_id::is_in_entries(&paths.list(name), &sidecar.draft_id) {
        Ok(DirectoryAndSidecar { identity, sidecar: Some(sidecar), unmatched_list: None })
    } else {
        Ok(DirectoryAndSidecar { identity, sidecar: None, unmatched_list: Some(list) })
    }
}

/// As [`read_state`], for a removal: only the list is read from the sidecar.
pub(super) fn read_state_for_removal(paths: &Paths, name: &str) -> Result<DirectoryAndSidecar, StoreError> {
    let sidecar = read_sidecar(paths, name)?;
    let identity = identity(&paths.list(name))?;
    let is_in_entries = |value: &Value| {
        let draft_id = value.get("mark").and_then(Value::as_str).unwrap_or_default();
        draft_id::is_in_entries(&paths.list(name), draft_id)
    };
    let sidecar = sidecar
        .filter(|(_, value, format_1)| identity.as_ref() == Some(&format_1.directory_identity) || is_in_entries(value));
    let sidecar = sidecar.map(|(format, _, format_1)| Sidecar { format, ..format_1 });
    Ok(DirectoryAndSidecar { identity, sidecar, unmatched_list: None })
}

/// The time at which the sidecar was written.
pub(super) fn modified(paths: &Paths, name: &str) -> Option<SystemTime> {
    paths.sidecar(name).symlink_metadata().and_then(|metadata| metadata.modified()).ok()
}

/// Reads a sidecar, which may record another directory. Returns its format, all its members as JSON, and those of
/// format 1.
fn read_sidecar(paths: &Paths, name: &str) -> Result<Option<(u64, Value, Sidecar)>, StoreError> {
    let path = paths.sidecar(name);
    for directory in [paths.private_dir(), paths.sidecars()] {
        if checked_access::directory_metadata(&directory)?.is_none() {
            return Ok(None);
        }
    }
    let bytes = match checked_access::read(&path, checked_access::FILE_BYTES_MAX) {
        Ok((bytes, _)) => bytes,
        // If the name exceeds the limit of the filesystem, there is no directory either. Its creation reports the
        // error.
        Err(StoreError::Io { source, .. }) if is_absent(&source) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((format, value)) = parse_format(&bytes) else { return Ok(None) };
    if format > FORMAT_3 {
        return Err(StoreError::NewerFormat { path, format, known: FORMAT_3 });
    }
    Ok(Sidecar::decode_format_1(&value).map(|format_1| (format, value, format_1)))
}

/// The identity of a directory; `None` if it does not exist, or cannot exist.
pub(super) fn identity(path: &Path) -> Result<Option<String>, StoreError> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(Some(directory_operations::identity(&metadata))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(StoreError::io("look at", path)(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
}

/// A sidecar's format and all its members; `None` if it is malformed.
fn parse_format(bytes: &[u8]) -> Option<(u64, Value)> {
    json::check_value_count(bytes).ok()?;
    let value = serde_json::from_slice::<Value>(bytes).ok()?;
    Some((value.get("format")?.as_u64()?, value))
}

impl Sidecar {
    /// Decodes a sidecar; `None` if it is malformed.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn decode(bytes: &[u8]) -> Option<Sidecar> {
        let (format, value) = parse_format(bytes).filter(|(format, _)| *format <= FORMAT_3)?;
        let format_1 = Sidecar::decode_format_1(&value)?;
        if format > FORMAT_1 { format_1.decode_further_members(format, &value).ok() } else { Some(format_1) }
    }

    fn decode_format_1(value: &Value) -> Option<Sidecar> {
        let members = Format1Members::deserialize(value).ok()?;
        let remote_digest = value.get("remoteDigest").and_then(Value::as_str).and_then(|digest| digest.parse().ok());
        let format_1 =
            Sidecar::new_format_1(Reference::parse_canonical(&members.list).ok()?, members.directory_identity);
        Some(Sidecar { remote_digest, ..format_1 })
    }

    fn new_format_1(list: Reference, directory_identity: String) -> Sidecar {
        let (annotations, artifact_type, subject) = (BTreeMap::new(), String::new(), None);
        let (format, remote_digest, format_3_members, draft_id) =
            (FORMAT_1, None, Format3Members::default(), String::new());
        Sidecar {
            list,
            format,
            directory_identity,
            remote_digest,
            annotations,
            artifact_type,
            subject,
            format_3_members,
            draft_id,
        }
    }

    fn decode_further_members(self, format: u64, value: &Value) -> Result<Sidecar, DocumentError> {
        let members = Members::parse("Sidecar", value)?;
        let annotations = match members.get("annotations") {
            Some(annotations) => BTreeMap::deserialize(annotations)?,
            None => BTreeMap::new(),
        };
        let subject = members.get("subject").map(Descriptor::decode).transpose()?;
        let artifact_type = members.string("artifactType")?;
        let format_3_members =
            if format >= FORMAT_3 { Format3Members::decode(&members)? } else { Format3Members::default() };
        let draft_id =
            Some(members.string("mark")?).filter(|draft_id| draft_id::is_valid(draft_id)).unwrap_or_default();
        Ok(Sidecar { format, annotations, artifact_type, subject, format_3_members, draft_id, ..self })
    }

    /// The sidecar of `draft` for `list` in the directory with this identity. From format 2 on it has a draft id: that
    /// of `before`, the previous sidecar, or a new one.
    pub(super) fn for_draft(
        list: &Reference,
        draft: &Draft,
        directory_identity: String,
        before: Option<&Sidecar>,
    ) -> Sidecar {
        let format = if draft.needs_format_3() {
            FORMAT_3
        } else if draft.has_oci_only_fields() || draft.entries_in_key_order().any(needs_format_2) {
            FORMAT_2
        } else {
            FORMAT_1
        };
        let draft_id = before.map(|before| before.draft_id.clone()).filter(|draft_id| !draft_id.is_empty());
        let draft_id = if format > FORMAT_1 { draft_id.unwrap_or_else(draft_id::random) } else { String::new() };
        Sidecar {
            format,
            remote_digest: draft.remote_digest.clone(),
            annotations: draft.annotations.clone(),
            artifact_type: draft.artifact_type.clone(),
            subject: draft.subject.clone(),
            format_3_members: Format3Members::from_draft(draft),
            draft_id,
            ..Sidecar::new_format_1(list.clone(), directory_identity)
        }
    }

    /// The same sidecar for a directory with this identity.
    pub(super) fn in_directory(self, directory_identity: String) -> Sidecar {
        Sidecar { directory_identity, ..self }
    }

    /// Copies the list's own members from the sidecar to the draft.
    pub(super) fn restore_list_fields(&self, draft: &mut Draft) {
        draft.annotations.clone_from(&self.annotations);
        draft.artifact_type.clone_from(&self.artifact_type);
        draft.subject.clone_from(&self.subject);
        draft.remote_digest.clone_from(&self.remote_digest);
        self.format_3_members.restore_list_fields(draft);
    }

    /// Refuses a list that does not own the directory.
    pub(super) fn check_recorded_list(&self, requested: &Reference, path: &Path) -> Result<(), StoreError> {
        if self.list == *requested {
            return Ok(());
        }
        let (requested, existing) = (requested.to_string(), self.list.to_string());
        Err(StoreError::NameTaken { requested, existing, path: path.to_owned() })
    }

    /// The bytes of the sidecar.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// Whether a program that knows only format 1 would lose a member of this entry with a change of the entry.
fn needs_format_2(entry: &Entry) -> bool {
    entry.source.is_some() || entry.descriptor.platform.as_ref().is_some_and(|platform| !platform.features.is_empty())
}
