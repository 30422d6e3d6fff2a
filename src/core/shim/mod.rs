//! A `docker` that precedes docker on the PATH, so that `docker manifest` in scripts runs this program.
//!
//! It is a link to this program. Under the name `docker`, the program runs `docker manifest` itself, and executes the
//! next docker on the PATH for every other command. It is no shell script, because dash and BusyBox drop environment
//! variables with unusual names (`discovery.type`), so `docker run -e discovery.type` would silently lose its value. A
//! link needs no shell and follows updates of the program. If the program is removed, the search of the PATH skips the
//! broken link and finds docker.
//!
//! Here the link is installed, removed and looked for. `cli/plugin/run_as_shim.rs` is the program under that name.

mod callers;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

pub use callers::{Caller, ShimUse, next_docker_or_preceding};

use crate::failure_kind::FailureKind;
use crate::io_message::io_message;

/// The name that callers use.
const DOCKER: &str = "docker";

/// The name that a link has to lead to.
const PROGRAM: &str = "docker-manifest";

/// Why a shim cannot be installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// Another file has the name.
    #[error("{} is not a shim of docker-manifest, so it stays as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The writable directories that precede it on the PATH.
        writable_dirs: Vec<PathBuf>,
    },
    /// There is no shim to remove.
    #[error("there is no shim in {}", .0.display())]
    Absent(PathBuf),
    /// No directory was named, and there is no home directory.
    #[error("there is no home directory to install the shim in")]
    NoHome,
    /// This program cannot be found, so nothing can run it.
    #[error("the path of this program cannot be found: {}", io_message(.0))]
    Program(io::Error),
    /// A file or a directory cannot be read or written.
    #[error("cannot {verb} {}: {}", path.display(), io_message(source))]
    Io {
        /// The verb: `write`.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ShimError {
    /// Its kind, and the file or directory that it is about.
    pub(crate) fn kind_and_path(&self) -> (FailureKind, Option<&Path>) {
        match self {
            ShimError::Foreign { path, .. } => (FailureKind::Conflict, Some(path)),
            ShimError::Absent(dir) => (FailureKind::Missing, Some(dir)),
            ShimError::NoHome | ShimError::Program(_) => (FailureKind::Unsupported, None),
            ShimError::Io { path, .. } => (FailureKind::Output, Some(path)),
        }
    }
}

/// The properties of the machine and of the user that matter for a shim.
#[derive(Debug, Clone, Default)]
pub struct ShimHost {
    /// The directories of the caller's PATH, in order.
    pub path: Vec<PathBuf>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Whether the user is root.
    pub is_root: bool,
    /// The directory that system files are read below: `/`.
    pub root_dir: PathBuf,
}

/// A shim, and what calls of `docker` on this machine run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShimStatus {
    /// The file of the shim; `None` if it is not installed.
    pub shim: Option<PathBuf>,
    /// The docker that runs all other commands; `None` if no docker follows on the PATH.
    pub docker: Option<PathBuf>,
    /// The callers of `docker`, and whether they run the shim. The first is the shell of this command.
    pub callers: Vec<Caller>,
}

impl ShimStatus {
    /// Whether a call of `docker` from the shell of this command runs the shim.
    pub fn is_used_by_shell(&self) -> bool {
        self.callers.first().is_some_and(|caller| caller.shim_use == ShimUse::Used)
    }
}

impl ShimHost {
    /// Where a shim goes if no directory is named: `/usr/local/bin` for root, else `~/.local/bin`.
    ///
    /// # Errors
    /// [`ShimError::NoHome`].
    pub fn default_dir(&self) -> Result<PathBuf, ShimError> {
        if self.is_root {
            return Ok(PathBuf::from("/usr/local/bin"));
        }
        Ok(self.home.as_ref().ok_or(ShimError::NoHome)?.join(".local/bin"))
    }

    /// Where `install` puts a shim if no directory is named: the [default](ShimHost::default_dir). If docker itself is
    /// there, the nearest directory before it on the PATH that can be written to.
    ///
    /// # Errors
    /// As [`ShimHost::default_dir`].
    pub fn default_or_free_dir(&self) -> Result<PathBuf, ShimError> {
        let dir = self.default_dir()?;
        let file = dir.join(DOCKER);
        let is_taken = file.symlink_metadata().is_ok() && !is_shim(&file);
        Ok(self.writable_dirs_before(&file).pop().filter(|_| is_taken).unwrap_or(dir))
    }

