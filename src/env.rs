//! The process's environment, read once and passed on as a value.
//!
//! No other module reads an environment variable or the argument vector (`clippy.toml` enforces it), so that everything
//! below `main` can be tested without the real ones.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A snapshot of the environment variables and the home directory. `Debug` leaves out the values, because many are
/// secrets.
#[derive(Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    /// Variables whose value is not UTF-8; paths need not be.
    non_utf8_variables: BTreeMap<String, OsString>,
    /// Arguments, and values in them, that are not UTF-8, by their lossy text.
    non_utf8_arguments: BTreeMap<String, OsString>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("variables", &self.variables.keys()).finish_non_exhaustive()
    }
}

impl Env {
    /// Reads the process's own environment. A variable that is not UTF-8 is read lossily, unless it is requested as a
    /// path.
    pub fn from_process() -> Env {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let with_utf8_name = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let non_utf8_variables =
            std::env::vars_os().filter(|(_, value)| value.to_str().is_none()).filter_map(with_utf8_name).collect();
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        Env { variables, home, non_utf8_variables, non_utf8_arguments: non_utf8_parts(std::env::args_os().skip(1)) }
    }

    /// An environment of these variables. `HOME` is the home directory.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Env {
        let variables: BTreeMap<String, String> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        let home = variables.get("HOME").map(PathBuf::from);
        Env { variables, home, ..Env::default() }
    }

    /// The value of a variable that is set and not empty. Docker treats an empty one as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is set, even if it is empty: for the user's own variables.
    pub fn get_even_empty(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of a variable that names a file or a directory, UTF-8 or not.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.non_utf8_variables.get(name).map(PathBuf::from).or_else(|| self.get(name).map(PathBuf::from))
    }

    /// The home directory.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The directories of `PATH`, or the system's default if it is not set.
    pub fn search_path(&self) -> Vec<PathBuf> {
        let path = self.path("PATH").unwrap_or_else(|| PathBuf::from("/bin:/usr/bin"));
        std::env::split_paths(&path).collect()
    }

    /// A path of the command line as it was typed. [`lossy_strings`] reads it lossily if it is not UTF-8.
    pub fn original_path<'a>(&'a self, lossy_path: &'a Path) -> &'a Path {
        lossy_path.to_str().and_then(|text| self.non_utf8_arguments.get(text)).map_or(lossy_path, Path::new)
    }

    /// Docker's configuration directory: `DOCKER_CONFIG`, else `.docker` in the home directory.
    ///
    /// Without a home directory it is `.docker` in the working directory, as in docker.
    pub fn docker_config_dir(&self) -> PathBuf {
        match self.path("DOCKER_CONFIG") {
            Some(dir) => dir,
            None => self.home.clone().unwrap_or_default().join(".docker"),
        }
    }

    /// The cache directory: `XDG_CACHE_HOME`, else `.cache` in the home directory (XDG Base Directory Specification).
    /// `None` if there is no home. A relative path does not count, as the specification has it.
    pub fn user_cache_dir(&self) -> Option<PathBuf> {
        let named = self.path("XDG_CACHE_HOME").filter(|directory| directory.is_absolute());
        named.or_else(|| Some(self.home.as_ref()?.join(".cache")))
    }
}

/// The path of the running program. If `PATH` names the same file, it is that path, which survives an update that moves
/// a link's target.
///
/// # Errors
/// The system does not know the path.
pub fn current_program(path: &[PathBuf]) -> io::Result<PathBuf> {
    let running = std::env::current_exe()?;
    let name = running.file_name().unwrap_or_default();
    let is_running = |file: &PathBuf| matches!((file.canonicalize(), running.canonicalize()), (Ok(a), Ok(b)) if a == b);
    let named = path.iter().filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(is_running);
    Ok(named.unwrap_or(running))
}

/// The parts of these words that are not UTF-8, by their lossy text: a word, or the value in `--flag=value` or
/// `-fvalue`.
fn non_utf8_parts(words: impl IntoIterator<Item = OsString>) -> BTreeMap<String, OsString> {
    let mut non_utf8 = BTreeMap::new();
    for word in words.into_iter().filter(|word| word.to_str().is_none()) {
        for value in flag_values(&word).into_iter().chain([word.as_os_str()]) {
            non_utf8.insert(value.to_string_lossy().into_owned(), value.to_owned());
        }
    }
    non_utf8
}

/// The possible values inside of a flag's word.
#[cfg(unix)]
fn flag_values(word: &OsStr) -> Vec<&OsStr> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_bytes();
    let after_equals = bytes.iter().position(|byte| *byte == b'=').and_then(|at| bytes.get(at + 1..));
    let after_letter = bytes.strip_prefix(b"-").and_then(|rest| rest.get(1..));
    after_equals.into_iter().chain(after_letter).map(OsStr::from_bytes).collect()
}

#[cfg(not(unix))]
fn flag_values(_: &OsStr) -> Vec<&OsStr> {
    Vec::new()
}

/// The process's arguments, beginning with the program's own name.
pub fn raw_arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// These words as text. Those that are not UTF-8 are read lossily.
pub fn lossy_strings(words: &[OsString]) -> Vec<String> {
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_env_shows_no_value() {
        let env = Env::from_pairs([("DOCKER_AUTH_CONFIG", "hunter2"), ("HOME", "/h")]);
        assert_eq!(format!("{env:?}"), r#"Env { variables: ["DOCKER_AUTH_CONFIG", "HOME"], .. }"#);
    }

    #[cfg(unix)]
    #[test]
    fn original_path_keeps_bytes_that_are_not_utf8() {
        use std::os::unix::ffi::OsStringExt;

        let word = |text: &[u8]| OsString::from_vec(text.to_vec());
        let arguments = non_utf8_parts([word(b"plain"), word(b"a\xff"), word(b"--config=/c\xff"), word(b"-f\xfe/x")]);
        let env = Env { non_utf8_arguments: arguments, ..Env::default() };
        for (read, typed) in [("a\u{fffd}", b"a\xff".as_slice()), ("/c\u{fffd}", b"/c\xff"), ("\u{fffd}/x", b"\xfe/x")]
        {
            assert_eq!(env.original_path(Path::new(read)), Path::new(&word(typed)));
        }
        assert_eq!(env.original_path(Path::new("plain")), Path::new("plain"));
        let non_utf8_variables = BTreeMap::from([("DOCKER_CONFIG".to_owned(), word(b"/d\xff"))]);
        let env = Env { non_utf8_variables, ..Env::from_pairs([("DOCKER_CONFIG", "/d\u{fffd}")]) };
        assert_eq!(env.docker_config_dir(), PathBuf::from(word(b"/d\xff")));
    }

    #[test]
    fn docker_config_dir_ignores_an_empty_variable() {
        let env = Env::from_pairs([("DOCKER_CONFIG", ""), ("HOME", "/h")]);
        assert_eq!(env.docker_config_dir(), PathBuf::from("/h/.docker"));
        let env = Env::from_pairs([("DOCKER_CONFIG", "/c"), ("HOME", "/h")]);
        assert_eq!(env.docker_config_dir(), PathBuf::from("/c"));
    }
}
