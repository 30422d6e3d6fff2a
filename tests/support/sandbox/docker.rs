//! The docker that tests compare with. Where the first `docker` on the PATH is this program's shim, it is the one
//! behind it: a comparison of this program with itself passes and shows nothing.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::skip::skipped;

/// What a PATH has by the name `docker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Docker {
    /// None.
    Missing,
    /// Docker's client, and no shim before it.
    First(PathBuf),
    /// Docker's client, behind a shim.
    Behind(PathBuf),
    /// Shims alone. This is the first.
    OnlyShim(PathBuf),
}

impl Docker {
    /// Looks through a PATH. Each file is asked what it is, so that copies, links and scripts are recognised.
    #[must_use]
    pub fn on(path: &OsStr) -> Docker {
        let mut files = std::env::split_paths(path).map(|dir| dir.join("docker")).filter(|file| file.is_file());
        let Some(first) = files.next() else { return Docker::Missing };
        if !is_ours(&first, path) {
            return Docker::First(first);
        }
        files.find(|file| !is_ours(file, path)).map_or(Docker::OnlyShim(first), Docker::Behind)
    }

    /// The one of the tests' PATH. Where there is only a shim, that is said once.
    pub(super) fn of_tests() -> &'static Docker {
        static FOUND: OnceLock<Docker> = OnceLock::new();
        FOUND.get_or_init(|| {
            let found = Docker::on(&super::search_path());
            if let Docker::OnlyShim(shim) = &found {
                let why = format!("{} is the shim of docker-manifest, and no docker is behind it", shim.display());
                skipped("everything beside docker", &why);
            }
            found
        })
    }

    /// The client; none where there is none.
    pub(super) fn client(&self) -> Option<&Path> {
        match self {
            Docker::First(client) | Docker::Behind(client) => Some(client),
            Docker::Missing | Docker::OnlyShim(_) => None,
        }
    }

    /// A PATH on which `docker` is the client, or fails loudly. `folder` is made where one has to stand in front.
    pub(super) fn path(&self, path: OsString, folder: &Path) -> OsString {
        let place = folder.join("docker");
        let make = || std::fs::create_dir_all(folder).expect("a folder in front of the PATH");
        match self {
            Docker::Missing | Docker::First(_) => return path,
            Docker::Behind(client) => {
                make();
                std::os::unix::fs::symlink(client, place).expect("a link to docker");
            }
            Docker::OnlyShim(shim) => {
                make();
                let why = format!("the only docker on the PATH is the shim {}", shim.display());
                super::write_script(&place, &format!("#!/bin/sh\necho '{why}' >&2\nexit 127\n"));
            }
        }
        let dirs = [folder.to_owned()].into_iter().chain(std::env::split_paths(&path));
        std::env::join_paths(dirs).expect("folders without colons")
    }
}

/// Whether `docker manifest` of this file is the program under test. Docker's client has no `docker manifest version`.
fn is_ours(docker: &Path, path: &OsStr) -> bool {
    let mut command = Command::new(docker);
    command.args(["manifest", "version"]).env_clear().env("PATH", path).stdin(Stdio::null());
    command.output().is_ok_and(|output| output.stdout.starts_with(b"docker-manifest version "))
}
