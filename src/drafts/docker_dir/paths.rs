//! Paths of the store: those of docker, and those of our files, which docker never lists. See `store-format.md`,
//! "Paths".

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

    /// The file whose lock protects a list.
    pub(super) fn lock(&self, name: &str) -> PathBuf {
        self.locks().join(name)
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.private_dir().join("locks")
    }

    /// The sidecar of a list.
    pub(super) fn sidecar(&self, name: &str) -> PathBuf {
        self.sidecars().join(name)
    }

    pub(super) fn sidecars(&self) -> PathBuf {
        self.private_dir().join("lists")
    }

    /// The staging directory. It is on the filesystem of the lists, so that a rename is atomic.
    pub(super) fn staging(&self, name: &str) -> PathBuf {
        self.staging_area().join(name)
    }

    pub(super) fn staging_area(&self) -> PathBuf {
        self.private_dir().join("staging")
    }

    /// Our directory. No reference can have this name, and docker never lists the root.
    pub(super) fn private_dir(&self) -> PathBuf {
        self.root.join(".docker-manifest")
    }
}
