//! Which callers of `docker` run the shim. Each caller searches its own PATH.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DOCKER, ShimHost, is_shim};

/// The PATH of a service that systemd starts (systemd.exec(5), "Environment Variables Set or Propagated").
const SYSTEMD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// The PATH of a job in a user's crontab (crontab(5)).
const CRONTAB_PATH: &str = "/usr/bin:/bin";

/// A caller of `docker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name: `sudo`.
    pub name: &'static str,
    /// Its PATH, and the file that sets it; `None` if the file cannot be read.
    pub path: Option<Vec<PathBuf>>,
    /// Whether it runs the shim.
    pub shim_use: ShimUse,
}

/// Whether a caller runs the shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShimUse {
    /// It runs the shim.
    Used,
    /// Another docker precedes the shim on its PATH.
    OtherFirst(PathBuf),
    /// The shim's directory is not on its PATH, or there is no shim.
    NotOnPath,
    /// Its PATH could not be read from this file.
    Unknown(PathBuf),
}

/// All callers, the shell of this command first.
pub(super) fn callers(host: &ShimHost, shim: Option<&Path>) -> Vec<Caller> {
    let known = |name, path: Vec<PathBuf>| {
        let shim_use = shim_use(&path, shim);
        Caller { name, path: Some(path), shim_use }
    };
    let mut callers = vec![known("this shell", host.path.clone())];
    callers.push(match sudo(host) {
        Ok(path) => known("sudo", path),
        Err(file) => Caller { name: "sudo", path: None, shim_use: ShimUse::Unknown(file) },
    });
    callers.push(known("crontab jobs", split_path(CRONTAB_PATH)));
    let crontab = fs::read_to_string(host.root_dir.join("etc/crontab")).ok();
    let system = crontab.as_deref().and_then(|text| text.lines().rev().find_map(|line| line.strip_prefix("PATH=")));
    callers.push(known("/etc/crontab jobs", split_path(system.unwrap_or(CRONTAB_PATH))));
    callers.push(known("systemd services", split_path(SYSTEMD_PATH)));
    callers
}

fn split_path(path: &str) -> Vec<PathBuf> {
    std::env::split_paths(path.trim().trim_matches('"')).collect()
}

/// The PATH that sudo gives to programs: `secure_path`, else the caller's own.
///
/// # Errors
/// The file that cannot be read.
fn sudo(host: &ShimHost) -> Result<Vec<PathBuf>, PathBuf> {
    let main = host.root_dir.join("etc/sudoers");
    if !main.exists() {
        return Ok(host.path.clone());
    }
    let directory = host.root_dir.join("etc/sudoers.d");
    let mut files = vec![main];
    if directory.exists() {
        let listed = fs::read_dir(&directory).map_err(|_| directory)?;
        // sudo reads no file with a dot in its name, nor a backup.
        let is_read =
            |file: &PathBuf| file.is_file() && !file.to_string_lossy().ends_with('~') && file.extension().is_none();
        let mut listed: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).filter(is_read).collect();
        listed.sort();
        files.extend(listed);
    }
    let mut found = None;
    for file in files {
        let text = fs::read_to_string(&file).map_err(|_| file)?;
        found = text.lines().filter_map(secure_path).next_back().or(found);
    }
    Ok(found.unwrap_or_else(|| host.path.clone()))
}

/// What a line of sudoers sets `secure_path` to (sudoers(5)).
fn secure_path(line: &str) -> Option<Vec<PathBuf>> {
    let (_, value) = line.trim().strip_prefix("Defaults")?.split_once("secure_path")?;
    Some(split_path(value.trim_start().strip_prefix('=')?))
}

fn shim_use(path: &[PathBuf], shim: Option<&Path>) -> ShimUse {
    let Some(shim) = shim else { return ShimUse::NotOnPath };
    match path.iter().map(|dir| dir.join(DOCKER)).find(|file| is_program(file)) {
        Some(first) if is_same(&first, shim) => ShimUse::Used,
        Some(_) if !path.iter().any(|dir| is_same(&dir.join(DOCKER), shim)) => ShimUse::NotOnPath,
        Some(other) => ShimUse::OtherFirst(other),
        None => ShimUse::NotOnPath,
    }
}

/// The docker that runs all other commands of the shim `called`: the next one on the PATH that is no shim, or the first
/// one if `called` is not on the PATH. Shims are skipped, so that two shims cannot call each other.
///
/// # Errors
/// No docker follows; with the docker that precedes it, if there is one.
pub fn next_docker_or_preceding(path: &[PathBuf], called: &Path) -> Result<PathBuf, Option<PathBuf>> {
    let files: Vec<PathBuf> = path.iter().map(|dir| dir.join(DOCKER)).filter(|file| is_program(file)).collect();
    let exact = files.iter().position(|file| file == called);
    let from = exact.or_else(|| files.iter().position(|file| leads_to_shim(file) && is_same(file, called)));
    let mut others = files.iter().enumerate().filter(|(_, file)| !leads_to_shim(file));
    let next = others.clone().find(|(at, _)| from.is_none_or(|from| *at > from));
    next.map(|(_, file)| file.clone()).ok_or_else(|| others.next().map(|(_, file)| file.clone()))
}

/// Whether a file is a shim, or a link that leads to one.
fn leads_to_shim(file: &Path) -> bool {
    is_shim(file)
        || file.canonicalize().is_ok_and(|target| target.file_name().is_some_and(|name| name == super::PROGRAM))
}

/// Whether two paths are the same file.
fn is_same(first: &Path, other: &Path) -> bool {
    matches!((first.canonicalize(), other.canonicalize()), (Ok(first), Ok(other)) if first == other)
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}
