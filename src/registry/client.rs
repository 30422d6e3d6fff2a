//! The public face: what a command can ask of a registry, one method an operation.

use std::path::PathBuf;
use std::sync::Arc;

use super::auth::Access;
use super::error::{Kind, RegistryError};
use crate::digest::Digest;
use crate::env::Env;
use crate::reference::{Reference, Repository};

/// Takes a line for each request, for `--debug`: method, URL, status, time. Never a secret.
pub type Trace = Arc<dyn Fn(&str) + Send + Sync>;

/// What a client is made of.
#[derive(Clone)]
pub struct Options {
    /// The process's surroundings: proxies, the rootless mark, `PATH` for credential helpers.
    pub env: Env,
    /// Docker's configuration directory, where `config.json` is.
    pub config_dir: PathBuf,
    /// `--insecure`: no certificate checks, and plain HTTP where there is no TLS.
    pub insecure: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Where a line for each request goes.
    pub trace: Option<Trace>,
}

/// A manifest as the registry served it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The media type without parameters; empty where neither the registry nor the manifest names one.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their digest, checked against all that was known of it.
    pub digest: Digest,
}

/// What came of asking for a blob of another repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// The target repository has the blob now.
    Mounted,
    /// The registry would have had the blob uploaded; nothing changed.
    NotMounted,
}

/// The name that a manifest is put under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A tag.
    Tag(String),
    /// The manifest's own digest.
    Digest(Digest),
}

/// A client of all registries that one command talks to.
pub struct Registry {
    options: Options,
}

impl Registry {
    /// Makes a client. Does no I/O.
    pub fn new(options: Options) -> Registry {
        Registry { options }
    }

    /// Says what the command is going to need of a repository, so that the first token covers all of it.
    pub fn announce(&self, repository: &Repository, access: Access) {
        let _ = (repository, access);
    }

    /// Fetches a manifest, by digest if the reference has one, else by tag.
    pub fn manifest(&self, reference: &Reference) -> Result<Fetched, RegistryError> {
        Err(self.unfinished(reference.repository()))
    }

    /// Fetches a blob of at most `cap` bytes.
    pub fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: Option<u64>,
        cap: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let _ = (digest, size, cap);
        Err(self.unfinished(repository))
    }

    /// Mounts a blob of `source` into `target`, both in the same registry.
    pub fn mount(&self, target: &Repository, source: &Repository, digest: &Digest) -> Result<Mount, RegistryError> {
        let _ = (source, digest);
        Err(self.unfinished(target))
    }

    /// Puts these exact bytes under a tag or their digest and gives their digest.
    pub fn put_manifest(
        &self,
        target: &Repository,
        name: &Name,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Digest, RegistryError> {
        let _ = (name, media_type, bytes);
        Err(self.unfinished(target))
    }

    fn unfinished(&self, repository: &Repository) -> RegistryError {
        let _ = &self.options;
        RegistryError::new(Kind::Protocol, repository.domain(), "not built yet")
    }
}
