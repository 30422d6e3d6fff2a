//! Where things lie: docker's part of the store, and ours, which docker never lists. See `store-format.md`, "Paths".

use std::path::{Path, PathBuf};

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

    /// The file whose lock guards a list.
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
        self.staging_area().join(name)
    }

    pub(super) fn staging_area(&self) -> PathBuf {
        self.side().join("staging")
    }

    /// Ours. No reference can be named so, and docker never lists the root.
    pub(super) fn side(&self) -> PathBuf {
        self.root.join(".docker-manifest")
    }
}
