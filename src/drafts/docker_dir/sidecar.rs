//! The sidecar of a draft. It records which list a directory holds, because docker's names are ambiguous (`h/a_b:1` and
//! `h/a/b:1` share a directory), and what docker's format cannot hold. See `store-format.md`, "Names that docker mixes"
//! and "What docker has no place for".

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::digest::Digest;
use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::StoreError;
use crate::drafts::docker_dir::form::SidecarForm;
use crate::drafts::docker_dir::mark;
use crate::drafts::docker_dir::paths::Paths;
use crate::model::descriptor::Descriptor;
use crate::model::json::{self, Members};
use crate::model::{DocumentError, Draft, Entry};
use crate::reference::Reference;

/// The highest format that this version reads: the list has its own order or form.
const FORMED: u64 = 3;
/// The format of a draft whose sidecar or entries hold more than docker's format can.
const BEYOND_DOCKER: u64 = 2;
/// The format of every other draft.
const PLAIN: u64 = 1;

/// A sidecar that belongs to the directory that exists now. Its serialisation is the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sidecar {
    pub(super) format: u64,
    #[serde(serialize_with = "as_text")]
    pub(super) list: Reference,
    directory: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    remote_digest: Option<Digest>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    artifact_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Descriptor>,
    #[serde(flatten)]
    form: SidecarForm,
    /// The mark that the entries have too, so that a copy of the directory is recognised; empty for format 1.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) mark: String,
}

fn as_text<S: Serializer>(list: &Reference, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(list)
}

// serde passes a reference.
#[allow(clippy::ref_option)]
fn as_optional_text<S: Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
    digest.as_ref().map(Digest::as_str).serialize(serializer)
}

#[derive(Deserialize)]
struct SidecarName {
    list: String,
    directory: String,
}

/// The directory of a list, and its sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DirectoryState {
    /// The identity of the directory, if it exists.
    pub(super) identity: Option<String>,
    /// Its sidecar.
    pub(super) sidecar: Option<Sidecar>,
    /// The list of a sidecar that describes another directory: it is not known whether it applies to this one.
    pub(super) stray: Option<Reference>,
}

/// Reads the identity of directory `name`, if it exists, and its sidecar.
///
/// A sidecar of a directory that was removed since, for example by docker, belongs to no draft.
pub(super) fn look(paths: &Paths, name: &str) -> Result<DirectoryState, StoreError> {
    let read_sidecar = read_sidecar(paths, name)?;
    let identity = identity(&paths.list(name))?;
    let (Some(found), Some((format, value, plain))) = (&identity, read_sidecar) else {
        return Ok(DirectoryState { identity, sidecar: None, stray: None });
    };
    let fits = plain.directory == *found;
    if !fits && format == PLAIN {
        return Ok(DirectoryState { identity, sidecar: None, stray: None });
    }
    let list = plain.list.clone();
    let sidecar = if format > PLAIN { plain.with_members(format, &value) } else { Ok(plain) };
    let sidecar = sidecar.map_err(|source| StoreError::Sidecar { path: paths.sidecar(name), source })?;
    if fits || mark::is_in(&paths.list(name), &sidecar.mark) {
        Ok(DirectoryState { identity, sidecar: Some(sidecar), stray: None })
    } else {
        Ok(DirectoryState { identity, sidecar: None, stray: Some(list) })
    }
}

/// As [`look`], for a removal: only the list is read from the sidecar.
pub(super) fn look_for_removal(paths: &Paths, name: &str) -> Result<(Option<String>, Option<Sidecar>), StoreError> {
    let read_sidecar = read_sidecar(paths, name)?;
    let identity = identity(&paths.list(name))?;
    let is_borne = |value: &Value| {
        let mark = value.get("mark").and_then(Value::as_str).unwrap_or_default();
        mark::is_in(&paths.list(name), mark)
    };
    let read_sidecar =
        read_sidecar.filter(|(_, value, plain)| identity.as_ref() == Some(&plain.directory) || is_borne(value));
    Ok((identity, read_sidecar.map(|(format, _, plain)| Sidecar { format, ..plain })))
}

/// When the sidecar was written.
pub(super) fn written(paths: &Paths, name: &str) -> Option<SystemTime> {
    paths.sidecar(name).symlink_metadata().and_then(|metadata| metadata.modified()).ok()
}

/// A sidecar, whatever directory it describes: its format, all members, and those of every format.
fn read_sidecar(paths: &Paths, name: &str) -> Result<Option<(u64, Value, Sidecar)>, StoreError> {
    let path = paths.sidecar(name);
    for folder in [paths.own_folder(), paths.sidecars()] {
        if checked_access::directory(&folder)?.is_none() {
            return Ok(None);
        }
    }
    let bytes = match checked_access::read(&path, checked_access::FILE_LIMIT) {
        Ok((bytes, _)) => bytes,
        // A name over the filesystem's limit has no directory either. Creating it reports the error.
        Err(StoreError::Io { source, .. }) if is_nowhere(&source) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((format, value)) = formatted(&bytes) else { return Ok(None) };
    if format > FORMED {
        return Err(StoreError::NewerFormat { path, format, known: FORMED });
    }
    Ok(Sidecar::named(&value).map(|plain| (format, value, plain)))
}

/// The identity of a directory; `None` if it does not exist, or cannot exist.
pub(super) fn identity(path: &Path) -> Result<Option<String>, StoreError> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(Some(directory::identity(&metadata))),
        Err(error) if is_nowhere(&error) => Ok(None),
        Err(error) => Err(StoreError::io("look at", path)(error)),
    }
}

