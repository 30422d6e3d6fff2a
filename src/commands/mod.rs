//! The verbs, one a file: check what was asked, make one domain call, print. Only here do the store and the registry
//! meet.

mod add;
mod annotate;
mod apply;
mod check;
mod complete;
mod create;
pub mod error;
mod exists;
mod export;
mod failures;
mod gathering;
mod inspect;
mod listing;
mod lookup;
mod ls;
mod manifest_tool;
mod missing_child;
mod platforms;
mod pool;
mod prune;
mod publishing;
mod push;
mod remove;
mod rm;
mod stop;
mod tool_inspect;
mod wording;

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::args::{
    Add, Annotate, Apply, Check, Create, Exists, Export, Inspect, Ls, Network, Platforms, Prune, Push, RefArg, Remove,
    Rm, ToolCommand, ToolGlobals, values,
};
use crate::env::Env;
use crate::output::Streams;
use crate::reference::{Reference, Repository};
use crate::registry::{Clock, Login, Options, Registry, Trace};
use crate::secret::Secret;
use crate::store::Store;

pub use error::{CommandError, Made};
pub use missing_child::{MissingChild, NamedBy};
pub use stop::Stop;

/// Where the default bound on exchanges at once can be set.
const JOBS_VARIABLE: &str = "DOCKER_MANIFEST_JOBS";

/// The bound on exchanges at once, from `make bench`: more gain little, and registries begin to refuse.
const JOBS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Where the default of how often a request is sent again can be set.
const RETRIES_VARIABLE: &str = "DOCKER_MANIFEST_RETRIES";

/// Where the bound on one operation can be set.
const TIMEOUT_VARIABLE: &str = "DOCKER_MANIFEST_TIMEOUT";

/// How often a request is sent again that may be and that it may help.
const RETRIES: u32 = 3;

/// More than any password, in bytes.
const PASSWORD_MAX: usize = 1024 * 1024;

/// What every verb needs to know of its surroundings.
#[derive(Clone)]
pub struct Context {
    /// The process's environment.
    pub env: Env,
    /// Docker's configuration directory: drafts and credentials.
    pub config_dir: PathBuf,
    /// Whether each request is to be told on stderr.
    pub debug: bool,
    /// Where output goes.
    pub streams: Arc<Streams>,
    /// What retries wait by.
    pub clock: Arc<dyn Clock>,
    /// Who handles a request of docker's to stop.
    pub stop: Stop,
}

impl Context {
    fn store(&self) -> Store {
        Store::new(&self.config_dir)
    }

    /// The store, where waiting for another process ends with the flag's time, or the environment's.
    fn store_within(&self, timeout: Option<Duration>) -> Result<Store, CommandError> {
        Ok(self.store().waiting(self.setting(timeout, TIMEOUT_VARIABLE, values::bound)?))
    }

