//! The process's surroundings, read once and passed on as a value.
//!
//! No other module reads an environment variable or the argument vector (`clippy.toml` sees to that), so everything
//! below `main` can be tested without touching the real ones.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A snapshot of environment variables and of where the user's home is. Shown for debugging without the variables'
/// values, many a one of which is a secret.
#[derive(Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("variables", &self.variables.keys()).finish_non_exhaustive()
    }
}

impl Env {
    /// Reads the process's own. A variable that is not UTF-8 is read lossily: nothing here could use it otherwise.
    pub fn from_process() -> Env {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        Env { variables, home: directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()) }
    }

    /// An environment made of these variables; `HOME` among them is the home directory.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Env {
        let variables: BTreeMap<String, String> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        let home = variables.get("HOME").map(PathBuf::from);
        Env { variables, home }
    }

    /// The value of a variable that is set and not empty: docker treats an empty one as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is set, be it empty: for variables that are the user's own.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Docker's configuration directory: `DOCKER_CONFIG`, else `.docker` in the home directory.
    ///
    /// A home that cannot be found gives `.docker` in the working directory, as docker has it.
    pub fn docker_config_dir(&self) -> PathBuf {
        match self.get("DOCKER_CONFIG") {
            Some(dir) => PathBuf::from(dir),
            None => self.home.clone().unwrap_or_default().join(".docker"),
        }
    }
}

/// The process's arguments, the program's own name first; what is not UTF-8 is read lossily.
pub fn arguments() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_shown_for_debugging() {
        let env = Env::from_pairs([("DOCKER_AUTH_CONFIG", "hunter2"), ("HOME", "/h")]);
        assert_eq!(format!("{env:?}"), r#"Env { variables: ["DOCKER_AUTH_CONFIG", "HOME"], .. }"#);
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let env = Env::from_pairs([("DOCKER_CONFIG", ""), ("HOME", "/h")]);
        assert_eq!(env.docker_config_dir(), PathBuf::from("/h/.docker"));
        let env = Env::from_pairs([("DOCKER_CONFIG", "/c"), ("HOME", "/h")]);
        assert_eq!(env.docker_config_dir(), PathBuf::from("/c"));
    }
}
