//! skeleton
use std::path::PathBuf;

use crate::env::Env;

/// Where the docker client's credentials are looked for.
#[derive(Debug)]
pub(super) struct Credentials {
    env: Env,
    config_dir: PathBuf,
}

impl Credentials {
    /// Looks in this configuration directory and this environment. Does no I/O.
    pub(super) fn new(env: Env, config_dir: PathBuf) -> Credentials {
        Credentials { env, config_dir }
    }
}