fn is_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
}

/// A sidecar's format and all its members; `None` if it is malformed.
fn formatted(bytes: &[u8]) -> Option<(u64, Value)> {
    json::check_size(bytes).ok()?;
    let value = serde_json::from_slice::<Value>(bytes).ok()?;
    Some((value.get("format")?.as_u64()?, value))
}

impl Sidecar {
    /// Reads a sidecar from its bytes; `None` if it cannot be used.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn decode(bytes: &[u8]) -> Option<Sidecar> {
        let (format, value) = formatted(bytes).filter(|(format, _)| *format <= FORMED)?;
        let plain = Sidecar::named(&value)?;
        if format > PLAIN { plain.with_members(format, &value).ok() } else { Some(plain) }
    }

    fn named(value: &Value) -> Option<Sidecar> {
        let named = SidecarName::deserialize(value).ok()?;
        let remote_digest = value.get("remoteDigest").and_then(Value::as_str).and_then(|digest| digest.parse().ok());
        let plain = Sidecar::plain(Reference::parse_canonical(&named.list).ok()?, named.directory);
        Some(Sidecar { remote_digest, ..plain })
    }

    fn plain(list: Reference, directory: String) -> Sidecar {
        let (annotations, artifact_type, subject) = (BTreeMap::new(), String::new(), None);
        let (format, remote_digest, form, mark) = (PLAIN, None, SidecarForm::default(), String::new());
        Sidecar { list, format, directory, remote_digest, annotations, artifact_type, subject, form, mark }
    }

    fn with_members(self, format: u64, value: &Value) -> Result<Sidecar, DocumentError> {
        let members = Members::of("Sidecar", value)?;
        let annotations = match members.get("annotations") {
            Some(annotations) => BTreeMap::deserialize(annotations)?,
            None => BTreeMap::new(),
        };
        let subject = members.get("subject").map(Descriptor::decode).transpose()?;
        let artifact_type = members.string("artifactType")?;
        let form = if format >= FORMED { SidecarForm::decode(&members)? } else { SidecarForm::default() };
        let mark = Some(members.string("mark")?).filter(|mark| mark::is_one(mark)).unwrap_or_default();
        Ok(Sidecar { format, annotations, artifact_type, subject, form, mark, ..self })
    }

    /// The sidecar of `draft`, kept for `list` in the directory of that identity. `before` is the previous sidecar. If
    /// it holds more than docker's format can, it has a mark: the previous one, or a new one.
    pub(super) fn of(list: &Reference, draft: &Draft, directory: String, before: Option<&Sidecar>) -> Sidecar {
        let format = if draft.has_form() {
            FORMED
        } else if draft.says_more() || draft.entries().any(is_beyond_docker) {
            BEYOND_DOCKER
        } else {
            PLAIN
        };
        let mark = before.map(|before| before.mark.clone()).filter(|mark| !mark.is_empty());
        let mark = if format > PLAIN { mark.unwrap_or_else(mark::random) } else { String::new() };
        Sidecar {
            format,
            remote_digest: draft.remote_digest.clone(),
            annotations: draft.annotations.clone(),
            artifact_type: draft.artifact_type.clone(),
            subject: draft.subject.clone(),
            form: SidecarForm::of(draft),
            mark,
            ..Sidecar::plain(list.clone(), directory)
        }
    }

    /// The same sidecar for a directory of that identity.
    pub(super) fn in_directory(self, directory: String) -> Sidecar {
        Sidecar { directory, ..self }
    }

    /// Copies the list's own members from the sidecar to the draft.
    pub(super) fn apply_to(&self, draft: &mut Draft) {
        draft.annotations.clone_from(&self.annotations);
        draft.artifact_type.clone_from(&self.artifact_type);
        draft.subject.clone_from(&self.subject);
        draft.remote_digest.clone_from(&self.remote_digest);
        self.form.apply_to(draft);
    }

    /// Refuses a list that does not own the directory.
    pub(super) fn check(&self, requested: &Reference, path: &Path) -> Result<(), StoreError> {
        if self.list == *requested {
            return Ok(());
        }
        let (requested, holder) = (requested.to_string(), self.list.to_string());
        Err(StoreError::NameTaken { requested, holder, path: path.to_owned() })
    }

    /// The bytes of the sidecar.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// Whether a program that knows only docker's members would drop something of this entry by changing it.
fn is_beyond_docker(entry: &Entry) -> bool {
    entry.source.is_some() || entry.descriptor.platform.as_ref().is_some_and(|platform| !platform.features.is_empty())
}
