//! What a client is made of.

use std::path::PathBuf;

use super::transport::Trace;
use crate::env::Env;

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
