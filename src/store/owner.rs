//! The side file of a list: which list a directory holds, as docker's names do not say (`h/a_b:1` and `h/a/b:1` share
//! one), and what docker's format has no place for. See `store-format.md`, "Names that docker mixes" and "What docker
//! has no place for".

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::descriptor::Descriptor;
use crate::document::gojson::{self, Members};
use crate::document::{DocumentError, Draft, Entry};
use crate::reference::Reference;
use crate::store::directory;
use crate::store::error::StoreError;
use crate::store::form::{self, Form};
use crate::store::guard;
use crate::store::paths::Paths;

/// The highest format that this version reads: the list has an order or a form of its own.
const FORMED: u64 = 3;
/// The format of a draft of which the side file or an entry says more than docker's can.
const BEYOND_DOCKER: u64 = 2;
/// The format of every other draft.
const PLAIN: u64 = 1;

/// What a side file says, of a directory that is still the one that it was written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) list: Reference,
    pub(super) format: u64,
    directory: String,
    annotations: BTreeMap<String, String>,
    artifact_type: String,
    subject: Option<Descriptor>,
    form: Form,
}

#[derive(Deserialize)]
struct Named {
    list: String,
    directory: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    format: u64,
    list: String,
    directory: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    artifact_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(flatten)]
    form: form::Members<'a>,
}

/// A look at the directory of a list and at its side file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// Which directory it is that is there, if any.
    pub(super) identity: Option<String>,
    /// What the side file says of that one.
    pub(super) owner: Option<Owner>,
}

/// Looks which directory `name` is, if it is there, and who owns it, if we wrote that down.
///
/// A side file that speaks of a directory since removed, by docker say, speaks of nobody.
pub(super) fn look(paths: &Paths, name: &str) -> Result<Look, StoreError> {
    let noted = noted(paths, name)?;
    let identity = identity(&paths.list(name))?;
    let noted = noted.filter(|(_, _, plain)| identity.as_ref() == Some(&plain.directory));
    let Some((format, value, plain)) = noted else { return Ok(Look { identity, owner: None }) };
    let owner = if format > PLAIN { plain.with_members(format, &value) } else { Ok(plain) };
    let owner = owner.map_err(|source| StoreError::SideFile { path: paths.owner(name), source })?;
    Ok(Look { identity, owner: Some(owner) })
}

/// What the side file says, of whatever directory: its format, all of it, and what every format has.
fn noted(paths: &Paths, name: &str) -> Result<Option<(u64, Value, Owner)>, StoreError> {
    let path = paths.owner(name);
    for folder in [paths.side(), paths.owners()] {
        if guard::directory(&folder)?.is_none() {
            return Ok(None);
        }
    }
    let bytes = match guard::read(&path, guard::FILE_LIMIT) {
        Ok((bytes, _)) => bytes,
        // A name over the filesystem's limit has no directory either; whoever makes one is told then.
        Err(StoreError::Io { source, .. }) if is_nowhere(&source) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((format, value)) = formatted(&bytes) else { return Ok(None) };
    if format > FORMED {
        return Err(StoreError::NewerFormat { path, format, known: FORMED });
    }
    Ok(Owner::named(&value).map(|plain| (format, value, plain)))
}

/// Which directory it is; `None` where there is none, nor can be.
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

/// A side file's format and all that it says; `None` for what is none.
fn formatted(bytes: &[u8]) -> Option<(u64, Value)> {
    gojson::check_size(bytes).ok()?;
    let value = serde_json::from_slice::<Value>(bytes).ok()?;
    Some((value.get("format")?.as_u64()?, value))
}

impl Owner {
    /// Reads a side file by itself, wherever it came from; `None` for one that nobody could use.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn decode(bytes: &[u8]) -> Option<Owner> {
        let (format, value) = formatted(bytes).filter(|(format, _)| *format <= FORMED)?;
        let plain = Owner::named(&value)?;
        if format > PLAIN { plain.with_members(format, &value).ok() } else { Some(plain) }
    }

    fn named(value: &Value) -> Option<Owner> {
        let named = Named::deserialize(value).ok()?;
        Some(Owner::plain(Reference::parse_canonical(&named.list).ok()?, named.directory))
    }

    fn plain(list: Reference, directory: String) -> Owner {
        let (annotations, artifact_type, subject) = (BTreeMap::new(), String::new(), None);
        Owner { list, format: PLAIN, directory, annotations, artifact_type, subject, form: Form::default() }
    }

    fn with_members(self, format: u64, value: &Value) -> Result<Owner, DocumentError> {
        let members = Members::of("SideFile", value)?;
        let annotations = match members.get("annotations") {
            Some(annotations) => BTreeMap::deserialize(annotations)?,
            None => BTreeMap::new(),
        };
        let subject = members.get("subject").map(Descriptor::decode).transpose()?;
        let artifact_type = members.string("artifactType")?;
        let form = if format >= FORMED { Form::decode(&members)? } else { Form::default() };
        Ok(Owner { format, annotations, artifact_type, subject, form, ..self })
    }

    /// What there is to write down of `draft`, kept for `list` in the directory of that identity.
    pub(super) fn of(list: &Reference, draft: &Draft, directory: String) -> Owner {
        let format = if draft.has_form() {
            FORMED
        } else if draft.says_more() || draft.entries().any(is_beyond_docker) {
            BEYOND_DOCKER
        } else {
            PLAIN
        };
        Owner {
            format,
            annotations: draft.annotations.clone(),
            artifact_type: draft.artifact_type.clone(),
            subject: draft.subject.clone(),
            form: Form::of(draft),
            ..Owner::plain(list.clone(), directory)
        }
    }

    /// Lets the draft say what is written down here of the list itself.
    pub(super) fn tell(&self, draft: &mut Draft) {
        draft.annotations.clone_from(&self.annotations);
        draft.artifact_type.clone_from(&self.artifact_type);
        draft.subject.clone_from(&self.subject);
        self.form.tell(draft);
    }

    /// Refuses a list that is not the owner.
    pub(super) fn check(&self, wanted: &Reference, path: &Path) -> Result<(), StoreError> {
        if self.list == *wanted {
            return Ok(());
        }
        Err(StoreError::NameTaken { wanted: wanted.to_string(), holder: self.list.to_string(), path: path.to_owned() })
    }

    /// The side file.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let file = File {
            format: self.format,
            list: self.list.to_string(),
            directory: &self.directory,
            annotations: &self.annotations,
            artifact_type: &self.artifact_type,
            subject: self.subject.as_ref(),
            form: self.form.members(),
        };
        Ok(serde_json::to_vec(&file)?)
    }
}

/// Whether a program that knows only docker's members would lose something of this entry by changing it.
fn is_beyond_docker(entry: &Entry) -> bool {
    entry.source.is_some() || entry.descriptor.platform.as_ref().is_some_and(|platform| !platform.features.is_empty())
}