    /// A client. The login that was given is for the registry of `subject`, what the command is about: images that come
    /// from elsewhere are somebody else's business, as are their logins.
    fn registry<'a>(
        &self,
        network: &Network,
        subject: impl Into<Option<&'a Repository>>,
    ) -> Result<Registry, CommandError> {
        let login = subject.into().map(|subject| login(network, subject)).transpose()?.flatten();
        self.client(network, false, login)
    }

    /// A client with this login, where there is one; `plain_http`: over plain HTTP alone.
    fn client(&self, network: &Network, plain_http: bool, login: Option<Login>) -> Result<Registry, CommandError> {
        let streams = Arc::clone(&self.streams);
        let trace: Trace = Arc::new(move |line: &str| streams.note(line));
        let options = Options {
            env: self.env.clone(),
            config_dir: self.config_dir.clone(),
            insecure: network.insecure,
            user_agent: concat!("docker-manifest/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace: self.debug.then(|| Arc::clone(&trace)),
            plain_http,
            login,
            retries: self.setting(network.retries, RETRIES_VARIABLE, values::times)?.unwrap_or(RETRIES),
            timeout: self.setting(network.timeout, TIMEOUT_VARIABLE, values::bound)?,
            notice: trace,
        };
        Ok(Registry::with_clock(options, Arc::clone(&self.clock)))
    }

    /// The bound on exchanges at once: the flag's, else the environment's, else ours.
    fn jobs(&self, flag: Option<NonZeroUsize>) -> Result<NonZeroUsize, CommandError> {
        Ok(self.setting(flag, JOBS_VARIABLE, values::jobs)?.unwrap_or(JOBS))
    }

    /// The flag's value, else that of an environment variable, which is read as the flag is.
    fn setting<T>(
        &self,
        flag: Option<T>,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, CommandError> {
        match (flag, self.env.get(name)) {
            (None, Some(text)) => {
                let read = read(text).map(Some);
                read.map_err(|why| CommandError::Variable { name, value: text.to_owned(), why })
            }
            (flag, _) => Ok(flag),
        }
    }

    /// Tells what a command waits for.
    fn notice(&self) -> impl Fn(&str) {
        |line| self.streams.note(line)
    }
}

/// What `--username` and `--password-stdin` say. As with `docker login`, the password is all of stdin but the line's end.
fn login(network: &Network, subject: &Repository) -> Result<Option<Login>, CommandError> {
    let Some(username) = &network.username else { return Ok(None) };
    let mut password = String::new();
    let most = u64::try_from(PASSWORD_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let read = io::stdin().take(most).read_to_string(&mut password);
    let refuse = |why| CommandError::Password { source: io::Error::new(io::ErrorKind::InvalidData, why) };
    if password.len() > PASSWORD_MAX {
        return Err(refuse("it is longer than 1 MiB"));
    }
    read.map_err(|source| CommandError::Password { source })?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(refuse("it is empty"));
    }
    let password = Secret::new(password);
    Ok(Some(Login { registry: subject.domain().to_owned(), username: username.clone(), password }))
}

/// A reference that docker complains about in its own words alone.
fn parsed(argument: &RefArg) -> Result<&Reference, CommandError> {
    let typed = || argument.typed.clone();
    argument.parsed.as_ref().map_err(|error| CommandError::Typed { typed: typed(), source: error.clone() })
}

/// Makes a draft of images, or adds images to one.
///
/// # Errors
/// A draft that is there and may not be changed, an image that cannot be had or described; nothing is stored then.
pub fn create(context: &Context, args: &Create) -> Result<(), CommandError> {
    create::run(context, args)
}

/// Changes what a draft says of one image.
///
/// # Errors
/// An image that is not in the draft, a pair of names that nobody knows, and the store's.
pub fn annotate(context: &Context, args: &Annotate) -> Result<(), CommandError> {
    annotate::run(context, args)
}

/// Shows a draft, one image of it, or what a registry serves.
///
/// # Errors
/// Nothing of that name, and what the store or a registry says.
pub fn inspect(context: &Context, args: &Inspect) -> Result<(), CommandError> {
    inspect::run(context, args)
}

/// Publishes a draft.
///
/// # Errors
/// A draft that is not there, cannot become a list or is not what is required; what a registry says; an image or a blob
/// that is not there.
pub fn push(context: &Context, args: &Push) -> Result<(), CommandError> {
    push::run(context, args)
}

/// Deletes drafts.
///
/// # Errors
/// Lists that there are no drafts of, in the order of the arguments, and the store's; the other drafts are deleted.
pub fn rm(context: &Context, args: &Rm) -> Result<(), CommandError> {
    rm::run(context, args)
}

/// Adds images to a draft.
///
/// # Errors
/// A draft that is not there, an image that cannot be had or described; nothing is stored then.
pub fn add(context: &Context, args: &Add) -> Result<(), CommandError> {
    add::run(context, args)
}

/// Makes and publishes what a file or a template describes.
///
/// # Errors
/// What is wrong with a file or the flags; an image that cannot be had; a list that is not what is required; what a
/// registry says, with what was published before it.
pub fn apply(context: &Context, args: &Apply) -> Result<(), CommandError> {
    apply::run(context, args)
}

/// Runs a command of manifest-tool's.
///
/// # Errors
/// What [`apply`] and [`inspect`] say.
pub fn manifest_tool(context: &Context, globals: &ToolGlobals, command: &ToolCommand) -> Result<(), CommandError> {
    manifest_tool::run(context, globals, command)
}

/// Tries out what a registry can do.
///
/// # Errors
/// Manifest lists cannot be published there, or nothing can be tried at all.
pub fn check(context: &Context, args: &Check) -> Result<u8, CommandError> {
    check::run(context, args)
}

/// Tells by the exit code whether there is a draft.
///
/// # Errors
/// A name that is none, and the store's.
pub fn exists(context: &Context, args: &Exists) -> Result<bool, CommandError> {
    exists::run(context, args)
}

/// Writes a list as a file for `apply`.
///
/// # Errors
/// Nothing of that name, one image where a list is wanted, and a file that cannot be written.
pub fn export(context: &Context, args: &Export) -> Result<(), CommandError> {
    export::run(context, args)
}

/// Lists the drafts.
///
/// # Errors
/// Drafts that cannot be read, once all others are told.
pub fn ls(context: &Context, args: &Ls) -> Result<(), CommandError> {
    ls::run(context, args)
}

/// Shows what an image runs on.
///
/// # Errors
/// Nothing of that name, and what a registry says.
pub fn platforms(context: &Context, args: &Platforms) -> Result<(), CommandError> {
    platforms::run(context, args)
}

/// Deletes drafts that were not changed for a while.
///
/// # Errors
/// Drafts that cannot be read or deleted; the others go.
pub fn prune(context: &Context, args: &Prune) -> Result<(), CommandError> {
    prune::run(context, args)
}

/// Takes images out of a draft.
///
/// # Errors
/// A draft or an image in it that is not there, and a word that may mean several; nothing is changed then.
pub fn remove(context: &Context, args: &Remove) -> Result<(), CommandError> {
    remove::run(context, args)
}
