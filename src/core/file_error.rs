//! The errors of a file that names images (`--from`) or entries (`--only-from`), and of the images that it names. Each
//! names the file.

use std::path::{Path, PathBuf};

use crate::core::failure_data::FailureData;
use crate::failure_kind::FailureKind;
use crate::model::build_output::{self, BuildOutputError};
use crate::net::RegistryError;
use crate::regular_file::FileKind;
use crate::sanitize;

/// A file that cannot be used. `file` is its name, with the position in it if there are several.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A link, a device or the like.
    #[error("{} is {found}: only files and directories are read", shown(path))]
    UnsupportedKind {
        /// The file that was named, or one in a directory that was named.
        path: PathBuf,
        /// Its kind.
        found: FileKind,
    },
    /// A link, a directory, a device or the like in the place of a file.
    #[error("{} is {found}: only a file is read", shown(path))]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// Its kind.
        found: FileKind,
    },
    /// A link, a device or the like as a file of an artifact.
    #[error("{} is {found}: an artifact is made of files", shown(path))]
    NotAnArtifactFile {
        /// The file that was named.
        path: PathBuf,
        /// Its kind.
        found: FileKind,
    },
    /// Two files of an artifact with one name.
    #[error("{} would be the second file named {}", shown(path), sanitize::short_line(title))]
    DuplicateTitle {
        /// The second file.
        path: PathBuf,
        /// Its name in the artifact.
        title: String,
    },
    /// A file that is larger than the maximum.
    #[error("{} has more than {max} bytes", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The maximum in bytes.
        max: u64,
    },
    /// A directory with more files than the maximum.
    #[error("{} has more than {max} files", shown(path))]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
        /// The maximum number.
        max: usize,
    },
    /// A directory without a digest.
    #[error("{} is an empty directory: it should have a file named by a digest", shown(path))]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A layout in the place of a directory of digests.
    #[error("{} is an OCI image layout, and no directory of digests", shown(path))]
    LayoutAsDigestDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A file in a directory of digests that is no digest.
    #[error("{} is not an empty file named by a digest, as all files of the directory have to be", shown(path))]
    NotADigestFile {
        /// The file.
        path: PathBuf,
    },
    /// Several entries of a directory of digests that are none.
    #[error(
        "{} is not a directory of digests: {} of its {entry_count} files are not empty files named by a digest: {}",
        shown(directory), others.len(), build_output::listed_names(others)
    )]
    NotADigestDirectory {
        /// The directory.
        directory: PathBuf,
        /// The number of its entries.
        entry_count: usize,
        /// What each of them is, by its name in the directory.
        others: Vec<String>,
    },
    /// A file with invalid content.
    #[error("{}: {source}", sanitize::short_line(file))]
    InvalidContent {
        /// The file.
        file: String,
        /// The error.
        source: BuildOutputError,
    },
    /// An image that cannot be fetched.
    #[error("{file}: {error}")]
    ImageNotFetched {
        /// The file.
        file: String,
        /// The name of the image.
        reference: String,
        /// Why it cannot be fetched.
        error: String,
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
    /// A descriptor that gives another size than the manifest has.
    #[error("{file}: the manifest of {reference} has {bytes} bytes, and the file says {stated}")]
    SizeMismatch {
        /// The file.
        file: String,
        /// The name of the image.
        reference: String,
        /// How many bytes the manifest has.
        bytes: u64,
        /// The size in the file.
        stated: u64,
    },
    /// Two images of one platform.
    #[error("two images for {platform}: {first} in {first_file}, and {second} in {second_file}")]
    TwoImagesForPlatform {
        /// The platform of both.
        platform: String,
        /// The digest of the first image.
        first: String,
        /// The file that names the first image.
        first_file: String,
        /// The digest of the second image.
        second: String,
        /// The file that names the second image.
        second_file: String,
    },
    /// `--target`, although no file has targets.
    #[error("--target {}: no file of --from has targets", sanitize::short_line(.0))]
    NoTargets(String),
}

impl FileError {
    /// What an entry of a directory of digests is instead of a digest, by its name in the directory.
    pub(crate) fn label_in_directory(&self, directory: &Path) -> Option<String> {
        let name = |path: &Path| shown(path.strip_prefix(directory).unwrap_or(path));
        match self {
            FileError::NotADigestFile { path } => Some(name(path)),
            FileError::EmptyDirectory { path } => Some(format!("{} (an empty directory)", name(path))),
            FileError::UnsupportedKind { path, found } => Some(format!("{} ({found})", name(path))),
            _ => None,
        }
    }

    /// The data of the error.
    pub(super) fn failure_data(&self) -> FailureData<'_> {
        match self {
            FileError::UnsupportedKind { path, .. }
            | FileError::NotAnArtifactFile { path, .. }
            | FileError::DuplicateTitle { path, .. }
            | FileError::NotAFile { path, .. }
            | FileError::TooLarge { path, .. }
            | FileError::TooManyFiles { path, .. }
            | FileError::EmptyDirectory { path }
            | FileError::LayoutAsDigestDirectory { path }
            | FileError::NotADigestDirectory { directory: path, .. }
            | FileError::NotADigestFile { path } => FailureData::new(FailureKind::Spec).path(path),
            FileError::InvalidContent { file, .. } => FailureData::new(FailureKind::Spec).path(Path::new(file)),
            FileError::ImageId { file, reference } | FileError::SizeMismatch { file, reference, .. } => {
                FailureData::new(FailureKind::Spec).path(Path::new(file)).reference(reference)
            }
            FileError::ImageNotFetched { file, reference, source, .. } => {
                let kind = source.as_ref().map_or(FailureKind::Spec, |source| source.failure_kind());
                let described = FailureData::new(kind).path(Path::new(file)).reference(reference);
                FailureData { registry_error: source.as_deref(), ..described }
            }
            FileError::TwoImagesForPlatform { .. } => FailureData::new(FailureKind::Conflict),
            FileError::NoTargets(_) => FailureData::new(FailureKind::Usage),
        }
    }
}

fn shown(path: &Path) -> String {
    sanitize::line(&path.display().to_string())
}
