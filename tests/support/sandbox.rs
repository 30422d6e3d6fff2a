//! A sandbox to run a client in that hides the developer's machine: a home, a docker configuration and a store of
//! its own, an environment of a few named variables, and a time limit that ends a client that hangs.

mod command;
mod docker_on_path;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

pub use command::{HANG_TIMEOUT, Output, SandboxCommand};
pub use docker_on_path::DockerOnPath;

/// A hermetic home, docker configuration and environment; all of it is removed on drop.
#[derive(Debug)]
pub struct Sandbox {
    dir: tempfile::TempDir,
    env: BTreeMap<OsString, OsString>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Makes the directories: `home` and, inside it, `docker` for DOCKER_CONFIG (no store yet).
    ///
    /// # Panics
    /// When no temporary directory can be made.
    #[must_use]
    pub fn new() -> Self {
        Self::inside(&std::env::temp_dir())
    }

    /// The same where files are kept in memory, if this machine has such a place: for tests that make thousands of
    /// them, and need not wait for a disk.
    ///
    /// # Panics
    /// As [`Sandbox::new`].
    #[must_use]
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if rustix::fs::access(memory, rustix::fs::Access::WRITE_OK).is_ok() {
            Self::inside(memory)
        } else {
            Self::new()
        }
    }

    fn inside(parent: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("sandbox-").tempdir_in(parent).expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("home/docker")).expect("a home");
        let mut sandbox = Self { dir, env: BTreeMap::new() };
        let in_front = sandbox.path().join(".docker-behind-the-shim");
        sandbox.set("PATH", DockerOnPath::for_tests().prepare_path(search_path(), &in_front));
        sandbox.set("HOME", sandbox.home());
        sandbox.set("DOCKER_CONFIG", sandbox.docker_config());
        sandbox.set("LANG", "C");
        // A test that expects a failure is not to wait for it to be tried again.
        sandbox.set("DOCKER_MANIFEST_RETRIES", "0");
        sandbox
    }

    /// The same sandbox with one more environment variable for everything run in it.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets an environment variable for everything run from now on.
    pub fn set(&mut self, key: impl Into<OsString>, value: impl Into<OsString>) {
        self.env.insert(key.into(), value.into());
    }

    /// Puts a directory in front of the PATH.
    pub fn set_first_on_path(&mut self, dir: &Path) {
        let path = self.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let dirs = [dir.to_owned()].into_iter().chain(std::env::split_paths(&path));
        self.set("PATH", std::env::join_paths(dirs).expect("directories without colons"));
    }

    /// Takes an environment variable away, DOCKER_CONFIG for instance.
    pub fn unset(&mut self, key: impl AsRef<OsStr>) {
        self.env.remove(key.as_ref());
    }

    /// The root of everything, also the working directory of what runs here.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `$HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// `$DOCKER_CONFIG`.
    #[must_use]
    pub fn docker_config(&self) -> PathBuf {
        self.path().join("home/docker")
    }

    /// Where the drafts lie, `$DOCKER_CONFIG/manifests`; it may not exist yet.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.docker_config().join("manifests")
    }

    /// Writes a file (and the directories above it) under the sandbox's root.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, relative: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(relative);
        std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("directories");
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Writes `$DOCKER_CONFIG/config.json`.
    pub fn write_config(&self, json: &str) -> PathBuf {
        self.write("home/docker/config.json", json)
    }

    /// A command to run here, looked up on the PATH unless it is a path.
    #[must_use]
    pub fn command(&self, program: impl Into<OsString>) -> SandboxCommand {
        SandboxCommand::new(program.into(), self.env.clone(), self.path().to_owned())
    }

    /// `docker manifest …` as this tool gives it, arguments still to be added.
    #[must_use]
    pub fn manifest_command(&self, tool: &Tool) -> SandboxCommand {
        self.command(tool.program()).arg("manifest")
    }
}

/// The client that a test runs: the reference, or the one that is being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// The real docker client from the PATH; never the shim of the program under test.
    Docker,
    /// Ours, called as docker would call a plugin: with the plugin's name as its first argument.
    Ours {
        /// The built binary.
        binary: PathBuf,
    },
}

