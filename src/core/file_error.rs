//! What can be wrong with a file that names images (`--from`), or with what it names. Each names the file.

use std::path::{Path, PathBuf};

use crate::failure_kind::FailureKind;
use crate::model::build_output::BuildOutputError;
use crate::net::RegistryError;
use crate::sanitize;

/// A file that cannot be used. `file` is its name, with the place in it where there is more than one.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A link, a device or the like.
    #[error("{} is {found}: only files and folders are read", shown(path))]
    Refused {
        /// As it was named, or in a folder that was.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file that no build tool writes.
    #[error("{} has more than {most} bytes", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        most: u64,
    },
    /// More files than any build has.
    #[error("{} has more than {most} files", shown(path))]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The bound.
        most: usize,
    },
    /// A folder with no digest in it.
    #[error("{} is an empty folder: it should have a file named by a digest", shown(path))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Something else in a folder of digests.
    #[error("{} is not an empty file named by a digest, as all files of the folder have to be", shown(path))]
    Stray {
        /// What it is called.
        path: PathBuf,
    },
    /// What a file says makes no sense.
    #[error("{}: {source}", sanitize::word(file))]
    Content {
        /// The file.
        file: String,
        /// Why.
        source: BuildOutputError,
    },
    /// What a file names cannot be had.
    #[error("{file}: {failure}")]
    Stale {
        /// The file.
        file: String,
        /// What the image is called.
        reference: String,
        /// Why not.
        failure: String,
        /// The registry's answer.
        source: Option<Box<RegistryError>>,
    },
    /// The digest is that of a configuration, which docker calls the id of an image.
    #[error("{file}: {reference} is the id of an image, and not the digest of its manifest")]
    ImageId {
        /// The file.
        file: String,
        /// What the image is called.
        reference: String,
    },
    /// Two images of one platform.
    #[error("two images for {platform}: {one} in {one_file}, and {other} in {other_file}")]
    TwoImages {
        /// What both run on.
        platform: String,
        /// The digest of the one.
        one: String,
        /// The file that names it.
        one_file: String,
        /// The digest of the other.
        other: String,
        /// The file that names it.
        other_file: String,
    },
    /// `--target` where no file has targets.
    #[error("--target {}: no file of --from has targets", sanitize::word(.0))]
    NoTargets(String),
}

/// What is known of a file that cannot be used, beside its text.
#[derive(Debug, Clone, Copy)]
pub struct FileFault<'e> {
    /// What scripts branch on.
    pub kind: FailureKind,
    /// The image that is to blame.
    pub reference: Option<&'e str>,
    /// The file or the folder.
    pub path: Option<&'e Path>,
    /// The exchange with a registry that failed.
    pub exchange: Option<&'e RegistryError>,
}

impl FileError {
    /// The failure as data.
    pub fn describe(&self) -> FileFault<'_> {
        let of = |kind| FileFault { kind, reference: None, path: None, exchange: None };
        match self {
            FileError::Refused { path, .. }
            | FileError::TooLarge { path, .. }
            | FileError::TooMany { path, .. }
            | FileError::EmptyFolder { path }
            | FileError::Stray { path } => FileFault { path: Some(path), ..of(FailureKind::Spec) },
            FileError::Content { file, .. } => FileFault { path: Some(Path::new(file)), ..of(FailureKind::Spec) },
            FileError::ImageId { file, reference } => {
                FileFault { path: Some(Path::new(file)), reference: Some(reference), ..of(FailureKind::Spec) }
            }
            FileError::Stale { file, reference, source, .. } => {
                let kind = source.as_ref().map_or(FailureKind::Spec, |source| source.failure_kind());
                let (path, reference) = (Some(Path::new(file)), Some(reference.as_str()));
                FileFault { kind, reference, path, exchange: source.as_deref() }
            }
            FileError::TwoImages { .. } => of(FailureKind::Conflict),
            FileError::NoTargets(_) => of(FailureKind::Usage),
        }
    }
}

fn shown(path: &Path) -> String {
    sanitize::line(&path.display().to_string())
}
