//! The options of a client.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::env::Env;
use crate::net::transport::LineSink;
use crate::secret::Secret;

/// The options of a client.
#[derive(Clone)]
pub struct ClientOptions {
    /// The environment: proxies, rootless mode, `PATH` for credential helpers.
    pub env: Env,
    /// Docker's configuration directory, where `config.json` is.
    pub config_dir: PathBuf,
    /// `--insecure`: no certificate checks, and plain HTTP if there is no TLS.
    pub insecure: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Receives a line for each request.
    pub trace: Option<LineSink>,
    /// Whether to use plain HTTP with every registry.
    pub plain_http: bool,
    /// A login that replaces docker's configuration for its registry.
    pub login: Option<Login>,
    /// The maximum of concurrent requests.
    pub jobs: NonZeroUsize,
    /// How often a failed request is retried; 0 for never.
    pub retries: u32,
    /// The time limit of one operation, with all its requests, retries and pauses. `None` is the default: five minutes,
    /// and no limit for blobs as long as data arrives.
    pub timeout: Option<Duration>,
    /// Whether the token servers that registries name are remembered for a day, so that a connection to them is opened
    /// at the start.
    pub remember_token_servers: bool,
    /// Receives a line that says what the client waits for, and how long.
    pub notice: LineSink,
}

/// A user and a password for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The registry, as in references. The password is sent to no other registry.
    pub registry: String,
    /// The user's name.
    pub username: String,
    /// The password, or a token that the registry accepts as one.
    pub password: Secret,
}
