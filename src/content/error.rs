//! Why content cannot be read or written.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::failure_kind::FailureKind;
use crate::io_message::io_message;
use crate::model::DocumentError;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::ReferenceError;
use crate::sanitize;

/// The error of a source or a sink.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A registry's.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A layout's.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// An invalid tag.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl ContentError {
    /// Whether the registry or the layout does not have the content.
    pub(crate) fn is_missing(&self) -> bool {
        match self {
            ContentError::Registry(error) => error.kind == RegistryErrorKind::NotFound,
            ContentError::Layout(error) => matches!(error, LayoutError::NoBlob { .. }),
            ContentError::Reference(_) => false,
        }
    }

    /// Whether the content is another than its digest says.
    pub(crate) fn is_damaged(&self) -> bool {
        match self {
            ContentError::Registry(error) => error.kind == RegistryErrorKind::Verification,
            ContentError::Layout(error) => matches!(error, LayoutError::Damaged { .. }),
            ContentError::Reference(_) => false,
        }
    }
}

/// Why an OCI image layout cannot be read or written. Each error names its path.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// An error of the operating system.
    #[error("cannot {verb} {}: {}", path.display(), io_message(source))]
    Io {
        /// The verb, as in "cannot VERB PATH".
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A path that is no layout, or a layout that does not support the operation.
    #[error("{} is no OCI image layout that can be used: {reason}", path.display())]
    Unusable {
        /// The directory or archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or an archive member of a kind that is not read.
    #[error("{}: refusing {}: {reason}", path.display(), sanitize::short_line(file))]
    FileRefused {
        /// The layout.
        path: PathBuf,
        /// The file or member in it.
        file: String,
        /// Why.
        reason: &'static str,
    },
    /// A document of the layout that cannot be read.
    #[error("{} in {}: {source}", sanitize::short_line(file), path.display())]
    Document {
        /// The layout.
        path: PathBuf,
        /// The file in it.
        file: String,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// An archive of `docker save` before Docker 25.
    #[error(
        "{} has its images in manifest.json alone, as docker save wrote them before Docker 25{}",
        path.display(),
        existing_names(.names)
    )]
    OldDockerArchive {
        /// The archive.
        path: PathBuf,
        /// The names of its images.
        names: Vec<String>,
    },
    /// Another process has the layout's lock.
    #[error("another process is writing to the layout: {} is locked", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// Another process has replaced an archive that was being rewritten.
    #[error("another process has written {} meanwhile, and it stays as that one left it", path.display())]
    Replaced {
        /// The archive.
        path: PathBuf,
    },
    /// No image of that name.
    #[error("{} has no image named {}{}", path.display(), sanitize::short_line(name), existing_names(.names))]
    NoSuchName {
        /// The layout.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// The existing names.
        names: Vec<String>,
    },
    /// Several images, and no name that selects one.
    #[error("{} has {number} images{}{}", path.display(), requested_name(.name), existing_names(.names))]
    SeveralImages {
        /// The layout.
        path: PathBuf,
        /// The requested name, which all of them have.
        name: Option<String>,
        /// The number of images.
        number: usize,
        /// The names that there are.
        names: Vec<String>,
    },
    /// A manifest or a blob that the layout does not have.
    #[error("{} does not have {digest}", path.display())]
    NoBlob {
        /// The layout.
        path: PathBuf,
        /// The digest.
        digest: Digest,
    },
    /// Bytes with another digest than their name.
    #[error("{digest} in {} is damaged: {reason}", path.display())]
    Damaged {
        /// The layout.
        path: PathBuf,
        /// The digest that names the bytes.
        digest: Digest,
        /// What is wrong with them.
        reason: String,
    },
}

fn existing_names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().take(20).map(|name| sanitize::short_line(name)).collect();
    if names.is_empty() { String::new() } else { format!(" (it has {})", names.join(", ")) }
}

fn requested_name(name: &Option<String>) -> String {
    name.as_ref()
        .map_or_else(|| ", and none was named".to_owned(), |name| format!(" named {}", sanitize::short_line(name)))
}

impl LayoutError {
    /// For `map_err`: an error of the operating system at a path.
    pub(super) fn io<'a>(verb: &'static str, path: &'a Path) -> impl Fn(io::Error) -> LayoutError + 'a {
        move |source| LayoutError::Io { verb, path: path.to_owned(), source }
    }

    /// A path that cannot be used as a layout.
    pub(super) fn unusable(path: &Path, reason: impl Into<String>) -> LayoutError {
        LayoutError::Unusable { path: path.to_owned(), reason: reason.into() }
    }

    /// Bytes that are not those of their digest.
    pub(super) fn damaged(path: &Path, digest: &Digest, reason: String) -> LayoutError {
        LayoutError::Damaged { path: path.to_owned(), digest: digest.clone(), reason }
    }

    /// For `map_err`: a document that cannot be read.
    pub(super) fn document<'a>(path: &'a Path, file: &'a str) -> impl Fn(DocumentError) -> LayoutError + 'a {
        move |source| LayoutError::Document { path: path.to_owned(), file: file.to_owned(), source }
    }

    /// The kind for scripts, and the path that the error concerns.
    pub fn kind_and_path(&self) -> (FailureKind, &Path) {
        match self {
            LayoutError::Io { path, .. } => (FailureKind::Store, path),
            LayoutError::Unusable { path, .. }
            | LayoutError::FileRefused { path, .. }
            | LayoutError::Document { path, .. } => (FailureKind::Protocol, path),
            LayoutError::NoSuchName { path, .. } | LayoutError::NoBlob { path, .. } => (FailureKind::Missing, path),
            LayoutError::SeveralImages { path, .. } => (FailureKind::Usage, path),
            LayoutError::OldDockerArchive { path, .. } => (FailureKind::Unsupported, path),
            LayoutError::InUse { path } => (FailureKind::Timeout, path),
            LayoutError::Replaced { path } => (FailureKind::Conflict, path),
            LayoutError::Damaged { path, .. } => (FailureKind::Verification, path),
        }
    }
}
