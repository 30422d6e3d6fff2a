//! Packs files as an OCI artifact (image-spec, "Guidelines for Artifact Usage"): an empty configuration and a layer for
//! each file. It is pushed by its digest into the repository of the list that names it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::content::registry::{Blob, RegistryClient};
use crate::content::user_file_blob::{UserFileBlob, UserFileBlobError};
use crate::core::error::CommandError;
use crate::core::file_error::FileError;
use crate::core::push::execute;
use crate::core::push::read_lag::{LagRetry, ReferencedContent};
use crate::core::push::reporter::PushReporter;
use crate::digest::Digest;
use crate::model::manifest::ImageFormat;
use crate::model::{Entry, media_type};
use crate::net::Clock;
use crate::reference::Repository;

/// The largest file, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// The most files.
const FILES_MAX: usize = 1_000;
/// The annotation that names a file.
const TITLE_ANNOTATION: &str = "org.opencontainers.image.title";
const EMPTY_MEDIA_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY_CONFIG: &[u8] = b"{}";

/// A file to pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArtifactFile {
    pub(crate) path: PathBuf,
    /// Its name in the artifact.
    pub(crate) title: String,
}

/// An artifact that is not pushed yet.
#[derive(Debug)]
pub(crate) struct Artifact {
    blobs: Vec<UserFileBlob>,
    artifact_type: String,
    bytes: Vec<u8>,
}

impl Artifact {
    /// Reads the files. Sends nothing.
    ///
    /// # Errors
    /// A file that cannot be used, and two files of one name.
    pub(crate) fn pack(files: &[ArtifactFile], artifact_type: &str, file_type: &str) -> Result<Artifact, CommandError> {
        let mut titles = BTreeSet::new();
        if let Some(same) = files.iter().find(|file| !titles.insert(&file.title)) {
            return Err(FileError::DuplicateTitle { path: same.path.clone(), title: same.title.clone() }.into());
        }
        if let Some(first) = files.get(FILES_MAX) {
            return Err(FileError::TooManyFiles { path: first.path.clone(), max: FILES_MAX }.into());
        }
        let blobs: Vec<UserFileBlob> = files.iter().map(|file| hash_file(&file.path)).collect::<Result<_, _>>()?;
        let layer = |(file, blob): (&ArtifactFile, &UserFileBlob)| {
            json!({
                "mediaType": file_type, "digest": blob.digest.as_str(), "size": blob.size,
                "annotations": { TITLE_ANNOTATION: file.title },
            })
        };
        let layers: Vec<_> = files.iter().zip(&blobs).map(layer).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": {
                "mediaType": EMPTY_MEDIA_TYPE,
                "digest": Digest::from_bytes(EMPTY_CONFIG).as_str(),
                "size": EMPTY_CONFIG.len(),
            },
            "layers": layers,
        });
        Ok(Artifact { blobs, artifact_type: artifact_type.to_owned(), bytes: manifest.to_string().into_bytes() })
    }

    /// Sends the files that the repository does not have, then the manifest. Returns the entry of a list for it.
    ///
    /// # Errors
    /// Errors of the registry, and a file that has changed since it was read.
    pub(crate) fn push(
        &self,
        registry: &RegistryClient,
        clock: &dyn Clock,
        repository: &Repository,
        reporter: &dyn PushReporter,
    ) -> Result<Entry, CommandError> {
        let mut seen = BTreeSet::new();
        let blobs: Vec<&UserFileBlob> = self.blobs.iter().filter(|blob| seen.insert(&blob.digest)).collect();
        let transfers = reporter.transfers();
        transfers.set_total(blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size)), blobs.len());
        let send = |blob: &&UserFileBlob| {
            let bar = transfers.blob(&blob.digest, Some(blob.size), &repository.to_string());
            if registry.has_blob(repository, &blob.digest)? {
                bar.skipped();
                return Ok(());
            }
            let needed = Blob { digest: &blob.digest, size: Some(blob.size) };
            let copy = registry.upload_blob(repository, &needed, &mut blob.reader(), &|bytes| bar.set_bytes(bytes))?;
            bar.done(&copy);
            Ok::<_, CommandError>(())
        };
        let results = CommandError::collect_parallel(registry.jobs(), &blobs, send);
        transfers.finish();
        results?;
        if !registry.has_blob(repository, &Digest::from_bytes(EMPTY_CONFIG))? {
            registry.put_blob(repository, EMPTY_CONFIG)?;
        }
        let reference = repository.at_digest(&Digest::from_bytes(&self.bytes));
        let blobs: Vec<ReferencedContent<'_>> = seen.into_iter().map(ReferencedContent::Blob).collect();
        let lag = LagRetry { registry, clock, reporter };
        let put_once = || execute::put(registry, &reference, &reference, media_type::OCI_MANIFEST, &self.bytes);
        lag.put_and_retry(repository, &blobs, &put_once)?;
        let mut entry = Entry::fetched(reference, ImageFormat::Oci, self.bytes.clone(), None);
        entry.descriptor.artifact_type.clone_from(&self.artifact_type);
        Ok(entry)
    }
}

fn hash_file(path: &Path) -> Result<UserFileBlob, CommandError> {
    let path_of = || path.to_owned();
    UserFileBlob::hash(path, FILE_BYTES_MAX).map_err(|error| match error {
        UserFileBlobError::Io(source) => CommandError::Unreadable { path: path_of(), source },
        UserFileBlobError::Kind(found) => FileError::NotAnArtifactFile { path: path_of(), found }.into(),
        UserFileBlobError::TooLarge => FileError::TooLarge { path: path_of(), max: FILE_BYTES_MAX }.into(),
    })
}