    /// The first shim on the PATH.
    fn first_shim_on_path(&self) -> Option<PathBuf> {
        self.path.iter().map(|dir| dir.join(DOCKER)).find(|file| is_shim(file))
    }

    /// The shim in `dir`; without a directory the first one on the PATH, else one in the default directory.
    fn find_shim(&self, dir: Option<&Path>) -> Result<Option<PathBuf>, ShimError> {
        let file = match dir {
            Some(dir) => dir.join(DOCKER),
            None => match self.first_shim_on_path() {
                Some(file) => return Ok(Some(file)),
                None => self.default_dir()?.join(DOCKER),
            },
        };
        Ok(is_shim(&file).then_some(file))
    }

    /// The writable directories that precede `file` on the PATH; none if its directory is not on the PATH.
    fn writable_dirs_before(&self, file: &Path) -> Vec<PathBuf> {
        if !self.path.iter().any(|dir| Some(dir.as_path()) == file.parent()) {
            return Vec::new();
        }
        let before = self.path.iter().take_while(|dir| Some(dir.as_path()) != file.parent());
        let is_free = |dir: &PathBuf| dir.join(DOCKER).symlink_metadata().is_err() || is_shim(&dir.join(DOCKER));
        before.filter(|dir| dir.is_absolute() && can_write(dir) && is_free(dir)).cloned().collect()
    }
}

/// Creates a shim that links to `program` in `dir`, and creates `dir` if necessary. An existing shim is replaced.
///
/// # Errors
/// [`ShimError::Foreign`] if `dir` has another `docker`, and failures of the system.
pub fn install(host: &ShimHost, dir: &Path, program: &Path) -> Result<ShimStatus, ShimError> {
    fs::create_dir_all(dir).map_err(io_error("make", dir))?;
    let file = dir.join(DOCKER);
    let foreign = || ShimError::Foreign { path: file.clone(), writable_dirs: host.writable_dirs_before(&file) };
    let outcome = if is_shim(&file) {
        let staged = dir.join(format!(".{DOCKER}.{}", process::id()));
        link(program, &staged).and_then(|()| fs::rename(&staged, &file))
    } else {
        link(program, &file)
    };
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(foreign()),
        outcome => outcome.map_err(io_error("write", &file))?,
    }
    Ok(status_of(host, Some(file)))
}

/// Removes the shim in `dir`; without a directory the first one on the PATH. Returns the removed file.
///
/// # Errors
/// [`ShimError::Foreign`] for another `docker`, [`ShimError::Absent`] without any.
pub fn remove(host: &ShimHost, dir: Option<&Path>) -> Result<PathBuf, ShimError> {
    let Some(file) = host.find_shim(dir)? else {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None => host.default_dir()?,
        };
        let file = dir.join(DOCKER);
        let exists = file.symlink_metadata().is_ok();
        return Err(if exists {
            ShimError::Foreign { path: file, writable_dirs: Vec::new() }
        } else {
            ShimError::Absent(dir)
        });
    };
    fs::remove_file(&file).map_err(io_error("remove", &file))?;
    Ok(file)
}

/// The shim in `dir`, or without a directory the first one on the PATH, and the callers that run it.
///
/// # Errors
/// A directory that cannot be read.
pub fn status(host: &ShimHost, dir: Option<&Path>) -> Result<ShimStatus, ShimError> {
    Ok(status_of(host, host.find_shim(dir)?))
}

fn status_of(host: &ShimHost, shim: Option<PathBuf>) -> ShimStatus {
    let docker = callers::next_docker_or_preceding(&host.path, shim.as_deref().unwrap_or(Path::new(DOCKER))).ok();
    let callers = callers::callers(host, shim.as_deref());
    ShimStatus { shim, docker, callers }
}

#[cfg(unix)]
fn link(program: &Path, file: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, file)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a file is a shim: a link to this program, even if the program was removed.
fn is_shim(file: &Path) -> bool {
    fs::read_link(file).is_ok_and(|target| target.file_name().is_some_and(|name| name == PROGRAM))
}

#[cfg(unix)]
fn can_write(dir: &Path) -> bool {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn can_write(dir: &Path) -> bool {
    dir.is_dir()
}

fn io_error<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ShimError + 'a {
    move |source| ShimError::Io { verb, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
