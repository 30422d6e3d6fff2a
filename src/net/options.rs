//! What a client is made of.

use std::path::PathBuf;
use std::time::Duration;

use crate::env::Env;
use crate::net::transport::Trace;
use crate::secret::Secret;

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
    /// No TLS at all, with any registry.
    pub plain_http: bool,
    /// What to log in with, everywhere, in the place of what docker's configuration knows.
    pub login: Option<Login>,
    /// How often a request that may be repeated is sent again when that may help; 0 for never.
    pub retries: u32,
    /// A bound on one operation, with all its requests, repetitions and pauses. `None` is the built-in one: five
    /// minutes, and none for blobs as long as they move.
    pub timeout: Option<Duration>,
    /// Where a line goes that says what is waited for, and how long.
    pub notice: Trace,
}

/// A user and a password for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The registry, as references name it; no other one is sent the password.
    pub registry: String,
    /// The user's name.
    pub username: String,
    /// The password, or a token that the registry takes for one.
    pub password: Secret,
}