impl Tool {
    /// The program to run; `manifest` and the arguments follow.
    #[must_use]
    pub fn program(&self) -> OsString {
        match self {
            Self::Docker => "docker".into(),
            Self::Ours { binary } => binary.into(),
        }
    }

    /// A word for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Ours { .. } => "ours",
        }
    }
}

/// Everything below a store: relative path → (permission bits, bytes); a directory ends in `/` and has no bytes.
/// Names with a leading dot are left out at the root only, since our sidecars live there and nowhere else.
/// A root that does not exist is an empty tree.
///
/// # Panics
/// When something in it cannot be read.
#[must_use]
pub fn tree_without_root_dot_names(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    if root.exists() {
        walk(root, "", &mut found);
    }
    found
}

fn walk(dir: &Path, prefix: &str, found: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot list {}: {error}", dir.display()));
    for entry in entries {
        let entry = entry.expect("a directory entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if prefix.is_empty() && name.starts_with('.') {
            continue;
        }
        let meta = std::fs::symlink_metadata(entry.path()).expect("metadata");
        let mode = meta.mode() & 0o7777;
        if meta.is_dir() {
            let below = format!("{prefix}{name}/");
            walk(&entry.path(), &below, found);
            found.insert(below, (mode, Vec::new()));
        } else {
            found.insert(format!("{prefix}{name}"), (mode, std::fs::read(entry.path()).unwrap_or_default()));
        }
    }
}

/// Makes an executable script, a credential helper for instance.
///
/// # Panics
/// When it cannot be written.
pub fn write_script(path: &Path, text: &str) {
    let staged = path.with_extension("staged");
    std::fs::write(&staged, text).expect("the script is written");
    std::fs::set_permissions(&staged, std::fs::Permissions::from_mode(0o755)).expect("the script is made executable");
    copy_program(&staged, path);
    std::fs::remove_file(&staged).expect("the staged file is removed");
}

/// Copies a program that will be run.
///
/// # Panics
/// When it cannot be copied.
pub fn copy_program(from: &Path, to: &Path) {
    // Another process writes the file: one that this process had open for writing while a test beside it forked
    // is "text file busy" to whoever runs it. A rename would keep the file, and so the trouble.
    let copied = Command::new("cp").arg("-p").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success(), "cp to {}", to.display());
}

/// Whether a program of this name is on the PATH.
#[must_use]
pub fn on_path(program: &str) -> bool {
    find_on_path(program).is_some()
}

/// Where a program of this name is on the PATH. `docker` is docker's client, never the shim of the program under test.
#[must_use]
pub fn find_on_path(program: &str) -> Option<PathBuf> {
    if program == "docker" {
        return DockerOnPath::for_tests().client().map(Path::to_owned);
    }
    std::env::split_paths(&search_path()).map(|dir| dir.join(program)).find(|path| path.is_file())
}

#[allow(clippy::disallowed_methods, reason = "a sandbox passes the PATH on, and reads nothing else")]
fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_the_named_variables_reach_the_program() {
        let sandbox = Sandbox::new().env("EXTRA", "1");
        let text = sandbox.command("env").run().success().out();
        let mut names: Vec<&str> = text.lines().filter_map(|l| l.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["DOCKER_CONFIG", "DOCKER_MANIFEST_RETRIES", "EXTRA", "HOME", "LANG", "PATH"]);
    }

    #[test]
    fn codes_streams_and_input_are_passed_through() {
        let run =
            Sandbox::new().command("sh").args(["-c", "cat; echo one >&2; echo two >&2; exit 3"]).stdin("in").run();
        assert_eq!((run.code, run.out().as_str(), run.first_err_line().as_str()), (3, "in", "one"));
    }

    #[test]
    #[should_panic(expected = "did not end within")]
    fn a_program_that_hangs_is_ended() {
        let _ = Sandbox::new().command("sleep").arg("60").time_limit(Duration::from_millis(50)).run();
    }

    #[test]
    fn the_tree_hides_dot_names_at_the_root_only() {
        let sandbox = Sandbox::new();
        sandbox.write("store/.side/lock", "x");
        sandbox.write("store/list/.odd", "y");
        let tree = tree_without_root_dot_names(&sandbox.path().join("store"));
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["list/", "list/.odd"]);
        assert_eq!(tree["list/.odd"].1, b"y");
    }
}
