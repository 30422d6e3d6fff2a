//! The verbs, one a file: check what was asked, make one domain call, print. Only here do the store and the registry
//! meet.

mod annotate;
mod create;
pub mod error;
mod fetch;
mod inspect;
mod pool;
mod push;
mod rm;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use crate::args::{Annotate, Create, Inspect, Push, RefArg, Rm};
use crate::env::Env;
use crate::output::Streams;
use crate::reference::Reference;
use crate::registry::{Options, Registry, Trace};
use crate::store::Store;

pub use error::CommandError;

/// Where the default bound on exchanges at once can be set.
const JOBS_VARIABLE: &str = "DOCKER_MANIFEST_JOBS";

/// The bound on exchanges at once, from `make bench`: more gain little, and registries begin to refuse.
const JOBS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Where the default of how often a request is sent again can be set.
const RETRIES_VARIABLE: &str = "DOCKER_MANIFEST_RETRIES";

/// How often a request is sent again that may be and that it may help.
const RETRIES: u32 = 3;

/// What every verb needs to know of its surroundings.
pub struct Context {
    /// The process's environment.
    pub env: Env,
    /// Docker's configuration directory: drafts and credentials.
    pub config_dir: PathBuf,
    /// Whether each request is to be told on stderr.
    pub debug: bool,
    /// Where output goes.
    pub streams: Arc<Streams>,
}

impl Context {
    fn store(&self) -> Store {
        Store::new(&self.config_dir)
    }

    fn registry(&self, insecure: bool) -> Registry {
        let streams = Arc::clone(&self.streams);
        let trace: Trace = Arc::new(move |line: &str| streams.note(line));
        Registry::new(Options {
            env: self.env.clone(),
            config_dir: self.config_dir.clone(),
            insecure,
            user_agent: concat!("docker-manifest/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace: self.debug.then(|| Arc::clone(&trace)),
            plain_http: false,
            login: None,
            retries: self.retries(None).unwrap_or(RETRIES),
            timeout: None,
            notice: trace,
        })
    }

    /// The bound on exchanges at once: the flag's, else the environment's, else ours.
    fn jobs(&self, flag: Option<NonZeroUsize>) -> Result<NonZeroUsize, CommandError> {
        match (flag, self.env.get(JOBS_VARIABLE)) {
            (Some(jobs), _) => Ok(jobs),
            (None, Some(text)) => {
                text.parse().map_err(|_| CommandError::Variable { name: JOBS_VARIABLE, value: text.to_owned() })
            }
            (None, None) => Ok(JOBS),
        }
    }

    /// How often a request is sent again: the flag's, else the environment's, else ours.
    fn retries(&self, flag: Option<u32>) -> Result<u32, CommandError> {
        match (flag, self.env.get(RETRIES_VARIABLE)) {
            (Some(retries), _) => Ok(retries),
            (None, Some(text)) => {
                text.parse().map_err(|_| CommandError::Variable { name: RETRIES_VARIABLE, value: text.to_owned() })
            }
            (None, None) => Ok(RETRIES),
        }
    }

    /// Tells what a command waits for.
    fn notice(&self) -> impl Fn(&str) {
        |line| self.streams.note(line)
    }
}

/// A reference that docker complains about in its own words alone.
fn parsed(argument: &RefArg) -> Result<&Reference, CommandError> {
    argument.parsed.as_ref().map_err(|error| CommandError::Reference(error.clone()))
}

/// Makes a draft of images, or adds images to one.
pub fn create(context: &Context, args: &Create) -> Result<(), CommandError> {
    create::run(context, args)
}

/// Changes what a draft says of one image.
pub fn annotate(context: &Context, args: &Annotate) -> Result<(), CommandError> {
    annotate::run(context, args)
}

/// Shows a draft, one image of it, or what a registry serves.
pub fn inspect(context: &Context, args: &Inspect) -> Result<(), CommandError> {
    inspect::run(context, args)
}

/// Publishes a draft.
pub fn push(context: &Context, args: &Push) -> Result<(), CommandError> {
    push::run(context, args)
}

/// Deletes drafts.
pub fn rm(context: &Context, args: &Rm) -> Result<(), CommandError> {
    rm::run(context, args)
}
