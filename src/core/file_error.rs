//! The errors of a file that names images (`--from`) or entries (`--only-from`), and of the images that it names. Each
//! names the file.

use std::path::{Path, PathBuf};

use crate::failure_kind::FailureKind;
use crate::file_kind::FileKind;
use crate::model::build_output::BuildOutputError;
use crate::net::RegistryError;
use crate::sanitize;

/// A file that cannot be used. `file` is its name, with the position in it if there are several.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A link, a device or the like.
    #[error("{} is {found}: only files and folders are read", shown(path))]
    Refused {
        /// The file that was named, or one in a folder that was named.
        path: PathBuf,
        /// Its kind.
        found: FileKind,
    },
    /// A link, a folder, a device or the like in the place of a file.
    #[error("{} is {found}: only a file is read", shown(path))]
    NoFile {
        /// What was named.
        path: PathBuf,
        /// Its kind.
        found: FileKind,
    },
    /// A link, a device or the like as a file of an artifact.
    #[error("{} is {found}: an artifact is made of files", shown(path))]
    NoArtifact {
        /// The file that was named.
        path: PathBuf,
        /// Its kind.
        found: FileKind,
    },
    /// Two files of an artifact with one name.
    #[error("{} would be the second file named {}", shown(path), sanitize::word(title))]
    SameTitle {
        /// The second file.
        path: PathBuf,
        /// Its name in the artifact.
        title: String,
    },
    /// A file that is larger than the maximum.
    #[error("{} has more than {most} bytes", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The maximum in bytes.
        most: u64,
    },
    /// A folder with more files than the maximum.
    #[error("{} has more than {most} files", shown(path))]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The maximum number.
        most: usize,
    },
    /// A folder without a digest.
    #[error("{} is an empty folder: it should have a file named by a digest", shown(path))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file in a folder of digests that is no digest.
    #[error("{} is not an empty file named by a digest, as all files of the folder have to be", shown(path))]
    Stray {
        /// The file.
        path: PathBuf,
    },
    /// A file with invalid content.
    #[error("{}: {source}", sanitize::word(file))]
    Content {
        /// The file.
        file: String,
        /// The error.
        source: BuildOutputError,
    },
    /// An image that cannot be fetched.
    #[error("{file}: {failure}")]
    Stale {
        /// The file.
        file: String,
        /// The name of the image.
        reference: String,
        /// Why it cannot be fetched.
        failure: String,
        /// The registry's error.
        source: Option<Box<RegistryError>>,
    },
    /// A digest of a configuration, which docker calls the id of an image.
    #[error("{file}: {reference} is the id of an image, and not the digest of its manifest")]
    ImageId {
        /// The file.
        file: String,
        /// The name of the image.
        reference: String,
    },
    /// Two images of one platform.
    #[error("two images for {platform}: {one} in {one_file}, and {other} in {other_file}")]
    TwoImages {
        /// The platform of both.
        platform: String,
        /// The digest of the first image.
        one: String,
        /// The file that names the first image.
        one_file: String,
        /// The digest of the second image.
        other: String,
        /// The file that names the second image.
        other_file: String,
    },
    /// `--target`, although no file has targets.
    #[error("--target {}: no file of --from has targets", sanitize::word(.0))]
    NoTargets(String),
}

/// The data of a file error beside its text.
#[derive(Debug, Clone, Copy)]
pub struct FileFault<'e> {
    /// The kind, which scripts branch on.
    pub kind: FailureKind,
    /// The image that the error concerns.
    pub reference: Option<&'e str>,
    /// The file or the folder.
    pub path: Option<&'e Path>,
    /// The failed request.
    pub exchange: Option<&'e RegistryError>,
}

impl FileError {
    /// The data of the error.
    pub fn describe(&self) -> FileFault<'_> {
        let of = |kind| FileFault { kind, reference: None, path: None, exchange: None };
        match self {
            FileError::Refused { path, .. }
            | FileError::NoArtifact { path, .. }
            | FileError::SameTitle { path, .. }
            | FileError::NoFile { path, .. }
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
