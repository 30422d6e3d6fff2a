//! Where things lie: docker's part of the store, and ours, which docker never lists. See `store-format.md`, "Paths".

use std::fs;
use std::path::{Path, PathBuf};

use crate::store::error::StoreError;

/// The paths below one `manifests` directory.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(super) fn new(root: &Path) -> Paths {
        Paths { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory that docker keeps a list in.
    pub(super) fn list(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file whose lock guards a list. Never deleted: a lock on a deleted file guards nothing.
    pub(super) fn lock(&self, name: &str) -> PathBuf {
        self.locks().join(name)
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.side().join("locks")
    }

    /// What we know of a list that docker's format has no place for.
    pub(super) fn owner(&self, name: &str) -> PathBuf {
        self.owners().join(name)
    }

    pub(super) fn owners(&self) -> PathBuf {
        self.side().join("lists")
    }

    /// Files on their way to their place. On the same filesystem as the lists, so that a rename is atomic.
    pub(super) fn staging(&self, name: &str) -> PathBuf {
        self.side().join("staging").join(name)
    }

    /// No reference can be named so, and docker never lists the root.
    fn side(&self) -> PathBuf {
        self.root.join(".docker-manifest")
    }
}

/// Makes a directory, and those above it, with docker's mode.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path).map_err(StoreError::io("create", path))
}
