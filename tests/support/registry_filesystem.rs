//! The storage of docker-registry: images are written straight into its directories, and tags are read straight
//! from them. So a test can fill a registry that requires credentials or certificates, and read what arrived,
//! without a client that could share a fault with the one under test.
//!
//! The registry looks every file up for each request, so this works while it runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::image::{DOCKER_MANIFEST, sha256};

/// A root directory as in docker-registry's `storage.filesystem.rootdirectory`.
#[derive(Debug, Clone)]
pub struct RegistryFilesystem {
    root: PathBuf,
}

/// A manifest that lies in a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// `sha256:…`
    pub digest: String,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

impl RegistryFilesystem {
    /// The storage of a registry; the directory need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Lays an image in: one layer of its own, a config of this platform, a Docker manifest, a tag.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn put_image(&self, repository: &str, tag: &str, os: &str, architecture: &str) -> Manifest {
        let layer = format!("not really a layer: {os}/{architecture}").into_bytes();
        let config = json!({
            "architecture": architecture,
            "os": os,
            "rootfs": { "type": "layers", "diff_ids": [sha256(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let part = |media_type: &str, bytes: &[u8]| -> Value {
            json!({ "mediaType": media_type, "size": bytes.len(), "digest": sha256(bytes) })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": part("application/vnd.docker.container.image.v1+json", &config),
            "layers": [part("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)],
        });
        for write_blob in [&layer, &config] {
            self.write_blob(write_blob);
            self.write_link(&format!("{repository}/_layers"), &sha256(write_blob));
        }
        let bytes = serde_json::to_vec_pretty(&manifest).expect("a value is JSON");
        let digest = sha256(&bytes);
        self.write_blob(&bytes);
        self.write_link(&format!("{repository}/_manifests/revisions"), &digest);
        self.write_link(&format!("{repository}/_manifests/tags/{tag}/index"), &digest);
        self.write(&self.tag_link_path(repository, tag), digest.as_bytes());
        Manifest { digest, bytes }
    }

    /// What a tag names now; None where there is no such tag.
    #[must_use]
    pub fn tag(&self, repository: &str, tag: &str) -> Option<Manifest> {
        let digest = fs::read_to_string(self.tag_link_path(repository, tag)).ok()?;
        let bytes = fs::read(self.blob_path(&digest)).ok()?;
        Some(Manifest { digest, bytes })
    }

    /// Whether a repository has this manifest, tagged or not.
    #[must_use]
    pub fn has_manifest(&self, repository: &str, digest: &str) -> bool {
        self.repository_path(&format!("{repository}/_manifests/revisions")).join(digest.replace(':', "/")).exists()
    }

    /// Removes a repository; that there is none is no error.
    pub fn remove_repository(&self, repository: &str) {
        let _ = fs::remove_dir_all(self.repository_path(repository));
    }

    fn repository_path(&self, path: &str) -> PathBuf {
        self.root.join("docker/registry/v2/repositories").join(path)
    }

    fn tag_link_path(&self, repository: &str, tag: &str) -> PathBuf {
        self.repository_path(repository).join("_manifests/tags").join(tag).join("current/link")
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.root.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }

    fn write_blob(&self, bytes: &[u8]) {
        self.write(&self.blob_path(&sha256(bytes)), bytes);
    }

    fn write_link(&self, place: &str, digest: &str) {
        self.write(&self.repository_path(place).join(digest.replace(':', "/")).join("link"), digest.as_bytes());
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().expect("a file has a parent")).expect("directories of the storage");
        fs::write(path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
}
