//! The docker client that tests compare with. If the first `docker` on the PATH is this program's shim, it is the
//! client behind the shim: a comparison of this program with itself would always pass.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::skip::skipped;

/// What a PATH has by the name `docker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerOnPath {
    /// None.
    Missing,
    /// Docker's client, and no shim before it.
    WithoutShim(PathBuf),
    /// Docker's client, behind a shim.
    BehindShim(PathBuf),
    /// Shims alone. This is the first.
    ShimAlone(PathBuf),
}

impl DockerOnPath {
    /// Looks through a PATH. Each file is asked what it is, so that copies, links and scripts are recognised.
    #[must_use]
    pub fn find(path: &OsStr) -> DockerOnPath {
        let mut files = std::env::split_paths(path).map(|dir| dir.join("docker")).filter(|file| file.is_file());
        let Some(first) = files.next() else { return DockerOnPath::Missing };
        if !is_ours(&first, path) {
            return DockerOnPath::WithoutShim(first);
        }
        files.find(|file| !is_ours(file, path)).map_or(DockerOnPath::ShimAlone(first), DockerOnPath::BehindShim)
    }

    /// The one of the tests' PATH. Where there is only a shim, that is said once.
    pub(super) fn for_tests() -> &'static DockerOnPath {
        static FOUND: OnceLock<DockerOnPath> = OnceLock::new();
        FOUND.get_or_init(|| {
            let found = DockerOnPath::find(&super::search_path());
            if let DockerOnPath::ShimAlone(shim) = &found {
                let reason = format!("{} is the shim of docker-manifest, and no docker is behind it", shim.display());
                skipped("everything beside docker", &reason);
            }
            found
        })
    }

    /// The client; none where there is none.
    pub(super) fn client(&self) -> Option<&Path> {
        match self {
            DockerOnPath::WithoutShim(client) | DockerOnPath::BehindShim(client) => Some(client),
            DockerOnPath::Missing | DockerOnPath::ShimAlone(_) => None,
        }
    }

    /// A PATH on which `docker` is the client, or fails loudly. `directory` is made where one has to stand in front.
    pub(super) fn prepare_path(&self, path: OsString, directory: &Path) -> OsString {
        let docker = directory.join("docker");
        let make = || std::fs::create_dir_all(directory).expect("a directory in front of the PATH");
        match self {
            DockerOnPath::Missing | DockerOnPath::WithoutShim(_) => return path,
            DockerOnPath::BehindShim(client) => {
                make();
                std::os::unix::fs::symlink(client, docker).expect("a link to docker");
            }
            DockerOnPath::ShimAlone(shim) => {
                make();
                let reason = format!("the only docker on the PATH is the shim {}", shim.display());
                super::write_script(&docker, &format!("#!/bin/sh\necho '{reason}' >&2\nexit 127\n"));
            }
        }
        let dirs = [directory.to_owned()].into_iter().chain(std::env::split_paths(&path));
        std::env::join_paths(dirs).expect("directories without colons")
    }
}

/// Whether `docker manifest` of this file is the program under test. Docker's client has no `docker manifest version`.
fn is_ours(docker: &Path, path: &OsStr) -> bool {
    let mut command = Command::new(docker);
    command.args(["manifest", "version"]).env_clear().env("PATH", path).stdin(Stdio::null());
    command.output().is_ok_and(|output| output.stdout.starts_with(b"docker-manifest version "))
}
